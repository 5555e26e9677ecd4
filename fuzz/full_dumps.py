"""Damaged netsh dumps of real machines, from the shared data (TAMIZ_SHARED, else `../shared`); without it, none.

The runner cuts what it damages at one megabyte, so the seeds are the dumps with fewer objects in each list.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from lxml import etree

from fuzz.dumps import ALLOWED, TOKENS
from fuzz.xml_edits import SCRIPT, edited
from tamiz.formats.netsh import looks_like_netsh, read_netsh

__all__ = ["ALLOWED", "TOKENS", "seeds", "target"]

FOLDER = Path(os.environ.get("TAMIZ_SHARED") or Path(__file__).parents[2] / "shared") / "data" / "dumps"
KEPT = 4  # filters of a layer
MANY = 60  # objects of any other list


def seeds() -> list[bytes]:
    scripts = [SCRIPT + f"{n * 997} {word}\n{n * 31} text 1\n".encode() for n, word in enumerate(_WORDS)]
    return [*scripts, *_smaller()]


_WORDS = ("text FWP_UINT8", "drop", "twice", "name sd", "into 900", "count 3", "tail x")


def target(data: bytes) -> None:
    if not data.startswith(SCRIPT):
        looks_like_netsh(data)
        read_netsh(data, "dump.xml")
        return
    dumps = _smaller()
    if dumps:
        first, end, second = dumps[len(data) % len(dumps)].partition(b"</wfpstate>")
        read_netsh(edited(first + end, data) + second, "dump.xml")


@cache
def _smaller() -> list[bytes]:
    return [_thinned(path.read_bytes()) for path in sorted(FOLDER.glob("*.xml"))]


def _thinned(dump: bytes) -> bytes:
    first, end, second = dump.partition(b"</wfpstate>")
    root = etree.fromstring(first + end)
    for found in root.iter("filters", "callouts", "providerContexts", "aleConnectedEndpoints"):
        limit = KEPT if found.getparent() is not root else MANY
        for item in list(found)[limit:]:
            found.remove(item)
        if found.get("numItems"):
            found.set("numItems", str(len(found)))
    return etree.tostring(root) + second
