"""The answer of a verb: text for a person or JSON for a program, to stdout or to a file.

A verb makes one document (plain dictionaries, lists and scalars, in the order of its schema) and hands it over with a
function that renders it. On a terminal text is coloured and folded to the width; piped, or in a file, it is plain and
its lines are as long as they need to be, unless COLUMNS says otherwise; no table fits into less than `NARROWEST`.
NO_COLOR, when not empty, turns styles off.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from tamiz.cli.exits import Exit
from tamiz.cli.exits import printable as printable
from tamiz.model.errors import EnvironmentLacks

if TYPE_CHECKING:
    from rich.console import Console

Document = Mapping[str, Any]
Render = Callable[["Console", Document], None]

NARROWEST: Final = 30  # columns
_UNFOLDED: Final = 1_000_000  # columns: wider than any line
_TERMINAL: Final = 80  # columns of a terminal that does not tell


class Format(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


def emit(document: Document, render: Render, form: Format, target: Path | None) -> None:
    """Write the answer to `target`, or to stdout, which is also called `-`.

    Raises `EnvironmentLacks` if that cannot be written. A reader of stdout who has gone ends the run, quietly.
    """
    if target is None or str(target) == "-":
        if getattr(sys, "stdout", None) is None:
            raise EnvironmentLacks("the standard output is closed, and there is no --output")
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
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it closes
        if isinstance(error, BrokenPipeError):
            raise SystemExit(Exit.BROKEN_PIPE) from None
        raise EnvironmentLacks(f"the standard output cannot be written: {error.strerror}") from error


def _text(document: Document, render: Render, form: Format, stream: TextIO | None) -> str:
    if form is Format.JSON:
        return dumps(document, ascii_only=stream is not None and not is_utf8(stream))
    return rendered(document, render, stream)


def is_utf8(stream: TextIO) -> bool:
    """Whether `stream` takes every character."""
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "") == "utf8"


def dumps(document: Document, *, ascii_only: bool = False) -> str:
    """JSON, indented, keys in the document's own order; what is not printable, a lone surrogate too, is escaped."""
    return _NOT_ASCII.sub(_escaped, json.dumps(document, indent=2, ensure_ascii=ascii_only)) + "\n"


_NOT_ASCII: Final = re.compile(r"[^\n -~]+")


def _escaped(match: re.Match[str]) -> str:
    return "".join(ch if ch.isprintable() else json.dumps(ch)[1:-1] for ch in match[0])


def rendered(document: Document, render: Render, stream: TextIO | None) -> str:
    """The text of a document for `stream`; None: for a file."""
    from rich.console import Console

    terminal = stream is not None and stream.isatty()
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        force_terminal=terminal,
        color_system=None if not terminal or os.environ.get("NO_COLOR") else "auto",
        width=max(NARROWEST, _asked_columns() or (_columns_of(stream) if terminal else _UNFOLDED)),
        height=_TERMINAL,  # no answer asks for it; rich would read LINES
        markup=False,
        highlight=False,
        emoji=False,
    )
    render(console, document)
    text = buffer.getvalue()
    return text if terminal else "".join(line.rstrip() + "\n" for line in text.splitlines())


def _asked_columns() -> int | None:
    """What COLUMNS says, where it is a number that a line may be long."""
    wanted = os.environ.get("COLUMNS", "")
    return int(wanted) if re.fullmatch("[0-9]{1,6}", wanted) else None


def _columns_of(stream: TextIO | None) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream is not None else _TERMINAL
    except (OSError, ValueError):
        return _TERMINAL


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
