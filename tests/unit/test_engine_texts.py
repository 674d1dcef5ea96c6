"""Free text in an edition: how it is read, and which values are found with how many people."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from editions import KEY, PEOPLE, PERSON, ROWS, SMALL, compute, contents, csv_mapping, make, numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.domain import Texts
from fedstats.core.evaluation import TextRow
from fedstats.core.expression import Call, Column, Expression, NumberLiteral, Op
from fedstats.core.names import check_label
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.engines import engine_of
from fedstats.engines.mapping import ColumnMapping, OnInvalid

TOWN = ColumnDefinition("town", Texts(8, 100, nullable=True), as_measure=False)
VISITS = replace(PEOPLE, columns=(*PEOPLE.columns, TOWN), rows_max=3)
STRICT = replace(VISITS, columns=(*PEOPLE.columns, replace(TOWN, domain=Texts(8, 100))))
HALF = Fraction(1, 2)
BY_TOWN = GroupedSums((Column("town"),), (Measure(MeasureKind.ROWS, None, None, HALF),), HALF)
OLD = Call(Op.LESS, (NumberLiteral(Fraction(60)), Column("age")))


def edition(
    folder: Path, towns: list[tuple[str, str]], dataset: Dataset = VISITS, *columns: ColumnMapping
) -> Path:
    """An edition of people (name, town), each row of another age."""
    rows = [{PERSON: who, "age": str(i % 100), "town": town} for i, (who, town) in enumerate(towns)]
    into = folder / f"edition-{len(list(folder.iterdir()))}"
    make(csv_mapping(folder / "rows.csv", rows, dataset, columns), dataset, into)
    return into


def found(
    path: Path, dataset: Dataset = VISITS, *, where: Expression | None = None, cells_max: int | None = None
) -> dict[str, int]:
    """Every value that the engine finds, with its people."""
    batches = list(
        engine_of("duckdb").find_values(
            path,
            BY_TOWN,
            dataset=dataset,
            where=where,
            contribution=dataset.contribution(departments_max=1, cells_max=cells_max),
            key=KEY,
            resources=SMALL,
        )
    )
    values = [value for batch in batches for value in batch.values or ()]
    assert len(set(values)) == len(values), "a value came twice"
    return dict(zip(values, np.concatenate([b.vectors[0] for b in batches]).tolist(), strict=True))


@pytest.mark.parametrize(
    "given_text, kept",
    [
        ("Leeds", "Leeds"),
        ("  Leeds\t", "Leeds"),
        ("St  Ives", "St Ives"),
        ("St \u200b Ives", "St Ives"),
        ("St\u00a0\u2009Ives", "St Ives"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("Ca\u200bfe\u200b\u0301", "Caf\u00e9"),
        ("\ufeffLeeds\x1b", "Leeds"),
        ("Le\x00eds", "Leeds"),
        ("\u202eLeeds", "Leeds"),
        ("\U000e0041Hull", "Hull"),
        ("o'neil", "o'neil"),
        ("a|b", "a|b"),
        ("\u773c\u79d1", "\u773c\u79d1"),
        ("12345678", "12345678"),
        ("e\u0301" * 8, "\u00e9" * 8),
        ("123456789", None),
        ("\u200b \x1f", None),
        ("", None),
    ],
)
def test_texts_are_one_readable_line(given_text: str, kept: str | None, tmp_path: Path) -> None:
    """However a value is spaced, composed or garnished, it is one value; too long is as good as missing."""
    path = edition(tmp_path, [("ann", given_text)])
    ((*_, town),) = contents(path, VISITS)
    assert str(town) == str(kept)
    assert found(path) == ({} if kept is None else {kept: 1})


def test_a_text_that_may_not_be_missing_drops_its_row(tmp_path: Path) -> None:
    """Too long or missing, where the agreement says neither may be: the row goes, as for any column."""
    path = edition(tmp_path, [("ann", "Leeds"), ("bob", ""), ("cy", "much too long")], STRICT)
    assert found(path, STRICT) == {"Leeds": 1}
    kept = edition(
        tmp_path,
        [("ann", "Leeds"), ("cy", "much too long")],
        VISITS,
        ColumnMapping("town", on_invalid=OnInvalid.DROP_ROW),
    )
    assert sum(contents(kept, VISITS).values()) == 1


def test_local_words_for_missing_are_missing(tmp_path: Path) -> None:
    """What the department writes where nothing is known names no value."""
    mapping = ColumnMapping("town", missing=("n/a",))
    assert found(edition(tmp_path, [("ann", " n/a "), ("bob", "Hull")], VISITS, mapping)) == {"Hull": 1}


NASTY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00"), max_size=12)


@settings(max_examples=15)
@given(texts=st.lists(NASTY, min_size=1, max_size=6))
def test_no_text_can_break_a_release(texts: list[str]) -> None:
    """Whatever a source holds, what is found is printable, short, composed, and what a release may hold."""
    with TemporaryDirectory() as folder:
        path = edition(Path(folder), [(f"p{i}", text) for i, text in enumerate(texts)])
        values = found(path)
    assert sum(values.values()) <= len(texts)
    for value in values:
        check_label(value, what="value")
        assert len(value) <= 8  # what the column allows
        assert value == value.strip()
        assert unicodedata.is_normalized("NFC", value)


TOWNS = ("Leeds", "Hull", "a|b", "|", "")
PEOPLE_ROWS = st.lists(
    st.tuples(st.sampled_from(("ann", "bob", "cy", "dee")), st.sampled_from(TOWNS)), max_size=14
)


@settings(max_examples=15)
@given(rows=PEOPLE_ROWS, where=st.sampled_from([None, OLD]))
def test_people_are_counted_once_at_each_value(rows: list[tuple[str, str]], where: Expression | None) -> None:
    """The values and their people are those of the rows that the edition kept and that meet the condition."""
    with TemporaryDirectory() as folder:
        path = edition(Path(folder), rows)
        kept = contents(path, VISITS)
        values = found(path, where=where)
    people: dict[str, set[object]] = {}
    for number, (who, age, _, town) in enumerate(kept.elements()):
        if town is not None and (where is None or (age is not None and age > 60)):  # as asked
            people.setdefault(str(town), set()).add(number if who is None else who)
    assert values == {town: len(those) for town, those in people.items()}


@settings(max_examples=15)
@given(
    rows=PEOPLE_ROWS,
    added=st.lists(st.sampled_from((*TOWNS, "York", "Bath")), min_size=1, max_size=6),
    cells_max=st.integers(1, 3),
)
def test_a_person_moves_at_most_so_many_values_by_one(
    rows: list[tuple[str, str]], added: list[str], cells_max: int
) -> None:
    """One person more changes the number at no more than L0 values, each by 1, new values included."""
    with TemporaryDirectory() as folder:
        before = found(edition(Path(folder), rows), cells_max=cells_max)
        after = found(edition(Path(folder), [*rows, *(("eve", town) for town in added)]), cells_max=cells_max)
    moved = Counter(after)
    moved.subtract(before)
    changes = [change for change in moved.values() if change]
    assert set(changes) <= {1}
    assert len(changes) <= cells_max


@settings(max_examples=15)
@given(
    rows=PEOPLE_ROWS,
    added=st.lists(st.sampled_from(TOWNS), min_size=1, max_size=5),
    named=st.lists(st.sampled_from(("Leeds", "Hull", "a|b", "|", "Nowhere")), unique=True),
    cells_max=st.integers(1, 3),
)
def test_measures_over_named_values_keep_their_sensitivity(
    rows: list[tuple[str, str]], added: list[str], named: list[str], cells_max: int
) -> None:
    """For every list of named values one person moves each vector by no more than D1 and D2 say."""
    measures = tuple(Measure(kind, None, None, HALF / 2) for kind in (MeasureKind.ROWS, MeasureKind.PEOPLE))
    asked = GroupedSums((Column("town"), Column("ward")), measures, HALF)
    values, bounds = sorted(named), VISITS.contribution(departments_max=1, cells_max=cells_max)
    with TemporaryDirectory() as folder:
        more = [*rows, *(("eve", town) for town in added)]
        before, after = (
            np.array(numbers(compute(path, asked, VISITS, cells_max=cells_max, values=values)))
            for path in (edition(Path(folder), rows), edition(Path(folder), more))
        )
    assert before.shape == after.shape == (2, asked.cells(VISITS, values))
    for moved, allowed in zip(after - before, asked.sensitivities(bounds), strict=True):
        assert np.abs(moved).sum() <= allowed.d1
        assert (moved**2).sum() <= allowed.d2_squared


def test_the_engine_computes_what_the_reference_says(tmp_path: Path) -> None:
    """Bit for bit, in the order of the values, with missing ones last and others left out."""
    towns = ["Leeds", "Hull", "Leeds", "", "York", "Hull", "Leeds"]
    path = edition(tmp_path, [(f"p{i}", town) for i, town in enumerate(towns)])
    people: list[list[TextRow]] = [
        [{"age": i, "ward": None, "town": town or None}] for i, town in enumerate(towns)
    ]
    asked = GroupedSums(
        (Column("town"), Column("ward")),
        (Measure(MeasureKind.PEOPLE, None, None, Fraction(1, 2)),),
        Fraction(1, 2),
    )
    values = ["Bath", "Hull", "Leeds"]
    exact = compute(path, asked, VISITS, values=values)
    assert numbers(exact) == numbers(asked.reference(people, VISITS, None, values))
    assert np.array(numbers(exact)).reshape(4, 4)[:, 3].tolist() == [0, 2, 3, 1]


def test_records_are_counted_each(tmp_path: Path) -> None:
    """Where the unit is the row, every row is one."""
    records = replace(ROWS, columns=VISITS.columns)
    assert records.unit.kind is UnitKind.ROW
    assert found(edition(tmp_path, [("ann", "Hull")] * 3, records), records) == {"Hull": 3}


def test_many_values_come_in_batches(tmp_path: Path) -> None:
    """How many values there are is no public fact, so no batch holds more than memory allows."""
    count = 300_000
    path = tmp_path / "rows.csv"
    path.write_text("who,age,ward,town\n" + "".join(f"p{i},1,,t{i}\n" for i in range(count)))
    mapping = csv_mapping(tmp_path / "none.csv", [], VISITS)
    mapping = replace(mapping, source=replace(mapping.source, path=path))
    make(mapping, VISITS, tmp_path / "edition")
    batches = [
        (len(batch.values or ()), int(batch.vectors[0].sum()))
        for batch in engine_of("duckdb").find_values(
            tmp_path / "edition",
            BY_TOWN,
            dataset=VISITS,
            where=None,
            contribution=VISITS.contribution(departments_max=1),
            key=KEY,
            resources=SMALL,
        )
    ]
    assert len(batches) > 1
    assert max(size for size, _ in batches) < count
    assert [sum(column) for column in zip(*batches, strict=True)] == [count, count]
