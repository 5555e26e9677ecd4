"""Versions of Windows, and the layers, flags and fields of each (spec packet-flows.md 7, conditions.md 6).

A name that no table holds has been there since Vista. "Vista" is Vista with Service Pack 1, that is Server 2008: the
flags that the pages mark "Vista SP1" are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from tamiz.model._tables import FIELD, ConditionFlags
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.layers import canonical_field


class WindowsVersion(IntEnum):
    """Ordered: a later version compares greater. `str()` is the word of `--windows`."""

    VISTA = 60
    SEVEN = 61
    EIGHT = 62
    TEN = 100
    ELEVEN = 110

    def __str__(self) -> str:
        return _WORDS[self]

    @classmethod
    def parse(cls, text: str) -> WindowsVersion:
        """The version of its word (vista, 7, 8, 10, 11); `ValueError` for any other."""
        for version, word in _WORDS.items():
            if text.strip().lower() == word:
                return version
        raise ValueError(f"Windows {text!r}, wanted one of {', '.join(_WORDS.values())}")


VISTA, SEVEN, EIGHT = WindowsVersion.VISTA, WindowsVersion.SEVEN, WindowsVersion.EIGHT
TEN, ELEVEN = WindowsVersion.TEN, WindowsVersion.ELEVEN
NEWEST: Final = ELEVEN

_WORDS: Final[Mapping[WindowsVersion, str]] = {
    VISTA: "vista",
    SEVEN: "7",
    EIGHT: "8",
    TEN: "10",
    ELEVEN: "11",
}

# What a layer's name (without its family and _DISCARD) contains -> the first version that has it.
_LAYERS_SINCE: Final[Mapping[str, WindowsVersion]] = {
    "ALE_BIND_REDIRECT": SEVEN,  # [D: using-bind-or-connect-redirection]
    "ALE_CONNECT_REDIRECT": SEVEN,  # [D: using-bind-or-connect-redirection]
    "ALE_RESOURCE_RELEASE": SEVEN,  # [D: wfp-changes-for-windows-7]
    "ALE_ENDPOINT_CLOSURE": SEVEN,  # [D: wfp-changes-for-windows-7]
    "STREAM_PACKET": SEVEN,  # [D: wfp-changes-for-windows-7]
    "NAME_RESOLUTION_CACHE": SEVEN,  # [D: wfp-changes-for-windows-7]
    "MAC_FRAME": EIGHT,  # [D: management-filtering-layer-identifiers-]
    "VSWITCH": EIGHT,  # [D: management-filtering-layer-identifiers-]
    "_FAST": EIGHT,  # [I] the layers are numbered after those of Windows 8
    "ALE_ACCEPT_REDIRECT": TEN,  # [I] on no page of Windows 8
    "OUTBOUND_NETWORK_CONNECTION_POLICY": TEN,  # [I] on no page of Windows 8
    "INBOUND_RESERVED2": TEN,  # [I] on no page of Windows 8
}

# [D: filtering-condition-flags-]
_FLAGS_SINCE: Final[Mapping[ConditionFlags, WindowsVersion]] = {
    ConditionFlags.IS_NAME_APP_SPECIFIED: SEVEN,
    ConditionFlags.IS_RECLASSIFY: SEVEN,
    ConditionFlags.IS_OUTBOUND_PASS_THRU: SEVEN,
    ConditionFlags.IS_INBOUND_PASS_THRU: SEVEN,
    ConditionFlags.IS_CONNECTION_REDIRECTED: SEVEN,
    ConditionFlags.IS_PROXY_CONNECTION: EIGHT,
    ConditionFlags.IS_APPCONTAINER_LOOPBACK: EIGHT,
    ConditionFlags.IS_NON_APPCONTAINER_LOOPBACK: EIGHT,
    ConditionFlags.IS_RESERVED: EIGHT,
    ConditionFlags.IS_HONORING_POLICY_AUTHORIZE: EIGHT,
}

# The page's "Vista/2008 only" [D: filtering-condition-flags-]
_FLAGS_UNTIL: Final[Mapping[ConditionFlags, WindowsVersion]] = {ConditionFlags.IS_IMPLICIT_BIND: VISTA}

# [D: wfp-changes-for-windows-7] for the reauthorization fields, [D: filtering-condition-identifiers-] for the others
_FIELDS_SINCE: Final[Mapping[FieldKey, WindowsVersion]] = {
    FIELD.REAUTHORIZE_REASON: SEVEN,
    FIELD.ORIGINAL_PROFILE_ID: SEVEN,
    FIELD.CURRENT_PROFILE_ID: SEVEN,
    FIELD.IP_NEXTHOP_INTERFACE: SEVEN,
    FIELD.NEXTHOP_INTERFACE_TYPE: SEVEN,
    FIELD.NEXTHOP_TUNNEL_TYPE: SEVEN,
    FIELD.NEXTHOP_INTERFACE_INDEX: SEVEN,
    FIELD.NEXTHOP_SUB_INTERFACE_INDEX: SEVEN,
    FIELD.NEXTHOP_INTERFACE_PROFILE_ID: SEVEN,
    FIELD.ORIGINAL_ICMP_TYPE: SEVEN,
    FIELD.ALE_PACKAGE_ID: EIGHT,
    FIELD.ALE_ORIGINAL_APP_ID: EIGHT,
    FIELD.COMPARTMENT_ID: TEN,
    FIELD.ALE_SECURITY_ATTRIBUTE_FQBN_VALUE: TEN,
    FIELD.ALE_PACKAGE_FAMILY_NAME: TEN,
    FIELD.ALE_EFFECTIVE_NAME: TEN,
}


def layer_since(layer: LayerKey) -> WindowsVersion:
    """The first version that has `layer`."""
    return max((since for part, since in _LAYERS_SINCE.items() if part in layer), default=VISTA)


def has_layer(version: WindowsVersion, layer: LayerKey) -> bool:
    return version >= layer_since(layer)


def has_field(version: WindowsVersion, field: FieldKey) -> bool:
    """Whether `version` has the field, at the layers that list it."""
    return version >= _FIELDS_SINCE.get(canonical_field(field), VISTA)


def flags_of(version: WindowsVersion) -> ConditionFlags:
    """The condition flags that `version` can set."""
    found = ConditionFlags(0)
    for flag in ConditionFlags:
        if _FLAGS_SINCE.get(flag, VISTA) <= version <= _FLAGS_UNTIL.get(flag, NEWEST):
            found |= flag
    return found
