"""The one statement that computes a GroupedSums over an edition.

The table of an edition has the dataset's columns as integer codes and `_person`: a number that the rows of
one person share, NULL where a person has only one row (and in datasets whose unit is the row). Its rows are
numbered (`rowid`), those of one person one after the other. A second table gives each number of a person a
secret pseudonym, which stays the same when other people come or go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce

from sqlglot import exp

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.bound import WEIGHT_ONE, Bound, BoundKind
from fedstats.core.domain import Texts
from fedstats.core.expression import Column, Expression
from fedstats.core.grid import Grid
from fedstats.core.inference import domain_of
from fedstats.core.privacy import Contribution, UnitKind
from fedstats.core.schema import ROWS_OF_ONE_PERSON_MAX, Dataset
from fedstats.sql.integers import Integer, divide_half_up
from fedstats.sql.render import Rendering, column_sql

ROWS_TABLE, PEOPLE_TABLE = "rows", "people"
PERSON, PSEUDONYM = "_person", "_pseudonym"
NAMED_TABLE, NAMED_VALUE = "_named", "value"
"""The values of the open key that passed the threshold."""
KEY_PARAMETER = "key"
FIRST_PARAMETER, LAST_PARAMETER = "first_row", "last_row"
ROW_NUMBER = "rowid"
_NTH, _ROW, _COUNT, _SQUARES, _ROOT, _WEIGHT = "_nth", "_row", "_count", "_squares", "_root", "_weight"


def key_name(position: int) -> str:
    """The column of the result that holds the codes of a key."""
    return f"_key_{position}"


def measure_name(position: int) -> str:
    """The column of the result that holds a measure."""
    return f"_measure_{position}"


def parameters_of(statement: str) -> frozenset[str]:
    """The names of what is bound when the statement is run; `$` stands for nothing else in it."""
    return frozenset(re.findall(r"\$(\w+)", statement))


def grouped_statement(
    aggregate: GroupedSums,
    *,
    dataset: Dataset,
    where: Expression | None,
    contribution: Contribution,
    named: bool = False,
) -> exp.Select:
    """One row per cell that has rows: the codes of the keys, then the measures.

    It is run for a part of the edition at a time and the results are added up, so that the memory it takes
    does not depend on how many people there are: whoever runs it binds the numbers of the first and the last
    row of a part. The rows of one person must lie in one part where `groups_persons` says so.

    With `cells_max` below `rows_max`, a person with more cells keeps those with the least hash of `$key`,
    person and cell, for all measures alike; means and weights are of the rows in these.

    With `named`, only rows count whose value of the open key is in the table `_named`, or is missing.
    """
    values = _values(aggregate, dataset)
    bounded = _bounded(aggregate, dataset=dataset, contribution=contribution)
    counted = {m.expression for m in aggregate.measures if m.kind is MeasureKind.PEOPLE}
    persons = groups_persons(aggregate, dataset=dataset, contribution=contribution)
    rows = _rows(aggregate, values, dataset=dataset, where=where, persons=persons)
    if named and (key := aggregate.open_key(dataset)) is not None:
        rows = rows.where(_is_named(key.name))
    measures = [(measure, _value(measure, values)) for measure in aggregate.measures]
    # Free text goes last: what is hashed of a cell holds a sign between keys, and codes do not have it.
    keys = [
        key_name(i)
        for i, _ in sorted(
            enumerate(aggregate.key_domains(dataset)), key=lambda key: isinstance(key[1], Texts)
        )
    ]
    bound = aggregate.bound.on(dataset)
    if bounded or bound.kind is not BoundKind.ROWS or (persons and len(counted) > 1):
        return _by_person(keys, measures, rows, bound, contribution if bounded else None)
    totals = [_total(measure, value, persons=persons) for measure, value in measures]
    return _grouped(keys, totals).from_(rows.subquery(_ROW))


def groups_persons(aggregate: GroupedSums, *, dataset: Dataset, contribution: Contribution) -> bool:
    """Whether the statement looks at the rows of one person together."""
    counted = any(measure.kind is MeasureKind.PEOPLE for measure in aggregate.measures)
    bounded = _bounded(aggregate, dataset=dataset, contribution=contribution)
    bounded = bounded or aggregate.bound.kind is not BoundKind.ROWS
    return _has_persons(dataset) and (bounded or counted)


def _bounded(aggregate: GroupedSums, *, dataset: Dataset, contribution: Contribution) -> bool:
    """Whether somebody may have rows in more cells than count."""
    if not _has_persons(dataset) or contribution.cells_max >= contribution.rows_max:
        return False
    return aggregate.cells(dataset) > contribution.cells_max


def _has_persons(dataset: Dataset) -> bool:
    """Whether somebody may have several rows."""
    return dataset.unit.kind is UnitKind.PERSON and dataset.rows_max > 1


_Value = tuple[Expression, Grid | None]


def _values(aggregate: GroupedSums, dataset: Dataset) -> list[_Value]:
    """What a row contributes besides itself, each thing once: a sum's integer, or a value that may miss."""
    wanted = [
        (measure.expression, measure.grid)
        for measure in aggregate.measures
        if measure.expression is not None
        and (measure.grid is not None or domain_of(measure.expression, dataset).nullable)
    ]
    return list(dict.fromkeys(wanted))


