"""The stack and the Linux kernel: sessions under a policy, byte for byte, and the layers they met on the way.

The policy blocks whatever it does not name, so that each session here had to be permitted by a filter.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tamiz.model.reading import Reading
from tamiz.model.windows import NEWEST
from tamiz.stack.flow_pages import FLOW_PAGES
from tamiz.stack.rows import Condition, Row, layer_key
from tamiz.stack.sequences import SEQUENCES
from tamiz.stack.sockets import Endpoint
from tests.interop import kernel, needs, scenarios, tshark
from tests.interop.apps import HttpClient, HttpServer, Machine, UdpClient, UdpEcho, policy
from tests.interop.net import Tun, tun
from tests.interop.pump import ROUGH, Pump, Weather, write_pcap
from tests.interop.scenarios import HTTP_PORT

pytestmark = pytest.mark.interop

BOTH = pytest.mark.parametrize("version", [pytest.param(4, id="IPv4"), pytest.param(6, id="IPv6")])
ECHO_PORT, CLOSED_PORT, FORBIDDEN_PORT = 7, 81, 8081
SMALL = 300_000  # bytes: enough for a window that grows, few enough for one second

RULES = policy("""
[[sublayer]]
name = "interop"
weight = 0xFFFF

[[filter]]
name = "the web service"
sublayer = "interop"
layer = "ale-auth-recv-accept"
action = "permit"
weight = 15
conditions = { protocol = "tcp", local-port = 8080, remote-address = ["198.51.100.0/24", "2001:db8:1::/64"] }

[[filter]]
name = "fetching"
sublayer = "interop"
layer = "ale-auth-connect"
action = "permit"
weight = 15
conditions = { protocol = "tcp", remote-port = 8080, remote-address = ["198.51.100.1", "2001:db8:1::1"] }

[[filter]]
name = "the echo service"
sublayer = "interop"
layer = "ale-auth-recv-accept"
action = "permit"
weight = 15
conditions = { protocol = "udp", local-port = 7 }

[[filter]]
name = "asking for an echo"
sublayer = "interop"
layer = "ale-auth-connect"
action = "permit"
weight = 15
conditions = { protocol = "udp", remote-port = 7 }

[[filter]]
name = "ping, IPv4"
sublayer = "interop"
layer = "ale-auth-recv-accept-v4"
action = "permit"
weight = 15
conditions = { protocol = "icmp", icmp-type = "echo-request" }

[[filter]]
name = "ping, IPv6"
sublayer = "interop"
layer = "ale-auth-recv-accept-v6"
action = "permit"
weight = 15
conditions = { protocol = "icmpv6", icmp-type = "echo-request" }

[[filter]]
name = "everything else"
sublayer = "interop"
layer = ["ale-auth-recv-accept", "ale-auth-connect"]
action = "block"
weight = 0

[[filter]]
name = "every segment is judged, too"
sublayer = "interop"
layer = ["inbound-transport", "outbound-transport"]
action = "permit"
conditions = { protocol = "tcp", interface-type = 131 }

[[filter]]
name = "no other transport over an interface that is no tunnel"
sublayer = "interop"
layer = ["inbound-transport", "outbound-transport"]
action = "block"
weight = 0
conditions = { interface-type = { not = 131 } }
""")

# packet-flows.md 6, as Windows has it: silence for SYNs and datagrams that nobody waits for
STEALTH = policy("""
[[filter]]
name = "no answer to a SYN, IPv4"
layer = "inbound-transport-v4-discard"
action = { callout = "FWPM_CALLOUT_WFP_TRANSPORT_LAYER_V4_SILENT_DROP", as = "terminating" }
conditions = { flags = { none-set = ["is-loopback"] } }

[[filter]]
name = "no answer to a SYN, IPv6"
layer = "inbound-transport-v6-discard"
action = { callout = "FWPM_CALLOUT_WFP_TRANSPORT_LAYER_V6_SILENT_DROP", as = "terminating" }
conditions = { flags = { none-set = ["is-loopback"] } }

[[filter]]
name = "no ICMP error, IPv4"
layer = "outbound-icmp-error-v4"
action = "block"
conditions = { icmp-type = 3 }

