"""What an agreement allows: pure rules for every node (from its own copy) and for clients before they ask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from fractions import Fraction

from fedstats.core.accounting import rho_from_epsilon
from fedstats.core.aggregate.grouped_sums import open_keys
from fedstats.core.agreement import Agreement
from fedstats.core.expression import Expression, columns_of
from fedstats.core.inference import condition_of
from fedstats.core.privacy import DELTA_STEP, Loss, MechanismLoss
from fedstats.core.query import Proceeding, Query, RoundOrder
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Mode, Round
from fedstats.errors import (
    AgreementNotInForce,
    LanguageError,
    OutsideAgreement,
    Refused,
    RoundConflict,
    Spent,
)

_OPEN_QUESTIONS = 64
"""How many questions with an open key use up an agreement's additive delta."""


def budget_of(agreement: Agreement) -> Loss:
    """The whole budget: rho at the half of delta that converts; the other half caps the additive delta."""
    terms = agreement.privacy
    return Loss(rho_from_epsilon(terms.epsilon, terms.delta_conversion), terms.delta - terms.delta_conversion)


def query_cap_of(agreement: Agreement) -> Loss:
    """The most that one query may lose."""
    terms = agreement.privacy
    return Loss(
        rho_from_epsilon(terms.epsilon_per_query, terms.delta_conversion),
        terms.delta - terms.delta_conversion,
    )


def open_delta_of(agreement: Agreement) -> Fraction:
    """The additive delta of a question with an open key: a 64th of what the agreement has, on the grid."""
    return budget_of(agreement).delta_add / _OPEN_QUESTIONS // DELTA_STEP * DELTA_STEP


def loss_of_round(agreement: Agreement, loss: MechanismLoss, first: Round) -> MechanismLoss:
    """The loss of a query that begins with this round: with additive delta where a key of it is open."""
    return replace(loss, delta_add=open_delta_of(agreement)) if first.opens else loss


def base_edition(edition: str) -> str:
    """The edition that a revision belongs to: 2025-09.2 is of 2025-09."""
    return edition.partition(".")[0]


def check_dates(agreement: Agreement, today: date) -> None:
    """Refuse whatever is asked before the agreement begins, and after it ended.

    Raises
    ------
    AgreementNotInForce
        Today is outside its dates.

    """
    if not agreement.starts_on <= today <= agreement.ends_on:
        dates = f"from {agreement.starts_on} to {agreement.ends_on}"
        raise AgreementNotInForce(f"Agreement {agreement.id} runs {dates}; today is {today}.")


def check_query(agreement: Agreement, query: Query, today: date) -> None:
    """Refuse what this agreement does not allow.

    Raises
    ------
    AgreementNotInForce
        Another version, or outside its dates.
    OutsideAgreement
        The purpose, dataset, edition, mode, mechanism, columns, keys, bounds or loss are not allowed, or
        the disclosure control is not the agreement's.

    """
    _check_version(agreement, query)
    check_dates(agreement, today)
    if agreement.purpose(query.purpose) is None:
        known = ", ".join(purpose.code for purpose in agreement.purposes)
        raise OutsideAgreement(f"Purpose {query.purpose} is not one of agreement {agreement.id} ({known}).")
    if query.dataset not in [dataset.name for dataset in agreement.datasets]:
        raise OutsideAgreement(f"Agreement {agreement.id} has no dataset {query.dataset}.")
    dataset = agreement.dataset(query.dataset)
    if query.edition not in dataset.editions:
        raise OutsideAgreement(
            f"Edition {query.edition} of {dataset.name} is not in the agreement's schedule."
        )
    if query.mode not in agreement.modes:
        raise OutsideAgreement(f"Mode {query.mode.value} is not allowed by agreement {agreement.id}.")
    if query.loss.mechanism not in agreement.privacy.mechanisms:
        raise OutsideAgreement(
            f"The mechanism {query.loss.mechanism.value} is not allowed by agreement {agreement.id}."
        )
    if query.disclosure is not agreement.disclosure:
        raise OutsideAgreement(
            f"The question's disclosure control is {query.disclosure.value}; agreement {agreement.id} has "
            f"{agreement.disclosure.value}."
        )
    _check_contribution(agreement, dataset, query)
    _check_scope(agreement, dataset, query)
    if query.loss.delta_add > query_cap_of(agreement).delta_add:
        raise OutsideAgreement(
            f"The question names a larger additive delta than agreement {agreement.id} has at most."
        )
    if not query.loss.charge(query.contribution.departments_max).fits(query_cap_of(agreement)):
        most = float(agreement.privacy.epsilon_per_query)
        raise OutsideAgreement(
            f"One query under agreement {agreement.id} may use an epsilon of at most {most:g}.",
            remedy=f"Ask with --epsilon {most:g} or less.",
        )


