"""How long a netsh dump takes to load, beside what lxml alone needs to parse it: a limit that no reader passes.

    python benchmarks/load.py [FILE...]

Without files: a dump of 1,200 filters made here. The two take turns in one run; medians, and their ratio.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lxml import etree

sys.path.insert(0, str(Path(__file__).parents[1]))

from tamiz.formats.netsh import read_netsh
from tests.formats import netsh_text as text

ROUNDS = 15


def main(paths: list[str]) -> None:
    dumps = {Path(path).name: Path(path).read_bytes() for path in paths} or {"1,200 filters": _made()}
    print(f"{'dump':28} {'MB':>6} {'filters':>8} {'lxml ms':>9} {'load ms':>9} {'ratio':>7}")
    for name, data in dumps.items():
        parse, load = _medians(partial(_parse, data), partial(read_netsh, data, name))
        count = len(read_netsh(data, name).filters)
        sizes = f"{len(data) / 1e6:6.2f} {count:8}"
        print(f"{name:28} {sizes} {parse * 1e3:9.1f} {load * 1e3:9.1f} {load / parse:7.1f}")


def _medians(*works: Callable[[], object]) -> list[float]:
    """Seconds of each, the median of `ROUNDS` rounds in which all take their turn."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, spent in zip(works, seconds, strict=True):
            start = time.perf_counter()
            work()
            spent.append(time.perf_counter() - start)
    return [statistics.median(spent) for spent in seconds]


def _parse(data: bytes) -> list[etree._Element]:
    first, end, second = data.partition(b"</wfpstate>")
    return [etree.fromstring(part) for part in (first + end, second.strip()) if part]


def _made() -> bytes:
    """A state dump with a twelfth of its conditions distinct, as in a real one."""
    filters = [text.a_filter(n, f"rule {n}", [_port(n % 100), _app(n % 300)]) for n in range(1, 1201)]
    return text.state_dump([text.a_layer(filters=filters)], contexts=[text.a_context(n) for n in range(450)])


def _port(number: int) -> text.Tree:
    return text.condition("FWPM_CONDITION_IP_REMOTE_PORT", number, "FWP_UINT16")


def _app(number: int) -> text.Tree:
    path = f"\\device\\harddiskvolume1\\program files\\vendor\\{number}.exe\0"
    return text.condition("FWPM_CONDITION_ALE_APP_ID", text.blob(path.encode("utf-16-le")), "FWP_BYTE_BLOB_TYPE")


if __name__ == "__main__":
    main(sys.argv[1:])
