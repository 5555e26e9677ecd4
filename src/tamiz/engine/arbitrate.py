"""The override table: what the end of one sublayer does to the decision so far.

Source: spec arbitration.md 5.1 (what a decision carries), 6 (overrides), 5.2 (what a callout may write) and, for the
reading `observed`, field-evidence.md R3. `OVERRIDES` is the whole rule; a test walks every cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from tamiz.engine.callouts import Absent, Answer, ClassifyOut
from tamiz.model._tables import FilterFlags
from tamiz.model.decisions import Action, Effect, Right
from tamiz.model.objects import ActionType, Filter
from tamiz.model.reading import Reading


class Standing(Enum):
    """The decision so far: an action and whether it may still be overridden."""

    _value_: tuple[Action | None, Right | None]

    NONE = (None, None)
    SOFT_PERMIT = (Action.PERMIT, Right.SOFT)
    HARD_PERMIT = (Action.PERMIT, Right.HARD)
    SOFT_BLOCK = (Action.BLOCK, Right.SOFT)
    HARD_BLOCK = (Action.BLOCK, Right.HARD)

    @property
    def action(self) -> Action | None:
        return self._value_[0]

    @property
    def right(self) -> Right | None:
        return self._value_[1]

    @property
    def open(self) -> bool:
        """FWPS_RIGHT_ACTION_WRITE is set."""
        return self.right is not Right.HARD


class Incoming(Enum):
    """How a sublayer ended. Only a callout makes a soft block (arbitration.md 5.1)."""

    SOFT_PERMIT = "soft permit"
    HARD_PERMIT = "hard permit"
    FILTER_BLOCK = "block by a filter"
    FILTER_BLOCK_CLEAR = "block by a filter with CLEAR_ACTION_RIGHT"
    CALLOUT_BLOCK = "block by a callout that left the right"
    CALLOUT_BLOCK_CLEAR = "block by a callout that cleared the right"

    @property
    def action(self) -> Action:
        return Action.PERMIT if self in (Incoming.SOFT_PERMIT, Incoming.HARD_PERMIT) else Action.BLOCK

    @property
    def right(self) -> Right:
        return Right.SOFT if self in (Incoming.SOFT_PERMIT, Incoming.CALLOUT_BLOCK) else Right.HARD


class Cell(NamedTuple):
    """What follows: the new standing, what that is called, and whether the ending filter becomes the deciding one."""

    standing: Standing
    effect: Effect
    takes_over: bool


_S, _I, _E = Standing, Incoming, Effect
_NEW: Final[Mapping[Incoming, Standing]] = {
    _I.SOFT_PERMIT: _S.SOFT_PERMIT,
    _I.HARD_PERMIT: _S.HARD_PERMIT,
    _I.FILTER_BLOCK: _S.HARD_BLOCK,
    _I.FILTER_BLOCK_CLEAR: _S.HARD_BLOCK,
    _I.CALLOUT_BLOCK: _S.SOFT_BLOCK,
    _I.CALLOUT_BLOCK_CLEAR: _S.HARD_BLOCK,
}
_VETO: Final = Cell(_S.HARD_BLOCK, _E.VETO, True)


def _row(standing: Standing, effect: Effect, **other: Cell) -> dict[tuple[Standing, Incoming], Cell]:
    return {(standing, i): other.get(i.name, Cell(_NEW[i], effect, True)) for i in _I}


def _stays(standing: Standing) -> dict[tuple[Standing, Incoming], Cell]:
    return {(standing, i): Cell(standing, _E.NONE, False) for i in _I}


# The table of arbitration.md 6. A permit that meets a soft permit leaves the deciding filter as it is [O: K1, K2] and
# brings its own right [I]; a veto leaves a hard block [I].
OVERRIDES: Final[Mapping[tuple[Standing, Incoming], Cell]] = {
    **_row(_S.NONE, _E.DECIDES),
    **_row(
        _S.SOFT_PERMIT,
        _E.OVERRIDES,
        SOFT_PERMIT=Cell(_S.SOFT_PERMIT, _E.AGREES, False),
        HARD_PERMIT=Cell(_S.HARD_PERMIT, _E.AGREES, False),
    ),
    **_stays(_S.HARD_PERMIT),
    (_S.HARD_PERMIT, _I.CALLOUT_BLOCK): _VETO,
    (_S.HARD_PERMIT, _I.CALLOUT_BLOCK_CLEAR): _VETO,
    **_row(_S.SOFT_BLOCK, _E.OVERRIDES),
    **_stays(_S.HARD_BLOCK),
}

# field-evidence.md R3, the one cell in which the readings differ
DEVIATIONS: Final[Mapping[Reading, Mapping[tuple[Standing, Incoming], Cell]]] = {
    Reading.DOCUMENTED: {},
    Reading.OBSERVED: {(_S.HARD_PERMIT, _I.FILTER_BLOCK_CLEAR): _VETO},
}


def override(standing: Standing, incoming: Incoming, reading: Reading) -> Cell:
    """The cell of the table under `reading`."""
    return DEVIATIONS[reading].get((standing, incoming)) or OVERRIDES[standing, incoming]


# -- from one filter to how it ends its sublayer -------------------------------------------------------------------


def of_filter(filter: Filter) -> Incoming:
    """How a matching PERMIT or BLOCK filter ends its sublayer (arbitration.md 5.1)."""
    if filter.action is ActionType.PERMIT:
        return Incoming.HARD_PERMIT if filter.hard else Incoming.SOFT_PERMIT
    return _block(filter)


def of_answer(filter: Filter, answer: Answer, standing: Standing) -> Incoming | None:
    """How a matching callout filter ends its sublayer; None: it does not, the next filter is asked.

    Source: arbitration.md 4.1, 4.2 and the note below 4.1: a terminating callout that wrote nothing blocks only where
    it could have written.
    """
    if filter.action is ActionType.CALLOUT_INSPECTION or answer is Absent.NOT_CALLED:
        return None
    if isinstance(answer, Absent):
        if not filter.flags & FilterFlags.PERMIT_IF_CALLOUT_UNREGISTERED:
            return _block(filter)
        return Incoming.HARD_PERMIT if filter.hard else Incoming.SOFT_PERMIT
    return _of_out(filter, answer, standing)


def _of_out(filter: Filter, out: ClassifyOut, standing: Standing) -> Incoming | None:
    if out.action is ActionType.PERMIT:
        return Incoming.SOFT_PERMIT if out.right else Incoming.HARD_PERMIT
    blocks = filter.action is ActionType.CALLOUT_TERMINATING and standing.open
    if out.action is ActionType.BLOCK or blocks:
        return Incoming.CALLOUT_BLOCK if out.right else Incoming.CALLOUT_BLOCK_CLEAR
    return None


def _block(filter: Filter) -> Incoming:
    return Incoming.FILTER_BLOCK_CLEAR if filter.hard else Incoming.FILTER_BLOCK
