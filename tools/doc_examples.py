"""The examples in the documents are real: each `console` block is run, and its output compared.

In a block, a line `$ command` is run by bash; the lines up to the next `$` are what it prints (output and errors, as
a terminal shows them). A command may go on after a backslash. A line `...` stands for any number of lines. A comment
`<!-- not run: REASON -->` before the block leaves it out; the reason is required.

Commands see the project's files by name, from a scratch folder of links, so that a file which an example writes is
there for the document's next example and nowhere else. HOME is empty, and output is not to a terminal.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 120  # seconds for one command
ELISION = "..."
_SKIP = re.compile(r"<!-- not run: *(?P<reason>.*?) *-->")


@dataclass(frozen=True, slots=True)
class Example:
    """One command of a document: `first` and `last` are the lines (from 0) of its output, `last` not included."""

    command: str
    expected: tuple[str, ...]
    first: int
    last: int
    skip: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a command printed, beside what the document says."""

    document: Path
    example: Example
    printed: tuple[str, ...]

    @property
    def same(self) -> bool:
        return agrees(self.example.expected, self.printed)

    def __str__(self) -> str:
        where = f"{self.document.name}:{self.example.first}: $ {self.example.command}"
        said = [f"  - {line}" for line in self.example.expected]
        return "\n".join([where, *said, *(f"  + {line}" for line in self.printed)])


def parse(text: str) -> list[Example]:
    """The examples of a document, in order. A block that is not closed runs to the end of the text."""
    found: list[Example] = []
    lines = text.splitlines()
    for first, last in _blocks(lines):
        found += _examples(lines, first, last, _reason(lines, first - 1))
    return found


def _blocks(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    fence = None
    for number, line in enumerate([*lines, "```"]):
        if fence is not None and line.strip() == "```":
            if lines[fence].strip() == "```console":
                yield fence + 1, number
            fence = None
        elif fence is None and number < len(lines) and line.startswith("```"):
            fence = number


def _reason(lines: Sequence[str], fence: int) -> str | None:
    before = [line for line in lines[max(0, fence - 2) : fence] if line.strip()]
    marker = _SKIP.fullmatch(before[-1].strip()) if before else None
    if marker is None:
        return None
    if not marker["reason"]:
        raise ValueError(f"line {fence}: an example that is not run needs its reason")
    return marker["reason"]


def _examples(lines: Sequence[str], first: int, last: int, skip: str | None) -> Iterator[Example]:
    number = first
    while number < last:
        command = lines[number].removeprefix("$ ")
        number += 1
        while command.endswith("\\") and number < last:
            command, number = command + "\n" + lines[number], number + 1
        start = number
        while number < last and not lines[number].startswith("$ "):
            number += 1
        yield Example(command, tuple(lines[start:number]), start, number, skip)


def agrees(expected: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether the lines are the same; `...` among the expected stands for any number of lines."""
    pattern = "".join("(?:.*\n)*?" if line == ELISION else re.escape(line) + "\n" for line in expected)
    return re.fullmatch(pattern, "".join(line + "\n" for line in printed)) is not None


def run(document: Path, root: Path) -> list[Result]:
    """Run a document's examples, those marked as not run left out."""
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as home:
        for entry in root.iterdir():
            if entry.name not in (".git", ".venv"):
                (Path(scratch) / entry.name).symlink_to(entry)
        wanted = [e for e in parse(document.read_text("utf-8")) if e.skip is None]
        return [Result(document, e, _printed(e.command, scratch, home, root)) for e in wanted]


def _printed(command: str, folder: str, home: str, root: Path) -> tuple[str, ...]:
    path = f"{root / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    env = {"PATH": path, "HOME": home, "LANG": "C.UTF-8", "PYTHONNOUSERSITE": "1"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder, env=env, timeout=TIMEOUT, encoding="utf-8", errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    return tuple(line.rstrip() for line in done.stdout.splitlines())


def rewrite(document: Path, root: Path) -> bool:
    """Write what the commands print into the document, where it differs; whether anything did."""
    wrong = [r for r in run(document, root) if not r.same]
    lines = document.read_text("utf-8").splitlines()
    for result in reversed(wrong):
        lines[result.example.first : result.example.last] = result.printed
    if wrong:
        document.write_text("\n".join(lines) + "\n", "utf-8")
    return bool(wrong)


def documents(root: Path) -> list[Path]:
    """The documents whose examples are run: the README and all of docs/."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
