"""The transmission control block: the parts of a connection, and what emits segments and effects.

The event modules (`connection`, `arrives`, `timeouts`) change it through the methods here; `take` hands over the
effects that a call produced.
"""

from __future__ import annotations

from tamiz.wire.tcp import NO_OPTIONS, Segment, TcpFlags, TcpOptions

from .config import TcpConfig
from .effects import (
    Closed,
    Effect,
    Effects,
    Emit,
    EnteredTimeWait,
    Established,
    Reset,
    SegmentKind,
    TimedOut,
)
from .options import Options
from .receive import Receiver
from .send import Piece, Sender
from .sequence import MASK
from .states import (
    ABORT_SENDS_RST,
    ENDS_IN_SILENCE,
    SENDS_TEXT,
    TAKES_TEXT,
    Event,
    State,
    after,
)
from .timers import RoundTrip, Timer, Timers

_SYN, _SYN_ACK, _ACK = TcpFlags.SYN, TcpFlags.SYN | TcpFlags.ACK, TcpFlags.ACK
_RST, _RST_ACK = TcpFlags.RST, TcpFlags.RST | TcpFlags.ACK
_TEXT = {  # (push, fin) -> flags
    (False, False): TcpFlags.ACK,
    (True, False): TcpFlags.PSH | TcpFlags.ACK,
    (False, True): TcpFlags.FIN | TcpFlags.ACK,
    (True, True): TcpFlags.FIN | TcpFlags.PSH | TcpFlags.ACK,
}


