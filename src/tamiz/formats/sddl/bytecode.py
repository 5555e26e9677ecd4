"""The expressions of conditional entries as bytes: "artx" and postfix tokens [MS-DTYP 2.4.4.17.4].

Reading is a machine with a stack, so that no nesting is too deep for it; what comes out is no deeper than the text
form allows, or it is refused. `ValueError` says what is wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Union

from tamiz.formats.sddl.expressions import (
    DEPTH,
    PREFIXES,
    RELATIONS,
    encode_name,
    join,
    split_name,
)
from tamiz.model.errors import shorten
from tamiz.model.security import (
    Attribute,
    Existence,
    Expression,
    Junction,
    Literal,
    Literals,
    Membership,
    Negation,
    Number,
    Relation,
)
from tamiz.model.sids import Sid

SIGNATURE: Final = b"artx"
_TOKENS: Final = 4096  # tokens of one expression that are read [I: a limit of ours]

_INTEGERS: Final = {1: 8, 2: 16, 3: 32, 4: 64}  # token -> bits
_TEXT, _OCTETS, _COMPOSITE, _SID = 0x10, 0x18, 0x50, 0x51
_SIGNS: Final = {1: "+", 2: "-", 3: ""}
_BASES: Final = {1: 8, 2: 10, 3: 16}
_OPERATORS: Final[Mapping[int, str]] = {
    0x80: "==",
    0x81: "!=",
    0x82: "<",
    0x83: "<=",
    0x84: ">",
    0x85: ">=",
    0x86: "Contains",
    0x87: "Exists",
    0x88: "Any_of",
    0x89: "Member_of",
    0x8A: "Device_Member_of",
    0x8B: "Member_of_Any",
    0x8C: "Device_Member_of_Any",
    0x8D: "Not_Exists",
    0x8E: "Not_Contains",
    0x8F: "Not_Any_of",
    0x90: "Not_Member_of",
    0x91: "Not_Device_Member_of",
    0x92: "Not_Member_of_Any",
    0x93: "Not_Device_Member_of_Any",
    0xA0: "&&",
    0xA1: "||",
    0xA2: "!",
}
_ATTRIBUTES: Final[Mapping[int, str]] = {0xF8: "", 0xF9: PREFIXES[0], 0xFA: PREFIXES[2], 0xFB: PREFIXES[1]}


def _codes(table: Mapping[int, str]) -> Mapping[str, int]:
    return {name: code for code, name in table.items()}


_OPERATOR_CODES: Final = _codes(_OPERATORS)
_ATTRIBUTE_CODES: Final = _codes(_ATTRIBUTES)
_SIGN_CODES: Final = _codes(_SIGNS)
_BASE_CODES: Final = {base: code for code, base in _BASES.items()}

# -- writing -------------------------------------------------------------------------------------------------------


def expression_bytes(expression: Expression) -> bytes:
    """The application data of a conditional entry, padded to four bytes; numbers are written as 64-bit ones."""
    data = SIGNATURE + _written(expression)
    return data + bytes(-len(data) % 4)


def _written(expression: Expression) -> bytes:
    if isinstance(expression, Junction):
        return _junction(expression)
    if isinstance(expression, Negation):
        return _written(expression.operand) + _operator("!")
    if isinstance(expression, Membership):
        return _literals(expression.sids) + _operator(expression.operator)
    if isinstance(expression, Existence):
        return _attribute(expression.attribute) + (_operator(expression.operator) if expression.operator else b"")
    right = expression.right
    written = _attribute(right) if isinstance(right, Attribute) else _literals(right)
    return _attribute(expression.left) + written + _operator(expression.operator)


def _junction(junction: Junction) -> bytes:
    first, *rest = map(_written, junction.operands)
    operator = _operator(junction.operator)
    return first + b"".join(part + operator for part in rest)


def _operator(name: str) -> bytes:
    return bytes((_OPERATOR_CODES[name],))


def _attribute(attribute: Attribute) -> bytes:
    prefix, name = split_name(attribute.name)
    return _sized(_ATTRIBUTE_CODES[prefix], name.encode("utf-16-le"))


def _literals(literals: Literals) -> bytes:
    data = b"".join(map(_literal, literals.items))
    return _sized(_COMPOSITE, data) if literals.composite else data


def _literal(item: Literal) -> bytes:
    if isinstance(item, str):
        return _sized(_TEXT, item.encode("utf-16-le"))
    if isinstance(item, bytes):
        return _sized(_OCTETS, item)
    if isinstance(item, Number):
        return struct.pack("<BqBB", 4, item.value, _SIGN_CODES[item.sign], _BASE_CODES[item.base])
    if not isinstance(item, Sid):
        raise ValueError(f"{item} hangs on the SID of a domain, which is not known")
    return _sized(_SID, item.to_bytes())


def _sized(token: int, data: bytes) -> bytes:
    return struct.pack("<BI", token, len(data)) + data


# -- reading -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Built:
    """An expression on the stack, with its depth; a bare attribute is none until it is used as one."""

    expression: Expression
    depth: int


_Item = Union[_Built, Attribute, Literals]


def expression_from_bytes(data: bytes) -> Expression:
    """The expression in the application data of a conditional entry."""
    if not data.startswith(SIGNATURE):
        raise ValueError(f"application data {data[:8].hex()} that is no conditional expression")
    stack: list[_Item] = []
    tokens = 0
    reader = _Reader(data, len(SIGNATURE))
    while not reader.done():
        tokens += 1
        if tokens > _TOKENS:
            raise ValueError(f"an expression of more than {_TOKENS} tokens")
        _step(stack, reader)
    if len(stack) != 1:
        raise ValueError(f"an expression that leaves {len(stack)} values, wanted one")
    return _truth(stack.pop()).expression


def _step(stack: list[_Item], reader: _Reader) -> None:
    code = reader.byte()
    if code in _ATTRIBUTES:
        stack.append(Attribute(encode_name(_ATTRIBUTES[code], reader.wide())))
    elif code == _COMPOSITE:
        stack.append(Literals(tuple(_items(reader.sized())), composite=True))
    elif code in _OPERATORS:
        stack.append(_applied(_OPERATORS[code], stack))
    else:
        stack.append(Literals((reader.literal(code),)))


def _items(data: bytes) -> Iterable[Literal]:
    inner = _Reader(data, 0)
    while inner.at < len(data):
        yield inner.literal(inner.byte())


def _applied(operator: str, stack: list[_Item]) -> _Item:
    """What an operator makes of the values it takes from the stack."""
    if len(stack) < (2 if operator in RELATIONS or operator in ("&&", "||") else 1):
        raise ValueError(f"{operator} finds too few values")
    right = stack.pop()
    if operator == "!":
        inner = _truth(right)
        return _Built(Negation(inner.expression), _deeper(inner.depth))
    if operator in ("&&", "||"):
        return _joined(operator, _truth(stack.pop()), _truth(right))
    if operator in RELATIONS:
        return _Built(_relation(operator, stack.pop(), right), 1)
    return _Built(_unary(operator, right), 1)


def _joined(operator: str, left: _Built, right: _Built) -> _Built:
    """A first operand that is such a junction is continued, so a long chain is one level."""
    same = isinstance(left.expression, Junction) and left.expression.operator == operator
    depth = max(left.depth if same else _deeper(left.depth), _deeper(right.depth))
    return _Built(join(operator, [left.expression, right.expression]), depth)


def _deeper(depth: int) -> int:
    if depth >= DEPTH - 1:
        raise ValueError(f"an expression nested more than {DEPTH} deep")
    return depth + 1


def _truth(item: _Item) -> _Built:
    if isinstance(item, Attribute):
        return _Built(Existence("", item), 1)
    if isinstance(item, Literals):
        raise ValueError("a literal where a truth value is wanted")
    return item


def _relation(operator: str, left: _Item, right: _Item) -> Relation:
    if not isinstance(left, Attribute) or isinstance(right, _Built):
        raise ValueError(f"{operator} does not compare an attribute with a value")
    if isinstance(right, Attribute) and not right.name.startswith("@"):
        raise ValueError(f"{operator} has the plain name {shorten(right.name)!r} at its right")
    return Relation(operator, left, right)


def _unary(operator: str, operand: _Item) -> Expression:
    if operator.endswith("Exists"):
        if not isinstance(operand, Attribute):
            raise ValueError(f"{operator} of something that is no attribute")
        return Existence(operator, operand)
    if not isinstance(operand, Literals):
        raise ValueError(f"{operator} of something other than literals")
    return Membership(operator, operand)


class _Reader:
    """A cursor over tokens."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def done(self) -> bool:
        """Whether nothing but padding is left; it is at most three bytes."""
        rest = self.data[self.at :]
        return len(rest) <= 3 and not any(rest)

    def take(self, size: int) -> bytes:
        found = self.data[self.at : self.at + size]
        if len(found) < size:
            raise ValueError(f"a token of {size} bytes at {self.at} of {len(self.data)}")
        self.at += size
        return found

    def byte(self) -> int:
        return self.take(1)[0]

    def sized(self) -> bytes:
        (size,) = struct.unpack("<I", self.take(4))
        return self.take(size)

    def wide(self) -> str:
        return self.sized().decode("utf-16-le")

    def literal(self, code: int) -> Literal:
        if code in _INTEGERS:
            return self.number(_INTEGERS[code])
        if code == _TEXT:
            return self.text()
        if code == _OCTETS:
            return self.sized()
        if code == _SID:
            return Sid.from_bytes(self.sized())
        raise ValueError(f"token {code:#04x} at {self.at - 1}, which is unknown there")

    def number(self, bits: int) -> Number:
        value, sign, base = struct.unpack("<qBB", self.take(10))
        if sign not in _SIGNS or base not in _BASES:
            raise ValueError(f"a number of sign {sign} and base {base}, wanted 1 to 3 each")
        if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            raise ValueError(f"the number {value} in {bits} bits")
        unsaid = sign == 3 and base == 2 and value < 0
        return Number(value, "-" if unsaid else _SIGNS[sign], _BASES[base])

    def text(self) -> str:
        found = self.wide()
        if '"' in found or "\0" in found:
            raise ValueError(f"the text {shorten(found)!r} has a quotation mark or NUL, which SDDL cannot write")
        return found
