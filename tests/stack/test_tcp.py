"""Opening, data, windows, loss: dialogues with one connection. Closing has its own file."""

from __future__ import annotations

import pytest

from tamiz.stack.tcp import Connection, SegmentKind, TcpConfig, kind_of, reset_for, windows
from tamiz.wire.tcp import Segment, TcpFlags
from tests.stack.tcp_dialogue import ACCEPTED, CONNECTED, dialogue

OPENING = [
    pytest.param(CONNECTED, {}, id="the active side is established before it sends the final ACK"),
    pytest.param(ACCEPTED, {}, id="the passive side is established when the final ACK arrives"),
    pytest.param(
        """
        connect
        > SYN 0 mss 1460 ws 8 sackok win 65535
        < SYN-ACK 0 ack 1 mss 1400 ws 2 sackok
        = Established
        > ACK 1 ack 1 win 255
        """,
        {"mss": 1460, "window_scale": 8, "sack": True, "receive_buffer": 65_535},
        id="window scale, SACK and MSS are offered; a SYN's window is not scaled, the others are",
    ),
    pytest.param(
        """
        < SYN 0 mss 1460
        > SYN-ACK 0 ack 1 mss 1000 ws none
        < ACK 1 ack 1
        = Established
        """,
        {"window_scale": 3, "sack": True, "timestamps": True},
        id="a SYN-ACK offers nothing that the SYN did not",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        send hello
        silence
        < SYN-ACK 0 ack 1
        = Established
        > ACK 1 ack 1
        > PSH-ACK 1 ack 1 text hello
        """,
        {},
        id="what is sent before the handshake waits for its end",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        < SYN-ACK 0 ack 1 text banner
        = Established
        = Received banner
        > ACK 1 ack 7
        """,
        {},
        id="text on a SYN-ACK is delivered",
    ),
    pytest.param(
        """
        < SYN 0 text early
        > SYN-ACK 0 ack 1
        < ACK 1 ack 1
        = Established
        < PSH-ACK 1 ack 1 text early
        = Received early
        > ACK 1 ack 6
        """,
        {},
        id="text on a SYN is not kept: the peer sends it again",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        < SYN 0
        > SYN-ACK 0 ack 1
        state SYN-RECEIVED
        < SYN-ACK 0 ack 1
        = Established
        state ESTABLISHED
        """,
        {},
        id="simultaneous open (RFC 9293 figure 7)",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        wait 1
        > SYN 0 again
        wait 2
        > SYN 0 again
        wait 3.9
        silence
        wait 0.1
        = TimedOut
        = Closed
        timer none
        """,
        {},
        id="an unanswered SYN is sent three times, at 0, 1 and 3 s, and fails at 7 s",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        wait 1
        > SYN 0 again
        < SYN-ACK 0 ack 1
        = Established
        > ACK 1
        send *2000
        > ACK 1 len 1000
        wait 3
        > ACK 1 len 1000 again
        < ACK 1 ack 1001
        > PSH-ACK 1001 len 1000
        """,
        {},
        id="after a lost SYN text begins with one segment and 3 s (RFC 5681 3.1, RFC 6298 5.7)",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        wait 3
        > SYN 0 again
        wait 6
        > SYN 0 again
        wait 12
        = TimedOut
        = Closed
        """,
        {"initial_rto": windows("7").initial_rto},
        id="before Windows 8 it fails at 21 s",
    ),
    pytest.param(
        """
        < SYN 0
        > SYN-ACK 0 ack 1
        wait 1
        > SYN-ACK 0 ack 1 again
        wait 2
        > SYN-ACK 0 ack 1 again
        wait 4
        = TimedOut
        = Closed
        """,
        {},
        id="an unanswered SYN-ACK is given up likewise",
    ),
    pytest.param(
        """
        < SYN 0
        > SYN-ACK 0 ack 1
        < SYN 0
        > SYN-ACK 0 ack 1 again
        < ACK 1 ack 1
        = Established
        """,
        {},
        id="a SYN that comes again gets the SYN-ACK again",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        < RST-ACK 0 ack 1
        = Refused
        = Closed
        """,
        {},
        id="a RST that acknowledges the SYN refuses the connection",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        < RST 0
        < RST-ACK 0 ack 2
        < RST-ACK 0 ack 0
        silence
        state SYN-SENT
        """,
        {},
        id="a RST that does not acknowledge the SYN is ignored",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        < SYN-ACK 0 ack 9
        > RST 9
        < ACK 0 ack 0
        > RST 0
        state SYN-SENT
        """,
        {},
        id="in SYN-SENT an ACK of something never sent is answered with a RST",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        < ACK 0 ack 1
        < FIN 0
        silence
        state SYN-SENT
        """,
        {},
        id="in SYN-SENT a segment without SYN and RST is dropped",
    ),
    pytest.param(
        """
        < SYN 0
        > SYN-ACK 0 ack 1
        < ACK 1 ack 2
        > RST 2
        < ACK 1 ack 0
        > RST 0
        state SYN-RECEIVED
        """,
        {},
        id="in SYN-RECEIVED an ACK of something else is answered with a RST",
    ),
    pytest.param(
        """
        < SYN 0
        > SYN-ACK 0 ack 1
        < SYN 5
        = Closed
        """,
        {},
        id="another SYN in the window returns a passive open to its listener",
    ),
    pytest.param(
        """
        < SYN 0
        > SYN-ACK 0 ack 1
        < PSH-ACK 1 ack 1 text hello
        = Established
        = Received hello
        > ACK 1 ack 6
        """,
        {},
        id="the final ACK may carry text",
    ),
    pytest.param(
        CONNECTED
        + """
        < SYN-ACK 0 ack 1
        > ACK 1 ack 1
        """,
        {},
        id="a SYN-ACK that comes again, our ACK having been lost, is acknowledged again",
    ),
]


