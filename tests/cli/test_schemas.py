"""The JSON Schemas are valid, and refuse what the contract does not allow."""

from __future__ import annotations

import json
from copy import deepcopy
from importlib import resources
from typing import Any

import jsonschema
import pytest

NAMES = ["catalog", "explain", "replay", "trace"]


def schema(name: str) -> dict[str, Any]:
    found = json.loads(resources.files("tamiz").joinpath("schemas", f"{name}.json").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


FILTER = {"id": 7, "key": "{x}", "name": "web", "sublayer": "FWPM_SUBLAYER_UNIVERSAL"}
GOOD: dict[str, dict[str, Any]] = {
    "trace": {
        "scenario": "tcp-establish", "ip": 4, "windows": "11", "reading": "documented",
        "outcome": {"client": "established", "server": "established"},
        "steps": [
            {
                "n": 1, "host": "client", "event": "connect", "packet": None, "direction": "out",
                "layer": "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "action": "permit", "right": "soft", "filter": FILTER, "note": "",
            },
            {
                "n": 2, "host": "server", "event": "listen", "packet": None, "direction": None,
                "layer": None, "action": None, "right": None, "filter": None, "note": "the listen completes",
            },
        ],
    },
    "explain": {
        "action": "block",
        "decided_by": {
            "layer": "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "sublayer": "{x}", "filter": FILTER, "right": "soft",
        },
        "depends_on": [],
        "assumptions": ["not in an app container"],
        "layers": [
            {
                "layer": "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "action": "block",
                "sublayers": [
                    {
                        "sublayer": "{x}", "weight": None, "filter": FILTER, "action": "block", "right": "soft",
                        "near_misses": [
                            {
                                "filter": FILTER,
                                "failed": {
                                    "field": "FWPM_CONDITION_IP_REMOTE_PORT", "match": "EQUAL",
                                    "wanted": "443", "found": "80",
                                },
                            }
                        ],
                    }
                ],
            }
        ],
    },
    "replay": {
        "packets": 3, "flows": 1, "unparsed": 0,
        "verdicts": {"packets": {"permit": 2, "flow-blocked": 1}, "flows": {"permit": 1}},
        "layers": {"FWPM_LAYER_INBOUND_IPPACKET_V4": {"permit": 3}},
    },
    "catalog": {
        "what": "errors", "fields": "newest",
        "items": [{"name": "FWP_E_IN_USE", "code": 2150760458, "hex": "0x8032000a"}],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_takes_what_the_contract_says(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    jsonschema.validate(GOOD[name], schema(name))


NAMED_BY_DATA = {("layers", "FWPM_LAYER_INBOUND_IPPACKET_V4"), ("verdicts", "packets"), ("verdicts", "flows")}


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every member of every object of a document, except those whose names are data."""
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in paths(v, (*at, i))]
    if not isinstance(value, dict) or at in NAMED_BY_DATA:
        return []
    return [p for k, v in value.items() for p in ((*at, k), *paths(v, (*at, k)))]


def cases() -> list[Any]:
    return [
        pytest.param(name, path, id=f"{name}: without {'.'.join(map(str, path))}")
        for name in NAMES
        for path in paths(GOOD[name])
        if path not in NAMED_BY_DATA or path[0] == "verdicts"
    ]


@pytest.mark.parametrize(("name", "path"), cases())
def test_every_member_is_required(name: str, path: tuple[Any, ...]) -> None:
    document = deepcopy(GOOD[name])
    parent = document
    for part in path[:-1]:
        parent = parent[part]
    del parent[path[-1]]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema(name))


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        pytest.param("trace", ("ip",), 5, id="IP has versions 4 and 6"),
        pytest.param("trace", ("steps", 0, "event"), "shout", id="an event that is none"),
        pytest.param("trace", ("steps", 0, "packet"), "PSH", id="a packet that is none"),
        pytest.param("trace", ("steps", 0, "action"), None, id="a layer without an action"),
        pytest.param("trace", ("steps", 1, "action"), "permit", id="an action without a layer"),
        pytest.param("trace", ("steps", 1, "right"), "soft", id="a right without a layer"),
        pytest.param("trace", ("steps", 0, "layer"), "ALE_AUTH_CONNECT_V4", id="a layer without its prefix"),
        pytest.param("trace", ("outcome", "client"), "happy", id="an outcome that is none"),
        pytest.param("explain", ("action",), "allow", id="an action that is none"),
        pytest.param("replay", ("verdicts", "packets"), {"maybe": 1}, id="a verdict that is none"),
        pytest.param("replay", ("packets",), -1, id="fewer than no packets"),
    ],
)
def test_what_the_contract_does_not_allow_is_refused(name: str, path: tuple[Any, ...], value: Any) -> None:
    document = deepcopy(GOOD[name])
    parent = document
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema(name))


def test_when_nothing_decided_the_reason_says_so() -> None:
    undecided = {"action": "permit", "decided_by": None, "depends_on": [], "assumptions": [], "layers": []}
    jsonschema.validate({**undecided, "reason": "no filter decided"}, schema("explain"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(undecided, schema("explain"))


def test_what_depends_says_on_what() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**GOOD["explain"], "action": "depends"}, schema("explain"))
