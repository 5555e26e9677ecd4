"""Boolean formulas over named atoms: what an answer hangs on when something about it is not known.

An access check of a token that is known in part gives such a formula: each atom is one thing about the token ("is in
S-1-5-32-544"). The makers `negate`, `all_of` and `any_of` simplify constants away, so that a formula without an atom
is always `TRUE` or `FALSE`, and join what is joined alike, so that no `And` stands in an `And`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Union


@dataclass(frozen=True, slots=True)
class Constant:
    value: bool


@dataclass(frozen=True, slots=True)
class Atom:
    """One thing that is not known; equal names are the same thing."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    operand: Formula


@dataclass(frozen=True, slots=True)
class And:
    operands: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Or:
    operands: tuple[Formula, ...]


Formula = Union[Constant, Atom, Not, And, Or]

TRUE: Final = Constant(True)
FALSE: Final = Constant(False)


def constant(value: bool) -> Constant:
    return TRUE if value else FALSE


def negate(formula: Formula) -> Formula:
    if isinstance(formula, Constant):
        return constant(not formula.value)
    return formula.operand if isinstance(formula, Not) else Not(formula)


def all_of(formulas: Iterable[Formula]) -> Formula:
    """True when each of `formulas` is; TRUE for none. No more are taken from it than it needs."""
    return _joined(formulas, And, decisive=False)


def any_of(formulas: Iterable[Formula]) -> Formula:
    """True when one of `formulas` is; FALSE for none. No more are taken from it than it needs."""
    return _joined(formulas, Or, decisive=True)


def _joined(formulas: Iterable[Formula], kind: type[And] | type[Or], *, decisive: bool) -> Formula:
    """The distinct operands in their order, those of an operand of the same `kind` instead of it."""
    parts: dict[Formula, None] = {}
    for formula in formulas:
        if isinstance(formula, kind):
            parts.update(dict.fromkeys(formula.operands))
        elif not isinstance(formula, Constant):
            parts[formula] = None
        elif formula.value is decisive:
            return formula
    if len(parts) == 1:
        return next(iter(parts))
    return kind(tuple(parts)) if parts else constant(not decisive)
