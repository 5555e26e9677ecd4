"""A short run of every fuzz target: only the refusals that its reader promises. The long runs are in docs/lab."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from fuzz import mutate
from tests.shared import shared

FOLDER = Path(mutate.__file__).parent
TARGETS = sorted(p.stem for p in FOLDER.glob("*.py") if "\ndef target" in p.read_text())
FEW = {"full_dumps": 8, "hosts": 400, "scenarios": 200}


def test_there_is_a_target_for_each_reader() -> None:
    assert {"captures", "dumps", "full_dumps", "hosts", "packets", "scenarios", "sddl", "toml"} <= set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_damage_is_refused_or_read(name: str, tmp_path: Path) -> None:
    if name == "full_dumps":
        shared("data/dumps")
    module = importlib.import_module(f"fuzz.{name}")
    report = mutate.run(module, FEW.get(name, 500) + len(module.seeds()), seed=11, limit=60, save=tmp_path)
    assert report.failure is None, report
    assert report.accepted
