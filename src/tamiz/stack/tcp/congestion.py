"""How many bytes the network may hold: slow start, congestion avoidance, fast recovery (RFC 5681, RFC 6582)."""

from __future__ import annotations

DUPLICATES = 3  # duplicate ACKs that mean loss, RFC 5681 3.2


class Congestion:
    """The congestion window of one direction, in bytes. `mss` is the largest segment sent."""

    __slots__ = ("_mss", "duplicates", "recover", "recovering", "threshold", "window")

    def __init__(self, mss: int, segments: int, iss: int) -> None:
        self._mss = mss
        self.window = segments * mss
        self.threshold = 1 << 62  # "arbitrarily high", RFC 5681 3.1
        self.duplicates = 0
        self.recovering = False
        self.recover = iss  # recovery does not begin again below here, RFC 6582 3.2

    @property
    def allowance(self) -> int:
        """Bytes that may be in flight: two segments more for the first two duplicates (RFC 3042)."""
        if self.recovering or not self.duplicates:
            return self.window
        return self.window + min(self.duplicates, 2) * self._mss

    def acknowledged(self, count: int, una: int, flight: int) -> bool:
        """An ACK moved SND.UNA to `una` by `count` bytes. True: a partial ACK, the next hole must be sent."""
        self.duplicates = 0
        if not self.recovering:
            self._grow(count)
            return False
        if una > self.recover:  # RFC 6582 3.2 step 3, full acknowledgment
            self.recovering = False
            self.window = min(self.threshold, max(flight, self._mss) + self._mss)
            return False
        self.window = max(self.window - count, 0) + (self._mss if count >= self._mss else 0)
        self.window = max(self.window, self._mss)
        return True

    def _grow(self, count: int) -> None:
        if self.window < self.threshold:
            self.window += min(count, self._mss)  # RFC 5681 3.1 (2)
        else:
            self.window += max(1, self._mss * self._mss // self.window)  # RFC 5681 3.1 (3)

    def duplicate(self, una: int, top: int, flight: int) -> bool:
        """One more duplicate ACK. True: it is the third, fast retransmit begins. `top` is the highest sent."""
        self.duplicates += 1
        if self.recovering:
            self.window += self._mss  # RFC 5681 3.2 step 4
            return False
        if self.duplicates < DUPLICATES or una <= self.recover:
            return False
        self._halve(flight)
        self.window = self.threshold + DUPLICATES * self._mss
        self.recovering, self.recover = True, top - 1
        return True

    def hole_filled(self) -> None:
        """The last duplicate ACK paid for a repetition: it makes no room for new bytes."""
        self.window -= self._mss

    def timed_out(self, top: int, flight: int, again: bool) -> None:
        """The retransmission timer expired; `again` for the same segment (RFC 5681 3.1, RFC 6582 4)."""
        if not again:
            self._halve(flight)
        self.window = self._mss
        self.duplicates = 0
        self.recovering, self.recover = False, top - 1

    def _halve(self, flight: int) -> None:
        self.threshold = max(flight // 2, 2 * self._mss)  # RFC 5681 (4)
