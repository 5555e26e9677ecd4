"""What a bystander makes of packets: dialogues, line by line, and the sequences that each packet proves.

A line is what was on the wire and what it proved. `>` leaves the local host, `<` arrives. Inferred sequences stand in
parentheses. `:data` is a sequence without all but its data rows, `:segment` one without them, `:endpoint` the close of
an accepted connection, `:whole` what is left when the IP layer was met by fragments.
"""

from __future__ import annotations

import io
import ipaddress
from collections import defaultdict
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz import captures as seeds
from tamiz.model.errors import InputError
from tamiz.outcomes.pcapfile import PcapWriter, mac
from tamiz.sources.capture import Record, open_capture
from tamiz.sources.observer import Observer
from tamiz.sources.observer.flows import ENDED, Ends, Flow, Plan, Step, reassembled
from tamiz.sources.observer.local import infer
from tamiz.sources.observer.quoted import quotation
from tamiz.stack.rows import Unit
from tamiz.stack.sequences import SEQUENCES
from tamiz.wire import icmp
from tamiz.wire.fragments import fragment
from tamiz.wire.icmp import IcmpMessage
from tamiz.wire.packet import Packet, Raw, between, build, dissect
from tamiz.wire.tcp import Segment, TcpFlags
from tamiz.wire.udp import Datagram

HERE = {4: b"\x0a\0\0\x05", 6: bytes.fromhex("fd00000000000000000000000000 0005")}
THERE = {4: b"\xcb\0\x71\7", 6: bytes.fromhex("20010db8000000000000000000000007")}
ELSEWHERE = {4: b"\xcb\0\x71\x63", 6: bytes.fromhex("20010db8000000000000000000000063")}
GROUP = {4: b"\xe0\0\0\xfb", 6: bytes.fromhex("ff0200000000000000000000000000fb")}
FLAGS = {
    "SYN": TcpFlags.SYN, "SYN-ACK": TcpFlags.SYN | TcpFlags.ACK, "ACK": TcpFlags.ACK, "DATA": TcpFlags.ACK,
    "FIN": TcpFlags.FIN | TcpFlags.ACK, "RST": TcpFlags.RST, "RST-ACK": TcpFlags.RST | TcpFlags.ACK,
}  # fmt: skip
MS = 1_000_000


@dataclass
class Notebook:
    """A sink that judges nothing: what each packet proved, and how many flows came to their end."""

    proved: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    ends: dict[int, Ends] = field(default_factory=dict)
    flows: int = 0
    refuses: frozenset[str] = frozenset()

    def see(self, flow: Flow | None, plan: Plan, number: int, ends: Ends) -> bool:
        self.proved[number] += [shown(step) for step in plan.steps] or ["nothing"]
        self.ends[number] = ends
        failed = any(step.inferred and step.sequence in self.refuses for step in plan.steps)
        if flow is not None and failed:
            flow.blocked = True
        return failed

    def again(self, number: int) -> None:
        self.proved[number].append("as the packet it is a piece of")

    def done(self, flow: Flow) -> None:
        self.flows += 1


def shown(step: Step) -> str:
    """A step in the words of the module's docstring."""
    name = step.sequence
    units = {row.unit for row in SEQUENCES[name].rows}
    if units & step.leave and units - step.leave <= {Unit.DATA}:
        name += ":data"
    elif Unit.ENDPOINT in units and Unit.RESOURCE in step.leave:
        name += ":endpoint"
    elif Unit.DATA in units & step.leave:
        name += ":segment"
    if Unit.DATAGRAM in units & step.leave and not name.endswith(":data"):
        name += ":whole"
    return f"({name})" if step.inferred else name


def observe(packets: list[bytes], times: list[int] | None = None, **settings: object) -> tuple[Notebook, Observer]:
    notebook = Notebook(refuses=frozenset(settings.pop("refuses", ())))  # type: ignore[call-overload]
    observer = Observer((HERE[4], HERE[6]), notebook, **settings)  # type: ignore[arg-type]
    stamps = times or [n * MS for n in range(len(packets))]
    observer.observe(
        Record(n, time, 101, 0, data, len(data), 0)
        for n, (time, data) in enumerate(zip(stamps, packets, strict=True), 1)
    )
    observer.close()
    return notebook, observer


