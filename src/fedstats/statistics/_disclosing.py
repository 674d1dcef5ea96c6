"""Disclosure control on the totals of one cell: which are withheld, and what is shown of the others.

Everything that is shown later is made of what this returns, and nothing of it depends on a withheld total
beyond that it is withheld. So from a table nobody learns more of a withheld count than that it was too small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fedstats.core.aggregate.grouped_sums import MeasureKind
from fedstats.core.disclosure import DisclosureRule
from fedstats.statistics._linear import Totals
from fedstats.statistics._measures import CallMeasures, MeasurePlan


@dataclass(frozen=True, slots=True)
class Disclosed:
    """One cell's totals as they may be shown, how far each was moved at most, and which may not be shown."""

    totals: Totals
    slacks: Totals
    withheld: frozenset[int] = frozenset()


def disclosed(totals: Sequence[float], plan: MeasurePlan, rule: DisclosureRule | None) -> Disclosed:
    """What may be shown of a cell; without a rule everything.

    Counts are rounded and then compared. So are sums of two values, such as truths, which are counts in other
    words: of those for whom a condition holds, and where all are counted, of those for whom it does not.
    Readers can work them out from a share and a count, so both are looked at as they are shown.
    """
    shown, slacks = [float(total) for total in totals], [0.0] * len(totals)
    if rule is None:
        return Disclosed(shown, slacks)
    withheld = set()
    for i, measure in enumerate(plan.measures):
        if measure.kind is not MeasureKind.SUM:
            shown[i], slacks[i] = rule.rounded(totals[i]), rule.slack
            withheld |= {i} if rule.withholds(shown[i]) else set()
    for call, i in plan.counted_in_sums():
        holds = rule.rounded(_counted(call, totals, call.step * totals[i]))
        if rule.withholds(holds) or (call.count is not None and rule.withholds(shown[call.count] - holds)):
            withheld.add(i)
        if rule.multiple > 1:
            shown[i] = _sum_of(call, shown, holds) / call.step
            slacks[i] = _slack(call, rule)
    return Disclosed(shown, slacks, frozenset(withheld))


def _counted(call: CallMeasures, totals: Totals, around: float) -> float:
    """How many have the second of two values, from the sum of all values less the centre of the grid."""
    other, counted = call.either or (0.0, 1.0)
    everybody = 0.0 if call.count is None else totals[call.count]
    return (around + (call.centre - other) * everybody) / (counted - other)


def _sum_of(call: CallMeasures, totals: Totals, holds: float) -> float:
    """The other way round: what the sum of all values less the centre is where so many have the second."""
    other, counted = call.either or (0.0, 1.0)
    everybody = 0.0 if call.count is None else totals[call.count]
    return (counted - other) * holds - (call.centre - other) * everybody


def _slack(call: CallMeasures, rule: DisclosureRule) -> float:
    """How far that may be moved by rounding, in steps."""
    other, counted = call.either or (0.0, 1.0)
    moved = 0.0 if call.count is None else abs(call.centre - other) * rule.slack
    return (abs(counted - other) * rule.slack_of_part + moved) / call.step
