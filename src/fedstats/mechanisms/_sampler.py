"""Noise for long vectors: exactly the law, drawn for all cells at once.

A draw of law P(z) ~ exp(-e(|z|)), e(z) = linear z + square z^2, is made in four steps:

1. x >= 0 from the law on the multiples of k, P(x) ~ exp(-e(k x)), by inversion: one uniform number and a
   table of the distribution function. k is the least power of 2 for which the table is short.
2. y uniform among 0..k-1; then z = k x + y.
3. z is kept with probability exp(-(e(k x + y) - e(k x))), which is close to 1. Kept or not, the probability
   of (x, y, kept) is proportional to exp(-e(k x)) exp(-(e(z) - e(k x))) = exp(-e(z)), whatever k is.
4. A fair sign; 0 with a minus is not kept, or 0 would come twice. What was not kept is drawn again.

(Rejection: von Neumann 1951; the same composition in Ducas, Durmus, Lepoint, Lyubashevsky 2013, Alg. 11-12.)

No number is rounded: a uniform number is a word of its first bits, compared with integers that bound the
threshold from both sides (`_law`). Almost always that decides. Where it does not, this one draw gets more
bits of its number and tighter bounds until it is decided. So the law of a draw is P itself, tails included:
its statistical distance from P is 0, and no delta is charged for it. That holds for truly random bits, which
no program has: here they are the ChaCha20 key stream of a fresh key from the operating system.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

from fedstats.core.aggregate.exact import Integers
from fedstats.mechanisms._law import Law, Thresholds, exp_bounds

Words = NDArray[np.uint64]
WordSource = Callable[[int], Words]
"""Gives so many fresh uniform 64-bit words."""

ENTRIES_MAX = 2**11
"""Longer tables make rejection rarer and take longer to build; this one is built in some milliseconds."""

_WORD_BITS = 64
_INDEX_BITS = 63  # the last bit of the same word is the sign
_REACH_NATS = 56  # at this exponent a weight is below 2^-79, where a table of 63 bits has ended
_BLOCK = 2**15  # draws at a time, so that what they need stays in the processor's cache


@dataclass(frozen=True, slots=True)
class Table:
    """A law ready to be drawn from, k = 2^shift; arrays have one entry per x, `kept_below` one more.

    `kept_below[x]`: every word below it is below exp(-(e(k x + y) - e(k x))) for every y < k, since
    exp(-r) >= 1 - r. Its last entry, for an x beyond the table, is 0: nothing is certain there.
    """

    law: Law
    shift: int
    coarse: Law
    first: Words
    last: Words
    kept_below: Words


def draw_noise(law: Law, count: int) -> Integers:
    """Draw `count` independent integers of this law, shape (count,), from bits that nobody else uses."""
    return draw_from(_table_kept(law), count, key_stream())


def draw_from(table: Table, count: int, words: WordSource) -> Integers:
    """Draw from a table that was made before, with these random bits."""
    noise = np.empty(count, dtype=np.int64)
    for start in range(0, count, _BLOCK):
        block = noise[start : start + _BLOCK]
        missing = np.arange(len(block))
        while len(missing):
            drawn, kept = _attempt(table, len(missing), words)
            block[missing[kept]] = drawn[kept]
            missing = missing[~kept]
    return noise


def key_stream(random_bytes: Callable[[int], bytes] = os.urandom) -> WordSource:
    """Open the ChaCha20 key stream of a fresh key (256 bits) and nonce.

    One is made for each call of `draw_noise` and held by nothing else: no two calls share bits, and a forked
    process has no stream to continue. It lasts for 2^38 bytes, and a call takes far less.
    """
    key, counter, nonce = random_bytes(32), bytes(8), random_bytes(8)
    cipher = Cipher(ChaCha20(key, counter + nonce), mode=None).encryptor()
    return lambda count: np.frombuffer(cipher.update(bytes(8 * count)), dtype="<u8").astype(np.uint64)


def table_of(law: Law, entries_max: int = ENTRIES_MAX) -> Table:
    """Make the table of a law, with k such that it has at most `entries_max` entries."""
    shift = 0
    while (coarse := law.on_multiples_of(1 << shift)).exponent(entries_max) < _REACH_NATS:
        shift += 1
    thresholds = Thresholds.of(coarse, _INDEX_BITS)
    return Table(
        law,
        shift,
        coarse,
        np.array(thresholds.first, dtype=np.uint64),
        np.array(thresholds.last, dtype=np.uint64),
        np.array([*_kept_below(coarse, len(thresholds.first)), 0], dtype=np.uint64),
    )


_table_kept = lru_cache(maxsize=64)(table_of)


def _kept_below(coarse: Law, entries: int) -> list[int]:
    """2^64 (1 - r), rounded down, for the greatest r of each x: r < e(k (x + 1)) - e(k x)."""
    unit = 1 << _WORD_BITS
    start = -(-unit * (coarse.linear + coarse.square) // 1)
    rise = -(-unit * 2 * coarse.square // 1)
    return [max(unit - (start + rise * x), 0) for x in range(entries)]


def _attempt(table: Table, count: int, words: WordSource) -> tuple[Integers, NDArray[np.bool_]]:
    """Draw once per cell: the integers, and which of them are kept."""
    word = words(count)
    negative = (word & np.uint64(1)).astype(np.bool_)
    x = _inverted(table, word >> np.uint64(1), words)
    if table.shift:
        y = (words(count) >> np.uint64(_WORD_BITS - table.shift)).astype(np.int64)
        kept = _kept(table, x, y, words)
        z = (x << table.shift) + y
    else:
        kept, z = np.ones(count, dtype=np.bool_), x
    kept &= ~(negative & (z == 0))
    return np.where(negative, -z, z), kept


def _inverted(table: Table, index: Words, words: WordSource) -> Integers:
    """The least x with F(x) above the uniform number whose first bits are `index`."""
    x = np.searchsorted(table.first, index, side="right").astype(np.int64)
    unsure = (x > 0) & (index <= table.last[np.maximum(x - 1, 0)])
    for i in np.flatnonzero(unsure).tolist():
        x[i] = _inverted_exactly(table.coarse, int(index[i]), words)
    return x


def _inverted_exactly(law: Law, word: int, words: WordSource) -> int:
    bits = _INDEX_BITS
    while True:
        word, bits = word << _WORD_BITS | int(words(1)[0]), bits + _WORD_BITS
        table = Thresholds.of(law, bits)
        x = bisect_right(table.first, word)
        if x == 0 or table.last[x - 1] < word:
            return x


def _kept(table: Table, x: Integers, y: Integers, words: WordSource) -> NDArray[np.bool_]:
    """Which z = k x + y are kept: those whose uniform number is below exp(-(e(z) - e(k x)))."""
    word = words(len(x))
    kept = word < table.kept_below[np.minimum(x, len(table.kept_below) - 1)]
    for i in np.flatnonzero(~kept).tolist():
        base = int(x[i]) << table.shift
        exponent = table.law.exponent(base + int(y[i])) - table.law.exponent(base)
        kept[i] = _below_exp(exponent, int(word[i]), words)
    return kept


def _below_exp(exponent: Fraction, word: int, words: WordSource) -> bool:
    """Whether the uniform number whose first bits are `word` is below exp(-exponent)."""
    bits = _WORD_BITS
    while True:
        low, high = exp_bounds(exponent, bits)
        if word < low:
            return True
        if word >= high:
            return False
        word, bits = word << _WORD_BITS | int(words(1)[0]), bits + _WORD_BITS
