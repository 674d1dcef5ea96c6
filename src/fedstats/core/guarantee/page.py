"""A guarantee report as a page of text, for people who will not read JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

COLUMNS = 96
Report = Mapping[str, Any]
"""A report as `report_of` made it, or as it was read from a file that fits the schema."""


def page_of(report: Report) -> str:
    """The page: what is promised first, how that is reached after it."""
    sections = (
        ("What is promised", [report["sentence"]]),
        ("What was asked", _query(report["query"])),
        ("Who is protected", _protected(report)),
        ("How much, in figures", _promises(report)),
        ("All questions together", _cumulative(report["cumulative"])),
        ("How the noise was made", _mechanism(report)),
        ("What was computed", _rounds(report["rounds"])),
        ("Whom one has to trust", _trust(report["trust"])),
        ("What else could tell something", _channels(report["side_channels"])),
        ("What is not protected", report["unprotected"]),
        ("Answers about small groups", report["small_groups"]),
        ("What happens to the numbers afterwards", report["post_processing"]),
        ("What is tested", [f"{test['promise']} ({test['where']})" for test in report["tests"]]),
        ("Made by", [report["software"]]),
    )
    head = f"Guarantee report of query {report['query']['query'][:10]}"
    return "\n".join(
        [head, "=" * len(head), "", *(line for name, said in sections for line in _section(name, said))]
    )


def _section(name: str, said: Iterable[str]) -> Iterator[str]:
    yield name
    yield "-" * len(name)
    for sentence in said:
        yield textwrap.fill(
            " ".join(sentence.split()),
            COLUMNS,
            subsequent_indent="  ",
            break_on_hyphens=False,
            break_long_words=False,
        )
    yield ""


def _query(query: Report) -> Iterator[str]:
    yield f"Question, as the analyst wrote it: {query['question']}"
    yield f"What was computed: {query['question_words']}"
    yield f"Asked by {query['asked_by']} on {query['asked_at'][:10]}, of {', '.join(query['participants'])}."
    yield (
        f"About {query['dataset']} {query['edition']}, under agreement {query['agreement']} version "
        f"{query['agreement_version']}, for {query['purpose']}: {query['purpose_text']}"
    )
    yield f"SHA-256 of the agreement's text: {query['agreement_sha256']}"


def _protected(report: Report) -> Iterator[str]:
    unit, bounds = report["unit"], report["contribution"]
    yield f"The unit: {unit['words']}. {unit['beyond']}"
    yield (
        f"A unit counts with at most {bounds['rows_max']} rows at one department, in at most "
        f"{bounds['cells_max']} cells, at {bounds['departments_max']} departments at most. {bounds['from']}"
    )
    yield f"Compared are: {report['definition']['neighbours']}"
    yield f"The definition: {report['definition']['name']}. {report['definition']['formal']}"


def _promises(report: Report) -> Iterator[str]:
    for promise in report["guarantees"]:
        what = "All answers together" if promise["of"] == "federation" else "The answers of one department"
        yield f"{what}: {_loss(promise['figures'])} Against {promise['against']}; for {promise['holds_for']}."
    for more in report["in_more_departments"]:
        yield f"Someone in {more['departments']} of the departments: {_loss(more['figures'])}"


def _loss(figures: Report) -> str:
    strict = figures["strict"]
    delta = "" if figures["delta"] == "0" else f" at delta {figures['delta']}"
    aside = (
        ""
        if strict["epsilon"] == figures["epsilon"]
        else f" (read strictly: to {_percent(strict)}, but for a chance of {figures['delta']})"
    )
    return (
        f"epsilon {figures['epsilon']}{delta}, rho {figures['rho']}. A belief of 50 % can move to "
        f"{_percent(figures)}{aside}."
    )


def _percent(said: Report) -> str:
    return "nearly 100 %" if said["belief_percent"] == "100" else f"at most {said['belief_percent']} %"


def _cumulative(cumulative: Report) -> Iterator[str]:
    under, across = cumulative["agreement"], cumulative["across_agreements"]
    yield f"Whatever is asked under {under['agreement']}, ever: {_loss(under['budget'])} {under['pace']}"
    yield under["held_by"]
    if under["used"] is not None:
        yield f"Used until now: {under['used_percent']} % of it: {_loss(under['used'])} {under['said_by']}"
    yield f"Over all agreements. Who knows it: {across['known_to']}. {across['held_by']}"


def _mechanism(report: Report) -> Iterator[str]:
    mechanism = report["mechanism"]
    yield f"The noise is {mechanism['law']}; whole numbers only."
    if mechanism["answered_from_record"]:
        yield f"Answered from the record, free: {', '.join(mechanism['answered_from_record'])}."
    yield from report["randomness"]
    yield from report["numbers"]


def _rounds(rounds: Iterable[Report]) -> Iterator[str]:
    for one in rounds:
        for aggregate in one["aggregates"]:
            keys = " by " + ", ".join(aggregate["keys"]) if aggregate["keys"] else ""
            yield f"Round {one['number']}: {aggregate['cells']:,} cells{keys}."
            yield from (_measure(measure) for measure in aggregate["measures"])
            if aggregate["threshold"]:
                yield f"  {aggregate['threshold']['words']}"
        released = [release["department"] for release in one["releases"]]
        yield f"  Answered: {', '.join(released) or 'nobody'}."
        for absent in one["absent"]:
            yield f"  Absent: {absent['department']} ({absent['code']})."


def _measure(measure: Report) -> str:
    what = {"rows": "Rows", "people": "People", "sum": "Sum"}[measure["counts"]]
    of = f" of {measure['of']}" if measure["of"] else ""
    error, clipping = measure["expected_error"], measure["clipping"]
    cut = f" Cut off at {clipping['lo']} and {clipping['hi']}. {clipping['from']}" if clipping else ""
    total = "" if error["total"] is None else f", within {error['total']} of that over {error['departments']}"
    return (
        f"  {what}{of}: {measure['sensitivity']['derivation']}{cut} Noise of scale {measure['scale']} steps; "
        f"95 times in 100 within {error['one_department']} of the number of one department{total}."
    )


def _trust(trust: Report) -> Iterator[str]:
    yield trust["trusted"]
    yield f"It holds even if all of these work together. {trust['colluders']}"
    for who, learns in trust["learns"].items():
        yield f"{who.capitalize()}: {learns}"


def _channels(channels: Iterable[Report]) -> Iterator[str]:
    for channel in channels:
        yield f"{channel['channel'].capitalize()}. {channel['done']} What is left: {channel['left']}"
