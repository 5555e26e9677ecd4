"""A `Policy` written back as the element trees of a netsh dump: what is not in the policy is not in the tree."""

from __future__ import annotations

from enum import IntFlag
from ipaddress import IPv4Address, IPv6Address

from tamiz.model.conditions import Condition
from tamiz.model.keys import LayerKey
from tamiz.model.layers import Layer
from tamiz.model.objects import (
    Callout,
    Endpoint,
    Filter,
    Node,
    Provider,
    ProviderContext,
    Session,
    Sublayer,
)
from tamiz.model.policy import Policy
from tamiz.model.security import SecurityDescriptor
from tamiz.model.values import Range, V4Mask, V6Mask, Value
from tests.formats.netsh_text import MEMBERS, Tree


def state(policy: Policy) -> dict[str, list[Tree]]:
    """The lists of a state dump, by name."""
    layers = [_layer_item(policy, layer) for layer in policy.layers or ()]
    return {
        "sessions": [_session(x) for x in policy.sessions],
        "layers": layers,
        "providers": [_provider(x) for x in policy.providers],
        "providerContexts": [_context(x) for x in policy.contexts],
        "subLayers": [_sublayer(x) for x in policy.sublayers],
        "aleConnectedEndpoints": [_endpoint(x) for x in policy.endpoints],
    }


def filters(policy: Policy) -> dict[str, list[Tree]]:
    """The lists of a filters dump, by name."""
    return {
        "filters": [_filter(x) for x in policy.filters],
        "providers": [_provider(x) for x in policy.providers],
    }


def node(found: Node) -> Tree:
    return (found.name, [node(child) for child in found.children] or found.text)


def _layer_item(policy: Policy, layer: Layer) -> Tree:
    at: LayerKey = layer.key
    callouts = [_callout(c) for c in policy.callouts if c.layer == at]
    return (
        "item",
        [
            ("layer", _layer(layer)),
            ("callouts", callouts),
            ("filters", [_filter(f) for f in policy.by_layer.get(at, ())]),
        ],
    )


def _layer(layer: Layer) -> list[Tree]:
    return [
        ("layerKey", layer.key),
        _display(layer.display_name, layer.description),
        _flags("FWPM_LAYER_FLAG_", layer.flags, other=layer.other_flags),
        (
            "field",
            [
                (
                    "item",
                    [
                        ("fieldKey", f.key),
                        ("type", f"FWPM_FIELD_{f.kind.name}"),
                        ("dataType", f"FWP_{f.type.name}"),
                    ],
                )
                for f in layer.fields
            ],
        ),
        ("defaultSubLayerKey", layer.default_sublayer),
        ("layerId", str(layer.id)),
    ]


def _filter(f: Filter) -> Tree:
    context = "rawContext" if isinstance(f.context, int) else "providerContextKey"
    return (
        "item",
        [
            ("filterKey", f.key),
            _display(f.name, f.description),
            _flags("FWPM_FILTER_FLAG_", f.flags, other=f.other_flags),
            ("providerKey", f.provider or ""),
            _data("providerData", f.provider_data),
            ("layerKey", f.layer),
            ("subLayerKey", f.sublayer),
            ("weight", _value(f.weight)),
            ("filterCondition", [_condition(c) for c in f.conditions]),
            (
                "action",
                [("type", f"FWP_ACTION_{f.action.name}"), ("filterType", f.callout or f.filter_type or "")],
            ),
            (context, str(f.context)),
            ("reserved", ""),
            ("filterId", str(f.id)),
            ("effectiveWeight", [("type", "FWP_UINT64"), ("uint64", str(f.effective_weight))]),
        ],
    )


def _condition(c: Condition) -> Tree:
    return (
        "item",
        [
            ("fieldKey", c.field),
            ("matchType", f"FWP_MATCH_{c.match.name}"),
            ("conditionValue", _value(c.value)),
        ],
    )


def _value(value: Value) -> list[Tree]:
    kind = f"FWP_{value.type.name}"
    return [("type", kind)] if value.data is None else [("type", kind), (MEMBERS[kind], _content(value))]


