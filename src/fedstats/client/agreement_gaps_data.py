"""What the datasets of an agreement lack: useful answers, reasons for columns, sensible bounds. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fedstats.core.accounting import noise_scale
from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import decimal_text
from fedstats.core.checks import Check, problem, warning
from fedstats.core.domain import Categories, Dates, Domain, Numbers
from fedstats.core.noise import TERMS_MAX, noise_half_width
from fedstats.core.privacy import Mechanism, MechanismLoss, Sensitivity, UnitKind
from fedstats.core.rules import query_cap_of
from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.errors import LossInvalid, TooLarge

USELESS = 0.2  # an error of the count of everybody, as part of it, from which on nothing can be learned
COARSE = 0.02
STEPS_MANY = 1_000_000
_SPECIAL = re.compile(r"special|criminal|sensitive", flags=re.IGNORECASE)


def data_gaps(agreement: Agreement) -> Iterator[Check]:
    """Everything about the datasets, in their order."""
    for dataset in agreement.datasets:
        yield from _exactness(agreement, dataset)
        yield from _sizes(agreement, dataset)
        yield from _reasons(dataset)
        for column in dataset.columns:
            yield from _column(dataset, column)


def _exactness(agreement: Agreement, dataset: Dataset) -> Iterator[Check]:
    """Whether the most that one question may lose is enough to learn anything from everybody."""
    most = decimal_text(agreement.privacy.epsilon_per_query)
    error = _half_width(agreement, dataset)
    part = error / dataset.people_about
    if part < COARSE:
        return
    found = (
        f"With the most that one question may use, epsilon {most}, the plainest question (how many are "
        f"there) is answered to within about {error:,} of {dataset.people_about:,}"
    )
    fix = "Raise epsilon_per_query (and epsilon), or lower rows_max or max_departments, where that is true."
    if part >= USELESS:
        yield problem("budget", f"{found}: nothing useful comes of it.", fix, subject=dataset.name)
    else:
        yield warning("budget", f"{found}; groups are known less well.", fix, subject=dataset.name)


def _half_width(agreement: Agreement, dataset: Dataset) -> int:
    """Half of the 95 % interval of a count of all rows, over all holders, at the most for one question."""
    terms = agreement.privacy
    gaussian = Mechanism.GAUSSIAN in terms.mechanisms
    mechanism = Mechanism.GAUSSIAN if gaussian else Mechanism.LAPLACE
    amount = query_cap_of(agreement).rho if gaussian else terms.epsilon_per_query
    c = 1 if dataset.unit.kind is UnitKind.ROW else terms.max_departments
    rows = dataset.rows_max
    try:
        scale = noise_scale(Sensitivity(rows, rows**2), MechanismLoss(mechanism, amount).at_node(c))
    except LossInvalid:  # so much loss that there is hardly any noise
        return 0
    except TooLarge:
        return dataset.people_about
    return noise_half_width(mechanism, scale, min(len(dataset.holders), TERMS_MAX))


def _sizes(agreement: Agreement, dataset: Dataset) -> Iterator[Check]:
    if not dataset.editions:
        found = "Nobody may use it: it has no edition in its schedule."
        yield problem("editions", found, 'Name the snapshots: editions = ["2026-03"].', subject=dataset.name)
    if dataset.people_max * len(dataset.holders) < dataset.people_about:
        found = (
            f"people_about is {dataset.people_about:,}, and {len(dataset.holders)} departments with "
            f"people_max {dataset.people_max:,} cannot have so many."
        )
        yield problem(
            "sizes", found, "Correct one of them; people_max must never be too low.", subject=dataset.name
        )
    if dataset.unit.kind is UnitKind.ROW:
        found = "It protects one record, and someone with several records less."
        yield warning(
            "unit", found, 'Choose kind = "person" where the data names persons.', subject=dataset.name
        )
    if len(dataset.holders) == 1 and len(agreement.controllers) > 1:
        found = f"Only {dataset.holders[0]} holds it: answers are about that department alone."
        yield warning("holders", found, "Add the other holders, if there are any.", subject=dataset.name)


def _reasons(dataset: Dataset) -> Iterator[Check]:
    special = [
        c for c in dataset.columns if _SPECIAL.search(c.classification) and not c.justification.strip()
    ]
    for column in special:
        yield problem(
            "justification",
            f"It is {column.classification}, and nothing says why it is needed.",
            "Add a justification to the column, or leave the column out.",
            subject=f"{dataset.name}.{column.name}",
        )
    silent = [
        c.name for c in dataset.columns if c not in special and not (c.classification and c.justification)
    ]
    if silent:
        found = f"Nothing says how sensitive these columns are, or why they are needed: {', '.join(silent)}."
        yield warning("justification", found, "Add classification and justification.", subject=dataset.name)


def _column(dataset: Dataset, column: ColumnDefinition) -> Iterator[Check]:
    place = f"{dataset.name}.{column.name}"
    conditions = {condition.column: condition for condition in dataset.population}
    if not column.as_key and not column.as_measure and column.name not in conditions:
        found = "Nobody may group by it or count it: it serves in WHERE alone."
        yield warning("unused-column", found, "Leave it out, unless questions filter by it.", subject=place)
    if _values(column.domain) == 1:
        yield warning(
            "bounds", "It can have one value only.", "Widen its bounds, or leave it out.", subject=place
        )
    domain = column.domain
    if (
        isinstance(domain, Numbers)
        and (domain.hi - domain.lo) / domain.step > STEPS_MANY
        and column.as_measure
    ):
        found = (
            f"It reaches from {decimal_text(domain.lo)} to {decimal_text(domain.hi)}: the noise of a sum is "
            "as large as the greatest value."
        )
        fix = "Choose bounds that nearly all values keep to; a question may still narrow them with CLAMP."
        yield warning("bounds", found, fix, subject=place)
    if column.name in conditions and conditions[column.name].allowed == domain:
        found = "The population's condition on it admits every value."
        yield warning("population", found, "Leave the condition out.", subject=place)


def _values(domain: Domain) -> int:
    if isinstance(domain, Numbers):
        return domain.hi_code - domain.lo_code + 1
    if isinstance(domain, Dates):
        return domain.hi - domain.lo + 1
    return len(domain.labels) if isinstance(domain, Categories) else 2