def wire(line: str, version: int, history: list[bytes]) -> bytes:
    """The packet of a line: `WAY WHAT [argument ...]`, see the cases below."""
    way, what, *rest = line.split()
    here, there = HERE[version], THERE[version]
    options = dict(part.split("=") for part in rest)
    there = {"else": ELSEWHERE[version], "group": GROUP[version]}.get(options.get("at", ""), there)
    source, destination = (here, there) if way == ">" else (there, here)
    if options.get("to") == "group":
        destination = GROUP[version]
    ports = (int(options.get("here", 50000)), int(options.get("there", 443)))
    ports = ports if way == ">" else ports[::-1]
    if what in FLAGS:
        text = bytes(int(options.get("bytes", 10 if what == "DATA" else 0)))
        segment = Segment(*ports, int(options.get("seq", 1)), 1, FLAGS[what], 9000, payload=text)
        return build(between(source, destination, segment))
    if what == "UDP":
        return build(between(source, destination, Datagram(*ports, bytes(int(options.get("bytes", 4))))))
    if what in ("PING", "PONG"):
        message = icmp.echo(version, reply=what == "PONG", identifier=int(options.get("id", 1)), sequence=1)
        return build(between(source, destination, message))
    if what == "UNREACHABLE":
        return build(between(source, destination, icmp.port_unreachable(version, history[int(options["about"]) - 1])))
    assert what == "GRE"
    return build(between(source, destination, Raw(b"\0\0\x08\0"), protocol=47))