def _content(value: Value) -> str | list[Tree]:
    data = value.data
    if isinstance(data, Range):
        return [("valueLow", _value(data.low)), ("valueHigh", _value(data.high))]
    if isinstance(data, V4Mask):
        return [("addr", str(IPv4Address(data.address))), ("mask", str(IPv4Address(data.mask)))]
    if isinstance(data, V6Mask):
        return [("addr", str(IPv6Address(data.address))), ("prefixLength", str(data.prefix))]
    if isinstance(data, SecurityDescriptor):
        return data.text
    if isinstance(data, bytes):
        return str(IPv6Address(data)) if value.type.name == "BYTE_ARRAY16_TYPE" else [("data", data.hex())]
    return str(data)


def _callout(c: Callout) -> Tree:
    return (
        "item",
        [
            ("calloutKey", c.key),
            _display(c.name, c.description),
            ("flags", [*_names("FWPM_CALLOUT_FLAG_", c.flags), *_names("FWP_CALLOUT_FLAG_", c.behaviour),
                       *(("item", name) for name in c.other_flags)]),
            ("providerKey", c.provider or ""),
            _data("providerData", c.provider_data),
            ("applicableLayer", c.layer or ""),
            ("calloutId", str(c.id)),
        ],
    )  # fmt: skip


def _provider(p: Provider) -> Tree:
    return (
        "item",
        [
            ("providerKey", p.key),
            _display(p.name, p.description),
            _flags("FWPM_PROVIDER_FLAG_", p.flags, other=p.other_flags),
            _data("providerData", p.provider_data),
            ("serviceName", p.service_name or ""),
        ],
    )


def _sublayer(s: Sublayer) -> Tree:
    return (
        "item",
        [
            ("subLayerKey", s.key),
            _display(s.name, s.description),
            _flags("FWPM_SUBLAYER_FLAG_", s.flags, other=s.other_flags),
            ("providerKey", s.provider or ""),
            _data("providerData", s.provider_data),
            ("weight", str(s.weight)),
        ],
    )


def _context(c: ProviderContext) -> Tree:
    return (
        "item",
        [
            ("providerContextKey", c.key),
            _display(c.name, c.description),
            _flags("FWPM_PROVIDER_CONTEXT_FLAG_", c.flags, other=c.other_flags),
            ("providerKey", c.provider or ""),
            _data("providerData", c.provider_data),
            ("type", c.type),
            _data("dataBuffer", c.data) if c.content is None else node(c.content),
            ("providerContextId", str(c.id)),
        ],
    )


def _session(s: Session) -> Tree:
    return (
        "item",
        [
            ("sessionKey", s.key),
            _display(s.name, s.description),
            _flags("FWPM_SESSION_FLAG_", s.flags, other=s.other_flags),
            ("txnWaitTimeoutInMSec", str(s.timeout)),
            ("processId", str(s.process)),
            ("sid", str(s.user or "")),
            ("username", s.user_name),
            ("kernelMode", "true" if s.kernel_mode else "false"),
        ],
    )


def _endpoint(e: Endpoint) -> Tree:
    family = IPv4Address if e.ip_version == 4 else IPv6Address
    return (
        "item",
        [
            ("endpointId", str(e.id)),
            ("ipVersion", f"FWP_IP_VERSION_V{e.ip_version}"),
            (f"localV{e.ip_version}Address", str(family(e.local_address))),
            (f"remoteV{e.ip_version}Address", str(family(e.remote_address))),
            ("ipProtocol", str(e.protocol)),
            ("localPort", str(e.local_port)),
            ("remotePort", str(e.remote_port)),
            ("localTokenModifiedId", str(e.token_modified_id)),
            ("mmSaId", str(e.main_mode_sa)),
            ("qmSaId", str(e.quick_mode_sa)),
            ("ipsecStatus", f"{e.ipsec_status} ({e.ipsec_status_name})"),
            ("flags", " ".join(e.flags)),
            _data("appId", e.app),
        ],
    )


def _display(name: str, description: str) -> Tree:
    return ("displayData", [("name", name), ("description", description)])


def _data(name: str, data: bytes | None) -> Tree:
    return (name, "" if data is None else [("data", data.hex())])


def _flags(prefix: str, flags: IntFlag, other: tuple[str, ...]) -> Tree:
    return ("flags", [*_names(prefix, flags), *(("item", name) for name in other)])


def _names(prefix: str, flags: IntFlag) -> list[Tree]:
    return [("item", prefix + str(member.name)) for member in flags]
