"""`tamiz trace`: every scenario, option and JSON member of the contract, and the picture."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tamiz.cli.main import main
from tamiz.sources.scenario import NAMES

EXAMPLES = Path(__file__).parents[2] / "examples"
SCHEMA = json.loads(files("tamiz").joinpath("schemas", "trace.json").read_text())


def trace(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The JSON trace, which its schema allows."""
    assert main(["trace", *arguments, "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    jsonschema.validate(answer, SCHEMA)
    return answer


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ip", ["4", "6"])
def test_every_scenario(capsys: pytest.CaptureFixture[str], name: str, ip: str) -> None:
    answer = trace(capsys, name, "--ip", ip)
    assert (answer["scenario"], answer["ip"], answer["windows"], answer["reading"]) == (
        name,
        int(ip),
        "11",
        "documented",
    )
    assert [step["n"] for step in answer["steps"]] == list(range(1, len(answer["steps"]) + 1))
    layers = [step["layer"] for step in answer["steps"] if step["layer"]]
    assert layers and all(f"_V{ip}" in layer for layer in layers)


def outcomes(answer: Any) -> tuple[str, str]:
    return answer["outcome"]["client"], answer["outcome"]["server"]


@pytest.mark.parametrize(
    ("name", "client", "server"),
    [
        ("tcp-establish", "established", "established"),
        ("tcp-no-listener", "refused", "refused"),
        ("tcp-data", "delivered", "delivered"),
        ("tcp-reauthorize", "delivered", "delivered"),
        ("tcp-reauthorize-fail", "reset", "blocked"),
        ("tcp-terminate", "closed", "closed"),
        ("tcp-session", "closed", "closed"),
        ("udp-exchange", "delivered", "delivered"),
        ("udp-no-listener", "refused", "refused"),
        ("udp-reauthorize-fail", "delivered", "blocked"),
        ("udp-terminate", "closed", "closed"),
        ("icmp-echo", "delivered", "delivered"),
    ],
)
def test_outcomes(capsys: pytest.CaptureFixture[str], name: str, client: str, server: str) -> None:
    assert outcomes(trace(capsys, name)) == (client, server)


STEALTH = """
[[filter]]
name = "stealth"
layer = "inbound-transport-discard"
action = { callout = "FWPM_CALLOUT_WFP_TRANSPORT_LAYER_V4_SILENT_DROP", as = "terminating" }
conditions = { flags = { none-set = ["is-loopback"] } }
"""


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(text: str) -> str:
        path = tmp_path / "policy.toml"
        path.write_text(text)
        return str(path)

    return write


def test_stealth_is_silence(capsys: pytest.CaptureFixture[str], written: Any) -> None:
    policy = written(STEALTH.replace("inbound-transport-discard", "inbound-transport-v4-discard"))
    answer = trace(capsys, "tcp-no-listener", "--server-policy", policy)
    assert outcomes(answer) == ("timed-out", "silent")
    assert not [step for step in answer["steps"] if step["packet"] == "RST"]


BLOCK = '[[filter]]\nname = "nobody"\nlayer = "ale-auth-recv-accept"\naction = "block"\n'


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        pytest.param("--policy", ("timed-out", "blocked"), id="a policy applies to both hosts"),
        pytest.param("--server-policy", ("timed-out", "blocked"), id="or to the server"),
        pytest.param("--client-policy", ("established", "established"), id="or to the client, which accepts nothing"),
    ],
)
def test_whose_policy(capsys: pytest.CaptureFixture[str], written: Any, option: str, wanted: tuple[str, str]) -> None:
    answer = trace(capsys, "tcp-establish", option, written(BLOCK))
    assert outcomes(answer) == wanted


def test_the_deciding_filter_stands_in_its_step(capsys: pytest.CaptureFixture[str], written: Any) -> None:
    answer = trace(capsys, "tcp-establish", "--policy", written(BLOCK))
    (first, *_) = [step for step in answer["steps"] if step["action"] == "block"]
    assert first["layer"] == "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4"
    assert (first["filter"]["name"], first["filter"]["sublayer"], first["right"]) == (
        "nobody",
        "FWPM_SUBLAYER_UNIVERSAL",
        "hard",
    )


