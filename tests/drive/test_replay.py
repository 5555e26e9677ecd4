"""A replay: what a policy makes of captured packets, packet by packet and flow by flow."""

from __future__ import annotations

import gzip
import io
import ipaddress
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.drive.replay import Settings, replay
from tamiz.engine.engine import Engine
from tamiz.formats.load import load_policies
from tamiz.model._tables import FIELD, ConditionFlags, Profile
from tamiz.model.errors import InputError
from tamiz.model.facts import Fact, KnownBits
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.policy import Policy
from tamiz.model.reading import Reading
from tamiz.model.sids import NULL_SID
from tamiz.model.values import sid_value, u32
from tamiz.model.windows import WindowsVersion
from tamiz.outcomes.pcapfile import PcapWriter
from tamiz.outcomes.replayed import Report, document, lines
from tamiz.sources.capture import Capture, Record, open_capture
from tamiz.sources.observer.table import MAX_FLOWS
from tamiz.stack.witness import Known
from tamiz.wire import icmp
from tamiz.wire.fragments import fragment
from tamiz.wire.packet import between, build
from tamiz.wire.tcp import Segment, TcpFlags
from tamiz.wire.udp import Datagram
from tests.engine.build import build as build_policy

EXAMPLES = Path(__file__).parents[2] / "examples"
HERE, THERE, GROUP = bytes([10, 0, 0, 5]), bytes([203, 0, 113, 7]), bytes([224, 0, 0, 251])
SYN, ACK, RST, FIN = TcpFlags.SYN, TcpFlags.ACK, TcpFlags.RST, TcpFlags.FIN


def tcp(out: bool, flags: TcpFlags, seq: int = 1, data: bytes = b"", port: int = 443, other: int = 50000) -> bytes:
    """A segment between this host's `other` or `port` and the other side."""
    ends, ports = ((HERE, THERE), (other, port)) if out else ((THERE, HERE), (port, other))
    return build(between(*ends, Segment(*ports, seq, 1, flags, 9000, payload=data)))


def udp(out: bool, port: int = 53, other: int = 50000, at: bytes = THERE) -> bytes:
    if at == GROUP and not out:
        return build(between(THERE, GROUP, Datagram(port, other, b"hi")))
    ends, ports = ((HERE, at), (other, port)) if out else ((at, HERE), (port, other))
    return build(between(*ends, Datagram(*ports, b"hi")))


SESSION = [
    tcp(True, SYN, 7), tcp(False, SYN | ACK, 90), tcp(True, ACK, 8), tcp(True, ACK, 8, b"hello"),
    tcp(False, ACK, 91, b"world"), tcp(True, FIN | ACK, 13), tcp(False, FIN | ACK, 96), tcp(True, ACK, 14),
]  # fmt: skip
SERVED = [tcp(False, SYN, 7), tcp(True, SYN | ACK, 90), tcp(False, ACK, 8), tcp(False, ACK, 8, b"hello")]
REFUSED = [tcp(False, SYN, 7), tcp(True, RST | ACK, 0)]
ASKED = [udp(True), udp(False)]
_DATAGRAM = udp(False)
UNWANTED = [_DATAGRAM, build(between(HERE, THERE, icmp.port_unreachable(4, _DATAGRAM)))]


def capture(packets: list[bytes], gap: int = 1_000_000) -> bytes:
    file = io.BytesIO()
    writer = PcapWriter(file)
    for n, packet in enumerate(packets):
        writer.write(10**18 + n * gap, packet)
    return file.getvalue()


