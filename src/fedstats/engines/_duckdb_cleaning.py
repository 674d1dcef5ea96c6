"""Cleaning in two steps, each a function of one row: read every value, then apply the column's policy.

In between, values that were unreadable or out of bounds are marked, so that they can be counted before a
policy turns the marks into values or drops the row.
"""

from __future__ import annotations

from fedstats.core.domain import Domain
from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.engines._duckdb_reading import (
    PERSON,
    Marks,
    integer_type,
    person_code,
    person_text,
    read_column,
)
from fedstats.engines._duckdb_session import identifier
from fedstats.engines._duckdb_source import LocalTable
from fedstats.engines.mapping import ColumnMapping, DatasetMapping, OnInvalid, labels_of


def reading_statement(mapping: DatasetMapping, dataset: Dataset, table: LocalTable) -> str:
    """The SELECT that reads the source: `_person` (NULL where invalid), then a code or mark per column."""
    levels = [[f"{person_text(mapping, table)} AS _who"], [f"{person_code(mapping)} AS {PERSON}"]]
    levels += [[PERSON], [PERSON]]
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


def value_sql(mapping: ColumnMapping, definition: ColumnDefinition) -> str:
    """The final code of a column of what was read, in the smallest type that holds its codes."""
    name, marks = identifier(definition.name), Marks.of(definition.domain)
    labels = labels_of(definition.domain)
    clip = mapping.on_invalid is OnInvalid.CLIP
    unreadable = "NULL" if mapping.default is None or labels is None else str(labels.index(mapping.default))
    below, above = (str(marks.lo), str(marks.hi)) if clip else ("NULL", "NULL")
    return (
        f"CAST(CASE {name} WHEN {marks.unreadable} THEN {unreadable} WHEN {marks.below} THEN {below} "
        f"WHEN {marks.above} THEN {above} ELSE {name} END AS {code_type(definition.domain)})"
    )


def code_type(domain: Domain) -> str:
    """The smallest integer type for the codes of a domain."""
    return integer_type(Marks.of(domain).lo, Marks.of(domain).hi)


def _kept(mapping: ColumnMapping, definition: ColumnDefinition) -> str:
    """The condition under which a column lets its row stay; empty if it always does."""
    domain, name, marks = definition.domain, identifier(definition.name), Marks.of(definition.domain)
    policy = mapping.policy(domain)
    dropping = []
    if mapping.default is None and (policy is OnInvalid.DROP_ROW or not domain.nullable):
        dropping.append(marks.unreadable)
    if policy is OnInvalid.DROP_ROW:
        dropping += [marks.below, marks.above]
    unmarked = f"{name} NOT IN ({', '.join(map(str, dropping))})" if dropping else "true"
    if domain.nullable:
        return f"({name} IS NULL OR {unmarked})" if dropping else ""
    return f"({name} IS NOT NULL AND {unmarked})"
