"""One walk through a layer: every sublayer, in every world at once.

Source: spec arbitration.md 1 (every sublayer is asked, even after one has decided), 2.1, 6, 9 (the pseudo-code that
this generalises: with everything known there is one world and this is that loop).

The state is a map from (standing, vetoed, absorbed) to the worlds in which it holds, and beside it which filter
decided in which worlds. Each sublayer moves worlds between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tamiz.engine.arbitrate import Incoming, Standing, of_answer, of_filter, override
from tamiz.engine.callouts import ANSWERS, Answer, ClassifyOut
from tamiz.engine.program import Candidate, Judged, SublayerProgram
from tamiz.engine.worlds import Worlds, WorldSet
from tamiz.model.decisions import Effect
from tamiz.model.keys import CalloutKey
from tamiz.model.objects import Filter
from tamiz.model.reading import Reading

Ask = Callable[[Filter, Standing], tuple[Answer, ...]]
_CODE_BITS: Final = (len(ANSWERS) - 1).bit_length()


class State(NamedTuple):
    standing: Standing
    vetoed: bool = False
    absorbed: bool = False


States = dict[State, dict[Candidate | None, WorldSet]]


@dataclass(slots=True)
class End:
    """How one filter ended its sublayer, and in which worlds."""

    candidate: Candidate
    incoming: Incoming
    effect: Effect
    worlds: WorldSet


@dataclass(slots=True)
class Pass:
    """What one sublayer did."""

    sublayer: SublayerProgram
    ends: list[End] = field(default_factory=list)
    called: list[CalloutKey] = field(default_factory=list)
    tie: bool = False

    def record(self, end: End, worlds: Worlds) -> None:
        """Add `end`, to the same ending in other worlds where there is one."""
        for known in self.ends:
            if (known.candidate, known.incoming, known.effect) == (end.candidate, end.incoming, end.effect):
                known.worlds = worlds.either(known.worlds, end.worlds)
                return
        self.ends.append(end)


@dataclass(slots=True)
class Outcome:
    """Where the walk arrived: for each state, the worlds by deciding filter."""

    states: States
    passes: list[Pass]

    def possible(self) -> Iterator[tuple[State, Filter | None, WorldSet]]:
        for state, by_candidate in self.states.items():
            for candidate, worlds in by_candidate.items():
                yield state, candidate.filter if candidate else None, worlds


class Walk:
    """The walk of one classify; `newest_first` False turns the order of equal weights round."""

    def __init__(self, judged: Judged, ask: Ask, reading: Reading, newest_first: bool = True) -> None:
        self.judged, self.ask, self.reading, self.newest_first = judged, ask, reading, newest_first
        self.worlds: Worlds = judged.worlds

    def run(self, order: Iterable[SublayerProgram], start: WorldSet) -> Outcome:
        """All sublayers in `order`, from the worlds `start` in which nothing has decided yet."""
        outcome = Outcome({State(Standing.NONE): {None: start}}, [])
        for sublayer in order:
            self._sublayer(sublayer, outcome)
        return outcome

    def _sublayer(self, sublayer: SublayerProgram, outcome: Outcome) -> None:
        step = Pass(sublayer)
        live = {state: self._union(by.values()) for state, by in outcome.states.items()}
        moves = _Moves(self.worlds, outcome.states)
        for position, candidate in enumerate(self._ordered(sublayer)):
            ended = self._candidate(candidate, live, moves, step)
            if ended:
                step.tie = step.tie or self._ties(sublayer, position, candidate, ended)
                if not any(live.values()):
                    break
        for state, rest in live.items():
            moves.stay(state, state, rest)
        outcome.states = moves.done()
        outcome.passes.append(step)

    def _ordered(self, sublayer: SublayerProgram) -> tuple[Candidate, ...]:
        if self.newest_first:
            return sublayer.candidates
        turned = reversed(sublayer.candidates)  # two machines' filters may have one id
        return tuple(sorted(turned, key=lambda c: (-c.weight, c.filter.id)))

    def _candidate(
        self, candidate: Candidate, live: dict[State, WorldSet], moves: _Moves, step: Pass
    ) -> list[WorldSet]:
        """Ask one filter; the worlds, by state, in which it ends the sublayer."""
        matches = self.judged.matches(candidate)
        found: list[WorldSet] = []
        if matches is False:
            return found
        for state, rest in live.items():
            meets = self.worlds.both(rest, matches)
            ended = meets and self._meets(candidate, state, meets, moves, step)
            if ended is not False:
                live[state] = self.worlds.without(rest, ended)
                found.append(ended)
        return found

    def _meets(self, candidate: Candidate, state: State, meets: WorldSet, moves: _Moves, step: Pass) -> WorldSet:
        """The filter matches in the worlds `meets`; those of them in which it ends the sublayer."""
        found: WorldSet = False
        for incoming, absorb, part in self._ways(candidate.filter, state.standing, meets, step):
            if incoming is not None:
                self._end(candidate, state, incoming, absorb, part, moves, step)
                found = self.worlds.either(found, part)
        return found

    def _ways(
        self, filter: Filter, standing: Standing, meets: WorldSet, step: Pass
    ) -> Iterator[tuple[Incoming | None, bool, WorldSet]]:
        if not filter.action.is_callout:
            yield of_filter(filter), False, meets
            return
        answers = self.ask(filter, standing)
        if filter.callout and filter.callout not in step.called and any(isinstance(a, ClassifyOut) for a in answers):
            step.called.append(filter.callout)
        for answer in answers:
            part = meets if len(answers) == 1 else self.worlds.both(meets, self._code(filter, answer, answers))
            if part is not False:
                absorb = isinstance(answer, ClassifyOut) and answer.absorb
                yield of_answer(filter, answer, standing), absorb, part

    def _code(self, filter: Filter, answer: Answer, answers: tuple[Answer, ...]) -> WorldSet:
        """The worlds in which a callout that nobody described gives `answer`; spare codes say `answers[0]`."""
        number = answers.index(answer)
        codes = [number] if number else [0, *range(len(answers), 1 << _CODE_BITS)]
        return self.worlds.code(f"callout {filter.callout}", filter.key, _CODE_BITS, codes)

    def _end(
        self,
        candidate: Candidate,
        state: State,
        incoming: Incoming,
        absorb: bool,
        part: WorldSet,
        moves: _Moves,
        step: Pass,
    ) -> None:
        cell = override(state.standing, incoming, self.reading)
        if cell.takes_over:
            vetoed = state.vetoed or cell.effect is Effect.VETO
            moves.take(State(cell.standing, vetoed, absorb), candidate, part)
        else:
            moves.stay(state, State(cell.standing, state.vetoed, state.absorbed), part)
        step.record(End(candidate, incoming, cell.effect, part), self.worlds)

    def _ties(self, sublayer: SublayerProgram, position: int, candidate: Candidate, ended: list[WorldSet]) -> bool:
        """Whether a filter of equal weight and another action also matches where `candidate` ended the sublayer."""
        mine = candidate.filter
        for other in self._ordered(sublayer)[position + 1 :]:
            if other.weight != candidate.weight:
                break
            differs = (other.filter.action, other.filter.hard) != (mine.action, mine.hard)
            if differs and any(self.worlds.both(e, self.judged.matches(other)) for e in ended):
                return True
        return False

    def _union(self, sets: Iterable[WorldSet]) -> WorldSet:
        found: WorldSet = False
        for worlds in sets:
            found = self.worlds.either(found, worlds)
        return found


class _Moves:
    """The worlds that one sublayer moves from state to state."""

    def __init__(self, worlds: Worlds, old: States) -> None:
        self.worlds, self.old = worlds, old
        self._stays: dict[tuple[State, State], WorldSet] = {}
        self._new: States = {}

    def take(self, state: State, candidate: Candidate, part: WorldSet) -> None:
        """In the worlds `part` the decision becomes `state`, by `candidate`."""
        self._add(state, candidate, part)

    def stay(self, old: State, state: State, part: WorldSet) -> None:
        """In the worlds `part` the decision goes from `old` to `state`, and the deciding filter stays."""
        self._stays[old, state] = self.worlds.either(self._stays.get((old, state), False), part)

    def done(self) -> States:
        for (old, state), part in self._stays.items():
            for candidate, held in self.old[old].items():
                self._add(state, candidate, self.worlds.both(held, part))
        return self._new

    def _add(self, state: State, candidate: Candidate | None, part: WorldSet) -> None:
        if part is not False:
            held = self._new.setdefault(state, {})
            held[candidate] = self.worlds.either(held.get(candidate, False), part)