DATA = [
    pytest.param(
        """
        send hello
        > PSH-ACK 1 ack 1 text hello
        < ACK 1 ack 6
        < PSH-ACK 1 ack 6 text world
        = Received world
        > ACK 6 ack 6 win 9995
        timer none
        """,
        {},
        id="a request and its answer; the ACK comes at once, behind the text",
    ),
    pytest.param(
        """
        send *2500
        > ACK 1 len 1000
        > ACK 1001 len 1000
        > PSH-ACK 2001 len 500
        """,
        {},
        id="text is cut by the MSS, and PSH ends it",
    ),
    pytest.param(
        """
        send *600
        > ACK 1 len 500
        > PSH-ACK 501 len 100
        """,
        {"mss": 500},
        id="our own MSS bounds what we send",
    ),
    pytest.param(
        """
        send *3000
        > ACK 1 len 1000
        > ACK 1001 len 1000
        < ACK 1 ack 1001
        > PSH-ACK 2001 len 1000
        < ACK 1 ack 2001
        """,
        {"initial_window": 2},
        id="the congestion window holds back what it does not allow",
    ),
    pytest.param(
        """
        send *6000
        > ACK 1 len 1000
        < ACK 1 ack 1001
        > ACK 1001 len 1000
        > ACK 2001 len 1000
        < ACK 1 ack 2001
        > ACK 3001 len 1000
        > ACK 4001 len 1000
        < ACK 1 ack 3001
        > PSH-ACK 5001 len 1000
        """,
        {"initial_window": 1},
        id="slow start: each ACK lets two segments go",
    ),
    pytest.param(
        """
        send a
        > PSH-ACK 1 text a
        send b
        silence
        send c
        < ACK 1 ack 2
        > PSH-ACK 2 text bc
        """,
        {"nagle": True},
        id="Nagle, where it is on: small text waits for the ACK",
    ),
    pytest.param(
        """
        send a
        > PSH-ACK 1 text a
        send b
        > PSH-ACK 2 text b
        """,
        {},
        id="Nagle is off: small text goes at once",
    ),
    pytest.param(
        """
        < ACK 6 ack 1 text world
        > ACK 1 ack 1
        < ACK 1 ack 1 text hello
        = Received helloworld
        > ACK 1 ack 11
        """,
        {},
        id="text out of order waits for what is missing",
    ),
    pytest.param(
        """
        < ACK 4 ack 1 text DEF
        > ACK 1 ack 1
        < ACK 1 ack 1 text abcdefgh
        = Received abcDEFgh
        > ACK 1 ack 9
        """,
        {},
        id="of overlapping text the bytes that came first stand",
    ),
    pytest.param(
        """
        < ACK 1 ack 1 text hello
        = Received hello
        > ACK 1 ack 6
        < ACK 1 ack 1 text hello
        > ACK 1 ack 6
        < ACK 1 ack 1 text hello!
        = Received !
        > ACK 1 ack 7
        """,
        {},
        id="text that came before is acknowledged, not delivered again",
    ),
    pytest.param(
        """
        < ACK 1 ack 1 len 12
        = Received *10
        > ACK 1 ack 11 win 0
        """,
        {"receive_buffer": 10},
        id="text beyond the window is cut off",
    ),
    pytest.param(
        """
        < ACK 90000 ack 1 text far
        > ACK 1 ack 1
        < ACK 90000 ack 1
        > ACK 1 ack 1
        """,
        {},
        id="a segment outside the window is answered with an ACK",
    ),
    pytest.param(
        """
        < PSH 1 text hello
        silence
        """,
        {},
        id="a segment without ACK is dropped",
    ),
    pytest.param(
        """
        send hello
        > PSH-ACK 1 text hello
        < ACK 1 ack 99 text hello
        > ACK 6 ack 1
        """,
        {},
        id="an ACK of something never sent is challenged, its text dropped (RFC 5961 5.2)",
    ),
    pytest.param(
        """
        < SYN 1
        > ACK 1 ack 1
        < SYN 70000
        > ACK 1 ack 1
        state ESTABLISHED
        """,
        {},
        id="a SYN is challenged, wherever it stands (RFC 5961 4.2)",
    ),
    pytest.param(
        """
        < SYN-ACK 1 ack 1
        > ACK 1
        < RST 5
        > ACK 1
        < RST 6
        silence
        wait 5
        < RST 6
        > ACK 1
        """,
        {"challenge_acks": 2},
        id="only so many challenge ACKs are sent within a period (RFC 5961 7)",
    ),
]

