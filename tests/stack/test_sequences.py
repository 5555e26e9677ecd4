"""The tables themselves: every row names real layers, has a source, and is walked as it stands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tamiz.model import catalog
from tamiz.model.decisions import default_permit
from tamiz.model.reading import DEVIATIONS, Reading, deviation
from tamiz.model.windows import WindowsVersion, flags_of, has_layer
from tamiz.stack.blocks import After, Situation, block_of
from tamiz.stack.config import HostConfig
from tamiz.stack.fields import Indication
from tamiz.stack.flows import FlowTable, group_key
from tamiz.stack.requests import Classify, Completed
from tamiz.stack.rows import CREATING, Condition, Row, Sequence, Unit, base_name, expand, layer_key
from tamiz.stack.sequences import SEQUENCES
from tamiz.stack.walk import Stop, Walk
from tests.stack.playbook import block

WORDS = {"SYN", "SYN-ACK", "ACK", "DATA", "FIN", "RST", "UDP", "ICMP", "ICMP-ERROR", "FRAGMENT", "", None}
EVENTS = {"bind", "listen", "connect", "accept", "send", "sendto", "receive", "close", "packet"}
ROWS = [pytest.param(s, row, id=f"{s.name}: {row.layer or 'no layer'}") for s in SEQUENCES.values() for row in s.rows]
UNITS_IN_ORDER = ("call", "flow")


def real(row: Row) -> str:
    return "ALE_AUTH_CONNECT" if row.layer == CREATING else row.layer or ""


@pytest.mark.parametrize(("sequence", "row"), ROWS)
def test_each_row_is_sound(sequence: Sequence, row: Row) -> None:
    assert row.packet in WORDS
    assert row.event in EVENTS
    assert row.source.mark in ("D", "I", "O") and row.source.page and row.source.section
    if row.layer is None:
        assert row.note
        return
    for version in (4, 6):
        key = layer_key(real(row), version)
        assert key in catalog.layers()
        assert base_name(key) == real(row)
        assert has_layer(row.since, key)
        older = [w for w in WindowsVersion if w < row.since]
        assert not older or not has_layer(max(older), key)


def walk(sequence: Sequence, config: HostConfig, version: int, stops: str | None) -> Iterator[object]:
    """The requests of one walk, and at the end what it returned."""
    flow = FlowTable().open(group_key(version, 6), "out", 1, None, 0)
    operation = Walk(config, Indication(version, 6), "SYN", flow).over(sequence.rows)
    answer = None
    while True:
        try:
            request = operation.send(answer)
        except StopIteration as end:
            yield end.value
            return
        yield request
        answer = None
        if isinstance(request, Classify):
            hit = base_name(request.layer) == stops
            answer = block(request.layer) if hit else default_permit(request.layer)


@pytest.mark.parametrize("reading", list(Reading), ids=lambda r: r.value)
@pytest.mark.parametrize("windows", [WindowsVersion.VISTA, WindowsVersion.ELEVEN], ids=str)
@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=lambda s: s.name)
def test_a_walk_meets_the_rows_in_order(sequence: Sequence, windows: WindowsVersion, reading: Reading) -> None:
    for in_use in (False, True):
        config = HostConfig(windows=windows, reading=reading, layer_in_use=lambda key, yes=in_use: yes)
        *requests, result = walk(sequence, config, 6, None)
        rows = [r for r in sequence.rows if r.applies(windows, reading) and (in_use or r.when is Condition.ALWAYS)]
        assert result is None
        assert len(requests) == len(rows)
        for request, row in zip(requests, rows, strict=True):
            if row.layer is None:
                assert isinstance(request, Completed) and request.event == row.event
            else:
                assert isinstance(request, Classify)
                assert (request.layer, request.event, request.direction) == (
                    layer_key(real(row), 6), row.event, row.direction,
                )  # fmt: skip
                assert request.packet == ("SYN" if row.packet is None else row.packet or None)
                assert request.flow == 1


@pytest.mark.parametrize(("sequence", "row"), [p for p in ROWS if p.values[1].layer])  # type: ignore[union-attr]
def test_a_walk_that_is_blocked_follows_the_block_table(sequence: Sequence, row: Row) -> None:
    config = HostConfig(windows=row.since, reading=row.reading or Reading.DOCUMENTED, layer_in_use=lambda key: True)
    *requests, result = walk(sequence, config, 4, real(row))
    met = [base_name(r.layer) for r in requests if isinstance(r, Classify)]
    again = bool(row.flags & 4)
    situation = Situation.REAUTHORIZE if again else Situation.TCP
    cell = block_of(real(row), situation)
    if cell.after is After.NOTHING:
        assert result is None
        return
    assert isinstance(result, Stop) and result.layer == real(row)
    expected = real(row) + ("_DISCARD" if cell.discard else "")
    assert met[-1] == expected


def test_rows_stand_in_the_order_in_which_the_host_walks_their_units() -> None:
    """A flow's rows come in one run, so that the flow is kept between them and the rest."""
    for sequence in SEQUENCES.values():
        units = [row.unit for row in sequence.rows]
        runs = [u for n, u in enumerate(units) if n == 0 or units[n - 1] is not u]
        assert runs.count(Unit.FLOW) <= 1
        assert runs.count(Unit.DATA) <= 1


