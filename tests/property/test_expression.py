"""Expressions: their three meanings agree, for every tree that hypothesis can think of."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given

from fedstats.core.domain import Categories, Dates, Numbers, cells_of, truncate
from fedstats.core.evaluation import Row, evaluate
from fedstats.core.expression import Expression, normalise
from fedstats.core.inference import domain_of
from strategies import DATASET, expressions, keys, rows


@given(expressions(), rows())
def test_values_lie_within_the_domain(expression: Expression, row: Row) -> None:
    """Whatever is in a row, an expression's value is one that its domain declares: bounds need no data."""
    domain = domain_of(expression, DATASET)
    code = evaluate(expression, DATASET, row)
    if code is None:
        assert domain.nullable
    elif isinstance(domain, Numbers):
        assert domain.lo_code <= code <= domain.hi_code
    elif isinstance(domain, Categories):
        assert 0 <= code < len(domain.labels)
    elif isinstance(domain, Dates):
        assert domain.lo <= code <= domain.hi
        assert truncate(code, domain.every) == code
    else:
        assert code in (0, 1)
