"""What classifying one layer gave, with its steps: the verdict and its explanation are one walk (design.md 2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tamiz.model.conditions import Condition
from tamiz.model.facts import Fact
from tamiz.model.keys import CalloutKey, LayerKey, SublayerKey
from tamiz.model.objects import Filter


class Action(Enum):
    """A layer's verdict; DEPENDS where something unknown decides between the two."""

    PERMIT = "permit"
    BLOCK = "block"
    DEPENDS = "depends"


class Right(Enum):
    """FWPS_RIGHT_ACTION_WRITE after a decision: soft = set, may be overridden; hard = clear (arbitration.md 5)."""

    SOFT = "soft"
    HARD = "hard"


class Effect(Enum):
    """What the end of one sublayer did to the standing decision (arbitration.md 6)."""

    DECIDES = "decides"
    OVERRIDES = "overrides the decision so far"
    AGREES = "agrees; the heavier sublayer's filter stays the deciding one"
    VETO = "vetoes the hard permit"
    NONE = "no effect: the decision so far is hard"


@dataclass(frozen=True, slots=True)
class Ended:
    """A filter that ended, or may have ended, its sublayer.

    `certain` is False where something unknown decides whether it does. `right` is the right that it would leave;
    `callout` names the callout whose answer it was.
    """

    filter: Filter
    certain: bool
    action: Action
    right: Right
    effect: Effect
    callout: CalloutKey | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A filter of the sublayer that fails in exactly one field: what it wanted there (any of), and what was found."""

    filter: Filter
    wanted: tuple[Condition, ...]
    found: Fact


@dataclass(frozen=True, slots=True)
class SublayerStep:
    """One sublayer of the walk; `ended` is empty when no filter ended it."""

    sublayer: SublayerKey
    weight: int | None
    ended: tuple[Ended, ...] = ()
    called: tuple[CalloutKey, ...] = ()
    near_misses: tuple[NearMiss, ...] = ()


@dataclass(frozen=True, slots=True)
class Possible:
    """One way a decision may come out; `filter` None: no filter decided, and traffic passes (arbitration.md 7)."""

    action: Action
    right: Right | None
    filter: Filter | None
    vetoed: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict at one layer.

    `possible` lists every way it may come out, the only one first where nothing is open; `filter` and `right` are
    None where the possible ones differ in them, or where no filter decided. `depends_on` names the fields, callouts
    and sublayer weights that decide between the *actions*; `unsettled` those that decide between filters only.
    `tie`: filters of equal weight and different actions matched, so the verdict rests on their order, which Windows
    does not document.
    """

    layer: LayerKey
    action: Action
    possible: tuple[Possible, ...]
    depends_on: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()
    steps: tuple[SublayerStep, ...] = ()
    tie: bool = False
    absorbed: bool = False
    notes: tuple[str, ...] = ()

    @property
    def blocks(self) -> bool:
        """Whether the verdict is certainly a block."""
        return self.action is Action.BLOCK

    @property
    def filter(self) -> Filter | None:
        first = self.possible[0].filter
        return first if all(p.filter is first for p in self.possible) else None

    @property
    def right(self) -> Right | None:
        first = self.possible[0].right
        return first if all(p.right is first for p in self.possible) else None

    @property
    def vetoed(self) -> bool:
        return all(p.vetoed for p in self.possible)


def default_permit(layer: LayerKey) -> Decision:
    """No filter decided: kernel network layers let traffic pass [I], with filter id 0 (arbitration.md 7)."""
    return Decision(layer, Action.PERMIT, (Possible(Action.PERMIT, None, None),))
