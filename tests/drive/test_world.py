"""The world between two hosts: addresses, time, policies that change, what is told, and whom a server may speak to."""

from __future__ import annotations

import ipaddress

import pytest

from tamiz.drive.world import LATENCY, Side, Stage, play
from tamiz.engine.callouts import Call, Callouts, ClassifyOut
from tamiz.model._tables import FIELD
from tamiz.model.decisions import Action
from tamiz.model.keys import CalloutKey
from tamiz.model.objects import ActionType
from tamiz.model.values import app_id, blob, u32, u64
from tamiz.sources.scenario import built_in
from tamiz.wire.packet import dissect
from tests.drive.plays import met, perform, policy, script, sees, sent

BOUND, ASKS, ANSWERS = 'server = "bind"', 'client = "sendto"; data = "?"', 'server = "sendto"; data = "!"'


def ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def decided_by(trace_layer: str, stage: Stage, scenario: str = "tcp-establish") -> str | None:
    """The name of the filter that decided where `trace_layer` was first met."""
    step = next(s for s in play(built_in(scenario), stage).steps if s.layer and s.layer.short == trace_layer)
    return step.decision.filter.name if step.decision and step.decision.filter else None


# -- who speaks to whom ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "server"),
    [
        pytest.param("10.1.2.3", "203.0.113.7", id="IPv4"),
        pytest.param("fd00::3", "2001:db8:9::7", id="IPv6"),
    ],
)
def test_hosts_have_the_addresses_and_ports_that_they_are_given(client: str, server: str) -> None:
    version = ipaddress.ip_address(client).version
    stage = Stage(version, Side(address=ip(client), port=50_123), Side(address=ip(server), port=8443))
    trace = play(built_in("tcp-session"), stage)
    ends = set()
    for packet in trace.wire:
        seen = dissect(packet.packet)
        ends.add((packet.host, seen.ip.src, seen.transport.src_port, seen.ip.dst, seen.transport.dst_port))  # type: ignore[union-attr]
    assert ends == {
        ("client", ip(client), 50_123, ip(server), 8443),
        ("server", ip(server), 8443, ip(client), 50_123),
    }
    assert ":50123" in trace.hosts["client"]


def test_a_server_answers_whoever_sent_last() -> None:
    trace = perform(script("udp", BOUND, ASKS, ANSWERS))
    assert (sent(trace, "client"), sent(trace, "server")) == ("UDP", "UDP")
    assert trace.outcome == {"client": "delivered", "server": "delivered"}


def test_a_server_that_nobody_asked_has_nobody_to_answer() -> None:
    trace = perform(script("udp", BOUND, ANSWERS))
    assert trace.wire == ()
    assert trace.notes == ("server: sendto is not tried, there is nobody to answer",)


def test_a_server_may_address_a_client_that_waits_at_a_port_of_its_own() -> None:
    trace = perform(script("udp", 'client = "bind"; port = 5000', BOUND, ANSWERS))
    assert dissect(trace.wire[0].packet).transport.dst_port == 5000  # type: ignore[union-attr]
    assert met(trace, "client")[2:] == [
        "INBOUND_IPPACKET UDP", "INBOUND_TRANSPORT UDP", "ALE_AUTH_RECV_ACCEPT UDP", "ALE_FLOW_ESTABLISHED UDP",
        "DATAGRAM_DATA UDP",
    ]  # fmt: skip


@pytest.mark.parametrize("first", [(), ('client = "bind"; port = 4000',)], ids=["a new socket", "one that was bound"])
def test_a_connected_udp_socket_sends_to_its_peer(first: tuple[str, ...]) -> None:
    trace = perform(script("udp", BOUND, *first, 'client = "connect"', 'client = "send"; data = "?"', ANSWERS))
    assert met(trace, "client")[2:] == [
        "ALE_CONNECT_REDIRECT", "ALE_AUTH_CONNECT", "ALE_FLOW_ESTABLISHED", "DATAGRAM_DATA UDP",
        "OUTBOUND_TRANSPORT UDP", "OUTBOUND_IPPACKET UDP", "INBOUND_IPPACKET UDP", "INBOUND_TRANSPORT UDP",
        "DATAGRAM_DATA UDP",
    ]  # fmt: skip
    assert dissect(trace.wire[0].packet).transport.src_port == (4000 if first else 49_152)  # type: ignore[union-attr]
    assert trace.outcome == {"client": "delivered", "server": "delivered"}


