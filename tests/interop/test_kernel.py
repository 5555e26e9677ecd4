"""The helpers that speak for the kernel, tried from kernel to kernel over a wire."""

from __future__ import annotations

import pytest

from tests.interop import kernel, needs
from tests.interop.net import namespace, wire
from tests.interop.scenarios import http_answer, http_body, http_request

pytestmark = pytest.mark.interop

BOTH = pytest.mark.parametrize("version", [pytest.param(4, id="IPv4"), pytest.param(6, id="IPv6")])


@pytest.fixture(autouse=True)
def _machine() -> None:
    needs.need("curl", "ping")


@BOTH
def test_curl_brings_ten_megabytes_whole(version: int) -> None:
    body = kernel.payload(kernel.TEN_MEGABYTES)
    with wire() as (left, right), kernel.http_server(right.space, right.address(version), 8080, body) as url:
        fetched = kernel.curl(left.space, url)
    assert (fetched.exit_code, fetched.status, fetched.size) == (0, 200, 10_000_000)
    assert fetched.sha256 == kernel.sha256(body)


@BOTH
def test_curl_to_a_closed_port_says_so(version: int) -> None:
    with wire() as (left, right):
        fetched = kernel.curl(left.space, kernel.url(right.address(version), 81), timeout=5)
    assert (fetched.exit_code, fetched.status, fetched.size) == (7, 0, 0)


@BOTH
def test_connect_to_a_listener(version: int) -> None:
    with wire() as (left, right), kernel.listener(right.space, right.address(version), 7000):
        outcome, _ = kernel.kernel_connect(left.space, right.address(version), 7000)
    assert outcome == "connected"


@BOTH
def test_connect_to_a_closed_port_is_refused_at_once(version: int) -> None:
    with wire() as (left, right):
        outcome, seconds = kernel.kernel_connect(left.space, right.address(version), 7000)
    assert outcome == "refused"
    assert seconds < 1


@BOTH
def test_connect_into_silence_times_out(version: int) -> None:
    nobody = {4: "192.0.2.77", 6: "2001:db8::77"}[version]
    with wire() as (left, _):
        left.space.ip("neighbour", "add", nobody, "lladdr", "02:00:00:00:00:77", "dev", left.device)
        outcome, seconds = kernel.kernel_connect(left.space, nobody, 7000, timeout=0.5)
    assert outcome == "timed out"
    assert seconds >= 0.5


def test_connect_without_a_route_is_unreachable() -> None:
    with namespace() as alone:
        assert kernel.kernel_connect(alone, "203.0.113.1", 80)[0] == "unreachable"


def test_the_http_server_is_gone_after_its_block() -> None:
    with wire() as (left, right):
        with kernel.http_server(right.space, right.v4, 8080, b"x"):
            pass
        assert kernel.kernel_connect(left.space, right.v4, 8080)[0] == "refused"


def test_http_there_and_back() -> None:
    assert http_body(http_answer(b"a body\r\n\r\nof two parts")) == b"a body\r\n\r\nof two parts"
    assert http_request("2001:db8::1", 80).split(b"\r\n")[1] == b"Host: [2001:db8::1]:80"
    with pytest.raises(ValueError, match="404"):
        http_body(b"HTTP/1.0 404 Not Found\r\n\r\n")
