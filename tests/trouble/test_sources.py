"""Sources in trouble: each is named with what to do, and what was made before stays and goes on answering."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from editions import PEOPLE, SMALL, contents, make, mapped
from samples import NOW_S
from waiting import federation

from fedstats.engines import engine_of
from fedstats.engines.mapping import ColumnMapping, Source, SourceKind
from fedstats.errors import DataError, MappingInvalid, SourceUnreadable
from fedstats.testing.federation import Federation

CSV = "who,age,ward\np1,1,Größe\np2,2,A\n"
MADE = {(None, 1, 1): 1, (None, 2, 0): 1}


def csv_source(path: Path, content: bytes | str, **options: str) -> Source:
    """A CSV file with these bytes."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Source(SourceKind.CSV, path, **options)


def parquet_source(path: Path, *selects: str) -> Source:
    """Parquet files, one of each statement."""
    with duckdb.connect() as connection:
        for i, select in enumerate(selects):
            connection.execute(f"COPY ({select}) TO '{path}/{i}.parquet' (FORMAT parquet)")
    return Source(SourceKind.PARQUET, path / "*.parquet")


def refused(source: Source, folder: Path, *sentences: str) -> DataError:
    """The error of a refresh from this source, which names all of it and leaves nothing behind."""
    before = sorted(folder.rglob("*"))
    with pytest.raises((SourceUnreadable, MappingInvalid)) as caught:
        make(mapped(source), PEOPLE, folder / "edition")
    for sentence in sentences:
        assert sentence in str(caught.value)
    assert "p1" not in str(caught.value), "a value of the data stands in the message"
    assert sorted(folder.rglob("*")) == before
    return caught.value


@pytest.mark.parametrize(
    "written, said",
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("latin-1", "latin-1"), ("utf-16", "utf-16")],
)
def test_an_encoding_is_read_as_it_is_named(written: str, said: str, tmp_path: Path) -> None:
    """UTF-8 with a byte order mark or without, Latin-1 and UTF-16 are read where node.toml says so."""
    source = csv_source(tmp_path / "rows.csv", CSV.encode(written), encoding=said)
    make(mapped(source), PEOPLE, tmp_path / "edition")
    assert contents(tmp_path / "edition", PEOPLE) == MADE


@pytest.mark.parametrize(
    "content, said, option",
    [
        (CSV.encode("latin-1"), "utf-8", 'encoding = "latin-1"'),
        ("wer,age,größe\np1,1,A\n".encode("latin-1"), "utf-8", 'encoding = "latin-1"'),
        (CSV.encode("utf-16"), "utf-8", 'encoding = "utf-16"'),
        (CSV.encode("utf-16-le"), "utf-8", 'encoding = "utf-16"'),
        (CSV.encode("utf-16"), "latin-1", 'encoding = "utf-16"'),
        (CSV.encode(), "utf-16", 'encoding = "utf-8"'),
    ],
)
def test_another_encoding_is_refused_with_the_option(
    content: bytes, said: str, option: str, tmp_path: Path
) -> None:
    """A file in another encoding than node.toml says is refused, with the line that would read it."""
    refused(csv_source(tmp_path / "rows.csv", content, encoding=said), tmp_path, "rows.csv", option)


def test_a_decimal_comma_is_read_where_it_is_named(tmp_path: Path) -> None:
    """Numbers with a comma are numbers where node.toml says so; a point makes none then, and never 15."""
    text = "who;age;ward\np1;1,0;A\np2;1.5;A\np3;2,4;A\n"
    source = csv_source(tmp_path / "rows.csv", text, delimiter=";", decimal=",")
    report = make(mapped(source), PEOPLE, tmp_path / "edition")
    assert contents(tmp_path / "edition", PEOPLE) == {(None, 1, 0): 1, (None, 2, 0): 1}
    assert report.columns[0].invalid == report.rows_invalid == 1
    other = csv_source(tmp_path / "other.csv", 'who,age,ward\np1,"1,0",A\n')
    assert make(mapped(other), PEOPLE, tmp_path / "none").columns[0].invalid == 1


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_recognised(delimiter: str, tmp_path: Path) -> None:
    """A header that is not split is refused with the delimiter that stands in it."""
    source = csv_source(tmp_path / "rows.csv", CSV.replace(",", delimiter))
    shown = delimiter.replace("\t", "\\t")
    refused(source, tmp_path, f'delimiter = "{shown}"')


