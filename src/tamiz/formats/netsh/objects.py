"""The objects of a netsh dump that stand in lists of their own: providers, sublayers, provider contexts, sessions and
connected endpoints. Each reader takes an `<item>` and gives the noun of the model."""

from __future__ import annotations

import re
from typing import Final

from tamiz.formats.netsh.complaints import Element
from tamiz.formats.netsh.reader import Reader, Shape, bits_of, flag_names, unknown_bits
from tamiz.model._tables import ContextFlags, ContextType, ProviderFlags, SessionFlags, SublayerFlags
from tamiz.model.keys import ContextKey, ProviderKey, SessionKey, SublayerKey
from tamiz.model.objects import Endpoint, Provider, ProviderContext, Session, Sublayer
from tamiz.model.sids import Sid

SUBLAYER_FLAGS: Final = flag_names("FWPM_SUBLAYER_FLAG_", SublayerFlags)
PROVIDER_FLAGS: Final = flag_names("FWPM_PROVIDER_FLAG_", ProviderFlags)
CONTEXT_FLAGS: Final = flag_names("FWPM_PROVIDER_CONTEXT_FLAG_", ContextFlags)
SESSION_FLAGS: Final = flag_names("FWPM_SESSION_FLAG_", SessionFlags)
CONTEXT_TYPES: Final = frozenset(f"FWPM_{kind.name}" for kind in ContextType)
_BOOLEANS: Final = {"true": True, "false": False}
_BUFFER: Final = "dataBuffer"

_PROVIDER: Final = Shape.of("providerKey displayData flags providerData serviceName")
_SUBLAYER: Final = Shape.of("subLayerKey displayData flags providerKey providerData weight")
_CONTEXT: Final = Shape.of("providerContextKey displayData flags providerKey providerData type providerContextId")
_SESSION: Final = Shape.of("sessionKey displayData flags txnWaitTimeoutInMSec processId sid username kernelMode")
_ENDPOINT: Final = (
    "endpointId ipVersion ipProtocol localPort remotePort appId localTokenModifiedId mmSaId qmSaId ipsecStatus flags"
)
_ENDPOINTS: Final = {
    f"FWP_IP_VERSION_{v}": Shape.of(f"{_ENDPOINT} local{v}Address remote{v}Address") for v in ("V4", "V6")
}
_STATUS: Final = re.compile(r"([0-9]{1,10})(?: \(([A-Z0-9_]{1,80})\))?")


def provider(reader: Reader, item: Element) -> Provider:
    """FWPM_PROVIDER0."""
    members = reader.members(item, _PROVIDER)
    key = reader.key(ProviderKey, members["providerKey"])
    reader.once(key, members["providerKey"])
    name, description = reader.display(members["displayData"])
    word, others = reader.flags(members["flags"], PROVIDER_FLAGS)
    return Provider(
        key,
        name,
        description,
        ProviderFlags(word & bits_of(ProviderFlags)),
        others + unknown_bits(word, ProviderFlags),
        reader.text(members["serviceName"]) or None,
        reader.data(members["providerData"]),
    )


def sublayer(reader: Reader, item: Element) -> Sublayer:
    """FWPM_SUBLAYER0."""
    members = reader.members(item, _SUBLAYER)
    key = reader.key(SublayerKey, members["subLayerKey"])
    reader.once(key, members["subLayerKey"])
    name, description = reader.display(members["displayData"])
    word, others = reader.flags(members["flags"], SUBLAYER_FLAGS)
    return Sublayer(
        key,
        name,
        reader.number(members["weight"], 16),
        description,
        SublayerFlags(word & bits_of(SublayerFlags)),
        others + unknown_bits(word, SublayerFlags),
        reader.optional_key(ProviderKey, members["providerKey"]),
        reader.data(members["providerData"]),
    )


