"""Network namespaces, the wires between them and TUN devices, for the length of a `with` block.

A namespace is entered by a thread of its own, which ends afterwards: the thread of the test never leaves the
namespace it was started in (`setns` moves one thread; Python 3.11 has no `os.setns`, so it is called by ctypes).
Addresses come from the documentation ranges. IPv6 runs without duplicate address detection, router solicitations,
link-local addresses (and so without multicast reports): only what a test sends is on the wire.
"""

from __future__ import annotations

import ctypes
import fcntl
import ipaddress
import itertools
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

_CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
_TUNSETIFF: Final = 0x400454CA  # linux/if_tun.h
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_SIOCETHTOOL: Final = 0x8946  # linux/sockios.h
_OFFLOADS: Final = (0x17, 0x1F, 0x24, 0x2C)  # linux/ethtool.h: ETHTOOL_STXCSUM, STSO, SGSO, SGRO
_QUIET: Final = {
    "accept_dad": "0",
    "dad_transmits": "0",
    "router_solicitations": "0",
    "autoconf": "0",
    "accept_ra": "0",
    "addr_gen_mode": "1",  # IN6_ADDR_GEN_MODE_NONE: no link-local address
}
_serial = itertools.count(1)


@dataclass(frozen=True)
class Namespace:
    """One network namespace, by the name that `ip netns` knows."""

    name: str

    def run(self, *command: str, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        """A program of the machine inside the namespace, to its end; its exit code is the caller's business."""
        return subprocess.run(self.command(*command), capture_output=True, text=True, timeout=timeout, check=False)

    def command(self, *command: str) -> list[str]:
        """The argument list that runs `command` inside the namespace."""
        return ["ip", "netns", "exec", self.name, *command]

    def ip(self, *arguments: str) -> None:
        """`ip` for the devices of the namespace; an error is an error of the test."""
        _ip("-n", self.name, *arguments)

    def inside(self, call: Callable[[], T]) -> T:
        """What `call` returns (or raises) when a thread inside the namespace calls it.

        A socket or a TUN descriptor that it opens belongs to the namespace for ever, whoever uses it.
        """
        result: list[T] = []
        errors: list[BaseException] = []

        def body() -> None:
            try:
                _enter(self.name)
                result.append(call())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=body, name=f"inside {self.name}")
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return result[0]


def _enter(name: str) -> None:
    """Move the calling thread into the namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"setns into {name}: {os.strerror(number)}")
    finally:
        os.close(descriptor)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def _quieten(device: str) -> None:
    for name, value in _QUIET.items():
        Path(f"/proc/sys/net/ipv6/conf/{device}/{name}").write_text(value)


@contextmanager
def namespace(label: str = "ns") -> Iterator[Namespace]:
    """A new namespace with its loopback up; removed afterwards, with every device in it."""
    name = f"tamiz-{os.getpid()}-{next(_serial)}-{label}"
    _ip("netns", "add", name)
    try:
        made = Namespace(name)
        made.inside(lambda: _quieten("default"))
        made.ip("link", "set", "lo", "up")
        yield made
    finally:
        _ip("netns", "del", name)


def _address(space: Namespace, device: str, addresses: Sequence[str]) -> None:
    """Give the device, which is up, its addresses, and wait until the kernel has made them its own."""
    for address in addresses:
        nodad = ["nodad"] if ipaddress.ip_interface(address).version == 6 else []
        space.ip("address", "add", address, "dev", device, *nodad)
    for _ in range(200):
        if not space.run("ip", "-6", "address", "show", "dev", device, "tentative").stdout.strip():
            return
        time.sleep(0.01)
    raise TimeoutError(f"the addresses of {device} in {space.name} stay tentative")


@dataclass(frozen=True)
class End:
    """One end of a wire: the namespace it is in, its device, and the addresses without prefix length."""

    space: Namespace
    device: str
    v4: str
    v6: str

    def address(self, version: int) -> str:
        return self.v4 if version == 4 else self.v6


@contextmanager
def wire(
    left: Sequence[str] = ("192.0.2.1/24", "2001:db8::1/64"),
    right: Sequence[str] = ("192.0.2.2/24", "2001:db8::2/64"),
    macs: tuple[str, str] = ("02:00:00:00:00:01", "02:00:00:00:00:02"),
) -> Iterator[tuple[End, End]]:
    """Two namespaces joined by a veth pair; each side has one IPv4 and one IPv6 address, with prefix lengths."""
    with namespace("left") as a, namespace("right") as b:
        a.ip("link", "add", "wire0", "type", "veth", "peer", "name", "wire0", "netns", b.name)
        ends = []
        for space, addresses, mac in ((a, left, macs[0]), (b, right, macs[1])):
            space.ip("link", "set", "wire0", "address", mac)
            space.ip("link", "set", "wire0", "up")
            v4, v6 = (address.split("/")[0] for address in addresses)
            ends.append(End(space, "wire0", v4, v6))
        _address(a, "wire0", left)
        _address(b, "wire0", right)
        yield ends[0], ends[1]


def without_offloads(end: End) -> None:
    """Make the device compute checksums and cut segments itself, so that a capture shows what a cable would carry."""

    def switch_off() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            for command in _OFFLOADS:
                wanted = ctypes.create_string_buffer(struct.pack("II", command, 0), 8)
                request = struct.pack("16sQ16x", end.device.encode(), ctypes.addressof(wanted))
                fcntl.ioctl(control, _SIOCETHTOOL, request)

    end.space.inside(switch_off)


@dataclass(frozen=True)
class Tun:
    """A TUN device: `descriptor` reads what the kernel sends and writes what it shall receive, one packet a call.

    `kernel` is the kernel's end; `host_v4` and `host_v6` are the free addresses at the other side, for the host that
    the test plays.
    """

    descriptor: int
    kernel: End
    host_v4: str
    host_v6: str

    def host(self, version: int) -> str:
        return self.host_v4 if version == 4 else self.host_v6


_KERNEL: Final = ("198.51.100.1", "2001:db8:1::1")
_HOST: Final = ("198.51.100.2", "2001:db8:1::2")


@contextmanager
def tun(mtu: int = 1500, *, swapped: bool = False) -> Iterator[Tun]:
    """A namespace with a TUN device: the kernel is 198.51.100.1 and 2001:db8:1::1, the host .2 and ::2.

    `swapped`: the kernel has the host's addresses, so that two kernels can be joined by two devices.
    """
    kernel, host = (_HOST, _KERNEL) if swapped else (_KERNEL, _HOST)
    with namespace("tun") as space:
        descriptor = space.inside(_open_tun)
        try:
            space.ip("link", "set", "tun0", "mtu", str(mtu), "up")
            _address(space, "tun0", (f"{kernel[0]}/24", f"{kernel[1]}/64"))
            yield Tun(descriptor, End(space, "tun0", *kernel), *host)
        finally:
            os.close(descriptor)


def _open_tun() -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", b"tun0", _IFF_TUN | _IFF_NO_PI))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