LISTENER = [
    ("< SYN seq=7", "(bind) (tcp-listen) tcp-syn-in"),
    ("> SYN-ACK seq=90", "tcp-syn-ack-out"),
]
CLIENT = [
    ("> SYN seq=7", "(bind) (tcp-connect) tcp-syn-out"),
    ("< SYN-ACK seq=90", "tcp-syn-ack-in"),
    ("> ACK seq=8", "tcp-established-client tcp-ack-out"),
]
SERVER = [*LISTENER, ("< ACK seq=8", "tcp-ack-in tcp-established-server")]
DIALOGUES = [
    pytest.param(CLIENT, id="a handshake that this host begins: bind and connect are inferred from the SYN"),
    pytest.param(SERVER, id="a handshake that the other side begins: bind and listen are inferred from the SYN-ACK"),
    pytest.param(
        [CLIENT[0], ("> SYN seq=7", "tcp-syn-out"), *CLIENT[1:]],
        id="a SYN sent again meets its packet layers, and no connect",
    ),
    pytest.param(
        [LISTENER[0], ("< SYN seq=7", "tcp-syn-again-in"), *SERVER[1:], ("< SYN seq=7", "tcp-syn-again-in")],
        id="a SYN that arrives again, before the answer and after it, is not authorized again",
    ),
    pytest.param(
        [*SERVER, ("< SYN seq=5 there=444", "tcp-syn-in"), ("> SYN-ACK there=444", "tcp-syn-ack-out")],
        id="a second connection to a listener infers no second listen",
    ),
    pytest.param(
        [("< SYN seq=7", "tcp-no-endpoint-in"), ("> RST-ACK", "tcp-rst-out"), ("< SYN seq=7", "tcp-no-endpoint-in"),
         ("> RST-ACK", "tcp-rst-out")],
        id="a SYN that gets a RST found nobody, also when it is tried again",
    ),
    pytest.param(
        [("< SYN seq=7", "(bind) (tcp-listen) tcp-syn-in")], id="a SYN that nobody answers is judged as if somebody did"
    ),
    pytest.param(
        [("> SYN seq=7", "(bind) (tcp-connect) tcp-syn-out"), ("< RST-ACK", "tcp-abort-in (close)"),
         ("> SYN seq=7", "tcp-syn-out"), ("< RST-ACK", "tcp-abort-in")],
        id="a refused connection is closed, once, and Windows tries the same SYN again",
    ),
    pytest.param(
        [("> SYN seq=7", "(bind) (tcp-connect) tcp-syn-out"), ("< RST-ACK", "tcp-abort-in (close)"), ("> SYN seq=7", "tcp-syn-out"),
         *CLIENT[1:]],
        id="a SYN that is tried again after a RST may be answered",
    ),
    pytest.param(
        [*CLIENT[:2], ("> DATA seq=8", "tcp-established-client tcp-data-out:data tcp-data-out:segment")],
        id="a client's data may complete the handshake",
    ),
    pytest.param(
        [*LISTENER, ("< DATA seq=8", "tcp-data-in:segment tcp-established-server tcp-data-in:data")],
        id="data may complete the server's handshake: the flow is established between segment and stream",
    ),
    pytest.param(
        [*CLIENT, ("> DATA seq=8", "tcp-data-out:data tcp-data-out:segment"), ("> DATA seq=8", "tcp-data-out:segment"),
         ("< DATA seq=91", "tcp-data-in:segment tcp-data-in:data"), ("< DATA seq=91", "tcp-data-in:segment"),
         ("< DATA seq=91 bytes=20", "tcp-data-in:segment tcp-data-in:data")],
        id="bytes sent again meet no stream layer, unless some of them are new",
    ),
    pytest.param(
        [*CLIENT, ("< DATA seq=191", "tcp-data-in:segment tcp-data-in:data"), ("< DATA seq=91", "tcp-data-in:segment")],
        id="a gap is not waited for: bytes before the newest count as old",
    ),
    pytest.param(
        [*CLIENT, ("> DATA seq=7 bytes=1", "tcp-data-out:segment"), ("> DATA seq=4294967290 bytes=14", "tcp-data-out:segment")],
        id="a keep-alive's byte is old, and numbers wrap",
    ),
    pytest.param(
        [*CLIENT, ("> FIN seq=8", "tcp-fin-out"), ("< ACK seq=91", "tcp-ack-in"), ("< FIN seq=91", "tcp-fin-in"),
         ("> ACK seq=9", "tcp-ack-out (close)"), ("< FIN seq=91", "tcp-fin-in"), ("> ACK seq=9", "tcp-ack-out")],
        id="a client that closes first is closed by its last ACK, once",
    ),
    pytest.param(
        [*SERVER, ("< FIN seq=8", "tcp-fin-in"), ("> FIN seq=91", "tcp-fin-out"),
         ("< ACK seq=9", "tcp-ack-in (close:endpoint)")],
        id="an accepted connection has an endpoint to close, and no resource",
    ),
    pytest.param(
        [*CLIENT, ("> FIN seq=8", "tcp-fin-out"), ("< FIN seq=91", "tcp-fin-in"), ("< ACK seq=92", "tcp-ack-in"),
         ("> ACK seq=9", "tcp-ack-out (close)")],
        id="the last ACK is that of the other side's FIN",
    ),
    pytest.param(
        [*CLIENT, ("> FIN seq=8 bytes=5", "tcp-data-out:data tcp-fin-out"), ("< FIN seq=91 bytes=5", "tcp-fin-in tcp-data-in:data")],
        id="a FIN that carries data meets the stream layer too",
    ),
    pytest.param([*CLIENT, ("< RST seq=91", "tcp-abort-in (close)")], id="a RST ends the connection"),
    pytest.param([*SERVER, ("> RST-ACK seq=91", "tcp-abort-out (close:endpoint)")], id="so does a RST of this host"),
    pytest.param(
        [*CLIENT, ("< RST seq=91", "tcp-abort-in (close)"), ("> SYN seq=99", CLIENT[0][1])],
        id="a new SYN after the end is a new connection",
    ),
    pytest.param(
        [("> DATA seq=8", "tcp-data-out:data tcp-data-out:segment"), ("< ACK seq=91", "tcp-ack-in"),
         ("< DATA seq=91", "tcp-data-in:segment tcp-data-in:data"), ("> RST-ACK seq=18", "tcp-abort-out (close:endpoint)")],
        id="a connection that was open before proves only its packets",
    ),
    pytest.param(
        [("< ACK seq=91", "tcp-ack-in"), ("> DATA seq=8", "tcp-data-out:data tcp-data-out:segment")],
        id="an ACK out of nowhere belongs to an open connection when this host answers",
    ),
    pytest.param(
        [("< ACK seq=91", "tcp-no-endpoint-in"), ("> RST seq=1", "tcp-rst-out")],
        id="an ACK out of nowhere that gets a RST without ACK found nobody",
    ),
    pytest.param(
        [("< ACK seq=91", "tcp-ack-in"), ("> RST-ACK seq=1", "tcp-abort-out (close:endpoint)")],
        id="one that gets a RST with ACK belonged to a connection that this host gives up",
    ),
    pytest.param(
        [("< SYN-ACK seq=91", "tcp-syn-ack-in"), ("> ACK seq=8", "tcp-established-client tcp-ack-out")],
        id="a handshake of which the capture shows the end is established",
    ),
    pytest.param(
        [("> UDP", "(bind) udp-first-out"), ("< UDP", "udp-in"), ("> UDP", "udp-out"),
         ("> UDP there=53", "udp-first-out")],
        id="UDP: the first datagram out, an answer, more; the socket is bound once",
    ),
    pytest.param(
        [("< UDP", "(bind) udp-first-in"), ("> UDP", "udp-out"), ("< UDP", "udp-in"), ("< UDP there=444", "udp-first-in")],
        id="UDP: the first datagram in is wanted when this host answers; the socket is bound once",
    ),
    pytest.param(
        [("< UDP", "(bind) udp-first-in"), ("< UDP", "udp-in")], id="UDP: silence counts as somebody who listens"
    ),
    pytest.param(
        [("< UDP", "no-endpoint-in"), ("< UDP", "no-endpoint-in"), ("> UNREACHABLE about=2", "icmp-error-out"),
         ("< UDP", "no-endpoint-in"), ("> UNREACHABLE about=4", "icmp-error-out")],
        id="UDP: an ICMP error that quotes a datagram says that nobody wanted it, nor those before",
    ),
    pytest.param(
        [("> UDP", "(bind) udp-first-out"), ("< UNREACHABLE about=1", "icmp-error-in")],
        id="an ICMP error arrives about a datagram of this host",
    ),
    pytest.param(
        [("> PING", "(icmp-bind) icmp-first-out"), ("< PONG", "icmp-in"), ("> PING", "icmp-out"), ("< PONG", "icmp-in"),
         ("> PING id=2", "(icmp-bind) icmp-first-out")],
        id="ping out: replies belong to the request's flow, another identifier is another flow",
    ),
    pytest.param(
        [("< PING", "icmp-first-in"), ("> PONG", "icmp-out"), ("< PING", "icmp-in")], id="ping in: the stack answers"
    ),
    pytest.param(
        [("> GRE", "(raw-bind) raw-first-out"), ("< GRE", "raw-in"), ("> GRE", "raw-out")], id="another protocol out"
    ),
    pytest.param([("< GRE", "(raw-bind) raw-first-in"), ("< GRE", "raw-in")], id="another protocol in"),
    pytest.param(
        [("< UDP to=group", "udp-first-in"), ("< UDP to=group at=else", "udp-reauthorize-in"),
         ("< UDP to=group there=9", "udp-reauthorize-in")],
        id="all inbound multicast is one flow, authorized again for each packet",
    ),
    pytest.param(
        [("> UDP at=group there=5353", "(bind) udp-first-out"), ("> UDP at=group there=5353", "udp-out"),
         ("< UDP at=else there=5353", "udp-in"), ("< UDP there=9", "udp-in"), ("< UDP here=50001", "(bind) udp-first-in")],
        id="anybody may answer an outbound multicast, at its port",
    ),
]  # fmt: skip


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_what_packets_prove(dialogue, version):
    packets: list[bytes] = []
    for line, _ in dialogue:
        packets.append(wire(line, version, packets))
    notebook, _ = observe(packets)
    proved = [f"{line}: {' '.join(notebook.proved[n])}" for n, (line, _) in enumerate(dialogue, 1)]
    assert proved == [f"{line}: {wanted}" for line, wanted in dialogue]