WINDOW = [
    pytest.param(
        """
        < ACK 1 ack 1 len 2000
        = Received *2000
        > ACK 1 ack 2001 win 0
        read 999
        silence
        read 1
        > ACK 1 ack 2001 win 1000
        """,
        {"receive_buffer": 2000},
        id="a window that opens by a segment or half the buffer is announced, not before",
    ),
    pytest.param(
        """
        < ACK 1 ack 1 len 9500
        = Received *9500
        > ACK 1 ack 9501 win 500
        read 999
        silence
        read 1
        > ACK 1 ack 9501 win 1500
        read 1000
        silence
        """,
        {},
        id="a window too small for a segment is announced as soon as one fits",
    ),
    pytest.param(
        """
        < ACK 1 ack 1 len 1000
        = Received *1000
        > ACK 1 ack 1001 win 9000
        read 1000
        silence
        < ACK 1001 ack 1 len 1000
        = Received *1000
        > ACK 1 ack 2001 win 9000
        """,
        {},
        id="a reader that keeps up needs no announcement",
    ),
    pytest.param(
        """
        < ACK 1 ack 1 win 0
        send hello
        silence
        wait 1
        > ACK 1 text h
        wait 2
        > ACK 1 text h again
        < ACK 1 ack 1 win 0
        wait 4
        > ACK 1 text h again
        < ACK 1 ack 1 win 100
        > PSH-ACK 1 text hello again
        < ACK 1 ack 6
        timer none
        """,
        {},
        id="a shut window is probed, ever more slowly, with one byte",
    ),
    pytest.param(
        """
        < ACK 1 ack 1 win 0
        send hello
        wait 1
        > ACK 1 text h
        < ACK 1 ack 2 win 0
        wait 2
        > ACK 2 text e
        < ACK 1 ack 3 win 100
        > PSH-ACK 3 text llo
        """,
        {},
        id="a probe that is taken counts as sent",
    ),
    pytest.param(
        """
        < ACK 1 ack 1 win 0
        send hello
        wait 1
        > ACK 1 text h
        < ACK 1 ack 1 win 0 text y
        = Received y
        > ACK 1 ack 2
        < ACK 1 ack 2 win 0   # at a number that we have taken
        > ACK 1 ack 2
        wait 2
        > ACK 2 text e
        """,
        {},
        id="when probes cross, the ACK of either is taken though it stands before the window",
    ),
    pytest.param(
        """
        < ACK 1 ack 1 win 0
        send hello
        wait 1
        > ACK 1 text h
        wait 2
        > ACK 1 text h again
        wait 4
        > ACK 1 text h again
        wait 8
        = TimedOut
        = Closed
        """,
        {"data_retries": 2},
        id="probes that nobody answers end the connection",
    ),
    pytest.param(
        """
        < ACK 1 ack 1 win 0
        send hello
        wait 1
        > ACK 1 text h
        < ACK 1 ack 1 win 0
        wait 2
        > ACK 1 text h again
        < ACK 1 ack 1 win 0
        wait 4
        > ACK 1 text h again
        < ACK 1 ack 1 win 0
        state ESTABLISHED
        """,
        {"data_retries": 1, "user_timeout": 5_000_000_000},
        id="a window may stay shut for ever while the peer answers",
    ),
    pytest.param(
        """
        < ACK 1 ack 1 win 0
        close
        silence
        wait 1
        > FIN-ACK 1
        < ACK 1 ack 2 win 0
        state FIN-WAIT-2
        """,
        {},
        id="the FIN needs room in the window too, and probes it",
    ),
    pytest.param(
        """
        < ACK 1 ack 1 win 300
        send *1000
        silence
        wait 1
        > ACK 1 len 300
        """,
        {},
        id="a sliver of window is not used until the timer says so (silly window)",
    ),
    pytest.param(
        """
        send *500
        > PSH-ACK 1 len 500
        < ACK 1 ack 1 len 1000
        = Received *1000
        > ACK 501 ack 1001 win 0
        < ACK 1001 ack 501 len 1
        > ACK 501 ack 1001 win 0
        timer none
        """,
        {"receive_buffer": 1000},
        id="while our window is shut a probe is refused, its ACK is not",
    ),
]

