"""`fedstats simulate`, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fedstats.cli import main

SQL = "SELECT ward, COUNT(*) AS n FROM visits GROUP BY ward"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Visits of 100 people as CSV."""
    path = tmp_path_factory.mktemp("simulate") / "visits.csv"
    lines = [
        "id,ward,age,place",
        *(f"p{i // 2},{'AB'[i % 2]},{20 + i % 50},Site {i % 4}" for i in range(200)),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def typed(*args: str) -> Result:
    """The command with these arguments and few repeats."""
    return CliRunner().invoke(main, ["simulate", *args])


def test_sql_is_tried_on_a_file(file: Path, tmp_path: Path) -> None:
    """A SELECT and a CSV file make a report, in words or, with --format json, for a program in a file."""
    out = tmp_path / "report.json"
    few = ["--person", "id", "--departments", "2", "--repeats", "3", "--seed", "1", "--target", "900"]
    ended = typed(SQL, "--data", str(file), *few, "--format", "json", "--output", str(out))
    assert ended.exit_code == 0, ended.output
    assert "It shows exact numbers of your rows" in ended.stderr
    read = json.loads(out.read_text())
    assert [cell["exact"] for cell in read["cells"]] == [100, 100]
    assert read["people"] == 100


def test_a_statistic_is_tried_with_its_parameters(file: Path) -> None:
    """A built-in statistic takes its fields by --set, and the report names it with them."""
    settings = ["--set", "dataset=visits", "--set", "row=ward", "--set", "column=place"]
    few = ["--departments", "1", "--repeats", "2", "--seed", "1", "--target", "5000"]
    ended = typed("crosstab", "--data", str(file), *settings, *few)
    assert ended.exit_code == 0, ended.output
    assert 'crosstab(dataset="visits", row="ward", column="place")' in ended.output
    assert "THE DEFINITION WAS MADE FROM THE DATA" in ended.output


@pytest.mark.parametrize(
    "args, sentence",
    [
        (["crosstab", "--set", "nope=3"], "sets no parameter of crosstab; it has dataset"),
        (["crosstab", "--set", "row"], "Write it as --set FIELD=VALUE"),
        (["nonesuch"], "There is no statistic 'nonesuch'"),
    ],
)
def test_what_cannot_be_tried_is_one_sentence(file: Path, args: list[str], sentence: str) -> None:
    """What is typed wrong ends in a sentence."""
    ended = typed(*args, "--data", str(file))
    assert ended.exit_code != 0
    assert sentence in ended.output + str(ended.exception)


def test_files_that_hold_no_table_are_named(tmp_path: Path) -> None:
    """A missing file, and one that is no table, are told apart."""
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet")
    for path, sentence in ((tmp_path / "none.csv", "cannot be read"), (broken, "holds no table")):
        ended = typed(SQL, "--data", str(path))
        assert ended.exit_code != 0
        assert sentence in ended.output + str(ended.exception)
