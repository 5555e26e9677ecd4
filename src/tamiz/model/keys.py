"""Identifiers. Each kind of WFP object has its own type; each prints its FWPM_ name where there is one.

A key is the text that netsh prints: the FWPM_ name where Windows knows one, else the GUID in braces, lower case.
`tamiz.model.catalog` turns names, aliases and GUIDs into keys. GUIDs are unique within a kind only [D:
object-management], so keys of two kinds are never compared by type checkers.
"""

from __future__ import annotations

import re

_GUID = re.compile(r"\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}")


class Key(str):
    """A WFP object's identifier: an FWPM_ name or a `{guid}`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    @property
    def is_guid(self) -> bool:
        return self.startswith("{")


class LayerKey(Key):
    """FWPM_LAYER_*"""

    __slots__ = ()

    @property
    def short(self) -> str:
        """The name without its FWPM_LAYER_ prefix, as the packet-flow pages print it."""
        return self.removeprefix("FWPM_LAYER_")


class FieldKey(Key):
    """FWPM_CONDITION_*: a field of a layer; unique only together with the layer."""

    __slots__ = ()

    @property
    def short(self) -> str:
        return self.removeprefix("FWPM_CONDITION_")


class SublayerKey(Key):
    """FWPM_SUBLAYER_*"""

    __slots__ = ()


class ProviderKey(Key):
    """FWPM_PROVIDER_*"""

    __slots__ = ()


class CalloutKey(Key):
    """FWPM_CALLOUT_*"""

    __slots__ = ()


class ContextKey(Key):
    """FWPM_PROVIDER_CONTEXT_*"""

    __slots__ = ()


class FilterKey(Key):
    """A filter's GUID."""

    __slots__ = ()


class SessionKey(Key):
    """A session's GUID."""

    __slots__ = ()


def is_guid(text: str) -> bool:
    """Whether `text` is a GUID as netsh prints it: braces, lower case."""
    return _GUID.fullmatch(text) is not None
