"""Expressions: their three meanings agree, for every tree that hypothesis can think of."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from strategies import DATASET, conditions, expressions, keys, numbers, rows

from fedstats.core.domain import Categories, Dates, Domain, Numbers, cells_of, truncate
from fedstats.core.evaluation import Row, evaluate
from fedstats.core.expression import Call, Expression, Op, normalise
from fedstats.core.grid import STEPS_MAX, Grid, centred_grid, zero_grid
from fedstats.core.inference import domain_of


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


@given(expressions(), rows())
def test_normal_form_keeps_the_meaning(expression: Expression, row: Row) -> None:
    """The normal form has the same values and the same domain: a recorded answer is the right one."""
    normal = normalise(expression)
    assert domain_of(normal, DATASET) == domain_of(expression, DATASET)
    assert evaluate(normal, DATASET, row) == evaluate(expression, DATASET, row)


@given(expressions())
def test_normal_form_is_final(expression: Expression) -> None:
    """Normalising twice is normalising once: what was signed is what is checked."""
    normal = normalise(expression)
    assert normalise(normal) == normal


@given(expressions(), st.randoms(use_true_random=False))
def test_order_of_writing_does_not_matter(expression: Expression, random: Random) -> None:
    """However the sides of + * = AND OR and the values of IN are ordered, the normal form is one."""
    assert normalise(_shuffled(expression, random)) == normalise(expression)


def _shuffled(expression: Expression, random: Random) -> Expression:
    if not isinstance(expression, Call):
        return expression
    args = [_shuffled(arg, random) for arg in expression.args]
    fixed = {Op.ADD: 0, Op.MULTIPLY: 0, Op.EQUAL: 0, Op.AND: 0, Op.OR: 0, Op.IN: 1}.get(
        expression.op, len(args)
    )
    free = args[fixed:]
    random.shuffle(free)
    return Call(expression.op, (*args[:fixed], *free))


@given(keys(), rows())
def test_every_key_has_its_cell(key: Expression, row: Row) -> None:
    """Each row falls into one of the public cells of a key: none is left out, none is invented."""
    assert evaluate(key, DATASET, row) in cells_of(domain_of(key, DATASET))


@given(st.one_of(numbers(), conditions()), st.sampled_from([centred_grid, zero_grid]), rows())
def test_grids_hold_every_value(expression: Expression, grid_of: Callable[[Domain], Grid], row: Row) -> None:
    """A value is off its integer on the grid by half a step at most, and by nothing where steps suffice."""
    domain = domain_of(expression, DATASET)
    code = evaluate(expression, DATASET, row)
    step = domain.step if isinstance(domain, Numbers) else Fraction(1)
    lo, hi = (domain.lo, domain.hi) if isinstance(domain, Numbers) else (Fraction(0), Fraction(1))
    if code is None or lo == hi:
        return
    grid = grid_of(domain)
    off = abs(grid.centre + grid.quantise(code * step) * grid.step - code * step)
    assert off <= grid.step / 2
    reach = hi - lo if grid_of is centred_grid else max(abs(lo), abs(hi))
    if reach / step <= STEPS_MAX:
        assert off == 0