def _value(measure: Measure, values: Sequence[_Value]) -> exp.Column | None:
    """The column of the measure's value; None where every row counts."""
    if measure.expression is None or (measure.expression, measure.grid) not in values:
        return None
    return column_sql(f"_value_{values.index((measure.expression, measure.grid))}")


def _rows(
    aggregate: GroupedSums,
    values: Sequence[_Value],
    *,
    dataset: Dataset,
    where: Expression | None,
    persons: bool,
) -> exp.Select:
    """What is taken from each row that meets the condition: keys, values, and whose row it is."""
    rendering = Rendering(dataset)
    columns = [
        exp.alias_(_key(rendering, key), key_name(i), quoted=True) for i, key in enumerate(aggregate.keys)
    ]
    for i, (expression, grid) in enumerate(values):
        integer = rendering.grid_integer(expression, grid) if grid else rendering.integer(expression)
        columns.append(exp.alias_(integer.sql, f"_value_{i}", quoted=True))
    if persons:
        columns.append(column_sql(PERSON))
    condition = None if where is None else rendering.condition(where)
    part = exp.select(exp.Star()).from_(exp.table_(ROWS_TABLE, quoted=True)).where(_in_part())
    table = rendering.source(part.subquery("_part"))
    rows = exp.select(*(columns or [exp.Star()])).from_(table)
    return rows if condition is None else rows.where(condition)


def _key(rendering: Rendering, key: Expression) -> exp.Expr:
    """The code of a key; an open key is its text."""
    if isinstance(key, Column) and isinstance(rendering.domain(key), Texts):
        return column_sql(key.name)
    return rendering.integer(key).sql


def _is_named(column: str) -> exp.Expr:
    listed = exp.select(column_sql(NAMED_VALUE)).from_(exp.table_(NAMED_TABLE, quoted=True))
    missing = exp.Is(this=column_sql(column), expression=exp.Null())
    return exp.or_(missing, exp.In(this=column_sql(column), query=listed.subquery()))


def _total(measure: Measure, value: exp.Column | None, *, persons: bool) -> exp.Expr:
    """The measure over the rows of a cell."""
    if measure.kind is MeasureKind.SUM and value is not None:
        return _whole(exp.Sum(this=value))
    if measure.kind is MeasureKind.ROWS or not persons:
        return _count(value)
    # Rows without a person number are a person each; of the others, a person counts once.
    person: exp.Expr = column_sql(PERSON)
    if value is not None:
        person = exp.Case(ifs=[exp.If(this=_not_null(value), true=person)])
    several = exp.Count(this=exp.Distinct(expressions=[person]))
    alone = exp.Sub(this=_count(value), expression=exp.Count(this=person.copy()))
    return exp.Add(this=several, expression=alone)


def _in_part() -> exp.Expr:
    return exp.Between(
        this=column_sql(ROW_NUMBER),
        low=exp.Placeholder(this=FIRST_PARAMETER),
        high=exp.Placeholder(this=LAST_PARAMETER),
    )


def _grouped(keys: Sequence[str], measures: Sequence[exp.Expr]) -> exp.Select:
    named = [exp.alias_(sql, measure_name(i), quoted=True) for i, sql in enumerate(measures)]
    columns = [column_sql(key) for key in keys]
    return exp.select(*columns, *named).group_by(*(column.copy() for column in columns))