def opener(data: bytes, name: str = "it.pcap") -> Callable[[], Capture]:
    return lambda: open_capture(io.BytesIO(data), name)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Report]:
    """`run(packets, filter, ...)`: the report of packets under filters `LAYER ACTION CONDITIONS`."""

    def call(packets: list[bytes], *filters: str, **settings: object) -> Report:
        text = ['[[sublayer]]\nname = "s"\nweight = 7\n']
        for n, each in enumerate(filters, 1):
            layer, action, *rest = each.split(maxsplit=2)
            text.append(f'[[filter]]\nname = "{n}"\nsublayer = "s"\nlayer = "{layer}"\naction = "{action}"\n')
            text.append(f"conditions = {{ {' '.join(rest)} }}\n")
        path = tmp_path / "policy.toml"
        path.write_text("".join(text), "utf-8")
        reading = settings.pop("reading", Reading.DOCUMENTED)
        made = Settings(local=(HERE,), **settings)  # type: ignore[arg-type]
        return replay(Engine(load_policies([str(path)]), reading), [opener(capture(packets))], made)  # type: ignore[arg-type]

    return call


Run = Callable[..., Report]


def packets_of(report: Report) -> dict[str, int]:
    return {name: count for name, count in report.packet_verdicts.items() if count}


def layer(report: Report, name: str) -> dict[str, int]:
    return {str(k): dict(v) for k, v in report.layers.items()}.get(f"FWPM_LAYER_{name}", {})


# -- verdicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packets", "filters", "verdicts", "flow"),
    [
        pytest.param(SESSION, [], {"permit": 8}, "permit", id="without a filter everything passes"),
        pytest.param(
            SESSION, ["ale-auth-connect block remote-port = 443"], {"block": 1, "flow-blocked": 7}, "block",
            id="a connect that is refused leaves no packets: those in the capture are flow-blocked",
        ),
        pytest.param(
            SESSION, ["ale-resource-assignment block"], {"block": 1, "flow-blocked": 7}, "block",
            id="so does a bind that is refused",
        ),
        pytest.param(
            SESSION, ["outbound-transport block remote-port = 443"], {"block": 1, "flow-blocked": 7}, "block",
            id="a SYN that is dropped opens nothing",
        ),
        pytest.param(
            SESSION, ["inbound-transport block remote-port = 443"], {"permit": 1, "block": 1, "flow-blocked": 6}, "block",
            id="nor does a SYN-ACK that is dropped",
        ),
        pytest.param(
            SESSION, ["ale-flow-established block"], {"permit": 2, "block": 1, "flow-blocked": 5}, "block",
            id="a flow that may not be established is closed",
        ),
        pytest.param(
            SESSION, ["stream block"], {"permit": 6, "block": 2}, "permit",
            id="data taken out of the stream leaves the connection",
        ),
        pytest.param(
            SESSION, ["ale-endpoint-closure block", "ale-resource-release block"], {"permit": 8}, "permit",
            id="a block of the closure changes nothing",
        ),
        pytest.param(
            SERVED, ["ale-auth-recv-accept block local-port = 50000"], {"block": 1, "flow-blocked": 3}, "block",
            id="a SYN that is not accepted",
        ),
        pytest.param(
            SERVED, ["ale-auth-listen block"], {"block": 1, "flow-blocked": 3}, "block", id="a listen that is refused"
        ),
        pytest.param(
            REFUSED, ["inbound-transport-discard block"], {"block": 1, "flow-blocked": 1}, "block",
            id="stealth: a block at the discard layer keeps the RST back",
        ),
        pytest.param(
            REFUSED, ["ale-auth-recv-accept block"], {"permit": 2}, "permit",
            id="where nobody listens nobody is asked whether to accept",
        ),
        pytest.param(
            UNWANTED, ["inbound-ippacket-discard block"], {"block": 1, "flow-blocked": 1}, "block",
            id="stealth: a block at the discard layer keeps the ICMP error back",
        ),
        pytest.param(
            UNWANTED, ["outbound-icmp-error block"], {"permit": 1, "block": 1}, "permit",
            id="an error that may not leave was about a datagram that was let in",
        ),
        pytest.param(
            ASKED, ["inbound-transport block protocol = \"udp\""], {"permit": 1, "block": 1}, "permit",
            id="an answer that is dropped leaves its flow",
        ),
        pytest.param(
            [*ASKED, *ASKED], ["datagram-data block direction = \"inbound\""], {"permit": 2, "block": 2}, "permit",
            id="datagrams that are not delivered leave their flow",
        ),
        pytest.param(
            SESSION, ["ale-auth-connect block app = 'C:\\x.exe'"], {"permit": 7, "depends": 1}, "depends",
            id="whether it is that application no packet tells",
        ),
    ],
)  # fmt: skip
def test_verdicts(run: Run, packets, filters, verdicts, flow):
    report = run(packets, *filters)
    assert packets_of(report) == verdicts
    assert {name for name, count in report.flow_verdicts.items() if count} == {flow}


