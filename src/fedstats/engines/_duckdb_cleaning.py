"""Cleaning in two steps, each a function of one row: read every value, then apply the column's policy.

In between, values that were unreadable or out of bounds are marked, so that they can be counted before a
policy turns the marks into values or drops the row.
"""

from __future__ import annotations

from fedstats.core.domain import Domain, Texts
from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.engines._duckdb_reading import (
    PERSON,
    Marks,
    integer_type,
    marks_of,
    person_code,
    person_number,
    person_text,
    read_column,
)
from fedstats.engines._duckdb_session import identifier
from fedstats.engines._duckdb_source import LocalTable
from fedstats.engines.mapping import ColumnMapping, DatasetMapping, OnInvalid, labels_of


def reading_statement(mapping: DatasetMapping, dataset: Dataset, table: LocalTable) -> str:
    """The SELECT that reads the source: `_person` (NULL where invalid), then a code or mark per column."""
    levels = [[f"{person_text(mapping, table)} AS _who"], [f"_who, {person_number(mapping)} AS _number"]]
    levels += [[f"{person_code(mapping)} AS {PERSON}"], [PERSON]]
    marked = [PERSON]
    for i, definition in enumerate(dataset.columns):
        column = read_column(mapping.column(definition.name), definition.domain, table, i)
        levels[0].append(f"{column.text} AS _text_{i}")
        levels[1].append(f"{column.raw} AS _raw_{i}")
        levels[2].append(f"_raw_{i}, {column.value} AS _value_{i}")
        levels[3].append(f"_raw_{i}, _value_{i}, {column.code} AS _code_{i}")
        marked.append(f"{column.marked} AS {identifier(definition.name)}")
    # One level below the other, so that each value is trimmed, typed, coded and judged once.
    relation = table.relation
    for columns in levels:
        relation = f"(SELECT {', '.join(columns)} FROM {relation})"
    return f"SELECT {', '.join(marked)} FROM {relation}"


def kept_condition(mapping: DatasetMapping, dataset: Dataset) -> str:
    """Which rows of what was read have a usable value in every column."""
    conditions = [_kept(mapping.column(column.name), column) for column in dataset.columns]
    return " AND ".join(condition for condition in conditions if condition) or "true"


def population_condition(dataset: Dataset) -> str:
    """Which clean rows are of the population, by their codes; a missing value is of none.

    It sees one row at a time, so another person's coming or going moves nobody in or out.
    """
    met = []
    for condition in dataset.population:
        codes = condition.codes(dataset.column(condition.column).domain)
        name = identifier(condition.column)
        if isinstance(codes, range):
            met.append(f"coalesce({name} BETWEEN {codes[0]} AND {codes[-1]}, false)")
        else:
            met.append(f"coalesce({name} IN ({', '.join(map(str, codes))}), false)")
    return " AND ".join(met) or "true"


def value_sql(mapping: ColumnMapping, definition: ColumnDefinition) -> str:
    """The final code of a column of what was read, in the smallest type that holds its codes."""
    name, domain = identifier(definition.name), definition.domain
    labels = labels_of(domain)
    unreadable = "NULL" if mapping.default is None or labels is None else str(labels.index(mapping.default))
    below = above = "NULL"
    if mapping.on_invalid is OnInvalid.CLIP:
        below, above = str(Marks.of(domain).lo), str(Marks.of(domain).hi)
    finals = zip(marks_of(domain), (unreadable, below, above), strict=True)
    branches = " ".join(f"WHEN {mark} THEN {final}" for mark, final in finals)
    return f"CAST(CASE {name} {branches} ELSE {name} END AS {code_type(domain)})"


def code_type(domain: Domain) -> str:
    """The smallest integer type for the codes of a domain; free text stays text."""
    if isinstance(domain, Texts):
        return "VARCHAR"
    return integer_type(Marks.of(domain).lo, Marks.of(domain).hi)


def _kept(mapping: ColumnMapping, definition: ColumnDefinition) -> str:
    """The condition under which a column lets its row stay; empty if it always does."""
    domain, name = definition.domain, identifier(definition.name)
    unreadable, below, above = marks_of(domain)
    policy = mapping.policy(domain)
    dropping = []
    if mapping.default is None and (policy is OnInvalid.DROP_ROW or not domain.nullable):
        dropping.append(unreadable)
    if policy is OnInvalid.DROP_ROW:
        dropping += [below, above]
    unmarked = f"{name} NOT IN ({', '.join(dropping)})" if dropping else "true"
    if domain.nullable:
        return f"({name} IS NULL OR {unmarked})" if dropping else ""
    return f"({name} IS NOT NULL AND {unmarked})"
