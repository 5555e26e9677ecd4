"""What Wireshark's own dissectors find wrong with a capture."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from tests.interop import needs

_CHECKED: Final = ("ip", "tcp", "udp")  # checksums that tshark leaves alone unless it is asked
_SUMS: Final = ("ip", "tcp", "udp", "icmp", "icmpv6")
BROKEN: Final = " || ".join(
    ("_ws.malformed", "_ws.expert.severity == error", *(f"{name}.checksum.status == 0" for name in _SUMS))
)
# A full window and the news of an open one are how flow control works; all else in analysis.flags is loss or disorder.
ASTRAY: Final = "tcp.analysis.flags && !tcp.analysis.window_update && !tcp.analysis.window_full"


def shown(path: Path, display_filter: str) -> list[str]:
    """tshark's lines for the packets of a capture that `display_filter` matches; every checksum is verified."""
    needs.need_programs("tshark")
    options = [f"-o{name}.check_checksum:TRUE" for name in _CHECKED]
    options.append("-otcp.desegment_tcp_streams:FALSE")  # what the bytes say to an application is not asked
    done = subprocess.run(
        ["tshark", "-n", *options, "-r", str(path), "-Y", display_filter],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def broken(path: Path) -> list[str]:
    """Packets that are malformed or have a wrong checksum."""
    return shown(path, BROKEN)


def faults(path: Path) -> list[str]:
    """Those, and segments that are lost, repeated or out of order."""
    return shown(path, f"({BROKEN}) || ({ASTRAY})")
