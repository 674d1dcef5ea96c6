"""The table sampler decides exactly: its bounds hold the truth, and what they leave open gets more bits."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedstats.mechanisms._law import Law, Thresholds, exp_bounds
from fedstats.mechanisms._sampler import draw_from, draw_noise, key_stream, table_of

DIGITS = Context(prec=150, Emin=-(10**9), Emax=10**9)


def gaussian(sigma: Fraction) -> Law:
    """The law of the discrete Gaussian."""
    return Law(Fraction(0), 1 / (2 * sigma**2))


def laplace(b: Fraction) -> Law:
    """The law of the discrete Laplace."""
    return Law(1 / b, Fraction(0))


LAWS = [
    pytest.param(gaussian(Fraction(1, 2)), id="gaussian 0.5"),
    pytest.param(gaussian(Fraction(4781, 1024)), id="gaussian 4.67"),
    pytest.param(gaussian(Fraction(97)), id="gaussian 97"),
    pytest.param(laplace(Fraction(1, 3)), id="laplace 0.33"),
    pytest.param(laplace(Fraction(19, 2)), id="laplace 9.5"),
]


def exp_minus(exponent: Fraction) -> Decimal:
    """exp(-exponent) to about 150 digits, by another method than the code's."""
    with localcontext(DIGITS):
        return (-Decimal(exponent.numerator) / Decimal(exponent.denominator)).exp()


def distribution_function(law: Law) -> list[Decimal]:
    """F(0), F(1), ... of |z|, 0 counted fully, to about 140 digits."""
    with localcontext(DIGITS):
        weights, x = [], 0
        while (w := exp_minus(law.exponent(x))) > Decimal("1e-145"):
            weights.append(w)
            x += 1
        sums = list(accumulate(weights))
        return [s / sums[-1] for s in sums]


def first_bits(number: Decimal, bits: int) -> int:
    """The first `bits` bits of a number in [0, 1)."""
    with localcontext(DIGITS):
        return int(number * 2**bits)


def scripted(*words: int) -> Callable[[int], NDArray[np.uint64]]:
    """Random words that are known beforehand; there are no others."""
    left = list(words)

    def next_words(count: int) -> NDArray[np.uint64]:
        assert count <= len(left), "more random bits were asked for than the script holds"
        taken = left[:count]
        del left[:count]
        return np.array(taken, dtype=np.uint64)

    return next_words


# ------------------------------------------------------------------------------------------------ the bounds


@given(
    exponent=st.one_of(st.fractions(0, 2), st.fractions(0, 2**21, max_denominator=2**40)),
    bits=st.sampled_from([63, 64, 127, 191, 300]),
)
def test_exp_lies_between_its_bounds(exponent: Fraction, bits: int) -> None:
    """An independent exp of 150 digits is inside, and the bounds are at most 2 apart."""
    low, high = exp_bounds(exponent, bits)
    with localcontext(DIGITS):
        assert low <= exp_minus(exponent) * 2**bits <= high
    assert high - low <= 2


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("bits", [63, 127, 191])
def test_thresholds_hold_the_distribution_function(law: Law, bits: int) -> None:
    """Every F(x), computed apart to 140 digits, lies in the words that its entry leaves open: one or two."""
    thresholds, truth = Thresholds.of(law, bits), distribution_function(law)
    with localcontext(DIGITS):
        for first, last, f in zip(thresholds.first, thresholds.last, truth, strict=False):
            assert first <= f * 2**bits <= last + 1
            assert last - first <= 1
    assert thresholds.last[-1] == 2**bits - 1


@given(exponent=st.fractions(0, 40), bits=st.integers(20, 100))
def test_exp_lies_between_its_bounds_however_coarse_they_are(exponent: Fraction, bits: int) -> None:
    """Without guard bits the rounding shows, and it is always to the safe side."""
    low, high = exp_bounds(exponent, bits, guard_bits=0)
    with localcontext(DIGITS):
        assert low <= exp_minus(exponent) * 2**bits <= high


