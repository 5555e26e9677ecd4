from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.wire import icmp
from tamiz.wire.errors import Malformed
from tamiz.wire.icmp import V4, V6, IcmpMessage
from tests.wire.cases import (
    A4,
    A6,
    B4,
    B6,
    ECHO_V4,
    ECHO_V6,
    IPV4_UDP,
    UDP_V4,
    messages,
    refuses_each_beginning,
    survives,
)


@pytest.mark.parametrize(
    ("version", "src", "dst", "data"),
    [pytest.param(4, A4, B4, ECHO_V4, id="IPv4"), pytest.param(6, A6, B6, ECHO_V6, id="IPv6")],
)
def test_the_echo_written_by_hand(version, src, dst, data):
    request = icmp.echo(version, reply=False, identifier=1, sequence=2, payload=b"ping")
    assert icmp.parse(data, src, dst) == request
    assert icmp.emit(request, src, dst) == data
    assert (request.echo, request.is_echo, request.is_error, request.quoted) == ((1, 2), True, False, None)


@pytest.mark.parametrize(
    ("version", "kind", "is_error", "is_echo"),
    [
        pytest.param(4, V4.ECHO_REPLY, False, True, id="an echo reply"),
        pytest.param(4, V4.ECHO_REQUEST, False, True, id="an echo request"),
        pytest.param(4, V4.UNREACHABLE, True, False, id="unreachable"),
        pytest.param(4, V4.SOURCE_QUENCH, True, False, id="a source quench"),
        pytest.param(4, V4.REDIRECT, True, False, id="a redirect"),
        pytest.param(4, V4.TIME_EXCEEDED, True, False, id="time exceeded"),
        pytest.param(4, V4.PARAMETER_PROBLEM, True, False, id="a parameter problem"),
        pytest.param(4, 13, False, False, id="a timestamp request"),
        pytest.param(6, V6.UNREACHABLE, True, False, id="unreachable, IPv6"),
        pytest.param(6, V6.TIME_EXCEEDED, True, False, id="time exceeded, IPv6, which is 3"),
        pytest.param(6, 127, True, False, id="the last error of IPv6"),
        pytest.param(6, V6.ECHO_REQUEST, False, True, id="an echo request, IPv6"),
        pytest.param(6, V6.ECHO_REPLY, False, True, id="an echo reply, IPv6"),
        pytest.param(6, 135, False, False, id="a neighbour solicitation"),
        pytest.param(6, 137, False, False, id="a redirect of IPv6 is no error"),
        pytest.param(6, 8, True, False, id="8 is an echo only in IPv4"),
    ],
)
def test_what_a_type_means(version, kind, is_error, is_echo):
    message = IcmpMessage(version, kind, 0)
    assert (message.is_error, message.is_echo, message.echo is not None) == (is_error, is_echo, is_echo)


def test_port_unreachable_quotes_the_packet():
    packet = IPV4_UDP + UDP_V4
    message = icmp.port_unreachable(4, packet)
    assert (message.type, message.code, message.quoted) == (3, 3, packet)
    assert (icmp.port_unreachable(6, packet).type, icmp.port_unreachable(6, packet).code) == (1, 4)


@pytest.mark.parametrize(
    ("version", "room"), [pytest.param(4, 576 - 28, id="IPv4"), pytest.param(6, 1280 - 48, id="IPv6")]
)
def test_port_unreachable_is_no_larger_than_allowed(version, room):
    assert icmp.port_unreachable(version, bytes(3000)).quoted == bytes(room)


@pytest.mark.parametrize(
    ("message", "quoted"),
    [
        pytest.param(IcmpMessage(4, 3, 1, bytes(4), b"a" * 200), b"a" * 200, id="no length: all of it"),
        pytest.param(IcmpMessage(4, 11, 0, b"\0\x20\0\0", b"a" * 128 + b"\x20\0"), b"a" * 128, id="in fours"),
        pytest.param(IcmpMessage(6, 3, 0, b"\x10\0\0\0", b"a" * 128 + b"\x20\0"), b"a" * 128, id="IPv6: in eights"),
        pytest.param(IcmpMessage(4, 5, 1, b"\xc0\xff\x02\x01", b"a" * 8), b"a" * 8, id="a redirect has no length"),
        pytest.param(IcmpMessage(6, 2, 0, b"\x10\0\0\0", b"a" * 200), b"a" * 200, id="too big has an MTU there"),
    ],
)
def test_the_quotation_ends_where_rfc_4884_extensions_begin(message, quoted):
    assert message.quoted == quoted


@pytest.mark.parametrize(
    ("message", "mtu"),
    [
        pytest.param(IcmpMessage(4, 3, 4, b"\0\0\x05\x78"), 1400, id="fragmentation needed"),
        pytest.param(IcmpMessage(4, 3, 3, b"\0\0\x05\x78"), None, id="another unreachable"),
        pytest.param(IcmpMessage(6, 2, 0, b"\0\0\x05\0"), 1280, id="packet too big"),
        pytest.param(IcmpMessage(4, 2, 0, b"\0\0\x05\0"), None, id="2 is too big only in IPv6"),
    ],
)
def test_the_mtu(message, mtu):
    assert message.mtu == mtu


def test_a_wrong_checksum_is_named_with_the_right_one():
    with pytest.raises(Malformed, match=r"ICMP at byte 22: found checksum 0x192d, wanted 0x192c"):
        icmp.parse(ECHO_V4[:3] + b"\x2d" + ECHO_V4[4:], A4, B4, base=20)
    assert icmp.parse(ECHO_V4[:3] + b"\x2d" + ECHO_V4[4:], A4, B4, verify=False).is_echo


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"version": 5}, id="version 5"),
        pytest.param({"type": 256}, id="a type over 255"),
        pytest.param({"code": -1}, id="a code below 0"),
        pytest.param({"rest": b"abc"}, id="three bytes of header"),
    ],
)
def test_an_impossible_message_cannot_be_made(change):
    with pytest.raises(ValueError):
        replace(IcmpMessage(4, 8, 0), **change)


def test_no_beginning_is_read():
    refuses_each_beginning(lambda data: icmp.parse(data, A6, B6), ECHO_V6)


@given(messages(4), messages(6))
def test_what_is_emitted_parses_to_the_same(four, six):
    assert icmp.parse(icmp.emit(four, A4, B4), A4, B4) == four
    assert icmp.parse(icmp.emit(six, A6, B6), A6, B6) == six


@given(st.binary(max_size=40), st.booleans())
def test_junk_is_refused(data, verify):
    survives(lambda junk: icmp.parse(junk, A4, B4, verify=verify), data)
