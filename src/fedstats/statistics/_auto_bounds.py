"""Bounds of values that nobody knows beforehand: chosen from a noisy histogram, before anything is added up.

AVG(AUTO(x)) and SUM(AUTO(x)) ask two rounds. The first counts rows in bins whose edges are powers of 2 times
the native step, on both sides of 0, with a tenth of the loss. The second adds up x, cut off at the edges
around all bins that clearly hold rows: those whose noisy count is above 4 standard deviations of its noise, a
number that an empty bin exceeds once in 30,000 times. With bounds 1,000 times nearer than the declared ones
the noise of the sum is 1,000 times less; what lies beyond them, at most some tens of rows in each bin, counts
as the bound. One pair of bounds holds for all groups.

Source: privacy.md, section 8 (mean, unknown bounds); Karwa and Vadhan 2018 for the histogram.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.bound import Bound
from fedstats.core.domain import Numbers
from fedstats.core.expression import Call, Expression, NumberLiteral, Op, normalise
from fedstats.core.expression_words import expression_words
from fedstats.core.inference import domain_of
from fedstats.core.noise import noise_sd
from fedstats.core.schema import Dataset
from fedstats.core.selection import AggregateCall
from fedstats.core.statistic import AGGREGATES_MAX, Ask, Round, RoundResult
from fedstats.errors import ExpressionInvalid, InternalError, SqlRefused, TooLarge

SHARE = Fraction(1, 10)
"""The part of the loss that choosing bounds takes."""

DEVIATIONS = 4
HALVINGS_MAX = 40


@dataclass(frozen=True, slots=True)
class Chosen:
    """The bounds that were chosen for an expression; `declared` where no bin clearly held rows.

    `beyond` is the noisy share of rows that lie outside, 0 where it may be noise alone.
    """

    lo: Fraction
    hi: Fraction
    declared: bool
    beyond: float


Ranges = Mapping[Expression, Chosen]
"""By the expression in normal form."""


def auto_arguments(calls: Iterable[AggregateCall]) -> tuple[Expression, ...]:
    """The expressions whose bounds are to be chosen, each once, in normal form."""
    found = (normalise(call.argument) for call in calls if call.auto and call.argument is not None)
    return tuple(dict.fromkeys(found))


def edges_of(domain: Numbers) -> tuple[Fraction, ...]:
    """The ends of the declared range, and between them powers of 2 of native steps, on both sides of 0."""
    reach = max(abs(domain.lo), abs(domain.hi))
    powers = [domain.step * 2**i for i in range((int(reach / domain.step)).bit_length())][-HALVINGS_MAX:]
    cuts = {side * power for power in powers for side in (1, -1) if domain.lo < side * power < domain.hi}
    return (domain.lo, *sorted(cuts), domain.hi)


def first_round(arguments: Sequence[Expression], dataset: Dataset, bound: Bound) -> Round:
    """The histograms, with a tenth of the loss.

    Raises
    ------
    SqlRefused, TooLarge
        The values may not be grouped by, or there are too many expressions.

    """
    if len(arguments) > AGGREGATES_MAX:
        raise TooLarge(f"A question has at most {AGGREGATES_MAX} expressions with AUTO.")
    weight = Fraction(1, len(arguments))
    aggregates = tuple(_histogram(argument, dataset, bound, weight) for argument in arguments)
    for aggregate in aggregates:
        aggregate.check(dataset)
        for name in sorted(aggregate.columns()):
            if not dataset.column(name).as_key:
                raise SqlRefused(
                    f"AUTO counts rows by {name}, and the agreement does not allow to group by it.",
                    remedy=f"Write bounds that you know: CLAMP({name}, 0, 100000).",
                )
    return Round(aggregates, SHARE).normalised()


def _histogram(argument: Expression, dataset: Dataset, bound: Bound, weight: Fraction) -> GroupedSums:
    _, *cuts, _ = edges_of(_numbers(argument, dataset))
    if not cuts:
        raise ExpressionInvalid("The declared range has so few values that AUTO has no bounds to choose.")
    key = normalise(Call(Op.BAND, (argument, *(NumberLiteral(cut) for cut in cuts))))
    return GroupedSums((key,), (Measure(MeasureKind.ROWS, weight=weight),), bound=bound)


def _numbers(argument: Expression, dataset: Dataset) -> Numbers:
    domain = domain_of(argument, dataset)
    if not isinstance(domain, Numbers):
        raise ExpressionInvalid("AUTO is for numbers.")
    return domain


def chosen_ranges(
    arguments: Sequence[Expression], ask: Ask, bound: Bound, result: RoundResult | None
) -> dict[Expression, Chosen]:
    """The bounds of each expression; before there is a result, the declared ones."""
    return {argument: _chosen(argument, ask, bound, result) for argument in arguments}


def _chosen(argument: Expression, ask: Ask, bound: Bound, result: RoundResult | None) -> Chosen:
    edges = edges_of(_numbers(argument, ask.dataset))
    declared = Chosen(edges[0], edges[-1], declared=True, beyond=0.0)
    if result is None:
        return declared
    wanted = _histogram(argument, ask.dataset, bound, Fraction(1)).keys
    for i, aggregate in enumerate(result.round.aggregates):
        if aggregate.keys == wanted:
            counts = [float(n) for n in result.total[i][0][: len(edges) - 1]]
            noise = noise_sd(ask.loss.mechanism, result.scales[i][0], result.noises)
            clear = [bin_ for bin_, count in enumerate(counts) if count > DEVIATIONS * noise]
            if not clear:
                return declared
            outside = [*counts[: clear[0]], *counts[clear[-1] + 1 :]]
            told = sum(outside) > 2 * noise * len(outside) ** 0.5  # else it is noise alone
            beyond = sum(outside) / sum(counts) if told else 0.0
            return Chosen(edges[clear[0]], edges[clear[-1] + 1], declared=False, beyond=beyond)
    raise InternalError("These totals do not belong to this question.")


def auto_notes(ranges: Ranges) -> Iterator[str]:
    """Which bounds were chosen, and what they hide."""
    for argument, chosen in ranges.items():
        name = expression_words(argument)
        if chosen.declared:
            yield (
                f"No bin of {name} clearly held rows in a noisy histogram, so its declared bounds "
                f"{float(chosen.lo):,.10g} to {float(chosen.hi):,.10g} stand."
            )
            continue
        beyond = f"about {100 * chosen.beyond:.1g} % of rows lie" if chosen.beyond else "hardly any row lies"
        yield (
            f"{name} is cut off at {float(chosen.lo):,.10g} and {float(chosen.hi):,.10g}, for all groups. "
            "These bounds were chosen from a noisy histogram, with a tenth of the loss; by it "
            f"{beyond} beyond, and counts as the bound. Intervals are about the values as they were cut off: "
            "extreme ones pull the answer less than they would."
        )
