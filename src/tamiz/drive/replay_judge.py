"""What a policy makes of what an observer saw, packet by packet and flow by flow.

A plan (`tamiz.sources.observer.flows`) is walked through its layers as a host walks them: after a block nothing later
of the event is met (`tamiz.stack.blocks`). What comes out is an `Outcome`; there are few of them, and a packet that is
like one before costs a look-up and a counter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Final, NamedTuple

from tamiz.engine.engine import Engine
from tamiz.model._tables import ConditionFlags, ReauthorizeReason
from tamiz.model.decisions import Action
from tamiz.model.keys import LayerKey
from tamiz.model.windows import WindowsVersion
from tamiz.sources.observer.flows import Ends, Flow, Plan, Step
from tamiz.stack.blocks import ABSORB, After, Situation, block_of
from tamiz.stack.requests import Way
from tamiz.stack.rows import CREATING, Condition, Row, layer_key
from tamiz.stack.sequences import SEQUENCES
from tamiz.stack.witness import TCP, Known

from .replay_rulings import REMEMBERED, Ruling, Rulings

FLOW_BLOCKED: Final = "flow-blocked"
_PERMIT, _BLOCK, _DEPENDS = (action.value for action in Action)
_ENDS_FLOW: Final = frozenset({After.FAIL, After.CLOSE, After.TEAR_DOWN})
_NO_ENDPOINT: Final = {"no-endpoint-in": Situation.NO_ENDPOINT, "tcp-no-endpoint-in": Situation.NO_ENDPOINT_TCP}
_AUTHORIZATION: Final = frozenset({"ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT"})
_RANK: Final = {_PERMIT: 0, _DEPENDS: 1, _BLOCK: 2, FLOW_BLOCKED: 3}


class _Met(NamedTuple):
    """One row made ready: the layer, and what a block there leads to."""

    layer: LayerKey
    way: Way | None
    flags: ConditionFlags
    reason: ReauthorizeReason
    after: After
    discard: LayerKey | None
    absorbs: bool


class Outcome:
    """What became of packets: the rulings in order (with whether they were inferred), and the verdict.

    `decisive`: the ruling that blocked. `prevents`: there would be no flow. `failed`: an inferred call fails already.
    `count`: packets; `halves`: of loopback packets, the sides that are like this.
    """

    __slots__ = ("action", "count", "decisive", "depends_on", "failed", "halves", "prevents", "rulings")

    def __init__(
        self, rulings: tuple[tuple[Ruling, bool], ...], action: str, decisive: Ruling | None = None,
        depends_on: tuple[str, ...] = (), prevents: bool = False, failed: bool = False,
    ) -> None:  # fmt: skip
        self.rulings, self.action, self.decisive, self.depends_on = rulings, action, decisive, depends_on
        self.prevents, self.failed = prevents, failed
        self.count = self.halves = 0

    @property
    def key(self) -> Hashable:
        rulings = tuple((id(ruling), inferred) for ruling, inferred in self.rulings)
        return rulings, self.action, self.prevents, self.failed


class Judge:
    """A `Sink` of an observer.

    `packets` counts the packets whose verdict no outcome counts; `flows` verdicts of flows, `flows_depend` on what.
    """

    def __init__(self, engine: Engine, known: Known) -> None:
        self.rulings = Rulings(engine, known)
        self.packets: Counter[str] = Counter()
        self.flows: Counter[str] = Counter()
        self.flows_depend: Counter[str] = Counter()
        self._outcomes: dict[Hashable, Outcome] = {}
        self._profiles: dict[Hashable, dict[Plan, Outcome]] = {}
        self._ready: dict[tuple[Step, int, bool], tuple[_Met, ...]] = {}
        self._halves: dict[int, str] = {}
        self._last = _PERMIT

    # -- what the observer tells -------------------------------------------------------------------------------------

    def see(self, flow: Flow | None, plan: Plan, number: int, ends: Ends) -> bool:
        """See `Sink`."""
        if ends.loopback:
            return self._half(flow, plan, number, ends)
        if flow is not None and flow.blocked:
            self._last = FLOW_BLOCKED
            self.packets[FLOW_BLOCKED] += 1
            return False
        memo = ends.memo
        outcome: Outcome | None = None if memo is None else memo.get(plan)
        if outcome is None:
            outcome = self.outcome(plan, ends)
        outcome.count += 1
        self._last = outcome.action
        if outcome.action is not _PERMIT and flow is not None:
            self._mark(flow, outcome)
        return outcome.failed

    def again(self, number: int) -> None:
        """See `Sink`."""
        self.packets[self._last] += 1

    def done(self, flow: Flow) -> None:
        """See `Sink`."""
        if flow.blocked:
            self.flows[_BLOCK] += 1
        elif flow.marks is None:
            self.flows[_PERMIT] += 1
        else:
            self.flows[_DEPENDS] += 1
            self.flows_depend.update({name for outcome in flow.marks for name in outcome.depends_on})

    def close(self) -> None:
        """Nothing more will be seen."""
        self.packets.update(self._halves.values())
        self._halves.clear()

    @property
    def outcomes(self) -> Iterator[Outcome]:
        """Every outcome that there was."""
        return iter(self._outcomes.values())

    def _mark(self, flow: Flow, outcome: Outcome) -> None:
        if outcome.prevents:
            flow.blocked = True
        elif outcome.action is _DEPENDS:
            if flow.marks is None:
                flow.marks = {outcome}
            else:
                flow.marks.add(outcome)

    def _half(self, flow: Flow | None, plan: Plan, number: int, ends: Ends) -> bool:
        """One side of a loopback packet: what the sender does not send, the receiver does not see."""
        sent = self._halves.pop(number, None)
        if sent in (_BLOCK, FLOW_BLOCKED):
            if flow is not None and plan.opens:
                flow.blocked = True
            self.packets[sent] += 1
            return False
        if flow is not None and flow.blocked:
            verdict, failed = FLOW_BLOCKED, False
        else:
            outcome = self.outcome(plan, ends)
            outcome.halves += 1
            verdict, failed = outcome.action, outcome.failed
            if flow is not None:
                self._mark(flow, outcome)
        self._last = max(sent or _PERMIT, verdict, key=_RANK.__getitem__)
        if sent is None:
            self._halves[number] = verdict
        else:
            self.packets[self._last] += 1
        return failed

    # -- judging -----------------------------------------------------------------------------------------------------

    def outcome(self, plan: Plan, ends: Ends) -> Outcome:
        """What becomes of a packet of `ends` that proves `plan`."""
        if ends.memo is None:
            signature = self.rulings.signature(ends)
            found = self._profiles.get(signature)
            if found is None:
                if len(self._profiles) >= REMEMBERED:
                    self._profiles.clear()
                found = self._profiles[signature] = {}
            ends.memo = found
        memo: dict[Plan, Outcome] = ends.memo
        outcome = memo.get(plan)
        if outcome is None:
            fresh = self._walk(plan, ends)
            outcome = memo[plan] = self._outcomes.setdefault(fresh.key, fresh)
        return outcome

    def _walk(self, plan: Plan, ends: Ends) -> Outcome:
        """Layer after layer, until one blocks."""
        met: list[tuple[Ruling, bool]] = []
        depends: dict[str, None] = {}
        for step in plan.steps:
            for row in self._rows(step, ends):
                ruling = self.rulings.at(row.layer, ends, row.way, row.flags, row.reason)
                met.append((ruling, step.inferred))
                if row.after is After.NOTHING:
                    continue
                if ruling.blocks:
                    if row.discard is not None and not (ruling.absorbed and row.absorbs):
                        discarded = self.rulings.at(row.discard, ends, row.way, row.flags, row.reason)
                        met.append((discarded, step.inferred))
                    prevents = plan.opens or row.after in _ENDS_FLOW
                    return Outcome(tuple(met), _BLOCK, ruling, prevents=prevents, failed=step.inferred)
                depends.update(dict.fromkeys(ruling.depends_on))
        return Outcome(tuple(met), _DEPENDS if depends else _PERMIT, depends_on=tuple(depends))

    def _rows(self, step: Step, ends: Ends) -> tuple[_Met, ...]:
        version, tcp = 4 if len(ends.local) == 4 else 6, ends.protocol == TCP
        found = self._ready.get((step, version, tcp))
        if found is None:
            engine, windows = self.rulings.engine, self.rulings.known.windows
            found = self._ready[step, version, tcp] = _ready(step, version, tcp, engine, windows)
        return found


def _ready(step: Step, version: int, tcp: bool, engine: Engine, windows: WindowsVersion) -> tuple[_Met, ...]:
    """The rows of a step that are there."""

    def there(row: Row) -> bool:
        if row.layer is None or row.unit in step.leave or not row.applies(windows, engine.reading):
            return False
        return row.when is Condition.ALWAYS or layer_key(row.layer, version) in engine.policy.by_layer

    rows = [(row, _base(row)) for row in SEQUENCES[step.sequence].rows if there(row)]
    authorizes = any(base == "ALE_AUTH_RECV_ACCEPT" for _, base in rows)
    return tuple(_met(row, base, version, authorizes, _situation(step, row, base, tcp)) for row, base in rows)


def _base(row: Row) -> str:
    """The layer's base name; only inbound multicast and broadcast is authorized again in a replay."""
    return "ALE_AUTH_RECV_ACCEPT" if row.layer == CREATING else row.layer or ""


def _met(row: Row, base: str, version: int, authorizes: bool, situation: Situation) -> _Met:
    block = block_of(base, situation)
    flags, reason = row.flags, ReauthorizeReason(0)
    if base == "INBOUND_TRANSPORT" and authorizes:
        flags |= ConditionFlags.REQUIRES_ALE_CLASSIFY
    if flags & ConditionFlags.IS_REAUTHORIZE:
        reason = ReauthorizeReason.NEW_INBOUND_MCAST_BCAST_PACKET
    discard = layer_key(f"{base}_DISCARD", version) if block.discard else None
    return _Met(layer_key(base, version), row.direction, flags, reason, block.after, discard, base in ABSORB)


def _situation(step: Step, row: Row, base: str, tcp: bool) -> Situation:
    if base in _AUTHORIZATION:
        if row.flags & ConditionFlags.IS_REAUTHORIZE:
            return Situation.REAUTHORIZE
        return Situation.TCP if tcp else Situation.DATAGRAM
    return _NO_ENDPOINT.get(step.sequence, Situation.ANY)
