"""Every benchmark, one after the other: `make bench`. Each prints ratios to a peer that ran beside it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks import load, replay

DUMPS = Path(os.environ.get("TAMIZ_SHARED") or Path(__file__).parents[2] / "shared") / "data" / "dumps"


def main() -> None:
    print("reading a dump, beside lxml parsing the same bytes (limit 12, aim 6)")
    load.main([str(path) for path in sorted(DUMPS.glob("*.xml"))])
    print("\nreplaying a capture under examples/office-laptop.xml, beside dpkt parsing it (limit 4)")
    sys.argv[1:] = []
    replay.main()


if __name__ == "__main__":
    main()
