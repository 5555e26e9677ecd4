"""What the interop tests need of the machine: without it they skip on a laptop, with the reason, and fail in CI."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_CAP_NET_ADMIN = 12
_CAP_SYS_ADMIN = 21


def _capability(bit: int) -> bool:
    status = Path("/proc/self/status")
    if not status.exists():
        return False
    effective = next(line for line in status.read_text().splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> bit & 1)


def lacking(*tools: str) -> list[str]:
    """What is missing here for namespaces, TUN devices and the `tools`, in words."""
    reasons = [] if Path("/proc/self/ns/net").exists() else ["a Linux kernel"]
    if not (_capability(_CAP_NET_ADMIN) and _capability(_CAP_SYS_ADMIN)):
        reasons.append("root, or CAP_NET_ADMIN and CAP_SYS_ADMIN")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        reasons.append("/dev/net/tun")
    return reasons + lacking_programs("ip", *tools)


def lacking_programs(*tools: str) -> list[str]:
    """Which of the `tools` are missing here, in words."""
    return [f"the program {tool}" for tool in tools if shutil.which(tool) is None]


def need(*tools: str) -> None:
    """Return when the machine has everything; else skip, or fail where CI=true."""
    _insist(lacking(*tools))


def need_programs(*tools: str) -> None:
    """The same for programs that need no privilege."""
    _insist(lacking_programs(*tools))


def _insist(missing: list[str]) -> None:
    if not missing:
        return
    reason = f"needs {', '.join(missing)}"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; in CI it must be there")
    pytest.skip(reason)
