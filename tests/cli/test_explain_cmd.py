"""`tamiz explain`: arguments, options, JSON by its schema, text."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tamiz.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"
OFFICE, KILL_SWITCH = str(EXAMPLES / "office-laptop.xml"), str(EXAMPLES / "kill-switch.toml")
SCHEMA = json.loads(files("tamiz").joinpath("schemas", "explain.json").read_text())


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The JSON answer, which its schema allows."""
    assert main(["explain", *arguments, "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    jsonschema.validate(answer, SCHEMA)
    return answer


CASES = [
    ("a port that is blocked for everyone", ("out", "tcp", "192.0.2.10:50000", "198.51.100.77:25"), OFFICE, "block"),
    ("an app that is not told", ("out", "tcp", "192.0.2.10:50000", "203.0.113.7:443"), OFFICE, "depends"),
    (
        "DNS outside the tunnel",
        ("out", "udp", "192.0.2.10:50000", "203.0.113.7:53", "--interface", "luid=7"),
        KILL_SWITCH,
        "block",
    ),
    ("IPv6 in brackets", ("in", "tcp", "[2001:db8::5]:445", "[2001:db8::7]:50000"), OFFICE, "depends"),
    ("ICMP without ports", ("in", "icmp", "192.0.2.10", "192.0.2.20"), OFFICE, "depends"),
    ("a protocol by number", ("out", "47", "192.0.2.10", "203.0.113.9"), KILL_SWITCH, "depends"),
]


@pytest.mark.parametrize(("question", "policy", "action"), [pytest.param(*rest, id=name) for name, *rest in CASES])
def test_answers(capsys: pytest.CaptureFixture[str], question: tuple[str, ...], policy: str, action: str) -> None:
    answer = ask(capsys, *question, "--policy", policy)
    assert answer["action"] == action
    assert bool(answer["depends_on"]) is (action == "depends")


def test_without_a_policy_nothing_decides(capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(capsys, "out", "tcp", "10.0.0.5:50000", "203.0.113.7:443")
    assert (answer["action"], answer["decided_by"], answer["reason"]) == ("permit", None, "no filter decided")


def test_an_assumption_is_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    question = ("out", "tcp", "10.0.0.5:50000", "203.0.113.7:443", "--assume", "interface-type=6", "--package", "none")
    assert ask(capsys, *question)["assumptions"] == ["outside any package and app container", "interface-type=6"]


def test_the_deciding_filter_and_its_near_misses(capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(capsys, "out", "tcp", "192.0.2.10:50000", "198.51.100.77:25", "--policy", OFFICE, "--package", "none")
    assert answer["decided_by"]["layer"] == "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
    assert answer["decided_by"]["filter"] is None  # two filters of one name, by profile
    connect = next(x for x in answer["layers"] if x["layer"].endswith("ALE_AUTH_CONNECT_V4"))
    assert {p["action"] for p in connect["possible"]} == {"block"}
    misses = [m["failed"] for s in connect["sublayers"] for m in s["near_misses"]]
    assert {"field", "match", "wanted", "found"} == set(misses[0])


USAGE = [
    ("a direction that is none", ("up", "tcp", "10.0.0.5:1", "10.0.0.6:2"), "wanted in or out"),
    ("a protocol that is none", ("in", "tpc", "10.0.0.5:1", "10.0.0.6:2"), "tcp"),
    ("an address that is none", ("in", "tcp", "10.0.0.500:1", "10.0.0.6:2"), "ADDRESS:PORT"),
    ("a port that is none", ("in", "tcp", "10.0.0.5:70000", "10.0.0.6:2"), "65535"),
    ("TCP without a port", ("in", "tcp", "10.0.0.5", "10.0.0.6:2"), "wanted one at both ends"),
    ("two families", ("in", "tcp", "10.0.0.5:1", "[::1]:2"), "one family"),
    (
        "an assumption against the question",
        ("in", "tcp", "10.0.0.5:1", "10.0.0.6:2", "--assume", "remote-port=3"),
        "does not show",
    ),
    (
        "a callout that is none",
        ("in", "tcp", "10.0.0.5:1", "10.0.0.6:2", "--assume", "callout:mine=block"),
        "a callout of the policy",
    ),
    ("an assumption about nothing", ("in", "tcp", "10.0.0.5:1", "10.0.0.6:2", "--assume", "colour=red"), "field"),
]


@pytest.mark.parametrize(("arguments", "says"), [pytest.param(*rest, id=name) for name, *rest in USAGE])
def test_usage(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str) -> None:
    assert main(["explain", *arguments]) == 2
    assert says in " ".join(capsys.readouterr().err.split())


def test_a_policy_that_is_none_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('[[filter]]\nname = "x"\nlayer = "ale-auth-conect"\naction = "permit"\n')
    assert main(["explain", "in", "tcp", "10.0.0.5:1", "10.0.0.6:2", "--policy", str(path)]) == 3
    error = capsys.readouterr().err
    assert error.startswith(f"tamiz: {path}:3: filter 'x'") and "ale-auth-connect" in error and error.count("\n") == 1


def test_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    question = (
        "explain",
        "out",
        "udp",
        "192.0.2.10:50000",
        "203.0.113.7:53",
        "--policy",
        KILL_SWITCH,
        "--interface",
        "7",
    )
    assert main(list(question)) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[1].startswith("  BLOCK  at ALE_AUTH_CONNECT_V4 by 'no DNS outside the tunnel'")