@pytest.mark.parametrize(
    "text, ward",
    [
        ('who,age,ward\np1,1,"A"\n', 0),
        ('who,age,ward\n"p1","1"," A "\n', 0),
        ('who,age,ward\r\n"p\n1",1,A\r\n', 0),
        ('who,age,ward\np1,1,"Grö""ße"\n', None),
        ("who,age,ward\np1,1,'A'\n", None),
        ('who,age,ward\np1,1,""\n', None),
        ("who,age,ward\np1,1,\x00\n", None),
    ],
)
def test_quotes_in_csv_change_no_meaning(text: str, ward: int | None, tmp_path: Path) -> None:
    """Quoted fields, doubled quotes, lines within fields, other quotes and NUL are read as what they are."""
    columns = (ColumnMapping("ward"),)
    make(mapped(csv_source(tmp_path / "rows.csv", text), columns=columns), PEOPLE, tmp_path / "edition")
    assert contents(tmp_path / "edition", PEOPLE) == {(None, 1, ward): 1}


@pytest.mark.parametrize(
    "text", ['who,age,ward\np1,1,"A"B\n', 'who,age,ward\np1,1,A"\np2,"1,A\n', "who,age,ward\np1,1\n"]
)
def test_a_line_that_is_no_csv_is_named(text: str, tmp_path: Path) -> None:
    """A quote in the wrong place or a missing field is refused with its line, and nothing of it is shown."""
    refused(csv_source(tmp_path / "rows.csv", text), tmp_path, "rows.csv, line ")


PARQUET = "SELECT 'p' || i AS who, i AS age, 'A' AS ward FROM range(3) t(i)"


@pytest.mark.parametrize(
    "select, sentence",
    [
        (
            "SELECT 'p1' AS who, 1 AS agee, 'A' AS ward",
            "'age' is not a column of the source. Did you mean",
        ),
        ("SELECT 'p1' AS who, 1 AS age", "'ward' is not a column of the source."),
        ("SELECT 1 AS age, 'A' AS ward", "'who' is not a column of the source. It is needed as the person"),
        (
            "SELECT 'p1' AS who, DATE '2025-09-30' AS age, 'A' AS ward",
            "'age' is of type DATE, and age holds",
        ),
        ("SELECT 'p1' AS who, true AS age, 'A' AS ward", "'age' is of type BOOLEAN, and age holds numbers"),
        ("SELECT 'p1' AS who, [1] AS age, 'A' AS ward", "'age' is of type INTEGER[], and age holds numbers"),
        ("SELECT 'p1' AS who, 1 AS age, {'a': 1} AS ward", "ward holds texts or codes"),
        ("SELECT 'p1'::BLOB AS who, 1 AS age, 'A' AS ward", "persons are identified by texts"),
    ],
)
def test_a_changed_schema_is_named(select: str, sentence: str, tmp_path: Path) -> None:
    """A column that was renamed, dropped or given another type is named, with those that look like it."""
    refused(parquet_source(tmp_path, select), tmp_path, sentence)


def test_new_columns_and_another_order_change_nothing(tmp_path: Path) -> None:
    """What the definition does not name is not read, wherever it stands."""
    source = parquet_source(tmp_path, "SELECT 7 AS new, 'A' AS ward, 1 AS age, 'p1' AS who, [1] AS newer")
    make(mapped(source), PEOPLE, tmp_path / "edition")
    assert contents(tmp_path / "edition", PEOPLE) == {(None, 1, 0): 1}


def test_files_of_one_source_have_one_schema(tmp_path: Path) -> None:
    """A file whose columns or types differ from the others' is named, and so is the column."""
    renamed = "SELECT 'p9' AS who, 1 AS years, 'A' AS ward"
    refused(parquet_source(tmp_path, PARQUET, renamed), tmp_path, "1.parquet and 0.parquet", "'age', for one")
    typed = "SELECT 'p9' AS who, '1' AS age, 'A' AS ward"
    refused(parquet_source(tmp_path, PARQUET, typed), tmp_path, "1.parquet and 0.parquet", "'age', for one")


def _missing(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8)
        file.write(bytes(200))


