from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.wire import ipv6
from tamiz.wire.errors import Malformed
from tamiz.wire.ipv4 import Fragment
from tamiz.wire.ipv6 import Extension, Kind
from tests.wire.cases import (
    A6,
    B6,
    HEADER_V6,
    IPV6_UDP,
    UDP_V6,
    headers_v6,
    payloads,
    refuses_each_beginning,
    survives,
)

WHOLE = IPV6_UDP + UDP_V6
ALERT = Extension(Kind.HOP_BY_HOP, bytes.fromhex("05020000 0100"))
ROUTE = Extension(Kind.ROUTING, bytes.fromhex("0001 00000000") + A6)
AUTH = Extension(Kind.AUTHENTICATION, bytes(22))
PADDING = Extension(Kind.DESTINATION, bytes.fromhex("0104 00000000"))
ATOMIC = ipv6.fragment_extension(Fragment(0, False, 7))
MIDDLE = ipv6.fragment_extension(Fragment(1232, True, 7))


def chain(*extensions: Extension) -> ipv6.Header:
    return replace(HEADER_V6, extensions=extensions)


@pytest.mark.parametrize(
    ("header", "after_the_addresses"),
    [
        pytest.param(HEADER_V6, "", id="no extension"),
        pytest.param(chain(ALERT), "1100 05020000 0100", id="hop-by-hop"),
        pytest.param(chain(PADDING), "1100 0104 00000000", id="destination options"),
        pytest.param(chain(ROUTE), "1102 0001 00000000" + A6.hex(), id="a route"),
        pytest.param(chain(ATOMIC), "1100 0000 00000007", id="an atomic fragment"),
        pytest.param(chain(MIDDLE), "1100 04d1 00000007", id="a middle fragment"),
        pytest.param(chain(AUTH), "1104" + "00" * 22, id="an authentication header counts in fours"),
        pytest.param(chain(ALERT, PADDING), "3c00 05020000 0100 1100 0104 00000000", id="each one names the next"),
    ],
)
def test_a_header_in_both_directions(header, after_the_addresses):
    data = ipv6.emit(header, UDP_V6)
    assert data[40:] == bytes.fromhex(after_the_addresses) + UDP_V6
    assert int.from_bytes(data[4:6], "big") == len(data) - 40
    assert ipv6.parse(data) == (header, UDP_V6, len(UDP_V6))


def test_the_bytes_written_by_hand():
    assert ipv6.parse(WHOLE) == (HEADER_V6, UDP_V6, 11)
    assert ipv6.emit(HEADER_V6, UDP_V6) == WHOLE
    assert (HEADER_V6.version, HEADER_V6.hops, HEADER_V6.size) == (6, 64, 40)


def test_traffic_class_and_flow_label_share_a_word():
    header = replace(HEADER_V6, traffic_class=0xB8, flow_label=0x12345)
    assert ipv6.emit(header, b"")[:4] == bytes.fromhex("6b812345")
    assert ipv6.parse(ipv6.emit(header, b""))[0] == header


@pytest.mark.parametrize(
    ("data", "offset", "found"),
    [
        pytest.param(b"\x40" + WHOLE[1:], 0, "version 4", id="another version"),
        pytest.param(WHOLE[:5] + b"\x0c" + WHOLE[6:], 4, "a payload length of 12", id="longer than its bytes"),
        pytest.param(IPV6_UDP[:6] + b"\0" + IPV6_UDP[7:40] + b"\x11\x01" + bytes(9), 41, "16 bytes", id="too long"),
        pytest.param(
            IPV6_UDP[:5] + b"\x10\x3c" + IPV6_UDP[7:] + b"\0\0" + bytes(14),
            48,
            "a hop-by-hop header after another",
            id="hop-by-hop in second place",
        ),
        pytest.param(
            IPV6_UDP[:4] + b"\0\x90\x3c" + IPV6_UDP[7:] + (b"\x3c" + bytes(7)) * 18,
            40 + 16 * 8,
            "more than 16 extension headers",
            id="a chain without end",
        ),
    ],
)
def test_what_is_wrong_is_named(data, offset, found):
    with pytest.raises(Malformed) as refusal:
        ipv6.parse(data)
    assert (refusal.value.offset, refusal.value.found) == (offset, found)


