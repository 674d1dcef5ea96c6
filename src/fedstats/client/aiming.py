"""From a wanted accuracy to the least loss that reaches it: by formulas and public sizes alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from fractions import Fraction
from statistics import median

from fedstats.client.asking import Draft, loss_of
from fedstats.client.expecting import Width, expected_widths
from fedstats.client.guarantee import PER_MILLION
from fedstats.core.accounting import EPSILON_MAX
from fedstats.core.agreement import Agreement
from fedstats.core.estimate import Table, Value
from fedstats.core.foresight import greatest_epsilon, least_epsilon
from fedstats.core.rules import budget_of, query_cap_of
from fedstats.core.statistic import Statistic
from fedstats.errors import LossInvalid, TargetOutOfReach, TooLarge, ValueInvalid

_TEXT = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)\s*(%?)\s*(?:of\s+([0-9a-f]+))?", re.ASCII | re.IGNORECASE)
_LENGTH_MAX = 100
_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Target:
    """The greatest half width: a number, or a percentage of the public size or of an earlier answer."""

    number: Fraction
    percent: bool = False
    job: str = ""


@dataclass(frozen=True, slots=True)
class Aim:
    """The least epsilon for a target: the half width that each column may have, and what it will have."""

    epsilon: Fraction
    limits: Mapping[str, float]
    widths: tuple[Width, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was aimed at, column by column."""
        return tuple(_sentence(width, self.limits.get(width.column)) for width in self.widths)


def parse_target(text: str) -> Target:
    """Read `50`, `2%` or `5% of JOB`.

    Raises
    ------
    ValueInvalid
        It is none of these.

    """
    found = _TEXT.fullmatch(text.strip()[:_LENGTH_MAX])
    target = found and Target(Fraction(found[1]), bool(found[2]), (found[3] or "").lower())
    if not target or target.number <= 0 or (target.job and not target.percent):
        raise ValueInvalid(
            f"{text[:40]!r} is no target.",
            remedy="Write a half width above 0 (50), a percentage of the public size (2%), or one of an "
            'earlier answer ("5% of JOB").',
        )
    return target


def limits_of(
    target: Target, widths: Sequence[Width], *, people_about: int, earlier: Table | None
) -> Mapping[str, float]:
    """The greatest half width that each column may have.

    A percentage of the public size is a number of people, so it holds for columns that count. One of an
    earlier answer is of the middle value in its column of the same name, or in its only column for the only
    one.

    Raises
    ------
    ValueInvalid
        The target says nothing about these columns.

    """
    number = float(target.number)
    if not target.percent:
        return {width.column: number for width in widths}
    if earlier is None:
        counting = [width.column for width in widths if width.counts]
        if not counting:
            raise ValueInvalid(
                "A percentage of the public size is a number of people, and this question counts nothing.",
                remedy='Give a half width (--target 0.5), or a percentage of an answer ("5% of JOB").',
            )
        return dict.fromkeys(counting, number * people_about / _PERCENT)
    columns = [width.column for width in widths]
    middles = _middles(earlier)
    if len(columns) == len(middles) == 1:
        middles = dict(zip(columns, middles.values(), strict=True))
    found = {column: number * middles[column] / _PERCENT for column in columns if middles.get(column)}
    if not found:
        raise ValueInvalid(
            f"The answer of job {target.job} has no numbers in columns of the same names "
            f"({', '.join(columns)}).",
            remedy="Name the columns alike with AS, or give a half width: --target 50",
        )
    return found


def aim(
    draft: Draft,
    statistic: Statistic,
    target: Target,
    *,
    pure: bool,
    earlier: Table | None = None,
    left_ppm: int | None = None,
) -> Aim:
    """The least epsilon for which every column keeps within its limit; `left_ppm` as departments last said.

    Raises
    ------
    ValueInvalid
        The target says nothing about this question.
    TargetOutOfReach
        It takes more than one question may use, or than is left; the error says what is possible.

    """
    agreement = draft.terms.agreement
    most = _most(agreement, draft, pure=pure, left_ppm=left_ppm)
    best = _widths(draft, statistic, most, pure=pure)
    if not best:
        raise ValueInvalid(
            "How exact this statistic will be cannot be known beforehand.", remedy="Give --epsilon."
        )
    limits = limits_of(target, best, people_about=draft.terms.dataset.people_about, earlier=earlier)

    def enough(epsilon: Fraction) -> bool:
        return _kept(_widths(draft, statistic, epsilon, pure=pure), limits)

    epsilon = least_epsilon(enough, most=most)
    if epsilon is None:
        raise _out_of_reach(agreement, most, best, limits, left_ppm)
    return Aim(epsilon, limits, _widths(draft, statistic, epsilon, pure=pure))


