"""What the kernel's own programs and sockets do inside a namespace: fetch, serve, connect, ping.

Every helper has a time limit and reports an outcome as a value; a test says which outcome it wanted.
"""

from __future__ import annotations

import hashlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tests.interop.net import Namespace

Outcome = Literal["connected", "refused", "timed out", "unreachable", "reset"]

TEN_MEGABYTES: Final = 10_000_000


def payload(size: int, seed: int = 1) -> bytes:
    """`size` bytes that look random and are the same in every run."""
    return random.Random(seed).randbytes(size)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def url(address: str, port: int, path: str = "/body.bin") -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}{path}"


@dataclass(frozen=True)
class Fetched:
    """What curl brought: its exit code and message, the HTTP status, and size and SHA-256 of the body."""

    exit_code: int
    message: str
    status: int
    size: int
    sha256: str
    seconds: float


def curl(space: Namespace, address: str, *, timeout: float = 60.0) -> Fetched:
    """Fetch a URL with curl from inside the namespace, without proxies and within `timeout` seconds."""
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body"
        done = space.run(
            "curl", "--silent", "--show-error", "--globoff", "--noproxy", "*", "--max-time", str(timeout),
            "--output", str(body), "--write-out", "%{http_code} %{time_total}", address,
            timeout=timeout + 10,
        )  # fmt: skip
        data = body.read_bytes() if body.exists() else b""
    status, seconds = done.stdout.split()
    return Fetched(
        done.returncode,
        done.stderr.strip(),
        int(status),
        len(data),
        sha256(data),
        float(seconds.replace(",", ".")),
    )


@contextmanager
def http_server(space: Namespace, address: str, port: int, body: bytes) -> Iterator[str]:
    """Python's own HTTP server inside the namespace, serving `body`; gives its URL, ends the server afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "body.bin").write_bytes(body)
        server = subprocess.Popen(
            space.command(
                sys.executable, "-m", "http.server", str(port), "--bind", address, "--directory", folder
            ),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _await_listener(space, address, port, server)
            yield url(address, port)
        finally:
            server.terminate()
            server.wait(10)


def _await_listener(space: Namespace, address: str, port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        if server.poll() is not None:
            raise RuntimeError(f"the HTTP server ended with code {server.returncode}")
        if kernel_connect(space, address, port, timeout=1.0)[0] == "connected":
            return
        time.sleep(0.02)
    raise TimeoutError("the HTTP server did not begin to listen within 10 s")


def kernel_connect(space: Namespace, address: str, port: int, timeout: float = 5.0) -> tuple[Outcome, float]:
    """What a TCP `connect` from inside the namespace comes to, and after how many seconds."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with space.inside(lambda: socket.socket(family, socket.SOCK_STREAM)) as client:
        client.settimeout(timeout)
        begin = time.monotonic()
        try:
            client.connect((address, port))
            outcome: Outcome = "connected"
        except ConnectionRefusedError:
            outcome = "refused"
        except ConnectionResetError:
            outcome = "reset"
        except TimeoutError:
            outcome = "timed out"
        except OSError:  # EHOSTUNREACH, ENETUNREACH, EACCES: an ICMP error of the other side, or no route
            outcome = "unreachable"
        return outcome, time.monotonic() - begin


@contextmanager
def listener(space: Namespace, address: str, port: int) -> Iterator[socket.socket]:
    """A listening TCP socket of the kernel inside the namespace."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with space.inside(lambda: socket.socket(family, socket.SOCK_STREAM)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(8)
        yield server


@dataclass(frozen=True)
class Pinged:
    """How many echo requests ping sent, and how many replies it counted as good."""

    sent: int
    received: int


def ping(space: Namespace, address: str, count: int, *, size: int = 56, interval: float = 0.02) -> Pinged:
    """Ping from inside the namespace; waits at most 0.3 s for the last reply."""
    done = space.run(
        "ping", "-n", "-q", "-c", str(count), "-i", str(interval), "-W", "0.3", "-s", str(size), address,
        timeout=count * interval + 30,
    )  # fmt: skip
    line = next((text for text in done.stdout.splitlines() if "transmitted" in text), "")
    numbers = [int(word) for word in line.replace(",", " ").split() if word.isdigit()]
    if len(numbers) < 2:
        raise RuntimeError(f"ping: {done.stdout.strip()} {done.stderr.strip()}")
    return Pinged(numbers[0], numbers[1])


def datagram(space: Namespace, address: str, port: int, data: bytes, timeout: float = 3.0) -> bytes | Outcome:
    """One UDP datagram from inside the namespace: the reply, "refused" after an ICMP error, "timed out" in silence."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with space.inside(lambda: socket.socket(family, socket.SOCK_DGRAM)) as client:
        client.settimeout(timeout)
        client.connect((address, port))
        client.send(data)
        try:
            return client.recv(0x10000)
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            return "timed out"


@contextmanager
def udp_echo(space: Namespace, address: str, port: int) -> Iterator[None]:
    """A UDP service inside the namespace that sends each datagram back, in capitals."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with space.inside(lambda: socket.socket(family, socket.SOCK_DGRAM)) as server:
        server.bind((address, port))
        server.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    data, peer = server.recvfrom(0x10000)
                    server.sendto(data.upper(), peer)

        thread = threading.Thread(target=serve, name="UDP echo")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
