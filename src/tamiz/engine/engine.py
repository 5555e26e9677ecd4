"""The filter engine: one call per layer and event, one `Decision` with its steps.

Source: spec arbitration.md; FwpsClassify. The plain engine is the truth: whatever is faster must agree with it. With
everything known it is the pseudo-code of arbitration.md 9; with something unknown it answers for every world at once
(`tamiz.engine.worlds`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from oxidd.util import DDMemoryError

from tamiz.engine.arbitrate import Standing, of_filter
from tamiz.engine.callouts import Answer, Call, Callouts
from tamiz.engine.explain import pass_steps
from tamiz.engine.program import Judged, LayerProgram, SublayerProgram, compile_layer, constants
from tamiz.engine.walk import Ask, Outcome, Walk
from tamiz.engine.worlds import Worlds, WorldSet
from tamiz.model.decisions import Action, Decision, Possible, default_permit
from tamiz.model.facts import Facts
from tamiz.model.keys import CalloutKey, LayerKey
from tamiz.model.objects import ActionType, Filter
from tamiz.model.policy import Policy
from tamiz.model.reading import Reading

MAX_ORDERS: Final = 400  # ways to put sublayers of unknown weight among the others; beyond, see `_too_large`
_MANY_CLASSES: Final = 64  # distinct possible results beyond which what decides between filters is not worked out


class Engine:
    """A policy, ready to be asked.

    `reading`: `documented` or `observed` (field-evidence.md 1). `callouts`: what is known of callouts. `bfe_running`:
    False before the Base Filtering Engine has started, when the boot-time filters are enforced and no others.
    """

    def __init__(
        self,
        policy: Policy,
        reading: Reading = Reading.DOCUMENTED,
        callouts: Callouts | None = None,
        bfe_running: bool = True,
    ) -> None:
        self.policy, self.reading, self.bfe_running = policy, reading, bfe_running
        self.callouts = callouts or Callouts()
        self._worlds = Worlds(constants(policy))
        self._programs: dict[LayerKey, LayerProgram] = {}

    def classify(
        self,
        layer: LayerKey,
        facts: Facts,
        contexts: Collection[CalloutKey] | None = None,
        explain: bool = False,
    ) -> Decision:
        """The decision at `layer` for an event of which `facts` are known; a field left out is UNKNOWN.

        `contexts`: the callouts that hold a context on the flow at this layer; None: not known. `explain` adds the
        steps of every sublayer, and `unsettled`. A callout is asked once for each standing that is possible.
        """
        program = self.program(layer)
        if not program.sublayers:
            return default_permit(layer)
        try:
            return _Classify(self, program, facts, contexts).decide(explain)
        except (DDMemoryError, _TooManyOrders):
            self._worlds = Worlds(constants(self.policy))
            return _too_large(program)

    def program(self, layer: LayerKey) -> LayerProgram:
        """The compiled filters of `layer`."""
        found = self._programs.get(layer)
        if found is None:
            found = self._programs[layer] = compile_layer(self.policy, layer, self.bfe_running)
        return found

    @property
    def worlds(self) -> Worlds:
        return self._worlds


class _TooManyOrders(Exception):
    """So many sublayers are of unknown weight that their orders are not tried."""


class _Classify:
    """One call of `Engine.classify`."""

    def __init__(
        self, engine: Engine, program: LayerProgram, facts: Facts, contexts: Collection[CalloutKey] | None
    ) -> None:
        self.engine, self.program, self.facts, self.contexts = engine, program, facts, contexts
        self.worlds = engine.worlds
        self.judged = Judged(facts, self.worlds)
        self.start = program.knowledge(facts, self.worlds)

    def decide(self, explain: bool) -> Decision:
        floating = self._floating()
        orders = self._orders(floating)
        outcomes = [self._walk(order) for order in orders]
        classes = _classes(outcomes, self.worlds)
        permits = [self._where(outcome, Action.PERMIT) for outcome in outcomes]
        depends = self._deciders(outcomes, permits) + self._weights(orders, permits, floating)
        return Decision(
            layer=self.program.layer,
            action=_action(permits, [self._where(outcome, Action.BLOCK) for outcome in outcomes]),
            possible=tuple(classes),
            depends_on=depends,
            unsettled=self._unsettled(outcomes, depends) if explain else (),
            steps=tuple(pass_steps(outcomes[0].passes, self.judged, self.start)) if explain else (),
            tie=self._tied(orders, outcomes, permits),
            absorbed=all(state.absorbed for outcome in outcomes for state, _, _ in outcome.possible()),
        )

    # -- walks ---------------------------------------------------------------------------------------------------

    def _walk(self, order: Sequence[SublayerProgram], newest_first: bool = True) -> Outcome:
        return Walk(self.judged, self._ask(), self.engine.reading, newest_first).run(order, self.start)

    def _ask(self) -> Ask:
        engine = self.engine

        def ask(filter: Filter, standing: Standing) -> tuple[Answer, ...]:
            action = None if standing.action is None else ActionType[standing.action.name]
            call = Call(self.program.layer, self.facts, filter, action, standing.open)
            return engine.callouts.answers(engine.policy, call, self.contexts)

        return ask

    def _floating(self) -> tuple[SublayerProgram, ...]:
        """The sublayers of unknown weight that may have a say."""
        return tuple(s for s in self.program.sublayers if s.weight is None and self._may_end(s))

    def _may_end(self, sublayer: SublayerProgram) -> bool:
        return any(
            c.filter.action is not ActionType.CALLOUT_INSPECTION and self.judged.matches(c) is not False
            for c in sublayer.candidates
        )

    def _orders(self, floating: Sequence[SublayerProgram]) -> list[tuple[SublayerProgram, ...]]:
        """Every order in which the sublayers may be asked; the policy's own where all weights are known."""
        fixed = tuple(s for s in self.program.sublayers if s not in floating)
        if not floating:
            return [fixed]
        active = tuple(s for s in fixed if self._may_end(s))
        silent = tuple(s for s in fixed if s not in active)
        orders: list[tuple[SublayerProgram, ...]] = [active]
        for sublayer in floating:
            orders = [(*o[:i], sublayer, *o[i:]) for o in orders for i in range(len(o), -1, -1)]
            if len(orders) > MAX_ORDERS:
                raise _TooManyOrders
        return [(*order, *silent) for order in orders]

    # -- what came out ---------------------------------------------------------------------------------------------

    def _where(self, outcome: Outcome, action: Action) -> WorldSet:
        found: WorldSet = False
        for state, _, worlds in outcome.possible():
            if (state.standing.action or Action.PERMIT) is action:
                found = self.worlds.either(found, worlds)
        return found

    def _deciders(self, outcomes: Sequence[Outcome], permits: Sequence[WorldSet]) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for permit in permits:
            rest = self.worlds.without(self.start, permit)
            names.update(dict.fromkeys(self.worlds.deciders([permit, rest])))
        return tuple(names)

    def _unsettled(self, outcomes: Sequence[Outcome], depends: Sequence[str]) -> tuple[str, ...]:
        """What decides between the filters only."""
        names: dict[str, None] = {}
        for outcome in outcomes:
            parts = [worlds for _, _, worlds in outcome.possible()]
            if len(parts) <= _MANY_CLASSES:
                names.update(dict.fromkeys(self.worlds.deciders(parts)))
        return tuple(name for name in names if name not in depends)

    def _weights(
        self,
        orders: Sequence[tuple[SublayerProgram, ...]],
        permits: Sequence[WorldSet],
        floating: Sequence[SublayerProgram],
    ) -> tuple[str, ...]:
        """The sublayers whose unknown weight matters: moving one of them alone changes where it is a permit."""
        found = []
        for sublayer in floating:
            by_rest: dict[tuple[SublayerProgram, ...], WorldSet] = {}
            for order, permit in zip(orders, permits, strict=True):
                rest = tuple(s for s in order if s is not sublayer)
                if by_rest.setdefault(rest, permit) != permit:
                    found.append(f"weight of sublayer {sublayer.key}")
                    break
        return tuple(found)

    def _tied(
        self, orders: Sequence[tuple[SublayerProgram, ...]], outcomes: Sequence[Outcome], permits: Sequence[WorldSet]
    ) -> bool:
        """Whether the action hangs on the order of filters of equal weight, which Windows does not document."""
        for order, outcome, permit in zip(orders, outcomes, permits, strict=True):
            if any(step.tie for step in outcome.passes):
                other = self._where(self._walk(order, newest_first=False), Action.PERMIT)
                if other != permit:
                    return True
        return False


