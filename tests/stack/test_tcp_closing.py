"""How connections end: FIN, RST, close, abort and time in every state."""

from __future__ import annotations

import pytest

from tamiz.stack.tcp.states import TRANSITIONS, Event, State
from tests.stack.tcp_dialogue import ACCEPTED, CONNECTED, REACH, Dialogue, dialogue, reached

STATES = [*REACH]
QUIET = ("CLOSING", "LAST-ACK", "TIME-WAIT")  # near the end nobody needs to hear of a RST


def numbers(state: str) -> dict[str, int]:
    """`theirs` and `ours`: the next number of the peer and of us in `state`."""
    _, theirs, ours = REACH[state]
    return {"theirs": theirs, "ours": ours, "beyond": theirs + 3, "before": theirs - 1}


def then(state: str, script: str, **changes: object) -> Dialogue:
    """`script` with the numbers of `state` put in, once that is reached."""
    return reached(state, **changes).play(script.format(**numbers(state)))


# Whole endings --------------------------------------------------------------------------------------

ENDINGS = [
    pytest.param(
        CONNECTED
        + """
        close
        > FIN-ACK 1 ack 1
        state FIN-WAIT-1
        < ACK 1 ack 2
        state FIN-WAIT-2
        < FIN-ACK 1 ack 2
        = PeerFinished
        > ACK 2 ack 2
        = EnteredTimeWait
        state TIME-WAIT
        wait 119.9
        silence
        wait 0.1
        = Closed
        state CLOSED
        timer none
        """,
        id="the active closer waits for 2 MSL",
    ),
    pytest.param(
        CONNECTED
        + """
        < FIN-ACK 1 ack 1
        = PeerFinished
        > ACK 1 ack 2
        state CLOSE-WAIT
        close
        > FIN-ACK 1 ack 2
        state LAST-ACK
        < ACK 2 ack 2
        = Closed
        timer none
        """,
        id="the passive closer is done with the last ACK",
    ),
    pytest.param(
        CONNECTED
        + """
        close
        > FIN-ACK 1 ack 1
        < FIN-ACK 1 ack 1
        = PeerFinished
        > ACK 2 ack 2
        state CLOSING
        < ACK 2 ack 2
        = EnteredTimeWait
        wait 120
        = Closed
        """,
        id="both close at once: CLOSING, then TIME-WAIT",
    ),
    pytest.param(
        CONNECTED
        + """
        close
        > FIN-ACK 1 ack 1
        < FIN-ACK 1 ack 2
        = PeerFinished
        > ACK 2 ack 2
        = EnteredTimeWait
        """,
        id="a FIN that acknowledges ours goes straight to TIME-WAIT",
    ),
    pytest.param(
        CONNECTED
        + """
        < FIN-ACK 1 ack 1 text bye
        = Received bye
        = PeerFinished
        > ACK 1 ack 5
        """,
        id="text with a FIN is delivered before it",
    ),
    pytest.param(
        CONNECTED
        + """
        < FIN-ACK 4 ack 1
        > ACK 1 ack 1
        state ESTABLISHED
        < ACK 1 ack 1 text bye
        = Received bye
        = PeerFinished
        > ACK 1 ack 5
        state CLOSE-WAIT
        """,
        id="a FIN out of order waits for the text before it",
    ),
    pytest.param(
        CONNECTED
        + """
        < ACK 4 ack 1 text beyond
        > ACK 1 ack 1
        < FIN-ACK 1 ack 1 text bye
        = Received bye
        = PeerFinished
        > ACK 1 ack 5
        """,
        id="text beyond the FIN is not delivered",
    ),
    pytest.param(
        CONNECTED
        + """
        < FIN-ACK 4 ack 1
        > ACK 1 ack 1
        < ACK 1 ack 1 text byebye
        = Received bye
        = PeerFinished
        > ACK 1 ack 5
        """,
        id="nor is text that contradicts a FIN that came first",
    ),
    pytest.param(
        CONNECTED
        + """
        < FIN-ACK 1 ack 1
        = PeerFinished
        > ACK 1 ack 2
        send reply
        > PSH-ACK 1 text reply
        < ACK 2 ack 6
        close
        > FIN-ACK 6 ack 2
        < ACK 2 ack 7
        = Closed
        """,
        id="half-close: after the peer's FIN we may go on sending",
    ),
    pytest.param(
        CONNECTED
        + """
        close
        > FIN-ACK 1 ack 1
        < ACK 1 ack 2
        < PSH-ACK 1 ack 2 text reply
        = Received reply
        > ACK 2 ack 6
        read 5
        < FIN-ACK 6 ack 2
        = PeerFinished
        > ACK 2 ack 7
        = EnteredTimeWait
        """,
        id="half-close: after our FIN the peer may go on sending",
    ),
    pytest.param(
        CONNECTED
        + """
        send *10500
        > ACK 1 len 1000
        > ACK 1001 len 1000
        > ACK 2001 len 1000
        > ACK 3001 len 1000
        > ACK 4001 len 1000
        > ACK 5001 len 1000
        > ACK 6001 len 1000
        > ACK 7001 len 1000
        > ACK 8001 len 1000
        > ACK 9001 len 1000
        close
        silence
        state FIN-WAIT-1
        < ACK 1 ack 10001
        > FIN-PSH-ACK 10001 len 500
        < ACK 1 ack 10502
        state FIN-WAIT-2
        """,
        id="the FIN follows what is queued, on the last segment",
    ),
    pytest.param(
        """
        < SYN 0
        > SYN-ACK 0 ack 1
        close
        > FIN-ACK 1 ack 1
        state FIN-WAIT-1
        < ACK 1 ack 1
        = Established
        < ACK 1 ack 2
        state FIN-WAIT-2
        """,
        id="close in SYN-RECEIVED sends the FIN at once",
    ),
    pytest.param(
        """
        < SYN 0
        > SYN-ACK 0 ack 1
        send bye
        close
        silence
        state SYN-RECEIVED
        < ACK 1 ack 1
        = Established
        > FIN-PSH-ACK 1 text bye
        state FIN-WAIT-1
        """,
        id="close in SYN-RECEIVED with text queued waits for the handshake",
    ),
    pytest.param(
        """
        < SYN 0
        > SYN-ACK 0 ack 1
        close
        > FIN-ACK 1 ack 1
        wait 1
        > SYN-ACK 0 ack 1 again
        < PSH-ACK 1 ack 0 text early
        silence
        < ACK 1 ack 1
        = Established
        wait 3
        > FIN-ACK 1 ack 1 again
        < ACK 1 ack 2
        state FIN-WAIT-2
        """,
        id="a lost SYN-ACK under a FIN is repeated before the FIN; 3 s follow (RFC 6298 5.7)",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        < SYN-ACK 0 ack 1
        = Established
        > ACK 1
        close
        > FIN-ACK 1
        close
        silence
        """,
        id="a second close does nothing",
    ),
    pytest.param(
        """
        connect
        > SYN 0
        < FIN-SYN-ACK 0 ack 1 text x
        = Established
        = Received x
        = PeerFinished
        > ACK 1 ack 3
        state CLOSE-WAIT
        """,
        id="a SYN-ACK with text and FIN runs through to CLOSE-WAIT",
    ),
    pytest.param(
        ACCEPTED
        + """
        close
        > FIN-ACK 1
        wait 0.3
        > FIN-ACK 1 again
        wait 0.6
        > FIN-ACK 1 again
        wait 1.2
        > FIN-ACK 1 again
        wait 2.4
        > FIN-ACK 1 again
        wait 4.8
        > FIN-ACK 1 again
        wait 9.6
        = TimedOut
        = Closed
        """,
        id="a FIN that nobody acknowledges is given up as text is",
    ),
]


@pytest.mark.parametrize("script", ENDINGS)
def test_ending(script: str) -> None:
    dialogue(script)


# Each event in each state -----------------------------------------------------------------------------
# What must happen; {theirs} and {ours} are the next numbers of the two ends in that state.

PEER_FIN = {
    "SYN-SENT": "silence\nstate SYN-SENT",
    "SYN-RECEIVED": "= Established\n= PeerFinished\n> ACK {ours} ack 2\nstate CLOSE-WAIT",
    "ESTABLISHED": "= PeerFinished\n> ACK {ours} ack 2\nstate CLOSE-WAIT",
    "FIN-WAIT-1": "= PeerFinished\n> ACK 2 ack 2\n= EnteredTimeWait\nstate TIME-WAIT",
    "FIN-WAIT-2": "= PeerFinished\n> ACK 2 ack 2\n= EnteredTimeWait\nstate TIME-WAIT",
    "CLOSE-WAIT": "state CLOSE-WAIT",
    "CLOSING": "= EnteredTimeWait\nstate TIME-WAIT",
    "LAST-ACK": "= Closed",
    "TIME-WAIT": "state TIME-WAIT",
    "CLOSED": "state CLOSED",
}


@pytest.mark.parametrize("state", STATES)
def test_a_fin_that_acknowledges_everything(state: str) -> None:
    arrives = "< FIN 0\n" if state == "SYN-SENT" else "< FIN-ACK {theirs} ack {ours}\n"
    then(state, arrives + PEER_FIN[state])


@pytest.mark.parametrize("state", ["CLOSE-WAIT", "CLOSING", "LAST-ACK"])
def test_a_fin_that_comes_again_is_acknowledged_again(state: str) -> None:
    then(state, "< FIN-ACK 1 ack 1\n> ACK {ours} ack 2\nstate " + state)


def test_a_fin_that_comes_again_begins_time_wait_anew() -> None:
    then(
        "TIME-WAIT",
        "wait 100\n< FIN-ACK 1 ack 2\n> ACK 2 ack 2\nwait 119.9\nsilence\nwait 0.1\n= Closed",
    )


EXACT_RESET = {
    "SYN-SENT": "= Refused\n= Closed",
    "CLOSED": "silence",
    **dict.fromkeys(QUIET, "= Closed"),
}


@pytest.mark.parametrize("state", STATES)
def test_a_rst_at_the_very_next_number_ends_the_connection(state: str) -> None:
    arrives = "< RST-ACK 0 ack 1\n" if state == "SYN-SENT" else "< RST {theirs}\n"
    then(state, arrives + EXACT_RESET.get(state, "= Reset by peer\n= Closed") + "\nstate CLOSED\ntimer none")


def test_a_rst_after_a_simultaneous_open_refuses() -> None:
    dialogue("connect\n> SYN 0\n< SYN 0\n> SYN-ACK 0 ack 1\n< RST 1\n= Refused\n= Closed")


@pytest.mark.parametrize("state", [state for state in STATES if state not in ("SYN-SENT", "CLOSED")])
def test_a_rst_elsewhere_in_the_window_is_challenged(state: str) -> None:
    then(state, "< RST {beyond}\n> ACK {ours} ack {theirs}\nstate " + state)


@pytest.mark.parametrize("state", [state for state in STATES if state not in ("SYN-SENT", "CLOSED")])
def test_a_rst_outside_the_window_is_ignored(state: str) -> None:
    then(state, "< RST {before}\n< RST 70000\nsilence\nstate " + state)


@pytest.mark.parametrize("state", [state for state in STATES if state not in ("SYN-SENT", "SYN-RECEIVED", "CLOSED")])
def test_a_syn_is_challenged_in_every_synchronized_state(state: str) -> None:
    then(state, "< SYN {theirs}\n> ACK {ours} ack {theirs}\nstate " + state)


APP_CLOSE = {
    "SYN-SENT": "= Closed\nstate CLOSED\ntimer none",
    "SYN-RECEIVED": "> FIN-ACK 1 ack 1\nstate FIN-WAIT-1",
    "ESTABLISHED": "> FIN-ACK 1 ack 1\nstate FIN-WAIT-1",
    "CLOSE-WAIT": "> FIN-ACK 1 ack 2\nstate LAST-ACK",
}


@pytest.mark.parametrize("state", STATES)
def test_close(state: str) -> None:
    then(state, "close\n" + APP_CLOSE.get(state, "silence\nstate " + state))


APP_ABORT = {
    "SYN-SENT": "= Reset by us\n= Closed",
    "CLOSED": "silence",
    **dict.fromkeys(QUIET, "= Closed"),
}


@pytest.mark.parametrize("state", STATES)
def test_abort(state: str) -> None:
    wanted = APP_ABORT.get(state, "> RST-ACK {ours} ack {theirs} win 0\n= Reset by us\n= Closed")
    then(state, "abort\n" + wanted + "\nstate CLOSED\ntimer none")


TEXT = {
    "SYN-SENT": "silence",
    "SYN-RECEIVED": "= Established\n= Received hello\n> ACK 1 ack 6",
    "ESTABLISHED": "= Received hello\n> ACK 1 ack 6",
    "FIN-WAIT-1": "= Received hello\n> ACK 2 ack 6\nstate FIN-WAIT-2",
    "FIN-WAIT-2": "= Received hello\n> ACK 2 ack 6",
    "CLOSE-WAIT": "silence",
    "CLOSING": "= EnteredTimeWait",
    "LAST-ACK": "= Closed",
    "TIME-WAIT": "silence",
    "CLOSED": "silence",
}


@pytest.mark.parametrize("state", STATES)
def test_text_that_acknowledges_everything(state: str) -> None:
    then(state, "< PSH-ACK {theirs} ack {ours} text hello\n" + TEXT[state])


@pytest.mark.parametrize("state", STATES)
def test_sending(state: str) -> None:
    talk = reached(state)
    open_to_send = state in ("SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT")
    assert talk.connection.can_send is open_to_send
    if open_to_send:
        talk.play("send hello\n" + ("> PSH-ACK 1 text hello" if state in ("ESTABLISHED", "CLOSE-WAIT") else "silence"))
    else:
        with pytest.raises(ValueError, match=f"found a connection in {state}"):
            talk.connection.send(b"hello", talk.now)


def test_after_close_nothing_more_is_sent() -> None:
    talk = dialogue("< SYN 0\n> SYN-ACK 0 ack 1\nsend bye\nclose")
    with pytest.raises(ValueError, match="send: found"):
        talk.connection.send(b"more", 0)


@pytest.mark.parametrize("state", STATES)
def test_silence_ends_what_waits_for_an_answer(state: str) -> None:
    """Whoever has something unacknowledged gives up; who waits for the peer's pleasure waits for ever."""
    talk = reached(state)
    answers = state not in ("ESTABLISHED", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSED")
    said = []
    while (due := talk.connection.next_timer()) is not None:
        said += talk.connection.on_timer(due)
    said = [type(effect).__name__ for effect in said if type(effect).__name__ != "Emit"]
    assert said == ([] if not answers else ["Closed"] if state == "TIME-WAIT" else ["TimedOut", "Closed"])
    assert talk.connection.state.value == ("CLOSED" if answers else state)


def test_the_abort_of_text_in_flight_stands_at_its_end() -> None:
    dialogue(CONNECTED + "send hello\n> PSH-ACK 1 text hello\nabort\n> RST-ACK 6 ack 1\n= Reset by us\n= Closed")


# The table itself -------------------------------------------------------------------------------------


def test_every_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(State)


def test_every_state_but_the_first_two_ends_by_rst_abort_and_time() -> None:
    for state in set(State) - {State.CLOSED, State.LISTEN}:
        row = TRANSITIONS[state]
        assert {row[Event.RST], row[Event.ABORT], row[Event.TIMEOUT]} == {State.CLOSED}


def test_every_state_can_be_reached_from_closed_and_lead_back() -> None:
    def reach(start: State) -> set[State]:
        seen, todo = set(), [start]
        while todo:
            state = todo.pop()
            if state not in seen:
                seen.add(state)
                todo += TRANSITIONS[state].values()
        return seen

    assert all(reach(state) == set(State) for state in State)