def _by_person(
    keys: Sequence[str],
    measures: Sequence[tuple[Measure, exp.Column | None]],
    rows: exp.Select,
    bound: Bound,
    contribution: Contribution | None,
) -> exp.Select:
    """First per person and cell, then per cell: one table of groups, however many measures count people.

    With a `contribution`, at most its number of cells of each person.
    """
    weighted = bound.kind is BoundKind.NORM
    per_person = [_share(measure, value, bound) for measure, value in measures]
    several = _grouped([PERSON, *keys], per_person).from_(_ROW).where(_not_null(column_sql(PERSON)))
    names = [*keys, *(measure_name(i) for i in range(len(measures)))]
    held = [PERSON, *names, _COUNT] if weighted else names
    if weighted:
        several = several.select(exp.alias_(_count(None), _COUNT, quoted=True))
    if contribution is not None:
        several = _least_cells(keys, held, several, contribution.cells_max)
    if weighted:
        several = _weighted(keys, [measure for measure, _ in measures], several, bound)
    several = exp.select(*map(column_sql, names)).from_(several.subquery("_several"))
    # Whoever has one row has it with the weight 1, and is their own mean.
    totals = [_times(_total(m, v, persons=False), _unit(m, bound)) for m, v in measures]
    nobody = exp.Is(this=column_sql(PERSON), expression=exp.Null())
    alone = _grouped(keys, totals).from_(_ROW).where(nobody)
    both = exp.Union(this=alone, expression=several, distinct=False)
    sums = [_whole(exp.Sum(this=column_sql(measure_name(i)))) for i in range(len(measures))]
    # Read twice rather than kept: what is kept would grow with the rows.
    return _grouped(keys, sums).from_(both.subquery("_both")).with_(_ROW, as_=rows, materialized=False)


def _unit(measure: Measure, bound: Bound) -> int:
    return 1 if measure.kind is MeasureKind.PEOPLE else bound.unit


def _weighted(
    keys: Sequence[str], measures: Sequence[Measure], shares: exp.Select, bound: Bound
) -> exp.Select:
    """The shares of each person in each cell times the person's weight, as `Bound.weight` defines it."""
    rows = column_sql(_COUNT)
    squares = exp.Window(
        this=exp.Sum(this=exp.Mul(this=rows, expression=rows.copy())), partition_by=[column_sql(PERSON)]
    )
    most = exp.Literal.number((WEIGHT_ONE * bound.norm) ** 2)
    names = [*keys, *(measure_name(i) for i in range(len(measures)))]

    def also(sql: exp.Expr, name: str, below: exp.Select, kept: Sequence[str]) -> exp.Select:
        columns = [*map(column_sql, kept), exp.alias_(sql, name, quoted=True)]
        return exp.select(*columns).from_(below.subquery(f"_with{name}"))

    bounded = exp.IntDiv(this=most, expression=exp.cast(squares, "BIGINT"))
    ratio = also(bounded, _SQUARES, shares, [*names])
    root = also(root_sql(column_sql(_SQUARES)), _ROOT, ratio, [*names, _SQUARES])
    weight = also(weight_sql(column_sql(_ROOT), column_sql(_SQUARES)), _WEIGHT, root, names)
    columns = [
        column_sql(name)
        if measure.kind is MeasureKind.PEOPLE
        else exp.alias_(exp.Mul(this=column_sql(name), expression=column_sql(_WEIGHT)), name, quoted=True)
        for name, measure in zip(names[len(keys) :], measures, strict=True)
    ]
    return exp.select(*map(column_sql, keys), *columns).from_(weight.subquery("_of_weight"))


def root_sql(square: exp.Expr) -> exp.Expr:
    """The root of an integer below 2^52, to the nearest integer but for what floats may do at halves."""
    return exp.cast(exp.Floor(this=exp.Sqrt(this=exp.cast(square, "DOUBLE"))), "BIGINT")


