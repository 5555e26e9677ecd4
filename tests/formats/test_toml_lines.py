"""TOML with places: what tomllib reads, and the line of every key and list item."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamiz.formats.toml.lines import MAX_BYTES, Path, read_document
from tamiz.model.errors import InputError


def _paths(value: Any, at: Path = ()) -> set[Path]:
    """Every path in a value, lists and tables themselves included."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inside = [_paths(item, (*at, key)) for key, item in items]
    return set().union({at} if at else set(), *inside)


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        pytest.param("a = 1\nb = 2", ("b",), 2, id="a key"),
        pytest.param("# x\n\n[t]\na = 1", ("t", "a"), 4, id="a key in a table"),
        pytest.param("[[f]]\n[[f]]\na = 1", ("f", 1, "a"), 3, id="a key in the second of two tables"),
        pytest.param("[[f]]\n[f.c]\na = 1\n[[f]]\n[f.c]\na = 1", ("f", 1, "c", "a"), 6, id="a table inside it"),
        pytest.param("[[f]]\n[[f.g]]\n[[f.g]]\na = 1", ("f", 0, "g", 1, "a"), 4, id="tables in a table"),
        pytest.param("a = [\n1, # one\n2,\n]", ("a", 1), 3, id="an item of a list over several lines"),
        pytest.param("a = [{ b = 1 },\n { b = [2,\n 3] }]", ("a", 1, "b", 1), 3, id="an item deep inside"),
        pytest.param('a = """\n\n"""\nb = 1', ("b",), 4, id="a key after a text of several lines"),
        pytest.param("a = '''\n]]'''\nb = 1", ("b",), 3, id="brackets in a literal text are text"),
        pytest.param('a = "\\"" # "\nb = 1', ("b",), 2, id="quotes in texts and comments"),
        pytest.param('a = """"""""\nb = 1', ("b",), 2, id="quotes at the end of a long text"),
        pytest.param('"a.b" = 1\n"\\u0063".d = 2', ("c", "d"), 2, id="quoted keys"),
        pytest.param("a.b.c = 1\na.b.d = 2", ("a", "b", "d"), 2, id="dotted keys"),
        pytest.param("a = 1979-05-27 07:32:00\r\nb = 1\r\n", ("b",), 2, id="a date with a space; CRLF"),
        pytest.param("\ufeffa = 1", ("a",), 1, id="a byte order mark"),
    ],
)
def test_lines(text: str, path: Path, line: int) -> None:
    document = read_document(text.encode(), "x.toml")
    assert document.lines[path] == line
    assert set(document.lines) == _paths(document.values)


