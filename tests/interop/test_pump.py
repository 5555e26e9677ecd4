"""The pump, with a host that only answers pings, and with a second kernel as the host."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
from pathlib import Path

import pytest

from tests.interop import kernel, needs, scenarios
from tests.interop.kernel import ping
from tests.interop.net import Tun, tun
from tests.interop.pump import CALM, ROUGH, Host, Pump, Record, Weather, write_pcap

pytestmark = pytest.mark.interop

BOTH = pytest.mark.parametrize("version", [pytest.param(4, id="IPv4"), pytest.param(6, id="IPv6")])


@pytest.fixture(autouse=True)
def _machine() -> None:
    needs.need("ping", "curl")


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class Echo:
    """A host that answers echo requests, `hold_ns` after they came, and knows nothing else."""

    def __init__(self, hold_ns: int = 0) -> None:
        self.hold_ns = hold_ns
        self.waiting: list[tuple[int, bytes]] = []

    def packet_in(self, packet: bytes, now_ns: int) -> list[bytes]:
        answer = self._answer_v4(packet) if packet[0] >> 4 == 4 else self._answer_v6(packet)
        if answer is not None:
            self.waiting.append((now_ns + self.hold_ns, answer))
        return self.tick(now_ns)

    def tick(self, now_ns: int) -> list[bytes]:
        due = [packet for when, packet in self.waiting if when <= now_ns]
        self.waiting = [(when, packet) for when, packet in self.waiting if when > now_ns]
        return due

    def next_timer(self) -> int | None:
        return min((when for when, _ in self.waiting), default=None)

    @staticmethod
    def _answer_v4(packet: bytes) -> bytes | None:
        size = (packet[0] & 15) * 4
        if packet[9] != socket.IPPROTO_ICMP or packet[size] != 8:
            return None
        icmp = b"\0\0\0\0" + packet[size + 4 :]
        icmp = icmp[:2] + struct.pack("!H", _checksum(icmp)) + icmp[4:]
        return packet[:12] + packet[16:20] + packet[12:16] + packet[20:size] + icmp

    @staticmethod
    def _answer_v6(packet: bytes) -> bytes | None:
        if packet[6] != socket.IPPROTO_ICMPV6 or packet[40] != 128:
            return None
        addresses = packet[24:40] + packet[8:24]
        icmp = b"\x81\0\0\0" + packet[44:]
        pseudo = addresses + struct.pack("!I3xB", len(icmp), socket.IPPROTO_ICMPV6)
        return packet[:8] + addresses + icmp[:2] + struct.pack("!H", _checksum(pseudo + icmp)) + icmp[4:]


class OtherKernel:
    """The kernel behind a second TUN device, as a host: it is asked for packets once a millisecond."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.next = 0

    def packet_in(self, packet: bytes, now_ns: int) -> list[bytes]:
        os.write(self.descriptor, packet)
        return self.tick(now_ns)

    def tick(self, now_ns: int) -> list[bytes]:
        self.next = now_ns + 1_000_000
        packets = []
        while True:
            try:
                packets.append(os.read(self.descriptor, 0x10000))
            except BlockingIOError:
                return packets

    def next_timer(self) -> int | None:
        return self.next


def _ping_through(device: Tun, host: Host, version: int, count: int, weather: Weather) -> tuple[int, Pump]:
    pump = Pump(device.descriptor, host, weather)
    answered = pump.during(lambda: ping(device.kernel.space, device.host(version), count), 30)
    assert answered.sent == count
    return answered.received, pump


@BOTH
def test_every_ping_is_answered_in_calm_weather(version: int) -> None:
    with tun() as device:
        received, pump = _ping_through(device, Echo(), version, 20, CALM)
    assert received == 20
    assert [record.direction for record in pump.records] == ["in", "out"] * 20


@BOTH
def test_a_lost_packet_is_a_ping_without_an_answer(version: int) -> None:
    with tun() as device:
        received, pump = _ping_through(device, Echo(), version, 20, Weather(loss=0.2, seed=3))
    assert pump.lost > 0
    assert received == 20 - pump.lost


@BOTH
def test_a_delayed_packet_is_answered_late_but_once(version: int) -> None:
    with tun() as device:
        received, pump = _ping_through(device, Echo(), version, 20, Weather(reorder=0.5, delay_ms=5))
    assert pump.delayed > 0
    assert received == 20


def test_the_same_seed_loses_the_same_packets() -> None:
    weather = Weather(loss=0.3, seed=7)
    with tun() as device:
        first = _ping_through(device, Echo(), 4, 20, weather)[1]
        second = _ping_through(device, Echo(), 4, 20, weather)[1]
    assert first.lost == second.lost > 0


