import gc
import gzip
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.captures import Drip, block, option, pcap, pcapng, read
from tamiz.model.errors import InputError
from tamiz.sources.capture import Interface, Record, open_capture
from tamiz.sources.capture.pcapng import MAX_INTERFACES
from tamiz.sources.capture.stream import MAX_PACKET, PIECE
from tamiz.wire.link import Sent

FILE = bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 ffff0000 65000000")
RECORD = bytes.fromhex("10000000 20000000 03000000 28000000 45aabb")
ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])


def records(data: bytes) -> list[Record]:
    with open_capture(io.BytesIO(data), "it") as capture:
        found = list(capture)
        assert capture.truncated is None
    return found


def refusal(data: bytes) -> InputError:
    with pytest.raises(InputError) as found:
        records(data)
    return found.value


# Classic pcap -------------------------------------------------------------------------------------


def test_a_file_written_by_hand():
    assert records(FILE + RECORD) == [Record(1, 16 * 10**9 + 32_000, 101, 0, b"\x45\xaa\xbb", 40, 24)]


@ORDERS
@pytest.mark.parametrize(
    ("magic", "unit", "sent"),
    [
        pytest.param(0xA1B2C3D4, 1000, Sent.UNKNOWN, id="microseconds"),
        pytest.param(0xA1B23C4D, 1, Sent.UNKNOWN, id="nanoseconds"),
        pytest.param(0xA1B2CD34, 1000, Sent.OUT, id="Kuznetzov's modified records say who sent"),
    ],
)
def test_every_classic_magic(order, magic, unit, sent):
    found = records(pcap(order, magic))
    assert [record.time_ns for record in found] == [(1_600_000_000 + n) * 10**9 + n * unit for n in range(3)]
    assert [(len(record.data), record.original_length) for record in found] == [(20, 20), (0, 0), (5, 40)]
    assert {record.sent for record in found} == {sent}
    assert {record.linktype for record in found} == {101}


def test_the_bits_above_the_link_type_are_not_part_of_it():
    assert records(FILE[:20] + bytes.fromhex("01000024") + RECORD)[0].linktype == 1


def test_an_empty_capture_has_no_records():
    assert records(FILE) == []


@pytest.mark.parametrize(
    ("data", "offset", "found"),
    [
        pytest.param(b"", 0, "an empty file", id="an empty file"),
        pytest.param(b"MZ\x90\0", 0, "the bytes 4d 5a 90 00", id="no capture"),
        pytest.param(b"GMBU" + bytes(20), 0, "a Microsoft Network Monitor capture", id="another vendor's capture"),
        pytest.param(b"<?xml version", 0, "an XML file", id="a policy dump"),
        pytest.param(b"\xef\xbb\xbf<?xml version", 0, "an XML file", id="a policy dump as netsh writes it"),
        pytest.param(FILE[:23], 0, "23 bytes", id="a header that is cut"),
        pytest.param(FILE[:6] + b"\x03\0" + FILE[8:], 4, "version 2.3", id="a version of the nineties"),
        pytest.param(FILE + RECORD[:8] + b"\xff" * 8, 24, "4294967295 captured bytes", id="an absurd length"),
        pytest.param(
            FILE + RECORD + RECORD[:8] + struct.pack("<II", MAX_PACKET + 1, 0) + bytes(MAX_PACKET + 1),
            43,
            f"{MAX_PACKET + 1} captured bytes",
            id="a length over the limit, all there",
        ),
    ],
)
def test_a_broken_file_is_refused_at_its_place(data, offset, found):
    error = refusal(data)
    assert (error.place.file, error.place.offset, error.found) == ("it", offset, found)


# pcapng -------------------------------------------------------------------------------------------


@ORDERS
def test_every_packet_block(order):
    with open_capture(io.BytesIO(pcapng(order)), "it") as capture:
        found = list(capture)
        assert capture.format == "pcapng" and capture.truncated is None and capture.untimed == 1
        assert capture.interfaces == [Interface(1, 0, "eth0"), Interface(101, 16)]
    enhanced, other, obsolete, simple = found
    assert enhanced.time_ns == (1 << 32 | 2) + 7 * 10**9
    assert (enhanced.sent, enhanced.linktype, enhanced.original_length) == (Sent.OUT, 1, 21)
    assert (other.time_ns, other.linktype, other.interface) == (99 * 10**9 >> 20, 101, 1)
    assert (other.original_length, other.sent) == (60, Sent.UNKNOWN)
    assert (obsolete.time_ns, obsolete.interface) == (100 * 10**9 >> 20, 1)
    assert (simple.time_ns, simple.interface, simple.original_length) == (obsolete.time_ns, 0, 21)
    assert {record.data for record in found} == {b"\x45" + bytes(20)}


