"""How analysts choose what counts of one person: by name, by least expected error, and told in words."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from strategies import DATASET, RECORDS, definitions

from fedstats.core.aggregate.grouped_sums import MeasureKind
from fedstats.core.bound import Bound
from fedstats.core.domain import Numbers
from fedstats.core.grid import HALF_WIDTH_MAX, Grid, centred_grid, grid_of_means
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.schema import ROWS_OF_ONE_PERSON_MAX, Dataset
from fedstats.core.statistic import Ask, Round
from fedstats.errors import ValueInvalid
from fedstats.statistics._bounding import bound_notes, expected_error
from fedstats.statistics.table import Table

HALF = Fraction(1, 2)


def ask_of(dataset: Dataset, *, cells_max: int = 3, mechanism: Mechanism = Mechanism.GAUSSIAN) -> Ask:
    """A question to three departments; somebody may be in so many cells."""
    most = min(cells_max, dataset.rows_max)
    bounds = dataset.contribution(departments_max=1, cells_max=most)
    return Ask(dataset, MechanismLoss(mechanism, HALF), bounds, ("a", "b", "c"))


def chosen(outputs: str, *, keys: str = "", bound: str = "auto", ask: Ask | None = None) -> Bound:
    """The bound of the round that a question asks."""
    ask = ask or ask_of(DATASET)
    group = f" GROUP BY {keys}" if keys else ""
    text = f"SELECT {keys + ',' if keys else ''} {outputs} FROM {ask.dataset.name}{group}"
    order = Table.from_sql(text, definitions, bound=bound).step(ask, [])
    assert isinstance(order, Round)
    return order.aggregates[0].bound


@pytest.mark.parametrize(
    "outputs, bound",
    [
        ("AVG(age)", "norm:1"),
        ("AVG(age), SHARE(urgent), STDDEV(age)", "norm:1"),
        ("SUM(wait_days) / COUNT(wait_days) AS mean", "norm:1"),
        ("AVG(age), COUNT(DISTINCT nhs_number)", "norm:1"),
        ("AVG(age), COUNT(*)", "rows"),
        ("SUM(age)", "rows"),
        ("COUNT(*) / 2 AS half", "rows"),
        ("COUNT(*) / COUNT(DISTINCT nhs_number) AS each", "rows"),
        ("COUNT(DISTINCT nhs_number)", "rows"),
    ],
)
def test_only_averages_may_take_another_bound(outputs: str, bound: str) -> None:
    """With auto, numbers of rows and sums stay what they are; what is an average takes the least error."""
    assert chosen(outputs, keys="sex").text == bound
    assert chosen(outputs, keys="sex", bound="rows") == Bound.rows()


def test_the_least_expected_error_is_by_formula() -> None:
    """Rows R, people the root of L0, weights 1 (Laplace: R, L0, the root of L0); equal ones in order."""
    errors = [expected_error(b, ask_of(DATASET)) for b in (Bound.rows(), Bound.people(), Bound.weighted(1))]
    assert errors == [9, 3, 1]
    laplace = ask_of(DATASET, mechanism=Mechanism.LAPLACE)
    assert [expected_error(b, laplace) for b in (Bound.rows(), Bound.people())] == [3, 3]
    assert Fraction(17, 10) < expected_error(Bound.weighted(1), laplace) < Fraction(18, 10)
    assert chosen("AVG(age)", ask=ask_of(DATASET, cells_max=1)) == Bound.people()
    assert chosen("AVG(age)", ask=ask_of(RECORDS)) == chosen("AVG(age)", bound="norm", ask=ask_of(RECORDS))
    assert chosen("AVG(age)", ask=ask_of(RECORDS)) == Bound.rows()


@pytest.mark.parametrize(
    "text", ["", "row", "norm:", "norm:0", "norm:-1", "norm:x", "people:2", "norm:1.5", "auto:1"]
)
def test_a_bound_that_there_is_not_is_refused(text: str) -> None:
    """Before anything is asked, with what to write instead."""
    with pytest.raises(ValueInvalid, match="no way to bound") as caught:
        Table.from_sql("SELECT AVG(age) FROM waiting", definitions, bound=text)
    assert "norm:3" in caught.value.advice
    with pytest.raises(ValueInvalid, match="at most 3 rows"):
        chosen("AVG(age)", bound="norm:99999")


def test_people_are_counted_once_for_everything() -> None:
    """By people, counts of rows, of people and of what disclosure control rests on are one measure."""
    ask = ask_of(DATASET)
    text = "SELECT COUNT(*) AS a, COUNT(DISTINCT nhs_number) AS b, AVG(age) AS c FROM waiting"
    order = Table.from_sql(text, definitions, bound="people").step(ask, [])
    assert isinstance(order, Round)
    assert sorted(m.kind.value for m in order.aggregates[0].measures) == ["people", "sum"]
    assert MeasureKind.ROWS not in {m.kind for m in order.aggregates[0].measures}


@pytest.mark.parametrize("rows_max", [1, 2, 3, 6, 12, 16, 17, ROWS_OF_ONE_PERSON_MAX])
@pytest.mark.parametrize("hi", [1, 120, 730, 10**9])
def test_means_of_values_lie_on_their_grid(rows_max: int, hi: int) -> None:
    """The finer grid reaches as far, and holds the means of 1 to rows_max values where it says so."""
    plain = centred_grid(Numbers(Fraction(0), Fraction(hi)))
    fine, whole = grid_of_means(plain, rows_max)
    assert fine.half_width * fine.step == plain.half_width * plain.step
    assert fine.half_width <= HALF_WIDTH_MAX
    parts = plain.step / fine.step
    assert whole == all(parts % n == 0 for n in range(1, min(rows_max, 50) + 1))
    assert whole or fine.half_width > HALF_WIDTH_MAX // 2


def test_a_grid_has_an_end() -> None:
    """Beyond 2^16 steps to a side there is none."""
    with pytest.raises(ValueInvalid, match="2\\^16"):
        Grid(Fraction(0), Fraction(1), HALF_WIDTH_MAX + 1)


def test_an_answer_says_what_was_counted() -> None:
    """Each bound but that of rows is told, with what it makes of each kind of column."""
    table = Table.from_sql("SELECT COUNT(*), SUM(age), AVG(age) FROM waiting", definitions)
    outputs = table.selection.outputs
    assert not list(bound_notes(Bound.rows(), outputs))
    people, weights = (" ".join(bound_notes(b, outputs)) for b in (Bound.people(), Bound.weighted(2)))
    for words in ("everybody counts once in each cell", "people with a row there", "means over people"):
        assert words in people
    for words in ("together as 2 rows at most", "no number of rows", "weighted means"):
        assert words in weights
    only = Table.from_sql("SELECT COUNT(DISTINCT nhs_number) FROM waiting", definitions).selection.outputs
    assert not list(bound_notes(Bound.people(), only))


def test_the_bounds_of_a_question_begin_with_its_own() -> None:
    """All there are to compare, once each; one only where nobody has several rows."""
    question = Table.from_sql("SELECT AVG(age) FROM waiting", definitions, bound="people")
    ways = [way.bound for way in question.bounds(ask_of(DATASET))]
    assert ways == ["people", "rows", "norm:1"]
    alone = replace(DATASET, rows_max=1)
    assert [way.bound for way in question.bounds(ask_of(alone))] == ["rows"]
