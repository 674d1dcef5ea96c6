"""The promises of a query: over the federation, of one department, and to people who are in more of them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from fedstats.core.agreement_document import Document
from fedstats.core.guarantee.figures import (
    belief_words,
    chance_words,
    decimal_up,
    figures,
    promised,
    strict_epsilon,
)
from fedstats.core.guarantee.run import Run
from fedstats.core.privacy import Contribution, MechanismLoss, UnitKind
from fedstats.core.schema import Dataset


def unit_words(dataset: Dataset) -> str:
    """Who is protected."""
    if dataset.unit.kind is UnitKind.ROW:
        return "one record"
    return f"one person ({dataset.unit.namespace}), with all their rows in all departments"


def sentence(
    dataset: Dataset,
    contribution: Contribution,
    loss: MechanismLoss,
    delta_conversion: Fraction,
    participants: int,
) -> str:
    """The promise in plain words."""
    epsilon, (_, delta) = strict_epsilon(loss, delta_conversion), promised(loss, delta_conversion)
    return " ".join(_sentences(dataset, contribution, epsilon, delta, participants))


def _sentences(
    dataset: Dataset, contribution: Contribution, epsilon: Decimal, delta: Fraction, participants: int
) -> Iterator[str]:
    row = dataset.unit.kind is UnitKind.ROW
    about = "one record" if row else "you"
    aside = f", except with {chance_words(delta)}" if delta else ""
    belief = f"someone's belief in it can move from 50 % to at most {belief_words(epsilon)}"
    yield f"Whatever the data says about {about}, {belief} because of this answer{aside}."
    c = contribution.departments_max
    if row:
        yield "The promise is per record: someone with several records is protected less."
    elif c < participants:
        more = c + 1
        yield (
            f"It holds for everyone who is in at most {c} of the departments; for someone in {more} of them "
            f"the loss is {decimal_up(Fraction(more, c))} times as much."
        )


def guarantees_of(run: Run) -> list[Document]:
    """The section `guarantees`: one entry for each party that somebody may want to be protected from."""
    c = run.query.contribution.departments_max
    delta = run.agreement.privacy.delta_conversion
    many = "1 department" if c == 1 else f"at most {c} departments"
    row = run.dataset.unit.kind is UnitKind.ROW
    everybody = "every record" if row else f"everyone who is in {many}"
    return [
        {
            "of": "federation",
            "against": "everybody who sees all answers: analysts, the public, the coordinator",
            "holds_for": everybody,
            "departments": c,
            "figures": figures(run.loss, c, delta),
            "words": "All releases of this query together. The loss is shared out over the departments that "
            "one person may be in, and does not depend on how many answered.",
        },
        {
            "of": "department",
            "against": "everybody, also the coordinator and all other departments and analysts together",
            "holds_for": "every record" if row else "everyone, for what this one department holds about them",
            "departments": 1,
            "figures": figures(run.loss.at_node(c), 1, delta),
            "words": "The releases of one department alone. It added its noise itself, so it holds whatever "
            "others do.",
        },
    ]


def more_departments(run: Run) -> list[Document]:
    """The section `in_more_departments`: what somebody has who is in more of them than was agreed."""
    c, asked = run.query.contribution.departments_max, len(run.participants)
    if run.dataset.unit.kind is UnitKind.ROW:
        return []
    delta = run.agreement.privacy.delta_conversion
    return [
        {"departments": m, "figures": figures(_times(run.loss, Fraction(m, c)), m, delta)}
        for m in dict.fromkeys((c + 1, asked))
        if c < m <= asked
    ]


def _times(loss: MechanismLoss, factor: Fraction) -> MechanismLoss:
    return MechanismLoss(loss.mechanism, loss.amount * factor, loss.delta_add * factor)
