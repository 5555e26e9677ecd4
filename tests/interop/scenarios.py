"""Sessions between the Linux kernel and a host in memory, ready for any host that a `Pump` can drive.

The host's application is the caller's: a host that serves answers `http_answer(body)` to any request and closes, one
that fetches sends `http_request(...)` and reads `http_body(...)` out of what came back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.interop import kernel
from tests.interop.kernel import Fetched, Outcome
from tests.interop.net import Tun
from tests.interop.pump import CALM, Host, Pump, Weather, write_pcap

HTTP_PORT = 8080


def http_answer(body: bytes) -> bytes:
    """A whole HTTP/1.1 response; the server closes after it."""
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def http_request(address: str, port: int, path: str = "/body.bin") -> bytes:
    """A whole HTTP/1.0 request, so that the server closes when it has answered."""
    host = f"[{address}]" if ":" in address else address
    return f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode("ascii")


def http_body(response: bytes) -> bytes:
    """The body of a response that answers 200; `ValueError` for any other."""
    head, separator, body = response.partition(b"\r\n\r\n")
    if not separator or head.split(b"\r\n")[0].split()[1:2] != [b"200"]:
        raise ValueError(f"not a response with status 200: {head[:80]!r}")
    return body


def kernel_fetches(
    tun: Tun,
    host: Host,
    version: int,
    *,
    weather: Weather = CALM,
    limit_s: float = 60.0,
    capture: Path | None = None,
) -> Fetched:
    """curl in the kernel's namespace fetches from the host, which serves HTTP on port 8080."""
    pump = Pump(tun.descriptor, host, weather)
    address = kernel.url(tun.host(version), HTTP_PORT)
    fetched = pump.during(lambda: kernel.curl(tun.kernel.space, address, timeout=limit_s), limit_s + 15)
    _save(pump, capture)
    return fetched


def host_fetches(
    tun: Tun,
    host: Host,
    version: int,
    body: bytes,
    finished: Callable[[], bool],
    *,
    weather: Weather = CALM,
    limit_s: float = 60.0,
    capture: Path | None = None,
) -> None:
    """The host fetches `body` from an HTTP server in the kernel's namespace, port 8080, until `finished()` holds.

    Call it with a host that has already been told to connect: its SYN leaves with the first tick.
    """
    pump = Pump(tun.descriptor, host, weather)
    with kernel.http_server(tun.kernel.space, tun.kernel.address(version), HTTP_PORT, body):
        pump.run(finished, limit_s)
    _save(pump, capture)


def kernel_connects(
    tun: Tun, host: Host, version: int, port: int, *, timeout: float = 3.0, capture: Path | None = None
) -> tuple[Outcome, float]:
    """The kernel connects to a port of the host: "refused" at once where it answers RST, "timed out" under stealth."""
    pump = Pump(tun.descriptor, host)
    result = pump.during(
        lambda: kernel.kernel_connect(tun.kernel.space, tun.host(version), port, timeout), timeout + 10
    )
    _save(pump, capture)
    return result


def _save(pump: Pump, capture: Path | None) -> None:
    if capture is not None:
        write_pcap(capture, pump.records)
