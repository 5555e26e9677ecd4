"""Names, aliases and GUIDs resolve; the tables are whole."""

from __future__ import annotations

import pytest

from tamiz.model import _tables as tables
from tamiz.model import catalog
from tamiz.model._tables import CALLOUT, FIELD, LAYER, SUBLAYER, LayerFlags
from tamiz.model._tables import DataType as T
from tamiz.model.keys import (
    CalloutKey,
    ContextKey,
    FieldKey,
    Key,
    LayerKey,
    ProviderKey,
    SublayerKey,
    is_guid,
)
from tamiz.model.layers import canonical_field

CONNECT_GUID = "{c38d57d1-05a7-4c33-904f-7fbceee60e82}"
WINDEFEND = "{3c1cd879-1b8c-4ab4-8f83-5ed129176ef3}"
NOBODYS = "{00000000-0000-0000-0000-0000000000aa}"


@pytest.mark.parametrize(
    ("cls", "text", "key", "known"),
    [
        pytest.param(LayerKey, "FWPM_LAYER_ALE_AUTH_CONNECT_V4", LAYER.ALE_AUTH_CONNECT_V4, True, id="a name"),
        pytest.param(LayerKey, CONNECT_GUID, LAYER.ALE_AUTH_CONNECT_V4, True, id="a GUID gives its name"),
        pytest.param(LayerKey, CONNECT_GUID.upper(), LAYER.ALE_AUTH_CONNECT_V4, True, id="in upper case too"),
        pytest.param(LayerKey, NOBODYS.upper(), NOBODYS, False, id="an unknown GUID comes back in lower case"),
        pytest.param(LayerKey, "FWPM_LAYER_X", "FWPM_LAYER_X", False, id="an unknown name comes back as it is"),
        pytest.param(LayerKey, "", "", False, id="no text is no name"),
        pytest.param(SublayerKey, WINDEFEND, WINDEFEND, True, id="Windows' own sublayer without a name is known"),
        pytest.param(ProviderKey, WINDEFEND, WINDEFEND, False, id="but not as a provider"),
        pytest.param(SublayerKey, CONNECT_GUID, CONNECT_GUID, False, id="a GUID is of one kind"),
    ],
)
def test_texts_resolve_to_keys(cls: type[Key], text: str, key: str, known: bool) -> None:
    assert catalog.resolve(cls, text) == (key, known)
    assert type(catalog.resolve(cls, text)[0]) is cls


@pytest.mark.parametrize("alias", tables.ALIASES, ids=str)
def test_an_alias_is_the_name_that_netsh_prints(alias: str) -> None:
    kinds = [c for c in (FieldKey, SublayerKey, ProviderKey, CalloutKey) if alias.startswith(catalog.prefix_of(c))]
    assert [catalog.resolve(c, alias) for c in kinds] == [(tables.ALIASES[alias], True)]


@pytest.mark.parametrize(
    "cls", [LayerKey, FieldKey, SublayerKey, ProviderKey, CalloutKey, ContextKey], ids=lambda c: c.__name__
)
def test_every_name_and_its_guid_are_two_ways_to_say_one_key(cls: type[Key]) -> None:
    names = tables.GUIDS[catalog._KINDS[cls]]
    assert names
    for name, guid in names.items():
        assert name.startswith(catalog.prefix_of(cls)) and is_guid(guid)
        assert catalog.resolve(cls, guid) == (name, True)
        assert catalog.guid_of(cls(name)) == guid
    assert catalog.guid_of(cls(NOBODYS)) == NOBODYS
    assert catalog.guid_of(cls("no such name")) is None


