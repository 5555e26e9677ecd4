"""Damaged netsh dumps of real machines, from the shared data (TAMIZ_SHARED, else `../shared`); without it, none.

The seeds are the whole dumps, some 3.5 MB each, and scripts of edits that keep them well formed.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from fuzz.dumps import ALLOWED, TOKENS
from fuzz.xml_edits import SCRIPT, edited
from tamiz.formats.netsh import looks_like_netsh, read_netsh

__all__ = ["ALLOWED", "LARGEST", "TOKENS", "seeds", "target"]

FOLDER = Path(os.environ.get("TAMIZ_SHARED") or Path(__file__).parents[2] / "shared") / "data" / "dumps"
LARGEST = 8 << 20

_WORDS = ("text FWP_UINT8", "drop", "twice", "name sd", "into 900", "count 3", "tail x")


def seeds() -> list[bytes]:
    scripts = [SCRIPT + f"{n * 997} {word}\n{n * 31} text 1\n".encode() for n, word in enumerate(_WORDS)]
    return [*scripts, *_dumps()]


def target(data: bytes) -> None:
    if not data.startswith(SCRIPT):
        looks_like_netsh(data)
        read_netsh(data, "dump.xml")
        return
    dumps = _dumps()
    if dumps:
        first, end, second = dumps[len(data) % len(dumps)].partition(b"</wfpstate>")
        read_netsh(edited(first + end, data) + second, "dump.xml")


@cache
def _dumps() -> list[bytes]:
    return [path.read_bytes() for path in sorted(FOLDER.glob("*.xml"))]
