"""The fingerprint of a definition: an edition answers questions about the definition that it was made for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from fractions import Fraction

from fedstats.core.domain import Categories, Domain, Every
from fedstats.core.population import Condition
from fedstats.core.schema import Dataset


def definition_hash(dataset: Dataset) -> bytes:
    """32 bytes over what decides an edition's content: unit, row bound, columns, their domains, population.

    Schedules, holders, sizes and descriptions may change in a new version of an agreement without making the
    editions that exist useless.
    """
    document = {
        "dataset": dataset.name,
        "unit": [dataset.unit.kind.value, dataset.unit.namespace],
        "rows_max": dataset.rows_max,
        "columns": [[column.name, *_domain(column.domain)] for column in dataset.columns],
        "population": sorted(_condition(condition) for condition in dataset.population),
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).digest()


def _condition(condition: Condition) -> list[object]:
    """A condition, whose labels may stand in any order."""
    allowed = condition.allowed
    if isinstance(allowed, bool):
        return [condition.column, allowed]
    if isinstance(allowed, Categories):
        return [condition.column, *sorted(allowed.labels)]
    return [condition.column, *_domain(allowed)]


def _domain(domain: Domain) -> list[object]:
    return [type(domain).__name__, *(_plain(getattr(domain, field.name)) for field in fields(domain))]


def _plain(value: object) -> object:
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, Every):
        return value.value
    return list(value) if isinstance(value, tuple) else value