def test_the_walk_ends_at_a_fragment():
    data = ipv6.emit(replace(chain(MIDDLE), protocol=int(Kind.DESTINATION)), b"\xff" * 8)
    header, payload, _ = ipv6.parse(data)
    assert (header.protocol, payload, header.fragment) == (60, b"\xff" * 8, Fragment(1232, True, 7))


def test_an_atomic_fragment_is_a_whole_packet():
    assert chain(ATOMIC).fragment is None


def route(kind: int, left: int, segments: bytes) -> ipv6.Header:
    return chain(Extension(Kind.ROUTING, bytes((kind, left, 0, 0, 0, 0)) + segments))


@pytest.mark.parametrize(
    ("header", "final"),
    [
        pytest.param(HEADER_V6, B6, id="no route: the destination"),
        pytest.param(route(0, 1, bytes(16) + A6), A6, id="a source route: its last address"),
        pytest.param(route(0, 0, bytes(16) + A6), B6, id="a source route that was followed: the destination"),
        pytest.param(route(2, 1, A6), A6, id="a mobile node: its home address"),
        pytest.param(route(4, 1, A6 + bytes(16)), A6, id="a segment list is stored backwards: its first"),
        pytest.param(route(4, 1, b""), None, id="a segment list without segments: nobody knows"),
        pytest.param(route(253, 1, A6), None, id="an unknown kind of route: nobody knows"),
    ],
)
def test_the_pseudo_header_takes_the_final_destination(header, final):
    assert header.final_destination == final


def test_the_padding_of_a_link_is_left_out():
    assert ipv6.parse(WHOLE + bytes(9)) == ipv6.parse(WHOLE)


def test_a_payload_that_a_capture_cut_keeps_its_length():
    assert ipv6.parse(WHOLE[:44], truncated=True) == (HEADER_V6, UDP_V6[:4], 11)


def test_segmentation_offload_leaves_a_payload_length_of_zero():
    offloaded = WHOLE[:4] + b"\0\0" + WHOLE[6:]
    assert ipv6.parse(offloaded, verify=False) == (HEADER_V6, UDP_V6, 11)
    assert ipv6.parse(offloaded) == (HEADER_V6, b"", 0)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: replace(HEADER_V6, src=bytes(4)), id="an IPv4 address"),
        pytest.param(lambda: replace(HEADER_V6, flow_label=1 << 20), id="a flow label of 21 bits"),
        pytest.param(lambda: chain(PADDING, ALERT), id="hop-by-hop in second place"),
        pytest.param(lambda: chain(*[PADDING] * 17), id="more extension headers than are read"),
        pytest.param(lambda: Extension(Kind.DESTINATION, bytes(7)), id="options not padded to eight"),
        pytest.param(lambda: Extension(Kind.FRAGMENT, bytes(14)), id="a fragment header of sixteen bytes"),
        pytest.param(lambda: Extension(Kind.AUTHENTICATION, bytes(1022 + 10)), id="more than a length byte tells"),
        pytest.param(lambda: ipv6.fragment_extension(Fragment(4, True, 1)), id="an offset that is no multiple of 8"),
        pytest.param(lambda: ipv6.emit(chain(PADDING), bytes(65528)), id="a payload over 65,535 bytes"),
    ],
)
def test_an_impossible_header_cannot_be_made(make):
    with pytest.raises(ValueError):
        make()


def test_no_beginning_is_read():
    refuses_each_beginning(ipv6.parse, ipv6.emit(chain(ALERT, ROUTE, AUTH), UDP_V6))


@given(headers_v6(99), payloads)
def test_what_is_emitted_parses_to_the_same(header, payload):
    assert ipv6.parse(ipv6.emit(header, payload)) == (header, payload, len(payload))
    assert header.size == len(ipv6.emit(header, b""))


@given(st.binary(max_size=120))
def test_junk_is_refused(data):
    survives(ipv6.parse, data)
    survives(lambda junk: ipv6.parse(junk, verify=False, truncated=True), b"\x60" + data)


@given(st.sampled_from([int(kind) for kind in Kind]), st.binary(max_size=80))
def test_a_chain_of_junk_is_refused(kind, data):
    head = b"\x60\0\0\0" + len(data).to_bytes(2, "big") + bytes((kind, 64)) + A6 + B6
    survives(ipv6.parse, head + data)
