"""Namespaces, wires and TUN devices come, work, and go."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.interop import needs
from tests.interop.kernel import ping
from tests.interop.net import namespace, tun, wire

pytestmark = pytest.mark.interop


@pytest.fixture(autouse=True)
def _machine() -> None:
    needs.need("ping")


def _here() -> str:
    return os.readlink("/proc/thread-self/ns/net")


def test_a_namespace_is_gone_after_its_block() -> None:
    with namespace() as space:
        assert Path(f"/run/netns/{space.name}").exists()
    assert not Path(f"/run/netns/{space.name}").exists()


def test_a_namespace_is_gone_after_an_error() -> None:
    with pytest.raises(KeyError), namespace() as space:
        raise KeyError("in the middle of a test")
    assert not Path(f"/run/netns/{space.name}").exists()


def test_a_call_inside_does_not_move_the_caller() -> None:
    before = _here()
    with namespace() as space:
        assert space.inside(_here) != before
    assert _here() == before


def test_an_error_inside_reaches_the_caller() -> None:
    def fail() -> None:
        raise LookupError("inside")

    with namespace() as space, pytest.raises(LookupError, match="inside"):
        space.inside(fail)


@pytest.mark.parametrize("version", [pytest.param(4, id="IPv4"), pytest.param(6, id="IPv6")])
def test_the_two_ends_of_a_wire_hear_each_other(version: int) -> None:
    with wire() as (left, right):
        answered = ping(left.space, right.address(version), 3)
    assert (answered.sent, answered.received) == (3, 3)


def test_a_quiet_tun_sends_nothing_by_itself() -> None:
    with tun() as device, pytest.raises(BlockingIOError):
        os.read(device.descriptor, 2000)


def test_a_datagram_to_the_other_side_comes_out_of_the_tun() -> None:
    with tun() as device:
        with device.kernel.space.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
            sender.sendto(b"hello", (device.host(4), 9))
        packet = os.read(device.descriptor, 2000)
    assert packet[9] == socket.IPPROTO_UDP
    assert packet[-5:] == b"hello"


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [
        pytest.param("", pytest.skip.Exception, id="on a laptop a test that lacks a program skips"),
        pytest.param("true", pytest.fail.Exception, id="in CI a test that lacks a program fails"),
    ],
)
def test_a_missing_program(monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="needs the program no-such-program"):
        needs.need("no-such-program")
