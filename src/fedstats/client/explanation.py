"""What a question would cost, and how wide its intervals would be, before anything is sent. Pure.

Where the widths come from: `expecting`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import groupby

from fedstats.client import export
from fedstats.client.aiming import Aim
from fedstats.client.asking import Draft, loss_of
from fedstats.client.expecting import (
    Naming,
    Width,
    cells_of_value,
    expected_widths,
    naming_of,
    widths_by_bound,
)
from fedstats.client.guarantee import cost_of, guarantee_of
from fedstats.client.words import cost_sentence
from fedstats.core.bound import Bound, BoundKind
from fedstats.core.disclosure import DisclosureProfile, rule_of, rule_words
from fedstats.core.estimate import Cost, Guarantee
from fedstats.core.foresight import Supporting
from fedstats.core.statistic import Statistic


@dataclass(frozen=True, slots=True)
class Explanation:
    """A question before it is asked.

    `cells` are all cells, or those of each value where `naming` says how values of an open key are named.
    `bounds` are the widths with each way to bound a person, that of the question first.
    `support` is the part of the loss that counts who stands behind the numbers, for disclosure control alone.
    `filtered` says that WHERE leaves some people out; `pure_factor` is how many times as much of the budget
    pure epsilon takes as Gaussian noise; `has_choice` is whether the agreement allows both.
    """

    question: str
    agreement: str
    agreement_version: int
    purpose: str
    dataset: str
    edition: str
    participants: tuple[str, ...]
    left_out: tuple[str, ...]
    cells: int
    people_about: int
    cost: Cost
    guarantee: Guarantee
    widths: tuple[Width, ...]
    pure_factor: float
    has_choice: bool
    filtered: bool
    rounds_max: int = 1
    aim: Aim | None = None
    naming: Naming | None = None
    disclosure: DisclosureProfile = DisclosureProfile.NONE
    support: Fraction = Fraction(0)
    bounds: tuple[tuple[str, tuple[Width, ...]], ...] = ()


def explain(draft: Draft, statistic: Statistic, epsilon: Fraction, aimed: Aim | None = None) -> Explanation:
    """Cost, promise and expected widths of a question that was not asked; `aimed`: how its loss was found."""
    query, agreement, dataset = draft.query, draft.terms.agreement, draft.terms.dataset
    participants, contribution = draft.terms.choice.participants, query.contribution
    charges = {
        pure: loss_of(agreement, epsilon, pure=pure).charge(contribution.departments_max).rho
        for pure in (False, True)
    }
    return Explanation(
        question=query.statistic.parameters,
        agreement=agreement.id,
        agreement_version=agreement.version,
        purpose=query.purpose,
        dataset=dataset.name,
        edition=query.edition,
        participants=participants,
        left_out=draft.terms.choice.left_out,
        cells=max(
            aggregate.groups(dataset)
            if aggregate.open_key(dataset) is None
            else cells_of_value(aggregate, dataset)
            for aggregate in draft.order.round.aggregates
        ),
        people_about=dataset.people_about,
        cost=cost_of(agreement, query.loss, contribution),
        guarantee=guarantee_of(agreement, dataset, query.loss, contribution, len(participants)),
        widths=expected_widths(draft, statistic),
        pure_factor=float(charges[True] / charges[False]),
        has_choice=len(agreement.privacy.mechanisms) > 1,
        filtered=query.where is not None,
        rounds_max=query.rounds_max,
        aim=aimed,
        naming=naming_of(draft),
        disclosure=query.disclosure,
        support=statistic.support_share(draft.ask) if isinstance(statistic, Supporting) else Fraction(0),
        bounds=widths_by_bound(draft, statistic),
    )


def explanation_lines(explanation: Explanation) -> list[tuple[str, str]]:
    """The explanation as heads and sentences."""
    e = explanation
    asks = f"{', '.join(e.participants)}, about {e.dataset} {e.edition}, under {e.agreement} for {e.purpose}."
    left = (
        [("Not asked:", f"{', '.join(e.left_out)}, for want of edition {e.edition}.")] if e.left_out else []
    )
    other = "The Gaussian mechanism" if e.cost.pure else "Pure epsilon (--pure)"
    factor = 1 / e.pure_factor if e.cost.pure else e.pure_factor
    besides = [("Besides:", f"{other} would take {factor:.2g} times as much of the budget.")]
    return [
        ("Question:", e.question),
        ("Asks:", asks),
        *left,
        *([("Rounds:", _rounds_words(e))] if e.rounds_max > 1 else []),
        ("Cells:", _cells_words(e) if e.naming is None else _naming_words(e, e.naming)),
        *(("Target:", sentence) for sentence in (e.aim.sentences if e.aim else ())),
        *(("Expect:", sentence) for sentence in _expectations(e)),
        *(("Bounds:", sentence) for sentence in _bounds_words(e)),
        *(("Shown:", sentence) for sentence in _disclosure_words(e)),
        *(("Warning:", sentence) for sentence in _warnings(e)),
        ("Cost:", cost_sentence(e.cost, e.agreement)),
        ("Promise:", e.guarantee.sentence),
        *(besides if e.has_choice else []),
        ("Note:", "Nothing was asked and nothing was spent."),
    ]


def explanation_json(explanation: Explanation) -> str:
    """The explanation as JSON: the names of its fields; keys are only ever added."""
    e = explanation
    document = {
        "form": 1,
        "question": e.question,
        "agreement": e.agreement,
        "agreement_version": e.agreement_version,
        "purpose": e.purpose,
        "dataset": e.dataset,
        "edition": e.edition,
        "participants": list(e.participants),
        "left_out": list(e.left_out),
        "rounds_max": e.rounds_max,
        "cells": e.cells,
        "naming": None if e.naming is None else {**asdict(e.naming), "delta": float(e.naming.delta)},
        "people_about": e.people_about,
        "cost": export.cost_document(e.cost),
        "guarantee": export.guarantee_document(e.guarantee),
        "expected": [
            {
                "table": width.table,
                "column": width.column,
                "half_width": width.half_width,
                "exact": width.exact,
            }
            for width in e.widths
        ],
        "disclosure": {"profile": e.disclosure.value, "support": float(e.support)},
        "bounds": [
            {"bound": bound, "expected": [{"column": w.column, "half_width": w.half_width} for w in widths]}
            for bound, widths in e.bounds
        ],
        "filtered": e.filtered,
        "warnings": list(_warnings(e)),
        "target": None if e.aim is None else {"epsilon": float(e.aim.epsilon), "limits": dict(e.aim.limits)},
        "pure_factor": e.pure_factor,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)


def _rounds_words(e: Explanation) -> str:
    """How many, and that later ones follow totals that nobody has yet."""
    known = "The cells are those of the first"
    if not e.widths:
        return f"up to {e.rounds_max}. {known}; how exact the answer will be cannot be known beforehand."
    return f"up to {e.rounds_max}. {known}; what to expect is said for rounds that follow made-up totals."


def _cells_words(e: Explanation) -> str:
    about, kept = f"about {e.people_about:,} people", "WHERE kept them all"
    fewer = " It keeps fewer; how many, nobody knows beforehand." if e.filtered else ""
    if e.cells == 1:
        return f"1, with {about}{f' if {kept}' if e.filtered else ''}.{fewer}"
    each = f"{e.people_about / e.cells:,.0f} of them in each"
    even = f"if they were spread evenly{f' and {kept}' if e.filtered else ''}"
    return f"{e.cells:,}, and {about}: {each} {even}.{fewer}"


def _naming_words(e: Explanation, naming: Naming) -> str:
    cells = "1 cell" if e.cells == 1 else f"{e.cells:,} cells"
    return (
        f"{cells} for each value of {naming.column}, which has no public list: a department names a value "
        f"only where its number of {naming.units}, with noise, is {naming.threshold:,} or more, and at most "
        f"{naming.values_max:,} values. This costs a delta of {float(naming.delta):.2g}. What to expect is "
        "said for a value that every department just names."
    )


def _expectations(e: Explanation) -> Iterator[str]:
    """A sentence for each column whose noise is known; of several tables, one for each."""
    known = [w for w in e.widths if w.half_width != 0]  # 0: a figure that says nothing of its noise
    if len({width.table for width in e.widths}) == 1:
        yield from map(_width_words, known)
        return
    for name, widths in groupby(known, lambda width: width.table):
        yield _table_words(name, list(widths))


def _width_words(width: Width) -> str:
    if width.half_width is None:
        return f"{width.column}: too few people in most cells to tell from the noise."
    if width.exact:
        return f"{width.column}: ± {_two_digits(width.half_width)} in every cell, whatever it holds"
    number = f"± {_two_digits(width.half_width)}"
    return f"{width.column}: about {number} in a cell of that size, more in smaller ones"


def _table_words(name: str, widths: list[Width]) -> str:
    """A line of such a table may add up many cells, so it says nothing of the size of a cell."""
    lines = widths[0].lines
    exact = [_with_noise(width) for width in widths if width.exact and width.half_width is not None]
    about = [_with_noise(width) for width in widths if not width.exact and width.half_width is not None]
    hidden = [width.column for width in widths if width.half_width is None]
    middling = (
        "if people were spread evenly" if lines == 1 else "in a line of middling size, more in smaller ones"
    )
    parts = [
        *([f"{', '.join(exact)}, whatever the data hold"] if exact else []),
        *([f"about {', '.join(about)}, {middling}"] if about else []),
        *([f"too few people to tell from the noise: {', '.join(hidden)}"] if hidden else []),
    ]
    return f"{name} ({'1 line' if lines == 1 else f'{lines:,} lines'}): {'; '.join(parts)}."


def _with_noise(width: Width) -> str:
    return f"{width.column} ± {_two_digits(width.half_width or 0.0)}"


def _two_digits(number: float) -> str:
    return f"{float(f'{number:.2g}'):,.10g}"


_BOUND_WORDS = {
    BoundKind.ROWS: "every row counts",
    BoundKind.PEOPLE: "everybody counts once in a cell",
    BoundKind.NORM: "rows have weights",
}


def _bounds_words(e: Explanation) -> Iterator[str]:
    """The widths side by side where a person can be bounded in several ways: each is another question."""
    for i, (text, widths) in enumerate(e.bounds):
        bound = Bound.parse(text) or Bound.rows()
        found = "; ".join(
            f"{width.column} unknown" if width.half_width is None else _with_noise(width) for width in widths
        )
        yield f"--bound {text} ({_BOUND_WORDS[bound.kind]}){' as asked' if i == 0 else ''}: {found}"


def _disclosure_words(e: Explanation) -> Iterator[str]:
    """What will be withheld, and what it costs to know whom to withhold."""
    if rule_of(e.disclosure) is None:
        return
    sentence = rule_words(e.disclosure)
    if e.support:
        share = f"{100 * float(e.support):.2g} %"
        sentence += f" To know how many stand behind a number, {share} of the loss goes into counting them."
    yield sentence


def _warnings(e: Explanation) -> Iterator[str]:
    """What an analyst would regret not having been told."""
    rule, each = rule_of(e.disclosure), e.people_about / e.cells
    if rule is not None and e.naming is None and each < 2 * rule.least:
        yield (
            f"with about {each:,.0f} people in each cell, disclosure control {e.disclosure.value} will "
            "withhold many. Ask for fewer cells."
        )
    for width in e.widths:
        if width.half_width is None or width.typical is None or width.half_width <= width.typical:
            continue
        filtered = ", and WHERE leaves still fewer" if e.filtered else ""
        yield (
            f"the noise of {width.column} is wider than a cell of middling size (about {width.typical:,.3g}"
            f"{filtered}): most cells will say little. Ask for fewer cells, or with a larger --epsilon."
        )