def test_a_server_connects_to_no_client_without_a_port() -> None:
    trace = perform(script("tcp", 'server = "connect"'))
    assert (trace.steps, trace.notes) == ((), ("server: connect is not tried, the other host has no port",))


def test_an_address_that_looks_like_a_broadcast_is_a_host_s() -> None:
    trace = play(built_in("tcp-establish"), Stage(client=Side(address=ip("10.1.2.255"))))
    assert trace.outcome == {"client": "established", "server": "established"}


def test_what_needs_a_connection_is_not_tried_without_one() -> None:
    trace = perform(script("tcp", 'client = "send"; data = "x"', 'client = "close"'))
    assert trace.notes == (
        "client: send is not tried, there is no connection",
        "client: close is not tried, there is no connection",
    )
    assert trace.steps == ()
    assert trace.outcome == {"client": "silent", "server": "silent"}


def test_an_abort_is_a_reset() -> None:
    trace = perform(script("tcp", 'server = "listen"', 'client = "connect"', 'client = "abort"'))
    assert sent(trace, "client") == "SYN ACK RST"
    assert sees(trace, "server")[-1] == "receive fails: WSAECONNRESET 10054"
    assert trace.outcome["server"] == "reset"


# -- time ------------------------------------------------------------------------------------------------------------


def test_a_packet_takes_a_millisecond() -> None:
    trace = perform("tcp-establish")
    assert [packet.time for packet in trace.wire] == [0, LATENCY, 2 * LATENCY]
    assert [step.time for step in trace.steps if step.packet == "SYN" and step.direction == "in"] == [LATENCY] * 3


@pytest.mark.parametrize(
    ("seconds", "again"),
    [
        pytest.param(59, False, id="within a minute it is the same flow"),
        pytest.param(61, True, id="after a minute it is a new one"),
    ],
)
def test_an_idle_udp_flow_expires(seconds: int, again: bool) -> None:
    trace = perform(script("udp", BOUND, ASKS, f'client = "wait"; seconds = {seconds}', ASKS))
    for host, layer in (("client", "ALE_AUTH_CONNECT UDP"), ("server", "ALE_AUTH_RECV_ACCEPT UDP")):
        assert met(trace, host).count(layer) == 1 + again


def test_a_lost_syn_is_sent_again_later_and_later() -> None:
    trace = perform("tcp-establish", server='[[filter]]\nname = "b"\nlayer = "inbound-ippacket"\naction = "block"')
    seconds = [packet.time / 10**9 for packet in trace.wire]
    assert seconds == [0, 1, 3]


# -- policies --------------------------------------------------------------------------------------------------------

ADDED = 'filter = { name = "late", layer = "ale-auth-recv-accept", action = "block" }'


def test_a_change_at_a_layer_where_no_flow_was_made_asks_for_no_reauthorization() -> None:
    acts = ('server = "listen"', 'client = "connect"', f'client = "add-filter"; {ADDED}', 'client = "send"; data = "x"')
    trace = perform(script("tcp", *acts))
    assert "ALE_AUTH_CONNECT DATA" not in met(trace, "client")
    assert trace.outcome == {"client": "delivered", "server": "delivered"}


@pytest.mark.parametrize(("version", "layer"), [(4, "ALE_AUTH_RECV_ACCEPT_V4"), (6, "ALE_AUTH_RECV_ACCEPT_V6")])
def test_a_filter_of_both_families_is_added_where_it_counts(version: int, layer: str) -> None:
    trace = perform("tcp-reauthorize", version)
    changes = [step.note for step in trace.steps if step.event == "policy-change"]
    assert changes == [f"filter 'scenario: permit' is added at {layer}"]
    named = [s.decision.filter.name for s in trace.steps if s.decision is not None and s.decision.filter is not None]
    assert named == ["scenario: permit"]


def test_a_filter_that_was_removed_decides_no_more() -> None:
    acts = (BOUND, f'server = "add-filter"; {ADDED}', ASKS, 'server = "remove-filter"; name = "late"', ASKS)
    trace = perform(script("udp", *acts))
    verdicts = [s.decision.action for s in trace.steps if s.decision and s.layer and "RECV_ACCEPT_V4" in s.layer]
    assert verdicts == [Action.BLOCK, Action.PERMIT, Action.PERMIT]  # the block, its discard layer, the second datagram