@pytest.mark.parametrize(
    ("lines", "open_at_start", "unanswered"),
    [
        pytest.param(["< ACK seq=91", "> RST seq=1"], 0, 0, id="what belongs to nobody was not open"),
        pytest.param(["< ACK seq=91", "> ACK seq=1"], 1, 0, id="a connection without its SYN was open"),
        pytest.param(["> DATA seq=1"], 1, 0, id="also when this host speaks first"),
        pytest.param(["< SYN seq=7"], 0, 1, id="a SYN without an answer"),
        pytest.param(["< SYN seq=7", "> SYN-ACK"], 0, 0, id="a SYN with one"),
    ],
)
def test_what_is_open_at_the_start_and_what_is_unanswered_is_counted(lines, open_at_start, unanswered):
    _, observer = observe([wire(line, 4, []) for line in lines])
    assert (observer.table.open_at_start, observer.table.unanswered) == (open_at_start, unanswered)


# -- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "seconds", "wanted"),
    [
        pytest.param(["> UDP", "> UDP"], [0, 59.9], "udp-out", id="a UDP flow lives for sixty quiet seconds"),
        pytest.param(["> UDP", "> UDP"], [0, 60], "udp-first-out", id="and no longer"),
        pytest.param(["> PING", "< PONG", "> PING"], [0, 50, 100], "icmp-out", id="packets both ways keep it alive"),
        pytest.param(["> UDP at=group", "< UDP"], [0, 3.9], "udp-in", id="a multicast is answered within four seconds"),
        pytest.param(["> UDP at=group", "< UDP"], [0, 4], "udp-first-in", id="an answer after four seconds is no answer"),
        pytest.param(
            ["> UDP at=group", "< UDP", "< UDP"], [0, 3, 5], "udp-first-in", id="an answer does not prolong the four seconds"
        ),
        pytest.param(
            ["< UDP", "> UNREACHABLE about=1"], [0, 0.9], "icmp-error-out", id="an ICMP error within a second is an answer"
        ),
    ],
)  # fmt: skip
def test_time(lines, seconds, wanted):
    packets: list[bytes] = []
    for line in lines:
        packets.append(wire(line, 4, packets))
    notebook, _ = observe(packets, [int(s * 1000) * MS for s in seconds])
    assert notebook.proved[len(lines)][-1] == wanted


