"""A TCP connection without I/O: segments, calls and time in; effects out (RFC 9293).

Theory of operation
-------------------
`Connection` is the door. Each method returns the ordered list of effects (`effects`) that the host must carry
out. Nothing inside reads a clock or draws a number: time is an argument in nanoseconds, the initial sequence number
too, so that the same calls give the same effects. The modules follow the standard's own division:

    connection.py the calls of the user: OPEN, SEND, RECEIVE, CLOSE, ABORT      3.10.1 to 3.10.5
    arrives.py    SEGMENT ARRIVES, its steps as a table                         3.10.7
    timeouts.py   what each timer does when it is due                           3.10.8
    block.py      the transmission control block: the parts below, and what emits segments
    states.py     states and transitions, the table of figure 5                 3.3.2
    send.py       what may be sent and what is in flight                        3.8.6, RFC 2018
    congestion.py how much the network may hold                                 RFC 5681, 6582
    receive.py    what is acceptable, reassembly, the window we offer           3.8.6, 3.10.7.4
    options.py    options offered and agreed, PAWS                              RFC 7323, 2018
    timers.py     deadlines, and the retransmission time-out                    RFC 6298
    config.py     every number, with its source
    sequence.py   numbers modulo 2**32 become positions that only grow

Choices the standard leaves open: an ACK is sent at once, never delayed (the clearest trace); it rides on a data
segment that goes out in the same call. Text on a SYN is not kept; the peer sends it again. The urgent pointer is not
interpreted: its bytes are part of the stream. Congestion state is not reduced after an idle time (Windows: CwndRestart
false). Of overlapping segments the bytes that came first stand.

What the host does: it owns listeners, addresses and port pairs; classifies each application send before `send`, each
segment around `on_segment` and `Emit`, each `Received` before the application reads; calls `on_timer` at
`next_timer()`; answers with `reset_for` what belongs to nobody.
"""

from __future__ import annotations

from tamiz.wire.tcp import Segment

from . import arrives, timeouts
from .block import Block
from .config import TcpConfig
from .effects import (
    Effects,
)
from .states import TAKES_SEND, State


class Connection:
    """One end of one connection. Make it with `active` or `passive`; after `Closed` every call returns nothing."""

    __slots__ = ("_block",)

    def __init__(self, block: Block) -> None:
        self._block = block

    # Opening --------------------------------------------------------------------------------------

    @classmethod
    def active(
        cls, local_port: int, remote_port: int, iss: int, now: int, config: TcpConfig
    ) -> tuple[Connection, Effects]:
        """Connect: the connection in SYN-SENT, and the `Emit` of its SYN. `iss` is modulo 2**32."""
        block = Block(local_port, remote_port, iss, config, active=True)
        block.open(now)
        return cls(block), block.take()

    @classmethod
    def passive(cls, syn: Segment, iss: int, now: int, config: TcpConfig) -> tuple[Connection, Effects]:
        """A listener takes `syn`: the connection in SYN-RECEIVED, and the `Emit` of its SYN-ACK.

        `ValueError` when `syn` is not a SYN without ACK and RST: to such a segment a listener answers `reset_for`
        or nothing (RFC 9293 3.10.7.2).
        """
        if not syn.syn or syn.has_ack or syn.rst:
            raise ValueError(f"passive open: found a segment with {syn.flags.label}, wanted a SYN")
        block = Block(syn.dst_port, syn.src_port, iss, config, active=False)
        block.accept(syn, now)
        return cls(block), block.take()

    # What happens ---------------------------------------------------------------------------------

    def on_segment(self, segment: Segment, now: int) -> Effects:
        """A segment of this port pair, checksum verified, permitted by the filters, arrived."""
        arrives.segment_arrives(self._block, segment, now)
        return self._block.take()

    def next_timer(self) -> int | None:
        """When `on_timer` is due next, in nanoseconds; None while no timer runs."""
        return self._block.timers.earliest()

    def on_timer(self, now: int) -> Effects:
        """Time has come to `now`: every timer that is due acts. Early calls do nothing."""
        timeouts.time_passes(self._block, now)
        return self._block.take()

    # What the application asks --------------------------------------------------------------------

    def send(self, data: bytes | bytearray | memoryview, now: int) -> Effects:
        """Queue `data` and send what the windows allow. Before ESTABLISHED it is only queued.

        `ValueError` where the state takes no more (see `can_send`): RFC 9293 3.10.2, "connection closing".
        """
        block = self._block
        if not self.can_send:
            raise ValueError(f"send: found a connection in {block.state.value}, wanted one that is open to send")
        block.send.queue(data)
        block.flush(now)
        return block.take()

    def consumed(self, count: int, now: int) -> Effects:
        """The application read `count` bytes: the window opens, and the peer is told where that helps it.

        `ValueError` when fewer bytes are unread.
        """
        block = self._block
        block.receive.consume(count)
        block.offer_window(now)
        return block.take()

    def close(self, now: int) -> Effects:
        """No more to send: FIN after what is queued (RFC 9293 3.10.4). Reading goes on. Again: nothing."""
        self._block.close(now)
        return self._block.take()

    def abort(self, now: int) -> Effects:
        """Give up at once: RST where the state calls for one (RFC 9293 3.10.5), then `Closed`."""
        self._block.abort()
        return self._block.take()

    # What can be asked ----------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self._block.state

    @property
    def local_port(self) -> int:
        return self._block.local_port

    @property
    def remote_port(self) -> int:
        return self._block.remote_port

    @property
    def can_send(self) -> bool:
        """Whether `send` is allowed: not after `close`, nor once the connection ended."""
        return self._block.state in TAKES_SEND and not self._block.closing

    @property
    def unacknowledged(self) -> int:
        """Bytes the application sent that the peer has not acknowledged yet, whether in flight or queued."""
        return len(self._block.send.buffer)

    @property
    def unread(self) -> int:
        """Bytes given by `Received` that were not `consumed` yet."""
        return self._block.receive.unread
