"""A `Policy` as the text of `netsh wfp show state`: used by tools that make example dumps.

It is written apart from `tamiz.formats`, from what real dumps look like, so that a test which reads an example back
compares two independent views of the format.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from enum import IntFlag

from tamiz.model._tables import (
    CalloutFlags,
    ContextFlags,
    DataType,
    FilterFlags,
    LayerFlags,
    ProviderFlags,
    SessionFlags,
    SublayerFlags,
)
from tamiz.model.conditions import Condition
from tamiz.model.layers import Field, Layer
from tamiz.model.objects import Callout, Endpoint, Filter, Provider, ProviderContext, Session, Sublayer
from tamiz.model.policy import Policy
from tamiz.model.values import Range, V6Mask, Value, blob_text

Lines = list[str]


def state(policy: Policy, time_stamp: str) -> str:
    """The whole dump, both roots, with a byte order mark; `time_stamp` as Windows prints it."""
    layers = list(policy.layer_table.values())
    body = [
        _leaf("timeStamp", time_stamp),
        *_list("sessions", map(_session, policy.sessions)),
        *_list("layers", (_layer_entry(layer, policy) for layer in layers)),
        *_list("providers", map(_provider, policy.providers)),
        *_list("providerContexts", map(_context, policy.contexts)),
        *_list("subLayers", map(_sublayer, policy.sublayers)),
        *_list("aleConnectedEndpoints", map(_endpoint, policy.endpoints)),
    ]
    second = _block("firewallState", [_leaf("dynamicKeywordAddresses", "")])
    lines = [
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>',
        *_block("wfpstate", body),
        "",
        *second,
    ]
    return "\ufeff" + "\n".join(lines) + "\n"


# -- elements ------------------------------------------------------------------------------------------------------


def _leaf(name: str, text: object) -> str:
    written = str(text)
    if not written:
        return f"<{name}/>"
    return f"<{name}><![CDATA[{written}]]></{name}>" if set("&<>") & set(written) else f"<{name}>{written}</{name}>"


def _block(name: str, lines: Iterable[str], attributes: str = "") -> Lines:
    return [f"<{name}{attributes}>", *("\t" + line if line else line for line in lines), f"</{name}>"]


def _list(name: str, items: Iterable[Lines]) -> Lines:
    found = [_block("item", item) for item in items]
    if not found:
        return [f"<{name}/>"]
    return _block(name, (line for item in found for line in item), f' numItems="{len(found)}"')


def _names(name: str, prefix: str, flags: IntFlag, others: Iterable[str] = ()) -> Lines:
    texts = [prefix + str(member.name) for member in type(flags) if member and member in flags] + list(others)
    return _block(name, (_leaf("item", t) for t in texts), f' numItems="{len(texts)}"') if texts else [f"<{name}/>"]


def _display(name: str, description: str) -> Lines:
    return _block("displayData", [_leaf("name", name), _leaf("description", description)])


def _bytes(name: str, data: bytes | None, text: str | None = None) -> Lines:
    if data is None:
        return [f"<{name}/>"]
    dotted = "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in data)
    return _block(name, [_leaf("data", data.hex()), _leaf("asString", dotted if text is None else text)])


# -- values --------------------------------------------------------------------------------------------------------


def _number(data: object) -> str:
    return str(data)


_MEMBERS: dict[DataType, tuple[str, Callable[[object], str]]] = {
    DataType.UINT8: ("uint8", _number),
    DataType.UINT16: ("uint16", _number),
    DataType.UINT32: ("uint32", _number),
    DataType.UINT64: ("uint64", _number),
    DataType.SID: ("sid", str),
    DataType.SECURITY_DESCRIPTOR_TYPE: ("sd", str),
    DataType.BYTE_ARRAY16_TYPE: ("byteArray16", lambda data: str(ipaddress.IPv6Address(data))),
}


def _value(name: str, value: Value, is_address: bool = False) -> Lines:
    """A value; `is_address`: a UINT32 is an IPv4 address and printed with dots."""
    return _block(name, [_leaf("type", _type(value)), *_member(value, is_address)])


def _type(value: Value) -> str:
    return f"FWP_{value.type.name}"


def _member(value: Value, is_address: bool) -> Lines:
    data = value.data
    if value.type is DataType.EMPTY:
        return []
    if isinstance(data, Range):
        ends = (("valueLow", data.low), ("valueHigh", data.high))
        return _block("rangeValue", (line for name, end in ends for line in _value(name, end, is_address)))
    if isinstance(data, V6Mask):
        address = str(ipaddress.IPv6Address(data.address))
        return _block("v6AddrMask", [_leaf("addr", address), _leaf("prefixLength", data.prefix)])
    if value.type is DataType.BYTE_BLOB_TYPE and isinstance(data, bytes):
        return _bytes("byteBlob", data, blob_text(data) or "")
    member, text = _MEMBERS[value.type]
    dotted = is_address and value.type is DataType.UINT32 and isinstance(data, int)
    return [_leaf(member, str(ipaddress.IPv4Address(data)) if dotted else text(data))]


# -- objects -------------------------------------------------------------------------------------------------------


def _session(session: Session) -> Lines:
    return [
        _leaf("sessionKey", session.key),
        *_display(session.name, session.description),
        *_names("flags", "FWPM_SESSION_FLAG_", SessionFlags(session.flags), session.other_flags),
        _leaf("txnWaitTimeoutInMSec", session.timeout),
        _leaf("processId", session.process),
        _leaf("sid", session.user),
        _leaf("username", session.user_name),
        _leaf("kernelMode", str(session.kernel_mode).lower()),
    ]


def _layer_entry(layer: Layer, policy: Policy) -> Lines:
    callouts = (c for c in policy.callouts if c.layer == layer.key)
    filters = policy.by_layer.get(layer.key, ())
    return [
        *_block("layer", _layer(layer)),
        *_list("callouts", map(_callout, callouts)),
        *_list("filters", (_filter(f, layer) for f in filters)),
    ]


def _layer(layer: Layer) -> Lines:
    return [
        _leaf("layerKey", layer.key),
        *_display(layer.display_name, ""),
        *_names("flags", "FWPM_LAYER_FLAG_", LayerFlags(layer.flags)),
        *_list("field", map(_field, layer.fields)),
        _leaf("defaultSubLayerKey", layer.default_sublayer),
        _leaf("layerId", layer.id),
    ]


def _field(field: Field) -> Lines:
    return [
        _leaf("fieldKey", field.key),
        _leaf("type", f"FWPM_FIELD_{field.kind.name}"),
        _leaf("dataType", f"FWP_{field.type.name}"),
    ]


def _callout(callout: Callout) -> Lines:
    unnamed = (f"{callout.behaviour:08x}",) if callout.behaviour else ()  # netsh has no names for the run-time flags
    return [
        _leaf("calloutKey", callout.key),
        *_display(callout.name, callout.description),
        *_names("flags", "FWPM_CALLOUT_FLAG_", CalloutFlags(callout.flags), (*callout.other_flags, *unnamed)),
        _leaf("providerKey", callout.provider or ""),
        *_bytes("providerData", callout.provider_data),
        _leaf("applicableLayer", callout.layer or ""),
        _leaf("calloutId", callout.id),
    ]


def _filter(item: Filter, layer: Layer) -> Lines:
    has_context = FilterFlags.HAS_PROVIDER_CONTEXT in item.flags
    return [
        _leaf("filterKey", item.key),
        *_display(item.name, item.description),
        *_names("flags", "FWPM_FILTER_FLAG_", item.flags, item.other_flags),
        _leaf("providerKey", item.provider or ""),
        *_bytes("providerData", item.provider_data),
        _leaf("layerKey", item.layer),
        _leaf("subLayerKey", item.sublayer),
        *_value("weight", item.weight),
        *_list("filterCondition", (_condition(c, layer) for c in item.conditions)),
        *_block(
            "action",
            [_leaf("type", f"FWP_ACTION_{item.action.name}"), _leaf("filterType", item.callout or "")],
        ),
        _leaf("providerContextKey" if has_context else "rawContext", item.context or 0),
        _leaf("reserved", ""),
        _leaf("filterId", item.id),
        *_block("effectiveWeight", [_leaf("type", "FWP_UINT64"), _leaf("uint64", item.effective_weight)]),
    ]


def _condition(condition: Condition, layer: Layer) -> Lines:
    field = layer.field(condition.field)
    is_address = field is not None and field.kind.name == "IP_ADDRESS"
    return [
        _leaf("fieldKey", condition.field),
        _leaf("matchType", f"FWP_MATCH_{condition.match.name}"),
        *_value("conditionValue", condition.value, is_address),
    ]


def _provider(provider: Provider) -> Lines:
    return [
        _leaf("providerKey", provider.key),
        *_display(provider.name, provider.description),
        *_names("flags", "FWPM_PROVIDER_FLAG_", ProviderFlags(provider.flags), provider.other_flags),
        *_bytes("providerData", provider.provider_data),
        _leaf("serviceName", provider.service_name or ""),
    ]


def _context(context: ProviderContext) -> Lines:
    return [
        _leaf("providerContextKey", context.key),
        *_display(context.name, context.description),
        *_names("flags", "FWPM_PROVIDER_CONTEXT_FLAG_", ContextFlags(context.flags), context.other_flags),
        _leaf("providerKey", context.provider or ""),
        *_bytes("providerData", context.provider_data),
        _leaf("type", context.type),
        *_bytes("dataBuffer", context.data),
        _leaf("providerContextId", context.id),
    ]


def _sublayer(sublayer: Sublayer) -> Lines:
    return [
        _leaf("subLayerKey", sublayer.key),
        *_display(sublayer.name, sublayer.description),
        *_names("flags", "FWPM_SUBLAYER_FLAG_", SublayerFlags(sublayer.flags), sublayer.other_flags),
        _leaf("providerKey", sublayer.provider or ""),
        *_bytes("providerData", sublayer.provider_data),
        _leaf("weight", sublayer.weight),
    ]


def _endpoint(endpoint: Endpoint) -> Lines:
    v = endpoint.ip_version
    return [
        _leaf("endpointId", endpoint.id),
        _leaf("ipVersion", f"FWP_IP_VERSION_V{v}"),
        _leaf(f"localV{v}Address", ipaddress.ip_address(endpoint.local_address)),
        _leaf(f"remoteV{v}Address", ipaddress.ip_address(endpoint.remote_address)),
        _leaf("ipProtocol", endpoint.protocol),
        _leaf("localPort", endpoint.local_port),
        _leaf("remotePort", endpoint.remote_port),
        _leaf("localTokenModifiedId", endpoint.token_modified_id),
        _leaf("mmSaId", endpoint.main_mode_sa),
        _leaf("qmSaId", endpoint.quick_mode_sa),
        _leaf("ipsecStatus", f"{endpoint.ipsec_status} ({endpoint.ipsec_status_name})"),
        "<flags/>",
        *_bytes("appId", endpoint.app),
    ]
