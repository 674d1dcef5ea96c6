"""The pool: real editions, engine and noise in one process."""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from editions import texts_of
from practices import PRACTICE
from strategies import DATASET
from tables import PEOPLE
from two_rounds import Twice

from fedstats.core.estimate import Estimate, Value
from fedstats.core.evaluation import TextRow
from fedstats.core.privacy import Mechanism, Sensitivity, UnitKind
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Round
from fedstats.errors import MappingInvalid, ValueInvalid
from fedstats.statistics.table import Table
from fedstats.testing.drawing import STOCK, Stocked, stocked
from fedstats.testing.pool import Pool

ANY = Sensitivity(1, 1)
WITH_PRACTICE = replace(DATASET, columns=(*DATASET.columns, PRACTICE))
TEXT = "SELECT sex, COUNT(*), AVG(age), COUNT(DISTINCT nhs_number) FROM waiting WHERE age > 3 GROUP BY sex"


def columns(people: Mapping[str, Sequence[TextRow]], dataset: Dataset) -> dict[str, list[str | None]]:
    """The rows of these people, as a mapping of columns in the definition's terms."""
    rows = texts_of(people, dataset)
    names = [column.name for column in dataset.columns]
    made = {name: [row[name] or None for row in rows] for name in names}
    if dataset.unit.kind is UnitKind.PERSON:
        made[str(dataset.unit.column)] = [row["who"] for row in rows]
    return made


def people_of(department: str) -> dict[str, list[TextRow]]:
    """The people of the shared tables, by a name each."""
    return {f"{department}-{i}": list(rows) for i, rows in enumerate(PEOPLE[department])}


@pytest.fixture(scope="module")
def pool() -> Pool:
    """The few people of three departments."""
    return Pool.of(DATASET, {name: columns(people_of(name), DATASET) for name in PEOPLE}, departments_max=2)


def table(text: str = TEXT) -> Table:
    """A question about them."""
    return Table.from_sql(text, lambda _: DATASET)


def numbers(estimate: Estimate) -> list[float]:
    """Every number of the first table."""
    return [cell.value for row in estimate.tables[0] for cell in row.cells if isinstance(cell, Value)]


def test_exact_totals_are_those_of_the_reference(pool: Pool) -> None:
    """What the pool keeps is, for each department, what the integer reference makes of its rows."""
    order = table().step(pool.ask(1), ())
    assert isinstance(order, Round)
    (aggregate,) = order.aggregates
    where = table().condition(DATASET)
    for name, found in pool.totals(order, where).items():
        expected = aggregate.reference(PEOPLE[name], DATASET, where).vectors
        assert [v.tolist() for v in found[0]] == [v.tolist() for v in expected]
    first, *_ = numbers(pool.exact(table()))
    assert first == sum(row["sex"] == 0 and row["age"] > 3 for p in PEOPLE.values() for r in p for row in r)  # type: ignore[operator]  # ages are never missing here


def test_a_seed_decides_every_draw(pool: Pool) -> None:
    """The same seed gives the same answers, another one others, and one answer is the first of many."""
    one, again = pool.draws(table(), 1, 3, seed=7), pool.draws(table(), 1, 3, seed=7)
    assert [numbers(e) for e in one] == [numbers(e) for e in again]
    assert numbers(one[0]) != numbers(one[1])
    assert numbers(pool.estimate(table(), 1, seed=7)) == numbers(one[0])
    assert numbers(pool.estimate(table(), 1, seed=8)) != numbers(one[0])


@pytest.mark.parametrize("seed", [5, None])
def test_draws_have_the_noise_that_their_intervals_say(pool: Pool, seed: int | None) -> None:
    """Seeded or not, answers spread around the exact one as wide as is claimed (false alarm: 1 in 1e6)."""
    question = table("SELECT COUNT(*) FROM waiting")
    exact = numbers(pool.exact(question))[0]
    draws = pool.draws(question, 4, 1_000, seed=seed)
    found = np.array([numbers(estimate)[0] for estimate in draws]) - exact
    cell = draws[0].tables[0].rows[0].cells[0]
    assert isinstance(cell, Value)
    sd = cell.noise_interval.half_width / 1.96
    assert abs(found.mean()) < 5 * sd / math.sqrt(1_000)
    assert 0.88 < found.std() / sd < 1.12


