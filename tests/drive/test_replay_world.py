"""What two simulated hosts put on the wire, replayed as either of them, meets what that host met.

The packets of each built-in scenario become a capture; the replay infers the calls again from the packets. `CANNOT_SHOW`
lists, one by one, what a capture cannot show.
"""

from __future__ import annotations

import io
import ipaddress
from pathlib import Path
from typing import NamedTuple

import pytest

from tamiz.drive.replay_judge import Judge
from tamiz.drive.world import ADDRESSES, Side, Stage, play
from tamiz.engine.engine import Engine
from tamiz.formats.load import load_policies
from tamiz.model.policy import Policy
from tamiz.model.reading import Reading
from tamiz.model.trace import Trace
from tamiz.outcomes.pcapfile import PcapWriter
from tamiz.sources.capture import open_capture
from tamiz.sources.observer import Observer
from tamiz.sources.observer.flows import Ends, Flow, Plan
from tamiz.sources.scenario import NAMES, built_in
from tamiz.stack.witness import Known

Met = tuple[str, str, int | None]  # layer, action, filter


class Difference(NamedTuple):
    """Layers that only the host met, and those that only the replay met."""

    host: tuple[str, ...] = ()
    replay: tuple[str, ...] = ()


_SOCKET = ("ALE_ENDPOINT_CLOSURE", "ALE_RESOURCE_RELEASE")
CANNOT_SHOW = {
    # a refused connect leaves a socket that the scenario does not close; a replay takes it that it was
    ("tcp-no-listener", "client"): Difference(replay=_SOCKET),
    # the policy changes in the middle, which no packet tells
    ("tcp-reauthorize", "server"): Difference(host=("ALE_AUTH_RECV_ACCEPT",)),
    ("udp-reauthorize", "server"): Difference(host=("ALE_AUTH_RECV_ACCEPT",)),
    ("tcp-reauthorize-fail", "server"): Difference(
        ("ALE_AUTH_RECV_ACCEPT", "ALE_AUTH_RECV_ACCEPT_DISCARD"), ("STREAM",)
    ),
    ("udp-reauthorize-fail", "server"): Difference(
        ("ALE_AUTH_RECV_ACCEPT", "ALE_AUTH_RECV_ACCEPT_DISCARD"), ("DATAGRAM_DATA",)
    ),
    # the listener's own end, and that of a UDP socket, send nothing
    ("tcp-terminate", "server"): Difference(host=_SOCKET),
    ("tcp-session", "server"): Difference(host=_SOCKET),
    ("udp-terminate", "client"): Difference(host=_SOCKET),
    ("udp-terminate", "server"): Difference(host=_SOCKET),
}


class Diary:
    """A judge who also writes down what is met, in order."""

    def __init__(self, engine: Engine) -> None:
        self.judge, self.met = Judge(engine, Known(ipsec=False)), list[Met]()

    def see(self, flow: Flow | None, plan: Plan, number: int, ends: Ends) -> bool:
        if flow is None or not flow.blocked:
            for ruling, _ in self.judge.outcome(plan, ends).rulings:
                filter = None if ruling.filter is None else ruling.filter.id
                self.met.append((ruling.layer.short, ruling.action.value, filter))
        return self.judge.see(flow, plan, number, ends)

    def again(self, number: int) -> None:
        self.judge.again(number)

    def done(self, flow: Flow) -> None:
        self.judge.done(flow)


def replayed(trace: Trace, address: bytes, policy: Policy) -> list[Met]:
    """What the replay meets, in the reading of the trace."""
    file = io.BytesIO()
    writer = PcapWriter(file)
    for sent in trace.wire:
        writer.write(10**18 + sent.time, sent.packet)
    file.seek(0)
    diary = Diary(Engine(policy, trace.reading))
    observer = Observer((address,), diary)
    with open_capture(file, "the wire") as capture:
        observer.observe(capture)
    observer.close()
    return diary.met


def met(trace: Trace, host: str) -> list[Met]:
    return [
        (step.layer.short, step.decision.action.value, step.decision.filter.id if step.decision.filter else None)
        for step in trace.steps
        if step.host == host and step.layer is not None and step.decision is not None
    ]


def both(name: str, version: int, host: str, policy: Policy) -> tuple[list[Met], list[Met]]:
    """What `host`, the only one with a policy, met in the scenario and in the replay."""
    sides = {host: Side(policy)}
    trace = play(built_in(name), Stage(version, **sides))  # type: ignore[arg-type]
    return met(trace, host), replayed(trace, ipaddress.ip_address(ADDRESSES[host, version]).packed, policy)


def without(listed: list[Met], layers: tuple[str, ...], version: int) -> list[Met]:
    """`listed` without these layers, each once and counted from the end: what cannot be shown comes late."""
    left = list(listed)
    for layer in reversed(layers):
        stem = layer.removesuffix("_DISCARD")
        full = f"{stem}_V{version}{'_DISCARD' if stem != layer else ''}"
        place = max(n for n, (name, _, _) in enumerate(left) if name == full)
        del left[place]
    return left


def same_but_for(difference: Difference, host: list[Met], replay: list[Met], version: int) -> None:
    assert without(host, difference.host, version) == without(replay, difference.replay, version)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("host", ["client", "server"])
