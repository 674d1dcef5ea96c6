"""Editions: made whole or not at all, from whatever files a department has, without the people's names."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import duckdb
import pytest
from editions import KEY, NUMBERS, PEOPLE, ROWS, SMALL, compute, contents, csv_of, make, mapped, numbers

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.domain import Numbers, days_of
from fedstats.core.expression import Column
from fedstats.core.privacy import Contribution
from fedstats.core.schema import ColumnDefinition
from fedstats.engines import EditionOrder, Resources, definition_hash, engine_of
from fedstats.engines._workplace import workplace
from fedstats.engines.mapping import ColumnMapping, DatasetMapping, PersonCheck, Source, SourceKind
from fedstats.errors import (
    DataError,
    EditionExists,
    EditionMissing,
    EditionTooLarge,
    FileProblem,
    MappingInvalid,
    NotOffered,
    SourceUnreadable,
    ValueInvalid,
)

DAY_S = days_of(date(2025, 9, 30)) * 86_400


def test_quotes_commas_and_lines_inside_a_field_are_part_of_it(tmp_path: Path) -> None:
    """CSV as spreadsheets write it: quotes, delimiters and line breaks in fields, and other alphabets."""
    text = 'who,ward,"the ""age"", at visit"\r\n"a,1","Größe",40\r\n"b\n2",眼科,41\r\n'
    columns = (ColumnMapping("age", ('the "age", at visit',)),)
    make(mapped(csv_of(tmp_path / "rows.csv", text), columns=columns), PEOPLE, tmp_path / "edition")
    assert contents(tmp_path / "edition", PEOPLE) == {(None, 40, 1): 1, (None, 41, 2): 1}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_each_encoding_and_delimiter_is_read(encoding: str, tmp_path: Path) -> None:
    """Files come in several encodings, with a mark at their beginning or without, and with tabs."""
    path = tmp_path / "rows.txt"
    path.write_text("who\tage\tward\nä\t1\tGröße\n", encoding=encoding)
    source = Source(SourceKind.CSV, path, "\t", encoding.removesuffix("-sig"))
    make(mapped(source), PEOPLE, tmp_path / "edition")
    assert contents(tmp_path / "edition", PEOPLE) == {(None, 1, 1): 1}


def test_several_files_are_one_source(tmp_path: Path) -> None:
    """All files that a name with * finds are read, in any number."""
    for i in range(3):
        csv_of(tmp_path / f"rows-{i}.csv", f"who,age,ward\np{i},{i},A\n")
    make(mapped(Source(SourceKind.CSV, tmp_path / "rows-*.csv")), PEOPLE, tmp_path / "edition")
    assert contents(tmp_path / "edition", PEOPLE) == {(None, i, 0): 1 for i in range(3)}
    csv_of(tmp_path / "rows-9.csv", "who,ward,age\n")
    with pytest.raises(SourceUnreadable, match="different columns"):
        make(mapped(Source(SourceKind.CSV, tmp_path / "rows-*.csv")), PEOPLE, tmp_path / "other")


@pytest.mark.parametrize("text", ["who,age,ward\n", "who,age,ward", "who,age,ward\n,1,A\n \t-,2,A\n"])
def test_an_edition_without_rows_is_an_edition(text: str, tmp_path: Path) -> None:
    """A source with headers only, or with nobody valid in it, gives zeros of the usual shape."""
    make(mapped(csv_of(tmp_path / "rows.csv", text)), PEOPLE, tmp_path / "edition")
    aggregate = GroupedSums((Column("ward"),), (Measure(MeasureKind.ROWS), Measure(MeasureKind.PEOPLE)))
    assert numbers(compute(tmp_path / "edition", aggregate, PEOPLE)) == [[0] * 4] * 2


@pytest.mark.parametrize(
    "name, text, sentence",
    [
        ("rows.csv", "who,age,ward\np1,1,SECRET,x\n", "rows.csv, line 2: it has more or fewer fields"),
        ("rows.csv", 'who,age,ward\np1,1,"SECRET\n', "rows.csv, line 2: a quote is opened"),
        ("rows.csv", "", "rows.csv is empty: it has no header line"),
        ("rows.csv", "who,age,age\n", "rows.csv has a column name twice"),
        ("rows.parquet", "SECRET but no Parquet", "rows.parquet is no Parquet file"),
        ("rows.duckdb", "SECRET but no DuckDB", "cannot be read"),
    ],
)
def test_damaged_sources_are_named_without_their_data(
    name: str, text: str, sentence: str, tmp_path: Path
) -> None:
    """A file that is not what it should be is named, with the line where it helps, without its content."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    kind = SourceKind(name.removeprefix("rows."))
    source = Source(kind, tmp_path / name, table="rows" if kind is SourceKind.DUCKDB else "")
    with pytest.raises(SourceUnreadable) as caught:
        make(mapped(source), PEOPLE, tmp_path / "edition")
    assert sentence in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing half-made stays behind"


