"""Layers and their fields (FWPM_LAYER0, FWPM_FIELD0)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tamiz.model._tables import FIELD, DataType, FieldKind, LayerFlags
from tamiz.model.keys import FieldKey, LayerKey, SublayerKey


@dataclass(frozen=True, slots=True)
class Field:
    """FWPM_FIELD0: one field of a layer, in the order in which the run-time layer numbers them."""

    key: FieldKey
    kind: FieldKind
    type: DataType


@dataclass(frozen=True, slots=True)
class Layer:
    """FWPM_LAYER0: `id` is the run-time id (FWPS_LAYER_*); `fields` are in order, which weights depend on."""

    key: LayerKey
    guid: str
    id: int
    display_name: str
    flags: LayerFlags
    default_sublayer: SublayerKey
    ip_version: int | None
    discard: bool
    fields: tuple[Field, ...]
    description: str = ""
    other_flags: tuple[str, ...] = ()
    _by_key: dict[FieldKey, Field] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_key", {f.key: f for f in self.fields})

    def field(self, key: FieldKey) -> Field | None:
        return self._by_key.get(canonical_field(key))

    @property
    def kernel(self) -> bool:
        return bool(self.flags & LayerFlags.KERNEL)


# Field keys that are one GUID are one field [D: ne-fwpsk-fwps_fields_ale_auth_recv_accept_v4_]
_ICMP: Final = {
    "FWPM_CONDITION_ICMP_TYPE": FIELD.IP_LOCAL_PORT,
    "FWPM_CONDITION_ICMP_CODE": FIELD.IP_REMOTE_PORT,
}


def canonical_field(key: FieldKey) -> FieldKey:
    """The one key that stands for all names of a field's GUID."""
    return _ICMP.get(key, key)
