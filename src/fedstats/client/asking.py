"""From a statistic to a query and its first round: pure, so that mistakes are found before sending."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from math import prod

from fedstats.client.catalogue import Choice
from fedstats.core.accounting import rho_from_epsilon
from fedstats.core.aggregate import Aggregate
from fedstats.core.agreement import Agreement
from fedstats.core.bound import BoundKind
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.domain import Texts, cells_of
from fedstats.core.inference import domain_of
from fedstats.core.names import did_you_mean
from fedstats.core.privacy import RHO_STEP, Contribution, Mechanism, MechanismLoss
from fedstats.core.query import Query, RoundOrder, Scope, StatisticLabel
from fedstats.core.rules import check_query, check_round, loss_of_round
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Announcing, Ask, Mode, Round, Statistic
from fedstats.errors import InternalError, LossInvalid, NameUnknown, OutsideAgreement, ValueInvalid
from fedstats.wire.codec import encode_query
from fedstats.wire.codec.strict import sha256

PARAMETERS_CHARACTERS_MAX = 4_000
DEADLINE_S = 86_400


@dataclass(frozen=True, slots=True)
class Under:
    """Under what a question is asked, as far as whoever asks said: empty is for the session to fill in."""

    epsilon: float | str | None
    target: float | str | None
    purpose: str = ""
    agreement: str = ""
    edition: str = ""
    pure: bool = False
    bound: str = BoundKind.ROWS.value

    def __post_init__(self) -> None:
        """The loss is given, or follows from the accuracy that is."""
        if (self.epsilon is None) == (self.target is None):
            raise ValueInvalid(
                "A question says how much it may reveal (epsilon) or how exact it should be (target).",
                remedy="Give one of the two: --epsilon 1, or --target 50",
            )


@dataclass(frozen=True, slots=True)
class Terms:
    """Under what a question is asked: the agreement in force, the purpose, the edition and who is asked."""

    agreement: Agreement
    purpose: str
    dataset: Dataset
    choice: Choice


@dataclass(frozen=True, slots=True)
class Draft:
    """A query with its first round, checked against the agreement and not signed yet."""

    terms: Terms
    ask: Ask
    query: Query
    payload: bytes
    order: RoundOrder


def draft(
    statistic: Statistic, text: str, terms: Terms, loss: MechanismLoss, *, now_s: int, nonce: bytes
) -> Draft:
    """The query and its first round. `text` is the question as people read it in the register.

    Raises
    ------
    Refused
        The agreement does not allow the question: nothing was sent.
    LanguageError
        The question does not fit the dataset.

    """
    agreement, dataset, choice = terms.agreement, terms.dataset, terms.choice
    contribution = dataset.contribution(departments_max=agreement.privacy.max_departments)
    _check_discloses(statistic, agreement)
    ask = Ask(dataset, loss, contribution, choice.participants, Mode.LOCAL, agreement.disclosure)
    contribution = _in_these_cells(contribution, statistic, ask)
    ask = replace(ask, contribution=contribution)
    first, later = _asked_by(statistic, ask)
    where = statistic.condition(dataset)
    loss = loss_of_round(agreement, loss, first)
    ask = replace(ask, loss=loss)
    query = Query(
        agreement=agreement.id,
        agreement_version=agreement.version,
        purpose=terms.purpose,
        dataset=dataset.name,
        edition=choice.edition,
        where=where,
        scope=Scope.of((*first.aggregates, *later), where),
        loss=loss,
        contribution=contribution,
        mode=Mode.LOCAL,
        rounds_max=statistic.rounds_max,
        deadline_s=now_s + DEADLINE_S,
        statistic=StatisticLabel(statistic.name, statistic.version, parameters_text(text)),
        nonce=nonce,
        disclosure=agreement.disclosure,
    )
    check_query(agreement, query, datetime.fromtimestamp(now_s, UTC).date())
    payload = encode_query(query)
    order = RoundOrder(sha256(payload), 0, first, choice.participants, b"")
    check_round(agreement, query, order)
    return Draft(terms, ask, query, payload, order)


def _asked_by(statistic: Statistic, ask: Ask) -> tuple[Round, tuple[Aggregate, ...]]:
    """The first round, and what later ones may ask."""
    first = statistic.step(ask, [])
    if not isinstance(first, Round):
        raise InternalError(f"The statistic {statistic.name} asks nothing.")
    return first.normalised(), tuple(statistic.later(ask)) if isinstance(statistic, Announcing) else ()


def _in_these_cells(contribution: Contribution, statistic: Statistic, ask: Ask) -> Contribution:
    """The bounds of one person in the cells that are asked about: nobody is in more of them than there are.

    So fewer cells than rows of one person mean less noise where people count once in a cell, and nobody
    loses a cell by it. Later rounds may group by all the announced keys together.
    """
    first, later = _asked_by(statistic, ask)
    cells = max(aggregate.cells(ask.dataset) for aggregate in first.aggregates)
    if statistic.rounds_max > 1:
        keys = {key: None for aggregate in (*first.aggregates, *later) for key in aggregate.keys}
        domains = (domain_of(key, ask.dataset) for key in keys)
        sizes = (d.values_max + d.nullable if isinstance(d, Texts) else len(cells_of(d)) for d in domains)
        cells = prod(sizes)
    return replace(contribution, cells_max=min(contribution.rows_max, cells))


def _check_discloses(statistic: Statistic, agreement: Agreement) -> None:
    if agreement.disclosure is DisclosureProfile.NONE or getattr(statistic, "discloses", False):
        return
    raise OutsideAgreement(
        f"Agreement {agreement.id} has disclosure control {agreement.disclosure.value}, and the statistic "
        f"{statistic.name} does not say how many people stand behind its numbers.",
        remedy="Ask with SQL, or let the statistic keep to ask.disclosure and say so: discloses = True",
    )


def ask_again(query: Query, dataset: Dataset, participants: tuple[str, ...]) -> Ask:
    """What the statistic knew when this query was signed."""
    return Ask(dataset, query.loss, query.contribution, participants, query.mode, query.disclosure)


def loss_of(agreement: Agreement, epsilon: Fraction, *, pure: bool) -> MechanismLoss:
    """The loss of a question over the whole federation.

    Gaussian: the rho that epsilon buys at the agreement's delta. Pure: epsilon itself, rounded down to a
    multiple of 2^-40, so that every client signs the same bytes.

    Raises
    ------
    LossInvalid
        It rounds to nothing.

    """
    if not pure:
        return MechanismLoss(
            Mechanism.GAUSSIAN, rho_from_epsilon(epsilon, agreement.privacy.delta_conversion)
        )
    if epsilon < RHO_STEP:
        raise LossInvalid("This epsilon is too small: it rounds to nothing.")
    return MechanismLoss(Mechanism.LAPLACE, epsilon // RHO_STEP * RHO_STEP)


def choose_purpose(agreement: Agreement, asked: str) -> str:
    """The purpose asked for, or the agreement's only one.

    Raises
    ------
    NameUnknown
        The agreement has none of this code, or several to choose from.

    """
    codes = [purpose.code for purpose in agreement.purposes]
    if asked in codes:
        return asked
    if asked:
        close = did_you_mean(asked, codes) or "."
        raise NameUnknown(
            f"Agreement {agreement.id} has no purpose {asked[:48]!r}; it has {', '.join(codes)}{close}",
            remedy=f"Read them with: fedstats agreement show {agreement.id}",
        )
    if len(codes) > 1:
        raise NameUnknown(
            f"Agreement {agreement.id} has several purposes: {', '.join(codes)}.",
            remedy=f"Say which with --purpose, or once and for all: fedstats use {agreement.id} PURPOSE",
        )
    return codes[0]


def parameters_text(text: str) -> str:
    """One line of at most 4,000 characters, for the register."""
    line = " ".join(text.split())
    return line if len(line) <= PARAMETERS_CHARACTERS_MAX else line[: PARAMETERS_CHARACTERS_MAX - 1] + "…"