@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(40), Fraction(9_000)])
def test_seeded_noise_has_the_law_of_the_mechanism(mechanism: Mechanism, scale: Fraction) -> None:
    """Mean, variance and the share of 0 are those of the discrete law (five standard errors)."""
    drawn = stocked(mechanism, seed=3).add_noise(
        np.zeros(200_000, dtype=np.int64), scale=scale, sensitivity=ANY, allowed=Fraction(1)
    )
    support = np.arange(-200_000, 200_001)
    distance = np.abs(support) / float(scale)
    law = np.exp(-distance if mechanism is Mechanism.LAPLACE else -(distance**2) / 2)
    law /= law.sum()
    variance = float((law * support.astype(float) ** 2).sum())
    zero = float(law[len(law) // 2])
    assert abs(drawn.mean()) < 5 * math.sqrt(variance / len(drawn))
    assert abs(drawn.var() / variance - 1) < 5 * math.sqrt(5 / len(drawn))
    assert abs((drawn == 0).mean() - zero) < 5 * math.sqrt(zero / len(drawn))


def test_noise_is_used_once() -> None:
    """What is handed out of the stock is never handed out again, also when a piece is longer than it."""
    counting = iter(range(10**6))

    def draw(_scale: Fraction, _sensitivity: Sensitivity, _allowed: Fraction, count: int) -> np.ndarray:
        return np.array([next(counting) for _ in range(count)], dtype=np.int64)

    stock = Stocked(Mechanism.GAUSSIAN, draw)
    given = [
        stock.add_noise(np.zeros(n, dtype=np.int64), scale=Fraction(1), sensitivity=ANY, allowed=Fraction(1))
        for n in (3, STOCK - 5, 4, STOCK + 9, 1)
    ]
    everything = np.concatenate(given)
    assert len(set(everything.tolist())) == len(everything)


def test_open_keys_name_what_many_have() -> None:
    """With an open key each department names values by a noisy threshold; the exact answer has them all."""
    held = {f"p{i}": [{**PEOPLE["north"][0][0], "practice": "A81001"}] for i in range(400)}
    rare = {"rare": [{**PEOPLE["north"][0][0], "practice": "B81002"}]}
    pool = Pool.of(WITH_PRACTICE, {"north": columns({**held, **rare}, WITH_PRACTICE)})
    text = "SELECT practice, COUNT(*) FROM waiting GROUP BY practice"
    question = Table.from_sql(text, lambda _: WITH_PRACTICE)
    assert {row.key for row in pool.exact(question, 4).tables[0]} == {("A81001",), ("B81002",), (None,)}
    for estimate in (*pool.draws(question, 4, 20, seed=1), pool.estimate(question, 4)):
        assert {row.key for row in estimate.tables[0]} == {("A81001",), (None,)}


def test_later_rounds_see_the_noisy_totals_of_earlier_ones(pool: Pool) -> None:
    """A statistic of two rounds gets its second answer for what it asked after the first."""
    exact = pool.exact(Twice(dataset="waiting"))
    drawn = pool.estimate(Twice(dataset="waiting"), 4, seed=2)
    assert exact.tables[0].columns == drawn.tables[0].columns
    assert numbers(exact) != numbers(drawn)


@dataclass(frozen=True, slots=True)
class Greedy(Twice):
    """Asks twice and says that it asks once."""

    rounds_max = 1


def test_what_was_not_declared_is_refused(pool: Pool) -> None:
    """A statistic cannot ask more rounds than it says, in a pool as little as at a department."""
    with pytest.raises(ValueInvalid, match="round 2 of 1"):
        pool.exact(Greedy(dataset="waiting"))


def test_columns_that_do_not_fit_are_refused_and_nothing_stays() -> None:
    """A missing column is named; and the temporary folder goes with the pool."""
    made = columns(people_of("north"), DATASET)
    pool = Pool.of(DATASET, {"north": made})
    folder = pool.folder
    assert folder.exists()
    del made["age"], pool
    gc.collect()
    assert not folder.exists()
    with pytest.raises(MappingInvalid, match="'age' is not a column of the source"):
        Pool.of(DATASET, {"north": made})