def test_bytes_of_another_encoding_are_recognised(tmp_path: Path) -> None:
    """A file that is not UTF-8 is refused with what to write in node.toml."""
    (tmp_path / "rows.csv").write_bytes(b"who,age,ward\np1,1,Gr\xf6\xdfe\n")
    with pytest.raises(SourceUnreadable, match="line 2: it is not UTF-8; set encoding"):
        make(mapped(Source(SourceKind.CSV, tmp_path / "rows.csv")), PEOPLE, tmp_path / "edition")


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    """Somebody who mistypes a path or a column reads which one, and what there is instead."""
    with pytest.raises(SourceUnreadable, match="There is no file"):
        make(mapped(Source(SourceKind.CSV, tmp_path / "none.csv")), PEOPLE, tmp_path / "edition")
    source = csv_of(tmp_path / "rows.csv", "who,agee,ward\n")
    with pytest.raises(MappingInvalid, match=r"'age' is not a column of the source\. Did you mean agee"):
        make(mapped(source), PEOPLE, tmp_path / "edition")


def test_an_edition_never_changes(tmp_path: Path) -> None:
    """An edition of that name is there: it is left as it is, byte by byte."""
    source = csv_of(tmp_path / "rows.csv", "who,age,ward\np1,1,A\n")
    make(mapped(source), PEOPLE, tmp_path / "edition")
    before = (tmp_path / "edition").read_bytes()
    with pytest.raises(EditionExists):
        make(mapped(source), PEOPLE, tmp_path / "edition")
    assert (tmp_path / "edition").read_bytes() == before


def test_an_edition_is_its_owners_and_names_nobody(tmp_path: Path) -> None:
    """The file and the folder are readable by the owner only, and no identifier is anywhere in the bytes."""
    rows = "".join(f"{number},{age},A\n" for number in NUMBERS[:2] for age in (1, 2))
    into = tmp_path / "state" / "edition"
    make(mapped(csv_of(tmp_path / "rows.csv", f"who,age,ward\n{rows}")), PEOPLE, into)
    assert into.stat().st_mode & 0o777 == 0o600
    assert into.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in into.parent.iterdir()] == ["edition"]
    data = into.read_bytes()
    for number in NUMBERS[:2]:
        assert number.encode() not in data
        assert int(number).to_bytes(8, "little") not in data


def test_what_a_killed_refresh_left_is_removed(tmp_path: Path) -> None:
    """Half-made files of a dead process, which may name people, go; those of a living one stay."""
    source = csv_of(tmp_path / "rows.csv", "who,age,ward\n")
    into = tmp_path / "state" / "edition"
    with workplace(into) as working:
        (working / "stage").write_text("names")
        abandoned = into.parent / ".making-abandoned"
        abandoned.mkdir()
        (abandoned / "stage").write_text("names")
        make(mapped(source), PEOPLE, into)
        assert working.exists()
        assert not abandoned.exists()
    assert not working.exists()


def test_the_report_counts_each_row_once(tmp_path: Path) -> None:
    """Every row of the source is kept or counted under the first reason that dropped it."""
    text = "who,age,ward\n" + "".join(
        f"{who},{age},{ward}\n"
        for who, age, ward in [
            ("", 1, "A"),  # nobody
            ("p1", 1, "A"),
            ("P-1", 1, "A"),  # the same row of the same person
            ("p1", 2, "A"),
            ("p1", 3, "A"),  # one more than two
            ("p2", 999, "A"),  # out of bounds
            ("p3", 1, "?"),  # an unknown code is missing
            ("p4", 1, "A"),  # opted out
        ]
    )
    (tmp_path / "optout.txt").write_text("p4,\n", encoding="utf-8")
    mapping = mapped(csv_of(tmp_path / "rows.csv", text))
    report = make(mapping, PEOPLE, tmp_path / "edition", opt_outs=tmp_path / "optout.txt")
    assert [count for _, count in report] == [8, 1, 1, 1, 0, 1, 1, 3, 1, 1]
    assert [(c.missing, c.invalid, c.out_of_bounds) for c in report.columns] == [(0, 0, 1), (0, 1, 0)]