def test_what_a_verdict_depends_on_is_named_and_counted(run: Run):
    report = run([*SESSION, *ASKED], "ale-auth-connect block app = 'C:\\x.exe'")
    assert dict(report.depends_on) == {"FWPM_CONDITION_ALE_APP_ID": 2}
    assert dict(report.flows_depend_on) == {"FWPM_CONDITION_ALE_APP_ID": 2}
    assert report.flow_verdicts["depends"] == 2


def test_a_layer_that_blocks_is_followed_by_its_discard_layer_and_no_other(run: Run):
    report = run(SESSION[:1], "ale-auth-connect block")
    assert layer(report, "ALE_AUTH_CONNECT_V4") == {"block": 1}
    assert layer(report, "ALE_AUTH_CONNECT_V4_DISCARD") == {"permit": 1}
    assert layer(report, "OUTBOUND_TRANSPORT_V4") == {}


def test_calls_before_the_first_packet_are_inferred_and_judged(run: Run):
    report = run(SESSION)
    assert {str(k).removeprefix("FWPM_LAYER_"): n for k, n in report.inferred.items()} == {
        "ALE_BIND_REDIRECT_V4": 1, "ALE_RESOURCE_ASSIGNMENT_V4": 1, "ALE_CONNECT_REDIRECT_V4": 1,
        "ALE_AUTH_CONNECT_V4": 1, "ALE_ENDPOINT_CLOSURE_V4": 1, "ALE_RESOURCE_RELEASE_V4": 1,
    }  # fmt: skip


def test_vista_has_no_redirect_no_closure_and_no_release(run: Run):
    report = run(SESSION, known=Known(windows=WindowsVersion.parse("vista")))
    assert {str(k).removeprefix("FWPM_LAYER_") for k in report.inferred} == {
        "ALE_RESOURCE_ASSIGNMENT_V4", "ALE_AUTH_CONNECT_V4",
    }  # fmt: skip


def test_stream_packet_is_met_where_a_filter_is_there(run: Run):
    assert layer(run(SESSION), "STREAM_PACKET_V4") == {}
    assert layer(run(SESSION, "stream-packet permit"), "STREAM_PACKET_V4") == {"permit": 8}


def test_the_observed_reading_reports_an_unwanted_datagram_at_the_transport_layer(run: Run):
    documented, observed = run(UNWANTED), run(UNWANTED, reading=Reading.OBSERVED)
    assert layer(documented, "INBOUND_IPPACKET_V4_DISCARD") == {"permit": 1}
    assert layer(observed, "INBOUND_TRANSPORT_V4_DISCARD") == {"permit": 1}


def test_who_decided_is_named_blocks_first(run: Run):
    report = run([*SESSION, *ASKED, *ASKED], "inbound-transport permit", 'datagram-data block direction = "inbound"')
    decided = [(d.layer.short, d.action.value, d.filter.name if d.filter else None, d.count) for d in report.decided]
    assert decided == [("DATAGRAM_DATA_V4", "block", "2", 2), ("INBOUND_TRANSPORT_V4", "permit", "1", 5)]