def test_a_datagram_that_waited_a_second_was_wanted_whatever_comes_then():
    datagram = wire("< UDP", 4, [])
    error = wire("> UNREACHABLE about=1", 4, [datagram])
    notebook, observer = observe([datagram, error], [0, 1_000 * MS])
    assert notebook.proved[1] == ["(bind)", "udp-first-in"]
    assert observer.table.unanswered == 1


def test_a_connection_that_is_tried_again_after_a_rst_is_one_flow():
    lines = ["> SYN seq=7", "< RST-ACK", "> SYN seq=7", "< SYN-ACK seq=90", "> ACK seq=8"]
    notebook, observer = observe([wire(line, 4, []) for line in lines])
    assert (notebook.flows, observer.table.open_at_start) == (1, 0)


def test_a_listen_that_the_policy_refuses_is_inferred_again():
    lines = ["< SYN seq=7", "> SYN-ACK", "< SYN seq=8 there=444", "> SYN-ACK there=444"]
    notebook, _ = observe([wire(line, 4, []) for line in lines], refuses=("tcp-listen",))
    assert notebook.proved[1] == notebook.proved[3] == ["(bind)", "(tcp-listen)", "tcp-syn-in"]


# -- fragments, errors, loopback, strangers --------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 6])
def test_inbound_fragments_are_met_one_by_one_and_once_more_when_they_are_whole(version):
    pieces = fragment(wire("< UDP bytes=3000", version, []), 1280, 7)
    notebook, _ = observe([*pieces, wire("> UDP", version, [])])
    assert notebook.proved[1] == notebook.proved[2] == ["fragment-in"]
    assert notebook.proved[3] == ["(bind)", "fragment-in", "reassembled-in", "udp-first-in:whole"]


@pytest.mark.parametrize("version", [4, 6])
def test_outbound_fragments_share_what_became_of_the_packet(version):
    pieces = fragment(wire("> UDP bytes=3000", version, []), 1280, 7)
    notebook, observer = observe([pieces[2], pieces[0], pieces[1], pieces[0]])
    assert notebook.proved[3] == ["(bind)", "udp-first-out"]
    assert notebook.proved[1] == notebook.proved[2] == ["as the packet it is a piece of"]
    assert notebook.proved[4] == ["nothing"]
    assert observer.incomplete == 1


def test_a_plan_of_fragments_meets_the_ip_layer_by_fragments_only():
    for step in reassembled(Plan((Step("udp-first-in"),), True)).steps[2:]:
        rows = [row for row in SEQUENCES[step.sequence].rows if row.unit not in step.leave]
        assert [row.layer for row in rows][:2] == ["INBOUND_TRANSPORT", "ALE_AUTH_RECV_ACCEPT"]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("cut", [8, 12, 40], ids="a quotation of {} bytes after the header".format)
