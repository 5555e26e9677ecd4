"""Long lines in a narrow terminal: folded between words, the later lines under the first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.analysis.explain import Question, explain
from tamiz.drive.world import Side, Stage, play
from tamiz.engine.engine import Engine
from tamiz.formats.complete import complete
from tamiz.formats.toml.policy import read_toml
from tamiz.model.decisions import Action
from tamiz.outcomes import explained, replayed
from tamiz.outcomes.picture import NARROW
from tamiz.outcomes.picture import lines as picture
from tamiz.outcomes.words import folded
from tamiz.sources.scenario import built_in
from tamiz.stack.witness import Conversation, Known

POLICY = """
[[filter]]
name = "no telnet, no matter how long the name of the filter is that forbids it"
layer = "ale-auth-connect-v4"
action = "block"
conditions = { protocol = "tcp", remote-port = 23 }
[[filter]]
name = "no rlogin"
layer = "ale-auth-connect-v4"
action = "block"
conditions = { protocol = "tcp", remote-port = 513 }
"""


def told(width: int) -> list[str]:
    engine = Engine(complete(read_toml(POLICY.encode(), "policy.toml")))
    asked = Conversation(6, bytes([192, 0, 2, 10]), bytes([203, 0, 113, 9]), 50000, 23)
    answer = explain(engine, Question("out", asked, Known()))
    return [text for _, text in explained.lines(answer, "out tcp", width)]


def test_an_explanation_for_a_file_has_long_lines() -> None:
    assert max(map(len, told(1_000_000))) > 120


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_an_explanation_is_as_narrow_as_its_terminal(width: int) -> None:
    assert max(map(len, told(width))) <= width


def test_what_was_folded_stands_under_its_beginning() -> None:
    text = told(80)
    at = next(n for n, line in enumerate(text) if line.startswith("ALE_AUTH_CONNECT_V4 out"))
    assert text[at : at + 7] == [
        "ALE_AUTH_CONNECT_V4 out            block    'no telnet, no matter how long the",
        "                                            name of the filter is that forbids",
        "                                            it' (filter 1) in UNIVERSAL",
        "    0x8000 UNIVERSAL",
        "           hard block: 'no telnet, no matter how long the name of the filter is",
        "               that forbids it' (filter 1): decides",
        "    nearly 'no rlogin' (filter 2): wants IP_REMOTE_PORT 513, found 23",
    ]


@given(st.lists(st.text(alphabet="abc'", min_size=1, max_size=6), min_size=1), st.integers(20, 90), st.integers(0, 60))
def test_folding_loses_no_word_and_keeps_to_the_width(words: list[str], width: int, hang: int) -> None:
    parts = folded(" ".join(words), width, hang)
    assert " ".join(parts).split() == words
    assert max(map(len, parts)) <= width


def test_a_hang_that_leaves_no_room_is_not_taken() -> None:
    assert folded("  blocked by a filter of that name", 30, 45) == ["  blocked by a filter of that", "      name"]


def test_a_report_is_as_narrow_as_its_terminal() -> None:
    how = "they send from the MAC address that takes part in most of the frames of these captures"
    filter = complete(read_toml(POLICY.encode(), "policy.toml")).filters[0]
    layer = filter.layer
    report = replayed.Report(
        files=(replayed.FileRead("a.pcap", "pcap", 8),),
        local=("192.0.2.10",),
        how=how,
        packets=8,
        flows=1,
        unparsed=0,
        not_ip=0,
        packet_verdicts={"block": 8},
        flow_verdicts={"block": 1},
        layers={layer: {"block": 8}},
        inferred={layer: 8},
        decided=(replayed.Decided(layer, Action.BLOCK, filter, 8),),
        depends_on={"callout {0}": 1},
        flows_depend_on={"callout {0}": 1},
        notes=(how,),
    )
    text = [line for _, line in replayed.lines(report, 80, lambda key: {"{0}": "their inspector"}[key])]
    assert max(map(len, text)) <= 80
    assert text[:2] == [
        "a.pcap: 8 packets, pcap",
        "seen as 192.0.2.10: they send from the MAC address that takes part in most of",
    ]
    assert "    the frames of these captures" in text
    assert any("callout their inspector" in line for line in text)


def test_an_arrow_is_cut_between_the_members_of_its_packet() -> None:
    side = Side(complete(read_toml(b"", "policy.toml")))
    drawn = [
        "".join(text for _, text in line) for line in picture(play(built_in("tcp-establish"), Stage(6, side, side)), 80)
    ]
    arrows = [
        line
        for line in drawn
        if line.startswith("\N{BLACK LEFT-POINTING TRIANGLE}") or line.endswith("\N{BLACK RIGHT-POINTING TRIANGLE}")
    ]
    assert len(arrows) == 3
    assert all(", ... " in arrow for arrow in arrows)


@pytest.mark.parametrize("width", [64, 70, 78, 80, 114])
def test_one_column_is_as_narrow_as_its_terminal(width: int) -> None:
    side = Side(complete(read_toml(POLICY.encode(), "policy.toml")))
    drawn = [
        "".join(text for _, text in line)
        for line in picture(play(built_in("tcp-session"), Stage(4, side, side)), width)
    ]
    assert max(map(len, drawn)) <= min(width, NARROW)
