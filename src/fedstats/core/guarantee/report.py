"""The guarantee report of a query: one JSON document with what NIST SP 800-226 tells readers to ask.

Its shape and what each field means are in `form`. All of it follows from signed documents, but for what
departments said of their budgets, which says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction

from fedstats.core.agreement import ListKind
from fedstats.core.agreement_document import Document, decimal_text
from fedstats.core.disclosure import DisclosureProfile, post_processing_words, rule_words
from fedstats.core.guarantee.figures import decimal_up, total_figures
from fedstats.core.guarantee.noise_of_rounds import rounds_of
from fedstats.core.guarantee.promise import guarantees_of, more_departments, sentence, unit_words
from fedstats.core.guarantee.run import Run
from fedstats.core.guarantee.statements import (
    DEFINITION,
    LAWS,
    LEARNS_LOCAL,
    NUMBERS,
    PUBLIC_INFORMATION,
    PURE_DEFINITION,
    RANDOMNESS,
    SIDE_CHANNELS,
    TESTS,
    UNPROTECTED,
)
from fedstats.core.privacy import Loss, Mechanism, UnitKind
from fedstats.core.query import RoundOrder
from fedstats.core.question_words import question_words
from fedstats.core.rules import budget_of

FORM = 1
PER_MILLION = 1_000_000


def report_of(run: Run) -> Document:
    """The report; `form.SCHEMA` describes it, and `page.page_of` makes a page of it."""
    pure = run.query.loss.mechanism is Mechanism.LAPLACE
    return {
        "form": FORM,
        "sentence": _sentence(run),
        "query": _query(run),
        "definition": {**(PURE_DEFINITION if pure else DEFINITION), "neighbours": _neighbours(run)},
        "unit": _unit(run),
        "contribution": _contribution(run),
        "guarantees": guarantees_of(run),
        "in_more_departments": more_departments(run),
        "cumulative": {"agreement": _under_agreement(run), "across_agreements": _across()},
        "mechanism": {
            "name": run.query.loss.mechanism.value,
            "law": LAWS[run.query.loss.mechanism.value],
            "discrete": True,
            "answered_from_record": list(run.free_at),
        },
        "rounds": rounds_of(run),
        "public_information": list(PUBLIC_INFORMATION),
        "trust": _trust(run),
        "randomness": list(RANDOMNESS),
        "numbers": list(NUMBERS),
        "side_channels": [dict(channel) for channel in SIDE_CHANNELS],
        "post_processing": list(_post_processing(run)),
        "small_groups": list(_small_groups(run)),
        "tests": [{"promise": promise, "where": f"tests/{where}"} for promise, where in TESTS],
        "software": run.software,
        "unprotected": list(UNPROTECTED),
    }


def _sentence(run: Run) -> str:
    delta, asked = run.agreement.privacy.delta_conversion, len(run.participants)
    return sentence(run.dataset, run.query.contribution, run.loss, delta, asked)


def _query(run: Run) -> Document:
    query, agreement = run.query, run.agreement
    purpose = agreement.purpose(query.purpose)
    return {
        "query": run.query_hash,
        "asked_by": run.asked_by,
        "asked_at": datetime.fromtimestamp(run.asked_at_s, UTC).isoformat(),
        "question": query.statistic.parameters,
        "question_words": _words(run),
        "agreement": agreement.id,
        "agreement_version": agreement.version,
        "agreement_sha256": run.agreement_hash,
        "purpose": query.purpose,
        "purpose_text": purpose.text if purpose else "",
        "dataset": query.dataset,
        "edition": query.edition,
        "mode": query.mode.value,
        "participants": list(run.participants),
    }


def _words(run: Run) -> str:
    """The question as it was put to departments first, in words that are made of what was signed alone."""
    query = bytes.fromhex(run.query_hash)
    order = RoundOrder(query, 0, run.rounds[0].asked.normalised(), tuple(sorted(run.participants)), b"")
    return question_words(run.query, order, run.dataset)


def _neighbours(run: Run) -> str:
    if run.dataset.unit.kind is UnitKind.ROW:
        return "D' is D with one record added or removed at one department."
    return "D' is D with one person and all their rows added or removed, over all departments together."


def _unit(run: Run) -> Document:
    unit = run.dataset.unit
    row = unit.kind is UnitKind.ROW
    return {
        "kind": unit.kind.value,
        "namespace": unit.namespace,
        "words": unit_words(run.dataset),
        "across_departments": not row,
        "beyond": "Someone with k records has k squared times the rho, and k times a pure epsilon."
        if row
        else "Households, families and other groups of k persons have k squared times the rho, and k times a "
        "pure epsilon.",
    }


def _contribution(run: Run) -> Document:
    contribution = run.query.contribution
    return {
        "rows_max": contribution.rows_max,
        "cells_max": contribution.cells_max,
        "departments_max": contribution.departments_max,
        "from": "The agreement, signed by every controller. They were not taken from the data.",
        "enforced": "rows_max: when an edition is made, rows beyond it are left out in the order of a keyed "
        "hash of their content. cells_max: the cells of a person are chosen by a keyed hash. "
        "departments_max: by sharing the loss out; nobody counts in how many departments a person is.",
    }


def _under_agreement(run: Run) -> Document:
    budget, delta = budget_of(run.agreement), run.agreement.privacy.delta_conversion
    part = None if run.used_ppm is None else Fraction(run.used_ppm, PER_MILLION)
    used = None if part is None else total_figures(Loss(budget.rho * part, budget.delta_add), delta)
    return {
        "agreement": run.agreement.id,
        "budget": total_figures(budget, delta),
        "used_percent": None
        if run.used_ppm is None
        else decimal_up(Fraction(run.used_ppm * 100, PER_MILLION)),
        "used": used,
        "said_by": "The fullest department, beside its answer, as a rounded-up part of rho; nobody signs it. "
        "The additive delta is counted as if it were used up.",
        "pace": _pace(run),
        "held_by": "Every node, from its own ledger: it refuses what its budget does not allow, and a new "
        "version of the agreement inherits the spending.",
    }


def _pace(run: Run) -> str:
    pace = run.agreement.privacy.pace
    if pace is None:
        return "The budget may be used at any pace."
    return f"In any {pace.days} days no more than epsilon {decimal_text(pace.epsilon)} of it may be used."


def _across() -> Document:
    return {
        "figures": None,
        "known_to": "Each department alone, from its own ledger: fedstats node guarantee",
        "held_by": "Every node: it answers nothing about persons for whom it has no lifetime cap over all "
        "datasets, agreements and editions, and nothing beyond that cap.",
    }


def _trust(run: Run) -> Document:
    return {
        "mode": run.query.mode.value,
        "trusted": "Each department trusts its own node and whoever runs it. Nobody else has to be trusted: "
        "the noise is added before anything leaves.",
        "colluders_max": None,
        "colluders": "The coordinator, every analyst and every other department.",
        "learns": dict(LEARNS_LOCAL),
    }


def _post_processing(run: Run) -> Iterator[str]:
    yield (
        "Totals, averages, shares, ratios and their intervals are computed from the releases alone, which "
        "costs no privacy. So is whatever anybody computes of them later."
    )
    profile = run.agreement.disclosure
    yield rule_words(profile) if profile is DisclosureProfile.NONE else post_processing_words(profile)


def _small_groups(run: Run) -> Iterator[str]:
    rows, dataset = run.query.contribution.rows_max, run.dataset
    yield (
        "The noise of a count is the same for every cell, so it hides small groups more than large ones: a "
        "number below the expected error can hardly be told from none."
    )
    if dataset.unit.kind is UnitKind.PERSON:
        yield (
            f"Of a person with more than {rows} {'row' if rows == 1 else 'rows'} at a department, {rows} "
            "count: groups of people with many rows are underestimated."
        )
    measures = [m for r in run.rounds for a in r.asked.aggregates for m in a.measures]
    if any(measure.grid for measure in measures):
        yield (
            "Values beyond the limits of clipping count as the limit, and are rounded where the report says "
            "so: groups with extreme values are drawn to the middle."
        )
    if any(answered.asked.opens for answered in run.rounds):
        yield "Values that few have are not named, and what they hold is in no row."
    if run.agreement.opt_out.applies:
        yield (
            "People who opted out are not counted: groups in which many opt out are underestimated."
            if run.agreement.opt_out.list_kind is ListKind.DENY
            else "Only people who are on a list of consent count: others are in no number."
        )
    if dataset.population:
        yield "Only the population that the agreement describes is in the data."