def test_no_edition_holds_more_people_than_agreed(tmp_path: Path) -> None:
    """Overflow is ruled out with people_max before a charge: one person more, and no edition is made."""
    text = "who,age,ward\np1,1,A\np1,2,A\np2,1,A\np3,1,A\n"
    mapping = mapped(csv_of(tmp_path / "rows.csv", text))
    make(mapping, replace(PEOPLE, people_max=3), tmp_path / "fits")
    with pytest.raises(EditionTooLarge, match="more people than the 2 that the agreement names"):
        make(mapping, replace(PEOPLE, people_max=2), tmp_path / "too-large")
    assert not (tmp_path / "too-large").exists()


def test_a_row_is_a_unit_of_its_own(tmp_path: Path) -> None:
    """Where the unit is the row, equal rows are different units, and people are rows."""
    source = csv_of(tmp_path / "rows.csv", "age,ward\n" + "1,A\n" * 5)
    report = make(DatasetMapping("visits", source), ROWS, tmp_path / "edition")
    assert (report.rows_without_person, report.rows_kept) == (0, 5)
    aggregate = GroupedSums((), (Measure(MeasureKind.ROWS), Measure(MeasureKind.PEOPLE)))
    assert numbers(compute(tmp_path / "edition", aggregate, ROWS)) == [[5], [5]]


def test_a_person_is_one_however_spelled(tmp_path: Path) -> None:
    """Spaces, hyphens and capitals make no new person, who would otherwise escape the bound on rows."""
    names = ["ab-12", "AB12", "Ab 12", " a b 1 2\u00a0", "A\u2010B12"]
    text = "who,age,ward\n" + "".join(f"{name},{age},A\n" for age, name in enumerate(names))
    report = make(mapped(csv_of(tmp_path / "rows.csv", text)), PEOPLE, tmp_path / "edition")
    assert report.rows_kept == PEOPLE.rows_max


def test_nhs_numbers_are_checked(tmp_path: Path) -> None:
    """Ten digits that satisfy Modulus 11 are a person; wrong digits, zeros and dummies are nobody."""
    valid = ["943 476 5919", "9434765870", "943-476-5919"]
    wrong = [
        "9434765918",
        "943476591",
        "0000000000",
        "9999999999",
        "94347659190",
        "abcdefghij",
        "9434765919x",
    ]
    text = "who,age,ward\n" + "".join(f"{number},{i},A\n" for i, number in enumerate([*valid, *wrong]))
    source = csv_of(tmp_path / "rows.csv", text)
    mapping = mapped(source, person_check=PersonCheck.NHS_NUMBER, person_missing=("9999999999",))
    report = make(mapping, PEOPLE, tmp_path / "edition")
    assert (report.rows_without_person, report.rows_kept) == (len(wrong), len(valid))
    assert {pseudonym is None for pseudonym, *_ in contents(tmp_path / "edition", PEOPLE)} == {True, False}


def test_a_source_reaches_no_other_file(tmp_path: Path) -> None:
    """A database that was given as source cannot make the node read another file."""
    (tmp_path / "other.csv").write_text("who,age,ward\np1,1,A\n", encoding="utf-8")
    with duckdb.connect(str(tmp_path / "rows.duckdb")) as connection:
        connection.execute(f"CREATE VIEW rows AS SELECT * FROM read_csv('{tmp_path}/other.csv')")
    source = Source(SourceKind.DUCKDB, tmp_path / "rows.duckdb", table="rows")
    with pytest.raises(SourceUnreadable, match="Permission"):
        make(mapped(source), PEOPLE, tmp_path / "edition")


