"""A pump between the kernel, behind a TUN device, and a host in memory that does no input or output itself.

    kernel --read-->  weather --packet_in-->  host
    kernel <-write--  weather <-its packets-  host <-tick-- the clock

The weather loses and delays packets in both directions, by a seeded generator: the choice for the n-th packet is
the same in every run. Each packet is recorded where a capture at the host would see it: what arrives after the
weather, what leaves before it.
"""

from __future__ import annotations

import heapq
import os
import random
import select
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol, TypeVar

T = TypeVar("T")
Direction = Literal["in", "out"]

_BATCH: Final = 64  # packets read before the host's timers get their turn
_SLICE_MS: Final = 10  # how long a poll waits at most, so that the end is noticed
_MS: Final = 1_000_000  # nanoseconds
_LINKTYPE_RAW: Final = 101


class Host(Protocol):
    """A host without a clock or a socket; times are nanoseconds of one monotonic clock."""

    def packet_in(self, packet: bytes, now_ns: int) -> list[bytes]:
        """Take one IP packet; the packets that it sends because of it."""

    def tick(self, now_ns: int) -> list[bytes]:
        """Do what is due by now; the packets that it sends."""

    def next_timer(self) -> int | None:
        """When `tick` is due next; None: never."""


@dataclass(frozen=True)
class Weather:
    """Shares of packets that are lost, and that are held back for `delay_ms` so that others overtake them."""

    loss: float = 0.0
    reorder: float = 0.0
    delay_ms: int = 3
    seed: int = 1


CALM: Final = Weather()
ROUGH: Final = Weather(loss=0.01, reorder=0.01)


@dataclass(frozen=True)
class Record:
    """One packet as the host saw it."""

    time_ns: int
    direction: Direction
    packet: bytes


@dataclass
class _Lane:
    """One direction: what it does to packets, and those it still holds, by the time they are due."""

    weather: Weather
    chance: random.Random
    held: list[tuple[int, int, bytes]] = field(default_factory=list)
    seen: int = 0
    lost: int = 0
    delayed: int = 0

    def pass_on(self, packet: bytes, now: int) -> bytes | None:
        """The packet, or None where the weather takes it now."""
        self.seen += 1
        fate = self.chance.random()
        if fate < self.weather.loss:
            self.lost += 1
            return None
        if fate < self.weather.loss + self.weather.reorder:
            self.delayed += 1
            heapq.heappush(self.held, (now + self.weather.delay_ms * _MS, self.seen, packet))
            return None
        return packet

    def due(self, now: int) -> list[bytes]:
        """The held packets whose time has come."""
        ready = []
        while self.held and self.held[0][0] <= now:
            ready.append(heapq.heappop(self.held)[2])
        return ready


class Pump:
    """Drives `host` with the packets of the TUN `descriptor` and the machine's monotonic clock."""

    def __init__(self, descriptor: int, host: Host, weather: Weather = CALM) -> None:
        self.records: list[Record] = []
        self._descriptor = descriptor
        self._host = host
        self._inward = _Lane(weather, random.Random(f"{weather.seed} in"))
        self._outward = _Lane(weather, random.Random(f"{weather.seed} out"))
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    @property
    def lost(self) -> int:
        """Packets that the weather has taken, both directions."""
        return self._inward.lost + self._outward.lost

    @property
    def delayed(self) -> int:
        """Packets that others may have overtaken, both directions."""
        return self._inward.delayed + self._outward.delayed

    def run(self, until: Callable[[], bool], limit_s: float) -> None:
        """Pump until `until()` holds, which is asked after every round; `TimeoutError` after `limit_s` seconds."""
        end = time.monotonic_ns() + int(limit_s * 1e9)
        self._send(self._host.tick(time.monotonic_ns()))
        while not until():
            if time.monotonic_ns() > end:
                raise TimeoutError(f"not done after {limit_s} s and {len(self.records)} packets")
            self._poll.poll(self._patience())
            self._round()

    def during(self, call: Callable[[], T], limit_s: float) -> T:
        """What `call` returns (or raises); it runs in a thread of its own while the pump runs in this one."""
        result: list[T] = []
        errors: list[BaseException] = []

        def body() -> None:
            try:
                result.append(call())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=body, name="beside the pump", daemon=True)
        thread.start()
        self.run(lambda: not thread.is_alive(), limit_s)
        if errors:
            raise errors[0]
        return result[0]

    def _round(self) -> None:
        """Everything that is due now: packets of the kernel, packets held by the weather, timers of the host."""
        for packet in self._read():
            passed = self._inward.pass_on(packet, time.monotonic_ns())
            if passed is not None:
                self._deliver(passed)
        for packet in self._inward.due(time.monotonic_ns()):
            self._deliver(packet)
        timer = self._host.next_timer()
        now = time.monotonic_ns()
        if timer is not None and timer <= now:
            self._send(self._host.tick(now))
        for packet in self._outward.due(time.monotonic_ns()):
            self._write(packet)

    def _read(self) -> Iterable[bytes]:
        for _ in range(_BATCH):
            try:
                yield os.read(self._descriptor, 0x10000)
            except BlockingIOError:
                return

    def _deliver(self, packet: bytes) -> None:
        now = time.monotonic_ns()
        self.records.append(Record(now, "in", packet))
        self._send(self._host.packet_in(packet, now))

    def _send(self, packets: Iterable[bytes]) -> None:
        for packet in packets:
            now = time.monotonic_ns()
            self.records.append(Record(now, "out", packet))
            passed = self._outward.pass_on(packet, now)
            if passed is not None:
                self._write(passed)

    def _write(self, packet: bytes) -> None:
        try:
            os.write(self._descriptor, packet)
        except OSError as error:
            raise OSError(error.errno, f"the kernel refuses {packet[:60].hex()}... ({len(packet)} bytes)") from error

    def _patience(self) -> int:
        """Milliseconds until something is due, at most one slice."""
        times = [lane.held[0][0] for lane in (self._inward, self._outward) if lane.held]
        timer = self._host.next_timer()
        if timer is not None:
            times.append(timer)
        if not times:
            return _SLICE_MS
        return max(0, min(_SLICE_MS, -((time.monotonic_ns() - min(times)) // _MS)))


def write_pcap(path: Path, records: Iterable[Record]) -> None:
    """The records as a capture of raw IP packets with nanoseconds (pcap 2.4, LINKTYPE_RAW)."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 0x40000, _LINKTYPE_RAW))
        for record in records:
            seconds, rest = divmod(record.time_ns, 1_000_000_000)
            file.write(struct.pack("<IIII", seconds, rest, len(record.packet), len(record.packet)))
            file.write(record.packet)