def test_one_of_several_filters_that_all_block_is_no_filter(run: Run):
    report = run(SESSION[:1], "ale-auth-connect block app = 'C:\\x.exe'", "ale-auth-connect block")
    assert [(d.filter, d.count) for d in report.decided] == [(None, 1)]


# -- flows of many ---------------------------------------------------------------------------------------------------


def test_inbound_multicast_is_one_flow_and_each_sender_is_judged_by_himself(run: Run):
    packets = [udp(False, port=5353, at=GROUP), udp(False, port=9, at=GROUP), udp(False, port=5353, at=GROUP)]
    report = run(packets, "ale-auth-recv-accept block remote-port = 9")
    assert packets_of(report) == {"permit": 2, "block": 1}
    assert report.flows == 1
    assert layer(report, "ALE_FLOW_ESTABLISHED_V4") == {"permit": 2}


def test_multicast_is_authorized_again_with_its_reason(run: Run):
    packets = [udp(False, port=5353, at=GROUP), udp(False, port=5353, at=GROUP)]
    again = run(packets, 'ale-auth-recv-accept block flags = { all-set = ["is-reauthorize"] }')
    assert packets_of(again) == {"permit": 1, "block": 1}
    assert layer(again, "ALE_AUTH_RECV_ACCEPT_V4_DISCARD") == {"permit": 1}
    named = "ale-auth-recv-accept block reauthorize-reason = { any-set = 0x100 }"
    assert packets_of(run(packets, named)) == {"permit": 1, "block": 1}


def test_the_packet_that_is_to_be_authorized_says_so_at_the_transport_layer(run: Run):
    asks = 'inbound-transport block flags = { all-set = ["requires-ale-classify"] }'
    assert packets_of(run(SERVED, asks)) == {"block": 1, "flow-blocked": 3}
    assert packets_of(run(SESSION, asks)) == {"permit": 8}


def test_what_is_absorbed_meets_no_discard_layer():
    for answer, discarded in (("B", True), ("B,ABSORB", False)):
        built = build_policy(f"S9:Ct({answer})", LayerKey("FWPM_LAYER_INBOUND_TRANSPORT_V4"))
        report = replay(built.engine(), [opener(capture(ASKED))], Settings(local=(HERE,)))
        assert packets_of(report) == {"permit": 1, "block": 1}
        assert bool(layer(report, "INBOUND_TRANSPORT_V4_DISCARD")) is discarded


def test_fragments_are_judged_one_by_one_and_as_a_whole(run: Run):
    pieces = fragment(build(between(THERE, HERE, Datagram(53, 5000, bytes(3000)))), 1500, 1)
    assert packets_of(run(pieces, "inbound-transport block")) == {"permit": 2, "block": 1}
    assert packets_of(run(pieces, 'inbound-ippacket block flags = { all-set = ["is-fragment"] }')) == {"block": 3}
    sent = fragment(build(between(HERE, THERE, Datagram(53, 5000, bytes(3000)))), 1500, 1)
    assert packets_of(run(sent, "outbound-transport block")) == {"block": 3}
    assert packets_of(run(sent[:2])) == {"permit": 2}
    assert run(sent[:2]).incomplete == 1


def test_loopback_is_both_ends_and_one_packet(run: Run):
    home = bytes([127, 0, 0, 1])
    syn = build(between(home, home, Segment(50000, 443, 7, 0, SYN, 9000)))
    answer = build(between(home, home, Segment(443, 50000, 9, 8, SYN | ACK, 9000)))
    assert packets_of(run([syn, answer])) == {"permit": 2}
    assert run([syn, answer]).flows == 2
    sender = run([syn, answer], 'ale-auth-connect block flags = { all-set = ["is-loopback"] }')
    assert packets_of(sender) == {"block": 1, "flow-blocked": 1}
    assert layer(sender, "OUTBOUND_TRANSPORT_V4") == {}
    receiver = run([syn, answer], 'ale-auth-recv-accept block flags = { all-set = ["is-loopback"] }')
    assert packets_of(receiver) == {"block": 1, "flow-blocked": 1}
    assert layer(receiver, "OUTBOUND_TRANSPORT_V4") == {"permit": 1}


