"""`tamiz explain`: its JSON (schemas/explain.json), and its text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tamiz.model.decisions import Action, Ended, NearMiss, SublayerStep
from tamiz.model.explanation import Explanation, LayerStep
from tamiz.model.keys import LayerKey
from tamiz.model.objects import Filter

from .values import asked_text, fact_text, value_text, wanted
from .words import Json, Label, Line, decider, filter_object, flags, fold, listed, right_word, short

NO_FILTER = "no filter decided"


def document(explanation: Explanation) -> Json:
    """The JSON document."""
    decided = explanation.decided
    return {
        "action": explanation.action.value,
        "decided_by": _decided_by(decided),
        **({"reason": NO_FILTER} if decided is None and explanation.action is Action.PERMIT else {}),
        "depends_on": list(explanation.depends_on),
        "assumptions": list(explanation.assumptions),
        "notes": list(explanation.notes),
        "layers": [_layer(step) for step in explanation.steps],
    }


def _decided_by(step: LayerStep | None) -> Json | None:
    """Where it was decided, and by what; filter and sublayer are null where it hangs on something unknown which."""
    if step is None:
        return None
    sublayers = {str(p.filter.sublayer) for p in step.decision.possible if p.filter}
    return {
        "layer": str(step.layer),
        "sublayer": sublayers.pop() if len(sublayers) == 1 else None,
        "filter": filter_object(step.decision.filter),
        "right": right_word(step.decision.right),
    }


def _layer(step: LayerStep) -> Json:
    decision = step.decision
    return {
        "layer": str(step.layer),
        "event": step.event,
        "direction": step.direction,
        "inferred": step.inferred,
        "action": decision.action.value,
        "filter": filter_object(decision.filter),
        "right": right_word(decision.right),
        "vetoed": decision.vetoed,
        "depends_on": list(decision.depends_on),
        "unsettled": list(decision.unsettled),
        "possible": [
            {"action": p.action.value, "right": right_word(p.right), "filter": filter_object(p.filter)}
            for p in decision.possible
        ],
        "sublayers": [_sublayer(s, step.layer) for s in decision.steps],
    }


def _sublayer(step: SublayerStep, layer: LayerKey) -> Json:
    ended = only(step)
    return {
        "sublayer": str(step.sublayer),
        "weight": step.weight,
        "filter": filter_object(ended.filter) if ended else None,
        "action": ended.action.value if ended else ("depends" if step.ended else None),
        "right": right_word(ended.right) if ended else None,
        "effect": ended.effect.value if ended else None,
        "possible": [] if ended else [_ended(e) for e in step.ended],
        "called": [str(key) for key in step.called],
        "near_misses": [_near_miss(m, layer) for m in step.near_misses],
    }


def only(step: SublayerStep) -> Ended | None:
    """The one way in which the sublayer certainly ended; None: it did not, or it is not certain how."""
    return step.ended[0] if len(step.ended) == 1 and step.ended[0].certain else None


def _ended(ended: Ended) -> Json:
    return {
        "filter": filter_object(ended.filter),
        "action": ended.action.value,
        "right": right_word(ended.right),
        "effect": ended.effect.value,
        "callout": None if ended.callout is None else str(ended.callout),
    }


def _near_miss(miss: NearMiss, layer: LayerKey) -> Json:
    first = miss.wanted[0]
    return {
        "filter": filter_object(miss.filter),
        "failed": {
            "field": str(first.field),
            "match": " or ".join(dict.fromkeys(c.match.name for c in miss.wanted)),
            "wanted": " or ".join(value_text(layer, c.field, c.value) for c in miss.wanted),
            "found": fact_text(layer, first.field, miss.found),
        },
    }


# -- text ------------------------------------------------------------------------------------------------------------

_SHOWN: Final = 6  # filters of a sublayer that may end it; the others are counted


def lines(explanation: Explanation, title: str, width: int, label: Label = str) -> Iterator[tuple[str, str]]:
    """The text, as (style, line) pairs: verdict first, then every layer, then what was taken for granted.

    Lines have at most `width` characters. `label` gives the display name of a sublayer's or callout's key.
    """
    return fold(_lines(explanation, title, label), width)


def _lines(explanation: Explanation, title: str, label: Label) -> Iterator[Line]:
    yield "bold", title, 4
    yield _style(explanation.action), f"  {explanation.action.value.upper()}  {_why(explanation, label)}", 4
    yield "", "", 0
    for step in explanation.steps:
        yield from _layer_lines(step, label)
    for note in explanation.notes:
        yield "yellow", f"note: {note}", 6
    for assumption in explanation.assumptions:
        yield "dim", f"assumed: {assumption}", 9


def _why(explanation: Explanation, label: Label) -> str:
    step = explanation.decided
    if explanation.action is Action.DEPENDS:
        return f"it depends on {listed(explanation.depends_on, 8, label)}"
    if step is None:
        return NO_FILTER
    return f"at {step.layer.short} by {decider(step.decision, label)}"


def _style(action: Action) -> str:
    return {Action.PERMIT: "green", Action.BLOCK: "red", Action.DEPENDS: "yellow"}[action]


def _layer_lines(step: LayerStep, label: Label) -> Iterator[Line]:
    decision = step.decision
    before = " (met before)" if step.inferred else ""
    special = "; ".join(flags(decision))
    why = decider(decision, label) + (f" [{special}]" if special else "")
    name = f"{step.layer.short} {step.direction or ''}".rstrip()
    yield _style(decision.action), f"{name:34} {decision.action.value:8}{before} {why}", 44
    for sublayer in decision.steps:
        if sublayer.ended or sublayer.called:
            yield from _sublayer_lines(sublayer, label)
    yield from _near_miss_lines(step)


def _sublayer_lines(step: SublayerStep, label: Label) -> Iterator[Line]:
    weight = "?" if step.weight is None else f"{step.weight:#06x}"
    yield "", f"    {weight:6} {short(label(step.sublayer))}", 11
    ways = _ways(step.ended)
    for filter, ended in ways[:_SHOWN]:
        yield "", f"           {_way(filter, ended, label)}", 15
    if len(ways) > _SHOWN:
        yield "", f"           and {len(ways) - _SHOWN} more filters that may end it", 15
    inspecting = [key for key in step.called if all(e.callout != key for e in step.ended)]
    for key in inspecting:
        yield "dim", f"           callout {short(label(key))} is called and decides nothing", 15


def _ways(ended: tuple[Ended, ...]) -> list[tuple[Filter, list[Ended]]]:
    """The ways in which each filter may end the sublayer, heaviest filter first."""
    found: dict[int, tuple[Filter, list[Ended]]] = {}
    for way in ended:
        found.setdefault(id(way.filter), (way.filter, []))[1].append(way)
    return list(found.values())


def _way(filter: Filter, ended: list[Ended], label: Label) -> str:
    sure = "" if all(e.certain for e in ended) else "perhaps "
    results = " or ".join(dict.fromkeys(f"{e.right.value} {e.action.value}" for e in ended))
    several = len({e.effect for e in ended}) > 1
    effect = "what that does hangs on heavier sublayers" if several else ended[0].effect.value
    callout = f", whatever callout {short(label(filter.callout))} answers" if filter.callout and len(ended) > 1 else ""
    if filter.callout and not callout:
        callout = f", by callout {short(label(filter.callout))}"
    return f"{sure}{results}: {filter.name!r} (filter {filter.id}{callout}): {effect}"


def _near_miss_lines(step: LayerStep) -> Iterator[Line]:
    misses = [miss for sublayer in step.decision.steps for miss in sublayer.near_misses]
    for miss in misses:
        field = miss.wanted[0].field
        asks, found = wanted(step.layer, miss.wanted), asked_text(step.layer, miss.wanted, miss.found)
        yield (
            "dim",
            f"    nearly {miss.filter.name!r} (filter {miss.filter.id}): wants {short(field)} {asks}, found {found}",
            11,
        )
