"""Damage to scenario scripts: what is accepted must also play to its end."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

from tamiz.drive.world import Stage, play
from tamiz.model.errors import InputError
from tamiz.sources.scenario import NAMES, Scenario, read_scenario

ALLOWED = (InputError,)
TOKENS = tuple(
    f"\n{text}\n".encode()
    for text in (
        "[[act]]", 'client = "connect"', 'client = "sendto"', 'server = "listen"', 'server = "close"', "bytes = 3000",
        "seconds = 61",
        'client = "wait"', 'protocol = "udp"', 'until = "server receive"', "port = 1", 'client = "abort"',
    )
)  # fmt: skip

_ACTS = 12  # of an accepted script are played
_BYTES = 5_000  # of its data are sent


def seeds() -> list[bytes]:
    folder = files("tamiz.sources").joinpath("scenarios")
    return [folder.joinpath(f"{name}.toml").read_bytes() for name in NAMES]


def target(data: bytes) -> None:
    scenario = read_scenario(data, "fuzz.toml", "fuzz")
    trace = play(_short(scenario), Stage())
    assert [step.n for step in trace.steps] == list(range(1, len(trace.steps) + 1))


def _short(scenario: Scenario) -> Scenario:
    acts = tuple(replace(act, data=act.data[:_BYTES]) for act in scenario.acts[:_ACTS])
    return replace(scenario, acts=acts)
