from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.wire import tcp
from tamiz.wire.errors import Malformed
from tamiz.wire.tcp import Segment, TcpFlags, TcpOptions
from tests.wire.cases import A4, A6, B4, B6, SYN, SYN_V4, SYN_V6, refuses_each_beginning, segments, survives


@pytest.mark.parametrize(
    ("src", "dst", "data"), [pytest.param(A4, B4, SYN_V4, id="IPv4"), pytest.param(A6, B6, SYN_V6, id="IPv6")]
)
def test_the_segment_written_by_hand(src, dst, data):
    assert tcp.parse(data, src, dst) == SYN
    assert tcp.emit(SYN, src, dst) == data


@pytest.mark.parametrize(
    ("options", "area"),
    [
        pytest.param(TcpOptions(), "", id="none"),
        pytest.param(TcpOptions(mss=1460), "020405b4", id="a segment size"),
        pytest.param(TcpOptions(window_scale=8), "01030308", id="a window scale, aligned"),
        pytest.param(TcpOptions(sack_permitted=True), "01010402", id="SACK permitted"),
        pytest.param(TcpOptions(timestamps=(1, 2)), "0101080a 00000001 00000002", id="timestamps"),
        pytest.param(
            TcpOptions(sack_permitted=True, timestamps=(1, 2)),
            "0402080a 00000001 00000002",
            id="both, in step",
        ),
        pytest.param(TcpOptions(sack=((1, 2),)), "0101050a 00000001 00000002", id="one SACK block"),
        pytest.param(TcpOptions(other=((254, b"\xab\xcd"),)), "fe04abcd", id="an experiment"),
    ],
)
def test_options_in_both_directions(options, area):
    assert tcp.emit_options(options) == bytes.fromhex(area)
    assert tcp.parse_options(bytes.fromhex(area)) == options


@pytest.mark.parametrize(
    ("area", "offset"),
    [
        pytest.param("02", 0, id="a kind without a length"),
        pytest.param("0200", 1, id="a length of nothing"),
        pytest.param("0205 05b4", 1, id="a length beyond the header"),
        pytest.param("0203 05", 1, id="a segment size of one byte"),
        pytest.param("050b" + "00" * 9, 1, id="a SACK that holds no whole blocks"),
        pytest.param("0101 0801", 3, id="a length smaller than itself"),
    ],
)
def test_broken_options_are_named(area, offset):
    with pytest.raises(Malformed) as refusal:
        tcp.parse_options(bytes.fromhex(area), 40)
    assert refusal.value.offset == 40 + offset


def test_what_follows_the_end_of_the_list_is_ignored():
    assert tcp.parse_options(bytes.fromhex("020405b4 00ffffff")) == TcpOptions(mss=1460)


def test_of_an_option_that_repeats_the_last_stands():
    found = tcp.parse_options(bytes.fromhex("02040001 02040002"))
    assert found == TcpOptions(mss=2, other=((2, b"\0\1"),))
    assert tcp.parse_options(tcp.emit_options(found)) == found


def test_options_that_do_not_fit_aligned_are_packed():
    full = TcpOptions(1460, 8, True, ((1, 2), (3, 4)), (5, 6))
    assert len(tcp.emit_options(full)) == 40
    assert tcp.parse_options(tcp.emit_options(full)) == full
    with pytest.raises(ValueError):
        tcp.emit_options(replace(full, sack=((1, 2), (3, 4), (5, 6))))


@pytest.mark.parametrize(
    ("data", "offset", "found"),
    [
        pytest.param(SYN_V4[:12] + b"\x40" + SYN_V4[13:], 32, "a header of 16 bytes", id="a header too small"),
        pytest.param(SYN_V4[:12] + b"\xf0" + SYN_V4[13:], 32, "a header of 60 bytes", id="a header too large"),
        pytest.param(SYN_V4[:17] + b"\xf2" + SYN_V4[18:], 36, "checksum 0xebf2", id="a wrong checksum"),
    ],
)
def test_what_is_wrong_is_named(data, offset, found):
    with pytest.raises(Malformed) as refusal:
        tcp.parse(data, A4, B4, base=20)
    assert (refusal.value.offset, refusal.value.found) == (offset, found)


def test_options_that_a_capture_cut_are_left_out():
    cut = tcp.parse(SYN_V4[:22], A4, B4, verify=False, wire_length=24)
    assert cut == replace(SYN, options=TcpOptions())


@pytest.mark.parametrize(
    ("flags", "payload", "length"),
    [
        pytest.param(TcpFlags.SYN, b"", 1, id="a SYN counts one"),
        pytest.param(TcpFlags.FIN | TcpFlags.ACK, b"abc", 4, id="a FIN counts one after its data"),
        pytest.param(TcpFlags.ACK, b"", 0, id="an ACK counts nothing"),
        pytest.param(TcpFlags.RST, b"", 0, id="a RST counts nothing"),
    ],
)
def test_the_sequence_space_a_segment_takes(flags, payload, length):
    segment = Segment(1, 2, 0xFFFFFFFF, 0, flags, 0, payload=payload)
    assert (segment.length, segment.end) == (length, (0xFFFFFFFF + length) % 2**32)


def test_flags_read_as_people_say_them():
    assert [flags.label for flags in (TcpFlags.SYN | TcpFlags.ACK, TcpFlags(0))] == ["SYN-ACK", "none"]


def test_no_beginning_is_read():
    refuses_each_beginning(lambda data: tcp.parse(data, A4, B4), SYN_V4)


@given(segments)
def test_what_is_emitted_parses_to_the_same(segment):
    for src, dst in ((A4, B4), (A6, B6)):
        assert tcp.parse(tcp.emit(segment, src, dst), src, dst) == segment


@given(st.binary(max_size=70), st.booleans())
def test_junk_is_refused(data, verify):
    survives(lambda junk: tcp.parse(junk, A4, B4, verify=verify), data)


def test_a_segment_knows_its_flags():
    segment = Segment(1, 2, 0, 0, TcpFlags.FIN | TcpFlags.ACK, 0)
    assert (segment.syn, segment.fin, segment.rst, segment.has_ack) == (False, True, False, True)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Segment(1, 2, 1 << 32, 0, TcpFlags.SYN, 0), id="a sequence number of 33 bits"),
        pytest.param(lambda: tcp.emit_options(TcpOptions(mss=65536)), id="a segment size over its field"),
        pytest.param(lambda: tcp.emit_options(TcpOptions(other=((1, b""),))), id="a no-operation with a body"),
        pytest.param(lambda: tcp.emit_options(TcpOptions(other=((9, bytes(39)),))), id="an option over forty bytes"),
    ],
)
def test_an_impossible_segment_cannot_be_made(make):
    with pytest.raises(ValueError):
        make()