def check_round(agreement: Agreement, query: Query, order: RoundOrder) -> None:
    """Refuse a round that goes beyond its query, its agreement or the dataset's definition.

    Raises
    ------
    Refused
        The round's number, scope, participants or expressions are not allowed.

    """
    dataset = agreement.dataset(query.dataset)
    if order.number >= query.rounds_max:
        raise OutsideAgreement(f"The query announced {query.rounds_max} rounds, and this is one more.")
    query.scope.check(order.round.aggregates, query.where)
    _check_participants(agreement, dataset, order)
    try:
        if query.where is not None:
            condition_of(query.where, dataset)
        for aggregate in order.round.aggregates:
            aggregate.check(dataset)
            _check_uses(dataset, aggregate.keys, [measure.expression for measure in aggregate.measures])
    except Refused:
        raise
    except LanguageError as problem:
        raise OutsideAgreement(
            f"The round does not fit the definition of {dataset.name}: {problem.sentence}"
        ) from None


def check_proceeding(agreement: Agreement, query: Query, order: RoundOrder, proceeding: Proceeding) -> None:
    """Refuse to go on without departments that the agreement does not let go.

    Raises
    ------
    RoundConflict
        It names departments that the round did not ask.
    OutsideAgreement
        The agreement allows no partial answers, or too few departments have answered.

    """
    if not {*proceeding.participants, *proceeding.left_out} <= set(order.participants):
        raise RoundConflict("A department that this round did not ask is named.")
    answered, holders = len(proceeding.participants), len(agreement.dataset(query.dataset).holders)
    least = agreement.nodes_min if agreement.partial else holders
    if answered < least:
        needs = f"at least {least}" if agreement.partial else f"all {holders}"
        raise OutsideAgreement(
            f"Agreement {agreement.id} needs the answers of {needs} departments, and {answered} answered so"
            f" far: it does not allow going on without {', '.join(proceeding.left_out)}.",
            remedy="Wait for them, or ask their IT: the question stays open until its deadline. Only a new "
            "version of the agreement, signed by all controllers, allows fewer.",
            spent=Spent.CHARGED if answered else Spent.NOTHING,
        )


def _check_version(agreement: Agreement, query: Query) -> None:
    if (query.agreement, query.agreement_version) != (agreement.id, agreement.version):
        raise AgreementNotInForce(
            f"Version {query.agreement_version} of {query.agreement} is not in force here."
        )


def _check_contribution(agreement: Agreement, dataset: Dataset, query: Query) -> None:
    expected = dataset.contribution(
        departments_max=agreement.privacy.max_departments, cells_max=query.contribution.cells_max
    )
    if query.contribution != expected:
        raise OutsideAgreement(
            f"The bounds of one person's contribution are not those of {dataset.name} in {agreement.id}."
        )


def _check_scope(agreement: Agreement, dataset: Dataset, query: Query) -> None:
    kinds = set(query.scope.aggregates) - set(agreement.aggregates)
    if kinds:
        raise OutsideAgreement(f"Agreement {agreement.id} does not allow {', '.join(sorted(kinds))}.")
    known = {column.name for column in dataset.columns}
    strange = set(query.scope.columns) - known
    if strange or not columns_of(query.where, *query.scope.keys) <= known:
        raise OutsideAgreement(f"The query uses columns that {dataset.name} does not have.")
    _check_uses(dataset, query.scope.keys, [])
    _check_open(dataset, query)


def _check_open(dataset: Dataset, query: Query) -> None:
    """An open key costs additive delta, and needs releases of single departments to be thresholded."""
    keys = ", ".join(key.name for key in open_keys(query.scope.keys, dataset))
    if keys and query.mode is not Mode.LOCAL:
        raise OutsideAgreement(f"{keys} has no public list of values, so it is answered in local mode only.")
    if bool(keys) != bool(query.loss.delta_add):
        raise OutsideAgreement(
            f"The question groups by {keys}, which has no public list of values, and names no additive delta."
            if keys
            else "The question names an additive delta, and no key of it needs one."
        )


def _check_uses(dataset: Dataset, keys: Iterable[Expression], measures: Iterable[Expression | None]) -> None:
    for name in columns_of(*keys):
        if not dataset.column(name).as_key:
            raise OutsideAgreement(f"Column {name} of {dataset.name} may not be used in GROUP BY.")
    for name in columns_of(*measures):
        if not dataset.column(name).as_measure:
            raise OutsideAgreement(f"Column {name} of {dataset.name} may not be counted or added up.")


def _check_participants(agreement: Agreement, dataset: Dataset, order: RoundOrder) -> None:
    asked, holders = set(order.participants), set(dataset.holders)
    if asked - holders:
        raise OutsideAgreement(f"A department that does not hold {dataset.name} was asked.")
    if len(asked) < agreement.nodes_min or (not agreement.partial and asked != holders):
        least = agreement.nodes_min if agreement.partial else len(holders)
        raise OutsideAgreement(
            f"Agreement {agreement.id} needs at least {least} departments; this query names {len(asked)}.",
            remedy="Ask more departments, or wait until they hold the edition.",
        )
