"""Deadlines, and how long to wait for an acknowledgment (RFC 6298). All times are nanoseconds."""

from __future__ import annotations

import enum

from .config import MILLISECOND, SECOND, TcpConfig


class Timer(enum.IntEnum):
    """The timers of a connection, in the order in which they act when due together."""

    USER = 0  # the oldest unacknowledged byte waits too long, RFC 9293 3.10.8
    TIME_WAIT = 1  # 2 MSL, RFC 9293 3.10.8
    RETRANSMIT = 2  # RFC 6298 5
    PERSIST = 3  # something to send, nothing in flight, no room in the window, RFC 9293 3.8.6.1


class Timers:
    """The deadlines that are set."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due: dict[Timer, int] = {}

    def set(self, timer: Timer, at: int) -> None:
        self._due[timer] = at

    def set_unless_running(self, timer: Timer, at: int) -> None:
        self._due.setdefault(timer, at)

    def cancel(self, timer: Timer) -> None:
        self._due.pop(timer, None)

    def clear(self) -> None:
        self._due.clear()

    def earliest(self) -> int | None:
        return min(self._due.values(), default=None)

    def pop_due(self, now: int) -> list[Timer]:
        """The timers that are due, in the order in which they act; they no longer run."""
        due = sorted(timer for timer, at in self._due.items() if at <= now)
        for timer in due:
            del self._due[timer]
        return due


_GRANULARITY = MILLISECOND  # G of RFC 6298 2; one tick of our timestamp clock
_AFTER_SYN_LOSS = 3 * SECOND  # RFC 6298 5.7


class RoundTrip:
    """The round trip measured, and the retransmission time-out that follows from it."""

    __slots__ = ("_base", "_config", "_smoothed", "_variation")

    def __init__(self, config: TcpConfig) -> None:
        self._config = config
        self._smoothed: int | None = None
        self._variation = 0
        self._base = config.initial_rto

    def wait(self, doublings: int) -> int:
        """The time-out, doubled for each one in a row (RFC 6298 5.5), never above the maximum."""
        return min(self._base << min(doublings, 64), self._config.max_rto)

    def sample(self, measured: int) -> None:
        """RFC 6298 2.2 and 2.3, alpha 1/8 and beta 1/4."""
        if self._smoothed is None:
            self._smoothed, self._variation = measured, measured // 2
        else:
            self._variation = (3 * self._variation + abs(self._smoothed - measured)) // 4
            self._smoothed = (7 * self._smoothed + measured) // 8
        wanted = self._smoothed + max(_GRANULARITY, 4 * self._variation)
        self._base = min(max(wanted, self._config.min_rto), self._config.max_rto)

    def syn_was_lost(self) -> None:
        """Data begins after a retransmitted SYN, which cannot be measured: at least 3 s (RFC 6298 5.7)."""
        if self._smoothed is None:
            self._base = max(self._base, min(_AFTER_SYN_LOSS, self._config.max_rto))