def weight_sql(root: exp.Expr, square: exp.Expr) -> exp.Expr:
    """The greatest integer whose square is not above, and at most the weight 1: settled in whole numbers."""

    def squared(offset: int) -> exp.Expr:
        side = exp.Paren(this=exp.Add(this=root.copy(), expression=exp.Literal.number(offset)))
        return exp.Mul(this=side, expression=side.copy())

    def near(offset: int) -> exp.Expr:
        return exp.Add(this=root.copy(), expression=exp.Literal.number(offset))

    above = exp.If(this=exp.GT(this=squared(0), expression=square.copy()), true=near(-1))
    below = exp.If(this=exp.LTE(this=squared(1), expression=square.copy()), true=near(1))
    whole = exp.Case(ifs=[above, below], default=root.copy())
    return exp.Least(this=whole, expressions=[exp.Literal.number(WEIGHT_ONE)])


def _times(sql: exp.Expr, factor: int) -> exp.Expr:
    return sql if factor == 1 else exp.Mul(this=sql, expression=exp.Literal.number(factor))


def _least_cells(keys: Sequence[str], names: Sequence[str], shares: exp.Select, cells_max: int) -> exp.Select:
    """The shares of each person in the cells of least hash."""
    nth = exp.Window(
        this=exp.RowNumber(),
        partition_by=[column_sql(PERSON)],
        order=exp.Order(expressions=[exp.Ordered(this=_cell_hash(keys))]),
    )
    ordered = (
        exp.select(*map(column_sql, names), exp.alias_(nth, _NTH, quoted=True))
        .from_(shares.subquery("_share"))
        .join(exp.table_(PEOPLE_TABLE, quoted=True), using=[column_sql(PERSON)])
    )
    kept = exp.LTE(this=column_sql(_NTH), expression=exp.Literal.number(cells_max))
    return exp.select(*map(column_sql, names)).from_(ordered.subquery("_ordered")).where(kept)


def _share(measure: Measure, value: exp.Column | None, bound: Bound) -> exp.Expr:
    """The measure over the rows of one person in one cell, before any weight."""
    if measure.kind is MeasureKind.SUM and bound.kind is BoundKind.PEOPLE and value is not None:
        return _mean(measure, value)
    if measure.kind is not MeasureKind.PEOPLE and bound.kind is not BoundKind.PEOPLE:
        return _total(measure, value, persons=False)
    present = exp.GT(this=_count(value), expression=exp.Literal.number(0))
    return exp.cast(present, "BIGINT")


def _mean(measure: Measure, value: exp.Column) -> exp.Expr:
    """The mean of grid integers to the nearest integer, halves upward; 0 where no value is known."""
    reach = measure.grid.half_width if measure.grid else 1
    most = ROWS_OF_ONE_PERSON_MAX
    total = Integer(exp.cast(exp.Sum(this=value.copy()), "BIGINT"), -reach * most, reach * most, 64)
    known = exp.Nullif(this=_count(value), expression=exp.Literal.number(0))
    mean = divide_half_up(total, Integer(exp.cast(known, "BIGINT"), 1, most, 64), lo=-reach, hi=reach)
    return exp.Coalesce(this=mean.sql, expressions=[exp.Literal.number(0)])


def _cell_hash(keys: Sequence[str]) -> exp.Expr:
    texts: list[exp.Expr] = [exp.Placeholder(this=KEY_PARAMETER), column_sql(PSEUDONYM)]
    texts += [exp.Coalesce(this=_text(column_sql(key)), expressions=[exp.Literal.string("")]) for key in keys]
    joined = reduce(
        lambda text, part: exp.DPipe(
            this=exp.DPipe(this=text, expression=exp.Literal.string("|")), expression=part
        ),
        [_text(part) if isinstance(part, exp.Column) else part for part in texts],
    )
    return exp.SHA2(this=joined, length=exp.Literal.number(256))


def _count(value: exp.Column | None) -> exp.Count:
    return exp.Count(this=exp.Star() if value is None else value.copy())


def _whole(total: exp.Sum) -> exp.Expr:
    """A sum as a 64-bit integer, 0 where nothing was added."""
    return exp.cast(exp.Coalesce(this=total, expressions=[exp.Literal.number(0)]), "BIGINT")


def _text(sql: exp.Expr) -> exp.Expr:
    return exp.cast(sql, "TEXT")


def _not_null(sql: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=sql.copy(), expression=exp.Null()))
