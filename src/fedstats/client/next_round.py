"""What comes after a round: the next one that the statistic asks for, if it may ask for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fedstats.core.agreement import Agreement
from fedstats.core.estimate import Estimate
from fedstats.core.query import Query, RoundOrder
from fedstats.core.rules import check_round
from fedstats.core.statistic import Ask, Round, RoundResult, Statistic
from fedstats.errors import FedstatsError, Refused, Spent, StatisticFailed


def step_after(statistic: Statistic, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
    """What the statistic says after these rounds, which were answered and charged.

    Raises
    ------
    FedstatsError
        It failed; the error says that earlier rounds were spent.

    """
    try:
        return statistic.step(ask, history)
    except FedstatsError as problem:
        problem.spent = Spent.BEFORE
        raise


def next_order(
    before: RoundOrder,
    query: Query,
    agreement: Agreement,
    asked: Round,
    earlier: Sequence[Round],
    *,
    participants: tuple[str, ...],
    totals_before: bytes,
) -> RoundOrder:
    """The order of the round that follows on `before`, checked before it is signed.

    Raises
    ------
    StatisticFailed
        It is one round more, or uses more of the loss, than the question announced.
    Refused
        It goes outside the scope that was signed.

    """
    name = query.statistic.name
    if len(earlier) >= query.rounds_max:
        rounds = "1 round" if query.rounds_max == 1 else f"{query.rounds_max} rounds"
        raise StatisticFailed(
            f"The statistic {name} announced {rounds} and asks for one more.", spent=Spent.BEFORE
        )
    following = asked.normalised()
    shares = sum(round_.share for round_ in earlier) + following.share
    if shares > 1:
        raise StatisticFailed(
            f"The rounds of the statistic {name} ask for {float(shares):.4g} times the loss of the question.",
            remedy="Let the shares of its rounds add up to 1 at most.",
            spent=Spent.BEFORE,
        )
    order = RoundOrder(
        query=before.query,
        number=before.number + 1,
        round=following,
        participants=participants,
        totals_before=totals_before,
    )
    try:
        check_round(agreement, query, order)
    except Refused as problem:
        problem.spent = Spent.BEFORE
        raise
    return order
