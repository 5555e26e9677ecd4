"""Plays scenarios in tests, and says in plain lists what happened."""

from __future__ import annotations

import io

from tamiz.drive.world import Side, Stage, play
from tamiz.formats.complete import complete
from tamiz.formats.toml.policy import read_toml
from tamiz.model.policy import Policy
from tamiz.model.reading import Reading
from tamiz.model.trace import Step, Trace
from tamiz.model.windows import NEWEST, WindowsVersion
from tamiz.outcomes.pcapfile import PcapWriter
from tamiz.sources.scenario import Scenario, built_in, read_scenario

EPOCH = 1_600_000_000 * 10**9  # ns: time 0 of a scenario in a capture


def policy(text: str) -> Policy:
    """The policy of a TOML text."""
    return complete(read_toml(text.encode(), "policy.toml"))


def script(protocol: str, *acts: str) -> Scenario:
    """A scenario of one's own: each act is its keys, in TOML, separated by ';'."""
    tables = "".join("[[act]]\n" + act.replace(";", "\n") + "\n" for act in acts)
    return read_scenario(f'protocol = "{protocol}"\n{tables}'.encode(), "script.toml", "script")


def perform(
    scenario: str | Scenario,
    ip: int = 4,
    *,
    client: str = "",
    server: str = "",
    windows: WindowsVersion = NEWEST,
    reading: Reading = Reading.DOCUMENTED,
) -> Trace:
    """A scenario between two hosts with policies in TOML."""
    made = built_in(scenario) if isinstance(scenario, str) else scenario
    return play(made, Stage(ip, Side(policy(client)), Side(policy(server)), windows, reading))


def met(trace: Trace, host: str) -> list[str]:
    """The layers that a host met, without their IP version: "INBOUND_TRANSPORT SYN"."""
    return [shown(step) for step in trace.steps if step.host == host and step.layer is not None]


def shown(step: Step) -> str:
    """A step's layer without its IP version, and the packet's word where there is one."""
    assert step.layer is not None
    base = step.layer.short.replace("_V4", "").replace("_V6", "")
    return f"{base} {step.packet}" if step.packet else base


def sees(trace: Trace, host: str) -> list[str]:
    """What the application at `host` learns, beside the layers."""
    return [f"{s.event} {s.note}" for s in trace.steps if s.host == host and s.layer is None]


def sent(trace: Trace, host: str) -> str:
    """The words of what a host put on the wire."""
    return " ".join(packet.word for packet in trace.wire if packet.host == host)


def pcap(trace: Trace) -> bytes:
    """What was on the wire, as `tamiz trace --pcap` writes it."""
    file = io.BytesIO()
    writer = PcapWriter(file)
    for packet in trace.wire:
        writer.write(EPOCH + packet.time, packet.packet)
    return file.getvalue()
