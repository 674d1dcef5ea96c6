"""The one suite that every engine passes: the same rows give the integers of the reference, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from editions import KEY, PEOPLE, SMALL, compute, csv_mapping, make, numbers, texts_of
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DATASET, bounds, conditions, grouped_sums, rows

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.bound import Bound
from fedstats.core.domain import Texts
from fedstats.core.evaluation import Row, TextRow
from fedstats.core.expression import Column, Expression
from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.engines import engine_of, engines_here
from fedstats.engines.mapping import DatasetMapping
from fedstats.errors import ConfigInvalid, EditionMissing

People = Mapping[str, Sequence[Row]]
TextPeople = Mapping[str, Sequence[TextRow]]
Load = Callable[[Path, TextPeople, Dataset], DatasetMapping]


def load_csv(folder: Path, people: TextPeople, dataset: Dataset) -> DatasetMapping:
    """Rows where the engine reads files."""
    return csv_mapping(folder / "rows.csv", texts_of(people, dataset), dataset)


LOADS: dict[str, Load] = {"duckdb": load_csv}
"""How rows get to where each engine finds them; an engine without a line here fails the suite."""

ENGINES = pytest.mark.parametrize("engine", engines_here())


def people(persons_max: int = 6) -> st.SearchStrategy[dict[str, list[Row]]]:
    """Persons with distinct rows, none over the bound: what an edition keeps whole."""
    distinct = st.lists(
        rows(DATASET), min_size=1, max_size=DATASET.rows_max, unique_by=lambda row: frozenset(row.items())
    )
    names = st.sampled_from(["p1", "P2", "josé", "眼", "o'neil", "9434765919", "p7", "p8"])
    return st.dictionaries(names, distinct, max_size=persons_max)


@ENGINES
@given(
    held=people(),
    aggregates=st.lists(grouped_sums(DATASET), min_size=1, max_size=3),
    where=st.one_of(st.none(), conditions(DATASET, depth=2)),
)
def test_the_engine_equals_the_reference(
    engine: str, held: People, aggregates: list[GroupedSums], where: Expression | None
) -> None:
    """Whatever is asked of whatever rows, an engine gives the integers of the reference, empty cells too."""
    with TemporaryDirectory() as folder:
        edition = Path(folder) / "edition"
        make(LOADS[engine](Path(folder), held, DATASET), DATASET, edition, engine=engine)
        for aggregate in aggregates:
            exact = compute(edition, aggregate, DATASET, where=where, engine=engine)
            assert numbers(exact) == numbers(aggregate.reference(held.values(), DATASET, where))


@ENGINES
@given(
    held=people(persons_max=3), aggregate=grouped_sums(DATASET), cells_max=st.integers(1, DATASET.rows_max)
)
def test_an_answer_is_a_sum_over_persons(
    engine: str, held: People, aggregate: GroupedSums, cells_max: int
) -> None:
    """What a person adds depends on that person alone, and reaches at most `cells_max` cells."""
    with TemporaryDirectory() as folder:
        alone = []
        for i, (person, own) in enumerate(held.items()):
            edition = Path(folder) / f"alone-{i}"
            make(LOADS[engine](Path(folder), {person: own}, DATASET), DATASET, edition, engine=engine)
            exact = compute(edition, aggregate, DATASET, cells_max=cells_max, engine=engine)
            reached = np.any([vector != 0 for vector in exact.vectors], axis=0)
            levels = 1 if aggregate.tree is None else len(aggregate.tree.sizes)
            assert np.count_nonzero(reached) <= cells_max * levels
            alone.append(np.array(numbers(exact)))
        edition = Path(folder) / "all"
        make(LOADS[engine](Path(folder), held, DATASET), DATASET, edition, engine=engine)
        together = np.array(numbers(compute(edition, aggregate, DATASET, cells_max=cells_max, engine=engine)))
        assert np.array_equal(together, sum(alone, start=np.zeros_like(together)))


TEXTS = ("Leeds", "a|b", "|", "\u773c", None)
WITH_TEXT = replace(
    PEOPLE, columns=(*PEOPLE.columns, ColumnDefinition("town", Texts(8, 20, nullable=True), as_measure=False))
)


TEXT_ROW = st.fixed_dictionaries(
    {"age": st.integers(0, 3), "ward": st.sampled_from([0, 1, None]), "town": st.sampled_from(TEXTS)}
)
TEXT_ROWS = st.lists(TEXT_ROW, min_size=1, max_size=2, unique_by=lambda row: frozenset(row.items()))


@ENGINES
@given(
    held=st.dictionaries(st.sampled_from(["p1", "p2", "p3", "p4"]), TEXT_ROWS),
    values=st.sets(st.sampled_from(["Leeds", "a|b", "|", "Nowhere"])).map(sorted),
    town_first=st.booleans(),
    bound=bounds(WITH_TEXT),
)
@settings(max_examples=15)
def test_open_keys_equal_the_reference(
    engine: str, held: TextPeople, values: list[str], bound: Bound, *, town_first: bool
) -> None:
    """All values with their people, each once; then the reference's integers over those that are named."""
    keys = (Column("town"), Column("ward")) if town_first else (Column("ward"), Column("town"))
    third = Fraction(1, 3)
    counts = tuple(Measure(kind, None, None, third) for kind in (MeasureKind.ROWS, MeasureKind.PEOPLE))
    asked = GroupedSums(keys, counts, third, bound)
    with TemporaryDirectory() as folder:
        edition = Path(folder) / "edition"
        make(LOADS[engine](Path(folder), held, WITH_TEXT), WITH_TEXT, edition, engine=engine)
        exact = compute(edition, asked, WITH_TEXT, engine=engine, values=values)
        assert numbers(exact) == numbers(asked.reference(held.values(), WITH_TEXT, None, values))
        batches = list(
            engine_of(engine).find_values(
                edition,
                asked,
                dataset=WITH_TEXT,
                where=None,
                contribution=WITH_TEXT.contribution(departments_max=1),
                key=KEY,
                resources=SMALL,
            )
        )
    found = [(v, n) for b in batches for v, n in zip(b.values or (), b.vectors[0].tolist(), strict=True)]
    towns = sorted({str(row["town"]) for rows in held.values() for row in rows if row["town"] is not None})
    selection = asked.selection(WITH_TEXT)
    (people_at, *_) = numbers(selection.reference(held.values(), WITH_TEXT, None, towns))
    assert sorted(found) == list(zip(towns, people_at[: len(towns)], strict=True))