def test_an_error_tells_what_it_quotes(version, cut):
    sent = wire("> SYN here=1234 there=80", version, [])
    error = icmp.port_unreachable(version, sent)
    short = replace(error, payload=sent[: (20 if version == 4 else 40) + cut])
    notebook, _ = observe([sent, build(between(THERE[version], HERE[version], short))])
    quoted = notebook.ends[2].embedded
    assert quoted is not None
    assert (quoted.protocol, quoted.remote, quoted.local_port, quoted.remote_port) == (6, THERE[version], 1234, 80)


def test_an_error_that_quotes_nothing_readable_is_met_all_the_same():
    error = build(between(THERE[4], HERE[4], IcmpMessage(4, 3, 3, payload=b"\x45")))
    notebook, _ = observe([error])
    assert notebook.proved[1] == ["icmp-error-in"]
    assert notebook.ends[1].embedded is None


@pytest.mark.parametrize(
    ("version", "kind", "code", "wanted"),
    [
        pytest.param(4, 3, 3, "no-endpoint-in", id="port unreachable"),
        pytest.param(4, 3, 2, "no-endpoint-in", id="protocol unreachable"),
        pytest.param(4, 3, 1, "(bind)", id="host unreachable says nothing of who listens"),
        pytest.param(4, 11, 0, "(bind)", id="nor does time exceeded"),
        pytest.param(6, 1, 4, "no-endpoint-in", id="port unreachable of IPv6"),
        pytest.param(6, 4, 1, "no-endpoint-in", id="unrecognized next header"),
        pytest.param(6, 1, 3, "(bind)", id="address unreachable"),
    ],
)
def test_which_errors_say_that_nobody_wanted_a_datagram(version, kind, code, wanted):
    datagram = wire("< UDP", version, [])
    error = build(between(HERE[version], THERE[version], IcmpMessage(version, kind, code, payload=datagram)))
    notebook, _ = observe([datagram, error])
    assert notebook.proved[1][0] == wanted


@pytest.mark.parametrize("version", [4, 6])
def test_an_error_about_a_later_fragment_tells_no_ports(version):
    pieces = fragment(wire("> UDP bytes=3000", version, []), 1280, 7)
    found = quotation(icmp.port_unreachable(version, pieces[1]))
    assert found is not None
    assert (found.key(True), found.embedded.local_port, found.embedded.remote) == (None, None, THERE[version])


def test_an_error_about_an_echo_finds_its_flow():
    ping = wire("> PING id=9", 4, [])
    found = quotation(icmp.port_unreachable(4, ping))
    assert found is not None
    assert found.key(True) == (1, HERE[4], THERE[4], 8, 0, 9)


def test_a_packet_from_this_host_to_itself_is_met_twice():
    syn = build(between(HERE[4], HERE[4], Segment(50000, 443, 7, 0, TcpFlags.SYN, 9000)))
    answer = build(between(HERE[4], HERE[4], Segment(443, 50000, 9, 8, FLAGS["SYN-ACK"], 9000)))
    notebook, _ = observe([syn, answer])
    assert notebook.proved[1] == ["(bind)", "(tcp-connect)", "tcp-syn-out", "(bind)", "(tcp-listen)", "tcp-syn-in"]
    assert notebook.proved[2] == ["tcp-syn-ack-out", "tcp-syn-ack-in"]
    assert notebook.ends[1].loopback


def test_what_is_nobody_s_here_is_not_local():
    _, observer = observe([build(between(THERE[4], ELSEWHERE[4], Datagram(1, 2)))])
    assert (observer.packets, observer.not_local) == (1, 1)


@pytest.mark.parametrize(
    ("address", "destination_mac", "wanted"),
    [
        pytest.param("10.0.0.255", "020000000001", ["udp-first-in"], id="the broadcast address of this host's /24"),
        pytest.param("10.0.3.255", "ffffffffffff", ["udp-first-in"], id="a frame to all is a broadcast"),
        pytest.param("10.0.3.255", "020000000001", [], id="an address like one, in a frame for one host"),
        pytest.param("255.255.255.255", "ffffffffffff", ["udp-first-in"], id="the limited broadcast"),
    ],
)
def test_broadcasts(address, destination_mac, wanted):
    packet = build(between(THERE[4], ipaddress.ip_address(address).packed, Datagram(138, 138)))
    data = bytes.fromhex(destination_mac) + bytes(6) + b"\x08\0" + packet
    notebook = Notebook()
    observer = Observer((HERE[4],), notebook)
    observer.observe([Record(1, 0, 1, 0, data, len(data), 0)])
    observer.close()
    assert notebook.proved.get(1, []) == wanted


