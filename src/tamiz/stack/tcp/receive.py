"""The receiving half: which segments are acceptable, reassembly, and the window we offer."""

from __future__ import annotations

from itertools import islice

from .sequence import Ranges


class Receiver:
    """What this end receives. `begin` sets the positions when the peer's SYN is known.

    `edge` is the right edge of the largest window ever offered; it never moves back, so what was offered is taken
    (RFC 7323 2.4). What the peer was told last may lie before it, when scaling rounded it down.
    """

    __slots__ = (
        "_ahead",
        "_capacity",
        "_fin_at",
        "_latest",
        "_mss",
        "_pending",
        "_shift",
        "_told",
        "edge",
        "finished",
        "irs",
        "nxt",
        "unread",
    )

    def __init__(self, capacity: int, mss: int) -> None:
        self._capacity, self._mss = capacity, mss
        self._shift = 0
        self.irs = self.nxt = self.edge = self._told = 0
        self.unread = 0
        self.finished = False  # the FIN is in order: nothing follows
        self._fin_at: int | None = None
        self._pending = bytearray()  # bytes from `nxt` on, meaningful where `_ahead` says so
        self._ahead = Ranges()
        self._latest = 0

    def begin(self, irs: int) -> None:
        """The peer's SYN: its number is the origin. What our own SYN offered stands."""
        offered = self.window
        self.irs, self.nxt = irs, irs + 1
        self.edge = self._told = self.nxt + offered

    def scale(self, shift: int) -> None:
        """Windows are sent divided by 2**shift, but for a SYN's."""
        self._shift = shift

    # The window -------------------------------------------------------------------------------------

    @property
    def window(self) -> int:
        """RCV.WND: the bytes the peer may send from `nxt` on."""
        return self.edge - self.nxt

    @property
    def _room(self) -> int:
        """The right edge that the buffer allows."""
        return self.nxt + self._capacity - self.unread

    def _worth_telling(self) -> bool:
        """Whether the right edge may move: by a segment or half the buffer (RFC 9293 3.8.6.2.2, Fr = 1/2)."""
        return self._room - self._told >= (min(self._capacity // 2, self._mss) or 1)

    def advertise(self, *, syn: bool = False) -> int:
        """The window field of a segment that goes out now. That of a SYN is never scaled (RFC 7323 2.2)."""
        shift = 0 if syn else self._shift
        edge = self._room if self._worth_telling() else self.edge
        field = min((edge - self.nxt) >> shift, 0xFFFF)
        self._told = self.nxt + (field << shift)
        self.edge = max(self.edge, self._told)
        return field

    def consume(self, count: int) -> None:
        """The application read `count` bytes. `ValueError` when fewer are unread."""
        if not 0 <= count <= self.unread:
            raise ValueError(f"consumed: found {count} bytes, wanted 0 to {self.unread}")
        self.unread -= count

    @property
    def owes_update(self) -> bool:
        """Whether the peer should hear of the window now: half the buffer opened, or it could send no segment."""
        if self.finished or not self._worth_telling():
            return False
        reach = self.nxt + (min((self._room - self.nxt) >> self._shift, 0xFFFF) << self._shift)
        shut = self._told - self.nxt < self._mss
        return reach > self._told and (shut or (self._room - self._told) * 2 >= self._capacity)

    # Arrival ----------------------------------------------------------------------------------------

    def acceptable(self, seq: int, length: int) -> bool:
        """The four cases of RFC 9293 3.4 (table 6); `length` counts SYN and FIN.

        I: a segment without length may stand at the very edge, where a peer is that used up the whole window.
        """
        if not length:
            return self.nxt <= seq <= self.edge
        return seq < self.edge and seq + length > self.nxt

    def just_passed(self, seq: int, length: int) -> bool:
        """Whether a segment ends before the window, by no more than the buffer."""
        return self.nxt - self._capacity <= seq + length <= self.nxt

    def take(self, seq: int, text: bytes, fin: bool) -> bytes:
        """Take the part of an acceptable segment that is in the window; returns the bytes that became in order."""
        end = seq + len(text)
        if fin and end < self.edge and self._fin_at is None:
            self._fin_at = end
        limit = self.edge if self._fin_at is None else min(self.edge, self._fin_at)
        if seq < self.nxt or end > limit:
            text = text[max(self.nxt - seq, 0) : max(limit - seq, 0)]
            seq = max(seq, self.nxt)
        ready = self._in_order(seq, text)
        self.nxt += len(ready)
        self.unread += len(ready)
        if self._fin_at is not None and self.nxt == self._fin_at:
            self.finished = True
            self.nxt += 1
        return ready

    def _in_order(self, seq: int, text: bytes) -> bytes:
        if not self._ahead and seq == self.nxt:
            return text
        if text:
            self._keep(seq, text)
        first = self._ahead.around(self.nxt)
        if first is None:
            return b""
        size = (first[1] if self._fin_at is None else min(first[1], self._fin_at)) - self.nxt
        ready = bytes(self._pending[:size])
        del self._pending[:size]
        self._ahead.drop_below(first[1])
        return ready

    def _keep(self, seq: int, text: bytes) -> None:
        """Store what is new of `text`: bytes that came first stand."""
        end = seq + len(text)
        self._pending.extend(bytes(max(end - self.nxt - len(self._pending), 0)))
        for low, high in self._ahead.gaps(seq, end):
            self._pending[low - self.nxt : high - self.nxt] = text[low - seq : high - seq]
        self._ahead.add(seq, end)
        self._latest = seq

    def blocks(self, most: int) -> list[tuple[int, int]]:
        """The SACK blocks to report, the one of the latest arrival first (RFC 2018 4)."""
        if not self._ahead:
            return []
        latest = self._ahead.around(self._latest)
        first = [] if latest is None else [latest]
        others = (block for block in self._ahead if block != latest)
        return first + list(islice(others, most - len(first)))
