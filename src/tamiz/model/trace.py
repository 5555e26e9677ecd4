"""What a session met: the steps of a trace, in global order, as `tamiz trace` prints them (design.md 3 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tamiz.model.decisions import Decision
from tamiz.model.keys import LayerKey
from tamiz.model.reading import Reading
from tamiz.model.windows import WindowsVersion

Way = Literal["in", "out"]

OUTCOMES: Final = ("established", "delivered", "refused", "blocked", "timed-out", "reset", "closed", "silent")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened at `host`. `layer` None: it met no layer, and there is no decision.

    `time` is nanoseconds since the scenario began; `flow` the flow's handle.
    """

    n: int
    host: str
    event: str
    packet: str | None = None
    direction: Way | None = None
    layer: LayerKey | None = None
    decision: Decision | None = None
    note: str = ""
    time: int = 0
    flow: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that left `host` after step number `after`: its word, and a line for people."""

    after: int
    host: str
    word: str
    summary: str
    packet: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole scenario. `outcome`: host to one of `OUTCOMES`; `hosts`: host to its address and port, for people."""

    scenario: str
    title: str
    ip: int
    windows: WindowsVersion
    reading: Reading
    outcome: Mapping[str, str]
    hosts: Mapping[str, str]
    steps: tuple[Step, ...]
    wire: tuple[Sent, ...] = ()
    assumptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