@pytest.mark.parametrize(
    ("data", "linktype", "not_ip", "unparsed"),
    [
        pytest.param(bytes(12) + b"\x08\x06" + bytes(28), 1, 1, 0, id="ARP carries no IP"),
        pytest.param(bytes(5), 1, 0, 1, id="a frame shorter than its header"),
        pytest.param(b"\x45\0\0\x14" + bytes(8), 101, 0, 1, id="half an IP header"),
        pytest.param(b"\x45", 999, 0, 1, id="a link type that nobody knows"),
    ],
)
def test_what_cannot_be_judged_is_counted(data, linktype, not_ip, unparsed):
    notebook = Notebook()
    observer = Observer((HERE[4],), notebook)
    observer.observe([Record(1, 0, linktype, 0, data, len(data), 0)])
    assert (observer.packets, observer.not_ip, observer.unparsed) == (1, not_ip, unparsed)
    assert not notebook.proved


@pytest.mark.parametrize("version", [4, 6])
def test_a_ping_to_a_group_is_answered_by_many_and_their_replies_are_replies(version):
    request, reply = (8, 0) if version == 4 else (128, 129)
    notebook, _ = observe([wire("> PING at=group", version, []), wire("< PONG at=else", version, [])])
    assert notebook.proved[2] == ["icmp-in"]
    assert (notebook.ends[2].local_port, notebook.ends[2].original, notebook.ends[2].way) == (reply, request, "out")


def test_an_icmp_error_of_a_firewall_does_not_say_that_no_tcp_listener_is_there():
    syn = wire("< SYN seq=7", 4, [])
    notebook, observer = observe([syn, wire("> UNREACHABLE about=1", 4, [syn])])
    assert notebook.proved[1] == ["(bind)", "(tcp-listen)", "tcp-syn-in"]
    assert observer.table.unanswered == 1


def test_those_who_wait_are_bounded_when_time_stands_still():
    packets = [wire(f"< UDP there={port}", 4, []) for port in range(1000, 1300)]
    notebook, observer = observe(packets, [0] * 300, limit=50)
    assert len(observer.table.waiting) <= 50
    assert len(notebook.proved) == 300


# -- memory ----------------------------------------------------------------------------------------------------------


def test_flows_are_bounded_and_the_quiet_ones_go_first():
    packets = [wire(f"> UDP there={port}", 4, []) for port in range(1000, 1400)]
    notebook, observer = observe(packets, limit=100)
    assert len(observer.table.flows) <= 100
    assert observer.table.evicted >= 300
    assert notebook.flows == 400


def test_flows_that_are_over_are_forgotten():
    packets = [wire(f"> UDP there={port}", 4, []) for port in range(1000, 9000)]
    notebook = Notebook()
    observer = Observer((HERE[4],), notebook)
    observer.observe(Record(n, n * 100 * MS, 101, 0, data, len(data), 0) for n, data in enumerate(packets, 1))
    assert len(observer.table.flows) < 5000
    assert observer.table.evicted == 0


def test_ended_connections_give_way():
    lines = ["> SYN seq=7", "< RST-ACK"]
    _, observer = observe([wire(line, 4, []) for line in lines])
    flow = observer.table.open((6, HERE[4], THERE[4], 1, 2, 0), "out", ENDED, 0)
    assert flow.ends.local_port == 1


# -- whose capture ---------------------------------------------------------------------------------------------------


def frames(*pairs: tuple[bytes, bytes], macs: dict[bytes, bytes] | None = None) -> list[Record]:
    """Ethernet frames from and to; `macs`: addresses that are behind another MAC than their own."""
    found = []
    for n, (source, destination) in enumerate(pairs, 1):
        packet = build(between(source, destination, Datagram(1, 2)))
        ends = [(macs or {}).get(address, mac(address)) for address in (destination, source)]
        kind = b"\x08\0" if len(source) == 4 else b"\x86\xdd"
        data = b"".join(ends) + kind + packet
        found.append(Record(n, n, 1, 0, data, len(data), 0))
    return found


