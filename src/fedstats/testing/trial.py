"""What many answers to one question show: how far from the exact one, how wide, how often absent. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, median

from fedstats.core.estimate import Cell, Estimate, Value

Key = tuple[str | None, ...]
Place = tuple[str, Key, str]
"""A cell: its table, the labels of its row's keys, its column."""

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Trial:
    """One cell, or one column over all its cells, in so many repeats.

    `exact` is the answer without noise (of a column the middle one of its cells), None where there is none.
    `bias` is the mean error and `bias_error` how far the repeats may be off (95 %); `rmse` the root mean
    square error; `covered` the share of noise intervals that hold the exact answer, among the numbers that
    were shown, with a 95 % interval `covered_from` to `covered_to` for what it would be in endless repeats;
    `half_width` the mean half width of the noise intervals; `absent` the share of repeats without a number.
    What cannot be said is None.
    """

    table: str
    key: Key
    column: str
    cells: int
    exact: float | None
    bias: float | None
    bias_error: float | None
    rmse: float | None
    covered: float | None
    covered_from: float | None
    covered_to: float | None
    half_width: float | None
    absent: float
    sampling: float | None = None


def cells_of(estimate: Estimate) -> dict[Place, Cell]:
    """Every cell of an estimate that estimates something, by its place.

    Totals are left out, which add up others, and derived columns, which the exact answer has others of.
    """
    return {
        (table.name, row.key, column): cell
        for table in estimate.tables
        for row in table
        if not row.total
        for column, cell in zip(table.columns, row.cells, strict=True)
        if column not in table.derived
    }


def trials_of(exact: Estimate, draws: Iterable[Estimate]) -> tuple[Trial, ...]:
    """One for each cell of the exact answer."""
    found: dict[Place, list[Value]] = {place: [] for place in cells_of(exact)}
    repeats = 0
    for estimate in draws:
        repeats += 1
        for place, cell in cells_of(estimate).items():
            if isinstance(cell, Value) and place in found:
                found[place].append(cell)
    return tuple(_trial(place, cell, found[place], repeats) for place, cell in cells_of(exact).items())


def _trial(place: Place, exact: Cell, values: Sequence[Value], repeats: int) -> Trial:
    absent = 1 - len(values) / repeats
    truth = exact.value if isinstance(exact, Value) else None
    sampling = exact.interval.half_width if isinstance(exact, Value) and exact.interval else None
    width = fmean(v.noise_interval.half_width for v in values) if values else None
    if truth is None or not values:
        return Trial(*place, 1, truth, None, None, None, None, None, None, width, absent, sampling)
    errors = [value.value - truth for value in values]
    bias, rmse = fmean(errors), math.sqrt(fmean(error**2 for error in errors))
    spread = math.sqrt(max(0.0, rmse**2 - bias**2))
    slack = 1e-9 * max(1.0, abs(truth))  # the exact answer itself is a rounded float
    held = [v.noise_interval.lo - slack <= truth <= v.noise_interval.hi + slack for v in values]
    covered, (least, most) = fmean(held), _share_interval(sum(held), len(held))
    bias_error = _Z * spread / math.sqrt(len(errors))
    return Trial(*place, 1, truth, bias, bias_error, rmse, covered, least, most, width, absent, sampling)


def columns_of(trials: Sequence[Trial], repeats: int) -> tuple[Trial, ...]:
    """One for each column, over its cells. Cells of one repeat may share their noise: they count as one."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.table, trial.column), []).append(trial)
    return tuple(_column(group, repeats) for group in groups.values())


def _column(group: Sequence[Trial], repeats: int) -> Trial:
    if len(group) == 1:
        return group[0]
    known = [trial for trial in group if trial.rmse is not None]
    covered = _mean(trial.covered for trial in known)
    least, most = (None, None) if covered is None else _share_interval(covered * repeats, repeats)
    squares = _mean(None if trial.rmse is None else trial.rmse**2 for trial in known)
    errors = _mean(None if trial.bias_error is None else trial.bias_error**2 for trial in known)
    return Trial(
        table=group[0].table,
        key=(),
        column=group[0].column,
        cells=len(group),
        exact=_middle(trial.exact for trial in group),
        bias=_mean(trial.bias for trial in known),
        bias_error=None if errors is None else math.sqrt(errors),
        rmse=None if squares is None else math.sqrt(squares),
        covered=covered,
        covered_from=least,
        covered_to=most,
        half_width=_mean(trial.half_width for trial in group),
        absent=fmean(trial.absent for trial in group),
        sampling=_middle(trial.sampling for trial in group),
    )


def answered(trials: Sequence[Trial], limits: Mapping[str, float] | None) -> bool:
    """Whether intervals are narrow enough, in a cell of middling size of every column that has a limit.

    `limits` are greatest half widths by column; None: the noise is to be no wider than sampling is. A cell
    that is absent in more than one repeat of twenty is not answered.
    """
    for column in {trial.column for trial in trials}:
        ratios = [
            ratio
            for trial in trials
            if trial.column == column and (ratio := _ratio(trial, limits)) is not None
        ]
        if ratios and median(ratios) > 1:
            return False
    return True


def limited(trials: Iterable[Trial], limits: Mapping[str, float] | None) -> bool:
    """Whether there is anything that could be too wide."""
    return any(_ratio(trial, limits) is not None for trial in trials)


_ABSENT_MAX = 0.05


def _ratio(trial: Trial, limits: Mapping[str, float] | None) -> float | None:
    limit = trial.sampling if limits is None else limits.get(trial.column)
    if trial.exact is None or not limit:
        return None
    return math.inf if trial.half_width is None or trial.absent > _ABSENT_MAX else trial.half_width / limit


def _share_interval(hits: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    share, z2 = hits / count, _Z**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    reach = _Z / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _mean(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return fmean(known) if known else None


def _middle(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return median(known) if known else None
