"""How fast `tamiz replay` is, beside two readers that judge nothing, in one run.

    python -m benchmarks.replay [--packets 100000] [--rounds 5] [--keep FILE.pcap]

Writes a capture of a laptop's day (TCP over IPv4 and IPv6, DNS, scans; the same packets each time), then lets each
contestant read it in turn, round after round:

    dpkt       parses each record into Ethernet, IP and TCP objects, and does nothing with them
    tcpdump    -n -r, prints each packet to nowhere (where it is installed)
    tamiz      replays it through examples/office-laptop.xml: flows, layers, verdicts, the whole report

Printed are medians and their ratio to dpkt's. The goal: tamiz takes at most four times as long.
"""

from __future__ import annotations

import argparse
import io
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import dpkt

from tamiz.drive.replay import Settings, replay
from tamiz.engine.engine import Engine
from tamiz.formats.load import load_policies
from tamiz.outcomes.pcapfile import PcapWriter
from tamiz.outcomes.replayed import Report
from tamiz.sources.capture import open_capture
from tamiz.wire.link import LinkType
from tamiz.wire.packet import between, build
from tamiz.wire.tcp import Segment, TcpFlags
from tamiz.wire.udp import Datagram

POLICY = Path(__file__).parents[1] / "examples" / "office-laptop.xml"
HERE = {4: bytes([192, 0, 2, 10]), 6: bytes.fromhex("20010db80000000000000000c000020a")}
DNS = {4: bytes([192, 0, 2, 1]), 6: bytes.fromhex("20010db8000000000000000000000001")}
EPOCH = 1_700_000_000 * 10**9
GAP = 200_000  # ns between two packets

# -- the capture -----------------------------------------------------------------------------------------------------


def session(random: Random, version: int, remote: bytes, port: int, rounds: int) -> Iterator[bytes]:
    """One TCP connection of this host: handshake, requests and answers with their ACKs, four-way close."""
    here, sent, got = random.randint(49152, 65535), random.getrandbits(32), random.getrandbits(32)

    def segment(out: bool, flags: TcpFlags, size: int = 0) -> bytes:
        nonlocal sent, got
        ports = (here, port) if out else (port, here)
        numbers = (sent, got) if out else (got, sent)
        made = Segment(*ports, *numbers, flags, 64_000, payload=bytes(size))
        taken = size + bool(flags & (TcpFlags.SYN | TcpFlags.FIN))
        if out:
            sent = (sent + taken) & 0xFFFF_FFFF
        else:
            got = (got + taken) & 0xFFFF_FFFF
        return build(between(*((HERE[version], remote) if out else (remote, HERE[version])), made))

    ack = TcpFlags.ACK
    yield from (segment(True, TcpFlags.SYN), segment(False, TcpFlags.SYN | ack), segment(True, ack))
    for _ in range(rounds):
        yield segment(True, ack | TcpFlags.PSH, random.randint(50, 600))
        for _ in range(random.randint(1, 3)):
            yield segment(False, ack, random.randint(200, 1400))
            if random.random() < 0.6:
                yield segment(True, ack)
    for out, flags in ((True, TcpFlags.FIN | ack), (False, ack), (False, TcpFlags.FIN | ack), (True, ack)):
        yield segment(out, flags)


def lookup(random: Random, version: int) -> Iterator[bytes]:
    """One DNS question and its answer."""
    port = random.randint(49152, 65535)
    yield build(between(HERE[version], DNS[version], Datagram(port, 53, bytes(random.randint(30, 60)))))
    yield build(between(DNS[version], HERE[version], Datagram(53, port, bytes(random.randint(60, 400)))))


def scan(random: Random) -> Iterator[bytes]:
    """A SYN from a stranger, and the RST of a host without a listener there."""
    stranger, port = bytes([198, 51, 100, random.randint(1, 254)]), random.randint(1, 1024)
    source = random.randint(1024, 65535)
    yield build(between(stranger, HERE[4], Segment(source, port, random.getrandbits(32), 0, TcpFlags.SYN, 1024)))
    answer = Segment(port, source, 0, 1, TcpFlags.RST | TcpFlags.ACK, 0)
    yield build(between(HERE[4], stranger, answer))


def conversation(random: Random) -> Iterator[bytes]:
    kind, version = random.random(), 4 if random.random() < 0.7 else 6
    if kind < 0.15:
        return scan(random)
    if kind < 0.5:
        return lookup(random, version)
    remote = bytes([203, 0, 113, random.randint(1, 254)])
    if version == 6:
        remote = bytes.fromhex("20010db8000900000000") + random.randbytes(6)
    rounds = random.choice((1, 2, 2, 3, 5, 8, 20))
    return session(random, version, remote, random.choice((443, 443, 443, 80, 22, 25, 7200)), rounds)


def packets(count: int) -> Iterator[bytes]:
    """`count` packets of up to forty conversations at a time."""
    random = Random(11)
    running: list[Iterator[bytes]] = []
    while count:
        if len(running) < 40:
            running.append(conversation(random))
        place = random.randrange(len(running))
        packet = next(running[place], None)
        if packet is None:
            running.pop(place)
            continue
        count -= 1
        yield packet


def write(path: Path, count: int) -> None:
    with path.open("wb") as file:
        writer = PcapWriter(file, LinkType.ETHERNET)
        for n, packet in enumerate(packets(count)):
            writer.write(EPOCH + n * GAP, packet)


# -- the contestants -------------------------------------------------------------------------------------------------


def parse_only(path: Path) -> int:
    """dpkt, the usual loop."""
    with path.open("rb") as file:
        return sum(bool(dpkt.ethernet.Ethernet(data).data) for _, data in dpkt.pcap.Reader(io.BufferedReader(file)))


def printed(path: Path) -> int:
    subprocess.run(["tcpdump", "-n", "-r", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return 0


def judged(engine: Engine, path: Path) -> Report:
    return replay(engine, [lambda: open_capture(path)], Settings(local=(HERE[4], HERE[6])))


def timed(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="write the capture there")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = wanted.keep or Path(folder) / "day.pcap"
        write(path, wanted.packets)
        policy = load_policies([str(POLICY)])
        contestants: dict[str, Callable[[], object]] = {
            "dpkt": lambda: parse_only(path),
            "tamiz": lambda: judged(Engine(policy), path),
        }
        if shutil.which("tcpdump"):
            contestants["tcpdump"] = lambda: printed(path)
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(wanted.rounds):
            for name, run in contestants.items():
                times[name].append(timed(run))
        report = judged(Engine(policy), path)
    print(f"{report.packets} packets, {report.flows} flows, policy of {len(policy.filters)} filters")
    base = statistics.median(times["dpkt"])
    for name, taken in times.items():
        middle = statistics.median(taken)
        each = middle / wanted.packets * 1e6
        print(
            f"{name:8} {middle:7.2f} s  {each:6.1f} us a packet  {middle / base:5.2f} x dpkt  (best {min(taken):.2f} s)"
        )


if __name__ == "__main__":
    main()