def test_there_are_99_layers_in_order_of_their_run_time_ids() -> None:
    layers = list(catalog.layers().values())
    ids = [layer.id for layer in layers]
    assert len(layers) == 99
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(
    ("layer", "number", "version", "discard", "kernel"),
    [
        pytest.param(LAYER.INBOUND_IPPACKET_V4, 0, 4, False, True, id="the first layer"),
        pytest.param(LAYER.INBOUND_IPPACKET_V4_DISCARD, 1, 4, True, True, id="its discard layer"),
        pytest.param(LAYER.INBOUND_TRANSPORT_V4_DISCARD, 13, 4, True, True, id="what the audit events name"),
        pytest.param(LAYER.ALE_AUTH_RECV_ACCEPT_V6, 46, 6, False, True, id="receive and accept"),
        pytest.param(LAYER.ALE_AUTH_CONNECT_V4, 48, 4, False, True, id="connect"),
        pytest.param(LAYER.RPC_UM, None, None, False, False, id="a layer of user mode"),
    ],
)
def test_a_layer_is_what_windows_has(
    layer: LayerKey, number: int | None, version: int | None, discard: bool, kernel: bool
) -> None:
    found = catalog.layers()[layer]
    assert number in (None, found.id)
    assert (found.ip_version, found.discard, found.kernel) == (version, discard, kernel)
    assert found.kernel == (LayerFlags.KERNEL in found.flags)


def test_the_older_field_list_is_a_prefix_of_the_newest() -> None:
    newest, older = catalog.layers("newest"), catalog.layers("older")
    shorter = []
    for key, layer in older.items():
        ours = [f.key for f in layer.fields]
        assert [f.key for f in newest[key].fields][: len(ours)] == ours
        shorter += [key] if len(ours) < len(newest[key].fields) else []
    assert LAYER.ALE_AUTH_CONNECT_V4 in shorter and LAYER.RPC_UM in shorter
    assert newest[LAYER.ALE_AUTH_CONNECT_V4].fields[-1].key == FIELD.ALE_PACKAGE_FAMILY_NAME


def test_older_builds_call_the_addresses_of_the_connection_policy_v6_numbers() -> None:
    layer = LAYER.OUTBOUND_NETWORK_CONNECTION_POLICY_V6
    types = {
        fields: {f.type for f in catalog.layers(fields)[layer].fields if f.kind.name == "IP_ADDRESS"}
        for fields in ("newest", "older")
    }
    assert types == {"newest": {T.BYTE_ARRAY16_TYPE}, "older": {T.UINT32}}


def test_a_field_stands_in_its_layer_under_each_of_its_names() -> None:
    connect = catalog.layers()[LAYER.ALE_AUTH_CONNECT_V4]
    port = connect.field(FIELD.IP_LOCAL_PORT)
    assert port is not None and connect.field(FieldKey("FWPM_CONDITION_ICMP_TYPE")) is port
    assert canonical_field(FieldKey("FWPM_CONDITION_ICMP_CODE")) == FIELD.IP_REMOTE_PORT
    assert connect.field(FIELD.VLAN_ID) is None


def test_a_sublayer_whose_weight_differs_between_machines_is_left_out() -> None:
    found = catalog.sublayers()
    assert found[SUBLAYER.UNIVERSAL].weight == 0x8000
    assert {key for key, weight, *_ in tables.SUBLAYERS if weight is None}.isdisjoint(found)
    assert all(s.weight is not None for s in found.values())


def test_windows_own_callouts_name_a_layer_of_the_catalog() -> None:
    assert {c.layer for c in catalog.callouts().values()} - {None} <= set(catalog.layers())


@pytest.mark.parametrize(
    ("callout", "registered"),
    [
        pytest.param(CALLOUT.IPSEC_INBOUND_TRANSPORT_V4, True, id="IPsec answers on every machine"),
        pytest.param(CALLOUT.TCP_CHIMNEY_CONNECT_LAYER_V4, False, id="TCP chimney on none"),
    ],
)
def test_windows_own_callouts_are_registered_where_machines_have_them_so(callout: CalloutKey, registered: bool) -> None:
    assert catalog.callouts()[callout].registered is registered


def test_objects_refer_to_providers_and_sublayers_that_exist() -> None:
    assert {s.provider for s in catalog.sublayers().values()} - {None} <= set(catalog.providers())
    assert {x.default_sublayer for x in catalog.layers().values()} <= set(catalog.sublayers())


def test_errors_have_the_codes_of_winerror() -> None:
    assert catalog.error_code("FWP_E_CONDITION_NOT_FOUND") == 0x80320002
    assert catalog.error_code("FWP_E_TYPE_MISMATCH") == 0x80320027
    assert catalog.error_code("FWP_E_NO_SUCH_ERROR") is None
