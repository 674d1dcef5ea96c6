"""HISTOGRAM, named cells and marginal totals in SQL: what they ask for and how their rows are called."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import definitions
from tables import PEOPLE, ROWS, answered, cells, first_round

from fedstats.core.domain import Numbers
from fedstats.core.estimate import PictureKind, Table
from fedstats.core.histogram import BINS_MAX, BINS_MIN, bins_of
from fedstats.errors import ExpressionInvalid
from fedstats.sql.parse import parse


@given(
    st.integers(-50, 50), st.integers(1, 400), st.integers(BINS_MIN, BINS_MAX), st.sampled_from([1, 4, 10])
)
def test_bins_are_of_one_width_or_refused_with_what_works(lo: int, span: int, count: int, parts: int) -> None:
    """As many bins as asked, all of one whole width but a narrower last one; else two numbers that work."""
    numbers = Numbers(Fraction(lo, parts), Fraction(lo + span, parts), Fraction(1, parts))
    try:
        bins = bins_of(numbers, count)
    except ExpressionInvalid as problem:
        words = problem.sentence.split("nearest that work: ")[-1].replace(",", "").split(" of width ")
        for work in (int(part.split()[-1]) for part in words[:-1]):
            assert bins_of(numbers, work).count == work
        return
    edges = [numbers.lo, *bins.cuts, numbers.hi]
    widths = [b - a for a, b in itertools.pairwise(edges)]
    assert len(widths) == count == len(set(bins.labels))
    assert len(set(widths[:-1])) <= 1
    assert 0 < widths[-1] <= widths[0]
    assert bins.narrower == (widths[-1] < widths[0])


def test_labels_say_both_ends() -> None:
    """Whole numbers end where they end; finer ones end below the next, and the last at the declared bound."""
    assert bins_of(Numbers(Fraction(0), Fraction(120)), 10).labels[::9] == ("0 to 11", "108 to 120")
    finer = bins_of(Numbers(Fraction(-1), Fraction(1), Fraction(1, 1000)), 4).labels
    assert finer == ("-1 to <-0.5", "-0.5 to <0", "0 to <0.5", "0.5 to 1")
    assert bins_of(Numbers(Fraction(0), Fraction(3)), 3).labels == ("0", "1", "2 to 3")


def test_a_histogram_is_a_key_and_counts_by_itself() -> None:
    """HISTOGRAM groups without GROUP BY and counts rows where nothing else is asked, cell by cell right."""
    (table,) = answered("SELECT HISTOGRAM(age, 3) FROM waiting", PEOPLE).tables
    assert (table.keys, table.columns) == (("HISTOGRAM(age, 3)",), ("count",))
    counted = Counter(min((row["age"] or 0) // 40, 2) for row in ROWS)
    assert [row.key[0] for row in table] == ["0 to 39", "40 to 79", "80 to 120"]
    assert list(cells_of(table)) == [counted[i] for i in range(3)]
    assert table.picture is not None
    assert (table.picture.kind, table.picture.label, table.picture.value) == (
        PictureKind.HISTOGRAM, "HISTOGRAM(age, 3)", "count",
    )  # fmt: skip # as a table
    by_sex = answered("SELECT sex, HISTOGRAM(wait_days, 10) AS wait FROM waiting GROUP BY sex", PEOPLE)
    (split,) = by_sex.tables
    assert split.keys == ("sex", "wait")
    assert split.picture is not None
    assert split.picture.series == "sex"
    assert [row.key[1] for row in split][9:12] == ["900 to 1000", None, "0 to 99"]
    averaged = answered("SELECT HISTOGRAM(age, 3), AVG(wait_days), COUNT(*) AS n FROM waiting", PEOPLE)
    assert averaged.tables[0].columns == ("AVG(wait_days)", "n")
    assert averaged.tables[0].picture is not None
    assert averaged.tables[0].picture.value == "n"


def cells_of(table: Table) -> list[object]:
    """The one number of each row."""
    return [getattr(row.cells[0], "value", None) for row in table]


def test_a_histogram_is_the_same_question_as_its_bands() -> None:
    """However it is written, the bins are one computation: asked again as BAND it costs nothing."""
    written = first_round("SELECT BAND(age, 40, 80) AS b, COUNT(*) FROM waiting GROUP BY b")
    for text in (
        "SELECT HISTOGRAM(age, 3) FROM waiting",
        "SELECT HISTOGRAM(age, 3), COUNT(*) FROM waiting GROUP BY HISTOGRAM(age, 3)",
        "SELECT (HISTOGRAM(age, 3)) AS h, COUNT(*) FROM waiting GROUP BY 1",
        "SELECT HISTOGRAM(age, 3) AS h FROM waiting GROUP BY h",
    ):
        assert first_round(text) == written


def test_a_narrower_last_bin_is_said() -> None:
    """Where the width does not divide the range, a note says which bin is narrower."""
    notes = answered("SELECT HISTOGRAM(age, 9) FROM waiting", PEOPLE).notes
    assert notes == ("The last bin of HISTOGRAM(age, 9), 112 to 120, is narrower than the others.",)
    assert answered("SELECT HISTOGRAM(age, 10) FROM waiting", PEOPLE).notes == ()


def test_case_names_its_cells() -> None:
    """Names of one's own make a key, numbers go to the nodes, and rows without a name are missing."""
    text = (
        "SELECT CASE WHEN age < 18 THEN 'child' WHEN age >= 65 THEN 'older' END AS who, COUNT(*) "
        "FROM waiting GROUP BY who"
    )
    assert cells(answered(text, PEOPLE)) == {("child",): (1,), ("older",): (1,), (None,): (5,)}
    numbered = text.replace("'child'", "0").replace("'older'", "1")
    assert first_round(text) == first_round(numbered)
    simple = "SELECT CASE sex WHEN 'F' THEN 'women' ELSE 'others' END AS s, COUNT(*) FROM waiting GROUP BY 1"
    assert cells(answered(simple, PEOPLE)) == {("women",): (5,), ("others",): (2,)}
    merged = "SELECT IF(urgent, 'a', CASE WHEN admitted THEN 1 ELSE 0 END) FROM waiting"
    with pytest.raises(ExpressionInvalid, match="different types"):
        parse(merged, definitions)


