"""Conditional expressions of access control entries, in Windows' three-valued logic [MS-DTYP 2.4.4.17].

There an expression is true, false, or unknown: an attribute that the token lacks makes a comparison unknown. Two
types that cannot be compared, or a list where a single value is wanted, make the whole expression unknown. Unknown to
*us* is something else: the token's attributes were not told; they are taken to have the types they are compared with
[I]. So an expression has a `Verdict`, two formulas: what it takes to be true, and to be false; where neither holds it
is unknown to Windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tamiz.model.formula import FALSE, Atom, Formula, all_of, any_of, constant, negate
from tamiz.model.security import (
    Attribute,
    DomainAlias,
    Existence,
    Expression,
    Junction,
    Literals,
    Membership,
    Negation,
    Number,
    Relation,
    SecurityDescriptor,
    Token,
    Trustee,
)

Member = Callable[[Trustee], Formula]
Scalar = str | int | bytes | Trustee

_CASE_SENSITIVE: Final = 0x2  # flags of a claim [MS-DTYP 2.4.10.1]
_DISABLED: Final = 0x10


@dataclass(frozen=True, slots=True)
class Verdict:
    """What it takes for an expression to be true, and to be false."""

    true: Formula
    false: Formula


_UNKNOWN: Final = Verdict(FALSE, FALSE)


class _Failed(Exception):
    """A rule of the evaluation is broken, which makes the whole expression unknown [MS-DTYP 2.4.4.17.6]."""


@dataclass(frozen=True, slots=True)
class _Values:
    """One side of a relation. `exact`: texts are compared with regard to case."""

    items: tuple[Scalar, ...]
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Claims:
    """The attributes an expression may name, by their names in lower case. `of_token` None: not told."""

    of_token: Mapping[str, _Values] | None
    of_resource: Mapping[str, _Values]

    @classmethod
    def of(cls, token: Token, descriptor: SecurityDescriptor) -> Claims:
        """The token's attributes, and the resource attributes in the descriptor's SACL."""
        told = token.attributes
        folded = None if told is None else {name.casefold(): _Values(v) for name, v in told.items() if v}
        return cls(folded, dict(_resource_claims(descriptor)))

    def told(self, attribute: Attribute) -> bool:
        return attribute.is_resource or self.of_token is not None

    def values(self, attribute: Attribute) -> _Values | None:
        """The values of an attribute that was told; None: there is none of that name, in whatever case."""
        source = self.of_resource if attribute.is_resource else self.of_token or {}
        return source.get(attribute.name.casefold())


def _resource_claims(descriptor: SecurityDescriptor) -> Iterator[tuple[str, _Values]]:
    """A disabled claim, or one that repeats a value, is as if it were not there [O for the latter]."""
    for ace in descriptor.sacl or ():
        claim = ace.claim
        if claim is None or claim.flags & _DISABLED or not claim.values:
            continue
        values = _Values(claim.values, bool(claim.flags & _CASE_SENSITIVE))
        if len(_folded(values.items, values.exact)) == len(values.items):
            yield f"@resource.{claim.name}".casefold(), values


def evaluate(expression: Expression, claims: Claims, member: Member) -> Verdict:
    """The verdict on `expression`; `member` says what it takes for a SID to be in the token."""
    try:
        return _judge(expression, claims, member)
    except _Failed:
        return _UNKNOWN


def _judge(expression: Expression, claims: Claims, member: Member) -> Verdict:
    if isinstance(expression, Negation):
        inner = _judge(expression.operand, claims, member)
        return Verdict(inner.false, inner.true)
    if isinstance(expression, Junction):
        return _join(expression.operator, [_judge(e, claims, member) for e in expression.operands])
    if isinstance(expression, Membership):
        return _membership(expression, member)
    if isinstance(expression, Existence):
        return _existence(expression, claims)
    return _relation(expression, claims)


def _join(operator: str, parts: list[Verdict]) -> Verdict:
    """`&&` is false when one part is, and true when all are; `||` the other way round."""
    true, false = [p.true for p in parts], [p.false for p in parts]
    if operator == "&&":
        return Verdict(all_of(true), any_of(false))
    return Verdict(any_of(true), all_of(false))


def _certain(formula: Formula, negated: bool = False) -> Verdict:
    formula = negate(formula) if negated else formula
    return Verdict(formula, negate(formula))


def _open(expression: Expression) -> Verdict:
    """Nothing is known about the attributes: it may be true, false or unknown."""
    true = Atom(str(expression))
    return Verdict(true, all_of((negate(true), Atom(f"{expression} has an answer"))))


def _membership(expression: Membership, member: Member) -> Verdict:
    """Member_of wants every SID, Member_of_Any one; the Device_ forms ask about a token that is never told."""
    wanted = expression.operator.removeprefix("Not_")
    negated = wanted != expression.operator
    sids = [item for item in expression.sids.items if not isinstance(item, str | bytes | Number)]
    if len(sids) < len(expression.sids.items):
        raise _Failed
    if wanted.startswith("Device_"):
        return _certain(Atom(str(Membership(wanted, expression.sids))), negated)
    answers = [member(sid) for sid in sids]
    return _certain(any_of(answers) if wanted.endswith("_Any") else all_of(answers), negated)


def _existence(expression: Existence, claims: Claims) -> Verdict:
    attribute = expression.attribute
    if not expression.operator:
        return _bare(expression, claims)
    negated = expression.operator == "Not_Exists"
    if not claims.told(attribute):
        return _certain(Atom(f"Exists {attribute}"), negated)
    return _certain(constant(claims.values(attribute) is not None), negated)


def _bare(expression: Existence, claims: Claims) -> Verdict:
    """A name alone is true for a number other than 0 and for a text that is not empty."""
    if not claims.told(expression.attribute):
        return _open(expression)
    values = claims.values(expression.attribute)
    if values is None:
        return _UNKNOWN
    (first, *others) = values.items
    if others or not isinstance(first, str | int):
        raise _Failed
    return _certain(constant(bool(first)))


def _relation(relation: Relation, claims: Claims) -> Verdict:
    names = [side for side in (relation.left, relation.right) if isinstance(side, Attribute)]
    told = [name for name in names if claims.told(name)]
    if any(claims.values(name) is None for name in told):
        return _UNKNOWN
    left, right = _side(relation.left, claims), _side(relation.right, claims)
    if left is None or right is None:
        return _open(relation)
    if any(isinstance(item, DomainAlias) for item in (*left.items, *right.items)):
        return _open(relation)
    return _certain(constant(_compare(relation.operator, left, right)))


def _side(side: Attribute | Literals, claims: Claims) -> _Values | None:
    if isinstance(side, Attribute):
        return claims.values(side)
    return _Values(tuple(item.value if isinstance(item, Number) else item for item in side.items))


def _compare(operator: str, left: _Values, right: _Values) -> bool:
    """The answer of a relation; lists are sets, and only == != and the set operators take them."""
    if len({_kind(item) for item in (*left.items, *right.items)}) > 1:
        raise _Failed
    exact = left.exact or right.exact
    a, b = _folded(left.items, exact), _folded(right.items, exact)
    if operator in _SETS:
        return _SETS[operator](a, b)
    if len(left.items) != 1 or len(right.items) != 1 or _kind(left.items[0]) == "sid":
        raise _Failed
    return _ORDERS[operator](next(iter(a)), next(iter(b)))


def _kind(value: Scalar) -> str:
    return next((kind.__name__ for kind in (str, int, bytes) if isinstance(value, kind)), "sid")


def _folded(items: tuple[Scalar, ...], exact: bool) -> frozenset[Scalar]:
    """The values as a set, texts without regard to case unless a claim is flagged otherwise."""
    return frozenset(item.upper() if isinstance(item, str) and not exact else item for item in items)


_SETS: Final[Mapping[str, Callable[[frozenset[Scalar], frozenset[Scalar]], bool]]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "Contains": lambda a, b: a >= b,
    "Any_of": lambda a, b: bool(a & b),
    "Not_Contains": lambda a, b: not a >= b,
    "Not_Any_of": lambda a, b: not a & b,
}
_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
