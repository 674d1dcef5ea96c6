"""What analysts type means what a database says it means: every function against DuckDB's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import duckdb
import numpy as np
import pytest
from strategies import DATASET, definitions

from fedstats.core.domain import Categories, Dates, Domain, Numbers, Truth
from fedstats.core.evaluation import Row, evaluate
from fedstats.core.inference import domain_of
from fedstats.errors import LanguageError
from fedstats.sql.parse import parse
from fedstats.sql.render import render, to_text
from fedstats.sql.texts import condition_of_text, expression_of

ROWS = 300
EXPRESSIONS = (
    "YEAR(started)", "MONTH(started)", "QUARTER(ended)", "DAY(started)", "ISODOW(started)",
    "EXTRACT(YEAR FROM started)", "EXTRACT(month FROM ended)", "EXTRACT('quarter' FROM started)",
    "EXTRACT(DOW FROM started)", "DATE_PART('isodow', started)", "DATE_PART('day', ended)",
    "DATE_TRUNC('week', ended)", "DATE_TRUNC('month', started)", "DATE_TRUNC('quarter', started)",
    "DATE_TRUNC('year', started)", "started + 7", "started - 7", "started + INTERVAL 7 DAY",
    "started + INTERVAL '2 weeks'", "ended - INTERVAL '1' DAY", "DATE_ADD(started, INTERVAL 3 DAY)",
    "ended - started", "DATEDIFF('day', started, ended)", "DATEDIFF('days', ended, started)",
    "DATE_DIFF('month', started, ended)",
    "DATE_DIFF('quarter', started, ended)", "DATE_DIFF('year', ended, started)",
    "CASE WHEN MONTH(started) >= 4 THEN YEAR(started) ELSE YEAR(started) - 1 END",
    "CASE WHEN ended IS NULL THEN started ELSE ended END", "COALESCE(ended, started)",
    "CAST(started AS DATE)", "started::DATE", "DATE '2025-01-31' - started",
    "CASE sex WHEN 'F' THEN 1 WHEN 'M' THEN 2 END",
    "CASE specialty WHEN '110' THEN '110' ELSE specialty END",
    "ROUND(cost)", "ROUND(cost, 1)", "ROUND(score, 2)", "ROUND(wait_days, -1)", "ROUND(-cost)",
    "ROUND(age / 7)",
    "FLOOR(cost)", "CEIL(cost)", "CEILING(cost / 3)", "ABS(cost)", "age % 7", "MOD(wait_days, 10)",
    "age // 10",
    "age ** 2", "POWER(score, 3)", "POW(cost, 2)", "NULLIF(age, 40)", "NULLIF(wait_days, 0)",
    "NULLIF(specialty, '110')", "age / NULLIF(wait_days, 0)", "LEAST(age, 65)", "GREATEST(age, 18, 40)",
    "CAST(urgent AS INT)", "admitted::INTEGER", "CAST(age AS DOUBLE) / 3", "age::INT", "IF(age > 64, 1, 0)",
    "CASE WHEN age BETWEEN 18 AND 64 THEN 1 WHEN age >= 65 THEN 2 ELSE 0 END", "IFNULL(wait_days, 0)",
    "CASE WHEN started < '2025-01-15' THEN 1 ELSE 0 END", "age * -1",
)  # fmt: skip # as a table
CONDITIONS = (
    "started BETWEEN '2025-01-01' AND '2025-01-31'", "YEAR(started) = 2025 AND MONTH(started) IN (1, 2)",
    "ended >= DATE '2025-01-31'", "ended - started <= 28", "DATE_TRUNC('month', started) = '2025-02-01'",
    "NOT (sex = 'F' OR urgent)", "urgent IS TRUE", "admitted IS NOT TRUE",
    "sex IN ('F', 'M') AND age % 2 = 0",
    "COALESCE(wait_days, 0) > 126", "specialty IS NULL", "ROUND(cost) = 100", "admitted = FALSE",
    "CASE WHEN urgent THEN wait_days ELSE 0 END > 18 * 7", "ISODOW(started) >= 6", "age <> 40",
)  # fmt: skip # as a table


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Rows of codes, extremes, missing values and values that meet the expressions often."""
    generator = np.random.default_rng(7)  # a fixed seed: what passes, passes again
    often = {"wait_days": 0, "age": 40}
    return [
        {c.name: _drawn(c.domain, generator) for c in DATASET.columns} | (often if i % 5 == 0 else {})
        for i in range(ROWS)
    ]


def _drawn(domain: Domain, generator: np.random.Generator) -> int | None:
    if getattr(domain, "nullable", False) and generator.random() < 0.2:
        return None
    if isinstance(domain, Numbers):
        ends = (domain.lo_code, domain.hi_code)
        return int(generator.choice([*ends, *generator.integers(ends[0], ends[1] + 1, 6)]))
    return int(generator.choice(domain.codes()))