def test_what_comes_in_begins_with_ip_and_what_leaves_ends_with_it() -> None:
    for sequence in SEQUENCES.values():
        if sequence.name.endswith("-out") and not sequence.name.startswith("pass"):
            assert sequence.rows[-1].layer == "OUTBOUND_IPPACKET"
        if sequence.name.endswith("-in"):
            assert sequence.rows[0].unit is Unit.DATAGRAM


@pytest.mark.parametrize(
    ("name", "windows", "layers"),
    [
        ("bind", WindowsVersion.VISTA, ["ALE_RESOURCE_ASSIGNMENT_V4"]),
        ("bind", WindowsVersion.SEVEN, ["ALE_BIND_REDIRECT_V4", "ALE_RESOURCE_ASSIGNMENT_V4"]),
        ("close", WindowsVersion.VISTA, []),
        ("tcp-syn-out", WindowsVersion.TEN, ["OUTBOUND_TRANSPORT_V4", "OUTBOUND_IPPACKET_V4"]),
        ("tcp-reauthorize-in", WindowsVersion.TEN, ["INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4", "ALE_AUTH_RECV_ACCEPT_V4", "STREAM_V4"]),
    ],
)  # fmt: skip
def test_expand_lists_the_layers_of_a_page(name: str, windows: WindowsVersion, layers: list[str]) -> None:
    assert [key.short for key in expand(SEQUENCES[name], 4, windows)] == layers


def test_the_readings_differ_where_the_deviations_say_so() -> None:
    both = [list(expand(s, 4, WindowsVersion.TEN, r)) for r in Reading for s in SEQUENCES.values()]
    half = len(SEQUENCES)
    differ = [s.name for n, s in enumerate(SEQUENCES.values()) if both[n] != both[half + n]]
    assert differ == ["no-endpoint-in"]
    assert [d.id for d in DEVIATIONS] == ["R1", "R2", "R3", "R4"]
    assert deviation("R1").differs and not deviation("R2").differs
    assert all(d.basis and d.documented and d.observed for d in DEVIATIONS)


@pytest.mark.parametrize(
    ("word", "version"),
    [("vista", WindowsVersion.VISTA), ("7", WindowsVersion.SEVEN), (" 10 ", WindowsVersion.TEN), ("11", WindowsVersion.ELEVEN)],
)  # fmt: skip
def test_versions_have_words_and_an_order(word: str, version: WindowsVersion) -> None:
    assert WindowsVersion.parse(word) is version
    assert str(version) == word.strip()
    assert sorted(WindowsVersion) == list(WindowsVersion)
    with pytest.raises(ValueError, match="wanted one of vista, 7, 8, 10, 11"):
        WindowsVersion.parse("xp")


def test_versions_know_their_layers_and_flags() -> None:
    counts = [sum(has_layer(w, key) for key in catalog.layers()) for w in WindowsVersion]
    assert counts == sorted(counts)
    assert counts[-1] == len(catalog.layers())
    assert flags_of(WindowsVersion.VISTA) & 0x200 and not flags_of(WindowsVersion.SEVEN) & 0x200
    assert not flags_of(WindowsVersion.SEVEN) & 0x400000 and flags_of(WindowsVersion.EIGHT) & 0x400000
