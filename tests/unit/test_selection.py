"""Selections: what a question asks for after adding up, complete and free of contradictions."""

from __future__ import annotations

from fractions import Fraction

import pytest

from fedstats.core.expression import DEPTH_MAX, Call, Column, NumberLiteral, Op
from fedstats.core.selection import (
    AggregateCall,
    AggregateKind,
    Arithmetic,
    Formula,
    KeyOutput,
    Output,
    Selection,
    aggregate_calls,
)
from fedstats.errors import TooLarge, ValueInvalid

AGE = Column("age")
COUNT = AggregateCall(AggregateKind.COUNT_ROWS)
TOTAL = AggregateCall(AggregateKind.SUM, AGE)
TWO = NumberLiteral(Fraction(2))


def test_aggregates_have_their_arguments() -> None:
    """A count of all rows has no argument; a sum cannot be without one."""
    with pytest.raises(ValueInvalid):
        AggregateCall(AggregateKind.COUNT_ROWS, AGE)
    for kind in (AggregateKind.COUNT, AggregateKind.SUM, AggregateKind.AVG, AggregateKind.SHARE):
        with pytest.raises(ValueInvalid):
            AggregateCall(kind)
    assert AggregateCall(AggregateKind.COUNT_PEOPLE).argument is None


def test_formulas_are_arithmetic_of_aggregates() -> None:
    """Between aggregates stand the four operations, and a column of the answer has at least one aggregate."""
    with pytest.raises(ValueInvalid):
        Arithmetic(Op.LEAST, COUNT, TOTAL)
    with pytest.raises(ValueInvalid):
        Output("two", TWO)
    formula = Arithmetic(Op.DIVIDE, TOTAL, Arithmetic(Op.ADD, COUNT, TWO))
    assert aggregate_calls(formula) == (TOTAL, COUNT)


def test_formulas_are_bounded() -> None:
    """A formula is no deeper than an expression."""
    formula: Formula = COUNT
    for _ in range(DEPTH_MAX - 1):
        formula = Arithmetic(Op.ADD, formula, TWO)
    with pytest.raises(TooLarge):
        Arithmetic(Op.ADD, formula, TWO)


def test_every_column_and_key_once() -> None:
    """Two columns of one name, or one key written in two ways, would make an answer that cannot be read."""
    wait = Column("wait_days")
    one, other = Call(Op.EQUAL, (AGE, wait)), Call(Op.EQUAL, (wait, AGE))
    outputs = (Output("n", COUNT),)
    with pytest.raises(ValueInvalid, match="same name"):
        Selection("waiting", (KeyOutput("n", AGE),), outputs)
    with pytest.raises(ValueInvalid, match="twice"):
        Selection("waiting", (KeyOutput("a", one), KeyOutput("b", other)), outputs)
    with pytest.raises(TooLarge):
        Selection("waiting", (), ())
    assert Selection("waiting", (KeyOutput("department", None),), outputs).by_department
    assert not Selection("waiting", (KeyOutput("a", one),), outputs).by_department