[[filter]]
name = "no ICMP error, IPv6"
layer = "outbound-icmp-error-v6"
action = "block"
conditions = { icmp-type = 1 }
""")


@pytest.fixture(autouse=True)
def _machine() -> None:
    needs.need("curl", "ping", "tshark")


@pytest.fixture
def device() -> Iterator[Tun]:
    """A namespace of the test's own: what a kernel still has to say to one host is not heard by the next."""
    needs.need()
    with tun() as made:
        yield made


@pytest.fixture(scope="module")
def body() -> bytes:
    return kernel.payload(kernel.TEN_MEGABYTES)


# -- what is documented ----------------------------------------------------------------------------------------------


def page(name: str, role: str, version: int) -> list[str]:
    """The layers that a flow page lists for one role."""
    return [layer for leg in FLOW_PAGES[name] if leg.role == role for layer in expanded(leg.rows, version)]


def sequence(name: str, version: int) -> list[str]:
    return list(expanded(SEQUENCES[name].rows, version))


def expanded(rows: tuple[Row, ...], version: int) -> Iterator[str]:
    for row in rows:
        if row.layer and row.when is Condition.ALWAYS and row.applies(NEWEST, Reading.DOCUMENTED):
            yield layer_key(row.layer, version).short


def met(host: Machine) -> list[str]:
    return [step.layer for step in host.met]


# What an established connection meets, however much it carries and loses: sections 1.5 and 1.7, and nothing else.
LATER = re.compile(
    r"(INBOUND_IPPACKET (?P<i>[A-Z]+)\nINBOUND_TRANSPORT (?P=i)\n(STREAM DATA\n)?"
    r"|STREAM DATA\n"
    r"|OUTBOUND_TRANSPORT (?P<o>[A-Z]+)\nOUTBOUND_IPPACKET (?P=o)\n"
    r"|ALE_ENDPOINT_CLOSURE\n|ALE_RESOURCE_RELEASE\n)*"
)


def only_data_and_the_end(steps: list[str], version: int) -> bool:
    return LATER.fullmatch("".join(f"{step.replace(f'_V{version}', '')}\n" for step in steps)) is not None


def decided(host: Machine, layer: str) -> set[str]:
    """The filters that decided at a layer."""
    return {step.decision.filter.name for step in host.met if step.layer == layer and step.decision.filter}


# -- TCP -------------------------------------------------------------------------------------------------------------


@BOTH
def test_curl_brings_ten_megabytes_from_the_host(device: Tun, body: bytes, version: int) -> None:
    host = Machine.behind(device, RULES)
    HttpServer(host, version, HTTP_PORT, body)
    fetched = scenarios.kernel_fetches(device, host, version, weather=ROUGH)
    assert (fetched.exit_code, fetched.status, fetched.size) == (0, 200, 10_000_000)
    assert fetched.sha256 == kernel.sha256(body)
    assert decided(host, f"ALE_AUTH_RECV_ACCEPT_V{version}") == {"the web service"}
    assert not host.failed


@BOTH
def test_the_host_fetches_ten_megabytes_from_the_kernel(device: Tun, body: bytes, version: int) -> None:
    host, client = fetching(device, version)
    scenarios.host_fetches(device, host, version, body, lambda: client.finished, weather=ROUGH)
    assert kernel.sha256(scenarios.http_body(bytes(client.response))) == kernel.sha256(body)
    assert decided(host, f"ALE_AUTH_CONNECT_V{version}") == {"fetching"}
    assert not host.failed


def fetching(device: Tun, version: int) -> tuple[Machine, HttpClient]:
    host, address = Machine.behind(device, RULES), device.kernel.address(version)
    return host, HttpClient(host, address, Endpoint(ipaddress.ip_address(address).packed, HTTP_PORT))


@BOTH
def test_a_server_meets_the_documented_layers_and_wireshark_finds_no_fault(
    device: Tun, body: bytes, version: int, tmp_path: Path
) -> None:
    host, capture = Machine.behind(device, RULES), tmp_path / "serve.pcap"
    HttpServer(host, version, HTTP_PORT, body[:SMALL])
    fetched = scenarios.kernel_fetches(device, host, version, capture=capture)
    assert fetched.sha256 == kernel.sha256(body[:SMALL])
    opening = page("tcp-establish", "server", version)
    assert met(host)[: len(opening)] == opening
    assert only_data_and_the_end(host.layers()[len(opening) :], version)
    assert decided(host, f"INBOUND_TRANSPORT_V{version}") == {"every segment is judged, too"}
    assert tshark.faults(capture) == []


