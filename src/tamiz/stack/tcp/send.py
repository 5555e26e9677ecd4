"""The sending half: what the application queued, what is in flight, what may be sent next.

Positions: the SYN is at `iss`, the first byte after it, the FIN behind the last byte. `una` <= `nxt` <= `top`: the
oldest unacknowledged, the next to send, the end of all that was ever sent. After a time-out `nxt` goes back to `una`,
so that what follows is sent again in order; `top` stays. Segments without text are sent at `top`. `reach` is above
`top` by one while a window probe is not acknowledged: below it a transmission is a repetition, up to it an ACK counts.
"""

from __future__ import annotations

from typing import NamedTuple

from .congestion import Congestion
from .sequence import Ranges


class Piece(NamedTuple):
    """A segment's text at position `at`. `push`: nothing is queued behind it. `again`: sent before, if only in part."""

    at: int
    text: bytes
    fin: bool
    push: bool
    again: bool


class Sender:
    """What this end sends. `mss` and the congestion window are set when the peer's SYN is known."""

    __slots__ = (
        "_base",
        "_nagle",
        "_resent",
        "_sacked",
        "_wl1",
        "_wl2",
        "buffer",
        "congestion",
        "finished",
        "iss",
        "max_window",
        "mss",
        "nxt",
        "reach",
        "top",
        "una",
        "window",
    )

    def __init__(self, iss: int, mss: int, segments: int, *, nagle: bool) -> None:
        self.iss = self.una = self.nxt = self.top = self.reach = iss
        self.buffer = bytearray()  # from the oldest unacknowledged byte to the last one queued
        self._base = iss + 1  # the position of buffer[0]
        self.finished = False  # a FIN follows the buffer
        self._nagle = nagle
        self.window = self.max_window = 0  # SND.WND in bytes, and the largest there was
        self._wl1 = self._wl2 = -1
        self._sacked = Ranges()
        self._resent = iss  # in fast recovery: holes below it are filled already
        self.begin(mss, segments)

    def begin(self, mss: int, segments: int) -> None:
        """The largest segment is agreed; the first congestion window is `segments` of them."""
        self.mss = mss
        self.congestion = Congestion(mss, segments, self.iss)

    # What the application does ----------------------------------------------------------------------

    def queue(self, data: bytes | bytearray | memoryview) -> None:
        self.buffer += data

    def finish(self) -> None:
        self.finished = True

    # What can be asked ------------------------------------------------------------------------------

    @property
    def end(self) -> int:
        """The position behind the last byte queued: where the FIN is, or will be."""
        return self._base + len(self.buffer)

    @property
    def flight(self) -> int:
        return self.nxt - self.una

    @property
    def outstanding(self) -> bool:
        """Whether anything was sent or queued that is not acknowledged."""
        return self.una < max(self.top, self.end + self.finished)

    @property
    def syn_acknowledged(self) -> bool:
        return self.una > self.iss

    @property
    def fin_acknowledged(self) -> bool:
        return self.finished and self.una > self.end

    @property
    def waiting(self) -> bool:
        """Whether a byte or the FIN stands ready at `nxt`."""
        return self.nxt < self.end + self.finished

    # Sending ----------------------------------------------------------------------------------------

    def sent_syn(self) -> None:
        self.nxt = self.top = self.reach = self.iss + 1

    def next(self) -> Piece | None:
        """The next segment that the windows and the silly-window rule allow; it counts as sent."""
        usable = self.una + min(self.window, self.congestion.allowance) - self.nxt
        if usable <= 0 or not self.waiting:
            return None
        queued = self.end - self.nxt
        size = min(queued, self.mss, usable)
        if size < self.mss and not self._worth_it(size, queued, usable):
            return None
        return self._advance(size, usable)

    def _worth_it(self, size: int, queued: int, usable: int) -> bool:
        """Whether a segment shorter than the MSS goes out (RFC 9293 3.8.6.2.1, Fs = 1/2; Nagle 3.7.4)."""
        if size < queued:
            return size * 2 >= self.max_window
        return self.finished or not self._nagle or not self.flight

    def _advance(self, size: int, usable: int) -> Piece:
        piece = self._cut(self.nxt, size, usable)
        self.nxt += len(piece.text) + piece.fin
        self.top = max(self.top, self.nxt)
        self.reach = max(self.reach, self.top)
        return piece

    def _cut(self, at: int, size: int, room: int) -> Piece:
        """The segment of `size` bytes at `at`; with the FIN where that is next and `room` lets it in."""
        start = at - self._base
        text = bytes(self.buffer[start : start + size])
        last = start + len(text) == len(self.buffer)
        fin = last and self.finished and room > len(text)
        return Piece(at, text, fin, last and bool(text), at < self.reach)

    def probe(self) -> Piece:
        """The persist timer is due: what little the window takes, else one number beyond it (RFC 9293 3.8.6.1).

        A number beyond the window stays unsent as far as `nxt` goes: the peer need not take it.
        """
        usable = self.una + self.window - self.nxt
        size = min(self.end - self.nxt, self.mss, max(usable, 1))
        if usable > 0:
            return self._advance(size, usable)
        piece = self._cut(self.nxt, size, 1)
        self.reach = max(self.reach, self.nxt + 1)
        return piece

    # Acknowledgments --------------------------------------------------------------------------------

    def acknowledge(self, ack: int) -> Piece | None:
        """An ACK above `una`, at most `reach`. The piece is a hole that a partial ACK shows (RFC 6582)."""
        count = ack - max(self.una, self.iss + 1)  # the SYN opens no window, RFC 5681 3.1
        self.una = ack
        gone = min(ack, self.end) - self._base
        del self.buffer[:gone]
        self._base += gone
        self.nxt = max(self.nxt, ack)
        self.top = max(self.top, ack)
        self._sacked.drop_below(ack)
        partial = self.congestion.acknowledged(count, ack, self.flight)
        return self._hole() if partial else None

    def duplicate(self) -> Piece | None:
        """A duplicate ACK. The piece is what fast retransmit or the peer's SACK blocks ask for."""
        if self.congestion.duplicate(self.una, self.top, self.flight):
            self._resent = self.una
            return self._hole()
        hole = self._hole() if self.congestion.recovering and self._sacked else None
        if hole is not None:
            self.congestion.hole_filled()
        return hole

    def _hole(self) -> Piece | None:
        """The lowest missing segment that this recovery has not sent again; below a SACK block, or at `una`."""
        start = max(self.una, self._resent)
        top = self._sacked.last if self._sacked else min(self.una + 1, self.top)
        hole = next(self._sacked.gaps(start, top), None) if start < top else None
        if hole is None:
            return None
        at, end = hole
        limit = end if self._sacked else self.top  # nothing new: the window may have no room for it
        size = min(self.mss, self.end - at, limit - at)
        piece = self._cut(at, size, min(size + 1, self.top - at))
        self._resent = at + len(piece.text) + piece.fin
        return piece

    def selective(self, start: int, end: int) -> bool:
        """A SACK block of the peer; one that makes no sense is ignored (RFC 2018 4, 5). True: it tells of bytes that
        were not known to have arrived."""
        if not self.una < start < end <= self.top:
            return False
        news = any(self._sacked.gaps(start, end))
        self._sacked.add(start, end)
        return news

    def offered(self, seq: int, ack: int, window: int) -> None:
        """The peer's window, unless the segment is older than the one that last set it (RFC 9293 3.10.7.4)."""
        if self._wl1 < seq or (self._wl1 == seq and self._wl2 <= ack):
            self.window, self._wl1, self._wl2 = window, seq, ack
            self.max_window = max(self.max_window, window)

    def timed_out(self, again: bool) -> None:
        """The retransmission timer expired: everything from `una` is sent again, SACK blocks are forgotten.

        RFC 2018 8: the peer may have discarded what it reported.
        """
        self.congestion.timed_out(self.top, self.flight, again)
        self._sacked.clear()
        self.nxt = self.una
