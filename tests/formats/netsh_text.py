"""Small netsh dumps, written as netsh writes them: tabs, one element a line, `numItems`, CDATA where there is an `&`.

    filters_dump([a_filter(name="web", conditions=[condition("FWPM_CONDITION_IP_REMOTE_PORT", 443, "FWP_UINT16")])])
    state_dump(layers=[a_layer(filters=[a_filter()], callouts=[a_callout()])])

Each maker gives an element tree of tuples, `(name, text)` or `(name, [children])`. `**changes` replace members by
name; None leaves a member out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Union

Tree = tuple[str, Union[str, Sequence["Tree"]]]

LAYER = "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
UNIVERSAL = "FWPM_SUBLAYER_UNIVERSAL"
# what netsh calls the member of the union that holds a value of the type
MEMBERS = {
    **{f"FWP_UINT{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"FWP_INT{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    "FWP_FLOAT": "float32",
    "FWP_DOUBLE": "double64",
    "FWP_BYTE_ARRAY16_TYPE": "byteArray16",
    "FWP_BYTE_ARRAY6_TYPE": "byteArray6",
    "FWP_BYTE_BLOB_TYPE": "byteBlob",
    "FWP_SID": "sid",
    "FWP_SECURITY_DESCRIPTOR_TYPE": "sd",
    "FWP_UNICODE_STRING_TYPE": "unicodeString",
    "FWP_V4_ADDR_MASK": "v4AddrMask",
    "FWP_V6_ADDR_MASK": "v6AddrMask",
    "FWP_RANGE_TYPE": "rangeValue",
}
# the fields of `LAYER` that small dumps use: name, kind, type
FIELDS = (
    ("FWPM_CONDITION_ALE_APP_ID", "RAW_DATA", "FWP_BYTE_BLOB_TYPE"),
    ("FWPM_CONDITION_ALE_USER_ID", "RAW_DATA", "FWP_TOKEN_ACCESS_INFORMATION_TYPE"),
    ("FWPM_CONDITION_IP_LOCAL_ADDRESS", "IP_ADDRESS", "FWP_UINT32"),
    ("FWPM_CONDITION_IP_PROTOCOL", "RAW_DATA", "FWP_UINT8"),
    ("FWPM_CONDITION_IP_REMOTE_ADDRESS", "IP_ADDRESS", "FWP_UINT32"),
    ("FWPM_CONDITION_IP_REMOTE_PORT", "RAW_DATA", "FWP_UINT16"),
    ("FWPM_CONDITION_FLAGS", "FLAGS", "FWP_UINT32"),
    ("FWPM_CONDITION_ALE_PACKAGE_ID", "RAW_DATA", "FWP_SID"),
)


def guid(number: int) -> str:
    return f"{{{number:08x}-0000-4000-8000-000000000000}}"


def value(kind: str, content: Any = None) -> list[Tree]:
    """The inside of a value: its type and, unless it is FWP_EMPTY, the member that holds it."""
    if kind == "FWP_EMPTY":
        return [("type", kind)]
    return [
        ("type", kind),
        (MEMBERS.get(kind, "unknown"), content if isinstance(content, list) else str(content)),
    ]


def blob(data: bytes) -> list[Tree]:
    """The inside of `byteBlob`, `providerData`, `appId` and `dataBuffer`."""
    return [("data", data.hex()), ("asString", "".join(chr(b) if 32 <= b < 127 else "." for b in data))]


def interval(kind: str, low: Any, high: Any) -> list[Tree]:
    """The inside of `rangeValue`."""
    return [("valueLow", value(kind, low)), ("valueHigh", value(kind, high))]


def v4_mask(address: str, mask: str) -> list[Tree]:
    return [("addr", address), ("mask", mask)]


def condition(field: str, content: Any, kind: str = "FWP_UINT32", match: str = "FWP_MATCH_EQUAL") -> Tree:
    return ("item", [("fieldKey", field), ("matchType", match), ("conditionValue", value(kind, content))])


def display(name: str, description: str = "") -> list[Tree]:
    return [("name", name), ("description", description)]


def item(members: dict[str, Any], changes: dict[str, Any]) -> Tree:
    """An `<item>` of `members`; a change of a member that is not there stands at the end."""
    merged = {**members, **changes}
    return ("item", [(name, content) for name, content in merged.items() if content is not None])


def flags(*names: str) -> list[Tree]:
    return [("item", name) for name in names]


def a_filter(
    number: int = 1,
    name: str = "a filter",
    conditions: Sequence[Tree] = (),
    layer: str = LAYER,
    **changes: Any,
) -> Tree:
    """A block filter with run-time id and key `number`."""
    members = {
        "filterKey": guid(number),
        "displayData": display(name),
        "flags": "",
        "providerKey": "",
        "providerData": "",
        "layerKey": layer,
        "subLayerKey": UNIVERSAL,
        "weight": value("FWP_UINT8", 7),
        "filterCondition": list(conditions),
        "action": action("FWP_ACTION_BLOCK"),
        "rawContext": "0",
        "reserved": "",
        "filterId": str(number),
        "effectiveWeight": value("FWP_UINT64", 0x7000000000000000 + number),
    }
    return item(members, changes)


def action(kind: str, target: str = "") -> list[Tree]:
    return [("type", kind), ("filterType", target)]


def a_callout(number: int = 1, layer: str = LAYER, **changes: Any) -> Tree:
    members = {
        "calloutKey": guid(0xC0000000 + number),
        "displayData": display("a callout"),
        "flags": flags("FWPM_CALLOUT_FLAG_REGISTERED"),
        "providerKey": "",
        "providerData": "",
        "applicableLayer": layer,
        "calloutId": str(300 + number),
    }
    return item(members, changes)


def a_layer(
    key: str = LAYER,
    number: int = 48,
    filters: Sequence[Tree] = (),
    callouts: Sequence[Tree] = (),
    fields: Iterable[tuple[str, str, str]] = FIELDS,
    **changes: Any,
) -> Tree:
    """An item of a state dump's `layers`; `changes` are of the `<layer>` inside."""
    members = {
        "layerKey": key,
        "displayData": display("a layer"),
        "flags": flags("FWPM_LAYER_FLAG_KERNEL", "FWPM_LAYER_FLAG_BUILTIN"),
        "field": [
            ("item", [("fieldKey", name), ("type", f"FWPM_FIELD_{kind}"), ("dataType", type_)])
            for name, kind, type_ in fields
        ],
        "defaultSubLayerKey": UNIVERSAL,
        "layerId": str(number),
    }
    inside = item(members, changes)[1]
    return ("item", [("layer", inside), ("callouts", list(callouts)), ("filters", list(filters))])