@pytest.mark.parametrize("law", LAWS)
def test_thresholds_hold_the_distribution_function_however_coarse_they_are(law: Law) -> None:
    """With few guard bits more words are left open, and F(x) is still among them."""
    thresholds, truth = Thresholds.of(law, 63, guard_bits=26), distribution_function(law)
    with localcontext(DIGITS):
        for first, last, f in zip(thresholds.first, thresholds.last, truth, strict=False):
            assert first <= f * 2**63 <= last + 1


def test_thresholds_count_what_lies_beyond_the_table() -> None:
    """F(0) = 1/2 - 2^-28 would seem to be above 1/2 without the 2^-25 beyond a table for words of 8 bits."""
    with localcontext(DIGITS):
        log_ratio = -(Decimal(1) / 2 + Decimal(1) / 2**28).ln()
    law = Law(Fraction(log_ratio), Fraction(0))
    assert Thresholds.of(law, 8).first[0] == 127


@pytest.mark.parametrize("law", LAWS)
def test_almost_every_word_decides(law: Law) -> None:
    """Were the open words all decided wrongly, each draw would be 2^-50 from its law; they get more bits."""
    thresholds = Thresholds.of(law, 63)
    left_open = sum(last - first + 1 for first, last in zip(thresholds.first, thresholds.last, strict=True))
    assert left_open <= 2 ** (63 - 50)


