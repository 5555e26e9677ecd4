"""The expressions of conditional entries in SDDL: `(WIN://SYSAPPID Contains "x")` [MS-DTYP 2.5.1.1].

In comes the text between the outer parentheses; out comes an `Expression`, whose `str` is the text again. `&&` binds
closer than `||`; both take any number of operands. What Windows refuses is refused: a plain name at the right of an
operator, a negation of something without parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from tamiz.formats.sddl.names import read_sid
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

DEPTH: Final = 32  # levels of parentheses and negations that are read [I: a limit of ours]

MEMBERSHIPS: Final = tuple(
    f"{negation}{device}Member_of{any_}"
    for negation in ("", "Not_")
    for device in ("", "Device_")
    for any_ in ("", "_Any")
)
EXISTENCES: Final = ("Exists", "Not_Exists")
RELATIONS: Final = (
    *("==", "!=", "<=", ">=", "<", ">"),
    *("Contains", "Any_of", "Not_Contains", "Not_Any_of"),
)
PREFIXES: Final = ("@USER.", "@DEVICE.", "@RESOURCE.")  # in capitals, as Windows prints them [O]

_WORDS: Final[Mapping[str, str]] = {w.casefold(): w for w in (*MEMBERSHIPS, *EXISTENCES, *RELATIONS)}
_SPACE: Final = re.compile(r"[\t-\r ]*", re.ASCII)
_SIGN: Final = re.compile(r"==|!=|<=|>=|<|>")
_NAME: Final = re.compile(r"@[^\t-\r !&()<>=|\",]+|[A-Za-z0-9:./_%][A-Za-z0-9:./_%@]*")
_TEXT: Final = re.compile(r'"([^"\0]*)"')
_NUMBER: Final = re.compile(r"([+-]?)(0x[0-9a-f]+|0[0-7]+|0|[1-9][0-9]*)(?![0-9a-z])", re.ASCII | re.IGNORECASE)
_OCTETS: Final = re.compile(r"#([0-9a-f]*)(?![0-9a-z])", re.ASCII | re.IGNORECASE)
_SID: Final = re.compile(r"SID\(([^()]{0,256})\)", re.ASCII | re.IGNORECASE)


def read_expression(text: str) -> Expression:
    """The expression that `text` is; `ValueError` says what is wrong with it."""
    reader = _Reader(text)
    expression = reader.either(DEPTH)
    reader.end()
    return expression


class _Reader:
    """A cursor over the text of an expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    # -- tokens ----------------------------------------------------------------------------------------------

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The match at the cursor, after spaces, which the cursor then passes."""
        self.space()
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def space(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match is not None else self.at

    def eat(self, sign: str) -> bool:
        self.space()
        found = self.text.startswith(sign, self.at)
        self.at += len(sign) if found else 0
        return found

    def wrong(self, wanted: str) -> ValueError:
        found = shorten(self.text[self.at :], 24) or "its end"
        return ValueError(f"expression at {self.at}: {found!r}, wanted {wanted}")

    def end(self) -> None:
        self.space()
        if self.at < len(self.text):
            raise self.wrong("&&, || or the end")

    # -- expressions -----------------------------------------------------------------------------------------

    def either(self, depth: int) -> Expression:
        return self.chain("||", lambda: self.chain("&&", lambda: self.term(depth)))

    def chain(self, operator: str, part: Callable[[], Expression]) -> Expression:
        operands = [part()]
        while self.eat(operator):
            operands.append(part())
        return join(operator, operands)

    def term(self, depth: int) -> Expression:
        if depth == 0:
            raise ValueError(f"expression at {self.at}: nested more than {DEPTH} deep")
        self.space()
        if self.text.startswith("!", self.at) and not self.text.startswith("!=", self.at):
            return self.negation(depth)
        if self.eat("("):
            inner = self.either(depth - 1)
            if not self.eat(")"):
                raise self.wrong("a closing parenthesis")
            return inner
        return self.test()

    def negation(self, depth: int) -> Expression:
        self.at += 1
        self.space()
        if not self.text.startswith(("!", "(", "@"), self.at):
            raise self.wrong("a parenthesis after !")
        return Negation(self.term(depth - 1))

    def test(self) -> Expression:
        """A membership, an existence, a relation, or a name alone."""
        match = self.take(_NAME)
        if match is None:
            raise self.wrong("the name of an attribute")
        word = _WORDS.get(match[0].casefold(), "")
        if word in MEMBERSHIPS:
            return Membership(word, self.literals())
        if word in EXISTENCES:
            return Existence(word, self.attribute())
        return self.relation(Attribute(plain_name(match[0])))

    def relation(self, left: Attribute) -> Expression:
        match = self.take(_SIGN)
        if match is None:
            before = self.at
            match = self.take(_NAME)
            if match is not None and match[0].casefold() not in _WORDS:
                self.at = before
                raise self.wrong("an operator")
        if match is None:
            return Existence("", left)
        operator = _WORDS[match[0].casefold()]
        if operator not in RELATIONS:
            raise ValueError(f"expression at {self.at}: {operator} is not an operator of two sides")
        return Relation(operator, left, self.operand())

    def operand(self) -> Attribute | Literals:
        self.space()
        if self.text.startswith("@", self.at):
            return self.attribute()
        return self.literals()

    def attribute(self) -> Attribute:
        match = self.take(_NAME)
        if match is None:
            raise self.wrong("the name of an attribute")
        return Attribute(plain_name(match[0]))

    # -- literals --------------------------------------------------------------------------------------------

    def literals(self) -> Literals:
        """A literal or a list of them, in any number of parentheses."""
        opened = 0
        while self.eat("("):
            opened += 1
        found = self.listed() if self.eat("{") else Literals((self.literal(),))
        for _ in range(opened):
            if not self.eat(")"):
                raise self.wrong("a closing parenthesis")
        return found

    def listed(self) -> Literals:
        items: list[Literal] = []
        while not self.eat("}"):
            if items and not self.eat(","):
                raise self.wrong("a comma or a closing brace")
            items.append(self.literal())
        return Literals(tuple(items), composite=True)

    def literal(self) -> Literal:
        if match := self.take(_TEXT):
            return match[1]
        if match := self.take(_NUMBER):
            return read_number(match[0])
        if match := self.take(_OCTETS):
            return read_octets(match[1])
        if match := self.take(_SID):
            return read_sid(match[1].strip())
        raise self.wrong("a text, a number, #bytes or SID(...)")


def join(operator: str, operands: list[Expression]) -> Expression:
    """The operands joined by `operator`; a first operand that is such a junction is continued."""
    if len(operands) == 1:
        return operands[0]
    first, *rest = operands
    if isinstance(first, Junction) and first.operator == operator:
        return Junction(operator, (*first.operands, *rest))
    return Junction(operator, tuple(operands))


def read_number(text: str) -> Number:
    """A number with its sign and base; without a sign, hexadecimal and octal ones may fill all 64 bits."""
    sign = text[0] if text[0] in "+-" else ""
    digits = text[len(sign) :]
    base = 16 if digits[:2].lower() == "0x" else 8 if digits[0] == "0" and len(digits) > 1 else 10
    if len(digits) > 64:
        raise ValueError(f"number {shorten(text)!r} has more than 64 bits")
    value = int(digits, base)
    if not sign and base != 10 and 1 << 63 <= value < 1 << 64:
        value -= 1 << 64
    return Number(-value if sign == "-" else value, sign, base)


def read_octets(digits: str) -> bytes:
    """Bytes in hexadecimal; an odd number of digits begins with a 0 left out [O]."""
    return bytes.fromhex("0" * (len(digits) % 2) + digits)


# -- attribute names -----------------------------------------------------------------------------------------------

_ESCAPE: Final = re.compile(r"%([0-9a-fA-F]{4})", re.ASCII)
_PLAIN: Final = re.compile(r"[A-Za-z0-9:./_]", re.ASCII)
_PREFIXED: Final = re.compile(r"[A-Za-z0-9:./_#$'*+;?@\[\\\]^`{}~-]", re.ASCII)


def plain_name(spelling: str) -> str:
    """The one spelling of an attribute's name that is kept: its prefix in capitals, escapes where they must be."""
    if not spelling.startswith("@"):
        return encode_name("", decode_name(spelling))
    for prefix in PREFIXES:
        if spelling[: len(prefix)].upper() == prefix:
            return encode_name(prefix, decode_name(spelling[len(prefix) :]))
    raise ValueError(f"attribute {shorten(spelling)!r} begins with none of {', '.join(PREFIXES)}")


