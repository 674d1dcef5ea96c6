"""The text form of agreements: a document (from TOML) in, canonical JSON (RFC 8785) out.

What controllers sign is `canonical_json(document_of(agreement))`. It holds texts, whole numbers, truth
values, lists and tables only (decimals are texts), for which RFC 8785 is: sorted keys, no spaces, UTF-8. Keys
are ASCII, so that sorting by code points is sorting by UTF-16 units.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import TypeVar

from fedstats.core.agreement import (
    Agreement,
    Controller,
    ListKind,
    OptOutTerms,
    Pace,
    PrivacyTerms,
    PublicTerms,
    Purpose,
)
from fedstats.core.dataset_document import Document, dataset_document, dataset_of, decimal_text
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.privacy import Mechanism
from fedstats.core.reading import Reader
from fedstats.core.statistic import Mode
from fedstats.errors import AgreementInvalid

__all__ = [
    "DOCUMENT_BYTES_MAX",
    "Document",
    "agreement_from_json",
    "agreement_of",
    "canonical_json",
    "dataset_document",
    "decimal_text",
    "document_of",
]

DOCUMENT_BYTES_MAX = 1_000_000
_E = TypeVar("_E", bound=Enum)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


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
    """The bytes that are signed; raises ValueError for what JSON cannot say (NaN, half a character)."""
    return _CANONICAL.encode(document).encode()


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
            datasets=tuple(dataset_of(r, departments) for r in reader.tables("datasets")),
            privacy=_privacy(reader.table("privacy")),
            analysts=reader.texts("analysts"),
            aggregates=reader.texts("aggregates", ("grouped_sums",)),
            modes=_choices(reader, "modes", Mode, ("local",)),
            nodes_min=reader.integer("nodes_min", 1),
            partial=reader.truth("partial", default=True),
            opt_out=_opt_out(reader.table("opt_out")),
            disclosure=_disclosure(reader.table("disclosure", optional=True)),
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
            "pace_epsilon": decimal_text(privacy.pace.epsilon) if privacy.pace else "",
            "pace_days": privacy.pace.days if privacy.pace else 0,
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
            "list": opt_out.list_kind.value,
        },
        "disclosure": {"profile": agreement.disclosure.value},
    }


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
            method=reader.text("method", ""),
            areas=reader.text("areas", ""),
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
            mechanisms=_choices(reader, "mechanisms", Mechanism, ("gaussian",)),
            pace=_pace(reader),
        )


def _pace(reader: Reader) -> Pace | None:
    """Both of its keys or neither; what is signed writes "" and 0 where there is none."""
    days = reader.integer("pace_days", 0)
    epsilon = reader.decimal_or_none("pace_epsilon")
    if (epsilon is None) != (days == 0):
        raise reader.problem("needs both pace_epsilon and pace_days, or neither")
    return None if epsilon is None else Pace(epsilon, days)


def _opt_out(reader: Reader) -> OptOutTerms:
    with reader, reader.building():
        return OptOutTerms(
            applies=reader.truth("applies"),
            reason=reader.text("reason", ""),
            list_age_days_max=reader.integer("list_age_days_max", 30),
            list_kind=_choice(reader, "list", ListKind, reader.text("list", ListKind.DENY.value)),
        )


def _disclosure(reader: Reader) -> DisclosureProfile:
    with reader:
        text = reader.text("profile", DisclosureProfile.NONE.value)
        return _choice(reader, "profile", DisclosureProfile, text)


def _choices(reader: Reader, key: str, kinds: type[_E], default: tuple[str, ...]) -> tuple[_E, ...]:
    return tuple(_choice(reader, key, kinds, text) for text in reader.texts(key, default))


def _choice(reader: Reader, key: str, kinds: type[_E], text: str) -> _E:
    try:
        return kinds(text)
    except ValueError:
        known = [str(kind.value) for kind in kinds]
        raise reader.problem(f"must be {' or '.join(known)}", key) from None
