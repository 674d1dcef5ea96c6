"""What the public register says of a question, from what was signed alone.

The coordinator enters it, each department builds it anew before it answers, and the computer of the analyst
when it asked. So no word that the public reads of a question is the coordinator's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import Document, canonical_json, decimal_text
from fedstats.core.appointment import Appointment
from fedstats.core.guarantee.figures import (
    belief_percent,
    decimal_up,
    fraction_text,
    plain,
    promised,
    strict_epsilon,
)
from fedstats.core.privacy import MechanismLoss
from fedstats.core.query import Query, RoundOrder
from fedstats.core.question_words import question_words
from fedstats.core.rules import budget_of


def query_entry(query: Query, order: RoundOrder, appointment: Appointment, agreement: Agreement) -> Document:
    """A question: who asks what of whom, for which purpose, and how much privacy it may use.

    `order` is its first round. `question` is the analyst's text, `question_words` what departments are asked
    to compute, in words that are made of the signed question alone.

    Raises
    ------
    LanguageError
        The round does not fit the definition of the dataset.

    """
    purpose = agreement.purpose(query.purpose)
    dataset = agreement.dataset(query.dataset)
    return {
        "query": order.query.hex(),
        "analyst": appointment.name,
        "department": appointment.department,
        "agreement": query.agreement,
        "version": query.agreement_version,
        "purpose": query.purpose,
        "purpose_text": purpose.text if purpose else "",
        "dataset": query.dataset,
        "edition": query.edition,
        "statistic": query.statistic.name,
        "statistic_version": query.statistic.version,
        "question": query.statistic.parameters,
        "question_words": question_words(query, order, dataset),
        "departments": list(order.participants),
        "rounds_max": query.rounds_max,
        "mode": query.mode.value,
        "deadline_s": query.deadline_s,
        "unit": dataset.unit.kind.value,
        "disclosure": query.disclosure.value,
        "loss": loss_entry(query.loss, query.contribution.departments_max, agreement),
    }


def loss_entry(loss: MechanismLoss, departments_max: int, agreement: Agreement) -> Document:
    """A loss over the whole federation: as charged, and as (epsilon, delta), never rounded down.

    The additive delta of a key without a public list comes on top of that of the conversion.
    """
    charge, conversion = loss.charge(departments_max), agreement.privacy.delta_conversion
    epsilon, delta = promised(loss, conversion)
    return {
        "mechanism": loss.mechanism.value,
        "epsilon": plain(epsilon),
        "delta": decimal_text(delta),
        "rho": fraction_text(charge.rho),
        "delta_add": fraction_text(charge.delta_add),
        "budget_percent": decimal_up(100 * charge.rho / budget_of(agreement).rho),
        "belief_percent_max": plain(belief_percent(strict_epsilon(loss, conversion))),
    }


def differing_keys(said: Document, true: Document, order: RoundOrder) -> tuple[str, ...]:
    """Where an entry says something else than it must, in order; empty where it is true.

    `true` is `query_entry` of the question and the round `order`. Values are compared as JSON writes them
    (Python takes 1 for true), and a key that no such entry has is wrong: readers would take it for vouched
    for. The entry is of the first round. Whoever knows a later one alone cannot make its words, and finds
    fewer departments in the round where the analyst went on without some.
    """
    differing = {key for key in {*said, *true} if not _same(said, true, key)}
    if order.number > 0:
        asked = said.get("departments")
        differing -= {"question_words"} if isinstance(said.get("question_words"), str) else set()
        fewer = isinstance(asked, list) and set(order.participants) <= set(map(str, asked))
        differing -= {"departments"} if fewer else set()
    return tuple(sorted(differing))


def _same(said: Mapping[str, object], true: Document, key: str) -> bool:
    if key not in said or key not in true:
        return False
    return canonical_json({key: said[key]}) == canonical_json({key: true[key]})
