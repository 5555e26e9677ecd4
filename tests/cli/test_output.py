"""Where answers go, and how they look there."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tamiz.cli import output
from tamiz.cli.output import Document, Format

if TYPE_CHECKING:
    from rich.console import Console


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def one_row(console: Console, document: Document) -> None:
    output.table(console, ["name", "value"], [(document["name"], None)])


LONG: dict[str, Any] = {"name": "x" * 200}


def shown(stream: Any, document: Document = LONG) -> str:
    return output.rendered(document, one_row, stream)


def test_piped_text_is_plain_and_its_lines_are_whole() -> None:
    assert shown(None).splitlines() == [f"name{' ' * 198}value", f"{'x' * 200}  -"]


def test_columns_fold_even_what_is_piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, shown(None).splitlines())) <= 60


@pytest.mark.parametrize("stream", [None, Terminal()], ids=["a pipe", "a terminal"])
@pytest.mark.parametrize("columns", ["1", "0", "-5", "x", "\u00b2", "9" * 5000])
def test_columns_that_no_line_fits_into_do_not_hide_the_answer(
    columns: str, stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", columns)
    assert shown(stream).count("x") == 200


def test_a_terminal_has_styles_and_is_folded_to_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = shown(Terminal())
    assert "\x1b[1m" in text
    assert all(len(line.replace("\x1b[1m", "").replace("\x1b[0m", "")) <= 60 for line in text.splitlines())


def test_no_color_leaves_no_style_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown(Terminal())


def test_an_empty_no_color_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert "\x1b" in shown(Terminal())


@pytest.mark.parametrize("stream", [None, Terminal()], ids=["a file", "a terminal"])
def test_what_a_file_says_does_not_steer_the_terminal(stream: Any) -> None:
    text = shown(stream, {"name": "\x1b]0;title\x07[red]x[/red]:smile:"})
    assert "\N{REPLACEMENT CHARACTER}]0;title\N{REPLACEMENT CHARACTER}[red]x[/red]:smile:" in text


def test_json_keeps_the_order_of_its_keys_and_every_text() -> None:
    document = {"z": "\u4e2d", "a": "\udcff", "m": [1, None, True]}
    text = output.dumps(document)
    assert text.index('"z"') < text.index('"a"') < text.index('"m"')
    assert "\u4e2d" in text and "\\udcff" in text
    assert json.loads(text) == json.loads(output.dumps(document, ascii_only=True)) == document
    assert output.dumps(document, ascii_only=True).isascii()


def test_json_escapes_what_would_steer_the_terminal() -> None:
    document = {"name": "\x1b[31m \x7f \x9b31m \u202e \u2028 \U000e0001 \u00e9 \U0001f600"}
    text = output.dumps(document)
    assert all(ch.isprintable() or ch == "\n" for ch in text)
    assert "\u00e9 \U0001f600" in text and "\\u009b31m \\u202e" in text
    assert json.loads(text) == document


@pytest.mark.parametrize("form", Format, ids=lambda f: f.value)
def test_a_file_gets_what_a_pipe_gets(form: Format, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output.emit(LONG, one_row, form, tmp_path / "answer")
    assert capsys.readouterr().out == ""
    output.emit(LONG, one_row, form, None)
    assert (tmp_path / "answer").read_text("utf-8") == capsys.readouterr().out