def test_the_mac_that_takes_part_in_most_frames_is_the_host_and_all_its_addresses_are():
    router, laptop = b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\2"
    strangers = [bytes([203, 0, 113, n]) for n in range(1, 60)]
    macs = {**dict.fromkeys([*strangers, THERE[6]], router), HERE[4]: laptop, HERE[6]: laptop}
    pairs = [(stranger, HERE[4]) for stranger in strangers] + [(HERE[4], strangers[0]), (HERE[6], THERE[6])]
    pairs += [(stranger, ELSEWHERE[4]) for stranger in strangers[:9]]  # the router takes part in more frames
    found = infer(frames(*pairs, macs=macs))
    assert set(found.addresses) == {HERE[4], HERE[6]}
    assert "02:00:00:00:00:02" in found.how


def test_of_two_equals_the_private_address_is_the_host():
    assert infer(frames((THERE[4], HERE[4]), (HERE[4], THERE[4]))).addresses == (HERE[4],)


def test_of_two_equals_that_are_both_public_the_first_sender_is_the_host():
    assert infer(frames((ELSEWHERE[4], THERE[4]), (THERE[4], ELSEWHERE[4]))).addresses == (ELSEWHERE[4],)


def test_without_a_link_the_most_frequent_address_is_the_host():
    pairs = [(HERE[4], THERE[4]), (ELSEWHERE[4], HERE[4])]
    packets = [build(between(source, destination, Datagram(1, 2))) for source, destination in pairs]
    found = infer(Record(n, n, 101, 0, data, len(data), 0) for n, data in enumerate(packets, 1))
    assert found.addresses == (HERE[4],)
    assert found.how.startswith("the most frequent")


def test_a_capture_that_says_which_way_is_believed():
    packets = [(4, THERE[4], ELSEWHERE[4]), (0, ELSEWHERE[4], THERE[4])]
    records = []
    for n, (kind, source, destination) in enumerate(packets, 1):
        packet = build(between(source, destination, Datagram(1, 2)))
        data = bytes([0, kind, 0, 1, 0, 6]) + bytes(8) + b"\x08\0" + packet
        records.append(Record(n, n, 113, 0, data, len(data), 0))
    assert infer(records).addresses == (THERE[4],)


def test_a_capture_without_addresses_has_no_host():
    assert infer([Record(1, 0, 1, 0, bytes(60), 60, 0)]).addresses == ()


# -- hostile captures ------------------------------------------------------------------------------------------------


def survives(data: bytes) -> None:
    """Whatever the bytes are: an InputError of the reader, or every packet counted once."""
    notebook = Notebook()
    observer = Observer((HERE[4], HERE[6]), notebook)
    try:
        with open_capture(io.BytesIO(data), "it") as capture:
            observer.observe(capture)
            infer([])
    except InputError:
        pass
    observer.close()
    accounted = len(notebook.proved) + observer.not_ip + observer.unparsed + observer.not_local
    assert accounted == observer.packets


def capture_of(packets: list[bytes]) -> bytes:
    file = io.BytesIO()
    writer = PcapWriter(file)
    for n, data in enumerate(packets):
        writer.write(n * MS, data)
    return file.getvalue()


def everything() -> list[bytes]:
    packets: list[bytes] = []
    for version in (4, 6):
        for case in DIALOGUES:
            start: list[bytes] = []
            for line, _ in case.values[0]:
                start.append(wire(line, version, start))
            packets += start
        packets += fragment(wire("< UDP bytes=3000", version, []), 1280, 7)
        packets += fragment(wire("> UDP bytes=3000", version, []), 1280, 7)
    return packets


EVERYTHING = everything()


@given(st.lists(st.sampled_from(EVERYTHING), max_size=40))
def test_every_packet_in_any_order_is_accounted_for_once(packets):
    survives(capture_of(packets))


@given(st.lists(st.sampled_from(EVERYTHING), min_size=1, max_size=6), st.data())
def test_damaged_packets_raise_nothing(packets, data):
    damaged = []
    for packet in packets:
        changed = bytearray(packet)
        for _ in range(data.draw(st.integers(0, 3))):
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        damaged.append(bytes(changed[: data.draw(st.integers(1, len(changed)))]))
    survives(capture_of(damaged))


@pytest.mark.parametrize("seed", seeds.seeds())
def test_hostile_captures_raise_nothing_but_input_errors(seed):
    survives(seed)
    for cut in range(0, len(seed), 7):
        survives(seed[:cut])


def test_dissect_and_observer_agree_on_what_is_a_packet():
    for data in EVERYTHING:
        assert isinstance(dissect(data), Packet)
