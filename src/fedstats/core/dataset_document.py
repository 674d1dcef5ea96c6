"""The text form of datasets, as agreements hold them: a document in, a document out."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from fedstats.core.domain import Categories, Dates, Domain, Numbers, Texts, Truth, date_of, days_of
from fedstats.core.names import did_you_mean
from fedstats.core.population import Allowed, Condition
from fedstats.core.privacy import UnitKind
from fedstats.core.reading import Reader
from fedstats.core.schema import ColumnDefinition, Dataset, Source, Unit
from fedstats.errors import AgreementInvalid

DECIMALS_MAX = 40

Document = Mapping[str, object]


def dataset_document(dataset: Dataset) -> Document:
    """The document of one dataset, every key written out."""
    return {
        "name": dataset.name,
        "unit": {
            "kind": dataset.unit.kind.value,
            "namespace": dataset.unit.namespace,
            "column": dataset.unit.column or "",
        },
        "rows_max": dataset.rows_max,
        "people_max": dataset.people_max,
        "people_about": dataset.people_about,
        "columns": [
            {
                "name": column.name,
                "description": column.description,
                "as_key": column.as_key,
                "as_measure": column.as_measure,
                "classification": column.classification,
                "justification": column.justification,
                "missing": column.domain.nullable,
                **_domain_document(column.domain),
            }
            for column in dataset.columns
        ],
        "editions": list(dataset.editions),
        "holders": list(dataset.holders),
        "description": dataset.description,
        "population": [_condition_document(condition) for condition in dataset.population],
        "sources": [{"department": s.department, "table": s.table} for s in dataset.sources],
    }


def _condition_document(condition: Condition) -> Document:
    allowed = condition.allowed
    if isinstance(allowed, bool):
        return {"column": condition.column, "truth": allowed}
    values = {key: value for key, value in _domain_document(allowed).items() if key not in ("type", "step")}
    return {"column": condition.column, **values}


def decimal_text(value: Fraction) -> str:
    """The shortest plain decimal that is exactly `value` (all values here come from decimals)."""
    sign, value = ("-" if value < 0 else ""), abs(value)
    digits, scaled = 0, value
    while scaled.denominator != 1:
        digits, scaled = digits + 1, scaled * 10
        if digits > DECIMALS_MAX:
            raise AgreementInvalid("A number in the agreement is no finite decimal.")
    text = str(scaled.numerator).rjust(digits + 1, "0")
    return sign + (f"{text[:-digits]}.{text[-digits:]}" if digits else text)


def dataset_of(reader: Reader, departments: tuple[str, ...]) -> Dataset:
    """Read a dataset; `departments` hold it unless the document says otherwise. Raises the reader's error."""
    with reader, reader.building():
        columns = tuple(_column(r) for r in reader.tables("columns"))
        domains = {column.name: column.domain for column in columns}
        return Dataset(
            name=reader.text("name"),
            unit=_unit(reader.table("unit")),
            rows_max=reader.integer("rows_max", 1),
            people_max=reader.integer("people_max"),
            people_about=reader.integer("people_about"),
            columns=columns,
            editions=reader.texts("editions"),
            holders=reader.texts("holders", departments),
            description=reader.text("description", ""),
            population=tuple(_condition(r, domains) for r in reader.tables("population", optional=True)),
            sources=tuple(_source(r) for r in reader.tables("sources", optional=True)),
        )


def _source(reader: Reader) -> Source:
    with reader, reader.building():
        return Source(reader.text("department"), reader.text("table"))


def _condition(reader: Reader, domains: Mapping[str, Domain]) -> Condition:
    """What is allowed is written as the column's own domain is."""
    with reader, reader.building():
        name = reader.text("column")
        if name not in domains:
            raise reader.problem(f"names no column of the dataset{did_you_mean(name, domains)}", "column")
        return Condition(name, _allowed(reader, domains[name]))


def _allowed(reader: Reader, domain: Domain) -> Allowed:
    if isinstance(domain, Numbers):
        return Numbers(reader.decimal("lo"), reader.decimal("hi"), domain.step)
    if isinstance(domain, Dates):
        return Dates(days_of(reader.day("lo")), days_of(reader.day("hi")))
    if isinstance(domain, Categories):
        return Categories(reader.texts("labels"))
    if isinstance(domain, Truth):
        return reader.truth("truth")
    raise reader.problem("is free text, of which no values are listed", "column")


def _unit(reader: Reader) -> Unit:
    with reader, reader.building():
        kind = reader.text("kind")
        if kind not in ("person", "row"):
            raise reader.problem("must be person or row", "kind")
        column = reader.text("column", "")
        return Unit(UnitKind(kind), reader.text("namespace"), column or None)


def _column(reader: Reader) -> ColumnDefinition:
    with reader, reader.building():
        name, domain = reader.text("name"), _domain(reader)
        return ColumnDefinition(
            name=name,
            domain=domain,
            description=reader.text("description", ""),
            as_key=reader.truth("as_key", default=True),
            as_measure=reader.truth("as_measure", default=not isinstance(domain, Texts)),
            classification=reader.text("classification", ""),
            justification=reader.text("justification", ""),
        )


def _domain(reader: Reader) -> Domain:
    kind, nullable = reader.text("type"), reader.truth("missing", default=False)
    _check_bounds(reader, kind)
    if kind == "number":
        return Numbers(
            reader.decimal("lo"), reader.decimal("hi"), reader.decimal("step", "1"), nullable=nullable
        )
    if kind == "category":
        return Categories(reader.texts("labels"), nullable=nullable)
    if kind == "date":
        return Dates(days_of(reader.day("lo")), days_of(reader.day("hi")), nullable=nullable)
    if kind == "boolean":
        return Truth(nullable=nullable)
    if kind == "text":
        return Texts(reader.integer("characters_max"), reader.integer("values_max"), nullable=nullable)
    raise reader.problem("must be number, category, date, boolean or text", "type")


def _check_bounds(reader: Reader, kind: str) -> None:
    """Without bounds nobody could say how much one person can move an answer."""
    for key in ("lo", "hi") if kind in ("number", "date") else ():
        if not reader.has(key):
            raise reader.problem(
                f"is missing: a {kind} needs the lowest (lo) and the highest (hi) value that it can mean, "
                "whatever the data say",
                key,
            )


def _domain_document(domain: Domain) -> Document:
    if isinstance(domain, Numbers):
        return {
            "type": "number",
            "lo": decimal_text(domain.lo),
            "hi": decimal_text(domain.hi),
            "step": decimal_text(domain.step),
        }
    if isinstance(domain, Categories):
        return {"type": "category", "labels": list(domain.labels)}
    if isinstance(domain, Dates):
        return {"type": "date", "lo": date_of(domain.lo).isoformat(), "hi": date_of(domain.hi).isoformat()}
    if isinstance(domain, Texts):
        return {"type": "text", "characters_max": domain.characters_max, "values_max": domain.values_max}
    return {"type": "boolean"}
