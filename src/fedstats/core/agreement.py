"""Agreements: what the departments signed. Pure types and rules; its text form is in `agreement_document`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from fractions import Fraction

from fedstats.core.aggregate import KINDS
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.names import check_agreement, check_analyst, check_department, check_label, check_text
from fedstats.core.privacy import Mechanism
from fedstats.core.schema import DEPARTMENT_KEY, Dataset
from fedstats.core.statistic import Mode
from fedstats.errors import AgreementInvalid, NameUnknown

PUBLIC_KEY_BYTES = 32
EPSILON_MAX = 1_000
DEPARTMENTS_MAX = 10_000
LIST_AGE_DAYS_MAX = 3_660
PACE_DAYS_MAX = 3_660


@dataclass(frozen=True, slots=True)
class Purpose:
    """What questions may be asked for, and what the answers may never be used for."""

    code: str
    text: str
    prohibited: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """A code and readable text."""
        check_agreement(self.code, what="purpose")
        for text in (self.text, *self.prohibited):
            check_text(text, what="purpose")


@dataclass(frozen=True, slots=True)
class Controller:
    """Who signs for a department, with the Ed25519 key (32 bytes) that the signature must be of."""

    department: str
    organisation: str
    key: bytes
    contact: str = ""
    role: str = ""
    senior_owner: str = ""
    data_protection_officer: str = ""

    def __post_init__(self) -> None:
        """A department name and a key of the right length."""
        check_department(self.department)
        check_label(self.organisation, what="organisation")
        if len(self.key) != PUBLIC_KEY_BYTES:
            raise AgreementInvalid("A controller's key has 32 bytes.")
        for text in (self.contact, self.role, self.senior_owner, self.data_protection_officer):
            if text:
                check_text(text, what="controller's details")


@dataclass(frozen=True, slots=True)
class Pace:
    """In any `days` days no more than this loss, written as the budget is: slower spending, same budget."""

    epsilon: Fraction
    days: int

    def __post_init__(self) -> None:
        """A positive loss over a time that can be looked back on."""
        if not 0 < self.epsilon <= EPSILON_MAX or not 1 <= self.days <= PACE_DAYS_MAX:
            raise AgreementInvalid("A pace has a pace_epsilon above 0 and pace_days between 1 and 3660.")


@dataclass(frozen=True, slots=True)
class PrivacyTerms:
    """The budget, the most for one query, and c: in how many departments one person may be.

    Losses are written as (epsilon, delta), as people agree on them; `rules.budget_of` converts them.
    """

    epsilon: Fraction
    delta: Fraction
    epsilon_per_query: Fraction
    max_departments: int
    mechanisms: tuple[Mechanism, ...] = (Mechanism.GAUSSIAN,)
    pace: Pace | None = None

    def __post_init__(self) -> None:
        """Losses are positive and in order."""
        if not 0 < self.epsilon_per_query <= self.epsilon <= EPSILON_MAX or not 0 < self.delta < Fraction(
            1, 100
        ):
            raise AgreementInvalid(
                "The budget needs 0 < epsilon_per_query <= epsilon and a delta above 0 and below 0.01."
            )
        if not 1 <= self.max_departments <= DEPARTMENTS_MAX or not self.mechanisms:
            raise AgreementInvalid("max_departments is at least 1 and at least one mechanism is allowed.")
        if len(set(self.mechanisms)) != len(self.mechanisms):
            raise AgreementInvalid("Each mechanism is named once.")
        if self.pace is not None and self.pace.epsilon > self.epsilon:
            raise AgreementInvalid("pace_epsilon cannot be above epsilon, the whole budget.")

    @property
    def delta_conversion(self) -> Fraction:
        """The half of delta at which losses are shown as epsilon; the other half caps the additive delta."""
        return self.delta / 2


class ListKind(Enum):
    """What an opt-out list names: who is left out (deny), or the only people who stay (allow)."""

    DENY = "deny"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class OptOutTerms:
    """Whether people who opted out are removed, why not if not, what the list names, how old it may be."""

    applies: bool
    reason: str = ""
    list_age_days_max: int = 30
    list_kind: ListKind = ListKind.DENY

    def __post_init__(self) -> None:
        """An exemption says why, in readable prose."""
        check_text(self.reason, what="reason of an exemption from opt-outs")
        if not self.applies and not self.reason:
            raise AgreementInvalid("An agreement that exempts itself from opt-outs says why.")
        if not 1 <= self.list_age_days_max <= LIST_AGE_DAYS_MAX:
            raise AgreementInvalid("The age of an opt-out list lies between 1 and 3660 days.")


@dataclass(frozen=True, slots=True)
class PublicTerms:
    """What the public is told beyond the title: all of it is shown in the register."""

    summary: str
    public_benefit: str
    legal_gateway: str
    contact: str
    processors: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    retention: str = ""
    sub_licensing: str = ""
    commercial_use: str = ""
    impact_assessment: str = ""
    transparency_record: str = ""
    method: str = ""
    areas: str = ""

    def __post_init__(self) -> None:
        """Readable prose."""
        texts = (self.summary, self.public_benefit, self.legal_gateway, self.contact, self.retention)
        more = (self.sub_licensing, self.commercial_use, self.impact_assessment, self.transparency_record)
        for text in (*texts, *more, self.method, self.areas, *self.processors, *self.recipients):
            check_text(text, what="public terms")


@dataclass(frozen=True, slots=True)
class Agreement:
    """One version of an agreement.

    It is in force at a node once its department accepted it and all controllers signed it, between its dates.
    """

    id: str
    version: int
    title: str
    public: PublicTerms
    purposes: tuple[Purpose, ...]
    controllers: tuple[Controller, ...]
    starts_on: date
    ends_on: date
    review_on: date
    datasets: tuple[Dataset, ...]
    privacy: PrivacyTerms
    analysts: tuple[str, ...]
    aggregates: tuple[str, ...]
    modes: tuple[Mode, ...]
    nodes_min: int
    partial: bool
    opt_out: OptOutTerms
    disclosure: DisclosureProfile = DisclosureProfile.NONE

    def __post_init__(self) -> None:
        """Complete, and free of contradictions that a reader would stumble over."""
        check_agreement(self.id)
        check_label(self.title, what="title")
        if not 1 <= self.version < 2**31:
            raise AgreementInvalid("The version of an agreement is a number from 1.")
        if not self.starts_on <= self.review_on <= self.ends_on:
            raise AgreementInvalid("The dates must be in order: starts_on, review_on, ends_on.")
        _check_distinct("purpose", [purpose.code for purpose in self.purposes])
        _check_distinct("controller", list(self.departments))
        _check_distinct("dataset", [dataset.name for dataset in self.datasets])
        if len({controller.key for controller in self.controllers}) != len(self.controllers):
            raise AgreementInvalid("Two controllers share one key.")
        departments = frozenset(self.departments)  # once: all these lists may be long
        for dataset in self.datasets:
            if not dataset.holders or not departments.issuperset(dataset.holders):
                sentence = f"The holders of {dataset.name} must be departments of the agreement."
                raise AgreementInvalid(sentence)
        if not 1 <= self.nodes_min <= len(self.controllers):
            raise AgreementInvalid("nodes_min lies between 1 and the number of departments.")
        if not self.modes or not self.aggregates or not self.analysts:
            raise AgreementInvalid(
                "An agreement allows at least one mode, one kind of aggregate and one analyst."
            )
        for kind in self.aggregates:
            _check_kind(kind)
        for pattern in self.analysts:
            _check_pattern(pattern, departments)

    @property
    def departments(self) -> tuple[str, ...]:
        """The departments, in the order of their controllers."""
        return tuple(controller.department for controller in self.controllers)

    def controller(self, department: str) -> Controller | None:
        """The controller of a department, None for a stranger."""
        return next((c for c in self.controllers if c.department == department), None)

    def dataset(self, name: str) -> Dataset:
        """The definition of a dataset.

        Raises
        ------
        NameUnknown
            The agreement has none of this name.

        """
        for dataset in self.datasets:
            if dataset.name == name:
                return dataset
        known = ", ".join(dataset.name for dataset in self.datasets)
        sentence = f"Agreement {self.id} has no dataset {name[:48]!r}; it has {known}."
        raise NameUnknown(sentence)

    def purpose(self, code: str) -> Purpose | None:
        """The purpose of this code, None where the agreement has none."""
        return next((purpose for purpose in self.purposes if purpose.code == code), None)

    def allows_analyst(self, name: str, department: str) -> bool:
        """Whether the list holds an analyst of `department`: as `name@department` or `*@department`."""
        return any(pattern in (f"{name}@{department}", f"*@{department}") for pattern in self.analysts)


def _check_distinct(what: str, names: Iterable[str]) -> None:
    listed = list(names)
    if not listed or len(set(listed)) != len(listed):
        sentence = f"An agreement needs at least one {what}, and each once."
        raise AgreementInvalid(sentence)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        sentence = f"{kind[:40]!r} is no kind of aggregate; there is {', '.join(KINDS)}."
        raise AgreementInvalid(sentence)


def _check_pattern(pattern: str, departments: frozenset[str]) -> None:
    name, at, department = pattern.partition("@")
    if not at or department not in departments or department == DEPARTMENT_KEY:
        sentence = f"{pattern[:60]!r} is no analyst of this agreement: write name@department or *@department."
        raise AgreementInvalid(sentence)
    if name != "*":
        check_analyst(name)