@pytest.fixture(scope="module")
def tables(rows: list[Row]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The rows twice: as people have them (`waiting`), and as an edition holds them (`codes`)."""
    connection = duckdb.connect()
    for name, typed in (("waiting", True), ("codes", False)):
        columns = [f'"{c.name}" {_type(c.domain) if typed else "BIGINT"}' for c in DATASET.columns]
        connection.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
        listed = [
            [_value(row[c.name], c.domain) if typed else row[c.name] for c in DATASET.columns] for row in rows
        ]
        connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", listed)
    yield connection
    connection.close()


def _type(domain: Domain) -> str:
    if isinstance(domain, Numbers):
        return "BIGINT" if domain.step == 1 else "DECIMAL(18, 3)"
    return {Categories: "VARCHAR", Dates: "DATE", Truth: "BOOLEAN"}[type(domain)]


def _value(code: int | None, domain: Domain) -> object:
    """What a row of people's own table holds."""
    if code is None:
        return None
    if isinstance(domain, Numbers):
        return code if domain.step == 1 else float(code * domain.step)
    if isinstance(domain, Categories):
        return domain.labels[code]
    return bool(code) if isinstance(domain, Truth) else date(1970, 1, 1) + timedelta(days=code)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_means_what_a_database_says(
    text: str, rows: list[Row], tables: duckdb.DuckDBPyConnection
) -> None:
    """The integer reference, the SQL that nodes run, and DuckDB's own reading of the text agree."""
    expression = expression_of(text, DATASET)
    domain = domain_of(expression, DATASET)
    plain = tables.execute(f"SELECT {text} FROM waiting").fetchall()
    node = tables.execute(f"SELECT {to_text(render(expression, DATASET), 'duckdb')} FROM codes").fetchall()
    for row, (said,), (code,) in zip(rows, plain, node, strict=True):
        assert code == evaluate(expression, DATASET, row)
        assert _same(code, domain, said), (text, row, said)


def _rounded(domain: Numbers) -> bool:
    """Whether values may lie between its steps: quotients of two columns have steps of 2^-k below 1/4."""
    return domain.step < Fraction(1, 4) and domain.step.denominator & (domain.step.denominator - 1) == 0


def _same(code: int | None, domain: Domain, said: object) -> bool:
    """Whether a code is what the database said; a quotient of two columns is rounded to its grid."""
    if code is None or said is None:
        return code is None and said is None
    if isinstance(domain, Numbers):
        assert isinstance(said, int | float | Decimal)
        return abs(float(code * domain.step) - float(said)) <= 1e-9 + (
            _rounded(domain) and float(domain.step) / 2
        )
    if isinstance(domain, Dates):
        return str(said)[:10] == domain.label(code)
    return said == (bool(code) if isinstance(domain, Truth) else domain.label(code))


@pytest.mark.parametrize("text", CONDITIONS)
def test_a_condition_means_what_a_database_says(
    text: str, rows: list[Row], tables: duckdb.DuckDBPyConnection
) -> None:
    """WHERE keeps the rows that DuckDB keeps, NULL and all."""
    condition = condition_of_text(text, DATASET)
    assert condition is not None
    plain = tables.execute(f"SELECT coalesce({text}, FALSE) FROM waiting").fetchall()
    assert [evaluate(condition, DATASET, row) == 1 for row in rows] == [kept for (kept,) in plain]


def test_a_division_by_nullif_of_a_bound_needs_no_clamp() -> None:
    """X / NULLIF(y, 0) is allowed where 0 is the end of y's range, and refused where it is inside."""
    assert domain_of(expression_of("cost / NULLIF(age, 0)", DATASET), DATASET).nullable
    assert expression_of("NULLIF(age, 500)", DATASET) == expression_of("age", DATASET)
    with pytest.raises(LanguageError, match="could divide by 0"):
        expression_of("age / NULLIF(cost, 0)", DATASET)


def test_aggregates_that_are_written_in_other_words() -> None:
    """COUNT_IF is a filtered count, and NULLIF around a divisor is the divisor."""
    assert parse("SELECT COUNT_IF(urgent) AS n FROM waiting", definitions) == parse(
        "SELECT COUNT(*) FILTER (WHERE urgent) AS n FROM waiting", definitions
    )
    assert parse("SELECT SUM(cost) / NULLIF(COUNT(*), 0) AS x FROM waiting", definitions) == parse(
        "SELECT SUM(cost) / COUNT(*) AS x FROM waiting", definitions
    )


@pytest.mark.parametrize(
    "key, cells",
    [
        ("MONTH(started)", 12),
        ("ISODOW(started)", 7),
        ("EXTRACT(DOW FROM started)", 7),
        ("DATE_TRUNC('quarter', ended)", 2),
        ("age % 7", 7),
        ("ROUND(age / 10)", 13),
        ("YEAR(started)", 2),
        ("CASE WHEN DATE_DIFF('day', started, ended) > 28 THEN 'late' ELSE 'in time' END", 2),
    ],
)
def test_keys_made_of_dates_and_numbers_have_no_more_cells_than_there_are(key: str, cells: int) -> None:
    """Bounds follow closely enough that a key has the cells one expects, and no empty ones beside them."""
    selection = parse(f"SELECT {key} AS k, COUNT(*) FROM waiting GROUP BY k", definitions)
    expression = selection.keys[0].expression
    assert expression is not None
    domain = domain_of(expression, DATASET)
    assert len(domain.codes()) == cells
