"""`tamiz replay`: its answers, its refusals, and what it says on the way."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from tamiz.cli import replay_cmd
from tamiz.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"
CAPTURE, POLICY = str(EXAMPLES / "two-hosts.pcap"), str(EXAMPLES / "office-laptop.xml")
TOLD = ("--policy", POLICY, "--profile", "private", "--package", "none")

Tamiz = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tamiz(capsys: pytest.CaptureFixture[str]) -> Tamiz:
    """`tamiz("replay", FILE)` -> exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def asked(tamiz: Tamiz, *arguments: str) -> dict[str, Any]:
    code, out, _ = tamiz("replay", *arguments, "--format", "json")
    assert code == 0
    document: dict[str, Any] = json.loads(out)
    schema = json.loads(resources.files("tamiz").joinpath("schemas", "replay.json").read_text("utf-8"))
    jsonschema.validate(document, schema)
    assert set(document) <= set(schema["properties"])
    return document


def test_the_json_is_what_the_contract_says(tamiz: Tamiz) -> None:
    document = asked(tamiz, CAPTURE, *TOLD)
    assert (document["packets"], document["unparsed"], document["not_ip"]) == (148, 2, 2)
    assert sum(document["verdicts"]["packets"].values()) == 146
    assert sum(document["verdicts"]["flows"].values()) == document["flows"]
    assert document["layers"]["FWPM_LAYER_INBOUND_TRANSPORT_V4_DISCARD"] == {"block": 1}
    assert document["assumptions"] == [
        "outside any package and app container", "every interface is in the private profile",
        "packets that are captured in the clear are not protected by IPsec",
    ]  # fmt: skip


def test_the_local_host_is_inferred_and_said_or_given(tamiz: Tamiz) -> None:
    inferred = asked(tamiz, CAPTURE)
    assert set(inferred["local"]) == {"192.0.2.10", "2001:db8::10"}
    assert "MAC address" in inferred["local_how"]
    given = asked(tamiz, CAPTURE, "--local", "192.0.2.20", "--local", "2001:db8::20")
    assert (given["local"], given["local_how"]) == (["192.0.2.20", "2001:db8::20"], "given")
    one = asked(tamiz, CAPTURE, "--local", "192.0.2.20")
    assert one["verdicts"]["packets"]["not-local"] > 0


def test_several_captures_are_one(tamiz: Tamiz) -> None:
    document = asked(tamiz, CAPTURE, CAPTURE)
    assert (document["packets"], [f["packets"] for f in document["files"]]) == (296, [148, 148])


def test_the_application_that_is_told_settles_what_depends(tamiz: Tamiz) -> None:
    open_, settled = (
        asked(tamiz, CAPTURE, *TOLD),
        asked(tamiz, CAPTURE, *TOLD, "--app", "C:\\Games\\Marble Run\\marbles.exe"),
    )
    assert "FWPM_CONDITION_ALE_APP_ID" in open_["depends_on"]["flows"]
    assert settled["verdicts"]["flows"]["depends"] < open_["verdicts"]["flows"]["depends"]


def test_the_text_says_what_was_read_who_decided_and_what_is_open(tamiz: Tamiz) -> None:
    code, out, err = tamiz("replay", CAPTURE, *TOLD)
    assert (code, err) == (0, "")
    for said in (
        "148 packets",
        "seen as 192.0.2.10",
        "flow-blocked",
        "blocked by",
        "No RST, private profile",
        "depends on",
        "ALE_APP_ID",
    ):
        assert said in out


def test_a_cut_capture_is_an_answer_that_says_so(tamiz: Tamiz, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(Path(CAPTURE).read_bytes()[:-5])
    assert asked(tamiz, str(cut))["files"][0]["truncated"].startswith(str(cut))
    assert "cut: " in tamiz("replay", str(cut))[1]


def test_a_capture_may_come_from_a_pipe(tamiz: Tamiz, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(Path(CAPTURE).read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert asked(tamiz, "-")["files"][0]["name"] == "stdin"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["nothing.pcap"], 3, "nothing.pcap", id="a file that is not there"),
        pytest.param([POLICY], 3, "wanted a pcap or pcapng file", id="a file that is no capture"),
        pytest.param([CAPTURE, "--policy", CAPTURE], 3, "two-hosts.pcap", id="a policy that is none"),
        pytest.param([CAPTURE, "--local", "here"], 2, "'here'", id="an address that is none"),
        pytest.param([CAPTURE, "--local", "192.0.2.10:80"], 2, "without a port", id="an address with a port"),
        pytest.param([], 2, "CAPTURE", id="no capture"),
    ],
)
def test_what_is_refused_and_how(tamiz: Tamiz, arguments: list[str], code: int, said: str) -> None:
    found, out, err = tamiz("replay", *arguments)
    assert (found, out) == (code, "")
    assert said in err


def test_a_terminal_sees_progress_and_a_pipe_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written = io.StringIO()
    monkeypatch.setattr(written, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", written)
    with replay_cmd._progress([Path(CAPTURE), Path("-")]) as progress:
        progress(CAPTURE, 1000)
        progress("stdin", 1000)
    assert "two-hosts.pcap" in written.getvalue()


def test_the_size_of_a_compressed_capture_is_not_known(tmp_path: Path) -> None:
    zipped = tmp_path / "x.gz"
    zipped.write_bytes(b"\x1f\x8b")
    assert replay_cmd._size(zipped) is None
    assert replay_cmd._size(tmp_path / "missing") is None
    assert replay_cmd._size(Path(CAPTURE)) == Path(CAPTURE).stat().st_size


def test_nothing_is_assumed_of_what_packets_show(tamiz: Tamiz) -> None:
    code, out, said = tamiz("replay", CAPTURE, "--assume", "remote-port=25")
    assert (code, out) == (2, "")
    assert "does not show" in " ".join(said.split())
