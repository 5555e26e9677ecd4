"""Callouts: what a driver's classify function may answer, and what the engine makes of it.

Source: spec arbitration.md 4.1 to 4.3 and 5.2. A policy's third-party callouts are code that
is not in the policy. Unless somebody says what they do (an `Assumption`, or a `Behaviour`), every answer that the
interface allows is possible, and the decision hangs on which one it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final, Union

from tamiz.model._tables import CALLOUT, CalloutBehaviourFlags
from tamiz.model.facts import Facts
from tamiz.model.keys import CalloutKey, LayerKey
from tamiz.model.objects import ActionType, Filter
from tamiz.model.policy import Policy, Presence


@dataclass(frozen=True, slots=True)
class Call:
    """What a classify function is given: the decision so far, and whether it may still be overridden."""

    layer: LayerKey
    facts: Facts
    filter: Filter
    action: ActionType | None
    right: bool


@dataclass(frozen=True, slots=True)
class ClassifyOut:
    """FWPS_CLASSIFY_OUT0 as a callout leaves it.

    `action` None: it wrote none. `right`: FWPS_RIGHT_ACTION_WRITE is set, so lighter sublayers may override.
    `absorb`: FWPS_CLASSIFY_OUT_FLAG_ABSORB, with BLOCK: dropped silently, without discard layer or event.
    """

    action: ActionType | None = None
    right: bool = True
    absorb: bool = False


Behaviour = Callable[[Call], ClassifyOut]


class Assumption(Enum):
    """What is assumed of callouts that nobody described.

    TRANSPARENT: as if the filter did not match. (A terminating callout that answers CONTINUE would block.) BLOCK
    clears the right and PERMIT leaves it set, as the pages ask of a callout (arbitration.md 5.1).
    """

    PERMIT = "permit"
    BLOCK = "block"
    TRANSPARENT = "transparent"


ASSUMED: Final[Mapping[Assumption, ClassifyOut]] = {
    Assumption.PERMIT: ClassifyOut(ActionType.PERMIT),
    Assumption.BLOCK: ClassifyOut(ActionType.BLOCK, right=False),
}


def _silent_drop(call: Call) -> ClassifyOut:
    return ClassifyOut(ActionType.BLOCK, right=False)


# Windows' own callouts whose behaviour is documented [D: built-in-callout-identifiers; block: packet-flows.md 6]
BUILT_IN: Final[Mapping[CalloutKey, Behaviour]] = {
    CALLOUT.WFP_TRANSPORT_LAYER_V4_SILENT_DROP: _silent_drop,
    CALLOUT.WFP_TRANSPORT_LAYER_V6_SILENT_DROP: _silent_drop,
}


class Absent(Enum):
    """Why a callout gave no answer at all (arbitration.md 4.2, 4.3)."""

    NOT_REGISTERED = "no driver answers for it"
    NOT_CALLED = "the flow has no context for it"


Answer = Union[ClassifyOut, Absent]

_ANY: Final = tuple(
    ClassifyOut(action, right)
    for action in (None, ActionType.PERMIT, ActionType.BLOCK)
    for right in ((True,) if action is None else (True, False))
)

# every answer of a callout that nobody described; to the engine CONTINUE and NONE are the same as writing nothing (4.1)
ANSWERS: Final[tuple[Answer, ...]] = (*_ANY, Absent.NOT_REGISTERED, Absent.NOT_CALLED)


@dataclass(frozen=True)
class Callouts:
    """What is known of the callouts of one policy.

    `behaviours` is code that stands for single callouts, and makes them registered; `assume` is said of single ones,
    `assume_all` of every other one whose behaviour Windows does not document.
    """

    behaviours: Mapping[CalloutKey, Behaviour] = field(default_factory=lambda: MappingProxyType({}))
    assume: Mapping[CalloutKey, Assumption] = field(default_factory=lambda: MappingProxyType({}))
    assume_all: Assumption | None = None

    def answers(self, policy: Policy, call: Call, contexts: Collection[CalloutKey] | None) -> tuple[Answer, ...]:
        """Every answer that is possible; one where it is known.

        `contexts`: the callouts that have a context on this flow at this layer; None: not known.
        """
        key = call.filter.callout
        behaviour = self.behaviours.get(key) if key else None
        presence = Presence.REGISTERED if behaviour else _presence(policy, key)
        if key is None or presence is Presence.UNREGISTERED:
            return (Absent.NOT_REGISTERED,)
        assumed = None if behaviour else self._assumed(key)
        if assumed is not None:
            return (ASSUMED.get(assumed, Absent.NOT_CALLED),)
        if _conditional_on_flow(policy, key) and key not in (contexts or ()):
            return self._uncalled(policy, key, call, contexts)
        return self._called(key, call, presence)

    def _assumed(self, key: CalloutKey) -> Assumption | None:
        return self.assume.get(key) or (None if key in BUILT_IN else self.assume_all)

    def _uncalled(
        self, policy: Policy, key: CalloutKey, call: Call, contexts: Collection[CalloutKey] | None
    ) -> tuple[Answer, ...]:
        if contexts is not None:
            return (Absent.NOT_CALLED,)
        return (*self._called(key, call, _presence(policy, key)), Absent.NOT_CALLED)

    def _called(self, key: CalloutKey, call: Call, presence: Presence) -> tuple[Answer, ...]:
        behaviour = self.behaviours.get(key) or BUILT_IN.get(key)
        if behaviour is not None:
            return (behaviour(call),)
        return (*_ANY, Absent.NOT_REGISTERED) if presence is Presence.UNKNOWN else _ANY


def _presence(policy: Policy, key: CalloutKey | None) -> Presence:
    return policy.presence(key) if key else Presence.UNREGISTERED


def _conditional_on_flow(policy: Policy, key: CalloutKey) -> bool:
    found = policy.callout(key)
    return found is not None and bool(found.behaviour & CalloutBehaviourFlags.CONDITIONAL_ON_FLOW)
