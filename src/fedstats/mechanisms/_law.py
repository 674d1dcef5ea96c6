"""The laws of the noise, as far as they can be computed: exact bounds in integers, as tight as asked for.

Nothing here is rounded to a nearest number. Every quantity is kept as a pair of integers with the truth
between them (interval arithmetic in fixed point: the lower one rounded down, the upper one up in each step),
so that whoever compares a random number with it knows when the comparison is certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Self

_GUARD_BITS = 64
"""Kept below the last bit asked for: a table of 2^12 entries blurs about 2^36 of these last units."""

_TAIL_BITS = 16
"""A table ends where a weight is this many bits below the last bit asked for."""


@dataclass(frozen=True, slots=True)
class Law:
    """P(z) ~ exp(-(linear |z| + square z^2)) on each integer z; both parts >= 0, one of them > 0.

    The discrete Gaussian has square = 1/(2 sigma^2), the discrete Laplace linear = 1/b.
    """

    linear: Fraction
    square: Fraction

    def exponent(self, z: int) -> Fraction:
        """What P(z) / P(0) is exp(-) of, for z >= 0."""
        return self.linear * z + self.square * (z * z)

    def on_multiples_of(self, step: int) -> Self:
        """The law of x where z = step x is all that can be drawn."""
        return type(self)(self.linear * step, self.square * step**2)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds of the distribution function of |z| with weights P(z), z >= 0: 0 counts fully, not half.

    F(x) = (P(0) + ... + P(x)) / (P(0) + P(1) + ...). Words of `bits` bits stand for numbers in [0, 1): the
    word u for those from u / 2^bits up to (u + 1) / 2^bits. F(x) lies in no word outside first[x]..last[x].
    Both rise with x, and the last entry leaves open all words up to the end: they may lie beyond the table.
    """

    bits: int
    first: tuple[int, ...]
    last: tuple[int, ...]

    @classmethod
    def of(cls, law: Law, bits: int, guard_bits: int = _GUARD_BITS) -> Self:
        """Add up the weights from 0 on, each made from the one before it by the ratio of the two.

        P(x + 1) / P(x) = exp(-(linear + square (2 x + 1))), and each ratio is exp(-2 square) of the one
        before. Ratios never rise, so what is left out after x is at most P(x + 1) / (1 - ratio(x + 1)).
        Fewer guard bits leave more words open, and no bound becomes wrong.
        """
        places = bits + guard_bits
        one = 1 << places
        ratio, ratio_high = exp_bounds(law.linear + law.square, places)
        fall, fall_high = exp_bounds(2 * law.square, places)
        weight, weight_high, total, total_high = one, one, 0, 0
        sums, sums_high = [], []
        while weight_high >> (guard_bits - _TAIL_BITS):
            total, total_high = total + weight, total_high + weight_high
            sums.append(total)
            sums_high.append(total_high)
            weight, weight_high = weight * ratio >> places, -(-weight_high * ratio_high >> places)
            ratio, ratio_high = ratio * fall >> places, -(-ratio_high * fall_high >> places)
        total_high += -(-weight_high * one // (one - ratio_high))
        first = tuple((s << bits) // total_high for s in sums)
        end = (1 << bits) - 1
        return cls(bits, first, tuple(min(-(-(s << bits) // total) - 1, end) for s in sums_high))


def exp_bounds(exponent: Fraction, bits: int, guard_bits: int = 16) -> tuple[int, int]:
    """Integers low <= 2^bits exp(-exponent) <= high, with 16 guard bits at most 2 apart; exponent >= 0.

    The exponent is halved until it is below 1/2, exp taken by its series, and the result squared as often.
    Each term is rounded down from the one before it, so it is less than 2 units too small, and what follows
    the last, which is 0, is less than 2 units; the exponent's own rounding adds less than 1.
    """
    halvings = (exponent.numerator // exponent.denominator).bit_length() + 1
    places = bits + halvings + guard_bits
    x = (exponent.numerator << (places - halvings)) // exponent.denominator
    term = total = 1 << places
    n = 0
    while term:
        n += 1
        term = (term * x >> places) // n
        total += -term if n % 2 else term
    low, high = total - (2 * n + 4), total + (2 * n + 4)
    for _ in range(halvings):
        low, high = low * low >> places, -(-high * high >> places)
    spare = places - bits
    return low >> spare, -(-high >> spare)
