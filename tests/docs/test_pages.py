"""The pages are complete and hang together: a page for each directory, a word for each thing that a user can write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
import typer

from tamiz.cli.main import VERBS, app
from tamiz.formats.toml.conditions import SHAPES
from tamiz.formats.toml.filters import _BOOLEANS as FILTER_BOOLEANS
from tamiz.formats.toml.names import FIELD_ALIASES
from tamiz.formats.toml.policy import _KEYS as POLICY_KEYS
from tamiz.formats.toml.values import CONSTRUCTORS, SID_NAMES
from tamiz.sources import scenario

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
PACKAGES = sorted(p.parent for p in (ROOT / "src" / "tamiz").glob("*/__init__.py"))
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def text_of(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


def code_of(page: str) -> set[str]:
    """What stands in code, taken apart at blanks and brackets: the words that a reader may type."""
    spans = re.findall(r"`+([^`]+)`+", text_of(page))
    return {word for span in spans for word in re.split(r"[\s,{}\[\]\"'=]+", span)}


def prose(text: str) -> str:
    """The text without its code, in which brackets mean no link."""
    return re.sub(r"`[^`\n]*`", "`code`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(page: Path) -> Iterator[str]:
    """The fragments of a page's headings, as the usual viewers of Markdown make them."""
    body = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ +(.+)$", body, flags=re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: f"{p.name} has a page")
def test_each_directory_has_a_page_that_begins_with_input_and_output(package: Path) -> None:
    title, _, rest = text_of(f"{package.name}.md").partition("\n")
    assert title.startswith(f"# {package.name}")
    first = rest.strip().split("\n\n")[0]
    assert first.startswith("Input:")
    assert "Output:" in first


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: f"the page of {p.name} names its modules")
def test_each_module_stands_on_the_page_of_its_directory(package: Path) -> None:
    named = {word for word in code_of(f"{package.name}.md") if word.endswith(".py")}
    modules = {p.relative_to(package).as_posix() for p in package.rglob("*.py") if p.name != "__init__.py"}
    assert {m for m in modules if not any(fnmatch(m, pattern) for pattern in named)} == set()
    others = {path.name for path in PACKAGES} | {
        "tests",
        "tools",
    }  # a page may name a file of another directory, by its path
    assert {n for n in named if "*" not in n and n.split("/")[0] not in others and n not in modules} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: f"{p.relative_to(DOCS)}")
def test_links_between_pages_resolve(page: Path) -> None:
    for target in LINK.findall(prose(page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), f"{target} is nowhere"
        assert not fragment or fragment in set(anchors(found)), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: f"{p.relative_to(DOCS)}")
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = {
        w for w in code_of(str(page.relative_to(DOCS))) if "/" in w and w.endswith((".py", ".toml", ".xml", ".json"))
    }
    roots = (ROOT, ROOT / "src" / "tamiz", ROOT / "src" / "tamiz" / page.stem)
    missing = {w for w in named if "NAME" not in w and not any(any(root.glob(w)) for root in roots)}
    assert missing == set()


def test_the_table_of_contents_lists_every_page() -> None:
    listed = set(LINK.findall(prose(text_of("index.md"))))
    assert {p.name for p in DOCS.glob("*.md")} - {"index.md"} <= listed


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_a_section(verb: str) -> None:
    assert f"\n## {verb}\n" in text_of("cli.md")


@pytest.mark.parametrize("verb", VERBS)
def test_each_option_of_a_verb_is_written_of(verb: str) -> None:
    written = code_of("cli.md") | code_of("scenarios.md") | code_of("unknown.md")
    command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    options = {name for p in command.params for name in p.opts if name.startswith("--")}
    assert options - written == set()


@pytest.mark.parametrize(
    ("page", "words"),
    [
        pytest.param("policy-language.md", POLICY_KEYS, id="the tables of a policy"),
        pytest.param("policy-language.md", FILTER_BOOLEANS, id="the yes-or-no members of a filter"),
        pytest.param("policy-language.md", SHAPES, id="the ways to match"),
        pytest.param("policy-language.md", CONSTRUCTORS, id="the values that need a word before them"),
        pytest.param("policy-language.md", FIELD_ALIASES, id="the short names of fields"),
        pytest.param("policy-language.md", SID_NAMES, id="the names of SIDs"),
        pytest.param("scenarios.md", scenario.NAMES, id="the built-in scenarios"),
        pytest.param("scenarios.md", scenario.VERBS, id="the verbs of a script"),
        pytest.param("scenarios.md", {k for keys in scenario.VERBS.values() for k in keys}, id="what the verbs need"),
    ],
)
def test_each_word_of_a_language_stands_on_its_page(page: str, words: Iterable[str]) -> None:
    assert set(words) - code_of(page) == set()