LOSS = [
    pytest.param(
        """
        send hello
        > PSH-ACK 1 text hello
        wait 1
        > PSH-ACK 1 text hello again
        wait 2
        > PSH-ACK 1 text hello again
        wait 4
        > PSH-ACK 1 text hello again
        wait 8
        > PSH-ACK 1 text hello again
        wait 16
        > PSH-ACK 1 text hello again
        wait 31.9
        silence
        wait 0.1
        = TimedOut
        = Closed
        timer none
        """,
        {"min_rto": 1_000_000_000},
        id="text is sent again five times, each wait twice the last, then the connection times out",
    ),
    pytest.param(
        """
        send hello
        > PSH-ACK 1 text hello
        wait 0.3
        > PSH-ACK 1 text hello again
        < ACK 1 ack 6
        send world
        > PSH-ACK 6 text world
        wait 0.3
        > PSH-ACK 6 text world again
        """,
        {},
        id="an answer ends the doubling",
    ),
    pytest.param(
        """
        send *3000
        > ACK 1 len 1000
        > ACK 1001 len 1000
        > PSH-ACK 2001 len 1000
        wait 0.3
        > ACK 1 len 1000 again
        < ACK 1 ack 1001
        > ACK 1001 len 1000 again
        > PSH-ACK 2001 len 1000 again
        < ACK 1 ack 3001
        timer none
        """,
        {},
        id="after a time-out everything is sent again, in slow start",
    ),
    pytest.param(
        """
        send *6000
        > ACK 1 len 1000
        > ACK 1001 len 1000
        > ACK 2001 len 1000
        > ACK 3001 len 1000
        > ACK 4001 len 1000
        > PSH-ACK 5001 len 1000
        wait 0.3
        > ACK 1 len 1000 again
        wait 0.6
        > ACK 1 len 1000 again
        < ACK 1 ack 1001
        > ACK 1001 len 1000 again
        > ACK 2001 len 1000 again
        < ACK 1 ack 2001
        > ACK 3001 len 1000 again
        > ACK 4001 len 1000 again
        < ACK 1 ack 6001
        timer none
        """,
        {},
        id="a second time-out in a row does not halve the threshold again",
    ),
    pytest.param(
        """
        send *5000
        > ACK 1 len 1000
        > ACK 1001 len 1000
        > ACK 2001 len 1000
        > ACK 3001 len 1000
        > PSH-ACK 4001 len 1000
        < ACK 1 ack 1
        < ACK 1 ack 1
        < ACK 1 ack 1
        > ACK 1 len 1000 again
        < ACK 1 ack 1
        < ACK 1 ack 5001
        timer none
        """,
        {},
        id="the third duplicate ACK sends the missing segment at once",
    ),
    pytest.param(
        """
        send *5000
        > ACK 1 len 1000
        > ACK 1001 len 1000
        > ACK 2001 len 1000
        > ACK 3001 len 1000
        > PSH-ACK 4001 len 1000
        < ACK 1 ack 1
        < ACK 1 ack 1
        < ACK 1 ack 1
        > ACK 1 len 1000 again
        < ACK 1 ack 2001
        > ACK 2001 len 1000 again
        < ACK 1 ack 5001
        """,
        {},
        id="an ACK of only a part sends the next hole (NewReno)",
    ),
    pytest.param(
        """
        < ACK 1 ack 1 win 900
        send *300
        > PSH-ACK 1 len 300
        send *600
        > PSH-ACK 301 len 600
        send *500
        silence
        < ACK 1 ack 1 win 900
        < ACK 1 ack 1 win 900
        < ACK 1 ack 1 win 900
        > ACK 1 len 900 again
        < ACK 1 ack 901 win 900
        > PSH-ACK 901 len 500
        """,
        {},
        id="fast retransmit joins short segments, and takes nothing along that was not sent",
    ),
    pytest.param(
        """
        send *4000
        > ACK 1 len 1000
        > ACK 1001 len 1000
        < ACK 1 ack 1
        > ACK 2001 len 1000
        < ACK 1 ack 1
        > PSH-ACK 3001 len 1000
        """,
        {"initial_window": 2},
        id="the first two duplicate ACKs let a new segment go each (RFC 3042)",
    ),
    pytest.param(
        """
        send *2000
        > ACK 1 len 1000
        > PSH-ACK 1001 len 1000
        < ACK 1 ack 1 win 5000
        < ACK 1 ack 1 win 6000
        < ACK 1 ack 1 win 7000
        < ACK 1 ack 1 win 8000
        silence
        """,
        {},
        id="an ACK that changes the window is no duplicate",
    ),
    pytest.param(
        """
        send *2000
        > ACK 1 len 1000
        > PSH-ACK 1001 len 1000
        < ACK 1 ack 1 text a
        = Received a
        > ACK 2001 ack 2
        < ACK 2 ack 1 text b
        = Received b
        > ACK 2001 ack 3
        < ACK 3 ack 1 text c
        = Received c
        > ACK 2001 ack 4
        """,
        {},
        id="an ACK that carries text is no duplicate",
    ),
    pytest.param(
        """
        send hello
        > PSH-ACK 1 text hello
        wait 0.3
        > PSH-ACK 1 text hello again
        wait 0.2
        = TimedOut
        = Closed
        """,
        {"user_timeout": 500_000_000},
        id="the user timeout ends the connection before the retries do",
    ),
    pytest.param(
        """
        send hello
        > PSH-ACK 1 text hello
        wait 0.2
        < ACK 1 ack 3
        wait 0.3
        > PSH-ACK 3 text llo again
        < ACK 1 ack 6
        wait 100
        state ESTABLISHED
        """,
        {"user_timeout": 500_000_000},
        id="progress begins the user timeout anew",
    ),
    pytest.param(
        """
        send hello
        > PSH-ACK 1 text hello
        < ACK 1 ack 1 text you
        = Received you
        > ACK 6 ack 4
        wait 0.3
        > PSH-ACK 1 text hello again
        < ACK 4 ack 1 text too
        = Received too
        > ACK 6 ack 7
        wait 0.6
        = TimedOut
        = Closed
        """,
        {"data_retries": 1},
        id="a peer that talks but never acknowledges our text does not hold off the time-out",
    ),
]


