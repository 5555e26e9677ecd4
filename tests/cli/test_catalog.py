"""`tamiz catalog`: every item by each of its handles, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tamiz.cli import catalog_cmd, catalog_items
from tamiz.cli.main import main
from tamiz.model import _tables as tables

SCHEMAS = Path(catalog_items.__file__).parents[1] / "schemas"
KINDS = list(catalog_items.SECTIONS)


@pytest.fixture
def tamiz(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`tamiz("catalog", "layers")` -> exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


Tamiz = Callable[..., tuple[int, str, str]]


def test_the_command_knows_the_kinds_that_there_are() -> None:
    assert [what.value for what in catalog_cmd.What] == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_printed_as_its_schema_says(tamiz: Tamiz, kind: str) -> None:
    code, out, err = tamiz("catalog", kind, "--format", "json")
    document = json.loads(out)
    jsonschema.validate(document, json.loads((SCHEMAS / "catalog.json").read_text()))
    assert (code, err, document["what"]) == (0, "", kind)
    assert document["items"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_item_is_found_by_its_name_and_shown_whole(tamiz: Tamiz, kind: str) -> None:
    every = catalog_items.items(kind, None, "newest")
    for item in every:
        assert item in catalog_items.items(kind, item["name"], "newest")
    code, out, _ = tamiz("catalog", kind, every[0]["name"])
    assert code == 0 and every[0]["name"] in out


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_has_a_line_for_each_item_and_no_spaces_at_their_ends(tamiz: Tamiz, kind: str) -> None:
    _, out, _ = tamiz("catalog", kind)
    lines = out.splitlines()
    assert len(lines) == 1 + len(catalog_items.items(kind, None, "newest"))
    assert all(line == line.rstrip() and "\x1b" not in line for line in lines)


def names(kind: str, handle: str) -> list[Any]:
    return [item["name"] for item in catalog_items.items(kind, handle, "newest")]


CONNECT = ["FWPM_LAYER_ALE_AUTH_CONNECT_V4"]


@pytest.mark.parametrize(
    ("kind", "handle", "found"),
    [
        pytest.param("layers", "FWPM_LAYER_ALE_AUTH_CONNECT_V4", CONNECT, id="a name"),
        pytest.param("layers", "ale-auth-connect-v4", CONNECT, id="the name that policies use"),
        pytest.param("layers", "ALE_AUTH_CONNECT_V4", CONNECT, id="the name that the flow pages use"),
        pytest.param("layers", "{C38D57D1-05A7-4C33-904F-7FBCEEE60E82}", CONNECT, id="a GUID"),
        pytest.param("layers", "c38d57d1-05a7-4c33-904f-7fbceee60e82", CONNECT, id="a GUID without braces"),
        pytest.param("layers", "48", CONNECT, id="a run-time id"),
        pytest.param("layers", "0x30", CONNECT, id="a run-time id in hex"),
        pytest.param(
            "layers", "ale-auth-connect", [*CONNECT, "FWPM_LAYER_ALE_AUTH_CONNECT_V6"], id="both versions of IP"
        ),
        pytest.param(
            "layers", "FWPM_LAYER_STREAM", ["FWPM_LAYER_STREAM_V4", "FWPM_LAYER_STREAM_V6"], id="both, by prefix"
        ),
        pytest.param("sublayers", "universal", ["FWPM_SUBLAYER_UNIVERSAL"], id="a sublayer"),
        pytest.param("callouts", "1", ["FWPM_CALLOUT_IPSEC_INBOUND_TRANSPORT_V4"], id="a callout's run-time id"),
        pytest.param("errors", "0x80320002", ["FWP_E_CONDITION_NOT_FOUND"], id="an error code in hex"),
        pytest.param("errors", "80320002", ["FWP_E_CONDITION_NOT_FOUND"], id="as event logs print it"),
        pytest.param("errors", "2150760450", ["FWP_E_CONDITION_NOT_FOUND"], id="in decimal"),
        pytest.param("errors", "fwp_e_condition_not_found", ["FWP_E_CONDITION_NOT_FOUND"], id="by its name"),
        pytest.param("match-types", "not-equal", ["FWP_MATCH_NOT_EQUAL"], id="a match type"),
        pytest.param("flows", "tcp-establish", ["tcp-establish"], id="a flow"),
    ],
)
def test_handles(kind: str, handle: str, found: list[str]) -> None:
    assert names(kind, handle) == found


@pytest.mark.parametrize("alias", tables.ALIASES, ids=str)
def test_an_alias_finds_its_condition(alias: str) -> None:
    if alias.startswith("FWPM_CONDITION_"):
        assert names("conditions", alias) == [tables.ALIASES[alias]]


def test_a_condition_says_where_it_stands_and_with_which_types() -> None:
    (user,) = catalog_items.items("conditions", "ale-user-id", "newest")
    types = {use["type"]: use["layers"] for use in user["usage"]}
    assert set(types) == {"FWP_TOKEN_ACCESS_INFORMATION_TYPE", "FWP_SID"}
    assert types["FWP_SID"] == ["FWPM_LAYER_NAME_RESOLUTION_CACHE_V4", "FWPM_LAYER_NAME_RESOLUTION_CACHE_V6"]


def test_the_older_field_list_is_shorter(tamiz: Tamiz) -> None:
    counts = []
    for fields in ("newest", "older"):
        _, out, _ = tamiz("catalog", "layers", "48", "--fields", fields, "--format", "json")
        counts.append(len(json.loads(out)["items"][0]["fields"]))
    assert counts[0] > counts[1]


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        pytest.param("layers", "ale-auth-conect-v4", "nearest: ale-auth-connect-v4", id="a slip of the pen"),
        pytest.param("errors", "FWP_E_CONDITION_NOT_FUND", "nearest: FWP_E_CONDITION_NOT_FOUND", id="an error"),
        pytest.param("layers", "9999", "there is no layer '9999'", id="a number that none has"),
        pytest.param("layers", "0xzz", "there is no layer '0xzz'", id="no number at all"),
        pytest.param("sublayers", "", "there is no sublayer ''", id="nothing"),
    ],
)
def test_an_unknown_name_is_a_usage_error_that_names_the_nearest(
    tamiz: Tamiz, kind: str, name: str, sentence: str
) -> None:
    code, out, err = tamiz("catalog", kind, name)
    assert (code, out) == (2, "")
    assert sentence in " ".join(err.split())


def test_the_same_question_has_the_same_answer_byte_for_byte(tamiz: Tamiz) -> None:
    assert tamiz("catalog", "layers", "--format", "json") == tamiz("catalog", "layers", "--format", "json")


def test_one_layer_is_shown_so(tamiz: Tamiz, golden: Callable[[str, str], None]) -> None:
    golden("cli/catalog-stream-v4.txt", tamiz("catalog", "layers", "stream-v4")[1])
    golden("cli/catalog-stream-v4.json", tamiz("catalog", "layers", "stream-v4", "--format", "json")[1])
