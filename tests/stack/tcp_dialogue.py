"""A tiny script language for one TCP connection: what arrives, what the application does, what must come out.

    connect                          the application opens; or `< SYN 0` first, and a listener took it
    > SYN 0                          the connection must emit this, in this order
    < SYN-ACK 0 ack 1 win 500        this arrives from the peer
    = Established                    the connection must give this effect
    send hello                       the application sends; `send *3000` sends 3000 bytes
    > PSH-ACK 1 ack 1 text hello     `len 3000` compares the length only; `again` marks a retransmission
    read 5; close; abort             the application reads, closes, aborts
    wait 1.5                         seconds pass, timers act at their time
    state ESTABLISHED                the state must be this; `silence` and `timer none` check that nothing is left

Numbers are relative: 0 is the SYN of whoever sends it. A field that is not named is not compared, except that the
text is: without `len` or `text` there must be none. Every effect must be expected by a line before the next action.
`#` begins a remark.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tamiz.stack.tcp import Connection, Effect, Emit, Received, Reset, TcpConfig
from tamiz.wire.tcp import Segment, TcpFlags, TcpOptions

MASK = 0xFFFFFFFF
OURS, THEIRS = 0xFFFFFFFE, 0xFFFFFFFB  # the wrap comes early in every dialogue
LOCAL, REMOTE = 50_000, 443
SECOND = 1_000_000_000
PLAIN = {"window_scale": None, "sack": False, "mss": 1000, "default_mss": 1000, "receive_buffer": 10_000}


def flags_of(label: str) -> TcpFlags:
    flags = TcpFlags(0)
    for name in label.split("-"):
        flags |= TcpFlags[name]
    return flags


def text_of(words: dict[str, str]) -> bytes:
    return words["text"].encode() if "text" in words else bytes(int(words.get("len", 0)))


def words_of(parts: list[str]) -> dict[str, str]:
    """`ack 1 len 5 again` -> {"ack": "1", "len": "5", "again": ""}"""
    words: dict[str, str] = {}
    rest = list(parts)
    while rest:
        name = rest.pop(0)
        words[name] = "" if name in ("again", "sackok") else rest.pop(0)
    return words


@dataclass
class Dialogue:
    config: TcpConfig
    ours: int = OURS
    theirs: int = THEIRS
    now: int = 0
    connection: Connection | None = None
    pending: list[Effect] = field(default_factory=list)
    line: str = ""

    def play(self, script: str) -> Dialogue:
        for line in script.splitlines():
            self.line = line.split("#")[0].strip()
            if self.line:
                self._play(self.line.split())
        self._settled()
        return self

    def _play(self, parts: list[str]) -> None:
        verb, rest = parts[0], parts[1:]
        if verb in (">", "="):
            self._expect(verb, rest)
            return
        self._settled()
        if verb == "<":
            self._arrive(self._segment(rest))
        else:
            getattr(self, f"_{verb}")(*rest)

    def _settled(self) -> None:
        assert not self.pending, f"before {self.line!r}: not expected: {self.pending}"

    # Actions ----------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self.connection, self.pending = Connection.active(LOCAL, REMOTE, self.ours, self.now, self.config)

    def _arrive(self, segment: Segment) -> None:
        if self.connection is None:
            self.connection, self.pending = Connection.passive(segment, self.ours, self.now, self.config)
        else:
            self.pending = self.connection.on_segment(segment, self.now)

    def _send(self, what: str) -> None:
        data = bytes(int(what[1:])) if what.startswith("*") else what.encode()
        self.pending = self.connection.send(data, self.now)

    def _read(self, count: str) -> None:
        self.pending = self.connection.consumed(int(count), self.now)

    def _close(self) -> None:
        self.pending = self.connection.close(self.now)

    def _abort(self) -> None:
        self.pending = self.connection.abort(self.now)

    def _wait(self, seconds: str) -> None:
        until = self.now + round(float(seconds) * SECOND)
        while self.connection and (due := self.connection.next_timer()) is not None and due <= until:
            self.now = max(self.now, due)
            self.pending += self.connection.on_timer(self.now)
        self.now = until

    def _state(self, name: str) -> None:
        assert self.connection.state.value == name, f"{self.line!r}: found {self.connection.state.value}"

    def _silence(self) -> None:
        """Nothing was expected and nothing came: `_settled` has seen to it."""

    def _timer(self, what: str) -> None:
        assert what == "none"
        assert self.connection.next_timer() is None, f"{self.line!r}: a timer runs"

    # Segments ---------------------------------------------------------------------------------------

    def _segment(self, parts: list[str]) -> Segment:
        words = words_of(parts[2:])
        stamps = tuple(int(number) for number in words["ts"].split(",")) if "ts" in words else None
        blocks = [block.split("-") for block in words["sack"].split(",")] if "sack" in words else []
        options = TcpOptions(
            mss=int(words["mss"]) if "mss" in words else None,
            window_scale=int(words["ws"]) if "ws" in words else None,
            sack_permitted="sackok" in words,
            sack=tuple(((self.ours + int(a)) & MASK, (self.ours + int(b)) & MASK) for a, b in blocks),
            timestamps=stamps,
        )
        return Segment(
            REMOTE,
            LOCAL,
            (self.theirs + int(parts[1])) & MASK,
            (self.ours + int(words["ack"])) & MASK if "ack" in words else 0,
            flags_of(parts[0]),
            int(words.get("win", 65_535)),
            options=options,
            payload=text_of(words),
        )

    def _expect(self, verb: str, parts: list[str]) -> None:
        assert self.pending, f"{self.line!r}: nothing came"
        found = self.pending.pop(0)
        if verb == "=":
            assert self._said(found) == " ".join(parts), f"{self.line!r}: found {found}"
            return
        assert isinstance(found, Emit), f"{self.line!r}: found {found}"
        wanted = self._wanted(parts)
        assert self._shown(found, wanted) == wanted, f"{self.line!r}: found {found}"

    def _said(self, effect: Effect) -> str:
        name = type(effect).__name__
        if isinstance(effect, Received):
            return f"{name} {effect.data.decode()}" if any(effect.data) else f"{name} *{len(effect.data)}"
        if isinstance(effect, Reset):
            return f"{name} by {'peer' if effect.by_peer else 'us'}"
        return name

    def _wanted(self, parts: list[str]) -> dict[str, object]:
        words = words_of(parts[2:])
        wanted: dict[str, object] = {
            "flags": flags_of(parts[0]),
            "seq": int(parts[1]),
            "len": len(text_of(words)),
        }
        wanted["again"] = "again" in words
        for name, value in words.items():
            if name in ("ack", "win", "mss", "ws"):
                wanted[name] = None if value == "none" else int(value)
            elif name in ("text", "sack", "ts"):
                wanted[name] = value
            elif name == "sackok":
                wanted[name] = True
        return wanted

    def _shown(self, emit: Emit, wanted: dict[str, object]) -> dict[str, object]:
        segment, options = emit.segment, emit.segment.options
        blocks = (f"{(a - self.theirs) & MASK}-{(b - self.theirs) & MASK}" for a, b in options.sack)
        shown: dict[str, object] = {
            "flags": segment.flags,
            "seq": (segment.seq - self.ours) & MASK,
            "ack": (segment.ack - self.theirs) & MASK,
            "len": len(segment.payload),
            "text": segment.payload.decode(),
            "win": segment.window,
            "again": emit.retransmission,
            "mss": options.mss,
            "ws": options.window_scale,
            "sackok": options.sack_permitted,
            "sack": ",".join(blocks),
            "ts": ",".join(map(str, options.timestamps or ())),
        }
        return {name: shown[name] for name in wanted}


def dialogue(script: str, **changes: object) -> Dialogue:
    """Play `script` with small plain numbers (`PLAIN`), but for `changes` of the configuration."""
    return Dialogue(TcpConfig(**(PLAIN | changes))).play(script)


CONNECTED = """
    connect
    > SYN 0
    < SYN-ACK 0 ack 1
    = Established
    > ACK 1 ack 1
