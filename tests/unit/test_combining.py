"""Totals where departments named different values: every number stays at its value, with who named it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from practices import with_practice

from fedstats.client.combining import combined
from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.expression import Column
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.statistic import Noisy, Round

DATASET = with_practice()
SIXTH, HALF = Fraction(1, 6), Fraction(1, 2)
KEYS = (Column("practice"), Column("sex"), Column("urgent"))
COUNTS = tuple(Measure(kind, None, None, SIXTH) for kind in (MeasureKind.PEOPLE, MeasureKind.ROWS))
TOTALS = GroupedSums((Column("sex"),), (Measure(MeasureKind.ROWS, None, None, SIXTH),))
LOSS = MechanismLoss(Mechanism.GAUSSIAN, Fraction(1, 40), Fraction(1, 2**30))

NAMED = st.lists(st.sampled_from("ABCDEF"), unique=True).map(lambda values: tuple(sorted(values)))


@given(
    named=st.dictionaries(st.sampled_from(["north", "south", "west"]), NAMED, min_size=1),
    keys=st.permutations(KEYS),
    seed=st.integers(1, 1_000),
)
def test_every_number_stays_with_its_value(
    named: dict[str, tuple[str, ...]], keys: list[Column], seed: int
) -> None:
    """Wherever the open key stands among the keys, and beside an aggregate that has none."""
    asked = Round((GroupedSums(tuple(keys), COUNTS, HALF), TOTALS))
    opened = asked.aggregates[0]
    released, expected = {}, dict[tuple[object, ...], int]()
    for offset, (department, values) in enumerate(sorted(named.items()), start=seed):
        cells = list(np.ndindex(*(len(those) for those in opened.key_cells(DATASET, values))))
        numbers = np.arange(len(cells), dtype=np.int64) * offset
        for place, number in zip(cells, numbers.tolist(), strict=True):
            at = [those[i] for those, i in zip(opened.key_cells(DATASET, values), place, strict=True)]
            expected[tuple(at)] = expected.get(tuple(at), 0) + number
        closed = np.full(2, offset, dtype=np.int64)
        released[department] = Noisy(((numbers, -numbers), (closed,)), values)
    bounds = DATASET.contribution(departments_max=2)
    result = combined(released, asked, dataset=DATASET, loss=LOSS, contribution=bounds)
    all_cells = opened.key_cells(DATASET, result.values)
    shape = [len(those) for those in all_cells]
    found = {
        tuple(those[i] for those, i in zip(all_cells, place, strict=True)): int(number)
        for place, number in np.ndenumerate(result.total[0][0].reshape(shape))
    }
    assert {at: number for at, number in found.items() if at in expected} == expected
    assert not any(number for at, number in found.items() if at not in expected)
    assert np.array_equal(result.total[0][0], -result.total[0][1])
    assert result.total[1][0].tolist() == [sum(range(seed, seed + len(named)))] * 2
    assert result.values == tuple(sorted({value for values in named.values() for value in values}))
    assert result.named_by == tuple(
        frozenset(name for name, values in named.items() if value in values) for value in result.values
    )