def a_provider(number: int = 1, **changes: Any) -> Tree:
    members = {
        "providerKey": guid(0xB0000000 + number),
        "displayData": display("a provider"),
        "flags": "",
        "providerData": "",
        "serviceName": "",
    }
    return item(members, changes)


def a_sublayer(number: int = 1, **changes: Any) -> Tree:
    members = {
        "subLayerKey": guid(0xA0000000 + number),
        "displayData": display("a sublayer"),
        "flags": "",
        "providerKey": "",
        "providerData": "",
        "weight": str(1000 + number),
    }
    return item(members, changes)


def a_context(number: int = 1, **changes: Any) -> Tree:
    members = {
        "providerContextKey": guid(0xD0000000 + number),
        "displayData": display("a context"),
        "flags": "",
        "providerKey": "",
        "providerData": "",
        "type": "FWPM_GENERAL_CONTEXT",
        "dataBuffer": blob(b"text"),
        "providerContextId": str(number),
    }
    return item(members, changes)


def a_session(number: int = 1, **changes: Any) -> Tree:
    members = {
        "sessionKey": guid(0xE0000000 + number),
        "displayData": display(""),
        "flags": "",
        "txnWaitTimeoutInMSec": "15000",
        "processId": "4",
        "sid": "S-1-5-18",
        "username": "NT AUTHORITY\\SYSTEM",
        "kernelMode": "true",
    }
    return item(members, changes)


def an_endpoint(number: int = 1, version: int = 4, **changes: Any) -> Tree:
    local, remote = ("192.0.2.1", "198.51.100.7") if version == 4 else ("2001:db8::1", "2001:db8::7")
    members = {
        "endpointId": str(number),
        "ipVersion": f"FWP_IP_VERSION_V{version}",
        f"localV{version}Address": local,
        f"remoteV{version}Address": remote,
        "ipProtocol": "6",
        "localPort": "50000",
        "remotePort": "443",
        "localTokenModifiedId": "999",
        "mmSaId": "0",
        "qmSaId": "0",
        "ipsecStatus": "0 (ERROR_SUCCESS)",
        "flags": "",
        "appId": blob("\\device\\harddiskvolume1\\x.exe\0".encode("utf-16-le")),
    }
    return item(members, changes)


HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'


def render(tree: Tree, depth: int = 0) -> list[str]:
    """The lines of an element; a list of `<item>`s has `numItems`, an empty one is an empty element."""
    name, content = tree
    indent = "\t" * depth
    if not content:
        return [f"{indent}<{name}/>"]
    if isinstance(content, str):
        return [f"{indent}<{name}>{_escaped(content)}</{name}>"]
    counted = all(child[0] == "item" for child in content)
    start = f'{indent}<{name} numItems="{len(content)}">' if counted else f"{indent}<{name}>"
    inside = [line for child in content for line in render(child, depth + 1)]
    return [start, *inside, f"{indent}</{name}>"]


def _escaped(text: str) -> str:
    return f"<![CDATA[{text}]]>" if "&" in text or "<" in text else text


def document(*roots: Tree) -> bytes:
    lines = [HEAD, *(line for root in roots for line in render(root))]
    return b"\xef\xbb\xbf" + "\n".join([*lines, ""]).encode()


def filters_dump(filters: Sequence[Tree] = (), providers: Sequence[Tree] = (), *more: Tree) -> bytes:
    """`netsh wfp show filters`."""
    return document(("wfpdiag", [("filters", list(filters)), ("providers", list(providers)), *more]))


def state_dump(
    layers: Sequence[Tree] | None = None,
    providers: Sequence[Tree] = (),
    sublayers: Sequence[Tree] = (),
    contexts: Sequence[Tree] = (),
    sessions: Sequence[Tree] = (),
    endpoints: Sequence[Tree] = (),
    more: Sequence[Tree] = (),
    second: Tree | None = ("firewallState", [("dynamicKeywordAddresses", "")]),
) -> bytes:
    """`netsh wfp show state`: two roots, one after the other; `second` None writes the first alone."""
    state: Tree = (
        "wfpstate",
        [
            ("timeStamp", "2026-01-02T03:04:05.678Z"),
            ("sessions", list(sessions)),
            ("layers", [a_layer()] if layers is None else list(layers)),
            ("providers", list(providers)),
            ("providerContexts", list(contexts)),
            ("subLayers", list(sublayers)),
            ("aleConnectedEndpoints", list(endpoints)),
            *more,
        ],
    )
    return document(state) if second is None else document(state, second)