@given(
    law=st.one_of(
        st.fractions(Fraction(1, 2**10), 2**50, max_denominator=2**10).map(gaussian),
        st.fractions(Fraction(1, 2**10), 2**50, max_denominator=2**10).map(laplace),
    )
)
def test_words_below_the_certain_bound_are_kept(law: Law) -> None:
    """For the greatest y of each x, 2^64 exp(-(e(k x + y) - e(k x))) is no less than `kept_below[x]`."""
    table = table_of(law)
    step = 1 << table.shift
    for x in (0, 1, len(table.first) // 2, len(table.first) - 1):
        exponent = law.exponent(step * x + step - 1) - law.exponent(step * x)
        assert int(table.kept_below[x]) <= exp_bounds(exponent, 64)[0]


@pytest.mark.parametrize("law", [gaussian, laplace])
@pytest.mark.parametrize("scale", [Fraction(1, 2**10), Fraction(5), Fraction(10**6 + 1, 8), Fraction(2**50)])
def test_every_scale_has_a_short_table(law: Callable[[Fraction], Law], scale: Fraction) -> None:
    """From the least to the greatest scale a table fits the cache, and draws are of the scale's size."""
    table = table_of(law(scale))
    assert len(table.first) <= 2**11
    reach = np.abs(draw_noise(law(scale), 1000)).max()
    assert scale < reach < 50 * scale if scale > 1 else reach < 50


# ------------------------------------------------------------------------------------------------ ties


TIED = gaussian(Fraction(4781, 1024))


@pytest.mark.parametrize("x", [0, 1, 7, 30])
@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("beyond", [False, True])
def test_a_tie_is_decided_by_the_next_word(x: int, sign: int, *, beyond: bool) -> None:
    """A word in which F(x) lies goes on with 64 more bits: just below F(x) gives x, just above x + 1."""
    f = distribution_function(TIED)[x]
    tied, low = divmod(first_bits(f, 127), 2**64)
    script = [tied << 1 | sign, low + 1 if beyond else low - 1]
    if not beyond and x == 0 and sign:
        script.append(0)  # 0 with a minus is drawn again: +0
    drawn = draw_from(table_of(TIED), 1, scripted(*script))
    assert drawn.tolist() == [(x + beyond) * (-1 if sign else 1)]


def test_a_tie_in_two_words_is_decided_by_the_third() -> None:
    """Bits are added until they decide, however long that takes."""
    bits = first_bits(distribution_function(TIED)[4], 63 + 4 * 64)
    words = [bits >> 64 * i & (2**64 - 1) for i in (3, 2, 1, 0)]
    table, sign = table_of(TIED), 0
    head = bits >> 256 << 1 | sign
    assert draw_from(table, 1, scripted(head, *words[:3], words[3] - 1)).tolist() == [4]
    assert draw_from(table, 1, scripted(head, *words[:3], words[3] + 1)).tolist() == [5]


def test_a_draw_beyond_the_table_is_decided_by_a_longer_one() -> None:
    """The tail is not cut: after the greatest word the next one says how far out the draw is."""
    truth, table, expected = distribution_function(TIED), table_of(TIED), 0
    for next_word in (0, 2**63, 2**64 - 2**20):
        number = Fraction((2**63 - 1) * 2**64 + next_word, 2**127)
        with localcontext(DIGITS):
            u = Decimal(number.numerator) / Decimal(number.denominator)
            expected = next(x for x, f in enumerate(truth) if u < f)
        drawn = draw_from(table, 1, scripted(2**64 - 2, next_word)).tolist()
        assert drawn == [expected]
    assert expected > len(table.first)


def test_whether_a_draw_is_kept_is_decided_exactly() -> None:
    """At the word in which exp(-r) lies the next word decides; just below is kept, just above drawn again."""
    law = gaussian(Fraction(3000))
    table = table_of(law)
    x, y, step = 300, (1 << table.shift) - 3, 1 << table.shift
    word_of_x = (int(table.first[x - 1]) + int(table.first[x])) // 2 << 1
    word_of_y = y << (64 - table.shift)
    r = law.exponent(step * x + y) - law.exponent(step * x)
    edge, low = divmod(first_bits(exp_minus(r), 128), 2**64)
    assert int(table.kept_below[x]) < edge
    again = (word_of_x, 0, 0)  # the same x with y = 0, which is always kept
    for script, expected in (
        ((edge - 1,), step * x + y),
        ((edge, low - 1), step * x + y),
        ((edge, low + 1, *again), step * x),
        ((edge + 1, *again), step * x),
    ):
        drawn = draw_from(table, 1, scripted(word_of_x, word_of_y, *script))
        assert drawn.tolist() == [expected]


def test_zero_comes_once() -> None:
    """The word of 0 with the sign bit is drawn again, or 0 would come twice as often as it should."""
    assert draw_from(table_of(TIED), 1, scripted(1, 1, 0)).tolist() == [0]


# ------------------------------------------------------------------------------------------------ the stream


def test_the_stream_is_chacha20_of_key_and_nonce() -> None:
    """The published key stream for a key and nonce of zeros, and another one for any other byte of them."""
    published = bytes.fromhex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7")
    assert key_stream(bytes)(4).astype("<u8").tobytes() == published
    taken: list[int] = []

    def all_ones(count: int) -> bytes:
        taken.append(count)
        return b"\xff" * count if len(taken) % 2 else bytes(count)

    other_key = key_stream(all_ones)(4)
    assert taken == [32, 8]
    other_nonce = key_stream(lambda count: bytes(count) if count == 32 else b"\xff" * count)(4)
    assert len({int(words[0]) for words in (other_key, other_nonce, key_stream(bytes)(4))}) == 3


def test_every_stream_is_new() -> None:
    """No two streams, and no two parts of one, agree in a word."""
    one, other = key_stream(), key_stream()
    drawn = np.concatenate([one(1000), one(1000), other(2000)])
    assert len(np.unique(drawn)) == 4000


def test_many_draws_are_not_the_same_block_again() -> None:
    """A vector longer than what is drawn at a time has new noise in each part."""
    noise = draw_noise(gaussian(Fraction(2**50)), 100_000)
    assert noise.dtype == np.int64
    assert len(np.unique(noise)) == 100_000
