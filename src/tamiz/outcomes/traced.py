"""`tamiz trace` for programs: one JSON object (schemas/trace.json)."""

from __future__ import annotations

from tamiz.model.decisions import Decision
from tamiz.model.trace import Step, Trace

from .words import Json, filter_object, right_word


def document(trace: Trace) -> Json:
    """The JSON document."""
    return {
        "scenario": trace.scenario,
        "ip": trace.ip,
        "windows": str(trace.windows),
        "reading": trace.reading.value,
        "outcome": dict(trace.outcome),
        "assumptions": list(trace.assumptions),
        "notes": list(trace.notes),
        "steps": [_step(step) for step in trace.steps],
    }


def _step(step: Step) -> Json:
    decision = step.decision
    return {
        "n": step.n,
        "host": step.host,
        "event": step.event,
        "packet": step.packet,
        "direction": step.direction,
        "layer": None if step.layer is None else str(step.layer),
        "action": None if decision is None else decision.action.value,
        "right": None if decision is None else right_word(decision.right),
        "filter": None if decision is None else filter_object(decision.filter),
        "note": step.note,
        "time": step.time,
        "flow": step.flow,
        **({} if decision is None else _open(decision)),
    }


def _open(decision: Decision) -> Json:
    """What is not settled, or special, about a decision; nothing where all is plain."""
    found: Json = {}
    if decision.depends_on:
        found["depends_on"] = list(decision.depends_on)
    if decision.vetoed:
        found["vetoed"] = True
    if decision.tie:
        found["tie"] = True
    return found
