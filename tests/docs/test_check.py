"""`tools/check` says what is wrong, and exits 1; these are its checks that need no other tool."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The tool as a module, looking at a project in `tmp_path`."""
    loader = importlib.machinery.SourceFileLoader("check_tool", str(ROOT / "tools" / "check"))
    spec = importlib.util.spec_from_loader("check_tool", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    (tmp_path / "src").mkdir()
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "tracked", lambda: sorted(p for p in tmp_path.rglob("*") if p.is_file()))
    return module


def write(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text, "utf-8")


def test_an_unfinished_word_is_found_with_its_line(check: ModuleType, tmp_path: Path) -> None:
    write(tmp_path, "src/a.py", "x = 1\n# to" + "do: more\n")
    assert check.outcome(check.finished) == ("failed", "src/a.py:2: todo")


def test_a_word_that_only_contains_one_is_not_unfinished(check: ModuleType, tmp_path: Path) -> None:
    write(tmp_path, "src/a.py", "mastodon = 'xxxl'\n")
    assert check.outcome(check.finished) == ("ok", "")


def test_a_long_module_is_found_and_tables_may_be_long(check: ModuleType, tmp_path: Path) -> None:
    write(tmp_path, "src/_tables.py", "x\n" * 501)
    assert check.outcome(check.module_sizes) == ("ok", "")
    write(tmp_path, "src/a.py", "x\n" * 501)
    assert check.outcome(check.module_sizes) == ("failed", "src/a.py: 501 lines, at most 500")


def test_a_large_file_is_found(check: ModuleType, tmp_path: Path) -> None:
    write(tmp_path, "big.bin", "x" * (1500 * 1024))
    assert check.outcome(check.file_sizes) == ("ok", "")
    write(tmp_path, "big.bin", "x" * (1500 * 1024 + 1))
    assert check.outcome(check.file_sizes) == ("failed", "big.bin: 1536001 bytes")


def test_what_cannot_be_checked_is_skipped_on_a_laptop_and_fails_in_ci(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAMIZ_SHARED", str(tmp_path / "nowhere"))
    monkeypatch.delenv("CI", raising=False)
    assert check.outcome(check.tables)[0] == "skipped"
    monkeypatch.setenv("CI", "true")
    assert check.outcome(check.tables)[0] == "failed"


def test_a_name_that_is_no_check_is_a_usage_error(check: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["speling"]) == 2
    assert "no check 'speling'; there are lint, " in capsys.readouterr().err
