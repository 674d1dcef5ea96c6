"""The text form of agreements: a document (from TOML) in, canonical JSON (RFC 8785) out.

What controllers sign is `canonical_json(document_of(agreement))`. It holds texts, whole numbers, truth
values, lists and tables only (decimals are texts), for which RFC 8785 is: sorted keys, no spaces, UTF-8. Keys
are ASCII, so that sorting by code points is sorting by UTF-16 units.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction

from fedstats.core.agreement import (
    Agreement,
    Controller,
    OptOutTerms,
    PrivacyTerms,
    PublicTerms,
    Purpose,
)
from fedstats.core.domain import Categories, Dates, Domain, Numbers, Texts, Truth, date_of, days_of
from fedstats.core.privacy import Mechanism, UnitKind
from fedstats.core.reading import Reader
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.core.statistic import Mode
from fedstats.errors import AgreementInvalid

DOCUMENT_BYTES_MAX = 1_000_000
DECIMALS_MAX = 40

Document = Mapping[str, object]


def agreement_from_json(payload: bytes) -> Agreement:
    """The agreement in signed bytes; refused unless they are its canonical form.

    Raises
    ------
    AgreementInvalid
        The bytes are no canonical agreement.

    """
    if len(payload) > DOCUMENT_BYTES_MAX:
        raise AgreementInvalid("An agreement has at most 1 MB.")
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        raise AgreementInvalid("The agreement is not JSON.") from None
    try:
        agreement = agreement_of(document)
        again = canonical_json(document_of(agreement))
    except (ValueError, TypeError, ArithmeticError, RecursionError) as problem:  # half a surrogate pair, say
        sentence = f"The agreement holds a value that cannot be written again ({type(problem).__name__})."
        raise AgreementInvalid(sentence) from None
    if again != payload:
        raise AgreementInvalid("The agreement is not in its canonical form.")
    return agreement


def canonical_json(document: Document) -> bytes:
    """The bytes that are signed."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def agreement_of(document: object) -> Agreement:
    """Read an agreement; every unknown, missing or mistyped key is named.

    Raises
    ------
    AgreementInvalid
        The document is incomplete, contradicts itself or has unknown keys.

    """
    reader = Reader(document, where="", error=AgreementInvalid)
    with reader, reader.building():
        controllers = tuple(_controller(r) for r in reader.tables("controllers"))
        departments = tuple(controller.department for controller in controllers)
        return Agreement(
            id=reader.text("id"),
            version=reader.integer("version"),
            title=reader.text("title"),
            public=_public(reader.table("public")),
            purposes=tuple(_purpose(r) for r in reader.tables("purposes")),
            controllers=controllers,
            starts_on=reader.day("starts_on"),
            ends_on=reader.day("ends_on"),
            review_on=reader.day("review_on"),
            datasets=tuple(_dataset(r, departments) for r in reader.tables("datasets")),
            privacy=_privacy(reader.table("privacy")),
            analysts=reader.texts("analysts"),
            aggregates=reader.texts("aggregates", ("grouped_sums",)),
            modes=tuple(_mode(reader, text) for text in reader.texts("modes", ("local",))),
            nodes_min=reader.integer("nodes_min", 1),
            partial=reader.truth("partial", default=True),
            opt_out=_opt_out(reader.table("opt_out")),
        )


