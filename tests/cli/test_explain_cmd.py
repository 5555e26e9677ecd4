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
    ("an address with a scope", ("in", "tcp", "[fe80::1%4]:1", "[fe80::2]:2"), "with a scope"),
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


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        pytest.param(("out", "9" * 5000, "192.0.2.1:1", "192.0.2.2:2"), "a number from 0 to 255", id="a huge protocol"),
        pytest.param(("out", "\u00b2", "192.0.2.1", "192.0.2.2"), "a number from 0 to 255", id="a digit that is none"),
        pytest.param(("out", "icmp", "192.0.2.1:300", "192.0.2.2"), "numbers from 0 to 255", id="an ICMP type of 300"),
        pytest.param(
            ("out", "tcp", "192.0.2.1:1", "192.0.2.2:2", "--volume", "C:"),
            r"such as C:=\Device\HarddiskVolume3",
            id="a volume without a device, even where no application is told",
        ),
    ],
)
def test_arguments_that_cannot_be_are_usage_errors(
    arguments: tuple[str, ...], wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *arguments]) == 2
    assert wanted in " ".join(capsys.readouterr().err.split())


APP_ON_C = """[[filter]]
name = "f"
layer = "ale-auth-connect-v4"
action = "block"
conditions = { app = 'C:\\Acme\\vpn.exe' }
"""


@pytest.mark.parametrize(
    ("app", "volume", "action"),
    [
        pytest.param(r"C:\Acme\vpn.exe", None, "block", id="the policy's own path"),
        pytest.param(r"C:\Acme\vpn.exe", 3, "block", id="with the volume of its drive"),
        pytest.param(r"\Device\HarddiskVolume3\Acme\vpn.exe", 3, "block", id="as an NT path on that volume"),
        pytest.param(r"\Device\HarddiskVolume3\Acme\vpn.exe", 9, "permit", id="as an NT path on another volume"),
    ],
)
def test_a_volume_tells_the_paths_of_the_policy_too(
    app: str, volume: int | None, action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text(APP_ON_C)
    volumes = () if volume is None else ("--volume", rf"C:=\Device\HarddiskVolume{volume}")
    question = ("out", "tcp", "10.0.0.5:50000", "203.0.113.7:443", "--app", app, *volumes)
    assert ask(capsys, *question, "--policy", str(policy))["action"] == action


def test_how_a_socket_was_bound_can_be_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text(
        "[[filter]]\nname = 'f'\nlayer = 'ale-resource-assignment-v4'\naction = 'block'\n"
        "conditions = { local-address-type = 'unspecified' }\n"
    )
    question = ("out", "tcp", "10.0.0.5:50000", "203.0.113.7:443", "--policy", str(policy))
    assert ask(capsys, *question)["action"] == "depends"
    assert ask(capsys, *question, "--assume", "local-address-type=unspecified")["action"] == "block"
    assert ask(capsys, *question, "--assume", "local-address-type=unicast")["action"] == "permit"
    assert ask(capsys, *question, "--assume", "local-address-type=multicast")["action"] == "depends"
