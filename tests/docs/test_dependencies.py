"""docs/dependencies.md says of every dependency why it was taken."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NAME = re.compile(r"[A-Za-z0-9-]+")


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    listed = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    return {found[0] for found in map(_NAME.match, listed) if found}


def described() -> set[str]:
    rows = (line.split("|") for line in (ROOT / "docs" / "dependencies.md").read_text("utf-8").splitlines())
    return {row[1].strip() for row in rows if len(row) > 3} - {"package", "---"}


def test_every_dependency_is_described() -> None:
    assert declared() <= described()