@pytest.mark.parametrize(
    ("act", "version", "note"),
    [
        pytest.param('client = "remove-filter"; name = "x"', 4,
            "client: remove-filter changes nothing, no filter is named 'x'", id="a name that no filter has"),
        pytest.param('client = "add-filter"; filter = { name = "x", layer = "stream-v4", action = "block" }', 6,
            "client: add-filter changes nothing, the filter has no layer of IPv6", id="a layer of the other family"),
    ],
)  # fmt: skip
def test_a_change_that_changes_nothing_is_told(act: str, version: int, note: str) -> None:
    trace = perform(script("tcp", act), version)
    assert (trace.steps, trace.notes) == ((), (note,))


def test_a_trace_that_is_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamiz.drive.world.MAX_STEPS", 5)
    assert perform("tcp-establish").notes == ("more than 5 steps: what would follow is left out",)


# -- what is told of a host ------------------------------------------------------------------------------------------

BROWSER = "\\device\\harddiskvolume1\\browser.exe"
BY_APP = f"""
[[filter]]
name = "the browser"
layer = "ale-auth-connect"
action = "permit"
conditions = {{ app = '{BROWSER}' }}
"""


def test_without_an_application_the_decision_depends_and_the_host_goes_on() -> None:
    rules = policy(BY_APP.replace("permit", "block"))
    trace = play(built_in("tcp-establish"), Stage(client=Side(rules)))
    step = next(s for s in trace.steps if s.layer and s.layer.short == "ALE_AUTH_CONNECT_V4")
    assert step.decision is not None
    assert (step.decision.action, step.decision.depends_on) == (Action.DEPENDS, (FIELD.ALE_APP_ID,))
    assert trace.outcome == {"client": "established", "server": "established"}
    assert any("depend" in note for note in trace.notes)


def test_a_fact_that_is_told_decides() -> None:
    told = {FIELD.ALE_APP_ID: blob(app_id(BROWSER))}
    assert decided_by("ALE_AUTH_CONNECT_V4", Stage(client=Side(policy(BY_APP), told=told))) == "the browser"
    assert decided_by("ALE_AUTH_CONNECT_V4", Stage(client=Side(policy(BY_APP)))) is None


def test_an_interface_that_is_told_is_the_host_s() -> None:
    rules = policy(
        '[[filter]]\nname = "wireless"\nlayer = "outbound-transport"\naction = "permit"\n'
        "conditions = { interface-type = 71 }"
    )
    told = {FIELD.INTERFACE_TYPE: u32(71)}
    assert decided_by("OUTBOUND_TRANSPORT_V4", Stage(client=Side(rules, told=told))) == "wireless"
    assert decided_by("OUTBOUND_TRANSPORT_V4", Stage(client=Side(rules))) is None
    luid = {FIELD.IP_LOCAL_INTERFACE: u64(71 << 48), FIELD.INTERFACE_TYPE: u32(71)}
    assert decided_by("OUTBOUND_TRANSPORT_V4", Stage(client=Side(rules, told=luid))) == "wireless"


DRIVER = CalloutKey("{00000000-0000-4000-8000-00000000c001}")
CALLED = f"""
[[callout]]
name = "driver"
key = "{DRIVER}"
layer = "ale-auth-connect-v4"
[[filter]]
name = "by the driver"
layer = "ale-auth-connect-v4"
action = {{ callout = "driver", as = "terminating" }}
"""


@pytest.mark.parametrize(
    ("absorbs", "then"),
    [
        pytest.param(False, ["ALE_AUTH_CONNECT_DISCARD"], id="a block is told at the discard layer"),
        pytest.param(True, [], id="an absorbed block is told nowhere"),
    ],
)
def test_a_callout_blocks(absorbs: bool, then: list[str]) -> None:
    def behave(call: Call) -> ClassifyOut:
        return ClassifyOut(ActionType.BLOCK, right=False, absorb=absorbs)

    side = Side(policy(CALLED), callouts=Callouts({DRIVER: behave}))
    trace = play(built_in("tcp-establish"), Stage(client=side))
    assert met(trace, "client")[4:] == then
    assert (sees(trace, "client"), trace.outcome["client"]) == (["connect fails: WSAEACCES 10013"], "blocked")
