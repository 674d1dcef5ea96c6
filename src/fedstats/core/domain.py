"""Domains: the public set of values that a column or an expression can have.

Between the source and the release every value is an integer *code*, so that sums are exact and every engine
gives the same bits: a number's code is value / step, a date's its days since 1970-01-01, a category's its
position among the labels, a truth value's 0 or 1. Only free text has no code: it stays text, and can only be
a key.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from fractions import Fraction

from fedstats.core.names import LABEL_CHARACTERS_MAX, check_label, did_you_mean
from fedstats.errors import ExpressionInvalid, TooLarge, ValueInvalid

CODE_MAX = 2**62
CELLS_OF_ONE_KEY_MAX = 20_000
EPOCH = date(1970, 1, 1)
DAY_MIN, DAY_MAX = -700_000, 2_900_000
"""The days that every database knows, from the year 54 to 9909, counted from 1970-01-01."""

_LABELS_SHOWN_MAX = 12


@dataclass(frozen=True, slots=True)
class Numbers:
    """Multiples of `step` from `lo` to `hi`, both included."""

    lo: Fraction
    hi: Fraction
    step: Fraction = Fraction(1)
    nullable: bool = False

    def __post_init__(self) -> None:
        """Bounds are ordered and lie on the grid, and codes fit 64 bits with room for sums."""
        if self.step <= 0 or self.lo > self.hi:
            raise ValueInvalid("A number needs a step above 0 and lo not above hi.")
        if (self.lo / self.step).denominator != 1 or (self.hi / self.step).denominator != 1:
            raise ValueInvalid("The bounds of a number must be multiples of its step.")
        if max(abs(self.lo), abs(self.hi)) / self.step > CODE_MAX:
            raise TooLarge("An expression's values need more than 62 bits. Narrow it with CLAMP.")

    @property
    def lo_code(self) -> int:
        """The code of the least value."""
        return int(self.lo / self.step)

    @property
    def hi_code(self) -> int:
        """The code of the greatest value."""
        return int(self.hi / self.step)

    def codes(self) -> Sequence[int]:
        """Every code, in order."""
        return _limited(range(self.lo_code, self.hi_code + 1))

    def label(self, code: int) -> str:
        """The value as text: an integer where it is one, else a decimal."""
        value = code * self.step
        return str(value.numerator) if value.denominator == 1 else f"{float(value):.10g}"


@dataclass(frozen=True, slots=True)
class Categories:
    """A closed list of labels."""

    labels: tuple[str, ...]
    nullable: bool = False

    def __post_init__(self) -> None:
        """Labels are distinct, printable and there is at least one."""
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise ValueInvalid("Categories need at least one label, and each label once.")
        for label in self.labels:
            check_label(label, what="category")

    def codes(self) -> Sequence[int]:
        """Every code, in order."""
        return _limited(range(len(self.labels)))

    def label(self, code: int) -> str:
        """The label itself."""
        return self.labels[code]

    def code(self, label: str) -> int:
        """The code of `label`.

        Raises
        ------
        ExpressionInvalid
            The label is not declared.

        """
        if label not in self.labels:
            shown = self.labels[:_LABELS_SHOWN_MAX]
            known = ", ".join(shown) + (", ..." if len(shown) < len(self.labels) else "")
            raise ExpressionInvalid(
                f"{label[:40]!r} is not one of the declared categories ({known})"
                f"{did_you_mean(label, self.labels) or '.'}"
            )
        return self.labels.index(label)


class Every(Enum):
    """How far apart the dates of a domain are."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Dates:
    """Days from `lo` to `hi` (days since 1970-01-01, both included), or of these the starts of periods."""

    lo: int
    hi: int
    every: Every = Every.DAY
    nullable: bool = False

    def __post_init__(self) -> None:
        """Bounds are ordered, within the years that every database knows, and the first begins a period."""
        if not DAY_MIN <= self.lo <= self.hi <= DAY_MAX:
            raise ValueInvalid("A date domain needs lo not above hi, both between the years 54 and 9909.")
        if truncate(self.lo, self.every) != self.lo:
            raise ValueInvalid(
                f"The first date of a domain of {self.every.value}s must begin a {self.every.value}."
            )

    def codes(self) -> Sequence[int]:
        """Every day, or the first day of every week (Monday), month, quarter or year, in order."""
        if self.every is Every.DAY:
            return _limited(range(self.lo, self.hi + 1))
        if self.every is Every.WEEK:
            return _limited(range(self.lo, self.hi + 1, 7))
        months = _MONTHS[self.every]
        first, last = date_of(self.lo), date_of(self.hi)
        numbers = range(12 * first.year + first.month - 1, 12 * last.year + last.month, months)
        return [days_of(date(month // 12, month % 12 + 1, 1)) for month in _limited(numbers)]

    def label(self, code: int) -> str:
        """The ISO date."""
        return date_of(code).isoformat()


@dataclass(frozen=True, slots=True)
class Truth:
    """False (0) or true (1)."""

    nullable: bool = False

    def codes(self) -> Sequence[int]:
        """Both codes."""
        return (0, 1)

    def label(self, code: int) -> str:
        """`true` or `false`."""
        return "true" if code else "false"


_MONTHS = {Every.MONTH: 1, Every.QUARTER: 3, Every.YEAR: 12}

TEXT_CHARACTERS_MAX = LABEL_CHARACTERS_MAX


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts that nobody listed beforehand: an open key, whose values are named only where many people are.

    Such a value has no code: it is a printable text of up to `characters_max` characters. One release names
    at most `values_max` of them.
    """

    characters_max: int
    values_max: int
    nullable: bool = False

    def __post_init__(self) -> None:
        """Short enough to print, few enough to send."""
        if not 1 <= self.characters_max <= TEXT_CHARACTERS_MAX:
            raise ValueInvalid(f"characters_max must lie between 1 and {TEXT_CHARACTERS_MAX}.")
        if not 1 <= self.values_max <= CELLS_OF_ONE_KEY_MAX:
            raise ValueInvalid(f"values_max must lie between 1 and {CELLS_OF_ONE_KEY_MAX}.")

    def codes(self) -> Sequence[int]:
        """None: there is no list.

        Raises
        ------
        ExpressionInvalid
            Always.

        """
        raise ExpressionInvalid("Free text has no public list of values.")

    def label(self, code: int) -> str:
        """None, as there are no codes; raises ExpressionInvalid."""
        raise ExpressionInvalid(f"Free text has no code {code}.")

    def check(self, value: str) -> str:
        """`value` if it can be one: printable, not too long.

        Raises
        ------
        ValueInvalid
            It cannot.

        """
        if len(value) > self.characters_max:
            raise ValueInvalid("A value of free text is longer than its column allows.")
        return check_label(value, what="value of free text")


Domain = Numbers | Categories | Dates | Truth | Texts


def cells_of(domain: Domain) -> tuple[int | None, ...]:
    """The codes of a key's cells in their fixed order; missing values have one last cell."""
    codes = tuple(domain.codes())
    return (*codes, None) if domain.nullable else codes


def date_of(days: int) -> date:
    """The date that is `days` after 1970-01-01."""
    return EPOCH + timedelta(days=days)


def days_of(day: date) -> int:
    """Days from 1970-01-01 to `day`."""
    return (day - EPOCH).days


def truncate(days: int, every: Every) -> int:
    """The first day of the week (Monday), month, quarter or year of a date, all as days since 1970-01-01."""
    if every is Every.WEEK:
        return days - (days + 3) % 7  # 1970-01-01 was a Thursday
    day = date_of(days)
    if every is Every.DAY:
        return days
    months = _MONTHS[every]
    return days_of(day.replace(month=(day.month - 1) // months * months + 1, day=1))


def common_step(left: Fraction, right: Fraction) -> Fraction:
    """The greatest step of which both are multiples."""
    return Fraction(
        math.gcd(left.numerator * right.denominator, right.numerator * left.denominator),
        left.denominator * right.denominator,
    )


def _limited(codes: range) -> range:
    """The codes, unless there are too many; `len` itself fails for ranges beyond 63 bits."""
    count = -((codes.start - codes.stop) // codes.step)
    if count > CELLS_OF_ONE_KEY_MAX:
        raise TooLarge(
            f"A key has {count} possible values; the most is {CELLS_OF_ONE_KEY_MAX}.",
            remedy="Group it coarser, for example with BAND(x, ...) or DATE_TRUNC('month', d).",
        )
    return codes
