"""One connection against a policy: every layer that it meets, in the documented order, with the decision of each.

Source: design.md 3 and 5 ("Explain"); the layers and their order from `tamiz.stack.sequences`, what is known of their
fields from `tamiz.stack.witness`. There is no cross-layer arbitration (arbitration.md 1): the first layer that blocks
decides, since nothing after it is met; without one the connection depends where any layer depends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tamiz.engine.engine import Engine
from tamiz.model.decisions import Action, Decision
from tamiz.model.explanation import Explanation, LayerStep
from tamiz.model.keys import LayerKey
from tamiz.model.objects import ActionType
from tamiz.model.reading import Reading
from tamiz.stack.requests import Way
from tamiz.stack.rows import Condition, Row, layer_key
from tamiz.stack.sequences import SEQUENCES
from tamiz.stack.witness import ICMP, ICMP6, NOTHING_TOLD, TCP, UDP, Conversation, Known, facts_at

# (protocol kind, direction) -> the sequences that a new connection walks at this host, as the flow pages string them
# together (tamiz.stack.flow_pages); the bind and the listen of a server were met before the connection came.
_WALKS: Final[Mapping[tuple[str, Way], tuple[str, ...]]] = {
    ("tcp", "out"): (
        "bind", "tcp-connect", "tcp-syn-out", "tcp-syn-ack-in", "tcp-established-client", "tcp-data-out", "tcp-data-in",
    ),
    ("tcp", "in"): (
        "bind", "tcp-listen", "tcp-syn-in", "tcp-syn-ack-out", "tcp-established-server", "tcp-data-in", "tcp-data-out",
    ),
    ("udp", "out"): ("bind", "udp-first-out", "udp-in"),
    ("udp", "in"): ("bind", "udp-first-in", "udp-out"),
    ("icmp", "out"): ("icmp-bind", "icmp-first-out", "icmp-in"),
    ("icmp", "in"): ("icmp-first-in", "icmp-out"),
    ("raw", "out"): ("raw-bind", "raw-first-out", "raw-in"),
    ("raw", "in"): ("raw-bind", "raw-first-in", "raw-out"),
}  # fmt: skip
_AUTHORIZES: Final = ("ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT")
_EARLIER: Final = ("bind", "tcp-listen", "raw-bind")


@dataclass(frozen=True, slots=True)
class Question:
    """One connection: `way` is the direction of its first packet. `assumptions` are repeated in the answer."""

    way: Way
    conversation: Conversation
    known: Known = field(default=NOTHING_TOLD)
    assumptions: tuple[str, ...] = ()


def explain(engine: Engine, question: Question) -> Explanation:
    """Walk the connection through the policy of `engine`, with the steps of every layer."""
    steps = tuple(_steps(engine, question))
    action, decided = _verdict(steps)
    depends = dict.fromkeys(name for s in steps for name in s.decision.depends_on) if action is Action.DEPENDS else ()
    notes = tuple(_notes(engine, question, steps))
    return Explanation(action, steps, decided, tuple(depends), question.assumptions, notes)


def walk_of(protocol: int, way: Way) -> tuple[str, ...]:
    """The names of the sequences that a new connection of `protocol` walks."""
    kind = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp"}.get(protocol, "raw")
    return _WALKS[kind, way]


def _steps(engine: Engine, question: Question) -> Iterator[LayerStep]:
    """One step per layer and direction: a second packet of the same kind meets the same fields."""
    seen = set()
    for name in walk_of(question.conversation.protocol, question.way):
        for row in SEQUENCES[name].rows:
            place = (row.layer, row.direction)
            if place not in seen and _met(engine, question, row):
                seen.add(place)
                yield _step(engine, question, row, question.way == "in" and name in _EARLIER)


def _met(engine: Engine, question: Question, row: Row) -> bool:
    if row.layer is None or not row.applies(question.known.windows, engine.reading):
        return False
    layer = layer_key(row.layer, question.conversation.version)
    return row.when is Condition.ALWAYS or layer in engine.policy.by_layer


def _step(engine: Engine, question: Question, row: Row, inferred: bool) -> LayerStep:
    assert row.layer is not None
    layer = layer_key(row.layer, question.conversation.version)
    facts = facts_at(layer, question.conversation, question.known, row.direction, question.way, row.flags)
    decision = engine.classify(layer, facts, explain=True)
    return LayerStep(layer, row.event, facts, decision, inferred, row.direction)


def _verdict(steps: tuple[LayerStep, ...]) -> tuple[Action, LayerStep | None]:
    for step in steps:
        if step.decision.blocks:
            return Action.BLOCK, step
    if any(step.decision.action is Action.DEPENDS for step in steps):
        return Action.DEPENDS, None
    filtered = [s for s in steps if s.decision.filter is not None]
    authorizing = [s for s in filtered if s.layer.short[:-3] in _AUTHORIZES]
    return Action.PERMIT, next(iter(authorizing + filtered), None)


def _notes(engine: Engine, question: Question, steps: tuple[LayerStep, ...]) -> Iterator[str]:
    if not engine.policy.whole:
        yield (
            "the policy is a filters dump, which leaves out inspection callouts, discard and stream layers and some "
            "boot-time filters: this is not the whole policy"
        )
    other = Engine(engine.policy, _other(engine.reading), engine.callouts, engine.bfe_running)
    for step in steps:
        if step.decision.tie:
            yield f"{step.layer.short}: filters of equal weight and different actions match; the newest was taken first"
        again = other.classify(step.layer, step.facts) if _reading_matters(engine, step.layer) else step.decision
        if _differs(again, step.decision):
            yield f"{step.layer.short}: the reading '{other.reading.value}' gives {again.action.value} here"
        yield from (f"{step.layer.short}: {note}" for note in step.decision.notes)


def _reading_matters(engine: Engine, layer: LayerKey) -> bool:
    """Whether a filter of the layer may block and carries CLEAR_ACTION_RIGHT: the readings differ nowhere else."""
    harmless = (ActionType.PERMIT, ActionType.CALLOUT_INSPECTION)
    return any(f.hard and f.action not in harmless for f in engine.policy.by_layer.get(layer, ()))


def _differs(a: Decision, b: Decision) -> bool:
    return a.action is not b.action


def _other(reading: Reading) -> Reading:
    return Reading.OBSERVED if reading is Reading.DOCUMENTED else Reading.DOCUMENTED
