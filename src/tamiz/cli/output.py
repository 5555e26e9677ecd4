"""The answer of a verb: text for a person or JSON for a program, to stdout or to a file.

A verb makes one document (plain dictionaries, lists and scalars, in the order of its schema) and hands it over with a
function that renders it. On a terminal text is coloured and folded to the width; piped, or in a file, it is plain and
its lines are as long as they need to be, unless COLUMNS says otherwise. NO_COLOR, when not empty, turns styles off.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tamiz.cli.exits import Exit
from tamiz.model.errors import EnvironmentLacks

if TYPE_CHECKING:
    from rich.console import Console

Document = Mapping[str, Any]
Render = Callable[["Console", Document], None]

_UNFOLDED = 1_000_000  # columns: wider than any line


class Format(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


def emit(document: Document, render: Render, form: Format, target: Path | None) -> None:
    """Write the answer to `target`, or to stdout.

    Raises `EnvironmentLacks` if `target` cannot be written. A reader of stdout who has gone ends the run, quietly.
    """
    if target is None:
        _to_stdout(_text(document, render, form, sys.stdout))
        return
    try:
        target.write_text(_text(document, render, form, None), "utf-8", errors="backslashreplace")
    except OSError as error:
        raise EnvironmentLacks(f"{target}: cannot be written: {error.strerror}") from error


def _to_stdout(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it closes
        raise SystemExit(Exit.BROKEN_PIPE) from None


def _text(document: Document, render: Render, form: Format, stream: TextIO | None) -> str:
    if form is Format.JSON:
        return dumps(document, ascii_only=stream is not None and not _is_utf8(stream))
    return rendered(document, render, stream)


def _is_utf8(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") == "utf8"


def dumps(document: Document, *, ascii_only: bool = False) -> str:
    """JSON, indented, keys in the document's own order; a lone surrogate is escaped."""
    text = json.dumps(document, indent=2, ensure_ascii=ascii_only)
    return text.encode("utf-8", "backslashreplace").decode() + "\n"


def rendered(document: Document, render: Render, stream: TextIO | None) -> str:
    """The text of a document for `stream`; None: for a file."""
    from rich.console import Console

    terminal = stream is not None and stream.isatty()
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        force_terminal=terminal,
        color_system=None if not terminal or os.environ.get("NO_COLOR") else "auto",
        width=None if terminal else _columns(),
        markup=False,
        highlight=False,
        emoji=False,
    )
    render(console, document)
    text = buffer.getvalue()
    return text if terminal else "".join(line.rstrip() + "\n" for line in text.splitlines())


def _columns() -> int:
    wanted = os.environ.get("COLUMNS", "")
    return int(wanted) if wanted.isascii() and wanted.isdigit() and int(wanted) > 0 else _UNFOLDED


def printable(value: object) -> str:
    """A value as it may be shown: what a file says must not steer the terminal."""
    return "".join(ch if ch.isprintable() else "\N{REPLACEMENT CHARACTER}" for ch in str(value))


def table(console: Console, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A plain table: bold headings, two spaces between the columns, None shown as `-`."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*("-" if cell is None else printable(cell) for cell in row))
    console.print(made)


def facts(console: Console, pairs: Iterable[tuple[str, object]]) -> None:
    """One fact a line, the names aligned."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(name, "-" if value is None else printable(value))
    console.print(made)
