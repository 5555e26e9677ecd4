"""`tamiz trace` for people: two hosts side by side, time downwards, packets as arrows between them.

Each step is a line under its host: what happened, the layer, what was decided; a filter that decided stands below it.
Where the terminal is too narrow for two columns the hosts share one, and each line names its host.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tamiz.model.decisions import Action, Decision
from tamiz.model.trace import Step, Trace

from .words import Label, decider, flags, folded, listed, short

Span = tuple[str, str]  # (style, text)
Line = list[Span]

EVENT, LAYER, ACTION = 15, 33, 8
COLUMN: Final = EVENT + LAYER + ACTION
GUTTER: Final = 3
WIDE: Final = 2 * COLUMN + GUTTER
NARROW: Final = 78
NARROWEST: Final = len("client  ") + COLUMN  # a narrower terminal folds the lines itself
PAUSE: Final = 100_000_000  # ns without an event that are worth a line
HOSTS: Final = ("client", "server")

_STYLES: Final = {Action.PERMIT: "green", Action.BLOCK: "bold red", Action.DEPENDS: "yellow"}


@dataclass(frozen=True, slots=True)
class _Pen:
    """How the picture is drawn: in two columns or one, with line-drawing characters or plain ones."""

    two: bool
    width: int  # of the picture
    unicode: bool
    label: Label

    @property
    def dash(self) -> str:
        return "─" if self.unicode else "-"

    def cell(self, host: str, spans: Sequence[Span]) -> Line:
        """One host's line: under its column, or with its name."""
        if not self.two:
            return [("dim", f"{host}  "), *spans]
        left = host == HOSTS[0]
        return list(spans) if left else [("", " " * (COLUMN + GUTTER)), *spans]

    def arrow(self, host: str, text: str) -> Line:
        """A packet on its way from `host` to the other one."""
        right = host == HOSTS[0]
        label = f" {_cut(text, self.width - 8)} "
        tip = (">" if right else "<") if not self.unicode else ("▶" if right else "◀")
        body = label.center(self.width - 1, self.dash)
        return [("cyan", body + tip if right else tip + body)]


def lines(trace: Trace, width: int, unicode: bool = True, label: Label = str) -> Iterator[Line]:
    """The whole picture, for a terminal of `width` columns; `label` gives the display name of a sublayer's key."""
    two = width >= WIDE
    pen = _Pen(two, WIDE if two else max(NARROWEST, min(width, NARROW)), unicode, label)
    yield from _heading(trace, pen)
    sent = iter(trace.wire)
    following = next(sent, None)
    before: Step | None = None
    last = 0
    for step in trace.steps:
        while following is not None and following.after < step.n:
            yield pen.arrow(following.host, following.summary)
            following, before = next(sent, None), None
        if step.time - last >= PAUSE:
            yield [("dim", f"({(step.time - last) / 1e9:.3g} s later)".center(pen.width).rstrip())]
            before = None
        yield from _step(step, before, pen)
        before, last = step, step.time
    while following is not None:
        yield pen.arrow(following.host, following.summary)
        following = next(sent, None)
    yield from _footing(trace, width)


def _heading(trace: Trace, pen: _Pen) -> Iterator[Line]:
    for text in folded(f"{trace.scenario}: {trace.title}", pen.width):
        yield [("bold", text)]
    yield [("dim", f"IPv{trace.ip}, Windows {str(trace.windows).title()}, {trace.reading.value} reading")]
    yield []
    if pen.two:
        left, right = (f"{host} {trace.hosts[host]}" for host in HOSTS)
        yield [("bold", left.ljust(COLUMN + GUTTER) + right)]
        yield [("dim", pen.dash * COLUMN + " " * GUTTER + pen.dash * COLUMN)]
    else:
        for host in HOSTS:
            yield [("bold", f"{host} {trace.hosts[host]}")]
        yield [("dim", pen.dash * pen.width)]


def _step(step: Step, before: Step | None, pen: _Pen) -> Iterator[Line]:
    label = _label(step)
    again = before is not None and before.host == step.host and _label(before) == label
    what = "" if again else label
    if step.layer is None or step.decision is None:
        for n, part in enumerate(folded(step.note, COLUMN - EVENT)):
            yield pen.cell(step.host, [("bold", ("" if n else what).ljust(EVENT)), ("italic", part)])
        return
    action = step.decision.action
    yield pen.cell(
        step.host,
        [("bold", what.ljust(EVENT)), ("", step.layer.short.ljust(LAYER)), (_STYLES[action], action.value)],
    )
    for text in _reasons(step, step.decision, pen.label):
        for part in folded(text, COLUMN - EVENT - 2):
            yield pen.cell(step.host, [("", " " * (EVENT + 2)), ("dim", part)])


def _label(step: Step) -> str:
    """What happened: the packet and its direction, else the call."""
    if step.packet is not None and step.event == "packet":
        return f"{step.packet} {step.direction or ''}".strip()
    return step.event


def _reasons(step: Step, decision: Decision, label: Label) -> Iterator[str]:
    filter = decision.filter
    if decision.action is Action.DEPENDS:
        yield f"depends on {listed(decision.depends_on, label=label)}"
    elif filter is not None:
        right = f", {decision.right.value}" if decision.right else ""
        yield f"by {filter.name!r} (filter {filter.id}{right}) in {short(label(filter.sublayer))}"
    elif any(possible.filter for possible in decision.possible):
        yield decider(decision, label)
    yield from flags(decision)
    if step.note:
        yield step.note


def _footing(trace: Trace, width: int) -> Iterator[Line]:
    yield []
    for host in HOSTS:
        yield [("bold", f"{host}: {trace.outcome[host]}")]
    for note in trace.notes:
        yield from ([("yellow", text)] for text in folded(f"note: {note}", width, 6))
    for assumption in trace.assumptions:
        yield from ([("dim", text)] for text in folded(f"assumed: {assumption}", width, 9))


def _cut(text: str, width: int) -> str:
    """`text`, or its beginning and `...`: cut between its members, so that no number is shown in part."""
    if len(text) <= width:
        return text
    comma = text.rfind(", ", 0, width - 3)
    return text[: comma + 2 if comma > 0 else width - 3] + "..."