def test_packets_between_strangers_are_not_local(run: Run):
    assert packets_of(run([build(between(THERE, bytes([8, 8, 8, 8]), Datagram(1, 2)))])) == {"not-local": 1}


def test_a_session_that_was_open_is_marked_and_judged_by_its_packets(run: Run):
    report = run(SESSION[3:5], "ale-auth-connect block")
    assert (report.open_at_start, packets_of(report)) == (1, {"permit": 2})
    assert not any("ALE_" in name for name in report.layers)


def test_what_is_told_settles_what_depends(run: Run):
    told: dict[FieldKey, Fact] = {FIELD.CURRENT_PROFILE_ID: u32(Profile.PRIVATE)}
    filters = ['inbound-transport block current-profile = "public"']
    assert packets_of(run(ASKED, *filters)) == {"permit": 1, "depends": 1}
    assert packets_of(run(ASKED, *filters, known=Known(told))) == {"permit": 2}


def test_what_a_capture_shows_in_the_clear_ipsec_does_not_protect_unless_it_is_told(run: Run):
    secured = 'inbound-transport block flags = { all-set = ["is-ipsec-secured"] }'
    assert packets_of(run(ASKED, secured)) == {"permit": 2}
    assert "IPsec" in run(ASKED, secured).assumptions[0]
    told = Known({FIELD.FLAGS: KnownBits(ConditionFlags.IS_IPSEC_SECURED, ConditionFlags.IS_IPSEC_SECURED)})
    assert packets_of(run(ASKED, secured, known=told)) == {"permit": 1, "block": 1}
    assert run(ASKED, secured, known=told).assumptions == ()


# -- captures --------------------------------------------------------------------------------------------------------


def test_captures_are_read_one_after_another_as_one(tmp_path: Path):
    parts = [opener(capture(SESSION[:3]), "a"), opener(gzip.compress(capture(SESSION[3:])), "b")]
    report = replay(Engine(Policy()), parts, Settings(local=(HERE,)))
    assert [(f.name, f.packets) for f in report.files] == [("a", 3), ("b", 5)]
    assert (report.packets, report.flows, report.open_at_start) == (8, 1, 0)


@pytest.mark.parametrize("missing", [1, 20, 40, 60])
def test_a_truncated_capture_is_reported_and_all_before_counts(missing: int):
    report = replay(Engine(Policy()), [opener(capture(SESSION)[:-missing])], Settings(local=(HERE,)))
    whole = 7 if missing <= 56 else 6
    assert (report.packets, report.packet_verdicts["permit"]) == (whole, whole)
    assert report.files[0].truncated is not None
    assert "byte" in report.files[0].truncated
    assert any("cut" in text for _, text in lines(report, 200))


def test_a_broken_capture_is_an_input_error():
    with pytest.raises(InputError):
        replay(Engine(Policy()), [opener(b"nothing of the kind")])


def test_the_local_host_is_inferred_from_the_same_records():
    report = replay(Engine(Policy()), [opener(capture(SESSION))])
    assert (report.local, report.packets, report.flows) == (("10.0.0.5",), 8, 1)
    assert report.how.startswith("the most frequent")