def test_little_memory_is_enough_for_many_rows(tmp_path: Path) -> None:
    """What does not fit goes to disk: 128 MB are enough for a source that is larger than that."""
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT lpad(CAST(i // 3 AS VARCHAR), 40, 'x') AS who, i % 100 AS age, 'A' AS ward "
            f"FROM range(600000) t(i)) TO '{tmp_path}/rows.parquet' (FORMAT parquet)"
        )
    order = EditionOrder("2025-09", KEY, DAY_S, tmp_path / "edition")
    mapping = mapped(Source(SourceKind.PARQUET, tmp_path / "rows.parquet"))
    report = engine_of("duckdb").make_edition(mapping, PEOPLE, order, Resources(128, 1))
    assert report.rows_kept == 400_000


def test_a_source_can_be_looked_at_before(tmp_path: Path) -> None:
    """Diagnosis names the columns, counts what becomes of their values, and shows codes that nothing maps."""
    text = "who,age,ward\np1,1,eye\np2,2,eye\n,999,ear\np4,x,A\n"
    mapping = mapped(csv_of(tmp_path / "rows.csv", text))
    engine = engine_of("duckdb")
    assert engine.source_columns(mapping.source, SMALL) == ("who", "age", "ward")
    report = engine.diagnose(mapping, PEOPLE, SMALL)
    assert (report.rows, report.rows_without_person) == (4, 1)
    age, ward = report.columns
    assert (age.missing, age.invalid, age.out_of_bounds) == (0, 1, 1)
    assert (ward.invalid, ward.unknown_codes) == (3, ("eye", "ear"))


def test_a_bound_below_the_definitions_is_refused(tmp_path: Path) -> None:
    """Noise for fewer rows than an edition keeps of a person would not cover that person."""
    make(mapped(csv_of(tmp_path / "rows.csv", "who,age,ward\n")), PEOPLE, tmp_path / "edition")
    engine, count = engine_of("duckdb"), GroupedSums((), (Measure(MeasureKind.ROWS),))
    with pytest.raises(NotOffered):
        engine.compute(
            tmp_path / "edition",
            count,
            dataset=PEOPLE,
            where=None,
            contribution=Contribution(1, 1, 1),
            key=KEY,
            resources=SMALL,
        )


def test_a_damaged_edition_is_no_answer(tmp_path: Path) -> None:
    """A file that is no edition raises an error of the department's own, and is not computed on."""
    count = GroupedSums((), (Measure(MeasureKind.ROWS),))
    (tmp_path / "edition").write_text("not an edition")
    with pytest.raises(DataError):
        compute(tmp_path / "edition", count, PEOPLE)
    with duckdb.connect(str(tmp_path / "other")) as connection:
        connection.execute("CREATE TABLE facts (name VARCHAR, value VARCHAR)")
    with pytest.raises(EditionMissing):
        compute(tmp_path / "other", count, PEOPLE)


def test_a_definition_is_known_by_what_decides_its_rows() -> None:
    """New editions, holders and words leave an edition usable; a bound, a column or a domain does not."""
    same = replace(PEOPLE, editions=("2025-09", "2025-10"), holders=("north", "south"), description="More")
    assert definition_hash(same) == definition_hash(PEOPLE)
    wider = ColumnDefinition("age", Numbers(Fraction(0), Fraction(130)))
    for other in (
        replace(PEOPLE, rows_max=3),
        replace(PEOPLE, columns=PEOPLE.columns[::-1]),
        replace(PEOPLE, columns=(wider, PEOPLE.columns[1])),
        ROWS,
    ):
        assert definition_hash(other) != definition_hash(PEOPLE)


def test_resources_and_keys_are_checked() -> None:
    """An engine without memory or threads, or a key that is no key, is refused before anything starts."""
    with pytest.raises(ValueInvalid):
        Resources(memory_mb=1)
    with pytest.raises(ValueInvalid):
        Resources(threads=0)
    with pytest.raises(ValueInvalid):
        EditionOrder("2025-09", b"short", 0, Path())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Where the edition cannot be stored, the folder is named."""
    (tmp_path / "file").write_text("in the way")
    mapping = mapped(csv_of(tmp_path / "rows.csv", "who,age,ward\n"))
    with pytest.raises(FileProblem, match="file cannot be written"):
        make(mapping, PEOPLE, tmp_path / "file" / "edition")