def _most(agreement: Agreement, draft: Draft, *, pure: bool, left_ppm: int | None) -> Fraction:
    """The greatest epsilon that one question may use, and that is left if a department said what is."""
    departments_max = draft.query.contribution.departments_max
    left = budget_of(agreement).rho * (PER_MILLION if left_ppm is None else left_ppm) / PER_MILLION

    def allowed(epsilon: Fraction) -> bool:
        charge = loss_of(agreement, epsilon, pure=pure).charge(departments_max)
        return charge.fits(query_cap_of(agreement)) and charge.rho <= left

    most = greatest_epsilon(allowed, most=EPSILON_MAX)
    if most is None:
        raise TargetOutOfReach(f"Nothing is left of the budget of agreement {agreement.id}.")
    return most


def _widths(draft: Draft, statistic: Statistic, epsilon: Fraction, *, pure: bool) -> tuple[Width, ...]:
    """The widths at this epsilon; those of noise that cannot be drawn are unknown."""
    try:
        return expected_widths(draft, statistic, loss_of(draft.terms.agreement, epsilon, pure=pure))
    except (LossInvalid, TooLarge):
        return tuple(
            Width(width.table, width.column, None, width.exact, width.counts)
            for width in expected_widths(draft, statistic)
        )


def _kept(widths: Sequence[Width], limits: Mapping[str, float]) -> bool:
    return all(
        width.half_width is not None and width.half_width <= limits[width.column]
        for width in widths
        if width.column in limits
    )


def _middles(table: Table) -> dict[str, float]:
    """The middle value of each column, without its sign; columns without numbers are left out."""
    found = {}
    for i, column in enumerate(table.columns):
        cells = [row.cells[i] for row in table if not row.total]
        values = [abs(cell.value) for cell in cells if isinstance(cell, Value)]
        if values:
            found[column] = median(values)
    return found


def _out_of_reach(
    agreement: Agreement,
    most: Fraction,
    best: Sequence[Width],
    limits: Mapping[str, float],
    left_ppm: int | None,
) -> TargetOutOfReach:
    """What was wanted, and what is possible instead."""
    limited = [width for width in best if width.column in limits]
    wanted = "; ".join(f"± {limits[w.column]:,.10g} for {w.column}" for w in limited)
    why = "one question may use" if left_ppm is None else "one question may use or that is left"
    possible = "; ".join(f"{w.column} {_reached(w)}" for w in limited)
    return TargetOutOfReach(
        f"{wanted} is not possible under agreement {agreement.id}: with the most that {why} "
        f"(epsilon {_epsilon_text(most)}), {possible}."
    )


def _reached(width: Width) -> str:
    if width.half_width is None:
        return "is hidden by the noise in most cells"
    return f"reaches {'' if width.exact else 'about '}± {_shown(width.half_width)}"


def _sentence(width: Width, limit: float | None) -> str:
    if limit is None:
        return f"{width.column} has no target."
    reached = "unknown" if width.half_width is None else f"± {_shown(width.half_width)}"
    how = "in every cell" if width.exact else "expected in a cell of middling size"
    return f"{width.column}: {reached} {how}, for at most ± {limit:,.10g}."


def _shown(number: float) -> str:
    """Three digits, never less than the number: what is typed from it must be within reach."""
    rounded = Context(prec=3, rounding=ROUND_CEILING).create_decimal_from_float(number)
    return f"{float(rounded):,.10g}"


def _epsilon_text(epsilon: Fraction) -> str:
    return f"{float(epsilon):g}"