def test_records_are_held_up_to_a_limit_and_none_is_lost(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tamiz.drive.replay.PREFIX_BYTES", 100)
    report = replay(Engine(Policy()), [opener(capture(SESSION))])
    assert (report.local, report.packets) == (("10.0.0.5",), 8)
    assert report.how.endswith("3 of 3 packets")


def test_progress_is_told_now_and_then():
    told: list[tuple[str, int]] = []
    settings = Settings(local=(HERE,), progress=lambda file, offset: told.append((file, offset)))
    data = capture(SESSION * 1100)
    replay(Engine(Policy()), [opener(data, "long")], settings)
    assert len(told) == 2
    assert all(file == "long" and 0 < offset < len(data) for file, offset in told)


class Endless:
    """A capture that is nowhere: `count` datagrams of as many flows, made as they are read."""

    file, format, truncated = "endless", "pcap", None

    def __init__(self, count: int) -> None:
        self.count = count

    def __enter__(self) -> Endless:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Record]:
        for n in range(self.count):
            data = udp(True, port=1 + n % 60_000)
            yield Record(n + 1, n * 10_000, 101, 0, data, len(data), 0)


def peak(count: int) -> int:
    """The most bytes that a replay of `count` flows held at once, with 200 of them remembered."""
    tracemalloc.start()
    settings = Settings(local=(HERE,), max_flows=200)
    report = replay(Engine(Policy()), [lambda: Endless(count)], settings)  # type: ignore[list-item,return-value]
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.packets == report.flows == count
    assert report.evicted > 0
    return used


def test_memory_does_not_grow_with_the_capture():
    peak(500)  # what is made once
    assert peak(4_000) < peak(1_000) * 1.1


def test_the_limit_of_flows_is_what_the_table_says():
    assert Settings().max_flows == MAX_FLOWS


# -- laws ------------------------------------------------------------------------------------------------------------

POOL = [*SESSION, *SERVED, *REFUSED, *ASKED, *UNWANTED, udp(False, at=GROUP), b"\x45", b"\x45\0\0\x14" + bytes(16)]


@given(st.lists(st.sampled_from(POOL), max_size=30))
def test_every_packet_has_one_verdict_and_every_flow_too(packets: list[bytes]):
    report = replay(Engine(Policy()), [opener(capture(packets))], Settings(local=(HERE,)))
    assert sum(report.packet_verdicts.values()) + report.unparsed == report.packets == len(packets)
    assert sum(report.flow_verdicts.values()) == report.flows


# -- the example -----------------------------------------------------------------------------------------------------


def example(known: Known) -> Report:
    engine = Engine(load_policies([str(EXAMPLES / "office-laptop.xml")]))
    return replay(engine, [lambda: open_capture(EXAMPLES / "two-hosts.pcap", "two-hosts.pcap")], Settings(known))


def private() -> Iterator[tuple[FieldKey, Fact]]:
    yield FIELD.ALE_PACKAGE_ID, sid_value(NULL_SID)
    for field in (
        FIELD.ORIGINAL_PROFILE_ID, FIELD.CURRENT_PROFILE_ID, FIELD.LOCAL_INTERFACE_PROFILE_ID,
        FIELD.ARRIVAL_INTERFACE_PROFILE_ID, FIELD.NEXTHOP_INTERFACE_PROFILE_ID,
    ):  # fmt: skip
        yield field, u32(Profile.PRIVATE)


def test_the_example_capture_through_the_example_policy(golden: Callable[[str, str], None]):
    report = example(Known(dict(private())))
    golden("replay/two-hosts.json", json.dumps(document(report), indent=2) + "\n")
    golden("replay/two-hosts.txt", "".join(f"{text}\n" for _, text in lines(report, 200)))


def test_the_example_is_what_its_page_says():
    """examples/README.md: 148 packets; the laptop's addresses; stealth; what depends hangs on the program."""
    report = example(Known(dict(private())))
    assert report.packets == 148
    assert set(report.local) == {"192.0.2.10", "2001:db8::10"}
    stealth = [d for d in report.decided if d.layer.short.startswith("INBOUND_TRANSPORT") and d.action.value == "block"]
    assert {d.filter.name for d in stealth if d.filter} == {"No RST, private profile"}
    assert report.depends_on[FIELD.ALE_APP_ID] > 0
    assert ipaddress.ip_address(report.local[0]).version == 4