def test_a_path_that_is_not_in_the_text_stands_where_its_parent_does() -> None:
    document = read_document(b"\n[t]\na = 1", "x.toml")
    assert str(document.place(("t", "missing", 3))) == "x.toml:2"
    assert str(document.place(("missing",))) == "x.toml:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(b"a = 1\na = 2", "x.toml:2: key 'a': found it a second time, first in line 1, wanted each key once",
                     id="a key twice"),
        pytest.param(b"[t]\nb.c = 1\nb.c = 2",
                     "x.toml:3: key 't.b.c': found it a second time, first in line 2, wanted each key once",
                     id="a dotted key twice"),
        pytest.param(b"a = { b = 1, b = 2 }",
                     "x.toml:1: key 'a.b': found it a second time, first in line 1, wanted each key once",
                     id="a key twice in an inline table"),
        pytest.param(b"[t]\n[t]", "x.toml:2: the text: found cannot declare ('t',) twice, wanted TOML 1.0",
                     id="a table twice"),
        pytest.param(b"\na = ", "x.toml:2: the text: found invalid value, wanted TOML 1.0", id="no value"),
        pytest.param(b"\n\na = [1", "x.toml:3: the text: found unclosed array, wanted TOML 1.0", id="an open list"),
        pytest.param(b"a = 1\nb = \"\n", "x.toml:2: the text: found unterminated string, wanted TOML 1.0",
                     id="an open text"),
        pytest.param(b"a = 1\n\nb = \"\"\"\n\n", "x.toml:3: the text: found unterminated string, wanted TOML 1.0",
                     id="an open long text"),
        pytest.param(b"a\n", "x.toml:1: the text: found expected '=' after a key in a key/value pair, wanted TOML 1.0",
                     id="no equals sign"),
        pytest.param(b"a = 1\nb = '\xff'", "x.toml:2: the text: found byte 0xff at offset 11, wanted UTF-8",
                     id="bytes that are no text"),
        pytest.param(b"a = " + b"[" * 100_000,
                     "x.toml:1: the text: found more than 32 levels of nesting, wanted at most 32",
                     id="lists a hundred thousand deep"),
        pytest.param(b"\na = " + b"{b=" * 100_000,
                     "x.toml:2: the text: found more than 32 levels of nesting, wanted at most 32",
                     id="tables a hundred thousand deep"),
        pytest.param(b"\n" + b"a." * 1_000_000 + b"a = 1",
                     "x.toml:2: the text: found more than 32 levels of nesting, wanted at most 32",
                     id="a key of a million parts"),
        pytest.param(b"a = " + b"9" * 5000,
                     "x.toml:1: the text: found a value of more than 1000 characters, wanted TOML 1.0",
                     id="a number of 5000 digits"),
        pytest.param(b"a = 2021-02-30",
                     "x.toml:1: the text: found invalid date or datetime, wanted TOML 1.0", id="a day that is not"),
    ],
)  # fmt: skip
def test_what_is_not_toml_is_refused_with_its_line(text: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_document(text, "x.toml")
    assert str(caught.value) == message


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        read_document(b"#" * (MAX_BYTES + 1), "x.toml")
    assert str(caught.value) == f"x.toml: the file: found {MAX_BYTES + 1} bytes, wanted at most {MAX_BYTES}"


# -- the law: the index has exactly the paths of the values ------------------------------------------------------------

_KEYS = st.sampled_from(["a", "b-1", "C_d", '"q.q"', "'l]'", '"\\u0041"', "1"])
_SCALARS = st.sampled_from(
    [
        "1",
        "-0x1",
        "1.5e3",
        "true",
        '"s"',
        "'l'",
        '"""m\n"\n"""',
        "'''m\n]'''",
        "1979-05-27 07:32:00",
        '"#"',
        "'\"'",
        "nan",
    ]
)


def _array(items: list[str]) -> str:
    return "[" + ",\n# c ]\n".join(items) + (" ,\n]" if items else "]")


def _inline(pairs: dict[str, str]) -> str:
    return "{ " + ", ".join(f"{key} = {value}" for key, value in pairs.items()) + " }"


_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(_array) | st.dictionaries(_KEYS, inner, max_size=3).map(_inline),
    max_leaves=5,
)
_BODY = st.dictionaries(_KEYS, _VALUES, max_size=3).map(
    lambda pairs: "".join(f"{key} = {value} # x = 1\n" for key, value in pairs.items())
)
_HEADERS = st.sampled_from(["[t]\n", "[[f]]\n", "[f.x]\n", "[[f.g]] # ]]\n", "[ t . 'u' ]\n", "[[ t.v ]]\n"])


@settings(max_examples=60)
@given(st.lists(st.tuples(_HEADERS, _BODY), max_size=4), _BODY)
def test_the_index_knows_the_same_paths_as_tomllib(tables: list[tuple[str, str]], top: str) -> None:
    text = top + "\n".join(header + body for header, body in tables)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(InputError):
            read_document(text.encode(), "x.toml")
        return
    document = read_document(text.encode(), "x.toml")
    assert set(document.lines) == _paths(values)
    numbers = text.split("\n")
    for path, line in document.lines.items():
        if isinstance(path[-1], str) and path[-1].isalnum() and path[-1] != "A":
            assert path[-1] in numbers[line - 1]


@settings(max_examples=300)
@given(st.text("ab=[]{},.\"'#\\ \n1", max_size=40))
def test_any_text_is_read_as_tomllib_reads_it_or_refused_as_it_refuses(text: str) -> None:
    try:
        values = tomllib.loads(text)
    except ValueError:
        with pytest.raises(InputError):
            read_document(text.encode(), "x.toml")
        return
    document = read_document(text.encode(), "x.toml")
    assert document.values == values
    assert set(document.lines) == _paths(values)
