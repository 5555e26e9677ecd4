"""Walking the rows of a sequence: one classify call after another, until one blocks.

This is the only place where a host yields `Classify`. What a block leads to is read from `blocks`; the caller learns
of it by the `Stop` that it gets back, None meaning that the whole sequence was passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from tamiz.model._tables import ConditionFlags

from .blocks import ABSORB, After, Block, Situation, block_of
from .config import HostConfig
from .fields import Indication, facts_of
from .flows import Flow
from .requests import Answer, Classify, Completed, Operation, Pended
from .rows import CREATING, Condition, Row, layer_key
from .sockets import TCP

_AUTHORIZATION: Final = ("ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT")
# Where FwpsPendOperation0 is allowed [D: nf-fwpsk-fwpspendoperation0]
_PENDABLE: Final = frozenset((*_AUTHORIZATION, "ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_LISTEN"))


@dataclass(frozen=True, slots=True)
class Stop:
    """The walk ended at `layer`: by a block, or because a callout pended the operation."""

    layer: str
    block: Block
    pended: bool = False

    @property
    def after(self) -> After:
        return self.block.after


@dataclass(frozen=True, slots=True)
class Walk:
    """What goes with every step of a walk: the packet's `word`, a `note`, the `flow`, bytes of stream data."""

    config: HostConfig
    indication: Indication
    word: str | None = None
    flow: Flow | None = None
    note: str = ""
    length: int | None = None
    no_endpoint: bool = False
    raw: bool = False

    def over(self, rows: Iterable[Row]) -> Operation[Stop | None]:
        """Meet the layers of `rows` in order."""
        met = tuple(row for row in rows if self._is_there(row))
        authorizes = any(self._base(row) == "ALE_AUTH_RECV_ACCEPT" for row in met)
        for row in met:
            if row.layer is None:
                yield Completed(row.event, row.note)
                continue
            stop = yield from self._step(row, authorizes)
            if stop is not None:
                return stop
        return None

    def _is_there(self, row: Row) -> bool:
        if not row.applies(self.config.windows, self.config.reading):
            return False
        if row.when is Condition.ALWAYS:
            return True
        return self.config.layer_in_use(layer_key(self._base(row), self.indication.version))

    def _base(self, row: Row) -> str:
        if row.layer == CREATING and self.flow is not None:
            return self.flow.creating
        return row.layer or ""

    def _step(self, row: Row, authorizes: bool) -> Operation[Stop | None]:
        base = self._base(row)
        seen = self._seen(row, base, authorizes)
        answer: Answer = yield self._classify(row, base, seen)
        situation = self._situation(row, base)
        block = None if answer is None else block_of(base, situation) if _blocks(answer) else None
        if block is None or block.after is After.NOTHING:
            return None
        if isinstance(answer, Pended) and base in _PENDABLE and situation is not Situation.REAUTHORIZE:
            return Stop(base, block, pended=True)
        decision = answer.decision if isinstance(answer, Pended) else answer
        if block.discard and not (decision is not None and decision.absorbed and base in ABSORB):
            yield self._classify(row, f"{base}_DISCARD", seen, f"dropped by a filter at {base}: {block.wire}")
        return Stop(base, block)

    def _seen(self, row: Row, base: str, authorizes: bool) -> Indication:
        extra = row.flags
        if base == "INBOUND_TRANSPORT" and authorizes:
            extra |= ConditionFlags.REQUIRES_ALE_CLASSIFY
        seen, way = self.indication, row.direction or self.indication.way
        if not extra and way == seen.way:
            return seen
        reason = seen.reason
        if row.flags & ConditionFlags.IS_REAUTHORIZE and self.flow is not None:
            reason |= self.flow.reasons
        return replace(seen, flags=seen.flags | extra, reason=reason, way=way)

    def _classify(self, row: Row, base: str, seen: Indication, note: str = "") -> Classify:
        layer = layer_key(base, seen.version)
        word = self.word if row.packet is None else row.packet or None
        return Classify(
            layer,
            facts_of(layer, seen, self.config.windows),
            row.event,
            word,
            row.direction,
            note or self.note,
            self.flow.id if self.flow else None,
            length=self.length if base == "STREAM" else None,
        )

    def _situation(self, row: Row, base: str) -> Situation:
        tcp = self.indication.protocol == TCP and not self.raw
        if base in _AUTHORIZATION:
            if row.flags & ConditionFlags.IS_REAUTHORIZE:
                return Situation.REAUTHORIZE
            return Situation.TCP if tcp else Situation.DATAGRAM
        if self.no_endpoint:
            return Situation.NO_ENDPOINT_TCP if tcp else Situation.NO_ENDPOINT
        return Situation.ANY


def _blocks(answer: Answer) -> bool:
    return isinstance(answer, Pended) or (answer is not None and answer.blocks)
