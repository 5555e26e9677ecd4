"""`tamiz replay`: its report, the JSON of it (schemas/replay.json), and its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tamiz.model.decisions import Action
from tamiz.model.keys import LayerKey
from tamiz.model.objects import Filter

from .words import Json, Label, Line, filter_object, fold, named, short

PACKET_VERDICTS: Final = ("permit", "block", "depends", "flow-blocked", "not-local")
FLOW_VERDICTS: Final = ("permit", "block", "depends")
_STYLES: Final = {"permit": "green", "block": "red", "depends": "yellow", "flow-blocked": "red"}
_SHOWN: Final = 10  # rows of a table of the text


@dataclass(frozen=True, slots=True)
class FileRead:
    """One capture: its name, format, packets, and where it was cut, if it was."""

    name: str
    format: str
    packets: int
    truncated: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A filter that decided at a layer, and for how many packets. `filter` None: one of several of equal action."""

    layer: LayerKey
    action: Action
    filter: Filter | None
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a replay found.

    `packets` were read, `unparsed` among them (`not_ip`: the frames that carry no IP). `local`: addresses, and `how`
    they are known. `layers`: layer to action to count; `inferred`: how often of these no packet shows it.
    `depends_on`: field to packets, `flows_depend_on` to flows. `decided`: heaviest first, blocks before permits.
    `open_at_start`: flows whose beginning the captures do not show; `unanswered`: flows that nobody answered, judged as
    if somebody listened; `incomplete`: packets that left in fragments, not all of them captured; `evicted`: flows
    forgotten early to bound memory; `ties`: packets whose verdict rests on the order of filters of equal weight.
    """

    files: tuple[FileRead, ...]
    local: tuple[str, ...]
    how: str
    packets: int
    flows: int
    unparsed: int
    not_ip: int
    packet_verdicts: Mapping[str, int]
    flow_verdicts: Mapping[str, int]
    layers: Mapping[LayerKey, Mapping[str, int]]
    inferred: Mapping[LayerKey, int]
    decided: tuple[Decided, ...]
    depends_on: Mapping[str, int]
    flows_depend_on: Mapping[str, int]
    open_at_start: int = 0
    unanswered: int = 0
    incomplete: int = 0
    evicted: int = 0
    ties: int = 0
    assumptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def document(report: Report) -> Json:
    """The JSON document."""
    return {
        "packets": report.packets,
        "flows": report.flows,
        "unparsed": report.unparsed,
        "not_ip": report.not_ip,
        "files": [
            {"name": f.name, "format": f.format, "packets": f.packets, "truncated": f.truncated} for f in report.files
        ],
        "local": list(report.local),
        "local_how": report.how,
        "verdicts": {
            "packets": {name: report.packet_verdicts.get(name, 0) for name in PACKET_VERDICTS},
            "flows": {name: report.flow_verdicts.get(name, 0) for name in FLOW_VERDICTS},
        },
        "layers": {str(layer): dict(counts) for layer, counts in report.layers.items()},
        "inferred": {str(layer): count for layer, count in report.inferred.items()},
        "decided": [
            {
                "layer": str(d.layer),
                "action": d.action.value,
                "filter": filter_object(d.filter),
                "packets": d.count,
            }
            for d in report.decided
        ],
        "depends_on": {"packets": dict(report.depends_on), "flows": dict(report.flows_depend_on)},
        "open_at_start": report.open_at_start,
        "unanswered": report.unanswered,
        "incomplete": report.incomplete,
        "evicted": report.evicted,
        "ties": report.ties,
        "assumptions": list(report.assumptions),
        "notes": list(report.notes),
    }


# -- text ------------------------------------------------------------------------------------------------------------


def lines(report: Report, width: int, label: Label = str) -> Iterator[tuple[str, str]]:
    """The text, as (style, line) pairs: what was read, the verdicts, the layers, what decided, what is open.

    Lines have at most `width` characters; the tables need 80. `label` gives the display name of a callout's key.
    """
    return fold(_lines(report, width, label), width)


def _lines(report: Report, width: int, label: Label) -> Iterator[Line]:
    yield from _read(report)
    yield from _verdicts(report)
    yield from _layers(report, width)
    yield from _decided(report)
    yield from _open(report, label)
    for note in report.notes:
        yield "yellow", f"note: {note}", 6
    for assumption in report.assumptions:
        yield "dim", f"assumed: {assumption}", 9


def _read(report: Report) -> Iterator[Line]:
    for file in report.files:
        yield "bold", f"{file.name}: {_many(file.packets, 'packet')}, {file.format}", 4
        if file.truncated:
            yield "yellow", f"  cut: {file.truncated}", 7
    if report.unparsed:
        broken = report.unparsed - report.not_ip
        yield "", f"not judged: {_many(report.not_ip, 'frame')} without IP, {broken} that cannot be read", 4
    yield "", f"seen as {', '.join(report.local) or 'nobody'}: {report.how}", 4
    yield "", "", 0


def _verdicts(report: Report) -> Iterator[Line]:
    yield "bold", f"{'':14}{'packets':>10}{'flows':>10}", 0
    for name in PACKET_VERDICTS:
        packets, flows = report.packet_verdicts.get(name, 0), report.flow_verdicts.get(name, 0)
        if packets or flows or name in FLOW_VERDICTS:
            there = f"{flows:>10}" if name in FLOW_VERDICTS else ""
            yield _STYLES.get(name, ""), f"{name:14}{packets:>10}{there}", 0
    for count, what in (
        (report.open_at_start, "open before the capture began"),
        (report.unanswered, "answered by nobody, judged as if somebody listened"),
        (report.evicted, "forgotten early, to bound memory"),
    ):
        if count:
            yield "dim", f"{_many(count, 'flow')} {what}", 4
    if report.incomplete:
        yield "dim", f"{_many(report.incomplete, 'packet')} sent in fragments that were not all captured", 4
    yield "", "", 0


def _layers(report: Report, width: int) -> Iterator[Line]:
    name, number = (36, 10) if width >= 85 else (34, 8)
    columns = "".join(f"{verdict:>{number}}" for verdict in FLOW_VERDICTS)
    yield "bold", f"{'layer':{name}}{columns}  of these inferred", 0
    for layer, counts in report.layers.items():
        numbers = "".join(f"{counts.get(verdict) or '-':>{number}}" for verdict in FLOW_VERDICTS)
        style = "red" if counts.get("block") else "yellow" if counts.get("depends") else ""
        guessed = report.inferred.get(layer, 0)
        yield style, f"{layer.short:{name}}{numbers}  {guessed or ''}".rstrip(), 0
    yield "", "", 0


def _decided(report: Report) -> Iterator[Line]:
    blocks = [d for d in report.decided if d.action is Action.BLOCK]
    if blocks:
        yield "bold", "blocked by", 0
    for d in blocks[:_SHOWN]:
        who = f"{d.filter.name!r} (filter {d.filter.id})" if d.filter else "one of several filters that all block"
        yield "red", f"{d.count:>8}  {d.layer.short:34} {who}", 45
    if len(blocks) > _SHOWN:
        yield "", f"{'':10}and {len(blocks) - _SHOWN} more", 0
    if blocks:
        yield "", "", 0


def _open(report: Report, label: Label) -> Iterator[Line]:
    if report.depends_on:
        yield "bold", f"{'depends on':47}{'packets':>10}{'flows':>10}", 0
    names = sorted(report.depends_on, key=lambda name: (-report.depends_on[name], name))
    for name in names[:_SHOWN]:
        yield (
            "yellow",
            f"  {short(named(name, label)):45}{report.depends_on[name]:>10}{report.flows_depend_on.get(name, 0):>10}",
            0,
        )
    if len(names) > _SHOWN:
        yield "", f"  and {len(names) - _SHOWN} more", 0
    if report.ties:
        yield (
            "yellow",
            f"{_many(report.ties, 'packet')} met filters of equal weight and different actions: the newest won",
            4,
        )


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
