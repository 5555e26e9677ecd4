"""Conditions (FWPM_FILTER_CONDITION0) and the table of which match type fits which data type.

Source: spec conditions.md 2, 2.1 and 3 (page ne-fwptypes-fwp_match_type; codes: wfp-error-codes; what the pages leave
open is marked [I] there). `check` gives the FWP_E_* error that FwpmFilterAdd0 would give; a test walks every cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tamiz.model._tables import DataType, FieldKind, MatchType
from tamiz.model.errors import PolicyError
from tamiz.model.keys import FieldKey
from tamiz.model.layers import Field, Layer
from tamiz.model.values import SIGNED, UNSIGNED, Range, V4Mask, V6Mask, Value


@dataclass(frozen=True, slots=True)
class Condition:
    """FWPM_FILTER_CONDITION0: the field, how it is matched, and with what."""

    field: FieldKey
    match: MatchType
    value: Value

    def __str__(self) -> str:
        return f"{self.field.short} {self.match.name} {self.value}"


T = DataType
_ALL: Final = frozenset(T)
_UNSIGNED: Final = frozenset(UNSIGNED)
SORTABLE: Final = frozenset({*UNSIGNED, *SIGNED, T.BYTE_ARRAY16_TYPE, T.BYTE_BLOB_TYPE, T.UNICODE_STRING_TYPE})
_TEXT: Final = frozenset({T.BYTE_BLOB_TYPE, T.UNICODE_STRING_TYPE})

# match type -> data types of the condition value it may stand with
MATCHES: Final[Mapping[MatchType, frozenset[DataType]]] = {
    MatchType.EQUAL: _ALL - {T.RANGE_TYPE},
    MatchType.GREATER: SORTABLE,
    MatchType.LESS: SORTABLE,
    MatchType.GREATER_OR_EQUAL: SORTABLE,
    MatchType.LESS_OR_EQUAL: SORTABLE,
    MatchType.RANGE: frozenset({T.RANGE_TYPE}),
    MatchType.FLAGS_ALL_SET: _UNSIGNED,
    MatchType.FLAGS_ANY_SET: _UNSIGNED,
    MatchType.FLAGS_NONE_SET: _UNSIGNED,
    MatchType.EQUAL_CASE_INSENSITIVE: frozenset({T.UNICODE_STRING_TYPE}),
    MatchType.NOT_EQUAL: SORTABLE | {T.SID},  # SID: [O] ALE_PACKAGE_ID in every Windows 8+ policy
    MatchType.PREFIX: _TEXT,
    MatchType.NOT_PREFIX: _TEXT,
}

# (data type of the field, of the condition) that differ and still fit; T against a range of T is checked apart
_TOKENS: Final = (T.TOKEN_INFORMATION_TYPE, T.TOKEN_ACCESS_INFORMATION_TYPE)
CONVERSIONS: Final = frozenset(
    {
        (T.UINT32, T.V4_ADDR_MASK),
        (T.BYTE_ARRAY16_TYPE, T.V6_ADDR_MASK),
        *((token, T.SECURITY_DESCRIPTOR_TYPE) for token in _TOKENS),
    }
)
MASKS: Final = frozenset({T.V4_ADDR_MASK, T.V6_ADDR_MASK})


def check(condition: Condition, layer: Layer, subject: str) -> None:
    """Raise the `PolicyError` that FwpmFilterAdd0 would give for `condition` at `layer` (conditions.md 2.1)."""
    field = layer.field(condition.field)
    if field is None:
        raise PolicyError("FWP_E_CONDITION_NOT_FOUND", subject, condition.field, f"one of the fields of {layer.key}")
    _check_match(condition, subject)
    _check_value(condition, subject)
    _check_type(condition, field, subject)


def _check_match(condition: Condition, subject: str) -> None:
    allowed = MATCHES[condition.match]
    if condition.value.type not in allowed:
        wanted = ", ".join(sorted(t.name for t in allowed))
        found = f"{condition.match.name} with {condition.value.type.name} at {condition.field}"
        raise PolicyError("FWP_E_MATCH_TYPE_MISMATCH", subject, found, f"{condition.match.name} with {wanted}")


def _check_value(condition: Condition, subject: str) -> None:
    data = condition.value.data
    if isinstance(data, Range):
        _check_range(data, condition.field, subject)
    if isinstance(data, V4Mask) and not data.contiguous:
        raise PolicyError("FWP_E_INVALID_NET_MASK", subject, f"mask {data.mask:#010x}", "a contiguous mask")
    if isinstance(data, V6Mask) and data.prefix > 128:
        raise PolicyError("FWP_E_INVALID_NET_MASK", subject, f"prefix length {data.prefix}", "at most 128")


def _check_range(data: Range, field: FieldKey, subject: str) -> None:
    low, high = data.low, data.high
    if low.type is not high.type:
        found = f"a range from {low.type.name} to {high.type.name} at {field}"
        raise PolicyError("FWP_E_INVALID_RANGE", subject, found, "both ends of one type")
    if low.type not in SORTABLE:
        raise PolicyError("FWP_E_INVALID_RANGE", subject, f"a range of {low.type.name}", "a sortable type")
    if high.data < low.data:  # type: ignore[operator]  # one sortable type, checked above
        raise PolicyError("FWP_E_INVALID_RANGE", subject, f"{low} to {high} at {field}", "low <= high")


def _check_type(condition: Condition, field: Field, subject: str) -> None:
    value = condition.value
    kind = value.data.low.type if isinstance(value.data, Range) else value.type
    if kind in (field.type, T.EMPTY):
        return
    converts = (field.type, kind) in CONVERSIONS
    if converts and (kind not in MASKS or field.kind is FieldKind.IP_ADDRESS):
        return
    found = f"{kind.name} at {condition.field}"
    raise PolicyError("FWP_E_TYPE_MISMATCH", subject, found, f"{field.type.name} ({field.kind.name})")