def context(reader: Reader, item: Element) -> ProviderContext:
    """FWPM_PROVIDER_CONTEXT0..3: between `type` and the id stands one element that holds the data."""
    content = _content_of(item)
    shape = _CONTEXT if content is None else Shape(_CONTEXT.required, _CONTEXT.known | {content.tag})
    members = reader.members(item, shape)
    key = reader.key(ContextKey, members["providerContextKey"])
    reader.once(key, members["providerContextKey"])
    name, description = reader.display(members["displayData"])
    word, others = reader.flags(members["flags"], CONTEXT_FLAGS)
    kind = reader.text(members["type"])
    if kind not in CONTEXT_TYPES:
        reader.warn(members["type"], f"type {kind!r} is not known", "context type", kind)
    buffer = content is not None and content.tag == _BUFFER
    if kind == "FWPM_GENERAL_CONTEXT" and not buffer:
        reader.fail(item, f"{kind} without a buffer", f"<{_BUFFER}>")
    return ProviderContext(
        key,
        name,
        kind,
        reader.number(members["providerContextId"], 64),
        description,
        ContextFlags(word & bits_of(ContextFlags)),
        others + unknown_bits(word, ContextFlags),
        reader.optional_key(ProviderKey, members["providerKey"]),
        reader.data(members["providerData"]),
        None if content is None or buffer else reader.node(content),
        reader.data(content) if content is not None and buffer else None,
    )


def _content_of(item: Element) -> Element | None:
    return next((child for child in item if child.tag not in _CONTEXT.known), None)


def session(reader: Reader, item: Element) -> Session:
    """FWPM_SESSION0; alone among the objects it may be without a name."""
    members = reader.members(item, _SESSION)
    key = reader.key(SessionKey, members["sessionKey"])
    reader.once(key, members["sessionKey"])
    name, description = reader.display(members["displayData"], named=False)
    word, others = reader.flags(members["flags"], SESSION_FLAGS)
    return Session(
        key,
        name,
        reader.number(members["txnWaitTimeoutInMSec"], 32),
        reader.number(members["processId"], 32),
        _user(reader, members["sid"]),
        reader.text(members["username"]),
        reader.word(members["kernelMode"], _BOOLEANS),
        SessionFlags(word & bits_of(SessionFlags)),
        others + unknown_bits(word, SessionFlags),
        description,
    )


def _user(reader: Reader, element: Element) -> Sid | None:
    text = reader.text(element)
    return reader.sid(element) if text else None


def endpoint(reader: Reader, item: Element) -> Endpoint:
    """A connected ALE endpoint. Several may share an id: one socket, several remote sides."""
    version = item.findtext("ipVersion") or ""
    shape = _ENDPOINTS.get(version)
    if shape is None:
        reader.fail(item, f"IP version {version!r}", "FWP_IP_VERSION_V4 or FWP_IP_VERSION_V6")
    members = reader.members(item, shape)
    number = 4 if version.endswith("4") else 6
    local, remote = (members[f"{side}V{number}Address"] for side in ("local", "remote"))
    status, status_name = _status(reader, members["ipsecStatus"])
    return Endpoint(
        reader.number(members["endpointId"], 64),
        number,
        reader.number(members["ipProtocol"], 8),
        reader.address(local, number),
        reader.address(remote, number),
        reader.number(members["localPort"], 16),
        reader.number(members["remotePort"], 16),
        reader.data(members["appId"]) or b"",
        reader.number(members["localTokenModifiedId"], 64),
        reader.number(members["mmSaId"], 64),
        reader.number(members["qmSaId"], 64),
        status,
        status_name,
        _endpoint_flags(reader, members["flags"]),
        tuple([reader.node(child) for child in item if child.tag not in shape.known]),
    )


def _status(reader: Reader, element: Element) -> tuple[int, str]:
    match = _STATUS.fullmatch(reader.text(element))
    if match is None or int(match[1]) >> 32:
        reader.fail(element, f"{element.text!r} in <ipsecStatus>", "a number and its name in brackets")
    return int(match[1]), match[2] or ""


def _endpoint_flags(reader: Reader, element: Element) -> tuple[str, ...]:
    """Empty in every dump seen; kept as the words that stand there."""
    if len(element):
        return tuple(reader.text(item) for item in reader.items(element))
    text = reader.text(element)
    return (text,) if text else ()