@ENGINES
def test_a_lower_cell_bound_keeps_as_many_cells_as_it_allows(engine: str, tmp_path: Path) -> None:
    """Somebody in three cells stays in two of them when two are allowed, for all measures alike."""
    row: Row = dict.fromkeys((column.name for column in DATASET.columns), 0)
    row = {**row, "started": 20_100, "ended": 20_100, "booked_week": None}
    held = {"p1": [{**row, "sex": sex, "age": 40} for sex in range(3)]}
    make(LOADS[engine](tmp_path, held, DATASET), DATASET, tmp_path / "edition", engine=engine)
    counts = tuple(Measure(kind) for kind in (MeasureKind.ROWS, MeasureKind.PEOPLE))
    by_sex = GroupedSums((Column("sex"),), counts)
    for cells_max in (1, 2, 3):
        of_rows, of_people = numbers(
            compute(tmp_path / "edition", by_sex, DATASET, cells_max=cells_max, engine=engine)
        )
        assert of_rows == of_people
        assert sum(of_people) == cells_max


@ENGINES
def test_an_edition_answers_for_its_own_definition(engine: str, tmp_path: Path) -> None:
    """No edition, or one made for other columns or bounds, is said to be missing instead of misread."""
    make(LOADS[engine](tmp_path, {}, DATASET), DATASET, tmp_path / "edition", engine=engine)
    other = Dataset(DATASET.name, DATASET.unit, 2, 10, 10, DATASET.columns, DATASET.editions, DATASET.holders)
    count = GroupedSums((), (Measure(MeasureKind.ROWS),))
    with pytest.raises(EditionMissing, match="another definition"):
        compute(tmp_path / "edition", count, other, engine=engine)
    with pytest.raises(EditionMissing, match="no edition"):
        compute(tmp_path / "nothing", count, DATASET, engine=engine)


@ENGINES
def test_an_engine_explains_without_the_key(engine: str) -> None:
    """A database administrator sees the whole statement, in which the secret key is a parameter."""
    aggregate = GroupedSums((Column("sex"),), (Measure(MeasureKind.PEOPLE),))
    urgent = Column("urgent")
    bounds = DATASET.contribution(departments_max=1, cells_max=1)
    shown = engine_of(engine).explain(aggregate, dataset=DATASET, where=urgent, contribution=bounds)
    assert "SELECT" in shown
    assert "$key" in shown
    assert "0 F, 1 M, 2 überall" in shown
    assert "urgent: 0 false, 1 true" in shown


@ENGINES
def test_an_engine_says_what_it_is(engine: str) -> None:
    """Its name is its file's, and its description one sentence."""
    assert engine_of(engine).name == engine
    assert engine_of(engine).description.endswith(".")


def test_an_unknown_engine_is_named() -> None:
    """Somebody who misspells an engine is told which there are."""
    with pytest.raises(ConfigInvalid, match="duckdb"):
        engine_of("duckbd")
