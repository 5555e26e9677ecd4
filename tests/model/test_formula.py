"""Formulas: the makers simplify constants away and keep the meaning."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamiz.model.formula import (
    FALSE,
    TRUE,
    And,
    Atom,
    Constant,
    Formula,
    Not,
    Or,
    all_of,
    any_of,
    constant,
    negate,
)

A, B, C = (Atom(name) for name in "ABC")


@pytest.mark.parametrize(
    ("made", "formula"),
    [
        pytest.param(all_of(()), TRUE, id="all of none"),
        pytest.param(any_of(()), FALSE, id="one of none"),
        pytest.param(all_of((A,)), A, id="all of one"),
        pytest.param(all_of((TRUE, A)), A, id="what is true does not matter to all"),
        pytest.param(all_of((FALSE, A)), FALSE, id="what is false decides"),
        pytest.param(any_of((FALSE, A)), A, id="what is false does not matter to one"),
        pytest.param(any_of((A, TRUE)), TRUE, id="what is true decides"),
        pytest.param(all_of((A, B, A)), And((A, B)), id="the same twice is once"),
        pytest.param(all_of((A, And((B, C)))), And((A, B, C)), id="all of all is flat"),
        pytest.param(any_of((Or((A, B)), C)), Or((A, B, C)), id="one of one is flat"),
        pytest.param(any_of((A, And((B, C)))), Or((A, And((B, C)))), id="one of all is not"),
        pytest.param(negate(TRUE), FALSE, id="not true"),
        pytest.param(negate(negate(A)), A, id="not not"),
    ],
)
def test_makers(made: Formula, formula: Formula) -> None:
    assert made == formula


def value(formula: Formula, world: Mapping[str, bool]) -> bool:
    if isinstance(formula, Constant):
        return formula.value
    if isinstance(formula, Atom):
        return world[formula.name]
    if isinstance(formula, Not):
        return not value(formula.operand, world)
    values = [value(operand, world) for operand in formula.operands]
    return all(values) if isinstance(formula, And) else any(values)


def plain(formula: Formula) -> bool:
    """Whether no constant stands inside."""
    if isinstance(formula, Not):
        return not isinstance(formula.operand, Constant) and plain(formula.operand)
    if isinstance(formula, And | Or):
        return all(not isinstance(operand, Constant | type(formula)) and plain(operand) for operand in formula.operands)
    return True


formulas: st.SearchStrategy[Formula] = st.recursive(
    st.sampled_from((TRUE, FALSE, A, B, C)),
    lambda inner: st.one_of(
        inner.map(negate), st.lists(inner, max_size=3).map(all_of), st.lists(inner, max_size=3).map(any_of)
    ),
    max_leaves=8,
)


@given(st.lists(formulas, max_size=3))
@settings(deadline=None)
def test_the_makers_keep_the_meaning(parts: list[Formula]) -> None:
    assert all(map(plain, (all_of(parts), any_of(parts))))
    for values in product((False, True), repeat=3):
        world = dict(zip("ABC", values, strict=True))
        answers = [value(part, world) for part in parts]
        assert value(all_of(parts), world) == all(answers)
        assert value(any_of(parts), world) == any(answers)
        assert [value(negate(part), world) for part in parts] == [not answer for answer in answers]


def test_a_constant_is_one_of_two() -> None:
    assert (constant(True), constant(False)) == (TRUE, FALSE)
