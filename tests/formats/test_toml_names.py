"""Friendly names: each resolves, and what is written with them reads back."""

from __future__ import annotations

import pytest

from tamiz.formats.toml import names
from tamiz.model import catalog
from tamiz.model._tables import ALIASES, GUIDS, LAYER
from tamiz.model.keys import CalloutKey, FieldKey, LayerKey, ProviderKey, SublayerKey
from tamiz.model.layers import canonical_field


def test_every_field_of_every_layer_has_a_friendly_name_that_resolves_back() -> None:
    for layer in catalog.layers().values():
        for field in layer.fields:
            assert names.field_of(names.field_word(field.key), layer.key) == field.key, (layer.key, field.key)


def test_every_fwpm_condition_name_and_alias_resolves_in_all_its_forms() -> None:
    for name in (*GUIDS["conditions"], *(a for a in ALIASES if a.startswith("FWPM_CONDITION_"))):
        wanted = canonical_field(catalog.resolve(FieldKey, name)[0])
        short = names.kebab(name.removeprefix("FWPM_CONDITION_"))
        for text in (name, short, catalog.guid_of(catalog.resolve(FieldKey, name)[0])):
            assert text is not None
            assert names.field_of(text, LAYER.ALE_AUTH_CONNECT_V4) == wanted, text


def test_short_aliases_name_fields_that_exist() -> None:
    known = {f.key for layer in catalog.layers().values() for f in layer.fields}
    assert {names.field_of(alias, LAYER.ALE_AUTH_CONNECT_V4) for alias in names.FIELD_ALIASES} <= known


@pytest.mark.parametrize(
    ("text", "layer", "field"),
    [
        pytest.param("icmp-type", "ALE_AUTH_CONNECT_V4", "IP_LOCAL_PORT", id="ICMP type is the local port"),
        pytest.param("icmp-code", "ALE_AUTH_CONNECT_V6", "IP_REMOTE_PORT", id="ICMP code is the remote port"),
        pytest.param(
            "icmp-type",
            "INGRESS_VSWITCH_TRANSPORT_V4",
            "IP_SOURCE_PORT",
            id="at the vSwitch it is the source port",
        ),
        pytest.param("icmp-code", "EGRESS_VSWITCH_TRANSPORT_V6", "IP_DESTINATION_PORT", id="and the destination port"),
    ],
)
def test_icmp_fields_are_ports(text: str, layer: str, field: str) -> None:
    found = names.field_of(text, LayerKey(f"FWPM_LAYER_{layer}"))
    assert found == f"FWPM_CONDITION_{field}"


def test_every_layer_has_a_friendly_name() -> None:
    for key in catalog.layers():
        assert names.layers_of(names.kebab(key.short)) == (key,)
        assert names.layers_of(key) == (key,)
        guid = catalog.guid_of(key)
        assert guid is not None
        assert names.layers_of(guid) == (key,)


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        pytest.param(
            "ale-auth-connect",
            ("ALE_AUTH_CONNECT_V4", "ALE_AUTH_CONNECT_V6"),
            id="without a family it is both",
        ),
        pytest.param("ale-auth-connect-v6", ("ALE_AUTH_CONNECT_V6",), id="-v6 is one"),
        pytest.param("stream-discard", ("STREAM_V4_DISCARD", "STREAM_V6_DISCARD"), id="the family stands inside"),
        pytest.param("rpc-um", ("RPC_UM",), id="a layer that has no family"),
        pytest.param("no-such-layer", (), id="an unknown name is none"),
    ],
)
def test_layers_by_name(text: str, layers: tuple[str, ...]) -> None:
    assert names.layers_of(text) == tuple(f"FWPM_LAYER_{layer}" for layer in layers)


@pytest.mark.parametrize(
    ("cls", "kind", "text", "key"),
    [
        pytest.param(SublayerKey, "sublayers", "universal", "FWPM_SUBLAYER_UNIVERSAL", id="a friendly name"),
        pytest.param(SublayerKey, "sublayers", "FWPM_SUBLAYER_EDGE_TRAVERSAL", "FWPM_SUBLAYER_TEREDO", id="an alias"),
        pytest.param(ProviderKey, "providers", "FWPM_PROVIDER_IKEEXT", "FWPM_PROVIDER_IKEEXT", id="an FWPM_ name"),
        pytest.param(CalloutKey, "callouts", "wfp-transport-layer-v4-silent-drop",
                     "FWPM_CALLOUT_WFP_TRANSPORT_LAYER_V4_SILENT_DROP", id="a callout"),
        pytest.param(SublayerKey, "sublayers", "nobody", None, id="nobody's"),
    ],
)  # fmt: skip
def test_objects_of_windows_by_name(cls: type, kind: str, text: str, key: str | None) -> None:
    assert names.catalog_key(cls, kind, text) == key


def test_the_names_of_values_are_for_fields_that_exist() -> None:
    known = {f.key.short for layer in catalog.layers().values() for f in layer.fields}
    assert {*names.VALUE_NAMES, *names.FAMILY_NAMES} <= known


@pytest.mark.parametrize(
    ("text", "allowed", "words"),
    [
        pytest.param("prmit", ["permit", "block"], "an action, such as 'permit'", id="the nearest"),
        pytest.param("xyzzy", ["permit", "block"], "an action: permit, block", id="all, where they are few"),
        pytest.param("xyzzy", [f"n{i}" for i in range(20)], "an action", id="the kind, where they are many"),
    ],
)
def test_what_was_wanted(text: str, allowed: list[str], words: str) -> None:
    assert names.nearest(text, allowed, "an action") == words
