"""Comparing departments: a funnel plot of the share within the standard's weeks against pathways.

A department with few pathways strays further by chance than one with many, and further still by the noise of
its release. So limits are drawn around the share of all for each department's own size: where departments did
not differ, 95 % of them would lie within the inner and 99.8 % within the outer limits (Spiegelhalter 2005).
Their variance is that of a binomial share plus that of the noise in the ratio of two noisy sums.

Departments differ for reasons that no funnel knows, so that more lie outside than chance explains:
overdispersion. Its factor is the mean square of the standardised differences, of which the greatest tenth at
either end is drawn in (winsorised; Spiegelhalter 2005).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fedstats.core.estimate import Absence, Cell, Interval, Picture, PictureKind, Table, TableRow, Value
from fedstats.core.schema import DEPARTMENT_KEY
from fedstats.statistics._bands import Flags, Floats
from fedstats.statistics._intervals import Z
from fedstats.statistics._linear import TOO_FEW
from fedstats.statistics._totals import withheld_by
from fedstats.statistics._waiting_report import Group

DEPARTMENTS_MIN = 3
"""With fewer there is nothing to compare."""

Z_OUTER = 3.090232306167813
"""The 99.9 % point of the standard normal distribution."""

_DRAWN_IN = 0.1

LIMITS = ("lower_95_percent", "upper_95_percent", "lower_99_8_percent", "upper_99_8_percent")
"""The columns of the limits."""
DISTANCE = "standard_deviations"


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """A funnel's arrays, one number for each department; shares between 0 and 1.

    `noise` and `sampling` are variances of the share where departments do not differ from `expected`.
    """

    share: Floats
    expected: float
    noise: Floats
    sampling: Floats
    used: Flags

    @classmethod
    def of(cls, group: Group, weeks: int) -> Limits:
        """From a group whose places are departments."""
        banded = group.banded
        inside, whole = banded.within(weeks), banded.all
        absent = np.array([each is not None for each in group.places.absent])
        told = banded.share_within(weeks).told & ~group.hides(inside) & ~absent
        expected = float(inside[told].sum() / max(whole[told].sum(), 1.0)) if told.any() else 0.0
        expected = min(max(expected, 0.0), 1.0)
        size = np.where(told, whole, 1.0)
        noise = float(banded.noises * banded.noise.of_contrast(weeks, expected))
        return cls(
            share=np.where(told, inside / size, 0.0),
            expected=expected,
            noise=noise / size**2,
            sampling=expected * (1 - expected) / size,
            used=told,
        )

    @property
    def overdispersion(self) -> float:
        """How many times the squares are what chance and noise explain; at least 1."""
        if self.used.sum() < DEPARTMENTS_MIN:
            return 1.0
        z = self.standardised(1.0)[self.used]
        lo, hi = np.quantile(z, [_DRAWN_IN, 1 - _DRAWN_IN])
        return max(1.0, float(np.mean(np.clip(z, lo, hi) ** 2)))

    def standardised(self, factor: float) -> Floats:
        """The differences in standard deviations, with the sampling variance this many times."""
        sd = self._sd(factor)
        return np.where(sd > 0, (self.share - self.expected) / np.where(sd > 0, sd, 1.0), 0.0)

    def at(self, z: float, factor: float) -> tuple[Floats, Floats]:
        """The lower and upper limits, within 0 and 1."""
        reach = z * self._sd(factor)
        return np.clip(self.expected - reach, 0.0, 1.0), np.clip(self.expected + reach, 0.0, 1.0)

    def _sd(self, factor: float) -> Floats:
        return np.asarray(np.sqrt(factor * self.sampling + self.noise))


def funnel_table(group: Group, weeks: int, *, standard: float, widen: bool) -> tuple[Table, tuple[str, ...]]:
    """The funnel, and what it shows in words. Limits belong to the released sizes, noise and all."""
    limits = Limits.of(group, weeks)
    factor = limits.overdispersion if widen else 1.0
    inner, outer = limits.at(Z, factor), limits.at(Z_OUTER, factor)
    share_name = f"within_{weeks}_weeks_percent"
    columns = (
        "pathways",
        share_name,
        *LIMITS,
        DISTANCE,
    )
    why, banded = withheld_by(group.rule), group.banded
    counted = banded.pathways().cells(group.hidden, why)
    shares = banded.share_within(weeks).cells(group.hides(banded.within(weeks)), why)
    drawn = [*(100 * each for each in (*inner, *outer)), limits.standardised(factor)]
    rows = []
    for i, label in enumerate(group.places.labels):
        absent = group.places.absent[i] or _reason(shares[i])
        own = tuple(absent or _sure(float(column[i])) for column in drawn)
        cells = (group.places.absent[i] or counted[i], group.places.absent[i] or shares[i], *own)
        rows.append(TableRow(label, cells))
    picture = Picture(
        PictureKind.FUNNEL,
        share_name,
        DEPARTMENT_KEY,
        size="pathways",
        reference=standard,
        unit="%",
        limits=LIMITS,
    )
    table = Table(
        name="funnel",
        keys=(DEPARTMENT_KEY,),
        columns=columns,
        rows=tuple(rows),
        counts=("pathways",),
        picture=picture,
        derived=(*LIMITS, DISTANCE),
    )
    names = [str(label[0]) for label in group.places.labels]
    return table, tuple(_in_words(limits, factor, names, group.name, weeks))


def _reason(cell: Cell) -> Absence | None:
    return cell if isinstance(cell, Absence) else None


def _sure(value: float) -> Value:
    return Value(value, Interval(value, value))


def _in_words(limits: Limits, factor: float, names: list[str], group: str, weeks: int) -> Iterator[str]:
    used = int(limits.used.sum())
    if used < DEPARTMENTS_MIN:
        yield f"Too few departments have a share that noise does not hide for a funnel. {TOO_FEW.sentence}"
        return
    outside = {z: _outside(limits, z, factor, names) for z in (Z, Z_OUTER)}
    yield (
        f"Funnel of {group} pathways: {limits.expected:.1%} within {weeks} weeks over {used} departments. "
        "Its limits include sampling and the noise of each release. "
        f"Outside 99.8 %: {_listed(outside[Z_OUTER])}. Outside 95 %: {_listed(outside[Z])}; by chance alone "
        f"{0.05 * used:.1f} are expected to be."
    )
    if factor > 1.0:
        yield f"The limits are widened for overdispersion: sampling variance times {factor:.1f}."
    elif limits.overdispersion > 1.0:
        yield (
            f"Departments differ {limits.overdispersion:.1f} times as much (in squares) as sampling and "
            "noise explain. With --widen the limits take this overdispersion in."
        )


def _outside(limits: Limits, z: float, factor: float, names: list[str]) -> list[str]:
    far = np.abs(limits.standardised(factor)) > z
    return [name for name, one, used in zip(names, far, limits.used, strict=True) if one and used]


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:12])
    return (f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown) or "none"  # noqa: PLR2004  # a dozen