def test_a_packet_that_others_overtake_arrives_after_them() -> None:
    with tun() as device:
        space = device.kernel.space
        with space.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
            for number in range(50):
                sender.sendto(bytes([number]), (device.host(4), 9))
        pump = Pump(device.descriptor, Echo(), Weather(reorder=0.2, seed=5))
        pump.run(lambda: len(pump.records) == 50, 10)
    order = [record.packet[-1] for record in pump.records]
    assert order != sorted(order)
    assert sorted(order) == list(range(50))


def test_a_timer_of_the_host_is_kept() -> None:
    hold = 30_000_000
    with tun() as device:
        _, pump = _ping_through(device, Echo(hold), 4, 3, CALM)
    came = [record.time_ns for record in pump.records if record.direction == "in"]
    left = [record.time_ns for record in pump.records if record.direction == "out"]
    assert all(out - arrived >= hold for arrived, out in zip(came, left, strict=True))


def test_a_pump_that_never_gets_done_says_so() -> None:
    with tun() as device, pytest.raises(TimeoutError, match=r"not done after 0\.1 s"):
        Pump(device.descriptor, Echo()).run(lambda: False, 0.1)


def test_an_error_beside_the_pump_reaches_the_test() -> None:
    def fail() -> None:
        raise LookupError("beside")

    with tun() as device, pytest.raises(LookupError, match="beside"):
        Pump(device.descriptor, Echo()).during(fail, 5)


def test_the_capture_of_a_pump_is_readable(tmp_path: Path) -> None:
    needs.need("tshark")
    with tun() as device:
        _, pump = _ping_through(device, Echo(), 6, 2, CALM)
    write_pcap(tmp_path / "pings.pcap", pump.records)
    shown = subprocess.run(
        ["tshark", "-r", str(tmp_path / "pings.pcap"), "-T", "fields"]
        + ["-e", "icmpv6.type", "-e", "icmpv6.checksum.status"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert shown.stdout.split() == ["128", "1", "129", "1"] * 2


@BOTH
def test_a_file_crosses_rough_weather_whole(version: int) -> None:
    """Two kernels: what the weather does to TCP is repaired by TCP, so the body arrives as it was sent."""
    body = kernel.payload(kernel.TEN_MEGABYTES)
    with tun() as here, tun(swapped=True) as there:
        host = OtherKernel(there.descriptor)
        address, port = there.kernel.address(version), scenarios.HTTP_PORT
        with kernel.http_server(there.kernel.space, address, port, body):
            fetched = scenarios.kernel_fetches(here, host, version, weather=ROUGH, limit_s=30)
    assert (fetched.exit_code, fetched.status) == (0, 200)
    assert fetched.sha256 == kernel.sha256(body)


class FetchingKernel(OtherKernel):
    """The kernel behind a second TUN device, in whose namespace curl begins to fetch at the first tick."""

    def __init__(self, device: Tun, address: str) -> None:
        super().__init__(device.descriptor)
        self.fetched: list[kernel.Fetched] = []
        self.thread = threading.Thread(
            target=lambda: self.fetched.append(kernel.curl(device.kernel.space, address, timeout=20))
        )

    def tick(self, now_ns: int) -> list[bytes]:
        if self.thread.ident is None:
            self.thread.start()
        return super().tick(now_ns)


@BOTH
def test_the_host_fetches_from_the_kernel_in_rough_weather(version: int) -> None:
    body = kernel.payload(kernel.TEN_MEGABYTES)
    with tun() as here, tun(swapped=True) as there:
        host = FetchingKernel(there, kernel.url(here.kernel.address(version), scenarios.HTTP_PORT))
        scenarios.host_fetches(here, host, version, body, lambda: bool(host.fetched), weather=ROUGH, limit_s=30)
    assert (host.fetched[0].status, host.fetched[0].sha256) == (200, kernel.sha256(body))


@BOTH
def test_a_closed_port_of_the_host_refuses_at_once(version: int) -> None:
    with tun() as here, tun(swapped=True) as there:
        outcome, seconds = scenarios.kernel_connects(here, OtherKernel(there.descriptor), version, 9)
    assert outcome == "refused"
    assert seconds < 1


@BOTH
def test_a_host_that_says_nothing_makes_connect_wait(version: int) -> None:
    with tun() as here:
        outcome, seconds = scenarios.kernel_connects(here, Echo(), version, 9, timeout=0.5)
    assert outcome == "timed out"
    assert seconds >= 0.5


def test_a_record_keeps_time_direction_and_packet(tmp_path: Path) -> None:
    write_pcap(tmp_path / "one.pcap", [Record(1_500_000_001, "out", b"\x45" + bytes(19))])
    data = (tmp_path / "one.pcap").read_bytes()
    assert len(data) == 24 + 16 + 20
    assert struct.unpack_from("<IIII", data, 24) == (1, 500_000_001, 20, 20)
