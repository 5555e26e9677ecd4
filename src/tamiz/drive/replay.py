"""Captures through a policy: the loop between the observer, which sees, and the judge, who decides.

Memory does not grow with the captures: records are read one by one, flows are bounded, and what came out is counted.

A packet that a capture shows in the clear was not protected by IPsec: what IPsec protects is ESP or AH on the wire. So
a replay knows the flags and fields that tell of IPsec, where `tamiz explain` does not.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Final

from tamiz.engine.engine import Engine
from tamiz.model._tables import FIELD
from tamiz.model.decisions import Action
from tamiz.model.keys import LayerKey
from tamiz.outcomes.replayed import Decided, FileRead, Report
from tamiz.sources.capture import Capture, Record
from tamiz.sources.observer import Observer
from tamiz.sources.observer.local import GIVEN, PREFIX, Local, infer
from tamiz.sources.observer.table import MAX_FLOWS
from tamiz.stack.witness import NOTHING_TOLD, Known

from .replay_judge import Judge, Outcome
from .replay_rulings import Ruling

MAX_DECIDED: Final = 50  # filters named in a report
PROGRESS_EVERY: Final = 4096  # records
PREFIX_BYTES: Final = 32 << 20  # of packets, held to infer the local host

Opener = Callable[[], Capture]
Progress = Callable[[str, int], None]


def quiet(file: str, offset: int) -> None:
    """The progress of a replay that nobody watches."""


@dataclass(frozen=True)
class Settings:
    """How to replay: what is `known` beside the packets, and the `local` addresses; none: they are inferred.

    `max_flows` are remembered at once. `progress` is told the file and the offset reached in it, now and then.
    """

    known: Known = field(default=NOTHING_TOLD)
    local: tuple[bytes, ...] = ()
    assumptions: tuple[str, ...] = ()
    max_flows: int = MAX_FLOWS
    progress: Progress = quiet


def replay(engine: Engine, captures: Sequence[Opener], settings: Settings = Settings()) -> Report:
    """The report on `captures`, which are opened one after another and closed.

    Raises `InputError` of a capture that cannot be read; one that is cut is no error.
    """
    reading = _Reading(captures, settings.progress)
    records = iter(reading)
    if settings.local:
        local = Local(settings.local, GIVEN)
    else:
        first = _first(records)
        local = infer(first)
        records = chain(_drained(first), records)
    judge = Judge(engine, _witness(settings.known))
    observer = Observer(local.addresses, judge, settings.max_flows)
    observer.observe(records)
    observer.close()
    judge.close()
    return _report(engine, settings, reading, local, observer, judge)


def _witness(known: Known) -> Known:
    """What the captures themselves tell of IPsec, unless more was told."""
    return known if FIELD.FLAGS in known.facts or known.ipsec is not None else replace(known, ipsec=False)


class _Reading:
    """The records of all captures, and what was said of each."""

    def __init__(self, captures: Iterable[Opener], progress: Progress) -> None:
        self._captures, self._progress = captures, progress
        self.files: list[FileRead] = []

    def __iter__(self) -> Iterator[Record]:
        for opener in self._captures:
            with opener() as capture:
                count, due = 0, PROGRESS_EVERY
                for record in capture:
                    count += 1
                    if count == due:
                        due += PROGRESS_EVERY
                        self._progress(capture.file, record.offset)
                    yield record
                self.files.append(FileRead(capture.file, capture.format, count, capture.truncated))


def _first(records: Iterator[Record]) -> deque[Record]:
    """Enough records to tell whose they are."""
    first: deque[Record] = deque()
    held = 0
    for record in islice(records, PREFIX):
        first.append(record)
        held += len(record.data)
        if held >= PREFIX_BYTES:
            break
    return first


def _drained(records: deque[Record]) -> Iterator[Record]:
    """The records, forgotten one by one."""
    while records:
        yield records.popleft()


# -- the report ------------------------------------------------------------------------------------------------------


def _report(
    engine: Engine, settings: Settings, reading: _Reading, local: Local, observer: Observer, judge: Judge
) -> Report:
    tally = _Tally()
    for outcome in judge.outcomes:
        tally.add(outcome)
    tally.packets.update(judge.packets)
    tally.packets["not-local"] += observer.not_local
    table = observer.table
    return Report(
        files=tuple(reading.files),
        local=tuple(str(ipaddress.ip_address(address)) for address in local.addresses),
        how=local.how,
        packets=observer.packets,
        flows=judge.flows.total(),
        unparsed=observer.unparsed + observer.not_ip,
        not_ip=observer.not_ip,
        packet_verdicts=tally.packets,
        flow_verdicts=judge.flows,
        layers={layer: tally.layers[layer] for layer in sorted(tally.layers)},
        inferred={layer: tally.inferred[layer] for layer in sorted(tally.inferred)},
        decided=tuple(tally.heaviest()),
        depends_on=dict(tally.depends_on.most_common()),
        flows_depend_on=dict(judge.flows_depend.most_common()),
        open_at_start=table.open_at_start,
        unanswered=table.unanswered,
        incomplete=observer.incomplete,
        evicted=table.evicted,
        ties=tally.ties,
        assumptions=(*settings.assumptions, *_assumed(settings.known)),
        notes=tuple(_notes(engine)),
    )


class _Tally:
    """The sums over all outcomes."""

    def __init__(self) -> None:
        self.packets: Counter[str] = Counter()
        self.layers: dict[LayerKey, Counter[str]] = {}
        self.inferred: Counter[LayerKey] = Counter()
        self.depends_on: Counter[str] = Counter()
        self.ties = 0
        self._decided: Counter[Ruling] = Counter()

    def add(self, outcome: Outcome) -> None:
        times = outcome.count + outcome.halves
        self.packets[outcome.action] += outcome.count
        for ruling, inferred in outcome.rulings:
            self.layers.setdefault(ruling.layer, Counter())[ruling.action.value] += times
            if inferred:
                self.inferred[ruling.layer] += times
            if ruling.filter is not None and ruling.action is Action.PERMIT:
                self._decided[ruling] += times
        if outcome.decisive is not None:
            self._decided[outcome.decisive] += times
        self.depends_on.update(dict.fromkeys(outcome.depends_on, times))
        self.ties += times * any(ruling.tie for ruling, _ in outcome.rulings)

    def heaviest(self) -> Iterator[Decided]:
        """Who decided how often: blocks, then permits."""
        sums: Counter[tuple[LayerKey, Action, int]] = Counter()
        filters = {}
        for ruling, times in self._decided.items():
            key = (ruling.layer, ruling.action, 0 if ruling.filter is None else id(ruling.filter))
            sums[key] += times
            filters[key] = ruling.filter
        order = sorted(sums, key=lambda key: (key[1] is Action.PERMIT, -sums[key], key[0]))
        for key in order[:MAX_DECIDED]:
            yield Decided(key[0], key[1], filters[key], sums[key])


def _assumed(known: Known) -> Iterator[str]:
    if _witness(known) is not known:
        yield "packets that are captured in the clear are not protected by IPsec"


def _notes(engine: Engine) -> Iterator[str]:
    if not engine.policy.whole:
        yield (
            "the policy is a filters dump, which leaves out inspection callouts, discard and stream layers and some "
            "boot-time filters: this is not the whole policy"
        )
