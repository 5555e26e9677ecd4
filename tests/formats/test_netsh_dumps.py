"""Whole dumps of real machines: everything in them comes through, and comes through right.

The check is a second, naive reading: the policy is written back as a tree (`netsh_render`), and tree and file are
compared element by element, attributes and text included. Names and numbers of flags come from the shared catalog,
not from tamiz. `asString` alone is not compared: it renders the `data` beside it.
"""

from __future__ import annotations

import json
import socket
import string
from collections import Counter
from functools import cache
from typing import Any

import pytest
from lxml import etree

from tamiz.formats.netsh import looks_like_netsh, read_netsh
from tamiz.model.policy import Policy
from tests.formats import netsh_render
from tests.formats.netsh_text import Tree, render
from tests.shared import shared

pytestmark = pytest.mark.shared

A_FILTERS, A_STATE = "workstation-a.filters.xml", "workstation-a.wfpstate.xml"
B_STATE, C_FILTERS = "workstation-b.wfpstate.xml", "workstation-c.filters.xml"
FILTERS, STATES = (A_FILTERS, C_FILTERS), (A_STATE, B_STATE)


def raw(name: str) -> bytes:
    return shared(f"data/dumps/{name}").read_bytes()


@cache
def policy(name: str) -> Policy:
    return read_netsh(raw(name), name)


@cache
def roots(name: str) -> tuple[etree._Element, ...]:
    first, end, second = raw(name).partition(b"</wfpstate>")
    return tuple(etree.fromstring(part) for part in (first + end, second.strip()) if part)


# -- the naive reading ------------------------------------------------------------------------------------------------


@cache
def catalog() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shared("data/wfp-catalog.json").read_text("utf-8"))
    return found


@cache
def flag_values() -> dict[str, int]:
    groups = catalog()["flags"]["items"].values()
    return {name: value for group in groups for name, value in group.items() if value is not None}


@cache
def key_names() -> dict[str, str]:
    """What netsh prints, to the name that tamiz takes for it: the two layers that netsh does not name."""
    return {layer["netsh_key"]: layer["name"] for layer in catalog()["layers"]["items"]}


@cache
def own_guids() -> frozenset[str]:
    """Windows' own sublayers and callouts that have no name."""
    kinds = (catalog()["sublayers"], catalog()["callouts"])
    return frozenset(row["guid"] for kind in kinds for row in kind.get("observed_without_name", ()))


def canonical(element: etree._Element) -> tuple[Any, ...]:
    """An element as a value that is equal for equal content: name, attributes, and text or children."""
    if element.tag == "flags" and len(element):
        return ("flags", flag_word(element))
    children = [canonical(child) for child in element if child.tag != "asString"]
    return (element.tag, dict(element.attrib), children or text_of(element))


def flag_word(element: etree._Element) -> tuple[int, frozenset[str]]:
    """The bits, and the names without a number; that bits are named is netsh's affair."""
    word, others = 0, set()
    for name in (item.text or "" for item in element):
        if name in flag_values():
            word |= flag_values()[name]
        elif name[0] in string.hexdigits and len(name) == 8:
            word |= int(name, 16)
        else:
            others.add(name)
    return word, frozenset(others)


def text_of(element: etree._Element) -> object:
    text = element.text or ""
    if element.tag in ("layerKey", "applicableLayer"):
        return key_names().get(text, text)
    if element.tag == "data":
        return bytes.fromhex(text)
    if element.tag in ("uint32", "addr", "localV4Address", "remoteV4Address") and "." in text and ":" not in text:
        return int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
    if element.tag in ("byteArray16", "addr", "localV6Address", "remoteV6Address") and ":" in text:
        return socket.inet_pton(socket.AF_INET6, text)
    return int(text) if element.tag in ("uint32", "addr") else text


def rendered(tree: Tree) -> tuple[Any, ...]:
    return canonical(etree.fromstring("".join(line.strip("\t") for line in render(tree))))


# -- everything comes through -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILTERS + STATES)
def test_every_object_of_a_dump_is_in_the_policy_with_all_its_members(name: str) -> None:
    found = netsh_render.filters(policy(name)) if name in FILTERS else netsh_render.state(policy(name))
    root = roots(name)[0]
    for section, trees in found.items():
        items = list(root.find(section))  # type: ignore[arg-type]
        assert len(trees) == len(items), section
        for tree, item in zip(trees, items, strict=True):
            assert rendered(tree) == canonical(item)


