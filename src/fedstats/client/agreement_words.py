"""An agreement in plain English: what people read before they sign, and what analysts keep to. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from fedstats.client.guarantee import used_percent
from fedstats.core.agreement import Agreement, Controller, ListKind
from fedstats.core.agreement_document import decimal_text
from fedstats.core.disclosure import DisclosureProfile, rule_words
from fedstats.core.domain import Categories, Dates, Domain, Numbers, Texts, date_of
from fedstats.core.guarantee.figures import agreed_belief_words, chance_words
from fedstats.core.population import Condition
from fedstats.core.privacy import Loss, Mechanism, UnitKind
from fedstats.core.rules import budget_of, query_cap_of
from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.identity.keys import PublicKey

LABELS_SHOWN = 8
Section = tuple[str, tuple[str, ...]]
"""A heading and its lines."""


def summary(agreement: Agreement) -> tuple[Section, ...]:
    """Everything that somebody who signs should know, in the order in which they ask."""
    public = agreement.public
    return (
        (f"{agreement.title} ({agreement.id}, version {agreement.version})", (public.summary,)),
        ("What for", tuple(_purposes(agreement))),
        ("Good for", (public.public_benefit, f"Legal basis: {public.legal_gateway}")),
        ("Who", tuple(_people(agreement))),
        ("When", (_dates(agreement),)),
        ("What data", tuple(line for dataset in agreement.datasets for line in dataset_lines(dataset))),
        ("How much privacy is given up", tuple(_privacy(agreement))),
        ("How it is answered", tuple(_answering(agreement))),
        ("Besides", tuple(_besides(agreement))),
    )


def column_line(column: ColumnDefinition) -> str:
    """A column, its values, and what it may be used for."""
    uses = [word for word, may in (("key", column.as_key), ("measure", column.as_measure)) if may]
    use = f"; only as {uses[0]} or filter" if uses else "; only as filter"
    if (column.as_key and column.as_measure) or isinstance(column.domain, Texts):
        use = ""
    missing = ", may be missing" if column.domain.nullable else ""
    described = f" - {column.description}" if column.description else ""
    return f"{column.name}: {values_words(column.domain)}{missing}{use}{described}"


def condition_words(condition: Condition) -> str:
    """Which rows of a column are in the population."""
    allowed = condition.allowed
    if isinstance(allowed, bool):
        return f"{condition.column} is {'true' if allowed else 'false'}"
    if isinstance(allowed, Categories):
        return f"{condition.column} is {' or '.join(allowed.labels)}"
    return f"{condition.column} is from {values_words(allowed)}"


def values_words(domain: Domain) -> str:
    """The values that a column can have."""
    if isinstance(domain, Numbers):
        step = "" if domain.step == 1 else f" in steps of {decimal_text(domain.step)}"
        return f"{decimal_text(domain.lo)} to {decimal_text(domain.hi)}{step}"
    if isinstance(domain, Categories):
        more = len(domain.labels) - LABELS_SHOWN
        return ", ".join(domain.labels[:LABELS_SHOWN]) + (f", and {more} more" if more > 0 else "")
    if isinstance(domain, Dates):
        return f"{date_of(domain.lo)} to {date_of(domain.hi)}"
    if isinstance(domain, Texts):
        return (
            f"text of up to {domain.characters_max} characters, without a public list: for grouping only; a "
            f"department names values that many people have, at most {domain.values_max:,}"
        )
    return "true or false"


def dataset_lines(dataset: Dataset) -> Iterator[str]:
    """A dataset: who is in it, who holds it, its columns and why they are needed."""
    yield from dataset_about(dataset)
    for column in dataset.columns:
        yield f"  {column_line(column)}"
        said = [column.classification] if column.classification else []
        said += [f"needed: {column.justification}"] if column.justification else []
        if said:
            yield f"    {'; '.join(said)}"


def dataset_about(dataset: Dataset) -> Iterator[str]:
    """A dataset without its columns."""
    yield f"{dataset.name}: {dataset.description}".rstrip(": ")
    if dataset.unit.kind is UnitKind.PERSON:
        rows = "1 row" if dataset.rows_max == 1 else f"{dataset.rows_max} rows"
        yield f"  protects a person ({dataset.unit.namespace}), at most {rows} of each at one department"
    else:
        yield "  protects one record: someone with several records is protected less"
    yield f"  about {dataset.people_about:,} in all; held by {', '.join(dataset.holders)}"
    yield f"  editions: {', '.join(dataset.editions)}"
    if dataset.population:
        conditions = " and ".join(condition_words(condition) for condition in dataset.population)
        yield f"  only rows where {conditions}; rows where this is not known are left out"
    for source in dataset.sources:
        yield f"  from {source.table} at {source.department}"


def _purposes(agreement: Agreement) -> Iterator[str]:
    for purpose in agreement.purposes:
        yield f"{purpose.code}: {purpose.text}"
        for prohibited in purpose.prohibited:
            yield f"  never for: {prohibited}"


def _people(agreement: Agreement) -> Iterator[str]:
    for controller in agreement.controllers:
        yield (
            f"{controller.department}: {controller.organisation}, "
            f"controller's key {PublicKey(controller.key).fingerprint}"
        )
        yield from _answerable(controller)
    yield f"Analysts: {', '.join(agreement.analysts)}"
    for what, names in (
        ("Processors", agreement.public.processors),
        ("Recipients", agreement.public.recipients),
    ):
        if names:
            yield f"{what}: {', '.join(names)}"


def _answerable(controller: Controller) -> Iterator[str]:
    people = (
        ("role", controller.role),
        ("senior owner", controller.senior_owner),
        ("data protection officer", controller.data_protection_officer),
        ("contact", controller.contact),
    )
    said = "; ".join(f"{what}: {text}" for what, text in people if text)
    if said:
        yield f"  {said}"


def _dates(agreement: Agreement) -> str:
    return f"From {agreement.starts_on} to {agreement.ends_on}, reviewed by {agreement.review_on}."


def _privacy(agreement: Agreement) -> Iterator[str]:
    """What the budget means, for somebody who has never met an epsilon."""
    terms, cap = agreement.privacy, query_cap_of(agreement)
    whole, one = (agreed_belief_words(agreement, loss) for loss in (budget_of(agreement), cap))
    epsilon, most = Decimal(decimal_text(terms.epsilon)), Decimal(decimal_text(terms.epsilon_per_query))
    yield (
        f"All answers together, ever: epsilon {epsilon:f} at delta {decimal_text(terms.delta)}. Whatever the "
        f"data says about you, someone's belief in it can move from 50 % to at most {whole} "
        f"because of all answers, except with {chance_words(terms.delta)}."
    )
    part = used_percent(agreement, Loss(cap.rho))
    yield (
        f"One question: at most epsilon {most:f} (a belief of 50 % to at most {one}, with the "
        f"same exception), which "
        f"is {part:.2g} % of the budget; smaller questions use far less."
    )
    if terms.pace is not None:
        pace = decimal_text(terms.pace.epsilon)
        yield f"In any {terms.pace.days} days: at most epsilon {pace} of it, so that it lasts."
    yield "The budget never refills: not by a new edition, nor by a new version of this agreement."
    c = terms.max_departments
    yield (
        f"It holds for everyone who is in at most {c} department{'s' if c > 1 else ''}; someone in more is "
        "protected less."
    )
    names = {Mechanism.GAUSSIAN: "Gaussian", Mechanism.LAPLACE: "Laplace (pure epsilon)"}
    yield f"Noise: {', '.join(names[mechanism] for mechanism in terms.mechanisms)}."


def _answering(agreement: Agreement) -> Iterator[str]:
    partial = "may be answered without some of them" if agreement.partial else "needs all of them"
    yield f"A question asks at least {agreement.nodes_min} departments, and {partial}."
    modes = {
        "local": "each department adds noise to its own totals",
        "secure": "only the sum is ever visible",
    }
    yield f"Modes: {'; '.join(modes[mode.value] for mode in agreement.modes)}."
    if agreement.opt_out.applies:
        days = agreement.opt_out.list_age_days_max
        if agreement.opt_out.list_kind is ListKind.ALLOW:
            yield f"Only people on a list of those who agreed are counted; it is at most {days} days old."
        else:
            yield f"People who opted out are left out, by a list at most {days} days old."
    else:
        yield f"People who opted out are counted, because: {agreement.opt_out.reason}"
    if agreement.disclosure is not DisclosureProfile.NONE:
        yield rule_words(agreement.disclosure)


def _besides(agreement: Agreement) -> Iterator[str]:
    public = agreement.public
    for what, text in (
        ("How data is shared", public.method),
        ("Areas", public.areas),
        ("Retention", public.retention),
        ("Sub-licensing", public.sub_licensing),
        ("Commercial use", public.commercial_use),
        ("Impact assessment", public.impact_assessment),
        ("Transparency record", public.transparency_record),
        ("Contact", public.contact),
    ):
        if text:
            yield f"{what}: {text}"
