"""SEGMENT ARRIVES (RFC 9293 3.10.7.3 and 3.10.7.4, with RFC 5961 and RFC 7323).

A segment of a synchronized connection passes the steps of `STEPS` in their order, until one says that it has done
with the segment. SYN-SENT has its own short list. CLOSED gives no effect: the host answers with `reset_for`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tamiz.wire.tcp import Segment, TcpFlags

from .block import Block
from .effects import PeerFinished, Received, Refused
from .send import Piece
from .sequence import position
from .states import AWAITS_ACK_OF_FIN, TAKES_TEXT, Event, State

_FIN, _SYN, _RST, _ACK = int(TcpFlags.FIN), int(TcpFlags.SYN), int(TcpFlags.RST), int(TcpFlags.ACK)


@dataclass(slots=True)
class Arrival:
    """A segment with its numbers as positions. `text` and `fin` are what is still to be processed of it."""

    segment: Segment
    flags: int
    seq: int
    ack: int
    text: bytes
    fin: bool
    window: int

    @property
    def length(self) -> int:
        return len(self.text) + self.fin + bool(self.flags & _SYN)


def segment_arrives(block: Block, segment: Segment, now: int) -> None:
    """One segment, to its end: effects stand in the block."""
    if block.state is State.CLOSED:
        return
    if block.state is State.SYN_SENT:
        _in_syn_sent(block, segment, now)
        return
    _process(block, _arrival(block, segment), now)


def _arrival(block: Block, segment: Segment) -> Arrival:
    flags = int(segment.flags)
    shift = 0 if flags & _SYN else block.options.send_shift  # RFC 7323 2.2
    return Arrival(
        segment,
        flags,
        position(segment.seq, block.receive.nxt),
        position(segment.ack, block.send.una),
        segment.payload,
        bool(flags & _FIN),
        segment.window << shift,
    )


def _process(block: Block, arrival: Arrival, now: int) -> None:
    for step in STEPS:
        if not step(block, arrival, now):
            break
    if block.state is not State.CLOSED:
        block.flush(now)


# SYN-SENT, RFC 9293 3.10.7.3 ----------------------------------------------------------------------


def _in_syn_sent(block: Block, segment: Segment, now: int) -> None:
    flags, acks_syn = int(segment.flags), position(segment.ack, block.send.iss) == block.send.iss + 1
    if flags & _ACK and not acks_syn:
        if not flags & _RST:
            block.refuse(segment)
    elif flags & _RST:
        if flags & _ACK:
            block.end(Event.RST, Refused())
    elif flags & _SYN:
        block.greet(segment, now)
        if flags & _ACK:
            _opened(block, segment, now)
        else:
            block.move(Event.SYN)  # simultaneous open
            block.send_syn(now)


def _opened(block: Block, segment: Segment, now: int) -> None:
    """The SYN-ACK: `Established` before the final ACK, which carries no text; then what else the segment holds."""
    _progress(block, block.send.iss + 1, segment, now)
    block.establish(Event.SYN_ACK)
    rest = _arrival(block, segment)
    rest.seq, rest.flags = rest.seq + 1, rest.flags & ~_SYN
    if not rest.text and not rest.fin:
        block.send_ack(now)
        block.flush(now)
        return
    _process(block, rest, now)


# The steps of RFC 9293 3.10.7.4: True goes on to the next -------------------------------------------


def _check_stamp(block: Block, arrival: Arrival, now: int) -> bool:
    """RFC 7323 5.3 R1 and 3.2: once agreed, a segment without a stamp is dropped, one with an old stamp answered."""
    if not block.options.stamps or arrival.flags & _RST:
        return True
    if arrival.segment.options.timestamps is None:
        return False
    if block.options.outdated(arrival.segment.options, now):
        _answer(block, arrival, now)
        return False
    return True


def _check_repeated_syn(block: Block, arrival: Arrival, now: int) -> bool:
    """The peer's SYN once more, before the handshake is complete.

    With an ACK it is the peer's SYN-ACK of a simultaneous open (RFC 9293 3.5, figure 7): its SYN is taken off. Without
    one our SYN-ACK was lost and goes out again. I: the RFC would send an ACK, which the peer in SYN-SENT ignores.
    """
    if not arrival.flags & _SYN or block.send.syn_acknowledged or arrival.seq != block.receive.irs:
        return True
    if arrival.flags & _ACK:
        arrival.seq, arrival.flags = arrival.seq + 1, arrival.flags & ~_SYN
        return True
    if not arrival.flags & _RST:
        block.send_syn(now, again=True)
    return False


def _check_sequence(block: Block, arrival: Arrival, now: int) -> bool:
    """First step. Also RFC 7323 5.3 R3: the stamp to echo is that of the segment at the left edge."""
    receive = block.receive
    if receive.acceptable(arrival.seq, arrival.length):
        if block.options.stamps and arrival.seq <= receive.nxt:
            block.options.remember(arrival.segment.options, now)
        return True
    if arrival.seq == receive.nxt:  # the window is shut: text is left out, ACK and RST count all the same
        arrival.text, arrival.fin = b"", False
        block.ack_due = True
        return True
    if arrival.flags & _RST:
        return False
    _answer(block, arrival, now)
    return _counts_nevertheless(block, arrival)


def _counts_nevertheless(block: Block, arrival: Arrival) -> bool:
    """Whether the ACK of an old segment is looked at, its text being left out.

    I: the RFC drops the whole segment, BSD does as here. Two ends whose window probes crossed would else stand still
    for ever: each sends its ACKs at a number that the other has already taken.
    """
    old = block.receive.just_passed(arrival.seq, arrival.length)
    if not old or arrival.flags & _SYN or not block.send.syn_acknowledged:
        return False
    arrival.text, arrival.fin = b"", False
    return True


def _answer(block: Block, arrival: Arrival, now: int) -> None:
    """An ACK to an unacceptable segment; a bare ACK is answered only so often, lest two ends answer for ever."""
    if block.state is State.TIME_WAIT and arrival.fin:
        block.restart_time_wait(now)  # RFC 9293 3.10.7.4, eighth step: the peer did not see our last ACK
    if arrival.length:
        block.ack_due = True
    else:
        block.challenge(now)


def _check_reset(block: Block, arrival: Arrival, now: int) -> bool:
    """Second step, as RFC 5961 3.2: only the very next number resets."""
    if not arrival.flags & _RST:
        return True
    if arrival.seq != block.receive.nxt:
        block.challenge(now)
    elif block.state is State.SYN_RECEIVED and block.active:
        block.end(Event.RST, Refused())
    else:
        block.reset(Event.RST, by_peer=True)
    return False


def _check_syn(block: Block, arrival: Arrival, now: int) -> bool:
    """Fourth step, as RFC 5961 4.2: a SYN never resets a synchronized connection."""
    if not arrival.flags & _SYN:
        return True
    if block.state is State.SYN_RECEIVED and not block.active:
        block.end(Event.SYN)  # the listener goes on listening
    else:
        block.challenge(now)
    return False


def _check_ack(block: Block, arrival: Arrival, now: int) -> bool:
    """Fifth step, with RFC 5961 5.2: an ACK too old or of something unsent is challenged."""
    send = block.send
    if not arrival.flags & _ACK:
        return False
    if block.state is State.SYN_RECEIVED:
        return _check_handshake(block, arrival, now)
    if not send.una - send.max_window <= arrival.ack <= send.reach:
        block.challenge(now)
        return False
    _acknowledge(block, arrival, now)
    return send.syn_acknowledged and _check_closing(block, now)


def _check_handshake(block: Block, arrival: Arrival, now: int) -> bool:
    """SYN-RECEIVED: the ACK of our SYN establishes; another ACK is answered with a RST."""
    send = block.send
    if not send.una < arrival.ack <= send.top:
        block.refuse(arrival.segment)
        return False
    block.establish(Event.ACK_OF_SYN)
    _acknowledge(block, arrival, now)
    if block.closing:
        block.finish_sending()
    return True


def _acknowledge(block: Block, arrival: Arrival, now: int) -> None:
    send, news = block.send, _take_blocks(block, arrival)
    if arrival.ack > send.una:
        first = not send.syn_acknowledged
        _progress(block, arrival.ack, arrival.segment, now)
        if first and not block.established:
            block.establish(Event.ACK_OF_SYN)
    elif _is_duplicate(block, arrival, news):
        _resend(block, send.duplicate(), now)
    if arrival.ack >= send.una:
        if not send.flight:
            block.answered_probe()
        send.offered(arrival.seq, arrival.ack, arrival.window)


def _take_blocks(block: Block, arrival: Arrival) -> bool:
    """The SACK blocks of a segment. True: they tell of bytes that were not known to have arrived."""
    if not block.options.sack:
        return False
    send, news = block.send, False
    for left, right in arrival.segment.options.sack:
        news |= send.selective(position(left, send.una), position(right, send.una))
    return news


def _progress(block: Block, ack: int, segment: Segment, now: int) -> None:
    block.progressed(ack, block.options.echoed(segment.options, now), now)
    _resend(block, block.send.acknowledge(ack), now)


def _resend(block: Block, piece: Piece | None, now: int) -> None:
    if piece is not None:
        block.send_piece(piece, now)


def _is_duplicate(block: Block, arrival: Arrival, news: bool) -> bool:
    """RFC 5681 2: nothing new, no text, the same window, while something is outstanding.

    A SACK block with news makes one of any ACK (RFC 6675 2): a receiver may tune its window at the same time.
    """
    send = block.send
    if arrival.ack != send.una or not send.flight:
        return False
    return news or (not arrival.length and arrival.window == send.window)


def _check_closing(block: Block, now: int) -> bool:
    """Fifth step, the states that wait for the ACK of our FIN."""
    if block.state not in AWAITS_ACK_OF_FIN or not block.send.fin_acknowledged:
        return True
    was = block.state
    if was is State.LAST_ACK:
        block.end(Event.ACK_OF_FIN)
        return False
    block.move(Event.ACK_OF_FIN)
    if was is State.CLOSING:
        block.enter_time_wait(now)
    return True


def _take_text(block: Block, arrival: Arrival, now: int) -> bool:
    """Seventh step; text and FIN go through reassembly together. The ACK waits for `flush`."""
    if block.state not in TAKES_TEXT or not (arrival.text or arrival.fin):
        return False
    ready = block.receive.take(arrival.seq, arrival.text, arrival.fin)
    block.ack_due = True
    if ready:
        block.tell(Received(ready))
    return block.receive.finished


def _take_fin(block: Block, arrival: Arrival, now: int) -> bool:
    """Eighth step: every byte before the FIN is in order."""
    block.tell(PeerFinished())
    block.move(Event.FIN)
    if block.state is State.TIME_WAIT:
        block.send_ack(now)
        block.enter_time_wait(now)
    return False


Step = Callable[[Block, Arrival, int], bool]

STEPS: tuple[Step, ...] = (
    _check_stamp,  # RFC 7323 5.3, before the sequence number
    _check_repeated_syn,  # RFC 9293 3.5
    _check_sequence,  # first
    _check_reset,  # second; the third, security, is obsolete
    _check_syn,  # fourth
    _check_ack,  # fifth; the sixth, URG, is not interpreted
    _take_text,  # seventh
    _take_fin,  # eighth
)