@pytest.mark.parametrize("name", FILTERS + STATES)
def test_what_is_no_object_is_kept_as_nodes(name: str) -> None:
    lists = set(netsh_render.state(policy(name))) | {"filters"}
    rest = [child for root in roots(name) for child in root if child.tag not in lists]
    assert [rendered(netsh_render.node(node)) for node in policy(name).other] == [canonical(x) for x in rest]


@pytest.mark.parametrize("name", FILTERS + STATES)
def test_a_filters_place_is_the_line_of_its_key(name: str) -> None:
    lines = raw(name).decode("utf-8-sig").split("\n")
    for found in policy(name).filters:
        assert found.place is not None and found.place.line is not None
        assert f"<filterKey>{found.key}</filterKey>" in lines[found.place.line - 1]
    assert max(f.place.line or 0 for f in policy(name).filters if f.place) > 70000


# -- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (A_FILTERS, {"filters": 990, "providers": 16}),
        (C_FILTERS, {"filters": 1246, "providers": 15}),
        (
            A_STATE,
            {"filters": 1050, "layers": 99, "callouts": 110, "contexts": 437, "sublayers": 29, "providers": 16,
             "sessions": 17, "endpoints": 115},
        ),
        (
            B_STATE,
            {"filters": 1254, "layers": 99, "callouts": 89, "contexts": 469, "sublayers": 45, "providers": 16,
             "sessions": 15, "endpoints": 34},
        ),
    ],
)  # fmt: skip
def test_a_policy_has_as_many_objects_as_its_dump(name: str, expected: dict[str, int]) -> None:
    assert {kind: len(getattr(policy(name), kind)) for kind in expected} == expected


@pytest.mark.parametrize("name", FILTERS + STATES)
def test_conditions_and_their_values_are_as_many_as_in_the_xml(name: str) -> None:
    root = roots(name)[0]
    items = [item for found in root.iter("filters") for item in found.iterfind("item/filterCondition/item")]
    raw_types = Counter(item.findtext("conditionValue/type") for item in items)
    raw_matches = Counter(item.findtext("matchType") for item in items)
    conditions = [c for f in policy(name).filters for c in f.conditions]
    assert Counter(f"FWP_{c.value.type.name}" for c in conditions) == raw_types
    assert Counter(f"FWP_MATCH_{c.match.name}" for c in conditions) == raw_matches


def test_the_filters_dump_and_the_state_dump_of_one_machine_have_the_same_filters() -> None:
    state = {f.key: f for f in policy(A_STATE).filters}
    shown = {f.key: f for f in policy(A_FILTERS).filters}
    assert len(shown) == 990 and shown == {key: state[key] for key in shown}


# -- what the policy says of itself -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STATES)
def test_a_state_dump_is_whole_and_nothing_in_it_is_odd(name: str) -> None:
    found = policy(name)
    assert (found.whole, found.lists_sublayers, found.lists_callouts) == (True, True, True)
    assert found.sources == (name,) and found.warnings == ()


@pytest.mark.parametrize("name", FILTERS)
def test_a_filters_dump_says_that_it_is_not_whole_and_what_it_does_not_list(name: str) -> None:
    found = policy(name)
    assert (found.whole, found.lists_sublayers, found.lists_callouts) == (False, False, False)
    assert found.layers is None
    used = {f.sublayer for f in found.filters} | {f.callout for f in found.filters if f.callout is not None}
    third_party = {key for key in used if key.is_guid and key not in own_guids()}
    assert third_party and len(found.warnings) == len(third_party)
    assert all(any(f" {key} is not known" in warning for warning in found.warnings) for key in third_party)


@pytest.mark.parametrize("name", FILTERS + STATES)
def test_a_dump_is_told_by_its_first_kilobytes(name: str) -> None:
    assert looks_like_netsh(raw(name)[:4096])


@pytest.mark.parametrize("name", STATES)
def test_a_dump_that_powershell_redirected_is_the_same_policy(name: str) -> None:
    utf16 = raw(name).decode("utf-8-sig").replace("\n", "\r\n").encode("utf-16")
    assert read_netsh(utf16, name) == policy(name)
