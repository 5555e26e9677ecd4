"""What each timer does when it is due (RFC 9293 3.10.8, RFC 6298 5, RFC 9293 3.8.6.1)."""

from __future__ import annotations

from collections.abc import Callable

from .block import Block
from .states import Event, State
from .timers import Timer


def time_passes(block: Block, now: int) -> None:
    """Every timer due at `now` acts, unless one before it ended the connection."""
    for timer in block.timers.pop_due(now):
        if block.state is not State.CLOSED:
            _ACTS[timer](block, now)


def _give_up(block: Block, now: int) -> None:
    block.time_out()


def _time_wait_over(block: Block, now: int) -> None:
    block.end(Event.TIMEOUT)


def _retransmit(block: Block, now: int) -> None:
    """The oldest unacknowledged segment once more, the next interval doubled (RFC 6298 5.4 to 5.6)."""
    opened = block.send.syn_acknowledged
    if block.attempts >= (block.config.data_retries if opened else block.config.syn_retries):
        block.time_out()
        return
    block.attempts += 1
    if opened:
        block.send.timed_out(again=block.attempts > 1)
        block.flush(now)
    else:
        block.syn_resent = True
        block.send_syn(now, again=True)


def _probe(block: Block, now: int) -> None:
    """Ask a peer whose window is shut; each question waits twice as long as the one before."""
    if block.unanswered > block.config.data_retries:
        block.time_out()
        return
    block.probes += 1
    block.unanswered += 1
    block.send_piece(block.send.probe(), now)
    block.set_timers(now)


_ACTS: dict[Timer, Callable[[Block, int], None]] = {
    Timer.USER: _give_up,
    Timer.TIME_WAIT: _time_wait_over,
    Timer.RETRANSMIT: _retransmit,
    Timer.PERSIST: _probe,
}
