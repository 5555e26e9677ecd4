"""Small policies for tests of the engine, written as the vectors of the specification are.

`S9:[P, B] ; S5:Ct(B,clr)`: sublayers by weight, heaviest first; filters by weight, left is heavier. P permit, B block,
`!` CLEAR_ACTION_RIGHT, Ct terminating, Cu unknown, Ci inspection callout with what it answers (`-`: it writes nothing),
`gone`: not registered, `?` after P, B or C..: a modifier in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tamiz.engine.callouts import Behaviour, Call, Callouts, ClassifyOut
from tamiz.engine.engine import Engine
from tamiz.model._tables import CalloutBehaviourFlags, CalloutFlags, FilterFlags
from tamiz.model.conditions import Condition
from tamiz.model.keys import CalloutKey, FilterKey, LayerKey, SublayerKey
from tamiz.model.objects import ActionType, Callout, Filter, Sublayer
from tamiz.model.policy import Policy
from tamiz.model.reading import Reading

CONNECT = LayerKey("FWPM_LAYER_ALE_AUTH_CONNECT_V4")
_FILTER = re.compile(r"(?P<kind>P|B|Ct|Cu|Ci)(?P<hard>!?)(?:\((?P<answer>[^)]*)\))?(?P<words>(?: \w+)*)")


def key(number: int) -> str:
    return f"{{00000000-0000-4000-8000-{number:012x}}}"


@dataclass
class Built:
    """A policy, what its callouts do, and which of them were called."""

    policy: Policy
    callouts: Callouts
    called: list[str] = field(default_factory=list)

    def engine(self, reading: Reading = Reading.DOCUMENTED, bfe_running: bool = True) -> Engine:
        return Engine(self.policy, reading, self.callouts, bfe_running)


def build(text: str, layer: LayerKey = CONNECT, conditions: dict[str, tuple[Condition, ...]] | None = None) -> Built:
    """The policy of a vector. Filters get ids 1, 2, ... from left to right; each is named `S9.1`, `S9.2`, ...

    `conditions`: conditions by filter name.
    """
    built = Built(Policy(), Callouts())
    filters: list[Filter] = []
    sublayers: list[Sublayer] = []
    callouts: list[Callout] = []
    behaviours: dict[CalloutKey, Behaviour] = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        name, _, listed = part.partition(":")
        sublayer = Sublayer(SublayerKey(key(0x5000 + int(name[1:]))), name, weight=int(name[1:]))
        sublayers.append(sublayer)
        items = [i.strip() for i in re.split(r",\s*(?![^(]*\))", listed.strip("[] "))]
        for position, item in enumerate(items):
            made = _filter(item, len(filters) + 1, f"{name}.{position + 1}", sublayer, layer, len(items) - position)
            made = replace(made, conditions=(conditions or {}).get(made.name, ()))
            if made.callout is not None:
                _callout(item, made, callouts, behaviours, built)
            filters.append(made)
    built.policy = Policy(tuple(filters), tuple(sublayers), callouts=tuple(callouts))
    built.callouts = Callouts(behaviours)
    return built


def _filter(text: str, number: int, name: str, sublayer: Sublayer, layer: LayerKey, weight: int) -> Filter:
    match = _FILTER.fullmatch(text)
    assert match, f"not a filter: {text!r}"
    words = match["words"].split()
    action = {
        "P": ActionType.PERMIT,
        "B": ActionType.BLOCK,
        "Ct": ActionType.CALLOUT_TERMINATING,
        "Cu": ActionType.CALLOUT_UNKNOWN,
        "Ci": ActionType.CALLOUT_INSPECTION,
    }[match["kind"]]
    flags = FilterFlags.CLEAR_ACTION_RIGHT if match["hard"] else FilterFlags(0)
    for word, flag in (
        ("disabled", FilterFlags.DISABLED),
        ("boot", FilterFlags.BOOTTIME),
        ("permitted", FilterFlags.PERMIT_IF_CALLOUT_UNREGISTERED),
    ):
        flags |= flag if word in words else FilterFlags(0)
    for word in words:
        if word.startswith("w"):
            weight = int(word[1:])
    callout = CalloutKey(key(0xC000 + number)) if action.is_callout else None
    return Filter(
        FilterKey(key(number)), name, layer, sublayer.key, action, id=number, effective_weight=weight, flags=flags,
        callout=callout,
    )  # fmt: skip


def _callout(
    text: str, made: Filter, callouts: list[Callout], behaviours: dict[CalloutKey, Behaviour], built: Built
) -> None:
    assert made.callout is not None
    words = text.split()
    on_flow = CalloutBehaviourFlags.CONDITIONAL_ON_FLOW if "on_flow" in words else CalloutBehaviourFlags(0)
    registered = CalloutFlags(0) if "gone" in words else CalloutFlags.REGISTERED
    callouts.append(Callout(made.callout, made.name, made.layer, flags=registered, behaviour=on_flow))
    match = _FILTER.fullmatch(text)
    assert match
    if match["answer"] is not None and "gone" not in words:
        behaviours[made.callout] = _behaviour(match["answer"].split(","), made.name, built)


def _behaviour(answer: Iterable[str], name: str, built: Built) -> Behaviour:
    words = [word.strip() for word in answer]
    actions = {
        "P": ActionType.PERMIT,
        "B": ActionType.BLOCK,
        "CONTINUE": ActionType.CONTINUE,
        "NONE": ActionType.NONE,
        "-": None,
    }

    def behave(call: Call) -> ClassifyOut:
        built.called.append(name)
        right = "clr" not in words and (call.right or words[0] != "-")
        return ClassifyOut(actions[words[0]], right, "ABSORB" in words)

    return behave