"""
ACCEPTED = """
    < SYN 0
    > SYN-ACK 0 ack 1
    < ACK 1 ack 1
    = Established
"""
# How to arrive in each state, after which the peer's next number is the second value and ours the third.
REACH: dict[str, tuple[str, int, int]] = {
    "SYN-SENT": ("connect\n> SYN 0", 0, 1),
    "SYN-RECEIVED": ("< SYN 0\n> SYN-ACK 0 ack 1", 1, 1),
    "ESTABLISHED": (CONNECTED, 1, 1),
    "FIN-WAIT-1": (CONNECTED + "close\n> FIN-ACK 1 ack 1", 1, 2),
    "FIN-WAIT-2": (CONNECTED + "close\n> FIN-ACK 1 ack 1\n< ACK 1 ack 2", 1, 2),
    "CLOSE-WAIT": (CONNECTED + "< FIN-ACK 1 ack 1\n= PeerFinished\n> ACK 1 ack 2", 2, 1),
    "CLOSING": (
        CONNECTED + "close\n> FIN-ACK 1 ack 1\n< FIN-ACK 1 ack 1\n= PeerFinished\n> ACK 2 ack 2",
        2,
        2,
    ),
    "LAST-ACK": (
        CONNECTED + "< FIN-ACK 1 ack 1\n= PeerFinished\n> ACK 1 ack 2\nclose\n> FIN-ACK 1 ack 2",
        2,
        2,
    ),
    "TIME-WAIT": (
        CONNECTED + "close\n> FIN-ACK 1 ack 1\n< FIN-ACK 1 ack 2\n= PeerFinished\n> ACK 2 ack 2\n= EnteredTimeWait",
        2,
        2,
    ),
    "CLOSED": (CONNECTED + "abort\n> RST-ACK 1 ack 1\n= Reset by us\n= Closed", 1, 1),
}


def reached(state: str, **changes: object) -> Dialogue:
    """A dialogue that has come to `state`."""
    return dialogue(REACH[state][0] + f"\nstate {state}", **changes)
