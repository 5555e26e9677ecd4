"""The states of a connection and what moves it from one to the next.

`TRANSITIONS[state][event]` is the next state; an absent cell means that the event does not change the state.
Everything that moves a connection goes through `after`. Source of each row: RFC 9293 figure 5 ("fig 5") and the
section of its event processing. LISTEN is the host's: a listener is no connection, it makes one per SYN. A reset or
unanswered connection of a listener is CLOSED here, the listener goes on (the RFC says "return to LISTEN").
"""

from __future__ import annotations

import enum


class State(enum.Enum):
    """RFC 9293 3.3.2; `value` is the RFC's spelling."""

    CLOSED = "CLOSED"
    LISTEN = "LISTEN"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"


class Event(enum.Enum):
    """What can move a connection. Of one segment the ACK is processed before the FIN."""

    ACTIVE_OPEN = "active open"
    PASSIVE_OPEN = "passive open"
    SYN = "acceptable SYN without ACK"
    SYN_ACK = "SYN with an ACK of our SYN"
    ACK_OF_SYN = "ACK of our SYN"
    CLOSE = "the application closes"
    ACK_OF_FIN = "ACK of our FIN"
    FIN = "the peer's FIN, in order"
    RST = "valid RST"
    ABORT = "the application aborts"
    TIMEOUT = "retries, user timeout or 2 MSL used up"


S, E = State, Event

_ENDS = {
    E.RST: S.CLOSED,  # 3.10.7.3 and 3.10.7.4, second step
    E.ABORT: S.CLOSED,  # 3.10.5
    E.TIMEOUT: S.CLOSED,  # 3.10.8
}

TRANSITIONS: dict[State, dict[Event, State]] = {
    S.CLOSED: {
        E.ACTIVE_OPEN: S.SYN_SENT,  # fig 5; 3.10.1
        E.PASSIVE_OPEN: S.LISTEN,  # fig 5; 3.10.1
    },
    S.LISTEN: {
        E.SYN: S.SYN_RECEIVED,  # fig 5; 3.10.7.2, third step
        E.CLOSE: S.CLOSED,  # fig 5; 3.10.4
    },
    S.SYN_SENT: _ENDS
    | {
        E.SYN: S.SYN_RECEIVED,  # fig 5, simultaneous open; 3.10.7.3, fourth step
        E.SYN_ACK: S.ESTABLISHED,  # fig 5; 3.10.7.3, fourth step
        E.CLOSE: S.CLOSED,  # fig 5; 3.10.4
    },
    S.SYN_RECEIVED: _ENDS
    | {
        E.ACK_OF_SYN: S.ESTABLISHED,  # fig 5; 3.10.7.4, fifth step
        E.CLOSE: S.FIN_WAIT_1,  # fig 5; 3.10.4, when nothing is queued
        E.SYN: S.CLOSED,  # 3.10.7.4, fourth step, passive open only
    },
    S.ESTABLISHED: _ENDS
    | {
        E.CLOSE: S.FIN_WAIT_1,  # fig 5; 3.10.4
        E.FIN: S.CLOSE_WAIT,  # fig 5; 3.10.7.4, eighth step
    },
    S.FIN_WAIT_1: _ENDS
    | {
        E.ACK_OF_FIN: S.FIN_WAIT_2,  # fig 5; 3.10.7.4, fifth step
        E.FIN: S.CLOSING,  # fig 5; 3.10.7.4, eighth step
    },
    S.FIN_WAIT_2: _ENDS
    | {
        E.FIN: S.TIME_WAIT,  # fig 5; 3.10.7.4, eighth step
    },
    S.CLOSE_WAIT: _ENDS
    | {
        E.CLOSE: S.LAST_ACK,  # fig 5; 3.10.4
    },
    S.CLOSING: _ENDS
    | {
        E.ACK_OF_FIN: S.TIME_WAIT,  # fig 5; 3.10.7.4, fifth step
    },
    S.LAST_ACK: _ENDS
    | {
        E.ACK_OF_FIN: S.CLOSED,  # fig 5; 3.10.7.4, fifth step
    },
    S.TIME_WAIT: _ENDS,  # fig 5; 3.10.8
}

# Which states allow what ---------------------------------------------------------------------------

TAKES_SEND = frozenset({S.SYN_SENT, S.SYN_RECEIVED, S.ESTABLISHED, S.CLOSE_WAIT})  # 3.10.2
SENDS_TEXT = frozenset({S.ESTABLISHED, S.CLOSE_WAIT, S.FIN_WAIT_1, S.CLOSING, S.LAST_ACK})  # also queued text, FIN
TAKES_TEXT = frozenset({S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2})  # 3.10.7.4, seventh step
AWAITS_ACK_OF_FIN = frozenset({S.FIN_WAIT_1, S.CLOSING, S.LAST_ACK})  # 3.10.7.4, fifth step
ABORT_SENDS_RST = frozenset({S.SYN_RECEIVED, S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2, S.CLOSE_WAIT})  # 3.10.5
ENDS_IN_SILENCE = frozenset({S.CLOSING, S.LAST_ACK, S.TIME_WAIT})  # RST and abort signal nothing: 3.10.5, 3.10.7.4


def after(state: State, event: Event) -> State:
    """The state that follows; the same one where the table has no cell."""
    return TRANSITIONS[state].get(event, state)
