"""The runner of the documents' examples, on a small document."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.doc_examples import agrees, parse, rewrite, run

DOCUMENT = """\
# A page

```console
$ echo one; echo two
one
two
$ printf 'a\\n' > made.txt && \\
  cat made.txt
a
```

```python
$ not a command
```

<!-- not run: needs Windows -->

```console
$ netsh wfp show state
Data collection successful
```
"""


def page(tmp_path: Path, text: str = DOCUMENT) -> Path:
    document = tmp_path / "page.md"
    document.write_text(text, "utf-8")
    return document


def test_commands_outputs_and_reasons_are_read() -> None:
    found = parse(DOCUMENT)
    assert [(e.command, e.expected, e.skip) for e in found] == [
        ("echo one; echo two", ("one", "two"), None),
        ("printf 'a\\n' > made.txt && \\\n  cat made.txt", ("a",), None),
        ("netsh wfp show state", ("Data collection successful",), "needs Windows"),
    ]


def test_an_example_that_is_not_run_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="needs its reason"):
        parse("<!-- not run: -->\n```console\n$ ls\n```\n")


def test_what_agrees_is_run_and_found_the_same(tmp_path: Path) -> None:
    results = run(page(tmp_path), tmp_path)
    assert [r.same for r in results] == [True, True]
    assert not (tmp_path / "made.txt").exists()


def test_what_differs_is_shown_line_by_line(tmp_path: Path) -> None:
    (result,) = run(page(tmp_path, "```console\n$ echo new\nold\n```\n"), tmp_path)
    assert not result.same
    assert str(result) == "page.md:2: $ echo new\n  - old\n  + new"


def test_errors_stand_with_the_output_and_home_is_empty(tmp_path: Path) -> None:
    text = "```console\n$ echo oops >&2; ls -A ~\noops\n```\n"
    assert [r.printed for r in run(page(tmp_path, text), tmp_path)] == [("oops",)]


def test_a_document_is_written_again_where_it_differs(tmp_path: Path) -> None:
    document = page(tmp_path, DOCUMENT.replace("two\n$", "2\n3\n$"))
    assert rewrite(document, tmp_path)
    assert document.read_text("utf-8") == DOCUMENT
    assert not rewrite(document, tmp_path)


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        pytest.param(["a"], ["a"], True, id="the same line"),
        pytest.param(["a"], ["a", "b"], False, id="a line more"),
        pytest.param([], ["a"], False, id="something where nothing is expected"),
        pytest.param([], [], True, id="nothing"),
        pytest.param(["a", "...", "z"], ["a", "m", "n", "z"], True, id="lines left out"),
        pytest.param(["a", "...", "z"], ["a", "z"], True, id="no line left out"),
        pytest.param(["a", "...", "z"], ["a", "m"], False, id="the end is missing"),
        pytest.param(["a", "..."], ["b"], False, id="the beginning differs"),
        pytest.param(["a.c"], ["abc"], False, id="a dot is a dot"),
    ],
)
def test_elisions_stand_for_any_number_of_lines(expected: list[str], printed: list[str], same: bool) -> None:
    assert agrees(expected, printed) is same
