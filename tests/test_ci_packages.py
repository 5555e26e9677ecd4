"""The list of packages that CI installs: one name a line, as apt-get takes it."""

from __future__ import annotations

import re
from pathlib import Path

LIST = Path(__file__).parents[1] / "tools" / "ci-packages"


def test_each_line_is_a_package_name() -> None:
    lines = [line.split("#")[0].rstrip() for line in LIST.read_text().splitlines()]
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", line) for line in lines if line)