class Block:
    """One connection's state. `active`: it began with our SYN."""

    __slots__ = (
        "_challenged",
        "_challenged_since",
        "_effects",
        "_timed",
        "ack_due",
        "active",
        "attempts",
        "closing",
        "config",
        "established",
        "local_port",
        "options",
        "probes",
        "receive",
        "remote_port",
        "round_trip",
        "send",
        "state",
        "syn_resent",
        "timers",
        "unanswered",
    )

    def __init__(self, local_port: int, remote_port: int, iss: int, config: TcpConfig, *, active: bool) -> None:
        self.local_port, self.remote_port = local_port, remote_port
        self.config, self.active = config, active
        self.state = State.CLOSED
        self.options = Options(config)
        self.send = Sender(iss & MASK, self.options.send_mss, config.initial_window, nagle=config.nagle)
        self.receive = Receiver(config.receive_buffer, config.mss)
        self.timers, self.round_trip = Timers(), RoundTrip(config)
        self.established = False  # `Established` was given
        self.closing = False  # the application closed
        self.ack_due = False  # something arrived that must be acknowledged
        self.syn_resent = False
        self.attempts = 0  # retransmission time-outs since SND.UNA moved
        self.probes = 0  # window probes since the window was shut
        self.unanswered = 0  # those of them, the latest, that no segment answered
        self._timed: tuple[int, int] | None = None  # (position awaited, when sent), to measure a round trip
        self._challenged, self._challenged_since = 0, 0
        self._effects: Effects = []

    # Effects and states ---------------------------------------------------------------------------

    def tell(self, effect: Effect) -> None:
        self._effects.append(effect)

    def take(self) -> Effects:
        """The effects since the last `take`, in order."""
        effects, self._effects = self._effects, []
        return effects

    def move(self, event: Event) -> None:
        self.state = after(self.state, event)

    def end(self, event: Event, *signals: Effect) -> None:
        """The connection is gone: the signals, then `Closed`; no timer runs, nothing is kept."""
        self.move(event)
        self.timers.clear()
        self.send.buffer.clear()
        for signal in signals:
            self.tell(signal)
        self.tell(Closed())

    def reset(self, event: Event, *, by_peer: bool) -> None:
        """A RST came, or the application aborts; near the end of a connection nobody needs to hear of it."""
        signals = () if self.state in ENDS_IN_SILENCE else (Reset(by_peer),)
        self.end(event, *signals)

    def time_out(self) -> None:
        self.end(Event.TIMEOUT, TimedOut())

    def establish(self, event: Event) -> None:
        """The handshake is complete on this side."""
        self.move(event)
        self.established = True
        self.attempts = 0
        if self.syn_resent:
            self.round_trip.syn_was_lost()
            self.send.begin(self.options.send_mss, 1)  # RFC 5681 3.1
        self.tell(Established())

    def enter_time_wait(self, now: int) -> None:
        self.timers.clear()
        self.restart_time_wait(now)
        self.tell(EnteredTimeWait())

    def restart_time_wait(self, now: int) -> None:
        self.timers.set(Timer.TIME_WAIT, now + 2 * self.config.msl)

    # The calls that open and close ------------------------------------------------------------------

    def open(self, now: int) -> None:
        self.move(Event.ACTIVE_OPEN)
        self.send.sent_syn()
        self.send_syn(now)

    def accept(self, syn: Segment, now: int) -> None:
        self.move(Event.PASSIVE_OPEN)
        self.greet(syn, now)
        self.move(Event.SYN)
        self.send.sent_syn()
        self.send_syn(now)

    def greet(self, syn: Segment, now: int) -> None:
        """The peer's SYN: its numbers and options, and a window that is not scaled."""
        self.receive.begin(syn.seq)
        self.options.agree(syn.options, now)
        self.receive.scale(self.options.receive_shift)
        self.send.begin(self.options.send_mss, self.config.initial_window)
        self.send.offered(syn.seq, self.send.una, syn.window)

    def close(self, now: int) -> None:
        """RFC 9293 3.10.4. While the handshake runs, queued text defers the FIN until it is complete."""
        if self.closing or self.state is State.CLOSED:
            return
        if self.state is State.SYN_SENT:
            self.end(Event.CLOSE)
            return
        self.closing = True
        if self.state is not State.SYN_RECEIVED or not self.send.buffer:
            self.finish_sending()
            self.flush(now)

    def finish_sending(self) -> None:
        self.send.finish()
        self.move(Event.CLOSE)

    def abort(self) -> None:
        if self.state is State.CLOSED:
            return
        if self.state in ABORT_SENDS_RST:  # I: with an ACK, as Windows sends it; the RFC's RST has none
            self._emit(self._segment(self.send.top, _RST_ACK, 0), SegmentKind.RST)
        self.reset(Event.ABORT, by_peer=False)

    # Segments out -----------------------------------------------------------------------------------

    def send_syn(self, now: int, *, again: bool = False) -> None:
        """The SYN, or the SYN-ACK once the peer's SYN is known."""
        first = self.state is State.SYN_SENT
        flags, kind = (_SYN, SegmentKind.SYN) if first else (_SYN_ACK, SegmentKind.SYN_ACK)
        window = self.receive.advertise(syn=True)
        self._emit(self._segment(self.send.iss, flags, window, b"", self.options.syn(now)), kind, again)
        self._timed = None if again else (self.send.iss + 1, now)
        self.timers.set(Timer.RETRANSMIT, now + self.round_trip.wait(self.attempts))
        self._watch(now)

    def send_ack(self, now: int) -> None:
        """A segment without text: it acknowledges, offers the window, reports what is missing."""
        blocks: tuple[tuple[int, int], ...] = ()
        if self.options.sack:
            found = self.receive.blocks(self.options.block_room)
            blocks = tuple((start & MASK, end & MASK) for start, end in found)
        options = self.options.plain(now, blocks)
        segment = self._segment(self.send.top, _ACK, self.receive.advertise(), b"", options)
        self._emit(segment, SegmentKind.ACK)
        self.ack_due = False

    def challenge(self, now: int) -> None:
        """An ACK to a segment that may be forged or is not needed, so many within a period (RFC 5961 7)."""
        if now - self._challenged_since >= self.config.challenge_period:
            self._challenged, self._challenged_since = 0, now
        if self._challenged < self.config.challenge_acks:
            self._challenged += 1
            self.send_ack(now)

    def refuse(self, segment: Segment) -> None:
        """RST to an ACK of something never sent, while the handshake runs (RFC 9293 3.10.7.3, 3.10.7.4)."""
        ports = (self.local_port, self.remote_port)
        self._emit(Segment(*ports, segment.ack, 0, _RST, window=0), SegmentKind.RST)

    def send_piece(self, piece: Piece, now: int) -> None:
        flags = _TEXT[piece.push, piece.fin]
        options = self.options.plain(now, ())
        segment = self._segment(piece.at, flags, self.receive.advertise(), piece.text, options)
        self._emit(segment, SegmentKind.FIN if piece.fin else SegmentKind.DATA, piece.again)
        self.ack_due = False
        if piece.again:
            self._timed = None  # Karn's rule, RFC 6298 3
        elif self._timed is None:
            self._timed = (piece.at + len(piece.text) + piece.fin, now)

    def _segment(
        self,
        at: int,
        flags: TcpFlags,
        window: int,
        text: bytes = b"",
        options: TcpOptions = NO_OPTIONS,
    ) -> Segment:
        ack = 0 if flags == _SYN else self.receive.nxt & MASK
        return Segment(self.local_port, self.remote_port, at & MASK, ack, flags, window, 0, options, text)

    def _emit(self, segment: Segment, kind: SegmentKind, again: bool = False) -> None:
        self._effects.append(Emit(segment, kind, again))

    # What every event ends with -----------------------------------------------------------------------

    def flush(self, now: int) -> None:
        """Send what may be sent, then the ACK that is still due; set the timers that follow from it."""
        if self.state in SENDS_TEXT:
            while (piece := self.send.next()) is not None:
                self.send_piece(piece, now)
        if self.ack_due:
            self.send_ack(now)
        self.set_timers(now)

    def set_timers(self, now: int) -> None:
        """RETRANSMIT while something is in flight (RFC 6298 5), else PERSIST while something waits (RFC 9293 3.8.6)."""
        send, timers = self.send, self.timers
        if send.flight:
            timers.set_unless_running(Timer.RETRANSMIT, now + self.round_trip.wait(self.attempts))
        else:
            timers.cancel(Timer.RETRANSMIT)
        if not send.flight and send.waiting and self.state in SENDS_TEXT:
            timers.set_unless_running(Timer.PERSIST, now + self.round_trip.wait(self.probes))
        else:
            timers.cancel(Timer.PERSIST)
            self.probes = self.unanswered = 0
        self._watch(now)

    def _watch(self, now: int) -> None:
        limit = self.config.user_timeout
        if limit is None:
            return
        if self.send.outstanding:
            self.timers.set_unless_running(Timer.USER, now + limit)
        else:
            self.timers.cancel(Timer.USER)

    def offer_window(self, now: int) -> None:
        """Tell the peer that the window opened, where that helps it."""
        if self.state in TAKES_TEXT and self.receive.owes_update:
            self.send_ack(now)

    # What an acknowledgment brings --------------------------------------------------------------------

    def answered_probe(self) -> None:
        """The peer keeps its window shut but lives: it may do so for ever (RFC 9293 3.8.6.1)."""
        self.unanswered = 0
        self.timers.cancel(Timer.USER)

    def progressed(self, ack: int, echoed: int | None, now: int) -> None:
        """SND.UNA moves to `ack`: measure, and begin the timers anew (RFC 6298 5.3).

        D: KB 170359, the doubling ends when responses resume.
        """
        if echoed is not None:
            self.round_trip.sample(echoed)
        elif self._timed is not None and not self.options.stamps and ack >= self._timed[0]:
            self.round_trip.sample(now - self._timed[1])
        if self._timed is not None and ack >= self._timed[0]:
            self._timed = None
        self.attempts = 0
        self.timers.cancel(Timer.RETRANSMIT)
        self.timers.cancel(Timer.USER)
