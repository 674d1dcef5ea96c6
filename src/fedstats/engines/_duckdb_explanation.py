"""The statement with what its reader must know: tables, codes, parameters."""

from __future__ import annotations

from collections.abc import Iterator

from fedstats.core.aggregate import Aggregate
from fedstats.core.domain import Categories, Dates, Domain, Numbers, Texts
from fedstats.core.expression import Expression, columns_of
from fedstats.core.schema import Dataset
from fedstats.sql.statement import (
    FIRST_PARAMETER,
    KEY_PARAMETER,
    LAST_PARAMETER,
    NAMED_TABLE,
    PERSON,
    ROWS_TABLE,
    parameters_of,
)

_LABELS_MAX = 12


def explained(sql: str, aggregate: Aggregate, *, dataset: Dataset, where: Expression | None) -> str:
    """The SQL below comments for a database administrator."""
    used = aggregate.columns() | columns_of(where)
    legend = [f"{c.name}: {_meaning(c.domain)}" for c in dataset.columns if c.name in used]
    lines = [
        f"Runs read-only on an edition of {dataset.name}; only sums over cells leave the statement.",
        f"Table {ROWS_TABLE} holds one row per row of the source that was kept, columns as integers:",
        *(f"  {line}" for line in legend),
        *_tables(sql),
        *_parameters(sql),
    ]
    return "\n".join([*(f"-- {line}" for line in lines), sql])


def _tables(sql: str) -> Iterator[str]:
    if NAMED_TABLE in sql:
        yield f"Table {NAMED_TABLE} holds the values that passed the threshold: those alone are asked about."


def _parameters(sql: str) -> Iterator[str]:
    if PERSON in sql:
        yield f"  {PERSON}: the same number in all rows of a person with several, NULL where there is one row"
    parameters = parameters_of(sql)
    if KEY_PARAMETER in parameters:
        yield f"${KEY_PARAMETER} is a secret of the node; by it, persons in too many cells keep some of them."
    yield f"${FIRST_PARAMETER} and ${LAST_PARAMETER} take rows in turns, which bounds memory;"
    yield "where persons are counted, the rows of one are taken together."


def _meaning(domain: Domain) -> str:
    if isinstance(domain, Numbers):
        return "number" if domain.step == 1 else f"number divided by {domain.step}"
    if isinstance(domain, Dates):
        return "days since 1970-01-01"
    if isinstance(domain, Texts):
        return "text"
    if isinstance(domain, Categories):
        shown = [f"{code} {label}" for code, label in enumerate(domain.labels[:_LABELS_MAX])]
        return ", ".join([*shown, "..."] if len(domain.labels) > _LABELS_MAX else shown)
    return "0 false, 1 true"