def test_addresses_choose_the_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert trace(capsys, "tcp-establish", "--client", "[2001:db8::9]:50123")["ip"] == 6
    assert main(["trace", "tcp-establish", "--ip", "4", "--client", "2001:db8::9"]) == 2


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--client", "127.0.0.1"), id="loopback"),
        pytest.param(("--server", "::1"), id="loopback of IPv6"),
        pytest.param(("--server", "224.0.0.1"), id="multicast"),
        pytest.param(("--client", "255.255.255.255"), id="broadcast"),
        pytest.param(("--client", "0.0.0.0"), id="nowhere"),
        pytest.param(("--client", "10.0.0.1", "--server", "10.0.0.1"), id="the same twice"),
        pytest.param(("--client", "198.51.100.20"), id="the server's"),
    ],
)
def test_each_host_has_an_address_of_its_own(capsys: pytest.CaptureFixture[str], options: tuple[str, ...]) -> None:
    assert main(["trace", "tcp-establish", *options]) == 2
    assert "wanted an address of this host alone" in capsys.readouterr().err


def test_vista_has_neither_redirect_nor_closure(capsys: pytest.CaptureFixture[str]) -> None:
    layers = {step["layer"] for step in trace(capsys, "tcp-terminate", "--windows", "vista")["steps"] if step["layer"]}
    assert not [name for name in layers if "REDIRECT" in name or "CLOSURE" in name or "RELEASE" in name]


def test_the_readings_differ_on_a_datagram_that_nobody_waits_for(capsys: pytest.CaptureFixture[str]) -> None:
    def discards(reading: str) -> list[str]:
        steps = trace(capsys, "udp-no-listener", "--reading", reading)["steps"]
        return [s["layer"] for s in steps if s["layer"] and s["layer"].endswith("DISCARD")]

    assert discards("documented") == ["FWPM_LAYER_INBOUND_IPPACKET_V4_DISCARD"]
    assert discards("observed") == ["FWPM_LAYER_INBOUND_TRANSPORT_V4_DISCARD"]


def test_a_script_of_ones_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = tmp_path / "mine.toml"
    script.write_text('protocol = "udp"\n[[act]]\nclient = "sendto"\ndata = "hello"\n[[act]]\nclient = "wait"\nseconds = 61\n'
                      '[[act]]\nclient = "sendto"\ndata = "again"\n')  # fmt: skip
    answer = trace(capsys, str(script))
    connects = [s for s in answer["steps"] if s["layer"] == "FWPM_LAYER_ALE_AUTH_CONNECT_V4"]
    assert answer["scenario"] == "mine" and len(connects) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('protocol = "tcp"\n', "one [[act]] or more", id="no act"),
        pytest.param('protocol = "tpc"\n[[act]]\nclient = "connect"\n', "tcp, udp, icmp", id="a protocol that is none"),
        pytest.param('protocol = "tcp"\n[[act]]\nclient = "conect"\n', "connect", id="a verb that is none"),
        pytest.param(
            'protocol = "tcp"\n[[act]]\nclient = "wait"\nseconds = -1\n', "seconds from 0", id="time backwards"
        ),
        pytest.param(
            'protocol = "tcp"\nuntil = "server dreams"\n[[act]]\nclient = "connect"\n', "HOST EVENT", id="until never"
        ),
    ],
)
def test_a_script_that_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, says: str) -> None:
    script = tmp_path / "wrong.toml"
    script.write_text(text)
    assert main(["trace", str(script)]) == 3
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_a_scenario_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "tcp-estalish"]) == 2
    assert main(["trace", "missing.toml"]) == 3
    capsys.readouterr()


def test_the_picture_in_two_columns_and_in_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["trace", "tcp-establish"]) == 0
    wide = capsys.readouterr().out
    assert "client 192.0.2.10" in wide and "server 198.51.100.20:443" in wide
    assert max(map(len, wide.splitlines())) <= 120


def test_pcap_holds_what_was_on_the_wire(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from tamiz.sources.capture import open_capture
    from tamiz.wire.packet import dissect, word

    path = tmp_path / "out.pcap"
    trace(capsys, "tcp-session", "--pcap", str(path))
    with open_capture(path) as capture:
        words = [word(dissect(record.data)) for record in capture]
    assert words == ["SYN", "SYN-ACK", "ACK", "DATA", "ACK", "DATA", "ACK", "FIN", "ACK", "FIN", "ACK"]


def test_the_console_script_is_plain_when_piped() -> None:
    import sys

    run = [sys.executable, "-c", "from tamiz.cli.main import run; run()", "trace", "icmp-echo"]
    out = subprocess.run(run, capture_output=True, check=True, timeout=60).stdout
    assert b"\x1b" not in out and b"ALE_AUTH_CONNECT_V4" in out