def document_of(agreement: Agreement) -> Document:
    """The document of an agreement, every key written out."""
    public, privacy, opt_out = agreement.public, agreement.privacy, agreement.opt_out
    return {
        "id": agreement.id,
        "version": agreement.version,
        "title": agreement.title,
        "public": {name: _plain(getattr(public, name)) for name in PublicTerms.__slots__},
        "purposes": [
            {"code": p.code, "text": p.text, "prohibited": list(p.prohibited)} for p in agreement.purposes
        ],
        "controllers": [
            {name: _plain(getattr(controller, name)) for name in Controller.__slots__}
            for controller in agreement.controllers
        ],
        "starts_on": agreement.starts_on.isoformat(),
        "ends_on": agreement.ends_on.isoformat(),
        "review_on": agreement.review_on.isoformat(),
        "datasets": [dataset_document(dataset) for dataset in agreement.datasets],
        "privacy": {
            "epsilon": decimal_text(privacy.epsilon),
            "delta": decimal_text(privacy.delta),
            "epsilon_per_query": decimal_text(privacy.epsilon_per_query),
            "max_departments": privacy.max_departments,
            "mechanisms": [mechanism.value for mechanism in privacy.mechanisms],
        },
        "analysts": list(agreement.analysts),
        "aggregates": list(agreement.aggregates),
        "modes": [mode.value for mode in agreement.modes],
        "nodes_min": agreement.nodes_min,
        "partial": agreement.partial,
        "opt_out": {
            "applies": opt_out.applies,
            "reason": opt_out.reason,
            "list_age_days_max": opt_out.list_age_days_max,
        },
    }


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
                "missing": column.domain.nullable,
                **_domain_document(column.domain),
            }
            for column in dataset.columns
        ],
        "editions": list(dataset.editions),
        "holders": list(dataset.holders),
        "description": dataset.description,
    }


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


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    return list(value) if isinstance(value, tuple) else value


def _public(reader: Reader) -> PublicTerms:
    with reader, reader.building():
        return PublicTerms(
            summary=reader.text("summary"),
            public_benefit=reader.text("public_benefit"),
            legal_gateway=reader.text("legal_gateway"),
            contact=reader.text("contact"),
            processors=reader.texts("processors", ()),
            recipients=reader.texts("recipients", ()),
            retention=reader.text("retention", ""),
            sub_licensing=reader.text("sub_licensing", ""),
            commercial_use=reader.text("commercial_use", ""),
            impact_assessment=reader.text("impact_assessment", ""),
            transparency_record=reader.text("transparency_record", ""),
        )


def _purpose(reader: Reader) -> Purpose:
    with reader, reader.building():
        return Purpose(reader.text("code"), reader.text("text"), reader.texts("prohibited", ()))


def _controller(reader: Reader) -> Controller:
    with reader, reader.building():
        try:
            key = bytes.fromhex(reader.text("key"))
        except ValueError:
            raise reader.problem(
                "must be a key as `fedstats controller fingerprint` prints it", "key"
            ) from None
        return Controller(
            department=reader.text("department"),
            organisation=reader.text("organisation"),
            key=key,
            contact=reader.text("contact", ""),
            role=reader.text("role", ""),
            senior_owner=reader.text("senior_owner", ""),
            data_protection_officer=reader.text("data_protection_officer", ""),
        )


def _privacy(reader: Reader) -> PrivacyTerms:
    with reader, reader.building():
        epsilon = reader.decimal("epsilon")
        return PrivacyTerms(
            epsilon=epsilon,
            delta=reader.decimal("delta"),
            epsilon_per_query=reader.decimal("epsilon_per_query", decimal_text(epsilon)),
            max_departments=reader.integer("max_departments"),
            mechanisms=tuple(_mechanism(reader, text) for text in reader.texts("mechanisms", ("gaussian",))),
        )


def _mechanism(reader: Reader, text: str) -> Mechanism:
    try:
        return Mechanism(text)
    except ValueError:
        raise reader.problem("must be gaussian or laplace", "mechanisms") from None


def _mode(reader: Reader, text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError:
        raise reader.problem("must be local or secure", "modes") from None


def _opt_out(reader: Reader) -> OptOutTerms:
    with reader, reader.building():
        return OptOutTerms(
            reader.truth("applies"), reader.text("reason", ""), reader.integer("list_age_days_max", 30)
        )


def _dataset(reader: Reader, departments: tuple[str, ...]) -> Dataset:
    with reader, reader.building():
        return Dataset(
            name=reader.text("name"),
            unit=_unit(reader.table("unit")),
            rows_max=reader.integer("rows_max", 1),
            people_max=reader.integer("people_max"),
            people_about=reader.integer("people_about"),
            columns=tuple(_column(r) for r in reader.tables("columns")),
            editions=reader.texts("editions"),
            holders=reader.texts("holders", departments),
            description=reader.text("description", ""),
        )


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
        )


def _domain(reader: Reader) -> Domain:
    kind, nullable = reader.text("type"), reader.truth("missing", default=False)
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