@BOTH
def test_a_client_meets_the_documented_layers_and_wireshark_finds_no_fault(
    device: Tun, body: bytes, version: int, tmp_path: Path
) -> None:
    (host, client), capture = fetching(device, version), tmp_path / "fetch.pcap"
    closed = f"ALE_RESOURCE_RELEASE_V{version}"
    scenarios.host_fetches(device, host, version, body[:SMALL], lambda: met(host)[-1] == closed, capture=capture)
    assert scenarios.http_body(bytes(client.response)) == body[:SMALL]
    opening = page("tcp-data", "client", version)  # the establishment, then the request
    assert met(host)[: len(opening)] == opening
    assert only_data_and_the_end(host.layers()[len(opening) :], version)
    assert met(host)[-2:] == sequence("close", version)
    assert tshark.faults(capture) == []


@BOTH
def test_the_end_of_a_served_session_is_told_once(device: Tun, version: int) -> None:
    host = Machine.behind(device, RULES)
    HttpServer(host, version, HTTP_PORT, b"hello")
    pump = Pump(device.descriptor, host)
    address = kernel.url(device.host(version), HTTP_PORT)
    assert pump.during(lambda: kernel.curl(device.kernel.space, address), 20).size == 5
    closure = sequence("close", version)[0]
    pump.run(lambda: closure in met(host), 5)
    assert met(host).count(closure) == 1
    assert f"INBOUND_TRANSPORT_V{version} FIN" in host.layers()
    assert only_data_and_the_end(host.layers()[len(page("tcp-establish", "server", version)) :], version)


@BOTH
def test_a_rough_session_is_free_of_broken_packets(device: Tun, body: bytes, version: int, tmp_path: Path) -> None:
    host, capture = Machine.behind(device, RULES), tmp_path / "rough.pcap"
    HttpServer(host, version, HTTP_PORT, body[: 2 * SMALL])
    weather = Weather(loss=0.02, reorder=0.02, seed=3)
    fetched = scenarios.kernel_fetches(device, host, version, weather=weather, capture=capture)
    assert fetched.sha256 == kernel.sha256(body[: 2 * SMALL])
    opening = page("tcp-establish", "server", version)
    assert met(host)[:3] == opening[:3]
    assert tshark.broken(capture) == []
    # whatever tshark calls it, which depends on how soon it came
    again = ("retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order")
    assert tshark.shown(capture, " || ".join(f"tcp.analysis.{name}" for name in again)) != []


@BOTH
def test_a_closed_port_refuses_at_once(device: Tun, version: int, tmp_path: Path) -> None:
    host, capture = Machine.behind(device, RULES), tmp_path / "refused.pcap"
    outcome, seconds = scenarios.kernel_connects(device, host, version, CLOSED_PORT, capture=capture)
    assert outcome == "refused"
    assert seconds < 1
    assert met(host) == page("tcp-no-listener", "server", version)
    assert tshark.faults(capture) == []


@BOTH
def test_under_stealth_a_closed_port_is_silent(device: Tun, version: int) -> None:
    host = Machine.behind(device, STEALTH)
    outcome, seconds = scenarios.kernel_connects(device, host, version, CLOSED_PORT, timeout=0.5)
    assert outcome == "timed out"
    assert seconds >= 0.5
    assert met(host) == page("tcp-no-listener", "server", version)[:2]


@BOTH
def test_a_port_that_the_policy_forbids_is_silent(device: Tun, version: int) -> None:
    host = Machine.behind(device, RULES)
    HttpServer(host, version, FORBIDDEN_PORT, b"nobody reads this")
    outcome, _ = scenarios.kernel_connects(device, host, version, FORBIDDEN_PORT, timeout=0.5)
    opening = page("tcp-establish", "server", version)
    accept = opening.index(f"ALE_AUTH_RECV_ACCEPT_V{version}")
    assert outcome == "timed out"
    assert met(host) == [*opening[: accept + 1], f"ALE_AUTH_RECV_ACCEPT_V{version}_DISCARD"]
    assert decided(host, f"ALE_AUTH_RECV_ACCEPT_V{version}") == {"everything else"}


# -- UDP and ICMP ----------------------------------------------------------------------------------------------------