@pytest.mark.parametrize("name", NAMES)
def test_without_a_policy_replay_and_host_meet_the_same_layers_in_the_same_order(name, host, version):
    seen, replay = both(name, version, host, Policy())
    assert len(replay) > 3
    same_but_for(CANNOT_SHOW.get((name, host), Difference()), seen, replay, version)


def policy(tmp_path: Path, *filters: str) -> Policy:
    """A policy of filters, each `LAYER ACTION [CONDITION = VALUE, ...]`, named by its number."""
    text = ['[[sublayer]]\nname = "s"\nweight = 7\n']
    for n, filter in enumerate(filters, 1):
        layer, action, *conditions = filter.split(maxsplit=2)
        text.append(f'[[filter]]\nname = "{n}"\nsublayer = "s"\nlayer = "{layer}"\naction = "{action}"\n')
        text.append(f"conditions = {{ {' '.join(conditions)} }}\n")
    path = tmp_path / "policy.toml"
    path.write_text("".join(text), "utf-8")
    return load_policies([str(path)])


NAMED = (  # a filter that decides nearly everywhere, so that each decision names who made it
    "inbound-ippacket permit", "inbound-transport permit protocol = \"tcp\"", "outbound-transport permit remote-port = 443",
    "ale-auth-recv-accept permit protocol = \"udp\"", "ale-auth-connect permit remote-port = [443, 53]",
    "stream permit", "datagram-data permit", "outbound-ippacket permit", "ale-flow-established permit",
    "inbound-transport-discard permit", "ale-endpoint-closure permit protocol = \"tcp\"",
)  # fmt: skip


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("host", ["client", "server"])
@pytest.mark.parametrize("name", [name for name in NAMES if "reauthorize" not in name])
def test_the_same_filters_decide(tmp_path, name, host, version):
    seen, replay = both(name, version, host, policy(tmp_path, *NAMED))
    assert any(filter is not None for _, _, filter in replay)
    same_but_for(CANNOT_SHOW.get((name, host), Difference()), seen, replay, version)


BLOCKS = [
    pytest.param("tcp-session", "server", "ale-auth-recv-accept block local-port = 443", id="a SYN is not accepted"),
    pytest.param("tcp-session", "server", "inbound-transport block local-port = 443", id="a SYN is dropped below ALE"),
    pytest.param("tcp-session", "server", "inbound-ippacket block", id="every packet is dropped as it arrives"),
    pytest.param("tcp-session", "server", "ale-flow-established block", id="a flow may not be established"),
    pytest.param("tcp-session", "client", "inbound-transport block remote-port = 443", id="a SYN-ACK is dropped"),
    pytest.param("udp-terminate", "server", "ale-auth-recv-accept block", id="a datagram is not accepted"),
    pytest.param("udp-exchange", "client", "inbound-transport block", id="an answer is dropped"),
    pytest.param("icmp-echo", "server", "ale-auth-recv-accept block", id="a ping is not accepted"),
    pytest.param("icmp-echo", "client", "datagram-data block direction = \"inbound\"", id="a ping's answer is not delivered"),
]  # fmt: skip


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("name", "host", "filter"), BLOCKS)
def test_up_to_a_block_host_and_replay_meet_the_same(tmp_path, name, host, filter, version):
    """After a block the host tries again, and a capture of the other side's packets shows it; a replay says that the
    flow is blocked and meets no more layers."""
    seen, replay = both(name, version, host, policy(tmp_path, filter))
    first = next(n for n, (_, action, _) in enumerate(seen) if action == "block")
    assert "block" in [action for _, action, _ in replay]
    assert replay[: first + 1] == seen[: first + 1]
    assert replay[first + 1 : first + 2] == seen[first + 1 : first + 2]


STEALTH = [
    pytest.param("tcp-no-listener", "inbound-transport-discard block", id="no RST"),
    pytest.param("udp-no-listener", "inbound-ippacket-discard block", id="no port unreachable"),
    pytest.param("udp-no-listener", "outbound-icmp-error block", id="the error may not leave"),
]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("name", "filter"), STEALTH)
def test_a_capture_of_a_host_that_answered_shows_what_stealth_would_keep_back(tmp_path, name, filter, version):
    trace = play(built_in(name), Stage(version))
    seen, _ = both(name, version, "server", policy(tmp_path, filter))
    address = ipaddress.ip_address(ADDRESSES["server", version]).packed
    replay = replayed(trace, address, policy(tmp_path, filter))
    first = next(n for n, (_, action, _) in enumerate(replay) if action == "block")
    assert replay[: first + 1] == seen[: first + 1]


@pytest.mark.parametrize("version", [4, 6])
def test_in_the_observed_reading_a_dropped_datagram_s_icmp_error_is_met_all_the_same(tmp_path, version):
    rules = policy(tmp_path, "inbound-transport-discard block")
    trace = play(built_in("udp-no-listener"), Stage(version, server=Side(rules), reading=Reading.OBSERVED))
    replay = replayed(trace, ipaddress.ip_address(ADDRESSES["server", version]).packed, rules)
    assert replay == met(trace, "server")
    assert [(layer, action) for layer, action, _ in replay][1:3] == [
        (f"INBOUND_TRANSPORT_V{version}_DISCARD", "block"), (f"OUTBOUND_ICMP_ERROR_V{version}", "permit"),
    ]  # fmt: skip
