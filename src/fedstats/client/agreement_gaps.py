"""What a valid agreement lacks before people should sign it: problems, and advice. Pure.

A problem is what makes it useless, weaker than it seems, or unlawful to rely on; the rest is worth a second
look. What is no agreement at all is refused where it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_UP, Context

from fedstats.client.agreement_gaps_data import data_gaps
from fedstats.core.accounting import epsilon_from_rho, rho_from_epsilon
from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import decimal_text, document_of
from fedstats.core.checks import Check, problem, warning
from fedstats.core.guarantee.figures import plain
from fedstats.core.privacy import UnitKind

EPSILON_HIGH = 10  # from here a belief of 50 % may become certainty
LIST_AGE_DAYS_LONG = 31
ENDS_SOON = timedelta(days=30)
YEAR = timedelta(days=366)
LONG = timedelta(days=5 * 366)
REGISTER_FIELDS = (
    *("method", "areas", "recipients", "retention", "sub_licensing", "commercial_use"),
    *("impact_assessment", "transparency_record"),
)

# What people write where something is still to be written: an agreement with it must not be signed.
_UNWRITTEN = re.compile(
    r"\b(tbc|tbd|tba|todo|fixme|x{3,}|lorem ipsum|fill in|placeholder|insert \w+|"
    r"to be (confirmed|decided|added|agreed|written|completed|determined))\b|\?\?|^\W*$",
    flags=re.IGNORECASE,
)
_NO_LAW = re.compile(
    r"(none|no|not? (applicable|needed|known)|n/?a|unknown|consent|\W*)\.?", flags=re.IGNORECASE
)
_PROSE = ("labels", "editions", "holders", "analysts", "aggregates", "modes", "mechanisms")  # is none


def gaps(agreement: Agreement, today: date) -> tuple[Check, ...]:
    """Problems first, then advice; each with what to do."""
    found = [
        *_law(agreement),
        *_unwritten(agreement),
        *_dates(agreement, today),
        *_budget(agreement),
        *_people(agreement),
        *data_gaps(agreement),
        *_answering(agreement),
        *_told(agreement),
    ]
    return tuple(sorted(found, key=lambda check: check.health.value))  # "problem" < "warning"


def _law(agreement: Agreement) -> Iterator[Check]:
    gateway, codes = agreement.public.legal_gateway, [purpose.code for purpose in agreement.purposes]
    fix = "Name the Act and the section in [public] legal_gateway; ask your data protection officer."
    if _NO_LAW.fullmatch(gateway.strip()):
        found = f"No law is named that allows {_listed(codes)}."
        yield problem("legal-gateway", found, fix)
    elif len(codes) > 1 and not all(code in gateway for code in codes):
        unnamed = [code for code in codes if code not in gateway]
        found = (
            f"There are several purposes, and legal_gateway does not say that it covers {_listed(unnamed)}."
        )
        yield warning("legal-gateway", found, "Say for each purpose, by its code, which law allows it.")
    for purpose in agreement.purposes:
        if not purpose.prohibited:
            yield warning(
                "prohibited",
                "Nothing is said about what answers may never be used for.",
                'Add prohibited = ["Decisions about one person."] to the purpose.',
                subject=purpose.code,
            )


def _unwritten(agreement: Agreement) -> Iterator[Check]:
    for place, text in _texts(document_of(agreement)):
        if text.strip() and (found := _UNWRITTEN.search(text)):
            words = f"{found[0].strip() or text}"
            yield problem("unwritten", f"It says {words!r}.", "Write what belongs there.", subject=place)


def _texts(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, f"{place}[{number}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _PROSE:
                yield from _texts(item, f"{place}.{key}" if place else key)


def _dates(agreement: Agreement, today: date) -> Iterator[Check]:
    starts, ends, review = agreement.starts_on, agreement.ends_on, agreement.review_on
    if ends < today:
        yield problem("dates", f"It ended on {ends}: nothing is answered.", "Choose a later ends_on.")
    elif ends < today + ENDS_SOON:
        yield warning("dates", f"It ends on {ends}, in {_days(ends - today)}.", "Choose a later ends_on.")
    elif ends - starts > LONG:
        yield warning(
            "dates", f"It runs for {(ends - starts).days // 365} years.", "Consider an earlier ends_on."
        )
    if review < today <= ends:
        yield warning("review", f"Its review was due on {review}.", "Review it, and sign a new version.")
    elif review - starts > YEAR:
        found = f"It is reviewed only {_days(review - starts)} after it starts."
        yield warning("review", found, "Choose a review_on within a year.")


def _budget(agreement: Agreement) -> Iterator[Check]:
    terms = agreement.privacy
    whole, most = decimal_text(terms.epsilon), decimal_text(terms.epsilon_per_query)
    if terms.epsilon > EPSILON_HIGH:
        found = f"A budget of epsilon {whole} promises nearly nothing to a person."
        yield warning("budget", found, "Choose an epsilon of 10 or less; many agreements need less than 4.")
    if terms.epsilon_per_query == terms.epsilon:
        yield warning(
            "budget", "One question may use the whole budget.", "Choose an epsilon_per_query below epsilon."
        )
    if terms.pace is not None and terms.pace.epsilon < terms.epsilon_per_query:
        pace = decimal_text(terms.pace.epsilon)
        found = f"One question may use epsilon {most}, and the pace allows {pace} in {terms.pace.days} days."
        yield warning("pace", found, "Choose an epsilon_per_query of at most pace_epsilon.")
    people = max(dataset.people_about for dataset in agreement.datasets)
    if terms.delta * people >= 1:
        found = (
            f"delta is {decimal_text(terms.delta)} with about {people:,} people: a mechanism that gave away "
            "one of them entirely would keep this promise."
        )
        least = Context(prec=1, rounding=ROUND_UP).create_decimal(10 * people)
        fix = f"Choose a delta well below one in the number of people, such as 1/{int(least):,}."
        yield problem("delta", found, fix)


def _people(agreement: Agreement) -> Iterator[Check]:
    """max_departments, against the number of departments that hold each dataset of persons."""
    c = agreement.privacy.max_departments
    for dataset in agreement.datasets:
        holders = len(dataset.holders)
        if dataset.unit.kind is not UnitKind.PERSON or c == holders:
            continue
        if c > holders:
            found = (
                f"max_departments is {c}, and {holders} hold it: answers are less exact, and nobody gains."
            )
            yield warning("max-departments", found, f"Choose {holders}.", subject=dataset.name)
        else:
            epsilon = _epsilon_of_all(agreement, holders)
            found = (
                f"{holders} departments hold it, and the promise is made to people who are in at most {c}. "
                f"For someone who is in all {holders}, the whole budget is epsilon {epsilon}, not "
                f"{decimal_text(agreement.privacy.epsilon)}."
            )
            fix = f"Choose {holders} where people may well be in all of them, and accept more noise."
            yield warning("max-departments", found, fix, subject=dataset.name)


def _epsilon_of_all(agreement: Agreement, holders: int) -> str:
    """What the whole budget is for a person who is in every department: each of them spends 1/c of rho."""
    terms = agreement.privacy
    rho = rho_from_epsilon(terms.epsilon, terms.delta_conversion) * holders / terms.max_departments
    return plain(Context(prec=3, rounding=ROUND_UP).plus(epsilon_from_rho(rho, terms.delta_conversion)))


def _answering(agreement: Agreement) -> Iterator[Check]:
    if agreement.nodes_min == 1 and len(agreement.controllers) > 1:
        found = "nodes_min is 1: a question may be put to one department alone."
        yield warning("nodes-min", found, "Choose 2 or more, if answers are meant to be about several.")
    if not agreement.opt_out.applies:
        found = f"People who opted out are counted: {agreement.opt_out.reason}"
        yield warning("opt-outs", found, "Make sure that the law says so; the register shows the reason.")
    elif agreement.opt_out.list_age_days_max > LIST_AGE_DAYS_LONG:
        days = agreement.opt_out.list_age_days_max
        found = f"Someone who opts out may be counted for another {days} days."
        yield warning("opt-outs", found, "Choose a list_age_days_max of 31 or less.")


def _told(agreement: Agreement) -> Iterator[Check]:
    """What the public and whoever complains will look for."""
    for key in ("summary", "public_benefit", "contact"):
        if not getattr(agreement.public, key).strip():
            yield problem(
                "public", f"[public] {key} is empty.", "Write it: the register shows it.", subject=key
            )
    empty = [key for key in REGISTER_FIELDS if not getattr(agreement.public, key)]
    if empty:
        found = f"The public register will say nothing about: {', '.join(empty)}."
        yield warning(
            "public", found, 'Write them in [public]; where there is nothing to say, write "None.".'
        )
    officers = [c.department for c in agreement.controllers if not c.data_protection_officer]
    if officers:
        found = f"No data protection officer is named for {_listed(officers)}."
        fix = (
            "Add data_protection_officer to the controller: a public authority has one (UK GDPR, Article 37)."
        )
        yield problem("officers", found, fix)
    owners = [c.department for c in agreement.controllers if not c.senior_owner or not c.contact]
    if owners:
        found = f"No senior owner or no contact is named for {_listed(owners)}."
        yield warning("officers", found, "Add senior_owner and contact to the controller.")


def _days(time: timedelta) -> str:
    return "1 day" if time.days == 1 else f"{time.days} days"


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