@pytest.mark.parametrize(("script", "changes"), OPENING)
def test_opening(script: str, changes: dict[str, object]) -> None:
    dialogue(script, **changes)


@pytest.mark.parametrize(("script", "changes"), [*DATA, *LOSS])
def test_open_connection(script: str, changes: dict[str, object]) -> None:
    dialogue(CONNECTED + script, **changes)


@pytest.mark.parametrize(("script", "changes"), WINDOW)
def test_window(script: str, changes: dict[str, object]) -> None:
    dialogue(CONNECTED + script, **{"min_rto": 1_000_000_000} | changes)


# Options that both ends must offer ------------------------------------------------------------------

SACK = """
    connect
    > SYN 0 sackok
    < SYN-ACK 0 ack 1 mss 1000 sackok
    = Established
    > ACK 1
"""
STAMPS = """
    wait 1
    connect
    > SYN 0 ts 1000,0
    wait 0.05
    < SYN-ACK 0 ack 1 mss 1000 ts 7000,1000
    = Established
    > ACK 1 ts 1050,7000
"""

AGREED = [
    pytest.param(
        SACK
        + """
        < ACK 11 ack 1 len 10
        > ACK 1 ack 1 sack 11-21
        < ACK 31 ack 1 len 10
        > ACK 1 ack 1 sack 31-41,11-21
        < ACK 21 ack 1 len 10
        > ACK 1 ack 1 sack 11-41
        < ACK 1 ack 1 len 10
        = Received *40
        > ACK 1 ack 41
        """,
        {"sack": True},
        id="what arrived out of order is reported, the latest first",
    ),
    pytest.param(
        SACK
        + """
        send *6000
        > ACK 1 len 1000
        > ACK 1001 len 1000
        > ACK 2001 len 1000
        > ACK 3001 len 1000
        > ACK 4001 len 1000
        > PSH-ACK 5001 len 1000
        < ACK 1 ack 1 sack 1001-2001
        < ACK 1 ack 1 sack 3001-4001,1001-2001
        < ACK 1 ack 1 sack 3001-5001,1001-2001
        > ACK 1 len 1000 again
        < ACK 1 ack 1 sack 3001-6001,1001-2001
        > ACK 2001 len 1000 again
        < ACK 1 ack 2001 sack 3001-6001
        < ACK 1 ack 6001
        timer none
        """,
        {"sack": True},
        id="of several holes each is filled once, what the peer has is not sent again",
    ),
    pytest.param(
        SACK
        + """
        send *4000
        > ACK 1 len 1000
        > ACK 1001 len 1000
        > ACK 2001 len 1000
        > PSH-ACK 3001 len 1000
        < ACK 1 ack 1 win 5000 sack 1001-2001
        < ACK 1 ack 1 win 6000 sack 1001-3001
        < ACK 1 ack 1 win 7000 sack 1001-4001
        > ACK 1 len 1000 again
        < ACK 1 ack 4001
        timer none
        """,
        {"sack": True},
        id="an ACK that reports more is a duplicate though the window changes (RFC 6675)",
    ),
    pytest.param(
        SACK
        + """
        send *2000
        > ACK 1 len 1000
        > PSH-ACK 1001 len 1000
        < ACK 1 ack 1 win 5000 sack 1001-2001
        < ACK 1 ack 1 win 6000 sack 1001-2001
        < ACK 1 ack 1 win 7000 sack 1001-2001
        < ACK 1 ack 1 win 8000 sack 1001-1501
        silence
        """,
        {"sack": True},
        id="one that changes the window and reports what is known is none",
    ),
    pytest.param(
        STAMPS
        + """
        < PSH-ACK 1 ack 1 ts 7010,1050 text hello
        = Received hello
        > ACK 1 ack 6 ts 1050,7010
        < PSH-ACK 8 ack 1 ts 7030,1050 text ahead
        > ACK 1 ack 6 ts 1050,7010
        < PSH-ACK 6 ack 1 ts 6999,1050 text older
        > ACK 1 ack 6 ts 1050,7010
        < PSH-ACK 6 ack 1 text bare
        silence
        < RST 6
        = Reset by peer
        = Closed
        """,
        {"timestamps": True},
        id="PAWS: the stamp of the left edge is echoed; an older stamp is answered, none is dropped, a RST needs none",
    ),
    pytest.param(
        STAMPS
        + """
        send *989
        > ACK 1 len 988 ts 1050,7000
        > PSH-ACK 989 len 1 ts 1050,7000
        """,
        {"timestamps": True},
        id="the stamps take twelve bytes of each segment",
    ),
    pytest.param(
        STAMPS
        + """
        wait 2160000
        < PSH-ACK 1 ack 1 ts 5,1050 text late
        = Received late
        > ACK 1 ack 5
        """,
        {"timestamps": True},
        id="after 24 idle days a stamp is no longer compared",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        < SYN-ACK 0 ack 1 ws 4 win 100
        = Established
        > ACK 1
        send *100
        > PSH-ACK 1 len 100
        < ACK 1 ack 101 win 10
        send *161
        > ACK 101 len 160
        """,
        {"window_scale": 2, "initial_window": 1, "mss": 160},
        id="the peer's later windows are scaled, its SYN's is not",
    ),
]


@pytest.mark.parametrize(("script", "changes"), AGREED)
def test_agreed_options(script: str, changes: dict[str, object]) -> None:
    dialogue(script, **changes)


# What belongs to nobody -----------------------------------------------------------------------------


def _segment(flags: TcpFlags, payload: bytes = b"") -> Segment:
    return Segment(1000, 80, 0xFFFFFFFF, 7, flags, 500, payload=payload)


@pytest.mark.parametrize(
    ("segment", "answer"),
    [
        pytest.param(
            _segment(TcpFlags.SYN),
            Segment(80, 1000, 0, 0, TcpFlags.RST | TcpFlags.ACK, 0),
            id="a SYN to a closed port gets a RST that acknowledges it",
        ),
        pytest.param(
            _segment(TcpFlags.SYN | TcpFlags.FIN, b"hello"),
            Segment(80, 1000, 0, 6, TcpFlags.RST | TcpFlags.ACK, 0),
            id="SYN, FIN and text are all acknowledged",
        ),
        pytest.param(
            _segment(TcpFlags.ACK, b"hello"),
            Segment(80, 1000, 7, 0, TcpFlags.RST, 0),
            id="a segment with an ACK gets a RST where its ACK points",
        ),
        pytest.param(_segment(TcpFlags.RST), None, id="a RST gets nothing"),
        pytest.param(_segment(TcpFlags.RST | TcpFlags.ACK), None, id="nor does a RST with ACK"),
    ],
)
def test_reset_for_a_segment_of_nobody(segment: Segment, answer: Segment | None) -> None:
    assert reset_for(segment) == answer


@pytest.mark.parametrize(
    ("flags", "payload", "kind"),
    [
        ("SYN", b"", SegmentKind.SYN),
        ("SYN", b"early", SegmentKind.SYN),
        ("SYN-ACK", b"", SegmentKind.SYN_ACK),
        ("ACK", b"", SegmentKind.ACK),
        ("PSH-ACK", b"x", SegmentKind.DATA),
        ("FIN-ACK", b"x", SegmentKind.FIN),
        ("RST-ACK", b"", SegmentKind.RST),
    ],
)
def test_the_word_for_a_segment(flags: str, payload: bytes, kind: SegmentKind) -> None:
    bits = TcpFlags(0)
    for name in flags.split("-"):
        bits |= TcpFlags[name]
    assert kind_of(_segment(bits, payload)) is kind


# What the caller may not do -------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [TcpFlags.ACK, TcpFlags.SYN | TcpFlags.ACK, TcpFlags.SYN | TcpFlags.RST])
def test_only_a_syn_opens_passively(flags: TcpFlags) -> None:
    with pytest.raises(ValueError, match="wanted a SYN"):
        Connection.passive(_segment(flags), 1, 0, TcpConfig())


def test_more_cannot_be_consumed_than_was_received() -> None:
    connection = dialogue(CONNECTED + "< ACK 1 ack 1 len 5\n= Received *5\n> ACK 1 ack 6").connection
    assert connection.unread == 5
    with pytest.raises(ValueError, match="wanted 0 to 5"):
        connection.consumed(6, 0)


def test_what_is_queued_or_in_flight_can_be_asked() -> None:
    talk = dialogue(CONNECTED + "send *25000\n" + "".join(f"> ACK {1 + i * 1000} len 1000\n" for i in range(10)))
    assert talk.connection.unacknowledged == 25_000
    talk.play("< ACK 1 ack 2001\n" + "".join(f"> ACK {10_001 + i * 1000} len 1000\n" for i in range(3)))
    assert talk.connection.unacknowledged == 23_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mss": 0}, "mss: found 0, wanted 48"),
        ({"window_scale": 15}, "window_scale: found 15"),
        ({"receive_buffer": 100, "window_scale": 8}, "receive_buffer: found 100, wanted at least 256"),
        ({"initial_rto": 0}, "initial_rto"),
        ({"user_timeout": 0}, "user_timeout"),
    ],
)
def test_a_configuration_out_of_range_is_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TcpConfig(**changes)


def test_windows_versions_have_their_numbers() -> None:
    assert windows("vista").initial_rto == windows("7").initial_rto == 3_000_000_000
    assert windows("10") == windows("11") == TcpConfig()
    assert windows("8", mss=1440).mss == 1440
    with pytest.raises(ValueError, match="found 'xp'"):
        windows("xp")


def test_a_hostile_mss_does_not_make_crumbs() -> None:
    talk = dialogue("connect\n> SYN 0\n< SYN-ACK 0 ack 1 mss 0\n= Established\n> ACK 1")
    talk.play("send *96\n> ACK 1 len 48\n> PSH-ACK 49 len 48")


def test_sack_blocks_that_make_no_sense_are_ignored() -> None:
    dialogue(
        SACK
        + """
        send *1000
        > PSH-ACK 1 len 1000
        < ACK 1 ack 1 sack 5000-6000
        < ACK 1 ack 1 sack 900-100
        < ACK 1 ack 1001
        timer none
        """,
        sack=True,
    )
