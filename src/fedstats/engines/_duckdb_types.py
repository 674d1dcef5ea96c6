"""Whether the local columns have types that can be read as what the definition says.

Types are the source's schema, so what is refused here never depends on a row. In CSV everything is text.
"""

from __future__ import annotations

from fedstats.core.domain import Dates, Domain, Numbers
from fedstats.core.schema import Dataset
from fedstats.engines._duckdb_source import LocalTable
from fedstats.engines.mapping import ColumnMapping, DatasetMapping
from fedstats.errors import MappingInvalid

_NOTHING = '"NULL"'  # the type of a column that holds no value at all
_TEXT = ("VARCHAR", "ENUM")
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER")
_NUMBERS = (*_WHOLE, "UBIGINT", "UHUGEINT", "DOUBLE", "FLOAT", "DECIMAL", "BIGNUM")
_DATES = ("DATE", "TIMESTAMP")
_SCALARS = (*_TEXT, *_NUMBERS, *_DATES, "BOOLEAN", "UUID", "TIME")


def check_types(mapping: DatasetMapping, dataset: Dataset, table: LocalTable) -> None:
    """Refuse local columns whose values cannot mean what the shared column holds.

    Raises
    ------
    MappingInvalid
        With the local column, its type and what is needed.

    """
    for definition in dataset.columns:
        how = mapping.column(definition.name)
        allowed, what = _allowed(how, definition.domain)
        for name in how.sources:
            _check(name, table.columns[name].type, allowed, f"{definition.name} holds {what}")
    if mapping.person is not None:
        found = table.columns[mapping.person].type
        _check(mapping.person, found, _SCALARS, "persons are identified by texts")


def _allowed(mapping: ColumnMapping, domain: Domain) -> tuple[tuple[str, ...], str]:
    if isinstance(domain, Numbers):
        return (*_TEXT, *_NUMBERS), "numbers"
    if isinstance(domain, Dates):
        # Whole numbers such as 20250930 are dates if a format says so.
        return (*_TEXT, *_DATES, *(_NUMBERS if mapping.date_formats else ())), "dates"
    return _SCALARS, "texts or codes"


def _check(name: str, found: str, allowed: tuple[str, ...], needed: str) -> None:
    if found == _NOTHING:
        return
    if not found.startswith(allowed) or found.endswith("]"):
        raise MappingInvalid(
            f"The local column {name[:60]!r} is of type {found[:60]}, and {needed}.",
            remedy="Map another column, or let the source give this one in a type that fits.",
        )