@pytest.mark.parametrize(
    "grouping, kept",
    [
        ("CUBE (sex, urgent)", {("all", "all"), ("all", "x"), ("x", "all")}),
        ("ROLLUP (sex, urgent)", {("all", "all"), ("x", "all")}),
        ("sex, urgent WITH ROLLUP", {("all", "all"), ("x", "all")}),
        ("sex, ROLLUP (urgent)", {("x", "all")}),
        ("ROLLUP ((sex, urgent))", {("all", "all")}),
        ("GROUPING SETS ((sex, urgent), (urgent), ())", {("all", "all"), ("all", "x")}),
        ("GROUPING SETS ((sex, urgent), sex)", {("x", "all")}),
        ("GROUPING SETS (CUBE (sex, urgent))", {("all", "all"), ("all", "x"), ("x", "all")}),
        ("(sex, urgent)", set()),
        ("1, 2", set()),
    ],
)
def test_totals_that_group_by_asks_for(grouping: str, kept: set[tuple[str, ...]]) -> None:
    """ROLLUP, CUBE and GROUPING SETS add exactly their totals, which are those of --totals, at no cost."""
    outputs = "COUNT(*) AS n, AVG(age) AS a, STDDEV(age) AS s, SHARE(admitted) AS p"
    plain = f"SELECT sex, urgent, {outputs} FROM waiting GROUP BY sex, urgent"
    text = f"SELECT sex, urgent, {outputs} FROM waiting GROUP BY {grouping}"
    assert first_round(text) == first_round(plain)
    (table,) = answered(text, PEOPLE).tables
    totals = {row.key: row.cells for row in table if row.total}
    shapes = {tuple("all" if label == "all" else "x" for label in key) for key in totals}
    assert shapes == kept
    (everything,) = answered(plain, PEOPLE, totals=True).tables
    every = {row.key: row.cells for row in everything}
    assert totals.items() <= every.items()
    assert answered(text, PEOPLE, totals=True).tables == (everything,)
