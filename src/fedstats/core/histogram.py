"""Bins of equal width over the declared range of a number: where they begin, and how they are called."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fedstats.core.domain import Domain, Numbers
from fedstats.errors import ExpressionInvalid

BINS_MIN, BINS_MAX = 2, 200


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of `width` native steps over a range of numbers; the last one ends at the upper bound.

    As everywhere, the last bin holds the upper bound itself. Where the width does not divide the range, the
    last bin is the `narrower` one.
    """

    numbers: Numbers
    width: int

    @property
    def count(self) -> int:
        """How many there are."""
        return -(-_span(self.numbers) // self.width)

    @property
    def narrower(self) -> bool:
        """Whether the last bin is narrower than the others."""
        return _span(self.numbers) % self.width != 0

    @property
    def cuts(self) -> tuple[Fraction, ...]:
        """Where each bin but the first begins."""
        first, step = self.numbers.lo_code, self.numbers.step
        return tuple((first + i * self.width) * step for i in range(1, self.count))

    @property
    def labels(self) -> tuple[str, ...]:
        """Both ends of each bin: `0 to 11` of whole numbers, else `0 to <2.5`; the last ends as declared."""
        label, width, first = self.numbers.label, self.width, self.numbers.lo_code
        starts = [first + i * width for i in range(self.count)]
        whole = self.numbers.step.denominator == 1
        ends = [f"{label(start + width - 1)}" if whole else f"<{label(start + width)}" for start in starts]
        ends[-1] = label(self.numbers.hi_code)
        return tuple(
            label(start) if whole and label(start) == end else f"{label(start)} to {end}"
            for start, end in zip(starts, ends, strict=True)
        )


def bins_of(domain: Domain, count: int) -> Bins:
    """`count` bins of whole native steps.

    Raises
    ------
    ExpressionInvalid
        The domain holds no numbers, or cannot be cut into so many; the sentence says into how many it can.

    """
    if not isinstance(domain, Numbers):
        raise ExpressionInvalid(
            "HISTOGRAM takes a number. Dates fall into periods with DATE_TRUNC('month', d), and categories "
            "are keys as they stand."
        )
    if not BINS_MIN <= count <= BINS_MAX:
        raise ExpressionInvalid(f"HISTOGRAM has between {BINS_MIN} and {BINS_MAX} bins.")
    span = _span(domain)
    bins = Bins(domain, max(1, -(-span // count)))
    if bins.count == count:
        return bins
    near = [bins, *([Bins(domain, bins.width - 1)] if bins.width > 1 else [])]
    work = [f"{b.count} of {_width_label(b)}" for b in near if BINS_MIN <= b.count <= BINS_MAX]
    instead = f"The nearest that work: {', or '.join(work)}." if work else "Group by it as it stands."
    raise ExpressionInvalid(
        f"{domain.label(domain.lo_code)} to {domain.label(domain.hi_code)} in steps of "
        f"{float(domain.step):g} cannot be cut into {count} bins of one width. {instead}"
    )


def _width_label(bins: Bins) -> str:
    return f"width {float(bins.width * bins.numbers.step):.10g}"


def _span(numbers: Numbers) -> int:
    return numbers.hi_code - numbers.lo_code