def split_name(name: str) -> tuple[str, str]:
    """The prefix ("" for a local attribute) and the decoded rest of a name as `plain_name` spells it."""
    prefix = next((p for p in PREFIXES if name.startswith(p)), "")
    return prefix, decode_name(name[len(prefix) :])


def decode_name(text: str) -> str:
    """A name without its %XXXX escapes, each of which is one UTF-16 unit."""
    if "%" in _ESCAPE.sub("", text):
        raise ValueError(f"attribute {shorten(text)!r} has a % without four hexadecimal digits")
    units = _ESCAPE.sub(lambda m: chr(int(m[1], 16)), text)
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def encode_name(prefix: str, name: str) -> str:
    """The spelling of a name in SDDL; `ValueError` for one that has none. An operator's name is escaped."""
    if not name or "\0" in name:
        raise ValueError("the name of an attribute is empty or has a NUL in it")
    if not prefix and name.casefold() in _WORDS:
        return _escaped(name[0]) + name[1:]
    allowed = _PREFIXED if prefix else _PLAIN
    return prefix + "".join(ch if allowed.match(ch) else _escaped(ch) for ch in name)


def _escaped(ch: str) -> str:
    data = ch.encode("utf-16-be")
    return "".join(f"%{data[n]:02x}{data[n + 1]:02x}" for n in range(0, len(data), 2))