def _classes(outcomes: Sequence[Outcome], worlds: Worlds) -> Iterator[Possible]:
    seen: dict[tuple[object, ...], Possible] = {}
    for outcome in outcomes:
        for state, filter, _ in outcome.possible():
            standing = state.standing
            key = (standing, state.vetoed, filter and filter.key, filter and filter.id)
            action = standing.action or Action.PERMIT
            seen.setdefault(key, Possible(action, standing.right, filter, state.vetoed))
    yield from seen.values()


def _action(permits: Sequence[WorldSet], blocks: Sequence[WorldSet]) -> Action:
    if not any(blocks):
        return Action.PERMIT
    return Action.DEPENDS if any(permits) else Action.BLOCK


def _too_large(program: LayerProgram) -> Decision:
    """More is unknown than can be worked out: every filter of the layer that may end a sublayer may decide."""
    possible = [Possible(Action.PERMIT, None, None)]
    for sublayer in program.sublayers:
        for candidate in sublayer.candidates:
            possible += [Possible(action, None, candidate.filter) for action in _actions(candidate.filter)]
    weights = [f"weight of sublayer {s.key}" for s in program.sublayers if s.weight is None]
    return Decision(
        program.layer,
        Action.DEPENDS,
        tuple(possible),
        depends_on=(*(f.key for f in program.fields), *weights),
        notes=("too much is unknown to work out which filter decides",),
    )


def _actions(filter: Filter) -> tuple[Action, ...]:
    """How a filter may end its sublayer."""
    if filter.action is ActionType.CALLOUT_INSPECTION:
        return ()
    return (Action.PERMIT, Action.BLOCK) if filter.action.is_callout else (of_filter(filter).action,)
