"""Values and conditions of a netsh dump (FWP_VALUE0, FWP_CONDITION_VALUE0, FWPM_FILTER_CONDITION0).

A value is a `type` and one element named after the member of the union; the table `MEMBERS` says which, and how it is
read. A dump repeats the same few hundred conditions thousands of times, so each distinct one, told by its XML, is
read and checked once, and shared. Source: types conditions.md 1; their text: observed in dumps, save the types that
no dump seen has, whose text follows the union's member names and the notation of the others [I].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from lxml import etree

from tamiz.formats.netsh.complaints import Element
from tamiz.formats.netsh.reader import Reader, Shape
from tamiz.formats.sddl import parse_sddl
from tamiz.model import catalog
from tamiz.model._tables import DataType, FieldKind, MatchType
from tamiz.model.conditions import CONVERSIONS, Condition, check
from tamiz.model.errors import InputError, Place, PolicyError
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.layers import Field, Layer
from tamiz.model.security import SecurityDescriptor
from tamiz.model.values import EMPTY, SIGNED, UNSIGNED, Data, Range, V4Mask, V6Mask, Value

T = DataType
_CONDITION: Final = Shape.of("fieldKey matchType conditionValue")
_RANGE: Final = Shape.of("valueLow valueHigh")
_V4_MASK: Final = Shape.of("addr mask")
_V6_MASK: Final = Shape.of("addr prefixLength")
_MATCHES: Final = {f"FWP_MATCH_{match.name}": match for match in MatchType}


class Values:
    """Reads values and conditions, each distinct one once."""

    def __init__(self, reader: Reader, own_layers: bool) -> None:
        """`own_layers`: layers are the dump's own lists of fields, not the catalog's."""
        self.reader, self.own_layers = reader, own_layers
        self.older_fields = False
        self._values: dict[bytes, Value] = {}
        self._conditions: dict[bytes, Condition] = {}
        self._fitting: set[tuple[int, LayerKey]] = set()

    # -- values -------------------------------------------------------------------------------------------------------

    def value(self, element: Element) -> Value:
        """A value of any type that a filter can hold."""
        xml = etree.tostring(element, with_tail=False)
        found = self._values.get(xml)
        if found is None:
            found = self._values[xml] = self._read_value(element)
        return found

    def _read_value(self, element: Element) -> Value:
        kind_of = element.find("type")
        if kind_of is None:
            self.reader.fail(element, f"no <type> in <{element.tag}>", "<type>")
        name = self.reader.text(kind_of)
        if name == "FWP_EMPTY":
            self.reader.members(element, Shape.of("type"))
            return EMPTY
        kind = TYPES.get(name)
        if kind is None:
            code = "FWP_E_TYPE_MISMATCH" if name in _FIELD_ONLY else None
            self.reader.fail(kind_of, f"type {name}", "a type that a filter can hold", code)
        tag, read = MEMBERS[kind]
        member = self.reader.members(element, Shape.of(f"type {tag}"))[tag]
        return Value(kind, read(self, member))

    def blob(self, element: Element) -> bytes:
        found = self.reader.data(element)
        if found is None:
            self.reader.fail(element, "a blob without bytes", "<data>", "FWP_E_NULL_POINTER")
        return found

    def descriptor(self, element: Element) -> SecurityDescriptor:
        text = self.reader.text(element)
        try:
            return parse_sddl(text, Place(self.reader.document.name), "")
        except InputError as error:
            self.reader.fail(element, error.found, error.wanted, error.code)

    def v4_mask(self, element: Element) -> V4Mask:
        members = self.reader.members(element, _V4_MASK)
        return V4Mask(*(self.reader.unsigned(members[name], 32) for name in ("addr", "mask")))

    def v6_mask(self, element: Element) -> V6Mask:
        members = self.reader.members(element, _V6_MASK)
        prefix = self.reader.number(members["prefixLength"], 8)
        return V6Mask(self.reader.v6(members["addr"]), prefix)

    def range(self, element: Element) -> Range:
        members = self.reader.members(element, _RANGE)
        return Range(*(self._end(members[name]) for name in ("valueLow", "valueHigh")))

    def _end(self, element: Element) -> Value:
        kind = element.findtext("type")
        if TYPES.get(kind or "") in _CONDITION_ONLY:
            self.reader.fail(element, f"an end of type {kind}", "a single value", "FWP_E_INVALID_RANGE")
        return self.value(element)

    # -- conditions ---------------------------------------------------------------------------------------------------

    def condition(self, item: Element, layer: Layer) -> Condition:
        """A condition of a filter, as `layer` admits it."""
        xml = etree.tostring(item, with_tail=False)
        found = self._conditions.get(xml)
        if found is None:
            found = self._conditions[xml] = self._read_condition(item)
        if (id(found), layer.key) not in self._fitting:
            self._check(found, item, layer)
            self._fitting.add((id(found), layer.key))
        return found

    def _read_condition(self, item: Element) -> Condition:
        members = self.reader.members(item, _CONDITION)
        name = self.reader.text(members["matchType"])
        match = _MATCHES.get(name)
        if match is None:
            wanted = "one of FWP_MATCH_TYPE"
            self.reader.fail(members["matchType"], f"match type {name!r}", wanted, "FWP_E_INVALID_ENUMERATOR")
        field = self.reader.key(FieldKey, members["fieldKey"])
        return Condition(field, match, self.value(members["conditionValue"]))

    def _check(self, condition: Condition, item: Element, layer: Layer) -> None:
        """Refuses what Windows would refuse.

        A filters dump does not tell the fields of its layers: a field that no catalog has is one of a newer build, of
        whatever type; and where the older list of fields has another type than the newest, that is as good.
        """
        if not self.own_layers and not _is_known(condition.field):
            layer = replace(layer, fields=(_assumed(condition),))
        try:
            check(condition, layer, "")
        except PolicyError as error:
            if self.own_layers or not _fits(condition, catalog.layers("older")[layer.key]):
                self.reader.fail(item, error.found, error.wanted, error.code)
            self.older_fields = True


def _fits(condition: Condition, layer: Layer) -> bool:
    try:
        check(condition, layer, "")
    except PolicyError:
        return False
    return True


def _is_known(field: FieldKey) -> bool:
    return not field.is_guid and catalog.guid_of(field) is not None


def _assumed(condition: Condition) -> Field:
    """The field that the condition takes for granted."""
    value = condition.value
    kind = value.data.low.type if isinstance(value.data, Range) else value.type
    return Field(condition.field, FieldKind.IP_ADDRESS, _HELD.get(kind, kind))


_HELD: Final = {to: held for held, to in CONVERSIONS}  # what a field holds where a condition holds another type


Read = Callable[[Values, Element], Data]


def _unsigned(bits: int) -> Read:
    return lambda values, element: values.reader.unsigned(element, bits)


def _signed(bits: int) -> Read:
    return lambda values, element: values.reader.signed(element, bits)


def _leaf(read: Callable[[Reader, Element], Data]) -> Read:
    return lambda values, element: read(values.reader, element)


# data type -> the element that holds it, and its reader
MEMBERS: Final[Mapping[DataType, tuple[str, Read]]] = {
    **{kind: (f"uint{bits}", _unsigned(bits)) for kind, bits in UNSIGNED.items()},
    **{kind: (f"int{bits}", _signed(bits)) for kind, bits in SIGNED.items()},
    T.FLOAT: ("float32", _leaf(Reader.real)),
    T.DOUBLE: ("double64", _leaf(Reader.real)),
    T.BYTE_ARRAY16_TYPE: ("byteArray16", _leaf(Reader.v6)),
    T.BYTE_ARRAY6_TYPE: ("byteArray6", _leaf(Reader.mac)),
    T.BYTE_BLOB_TYPE: ("byteBlob", Values.blob),
    T.SID: ("sid", _leaf(Reader.sid)),
    T.SECURITY_DESCRIPTOR_TYPE: ("sd", Values.descriptor),
    T.UNICODE_STRING_TYPE: ("unicodeString", _leaf(Reader.text)),
    T.V4_ADDR_MASK: ("v4AddrMask", Values.v4_mask),
    T.V6_ADDR_MASK: ("v6AddrMask", Values.v6_mask),
    T.RANGE_TYPE: ("rangeValue", Values.range),
}
TYPES: Final = {f"FWP_{kind.name}": kind for kind in MEMBERS}
_CONDITION_ONLY: Final = frozenset({T.V4_ADDR_MASK, T.V6_ADDR_MASK, T.RANGE_TYPE})
# types of fields that no condition can hold (conditions.md 1)
_FIELD_ONLY: Final = frozenset(
    {
        "FWP_TOKEN_INFORMATION_TYPE",
        "FWP_TOKEN_ACCESS_INFORMATION_TYPE",
        "FWP_BITMAP_INDEX_TYPE",
        "FWP_BITMAP_ARRAY64_TYPE",
    }
)
