"""What a host is configured with; its time, numbers and identifiers come from here, so the same input gives the same
trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from tamiz.model.keys import LayerKey
from tamiz.model.reading import Reading
from tamiz.model.windows import NEWEST, WindowsVersion

from .flows import GROUP_NS, IDLE_NS
from .processes import SYSTEM, Process
from .tcp import TcpConfig, windows

FIRST_PORT, LAST_PORT = 49_152, 65_535  # the dynamic range [D: ale-layers, whose 19152 is a misprint]
_ISS_STEP: Final = 64_000


def ephemeral_ports() -> Iterator[int]:
    """The dynamic ports, from the lowest, again and again."""
    while True:
        yield from range(FIRST_PORT, LAST_PORT + 1)


def initial_sequence_numbers() -> Iterator[int]:
    return (number % (1 << 32) for number in count(1_000_000, _ISS_STEP))


def identifications() -> Iterator[int]:
    return (number & 0xFFFF for number in count(1))


def never_in_use(layer: LayerKey) -> bool:
    """The predicate of a host of which no filter is known."""
    return False


@dataclass(frozen=True, slots=True)
class HostConfig:
    """Everything but the network. Times are ns.

    `layer_in_use` says whether a filter is at a layer that is met only then (STREAM_PACKET). `system`: the process of
    what the stack itself sends and answers. `strong_receive`, `strong_send`: the host model, strong by default.
    `forwarding` and `fragment_grouping` are off by default. `multicast_responses`: an outbound multicast lets answers
    in (classify option MULTICAST_STATE; False is DENY). `transport`: TCP's numbers, None: those of `windows`.
    """

    windows: WindowsVersion = NEWEST
    reading: Reading = Reading.DOCUMENTED
    layer_in_use: Callable[[LayerKey], bool] = never_in_use
    system: Process = SYSTEM
    transport: TcpConfig | None = None
    strong_receive: bool = True
    strong_send: bool = True
    forwarding: bool = False
    fragment_grouping: bool = False
    answers_echo: bool = True
    multicast_responses: bool = True
    idle: int = IDLE_NS
    group_lifetime: int = GROUP_NS
    hops: int = 128
    ports: Iterator[int] = field(default_factory=ephemeral_ports)
    iss: Iterator[int] = field(default_factory=initial_sequence_numbers)
    identifications: Iterator[int] = field(default_factory=identifications)

    @property
    def tcp(self) -> TcpConfig:
        return self.transport or windows(str(self.windows))
