"""The parts of a connection by themselves: positions, ranges, timers, congestion, acceptance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.stack.tcp.config import MILLISECOND, SECOND, TcpConfig
from tamiz.stack.tcp.congestion import Congestion
from tamiz.stack.tcp.options import Options
from tamiz.stack.tcp.receive import Receiver
from tamiz.stack.tcp.send import Sender
from tamiz.stack.tcp.sequence import MASK, Ranges, position
from tamiz.stack.tcp.timers import RoundTrip, Timer, Timers
from tamiz.wire.tcp import TcpOptions

# Positions and ranges -------------------------------------------------------------------------------


@given(st.integers(0, 1 << 40), st.integers(-(1 << 31), (1 << 31) - 1))
def test_a_number_on_the_wire_becomes_the_nearest_position(near: int, distance: int) -> None:
    assert position((near + distance) & MASK, near) == near + distance


PLACES = st.tuples(st.integers(0, 60), st.integers(1, 12)).map(lambda pair: (pair[0], sum(pair)))


@given(st.lists(PLACES, max_size=20), st.integers(0, 60), PLACES)
def test_ranges_are_a_set_of_numbers(added: list[tuple[int, int]], floor: int, asked: tuple[int, int]) -> None:
    ranges, numbers = Ranges(), set()
    for start, end in added:
        ranges.add(start, end)
        numbers |= set(range(start, end))
    ranges.drop_below(floor)
    numbers -= set(range(floor))
    assert {number for start, end in ranges for number in range(start, end)} == numbers
    edges = [edge for block in ranges for edge in block]
    assert edges == sorted(set(edges))  # neither overlapping nor touching
    missing = {number for start, end in ranges.gaps(*asked) for number in range(start, end)}
    assert missing == set(range(*asked)) - numbers
    around = ranges.around(asked[0])
    assert (around is not None) == (asked[0] in numbers)
    assert around is None or around in list(ranges)


# Timers ---------------------------------------------------------------------------------------------


def test_timers_that_are_due_act_in_their_order() -> None:
    timers = Timers()
    timers.set(Timer.PERSIST, 5)
    timers.set(Timer.USER, 7)
    timers.set(Timer.RETRANSMIT, 9)
    timers.set_unless_running(Timer.RETRANSMIT, 1)
    assert timers.earliest() == 5
    assert timers.pop_due(8) == [Timer.USER, Timer.PERSIST]
    assert timers.earliest() == 9
    timers.clear()
    assert timers.earliest() is None


def test_the_first_and_the_later_measurements() -> None:
    """RFC 6298 2.2: SRTT 800, RTTVAR 400, RTO 2400 ms. 2.3 with 400 ms: RTTVAR 400, SRTT 750, RTO 2350 ms."""
    trip = RoundTrip(TcpConfig())
    assert trip.wait(0) == SECOND
    trip.sample(800 * MILLISECOND)
    assert trip.wait(0) == 2400 * MILLISECOND
    trip.sample(400 * MILLISECOND)
    assert trip.wait(0) == 2350 * MILLISECOND
    assert trip.wait(2) == 9400 * MILLISECOND


def test_the_time_out_stays_between_its_bounds() -> None:
    trip = RoundTrip(TcpConfig())
    trip.sample(0)
    assert trip.wait(0) == 300 * MILLISECOND
    assert trip.wait(5000) == 240 * SECOND
    trip.sample(10_000 * SECOND)
    assert trip.wait(0) == 240 * SECOND


def test_after_a_lost_syn_data_begins_with_three_seconds_unless_measured() -> None:
    trip = RoundTrip(TcpConfig())
    trip.syn_was_lost()
    assert trip.wait(0) == 3 * SECOND
    trip.sample(SECOND // 2)
    trip.syn_was_lost()
    assert trip.wait(0) == SECOND * 3 // 2


# Congestion -----------------------------------------------------------------------------------------


def test_slow_start_becomes_congestion_avoidance_at_the_threshold() -> None:
    control = Congestion(1000, 2, 0)
    control.threshold = 4000
    control.acknowledged(1000, 1001, 1000)
    control.acknowledged(2000, 3001, 0)
    assert control.window == 4000  # at most one segment per ACK
    control.acknowledged(1000, 4001, 0)
    assert control.window == 4250


def test_fast_recovery_halves_and_comes_back() -> None:
    control = Congestion(1000, 10, 0)
    assert [control.duplicate(1, 10_001, 10_000) for _ in range(3)] == [False, False, True]
    assert (control.threshold, control.window) == (5000, 8000)
    assert control.duplicate(1, 10_001, 10_000) is False
    assert control.window == 9000
    assert control.acknowledged(2000, 2001, 8000) is True
    assert control.window == 8000
    assert control.acknowledged(8000, 10_001, 0) is False
    assert (control.window, control.recovering) == (2000, False)


def test_a_time_out_begins_again_with_one_segment_and_halves_once() -> None:
    control = Congestion(1000, 10, 0)
    control.timed_out(10_001, 10_000, again=False)
    assert (control.threshold, control.window) == (5000, 1000)
    control.timed_out(10_001, 1000, again=True)
    assert control.threshold == 5000
    assert not any(control.duplicate(1, 10_001, 1000) for _ in range(5))  # RFC 6582 3.2: not below `recover`


# Acceptance (RFC 9293 3.4, table 6) -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "seq", "length", "wanted"),
    [
        pytest.param(0, 1, 0, True, id="no length, no window: the next number"),
        pytest.param(0, 2, 0, False, id="no length, no window: another number"),
        pytest.param(100, 1, 0, True, id="no length: the first of the window"),
        pytest.param(100, 100, 0, True, id="no length: the last of the window"),
        pytest.param(100, 101, 0, True, id="no length: at the very edge"),
        pytest.param(100, 102, 0, False, id="no length: beyond the edge"),
        pytest.param(100, 0, 0, False, id="no length: before the window"),
        pytest.param(0, 1, 1, False, id="length, no window"),
        pytest.param(100, 1, 5, True, id="length, inside"),
        pytest.param(100, 100, 5, True, id="length, across the right edge"),
        pytest.param(100, -3, 5, True, id="length, across the left edge"),
        pytest.param(100, -3, 500, True, id="length, around the window"),
        pytest.param(100, -4, 5, False, id="length, before the window"),
        pytest.param(100, 101, 5, False, id="length, beyond the window"),
    ],
)
def test_acceptable(window: int, seq: int, length: int, wanted: bool) -> None:
    receiver = Receiver(1000, 1000)
    receiver.begin(0)
    receiver.edge = receiver.nxt + window
    assert receiver.acceptable(seq, length) is wanted


CHUNKS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=30)


@given(CHUNKS)
def test_reassembly_gives_each_byte_once_and_in_order(chunks: list[tuple[int, int]]) -> None:
    stream = bytes(range(1, 81))
    receiver = Receiver(1000, 100)
    receiver.begin(0)
    receiver.advertise()
    got = b""
    for start, size in [*chunks, (0, 80)]:
        text = stream[start : start + size]
        if receiver.acceptable(1 + start, len(text)):
            got += receiver.take(1 + start, text, fin=False)
    assert got == stream
    assert receiver.blocks(4) == []


# Sending and options ----------------------------------------------------------------------------------


def test_a_probe_is_sent_but_does_not_advance() -> None:
    sender = Sender(0, 1000, 10, nagle=False)
    sender.sent_syn()
    sender.acknowledge(1)
    sender.queue(b"hello")
    assert sender.next() is None
    assert sender.probe().text == b"h"
    assert (sender.nxt, sender.top, sender.reach) == (1, 1, 2)
    assert sender.probe().again


def test_in_recovery_a_duplicate_ack_pays_for_a_hole_or_for_new_bytes_not_both() -> None:
    sender = Sender(0, 1000, 10, nagle=False)
    sender.sent_syn()
    sender.acknowledge(1)
    sender.offered(1, 1, 60_000)
    sender.queue(bytes(20_000))
    while sender.next():
        pass
    sender.selective(1001, 2001)
    sender.selective(3001, 4001)
    repeated = [sender.duplicate() for _ in range(5)]
    assert [piece and piece.at for piece in repeated] == [None, None, 1, 2001, None]
    assert sender.congestion.window == 5000 + 3000 + 1000


def test_an_old_segment_does_not_set_the_window() -> None:
    sender = Sender(0, 1000, 10, nagle=False)
    sender.offered(100, 1, 5000)
    sender.offered(99, 1, 1)
    assert sender.window == 5000
    sender.offered(100, 2, 20)
    assert (sender.window, sender.max_window) == (20, 5000)


def test_a_peers_shift_count_is_at_most_14() -> None:
    options = Options(TcpConfig())
    options.agree(TcpOptions(window_scale=200), 0)
    assert options.send_shift == 14


@pytest.mark.parametrize("echo", [2_000_000_000, 50])
def test_an_echo_from_the_future_is_no_measurement(echo: int) -> None:
    options = Options(TcpConfig(timestamps=True))
    options.agree(TcpOptions(timestamps=(7, 0)), 0)
    assert options.echoed(TcpOptions(timestamps=(8, echo)), 49 * MILLISECOND) is None
    assert options.echoed(TcpOptions(timestamps=(8, 9)), 49 * MILLISECOND) == 40 * MILLISECOND
