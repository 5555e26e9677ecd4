"""What happened, as a trace: requests become steps, packets on the wire arrows, and each host gets an outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tamiz.model.decisions import Decision
from tamiz.model.trace import Sent, Step, Way
from tamiz.sources.scenario import HOSTS
from tamiz.stack.blocks import BLOCKS, After
from tamiz.stack.requests import (
    ABORTED,
    ACCESS,
    REFUSED,
    RESET,
    TIMED_OUT,
    Classify,
    Completed,
    Deliver,
    Dropped,
    Failed,
    Note,
    Request,
    Transmit,
)
from tamiz.stack.rows import base_name
from tamiz.wire.errors import Malformed
from tamiz.wire.packet import describe, dissect

# What an application's error says of how it ended; an aborted connection is the end of something told before.
_FAILED: Final[Mapping[str, str | None]] = {
    ACCESS: "blocked",
    REFUSED: "refused",
    RESET: "reset",
    TIMED_OUT: "timed-out",
    ABORTED: None,
}
# A block at these layers keeps a reply back, and the host seems not to be there; at those it is only told.
_SILENT: Final = frozenset(block.layer for block in BLOCKS if block.after is After.SUPPRESS)
_IGNORED: Final = frozenset(block.layer for block in BLOCKS if block.after is After.NOTHING)


@dataclass
class Recorder:
    """Collects the steps of one scenario.

    `until`: (host, event) after which nothing is shown any more, once it is `armed`; outcomes are still followed, so
    that they say how it ended.
    """

    clock: Callable[[], int]
    until: tuple[str, str] | None = None
    armed: bool = False
    ended: bool = False
    steps: list[Step] = field(default_factory=list)
    wire: list[Sent] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    outcome: dict[str, str] = field(default_factory=dict)

    def listener(self, host: str) -> Callable[[Request, Decision | None], None]:
        """The listener of the node named `host`."""

        def listen(request: Request, decision: Decision | None) -> None:
            self._record(host, request, decision)

        return listen

    def say(self, host: str, event: str, note: str) -> None:
        """A step that meets no layer."""
        self._add(host, event, note=note)

    def _record(self, host: str, request: Request, decision: Decision | None) -> None:
        match request:
            case Classify():
                self._classified(host, request, decision)
            case Transmit():
                self._sent(host, request)
            case Deliver():
                self._add(host, "receive", note=f"{len(request.data)} bytes are readable")
                self.outcome = dict.fromkeys(HOSTS, "delivered")
                self._reached(host, "receive")
            case Failed():
                self._failed(host, request)
            case Completed():
                self._add(host, request.event, note=request.note)
                if request.event in ("listen", "connect"):
                    self.outcome[host] = "established"
                self._reached(host, request.event)
            case Dropped():
                self._dropped(host, request)
            case Note():
                self._add(host, self._last_event(host), note=request.text)

    def _classified(self, host: str, request: Classify, decision: Decision | None) -> None:
        base = base_name(request.layer)
        telling = base.endswith("_DISCARD") or (decision is not None and decision.blocks)
        note = request.note if telling else ""
        before = self._last(host)
        self._add(host, request.event, request.packet, request.direction, request, decision, note)
        if decision is not None and decision.blocks:
            self._blocked(host, base, before)
        elif base == "ALE_FLOW_ESTABLISHED" and request.packet == "ACK":  # a flow of TCP: both ends know of it
            self.outcome[host] = "established"
        if base.endswith("_DISCARD"):
            self._reached(host, "discard")

    def _blocked(self, host: str, base: str, before: Step | None) -> None:
        if base in _SILENT and not _tells_of(base, before):
            self.outcome[host] = "silent"
        elif base not in _SILENT | _IGNORED:
            self.outcome[host] = "blocked"

    def _failed(self, host: str, request: Failed) -> None:
        word = _FAILED.get(request.error, "refused")
        if request.error == RESET and self._last_word(host) == "ICMP-ERROR":
            word = "refused"  # what UDP hears of a port where nobody listens
        self.outcome[host] = word or self.outcome.get(host, "reset")
        self._add(host, request.operation, note=f"fails: {request.error}")

    def _dropped(self, host: str, request: Dropped) -> None:
        """A drop by the stack itself; where a discard layer was just told of it, that step has said so."""
        last = self._last(host)
        if last is not None and last.layer is not None and last.layer.endswith("_DISCARD"):
            return
        where = "" if request.offset is None else f" at byte {request.offset}"
        detail = f": {request.detail}" if request.detail else ""
        self._add(host, "packet", request.word, "in", note=f"dropped, {request.reason}{where}{detail}")

    def _last(self, host: str) -> Step | None:
        return next((step for step in reversed(self.steps) if step.host == host), None)

    def _last_event(self, host: str) -> str:
        last = self._last(host)
        return last.event if last else "packet"

    def _last_word(self, host: str) -> str | None:
        last = self._last(host)
        return last.packet if last else None

    def _sent(self, host: str, request: Transmit) -> None:
        if self.ended:
            return
        try:
            summary = describe(dissect(request.packet, verify=False))
        except Malformed:
            summary = request.word
        self.wire.append(Sent(len(self.steps), host, request.word, summary, request.packet, self.clock()))
        if request.word in ("RST", "ICMP-ERROR") and self.outcome.get(host, "silent") == "silent":
            self.outcome[host] = "refused"

    def _add(
        self,
        host: str,
        event: str,
        packet: str | None = None,
        direction: Way | None = None,
        request: Classify | None = None,
        decision: Decision | None = None,
        note: str = "",
    ) -> None:
        if self.ended:
            return
        self.steps.append(
            Step(
                len(self.steps) + 1, host, event, packet, direction, request.layer if request else None, decision, note,
                self.clock(), request.flow if request else None,
            )
        )  # fmt: skip

    def _reached(self, host: str, event: str) -> None:
        if self.armed and self.until == (host, event):
            self.ended = True


def _tells_of(base: str, before: Step | None) -> bool:
    """Whether a discard layer is indicated for the block of the step before it, not for a drop of the stack itself."""
    if before is None or before.layer is None or before.decision is None:
        return False
    return before.decision.blocks and f"{base_name(before.layer)}_DISCARD" == base
