"""`tamiz explain`: its JSON (schemas/explain.json; design.md 3 and 5), and its text."""

from __future__ import annotations

from collections.abc import Iterator

from tamiz.model.conditions import Condition
from tamiz.model.decisions import Action, Decision, Ended, NearMiss, SublayerStep
from tamiz.model.explanation import Explanation, LayerStep

from .words import Json, decider, filter_object, flags, listed, right_word, short

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
    if step is None or step.decision.filter is None:
        return None
    filter = step.decision.filter
    return {
        "layer": str(step.layer),
        "sublayer": str(filter.sublayer),
        "filter": filter_object(filter),
        "right": right_word(step.decision.right),
    }


def _layer(step: LayerStep) -> Json:
    decision = step.decision
    return {
        "layer": str(step.layer),
        "event": step.event,
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
        "sublayers": [_sublayer(s) for s in decision.steps],
    }


def _sublayer(step: SublayerStep) -> Json:
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
        "near_misses": [_near_miss(m) for m in step.near_misses],
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


def _near_miss(miss: NearMiss) -> Json:
    first = miss.wanted[0]
    return {
        "filter": filter_object(miss.filter),
        "failed": {
            "field": str(first.field),
            "match": " or ".join(dict.fromkeys(c.match.name for c in miss.wanted)),
            "wanted": _wanted(miss.wanted),
            "found": str(miss.found),
        },
    }


def _wanted(conditions: tuple[Condition, ...]) -> str:
    return " or ".join(str(c.value) for c in conditions)


# -- text ------------------------------------------------------------------------------------------------------------


def lines(explanation: Explanation, title: str) -> Iterator[tuple[str, str]]:
    """The text, as (style, line) pairs: verdict first, then every layer, then what was taken for granted."""
    yield "bold", title
    yield _style(explanation.action), f"  {explanation.action.value.upper()}  {_why(explanation)}"
    yield "", ""
    for step in explanation.steps:
        yield from _layer_lines(step)
    for note in explanation.notes:
        yield "yellow", f"note: {note}"
    for assumption in explanation.assumptions:
        yield "dim", f"assumed: {assumption}"


def _why(explanation: Explanation) -> str:
    step = explanation.decided
    if explanation.action is Action.DEPENDS:
        return f"it depends on {listed(explanation.depends_on, 8)}"
    if step is None:
        return NO_FILTER
    return f"at {step.layer.short} by {decider(step.decision)}"


def _style(action: Action) -> str:
    return {Action.PERMIT: "green", Action.BLOCK: "red", Action.DEPENDS: "yellow"}[action]


def _layer_lines(step: LayerStep) -> Iterator[tuple[str, str]]:
    decision = step.decision
    before = " (met before)" if step.inferred else ""
    yield _style(decision.action), f"{step.layer.short:34} {decision.action.value:8}{before} {_decision(decision)}"
    for sublayer in decision.steps:
        if sublayer.ended or sublayer.called:
            yield from _sublayer_lines(sublayer)
    shown = 0
    for sublayer in decision.steps:
        for miss in sublayer.near_misses:
            if shown < 5:
                yield "dim", f"    nearly: {_missed(miss)}"
            shown += 1


def _decision(decision: Decision) -> str:
    special = "; ".join(flags(decision))
    return decider(decision) + (f" [{special}]" if special else "")


def _sublayer_lines(step: SublayerStep) -> Iterator[tuple[str, str]]:
    weight = "weight unknown" if step.weight is None else f"{step.weight:#06x}"
    yield "", f"    {weight:8} {short(step.sublayer)}"
    for ended in step.ended[:6]:
        sure = "" if ended.certain else "perhaps "
        callout = f", callout {short(ended.callout)}" if ended.callout else ""
        yield (
            "",
            (
                f"             {sure}{ended.right.value} {ended.action.value} by {ended.filter.name!r} "
                f"(filter {ended.filter.id}{callout}): {ended.effect.value}"
            ),
        )
    if len(step.ended) > 6:
        yield "", f"             and {len(step.ended) - 6} more that may end it"


def _missed(miss: NearMiss) -> str:
    field = short(miss.wanted[0].field)
    return f"{miss.filter.name!r} (filter {miss.filter.id}) wants {field} {_wanted(miss.wanted)}, found {miss.found}"
