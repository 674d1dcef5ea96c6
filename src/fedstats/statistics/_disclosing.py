"""Disclosure control on the totals of one cell: which are withheld, and what is shown of the others.

Everything that is shown later is made of what this returns, and nothing of it depends on a withheld total
beyond that it is withheld. So from a table nobody learns more of a withheld count than that it was too small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fedstats.core.aggregate.grouped_sums import MeasureKind
from fedstats.core.disclosure import DisclosureRule
from fedstats.statistics._formula import Totals
from fedstats.statistics._measures import CallMeasures, MeasurePlan


@dataclass(frozen=True, slots=True)
class Disclosed:
    """One cell's totals as they may be shown, how far each was moved at most, and which may not be shown."""

    totals: Totals
    slacks: Totals
    withheld: frozenset[int] = frozenset()


def disclosed(totals: Sequence[float], plan: MeasurePlan, rule: DisclosureRule | None) -> Disclosed:
    """What may be shown of a cell; without a rule everything.

    Counts are rounded and then compared. So are sums of truths, which are counts too: those for whom a
    condition holds, and where all are counted, those for whom it does not. Readers can work them out from a
    share and a count, so both are looked at as they are shown.
    """
    shown, slacks = [float(total) for total in totals], [0.0] * len(totals)
    if rule is None:
        return Disclosed(shown, slacks)
    withheld = set()
    for i, measure in enumerate(plan.measures):
        if measure.kind is not MeasureKind.SUM:
            shown[i], slacks[i] = rule.rounded(totals[i]), rule.slack
            withheld |= {i} if rule.withholds(shown[i]) else set()
    for call, i in plan.truths():
        around, moved = _around(call, totals), 0.0 if call.count is None else call.centre * rule.slack
        holds = rule.rounded(around + call.step * totals[i])
        if rule.withholds(holds) or (call.count is not None and rule.withholds(shown[call.count] - holds)):
            withheld.add(i)
        if rule.multiple > 1:
            shown[i] = (holds - _around(call, shown)) / call.step
            slacks[i] = (rule.slack_of_part + moved) / call.step
    return Disclosed(shown, slacks, frozenset(withheld))


def _around(call: CallMeasures, totals: Totals) -> float:
    """The part of a sum that its count makes."""
    return 0.0 if call.count is None else call.centre * totals[call.count]
