"""What a person reads before deciding about a question: made here of what was signed, without the data."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from fedstats.core.aggregate.grouped_sums import open_keys
from fedstats.core.agreement import Agreement
from fedstats.core.expression import Column, Expression, Literal, walk
from fedstats.core.expression_words import expression_words
from fedstats.core.query import Query, RoundOrder
from fedstats.core.question_words import question_sentences
from fedstats.core.schema import DEPARTMENT_KEY, Dataset
from fedstats.core.times import minute_of
from fedstats.errors import FedstatsError
from fedstats.node.approvals import Standing
from fedstats.node.asked import Asked
from fedstats.node.caps import agreement_cap, percent
from fedstats.node.runner import Runner
from fedstats.wire.codec import decode_query, decode_round

Sections = tuple[tuple[str, tuple[str, ...]], ...]
"""Headings with their lines."""

LITERALS_SHOWN_MAX = 200


def sections(runner: Runner, standing: Standing) -> Sections:
    """All that a person needs to decide about the question.

    Where it would be refused whatever is decided, it says why.

    Raises
    ------
    FedstatsError
        The question cannot be read: it was never verified here.

    """
    query = decode_query(standing.task.query.payload)
    order = decode_round(standing.task.round.payload)
    try:
        asked = runner.verified(standing.task)
    except FedstatsError as problem:
        return (_state(standing, query), ("Now", _refused(problem)))
    obstacle, agreement, dataset = runner.obstacle(asked), asked.agreement, asked.dataset
    return (
        _state(standing, query),
        ("The question", question_sentences(query, order, dataset)),
        ("Who asks, and for what", tuple(_who(agreement, query, standing.analyst))),
        ("Columns that it touches", tuple(_columns(query, dataset))),
        ("Values that it names", (_literals(query, order),)),
        ("Privacy budget", tuple(_budget(runner, asked))),
        ("What would leave", tuple(_leaving(order, dataset))),
        ("Agreement", tuple(_agreement(agreement, query))),
        ("Now", _refused(obstacle) if obstacle else ()),
    )


def _refused(problem: FedstatsError) -> tuple[str, ...]:
    return (f"It would be refused now, whatever you decide: {problem.code} {problem.sentence}",)


def _state(standing: Standing, query: Query) -> tuple[str, tuple[str, ...]]:
    asked, until = minute_of(standing.asked_s), minute_of(query.deadline_s)
    lines = [f"{standing.words}; asked {asked}, to be decided by {until}"]
    if standing.approvers:
        lines.append(f"approved by {', '.join(standing.approvers)}; needed: {standing.needed}")
    if standing.note:
        lines.append(f"note: {standing.note}")
    return f"Question {standing.id}", tuple(lines)


def _who(agreement: Agreement, query: Query, analyst: str) -> Iterator[str]:
    name, _, department = analyst.partition("@")
    controller = agreement.controller(department)
    yield f"{name} of {controller.organisation if controller else department} ({department})"
    purpose = agreement.purpose(query.purpose)
    yield f"purpose {query.purpose}: {purpose.text if purpose else ''}"
    for rule in purpose.prohibited if purpose else ():
        yield f"never: {rule}"


def _columns(query: Query, dataset: Dataset) -> Iterator[str]:
    for name in query.scope.columns:
        if name == DEPARTMENT_KEY:
            continue
        column = dataset.column(name)
        said = [column.description, column.classification, column.justification]
        yield f"{name}: {'; '.join(filter(None, said)) or 'the agreement says nothing more of it'}"
    if not query.scope.columns:
        yield "none: it counts rows or people only"


def _literals(query: Query, order: RoundOrder) -> str:
    trees = [*query.scope.keys, *query.scope.measures, *([query.where] if query.where else [])]
    for aggregate in order.round.aggregates:
        trees += [*aggregate.keys, *(m.expression for m in aggregate.measures if m.expression)]
    named = dict.fromkeys(expression_words(node) for tree in trees for node in walk(tree) if _is_named(node))
    more = len(named) - LITERALS_SHOWN_MAX
    shown = ", ".join(list(named)[:LITERALS_SHOWN_MAX])
    return (shown + (f" and {more} more" if more > 0 else "")) or "none"


def _is_named(node: Expression) -> bool:
    return isinstance(node, Literal) and not isinstance(node, Column)


def _budget(runner: Runner, asked: Asked) -> Iterator[str]:
    """In percent of the agreement's budget here, rounded against the question."""
    cap = agreement_cap(asked.agreement)
    (status,) = runner.ledger.status([cap])
    loss = asked.query.loss.charge(asked.query.contribution.departments_max)
    before = 1 - status.used_share
    after = max(before - status.share_of(loss), Fraction(0))
    if runner.recorded(asked):
        yield "free: the same was answered before, and its recorded answer would leave again"
    uses = percent(status.share_of(loss), up=True)
    yield f"all its rounds together use at most {uses} of the agreement's budget here"
    yield f"left before: {percent(before)}; left after: {percent(after)}"
    if not status.admits(loss):
        yield "this is more than is left: it would be refused when it is charged"


def _leaving(order: RoundOrder, dataset: Dataset) -> Iterator[str]:
    """How many numbers, for this round; no data is looked at, and the number does not depend on it."""
    for aggregate in order.round.aggregates:
        cells, measures = aggregate.cells(dataset), len(aggregate.measures)
        most = "at most " if open_keys(aggregate.keys, dataset) else ""
        yield f"{most}{cells * measures:,} noisy whole numbers: {most}{cells:,} cells with {measures} each"
    for key in {key.name for a in order.round.aggregates for key in open_keys(a.keys, dataset)}:
        yield f"and those values of {key} that many people have, by name"


def _agreement(agreement: Agreement, query: Query) -> Iterator[str]:
    yield f"{agreement.id} version {agreement.version}: {agreement.title}"
    yield f"in force until {agreement.ends_on}; dataset {query.dataset}, edition {query.edition}"