def test_a_section_begins_anew_in_its_own_byte_order():
    with open_capture(io.BytesIO(pcapng("<") + pcapng(">")), "it") as capture:
        found = list(capture)
        assert [interface.linktype for interface in capture.interfaces] == [1, 101, 1, 101]
    assert [record.number for record in found] == list(range(1, 9))
    assert [record.interface for record in found] == [0, 1, 1, 0, 2, 3, 3, 2]
    assert [record[1:3] + record[4:6] for record in found[:4]] == [record[1:3] + record[4:6] for record in found[4:]]


SECTION = block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(*options: tuple[int, bytes], linktype: int = 101, snaplen: int = 0) -> bytes:
    area = b"".join(option("<", code, value) for code, value in options)
    return block("<", 1, struct.pack("<HHI", linktype, 0, snaplen) + area)


def enhanced(data: bytes = b"\x45", ticks: int = 0, number: int = 0, more: bytes = b"") -> bytes:
    head = struct.pack("<IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block("<", 6, head + data + bytes(-len(data) % 4) + more)


@pytest.mark.parametrize(
    ("options", "ticks", "time_ns"),
    [
        pytest.param([], 5, 5_000, id="microseconds when it is not said"),
        pytest.param([(9, b"\x00")], 5, 5 * 10**9, id="seconds"),
        pytest.param([(9, b"\x03")], 5, 5 * 10**6, id="milliseconds"),
        pytest.param([(9, b"\x09")], 5, 5, id="nanoseconds"),
        pytest.param([(9, b"\x0c")], 5_999, 5, id="picoseconds, rounded down"),
        pytest.param([(9, b"\x81")], 5, 2_500_000_000, id="halves of a second"),
        pytest.param([(9, b"\xa0")], 3 << 31, 1_500_000_000, id="2**-32"),
        pytest.param([(9, b"\xff")], 5, 0, id="2**-127"),
        pytest.param([(14, struct.pack("<q", -1))], 5, 5_000 - 10**9, id="an offset into the past"),
        pytest.param([(9, b"\x09"), (14, struct.pack("<q", 2))], 5, 5 + 2 * 10**9, id="unit and offset"),
        pytest.param([(0, b""), (9, b"\x09")], 5, 5_000, id="nothing after the end of options"),
        pytest.param([], (1 << 64) - 1, ((1 << 64) - 1) * 1000, id="the last moment"),
    ],
)
def test_clocks(options, ticks, time_ns):
    assert records(SECTION + interface(*options) + enhanced(ticks=ticks))[0].time_ns == time_ns


def test_names_are_kept_and_made_printable():
    options = [(2, b"eth\x00\xff"), (3, "Büro".encode())]
    with open_capture(io.BytesIO(SECTION + interface(*options)), "it") as capture:
        assert list(capture) == []
        assert capture.interfaces == [Interface(101, 0, "eth?\ufffd", "Büro")]


@pytest.mark.parametrize(
    ("flags", "sent"), [(0, Sent.UNKNOWN), (1, Sent.IN), (2, Sent.OUT), (3, Sent.UNKNOWN), (0x105, Sent.IN)]
)
def test_packet_flags_say_the_direction(flags, sent):
    comment = option("<", 1, b"a comment")
    found = records(SECTION + interface() + enhanced(more=comment + option("<", 2, struct.pack("<I", flags))))
    assert found[0].sent == sent


def test_a_simple_packet_is_cut_to_the_snaplen():
    body = struct.pack("<I", 60) + bytes(16)
    found = records(SECTION + interface(snaplen=16) + block("<", 3, body))
    assert (len(found[0].data), found[0].original_length) == (16, 60)


def test_unknown_blocks_are_passed_whatever_their_size():
    huge = block("<", 0x80000001, bytes(3 * PIECE))
    assert len(records(SECTION + huge + interface() + huge + enhanced() + huge)) == 1


PACKET_AT = len(SECTION) + len(interface())


@pytest.mark.parametrize(
    ("data", "offset", "found"),
    [
        pytest.param(SECTION[:8] + bytes(20), 8, "the bytes 00 00 00 00", id="no byte order"),
        pytest.param(SECTION[:12] + b"\2" + SECTION[13:], 12, "version 2.0", id="version 2"),
        pytest.param(SECTION + b"\1\0\0\0\x0e\0\0\0", 32, "a length of 14", id="no multiple of four"),
        pytest.param(SECTION + b"\1\0\0\0\x08\0\0\0", 32, "a length of 8", id="shorter than itself"),
        pytest.param(SECTION + b"\6\0\0\0\xfc\xff\xff\xff", 32, "a length of 4294967292", id="an absurd length"),
        pytest.param(
            SECTION + interface()[:-4] + b"\x10\0\0\0",
            44,
            "a length of 16 at its end",
            id="lengths that differ",
        ),
        pytest.param(
            SECTION + block("<", 99, b"")[:-4] + b"\0\0\0\0",
            36,
            "a length of 0 at its end",
            id="of an unknown block",
        ),
        pytest.param(SECTION + enhanced(), 36, "interface 0", id="an interface that was not described"),
        pytest.param(SECTION + interface() + enhanced(number=1), PACKET_AT + 8, "interface 1", id="another one"),
        pytest.param(
            SECTION + interface() + block("<", 6, struct.pack("<IIIII", 0, 0, 0, 9, 9) + bytes(8)),
            PACKET_AT,
            "9 captured bytes",
            id="more data than the block holds",
        ),
        pytest.param(
            SECTION + interface() + block("<", 3, struct.pack("<I", 9) + bytes(8)),
            PACKET_AT,
            "9 captured bytes",
            id="a simple packet with more data than its block",
        ),
        pytest.param(
            SECTION + interface() + enhanced(more=b"\1\0\x09\0" + bytes(8)),
            PACKET_AT + 32,
            "9 bytes",
            id="an option beyond its block",
        ),
        pytest.param(
            SECTION + interface() + enhanced(bytes(MAX_PACKET + 4)),
            PACKET_AT,
            f"{MAX_PACKET + 4} captured bytes",
            id="a packet over the limit",
        ),
        pytest.param(
            SECTION + interface() * (MAX_INTERFACES + 1),
            32 - 4 + 20 * MAX_INTERFACES,
            f"more than {MAX_INTERFACES} interfaces",
            id="interfaces without end",
        ),
    ],
)
def test_a_broken_section_is_refused_at_its_place(data, offset, found):
    error = refusal(data)
    assert (error.place.offset, error.found) == (offset, found)


# Both ---------------------------------------------------------------------------------------------

EVERY = [
    pytest.param(pcap("<"), id="pcap"),
    pytest.param(pcap(">", 0xA1B2CD34), id="modified pcap"),
    pytest.param(pcapng("<") + pcapng(">"), id="pcapng"),
]


def boundaries(data: bytes) -> set[int]:
    """Where a file may end between two records or blocks."""
    if data[:4] != b"\x0a\x0d\x0d\x0a":
        return {record.offset for record in records(data)}
    found, order, place = set(), "little", 0
    while place < len(data):
        found.add(place)
        if data[place : place + 4] == b"\x0a\x0d\x0d\x0a":
            order = "little" if data[place + 8] == 0x4D else "big"
        place += int.from_bytes(data[place + 4 : place + 8], order)
    return found


@pytest.mark.parametrize("data", EVERY)
def test_a_file_that_ends_within_a_record_gives_what_came_before(data):
    whole, between = records(data), boundaries(data)
    for size in range(4 if data[:4] == SECTION[:4] else 24, len(data)):
        found, ending = read(io.BytesIO(data[:size]))
        assert found == whole[: len(found)]
        assert (ending == "") == (size in between)
        assert ending == "" or f"the file ends at byte {size}, within the " in ending


@pytest.mark.parametrize("data", EVERY)
def test_it_does_not_matter_how_the_bytes_arrive(data):
    for most in (1, 3, 64):
        assert read(Drip(data, most)) == (records(data), "")


@pytest.mark.parametrize("data", EVERY)
def test_a_gzipped_file_reads_the_same(data):
    assert records(gzip.compress(data)) == records(data)
    assert records(gzip.compress(data[:50]) + gzip.compress(data[50:])) == records(data)


def test_a_gzipped_file_that_is_cut_gives_what_came_before():
    zipped = gzip.compress(pcap() + RECORD * 1000)
    found, ending = read(io.BytesIO(zipped[:-40]))
    assert found == records(pcap() + RECORD * 1000)[: len(found)] and len(found) > 3
    assert "the file ends at byte" in ending


@pytest.mark.parametrize("data", EVERY)
def test_a_gzipped_file_that_is_cut_between_two_records_says_so_too(data):
    found, ending = read(io.BytesIO(gzip.compress(data)[:-8]))
    assert found == records(data)
    assert ending == f"it: the compressed file is cut: it ends at byte {len(data)} of what it holds"


def test_a_damaged_gzip_file_is_refused():
    zipped = bytearray(gzip.compress(pcap()))
    zipped[-5] ^= 1
    assert "CRC" in str(refusal(bytes(zipped)))


def test_records_longer_than_a_piece_of_the_file():
    data = bytes(range(256)) * (MAX_PACKET // 256)
    big = struct.pack("<IIII", 0, 0, len(data), len(data)) + data
    assert [record.data for record in records(FILE + big * 3 + RECORD)] == [data] * 3 + [RECORD[16:]]
    assert [record.data for record in records(SECTION + interface() + enhanced(data) * 3)] == [data] * 3


def test_a_path_is_opened_and_closed(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(FILE + RECORD)
    with open_capture(path) as capture:
        assert capture.file == str(path) and len(list(capture)) == 1
    with pytest.raises(ValueError, match="closed"):
        capture._stream.read(1)


def test_a_path_that_is_no_capture_is_closed_again(tmp_path, recwarn):
    path = tmp_path / "a.txt"
    path.write_bytes(b"no capture")
    with pytest.raises(InputError, match=r"a\.txt: at byte 0: the capture: found the bytes 6e 6f 20 63, wanted"):
        open_capture(str(path))
    gc.collect()
    assert not [warning for warning in recwarn if warning.category is ResourceWarning]


def test_a_stream_stays_open():
    stream = io.BytesIO(FILE + RECORD)
    with open_capture(stream) as capture:
        assert next(iter(capture)).number == 1
    assert not stream.closed


@pytest.mark.parametrize(
    ("make", "found"),
    [
        pytest.param(lambda folder: folder / "none.pcap", "no such file or directory", id="no file"),
        pytest.param(lambda folder: folder, "is a directory", id="a folder"),
        pytest.param(lambda folder: f"{folder}/a\0b", "embedded null byte", id="no name for a file"),
    ],
)
def test_a_file_that_cannot_be_opened(make, found, tmp_path):
    with pytest.raises(InputError) as error:
        open_capture(make(tmp_path))
    assert found in error.value.found


def test_a_stream_that_fails_is_an_input_that_cannot_be_read():
    class Failing(io.BytesIO):
        def read(self, size=-1, /):
            if self.tell():
                raise OSError("input/output error")
            return super().read(30)

    found, ending = read(Failing(FILE + RECORD))
    assert found == [] and ending == "it: at byte 30: the file: found input/output error, wanted bytes that can be read"


def test_memory_stays_constant():
    capture = open_capture(Drip((FILE + (RECORD[:8] + b"\x00\x08\0\0" * 2 + bytes(2048)) * 2000), PIECE), "it")
    for record in capture:
        assert len(capture._source.buffer) <= 2 * PIECE and len(record.data) == 2048


@given(st.binary(max_size=300), st.sampled_from((b"", FILE, SECTION, SECTION + interface())))
def test_junk_is_read_or_refused(data, head):
    found, _ = read(io.BytesIO(head + data))
    assert sum(len(record.data) for record in found) <= len(data)


times = st.integers(0, 2**32 * 10**9 - 1)
packets = st.lists(st.tuples(times, st.binary(max_size=40)), max_size=8)


@given(packets)
def test_both_formats_say_the_same(given_packets):
    classic = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 0, 101) + b"".join(
        struct.pack("<IIII", *divmod(time, 10**9), len(data), len(data)) + data for time, data in given_packets
    )
    modern = SECTION + interface((9, b"\x09")) + b"".join(enhanced(data, time) for time, data in given_packets)
    wanted = [(number, time, data) for number, (time, data) in enumerate(given_packets, 1)]
    for data in (classic, modern):
        assert [(record.number, record.time_ns, record.data) for record in records(data)] == wanted