@pytest.mark.parametrize(
    "harm, sentences",
    [
        (_missing, ("There is no file", "Correct path in node.toml")),
        (_empty, ("0.parquet is no Parquet file, or only part of one",)),
        (_half, ("0.parquet is no Parquet file, or only part of one", "copy it again")),
        (_overwritten, ("0.parquet is no Parquet file, or only part of one",)),
        (_folder, ("is a folder, and files are needed", 'path = "0.parquet/*.parquet"')),
    ],
)
def test_parquet_that_is_not_whole_is_refused(
    harm: Callable[[Path], None], sentences: tuple[str, ...], tmp_path: Path
) -> None:
    """A missing, empty, half-written or damaged file, or a folder in its place, is said to be that."""
    parquet_source(tmp_path, PARQUET)
    harm(tmp_path / "0.parquet")
    refused(Source(SourceKind.PARQUET, tmp_path / "0.parquet"), tmp_path, *sentences)


def test_files_that_nothing_matches_are_named(tmp_path: Path) -> None:
    """A name with * that finds nothing, an empty CSV file, and a DuckDB table that is not there."""
    refused(Source(SourceKind.CSV, tmp_path / "*.csv"), tmp_path, "There is no file", "*.csv")
    refused(Source(SourceKind.CSV, tmp_path / "no" / "rows.csv"), tmp_path, "The folder", "No such file")
    refused(csv_source(tmp_path / "rows.csv", ""), tmp_path, "rows.csv is empty: it has no header line")
    with duckdb.connect(str(tmp_path / "rows.duckdb")) as connection:
        connection.execute(f"CREATE TABLE visits AS {PARQUET}")
    source = Source(SourceKind.DUCKDB, tmp_path / "rows.duckdb", table="visit")
    refused(source, tmp_path, "rows.duckdb has no table visit; did you mean visits?")


@contextmanager
def somebody_else() -> Iterator[None]:
    """Another user than root, whom no file refuses."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("closed", ["folder", "file"])
def test_a_file_that_the_node_may_not_read_is_named(
    closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where permission is missing the file or its folder is named, not said to be missing."""
    engine, folder = engine_of("duckdb"), tmp_path / "source"
    folder.mkdir()
    file = csv_source(folder / "rows.csv", CSV).path
    for place in (tmp_path, folder):
        place.chmod(0o755)
    (folder if closed == "folder" else file).chmod(0)
    monkeypatch.chdir(tmp_path)  # what lies above may be closed to the other user
    with somebody_else(), pytest.raises(SourceUnreadable, match="read: Permission denied") as caught:
        engine.source_columns(Source(SourceKind.CSV, Path("source") / "rows.csv"), SMALL)
    folder.chmod(0o755)
    assert ("The folder" in str(caught.value)) == (closed == "folder")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three departments with an edition each."""
    with federation(tmp_path_factory.mktemp("federation")) as opened:
        yield opened


def _latin_1(path: Path) -> None:
    path.write_bytes(path.read_bytes() + "zq-person-ö,1,1,F,,,\n".encode("latin-1"))


def _renamed(path: Path) -> None:
    path.write_text(path.read_text().replace("age", "years", 1))


@pytest.mark.parametrize(
    "harm, error",
    [
        (_missing, SourceUnreadable),
        (_empty, SourceUnreadable),
        (_folder, SourceUnreadable),
        (_latin_1, SourceUnreadable),
        (_renamed, MappingInvalid),
    ],
)
def test_the_old_edition_goes_on_answering(
    harm: Callable[[Path], None], error: type[DataError], place: Federation
) -> None:
    """A refresh that fails leaves the edition that is there: the same file, which is asked as before."""
    node, path = place.nodes["north"], place.folder / "north.csv"
    good, (before,), (mapping,) = path.read_bytes(), node.editions.all(), node.config.datasets
    bytes_before = before.path.read_bytes()
    harm(path)
    with pytest.raises(error):
        node.editions.refresh(place.agreement, mapping, "2025-09", node.bench, revise=True, now_s=NOW_S)
    if path.is_dir():
        path.rmdir()
    path.write_bytes(good)
    assert node.editions.all() == (before,)
    assert [file.name for file in before.path.parent.iterdir()] == [before.path.name]
    assert before.path.read_bytes() == bytes_before


def test_after_all_that_every_department_answers(place: Federation) -> None:
    """Whatever a refresh met, a question gets the answers of all departments."""
    with place.session() as session:
        answer = session.query("SELECT COUNT(*) FROM rtt", epsilon=1, wait_s=600)
    assert [participant.refusal for participant in answer.estimate.participants] == [None, None, None]
