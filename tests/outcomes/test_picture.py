"""The picture of a trace: golden texts, wide and narrow, and the law that nothing sticks out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tamiz.drive.world import Side, Stage, play
from tamiz.formats.complete import complete
from tamiz.formats.toml.policy import read_toml
from tamiz.outcomes.picture import NARROW, WIDE, lines
from tamiz.sources.scenario import NAMES, built_in

POLICY = """
[[sublayer]]
name = "house rules"
weight = 0x9000
[[filter]]
name = "nobody calls in"
sublayer = "house rules"
layer = "ale-auth-recv-accept"
action = "block"
[[filter]]
name = "the web is fine"
sublayer = "house rules"
layer = "ale-auth-connect"
action = "permit"
conditions = { remote-port = 443 }
"""


def drawn(name: str, width: int, unicode: bool = True, policy: str = "", ip: int = 4) -> str:
    side = Side(complete(read_toml(policy.encode(), "policy.toml")))
    trace = play(built_in(name), Stage(ip, side, side))
    made = ("".join(text for _, text in line).rstrip() for line in lines(trace, width, unicode, side.policy.label))
    return "\n".join(made) + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_golden_pictures(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"trace/{name}.txt", drawn(name, WIDE))


def test_a_blocked_connection(golden: Callable[[str, str], None]) -> None:
    golden("trace/blocked.txt", drawn("tcp-establish", WIDE, policy=POLICY))


def test_a_narrow_terminal_has_one_column(golden: Callable[[str, str], None]) -> None:
    golden("trace/narrow.txt", drawn("udp-exchange", 80, unicode=False, ip=6))


@pytest.mark.parametrize("width", [80, WIDE, 200])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_sticks_out(name: str, width: int) -> None:
    widest = max(map(len, drawn(name, width, policy=POLICY).splitlines()))
    assert widest <= (WIDE if width >= WIDE else NARROW)


def test_without_unicode_it_is_ascii() -> None:
    assert drawn("tcp-session", WIDE, unicode=False).isascii()
