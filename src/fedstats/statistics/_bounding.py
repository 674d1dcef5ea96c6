"""Which bound of one person a table is asked with, and what its readers are told about it.

The three bounds answer three questions: of rows, of people, of rows with weights. So numbers of rows and sums
stay what they are unless an analyst chooses; averages, shares and ratios are about a typical value either
way, and may take the bound with which they come out most exact.

Expected error, from public numbers alone: the noise of an average is its sensitivity divided by what a cell
counts. Nobody knows beforehand how many rows people have, so everybody is taken to have one, which counts 1
with each bound; then the error is as the sensitivity, in rows:

    rows: R        people: sqrt(L0)        norm: 1        (pure epsilon: R, L0, sqrt(L0))

with at most R rows and L0 cells of a person. If everybody had m rows in k cells, rows would count m, people k
and weights sqrt(k) for each of them. So with the errors R/m, sqrt(L0)/k and 1/sqrt(k) weights are still never
behind: not behind people, as k <= L0, nor behind rows, as m <= R. In one cell people and weights are equal,
and people are chosen, which are easier to tell of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from fedstats.core.bound import Bound, BoundKind
from fedstats.core.privacy import Mechanism
from fedstats.core.schema import Dataset
from fedstats.core.selection import AggregateKind, Output, aggregate_calls
from fedstats.core.statistic import Ask
from fedstats.statistics._columns import Column
from fedstats.statistics._linear import Linear
from fedstats.statistics._measures import plan_measures
from fedstats.statistics._quantile import Quantile

CANDIDATES = (Bound.rows(), Bound.people(), Bound.weighted(1))
"""What is compared; of equal ones the first is taken."""


def bound_of(text: str, outputs: Sequence[Output], ask: Ask) -> Bound:
    """The bound that an analyst wrote, by its one name for the dataset.

    Raises
    ------
    ValueInvalid
        It is none, or reaches beyond the rows that one person may have.

    """
    chosen = Bound.parse(text)
    if chosen is None:
        candidates = bounds_of(ask.dataset) if _are_averages(outputs, ask.dataset) else CANDIDATES[:1]
        chosen = min(candidates, key=lambda bound: expected_error(bound, ask))
    bound = chosen.on(ask.dataset)
    bound.check(ask.dataset)
    return bound


def bounds_of(dataset: Dataset) -> tuple[Bound, ...]:
    """The bounds to choose from: only that of rows where nobody has several."""
    return tuple(dict.fromkeys(bound.on(dataset) for bound in CANDIDATES))


def expected_error(bound: Bound, ask: Ask) -> Fraction:
    """The sensitivity of a count in rows (its square for Gaussian noise), where everybody has one row."""
    sensitivity = bound.sensitivity(ask.contribution, cells=ask.contribution.cells_max)
    if ask.loss.mechanism is Mechanism.LAPLACE:
        return Fraction(sensitivity.d1, bound.unit)
    return Fraction(sensitivity.d2_squared, bound.unit**2)


def _are_averages(outputs: Sequence[Output], dataset: Dataset) -> bool:
    """Whether no column is a number of rows or a sum, nor compares one with a number of people."""
    calls = [call for output in outputs for call in aggregate_calls(output.formula)]
    plan, averages = plan_measures(calls, dataset), 0
    for output in outputs:
        kinds = {call.kind for call in aggregate_calls(output.formula)}
        if kinds == {AggregateKind.COUNT_PEOPLE}:
            continue  # is the same with each bound
        form = Column.of(output, plan.calls).form
        if isinstance(form, Linear | Quantile) or AggregateKind.COUNT_PEOPLE in kinds:
            return False
        averages += 1
    return averages > 0


def bound_notes(bound: Bound, outputs: Sequence[Output]) -> Iterator[str]:
    """What was counted, where it is not rows."""
    kinds = {call.kind for output in outputs for call in aggregate_calls(output.formula)}
    if bound.kind is BoundKind.ROWS or kinds == {AggregateKind.COUNT_PEOPLE}:
        return
    rows = bool(kinds & {AggregateKind.COUNT_ROWS, AggregateKind.COUNT})
    sums, averages = AggregateKind.SUM in kinds, bool(kinds & _MEANS)
    if bound.kind is BoundKind.PEOPLE:
        yield (
            "Counted by people: everybody counts once in each cell, however many rows they have there"
            + (", with the mean of their values" if sums or averages else "")
            + "."
        )
    else:
        most = "1 row" if bound.norm == 1 else f"{bound.norm} rows"
        yield (
            f"Rows have weights: those of one person weigh the same, at most 1, and together as {most} at "
            "most (in L2 over the cells). Who has no more rows than that counts fully."
        )
    if rows:
        what = "people with a row there" if bound.kind is BoundKind.PEOPLE else "weights of rows"
        yield f"COUNT adds up {what}: it is no number of rows."
    if sums:
        what = "people's means" if bound.kind is BoundKind.PEOPLE else "values times their weights"
        yield f"SUM adds up {what}: it is no sum over all rows."
    if averages:
        what = "means over people" if bound.kind is BoundKind.PEOPLE else "weighted means"
        yield (
            f"Averages and shares are {what}: they differ from those over rows as far as people with many "
            "rows differ from others."
        )


_MEANS = {AggregateKind.AVG, AggregateKind.SHARE, AggregateKind.VAR_SAMP, AggregateKind.STDDEV_SAMP}