def asks(device: Tun, host: Machine, version: int, port: int, data: bytes, timeout: float = 3.0) -> bytes | str:
    """What the kernel gets back for one datagram to the host."""
    pump = Pump(device.descriptor, host)
    return pump.during(
        lambda: kernel.datagram(device.kernel.space, device.host(version), port, data, timeout), timeout + 10
    )


@BOTH
def test_a_datagram_comes_back(device: Tun, version: int, tmp_path: Path) -> None:
    host = Machine.behind(device, RULES)
    UdpEcho(host, version, ECHO_PORT)
    assert asks(device, host, version, ECHO_PORT, b"hello, host") == b"hello, host"
    assert met(host) == page("udp-exchange", "server", version)
    assert decided(host, f"ALE_AUTH_RECV_ACCEPT_V{version}") == {"the echo service"}


@BOTH
def test_a_datagram_in_fragments_comes_back_in_fragments(device: Tun, version: int, tmp_path: Path) -> None:
    host, data = Machine.behind(device, RULES), kernel.payload(5000)
    UdpEcho(host, version, ECHO_PORT)
    pump, address = Pump(device.descriptor, host), device.host(version)
    reply = pump.during(lambda: kernel.datagram(device.kernel.space, address, ECHO_PORT, data), 10)
    assert reply == data
    bind, first = sequence("bind", version), sequence("udp-first-in", version)
    assert met(host)[len(bind) :] == [
        *sequence("fragment-in", version) * 4, *sequence("reassembled-in", version), *first[1:],
        *sequence("udp-out", version),
    ]  # fmt: skip
    write_pcap(tmp_path / "fragments.pcap", pump.records)
    assert [r.direction for r in pump.records] == ["in"] * 4 + ["out"] * 4
    assert tshark.broken(tmp_path / "fragments.pcap") == []


@BOTH
def test_the_host_asks_the_kernel(device: Tun, version: int, tmp_path: Path) -> None:
    host, address = Machine.behind(device, RULES), device.kernel.address(version)
    pump = Pump(device.descriptor, host)
    with kernel.udp_echo(device.kernel.space, address, ECHO_PORT):
        client = UdpClient(host, Endpoint(ipaddress.ip_address(address).packed, ECHO_PORT), b"hello, kernel")
        pump.run(lambda: bool(client.replies), 5)
    assert client.replies == [b"HELLO, KERNEL"]
    assert met(host) == page("udp-exchange", "client", version)
    write_pcap(tmp_path / "udp.pcap", pump.records)
    assert tshark.broken(tmp_path / "udp.pcap") == []


@BOTH
def test_a_datagram_that_nobody_waits_for_is_refused(device: Tun, version: int) -> None:
    host = Machine.behind(device, RULES)
    assert asks(device, host, version, CLOSED_PORT, b"anybody?") == "refused"
    assert met(host) == page("udp-no-listener", "server", version)


@BOTH
def test_under_stealth_a_datagram_that_nobody_waits_for_is_lost(device: Tun, version: int) -> None:
    host = Machine.behind(device, STEALTH)
    assert asks(device, host, version, CLOSED_PORT, b"anybody?", 0.5) == "timed out"
    assert met(host) == [
        *page("udp-no-listener", "server", version)[:3], f"OUTBOUND_ICMP_ERROR_V{version}_DISCARD",
    ]  # fmt: skip


@BOTH
@pytest.mark.parametrize("size", [pytest.param(56, id="small"), pytest.param(4000, id="in fragments")])
def test_every_ping_of_the_kernel_is_answered(device: Tun, version: int, size: int, tmp_path: Path) -> None:
    host = Machine.behind(device, RULES)
    pump = Pump(device.descriptor, host)
    answered = pump.during(lambda: kernel.ping(device.kernel.space, device.host(version), 10, size=size), 30)
    assert (answered.sent, answered.received) == (10, 10)
    assert decided(host, f"ALE_AUTH_RECV_ACCEPT_V{version}") == {f"ping, IPv{version}"}
    write_pcap(tmp_path / "ping.pcap", pump.records)
    assert tshark.broken(tmp_path / "ping.pcap") == []
    if size == 56:
        later = sequence("icmp-in", version) + sequence("icmp-out", version)
        assert met(host) == page("icmp-echo", "server", version) + later * 9
