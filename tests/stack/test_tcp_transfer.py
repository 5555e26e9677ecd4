"""Two connections over a bad link: whatever the link does, the bytes arrive, once and in order, and both ends close."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamiz.stack.tcp import (
    Closed,
    Connection,
    Effect,
    Emit,
    Established,
    PeerFinished,
    Received,
    State,
    TcpConfig,
    reset_for,
)
from tamiz.wire import tcp
from tamiz.wire.tcp import Segment

MS = 1_000_000
HERE, THERE = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
PATIENT = {"syn_retries": 200, "data_retries": 200, "max_rto": 2_000 * MS, "msl": 500 * MS}


@dataclass(frozen=True)
class Fate:
    """What the link does to one segment: lost, or how many copies, and how late."""

    copies: int
    delay: int


@dataclass
class Side:
    """One end with its application: it sends `to_send` in `chunks`, reads `read` bytes every `pause`."""

    name: str
    to_send: bytes
    chunk: int
    read: int
    pause: int
    connection: Connection | None = None
    sent: int = 0
    awake: bool = False
    got: bytearray = field(default_factory=bytearray)
    effects: list[Effect] = field(default_factory=list)


@dataclass
class Link:
    """Both ends, the segments on their way, and one clock. `fates` is used in a scrambled order."""

    client: Side
    server: Side
    fates: list[Fate]
    iss: tuple[int, int]
    configs: tuple[TcpConfig, TcpConfig]
    now: int = 0
    used: int = 0
    queue: list[tuple[int, int, Side, Segment | None]] = field(default_factory=list)
    order: int = 0

    def run(self) -> None:
        self.client.connection, effects = Connection.active(50_000, 443, self.iss[0], 0, self.configs[0])
        self.carry_out(self.client, effects)
        for _ in range(20_000):
            if not self.step():
                return
        raise AssertionError("the two ends never finish")

    def step(self) -> bool:
        due = [self.queue[0][0]] if self.queue else []
        sides = [side for side in (self.client, self.server) if side.connection]
        timers = [at for side in sides if (at := side.connection.next_timer()) is not None]
        if not due and not timers:
            return False
        self.now = max(self.now, min(due + timers))
        if due and due[0] <= self.now:
            _, _, side, segment = heapq.heappop(self.queue)
            if segment is None:
                self.application(side)
            else:
                self.arrive(side, segment)
        for side in sides:
            self.carry_out(side, side.connection.on_timer(self.now))
        return True

    def post(self, delay: int, side: Side, segment: Segment | None) -> None:
        self.order += 1
        heapq.heappush(self.queue, (self.now + delay, self.order, side, segment))

    def arrive(self, side: Side, segment: Segment) -> None:
        """As a host does: a listener takes a SYN, a closed end answers with a RST."""
        if side.connection is None or side.connection.state is State.CLOSED:
            if side.connection is not None or not segment.syn or side is self.client:
                self.transmit(side, reset_for(segment))
                return
            side.connection, effects = Connection.passive(segment, self.iss[1], self.now, self.configs[1])
        else:
            effects = side.connection.on_segment(segment, self.now)
        self.carry_out(side, effects)

    def application(self, side: Side) -> None:
        connection = side.connection
        if connection.unread:
            self.carry_out(side, connection.consumed(min(side.read, connection.unread), self.now))
        if connection.can_send:
            chunk = side.to_send[side.sent : side.sent + side.chunk]
            side.sent += len(chunk)
            self.carry_out(side, connection.send(chunk, self.now) if chunk else connection.close(self.now))
        side.awake = connection.can_send or connection.unread > 0
        if side.awake:
            self.post(side.pause, side, None)

    def carry_out(self, side: Side, effects: list[Effect]) -> None:
        ended = side.effects and side.effects[-1] == Closed()
        assert not (effects and ended), f"{side.name} speaks after Closed: {effects}"
        for effect in effects:
            side.effects.append(effect)
            if isinstance(effect, Received):
                side.got += effect.data
            if isinstance(effect, (Established, Received)) and not side.awake:
                side.awake = True
                self.post(side.pause, side, None)
            elif isinstance(effect, Emit):
                self.transmit(side, effect.segment)

    def transmit(self, side: Side, segment: Segment | None) -> None:
        if segment is None:
            return
        assert tcp.parse(tcp.emit(segment, HERE, THERE), HERE, THERE) == segment
        self.used += 1
        fate = self.fates[(self.used * 2_654_435_761 >> 16) % len(self.fates)]
        for copy in range(fate.copies):
            self.post(fate.delay * (copy + 1), self.server if side is self.client else self.client, segment)


def plain_end(side: Side, sent: bytes) -> None:
    """Everything arrived, the end is an orderly one, each word once."""
    assert bytes(side.got) == sent
    words = [type(effect).__name__ for effect in side.effects if not isinstance(effect, (Emit, Received))]
    assert words.count("Established") == words.count("PeerFinished") == words.count("Closed") == 1
    assert words[0] == "Established"
    assert words[-1] == "Closed"
    assert set(words) <= {"Established", "PeerFinished", "EnteredTimeWait", "Closed"}


def pattern(size: int) -> bytes:
    return bytes(index * 7 % 251 for index in range(size))


FATES = st.lists(
    st.builds(
        Fate,
        copies=st.sampled_from([0, 1, 1, 1, 1, 1, 2]),
        delay=st.sampled_from([0, 1 * MS, 1 * MS, 10 * MS, 80 * MS]),
    ),
    min_size=1,
    max_size=40,
).map(lambda fates: [*fates, Fate(1, 1 * MS)])  # nothing is lost for ever
CONFIGS = st.builds(
    TcpConfig,
    mss=st.sampled_from([48, 100, 536, 1460]),
    receive_buffer=st.sampled_from([256, 300, 5000, 65_535, 200_000]),
    window_scale=st.sampled_from([None, 0, 3, 8]),
    sack=st.booleans(),
    timestamps=st.booleans(),
    nagle=st.booleans(),
    initial_window=st.sampled_from([1, 3, 10]),
    **{name: st.just(value) for name, value in PATIENT.items()},
)
ISS = st.one_of(st.integers(0xFFFFFFFF - 3000, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
SIDES = st.tuples(
    st.integers(0, 6000),
    st.sampled_from([1, 700, 1460, 5000, 6000]).filter(bool),
    st.sampled_from([1 << 20, 1 << 20, 100]),
    st.sampled_from([5 * MS, 50 * MS, 300 * MS]),
)


def side(name: str, size: int, chunk: int, read: int, pause: int) -> Side:
    return Side(name, pattern(size), max(chunk, size // 50, 1), read, pause)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(FATES, CONFIGS, CONFIGS, ISS, ISS, SIDES, SIDES)
def test_the_bytes_arrive_over_any_link(fates, ours, theirs, iss, irs, client, server) -> None:
    link = Link(side("client", *client), side("server", *server), fates, (iss, irs), (ours, theirs))
    link.run()
    plain_end(link.client, link.server.to_send)
    plain_end(link.server, link.client.to_send)


# Named cases of the same ------------------------------------------------------------------------------

PERFECT = [Fate(1, 1 * MS)]
WRAPS = (0xFFFFFFFF, 0xFFFFFF00)


def transfer(client: Side, server: Side, fates: list[Fate] = PERFECT, **config: int | bool | None) -> Link:
    configs = (TcpConfig(**PATIENT | config), TcpConfig(**PATIENT | config))
    link = Link(client, server, fates, WRAPS, configs)
    link.run()
    plain_end(link.client, link.server.to_send)
    plain_end(link.server, link.client.to_send)
    return link


def sent(link: Link, name: str) -> list[Emit]:
    return [effect for effect in getattr(link, name).effects if isinstance(effect, Emit)]


def test_a_perfect_link_needs_no_retransmission() -> None:
    link = transfer(Side("client", pattern(500_000), 500_000, 1 << 20, 0), Side("server", b"", 1, 1 << 20, 0))
    assert not any(emit.retransmission for emit in sent(link, "client") + sent(link, "server"))
    assert sum(bool(emit.segment.payload) for emit in sent(link, "client")) == -(-500_000 // 1460)


def test_text_flows_both_ways_at_once() -> None:
    transfer(Side("client", pattern(60_000), 7000, 1 << 20, 0), Side("server", pattern(50_000), 900, 1 << 20, 0))


def test_a_slow_reader_shuts_the_window_and_nothing_is_lost() -> None:
    reader = Side("server", b"", 1, 1000, 50 * MS)
    link = transfer(Side("client", pattern(30_000), 30_000, 1 << 20, 0), reader, receive_buffer=4000, window_scale=None)
    assert any(emit.segment.window == 0 for emit in sent(link, "server"))


def test_one_loss_in_a_stream_is_repaired_without_a_time_out() -> None:
    """The 20th of 69 segments is lost: the whole takes less than the least time-out."""
    fates = [Fate(1, 1 * MS)] * 997
    link = Link(
        Side("client", pattern(100_000), 100_000, 1 << 20, 0),
        Side("server", b"", 1, 1 << 20, 0),
        fates,
        WRAPS,
        (TcpConfig(**PATIENT), TcpConfig(**PATIENT)),
    )
    link.fates[30 * 2_654_435_761 // 65_536 % 997] = Fate(0, 0)
    link.run()
    plain_end(link.server, link.client.to_send)
    again = [emit for emit in sent(link, "client") if emit.retransmission]
    assert len(again) == 1
    done = next(n for n, effect in enumerate(link.server.effects) if isinstance(effect, PeerFinished))
    assert done > 60
    assert link.now < 300 * MS + 2 * PATIENT["msl"]


# Hostile segments -------------------------------------------------------------------------------------

NEAR = st.one_of(st.integers(-3, 12), st.integers(-70_000, 70_000), st.integers(0, 0xFFFFFFFF))
STAMP = st.none() | st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
EDGE = st.integers(-5, 40)
BLOCKS = st.lists(st.tuples(EDGE, EDGE), max_size=3)
ARRIVAL = st.tuples(NEAR, NEAR, st.integers(0, 255), st.integers(0, 0xFFFF), st.binary(max_size=6), STAMP, BLOCKS)
CALL = st.sampled_from(["send", "close", "abort", "timer", "read"])


def hostile(arrival: tuple, ours: int, theirs: int) -> Segment:
    seq, ack, flags, window, text, stamps, blocks = arrival
    sack = tuple(((ours + a) & tcp.SEQ_MASK, (ours + b) & tcp.SEQ_MASK) for a, b in blocks)
    options = tcp.TcpOptions(mss=window, window_scale=flags, sack_permitted=True, sack=sack, timestamps=stamps)
    numbers = (theirs + seq) & tcp.SEQ_MASK, (ours + ack) & tcp.SEQ_MASK
    return Segment(443, 50_000, *numbers, tcp.TcpFlags(flags), window, 0, options, text)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.booleans(), CONFIGS, st.lists(ARRIVAL | CALL, max_size=25))
def test_no_segment_breaks_a_connection(active: bool, config: TcpConfig, events: list) -> None:
    """Whatever comes, in whatever order: no exception, `Closed` once and last, no more text than the window took."""
    ours, theirs, now = 0xFFFFFFFE, 0xFFFFFFF0, 0
    syn = Segment(443, 50_000, theirs, 0, tcp.TcpFlags.SYN, 1000)
    if active:
        connection, effects = Connection.active(50_000, 443, ours, now, config)
    else:
        connection, effects = Connection.passive(syn, ours, now, config)
    for event in events:
        now += 7 * MS
        if event == "send":
            more = connection.send(b"hello", now) if connection.can_send else []
        elif event == "timer":
            now = max(now, connection.next_timer() or 0)
            more = connection.on_timer(now)
        elif event == "read":
            more = connection.consumed(connection.unread, now)
        elif isinstance(event, str):
            more = getattr(connection, event)(now)
        else:
            more = connection.on_segment(hostile(event, ours, theirs), now)
        assert not (more and Closed() in effects)
        effects += more
        assert connection.unread <= config.receive_buffer
    words = [type(effect).__name__ for effect in effects]
    assert max(map(words.count, ("Closed", "Established", "PeerFinished"))) <= 1
    assert (connection.state is State.CLOSED) == ("Closed" in words)
    assert "Received" not in words[: words.index("Established")] if "Established" in words else "Received" not in words
    for effect in effects:
        if isinstance(effect, Emit):
            assert tcp.parse(tcp.emit(effect.segment, HERE, THERE), HERE, THERE) == effect.segment
