"""Mappings: what node.toml says about a source, refused in sentences where it cannot be meant."""

from __future__ import annotations

import tomllib
from fractions import Fraction
from pathlib import Path

import pytest

from fedstats.core.domain import Categories, Dates, Numbers, Truth
from fedstats.core.privacy import UnitKind
from fedstats.core.reading import Reader
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.engines.mapping import (
    ColumnMapping,
    DatasetMapping,
    OnInvalid,
    PersonCheck,
    Source,
    SourceKind,
    check_local_columns,
)
from fedstats.errors import ConfigInvalid, MappingInvalid

WHOLE = """
dataset = "waiting"
person = "NHS_NO"
person_check = "nhs_number"
person_missing = ["UNKNOWN"]
opt_out_list = "optout.txt"

[source]
kind = "csv"
path = "pathways*.csv"
delimiter = "\\t"
encoding = "latin-1"

[columns.sex]
from = "gender"
codes = { "1" = "M", "2" = "F" }
default = "M"

[columns.started]
from_first_of = ["clock_start", "referred"]
date_formats = ["%d/%m/%Y", "%Y-%m-%d"]
missing = ["01/01/1900"]
on_invalid = "drop_row"

[columns.provider]
constant = "RJ1"
"""

DATASET = Dataset(
    name="waiting",
    unit=Unit(UnitKind.PERSON, "nhs_number", "nhs_number"),
    rows_max=1,
    people_max=10,
    people_about=10,
    columns=(
        ColumnDefinition("sex", Categories(("F", "M"))),
        ColumnDefinition("started", Dates(0, 20_000, nullable=True)),
        ColumnDefinition("provider", Categories(("RJ1", "RJ2"))),
        ColumnDefinition("age", Numbers(Fraction(0), Fraction(120))),
        ColumnDefinition("urgent", Truth()),
    ),
    editions=("2025-09",),
    holders=("north",),
)
PLAIN = Source(SourceKind.CSV, Path("pathways.csv"))


def read(text: str) -> DatasetMapping:
    """A mapping from a piece of node.toml."""
    reader = Reader(tomllib.loads(text), where="datasets[0]", error=ConfigInvalid)
    return DatasetMapping.read(reader, Path("/srv"))


def test_everything_can_be_said_in_toml() -> None:
    """Each key of the file arrives in its place, and relative paths are those of the file's folder."""
    mapping = read(WHOLE)
    assert mapping.source == Source(SourceKind.CSV, Path("/srv/pathways*.csv"), "\t", "latin-1")
    assert (mapping.person, mapping.person_check) == ("NHS_NO", PersonCheck.NHS_NUMBER)
    assert mapping.person_missing == ("UNKNOWN",)
    assert mapping.opt_out_list == Path("/srv/optout.txt")
    assert mapping.column("sex") == ColumnMapping("sex", ("gender",), None, {"1": "M", "2": "F"}, default="M")
    started = mapping.column("started")
    assert started.sources == ("clock_start", "referred")
    assert started.on_invalid is OnInvalid.DROP_ROW
    assert mapping.column("provider").sources == ()
    assert mapping.column("age").sources == ("age",), "an unmapped column is read from its namesake"
    mapping.check(DATASET)


@pytest.mark.parametrize(
    "old, new, sentence",
    [
        ('kind = "csv"', 'kind = "excel"', "source.kind must be one of csv, parquet, duckdb"),
        ('delimiter = "\\t"', 'delimiter = ";;"', "one character"),
        ('encoding = "latin-1"', 'encoding = "cp1252"', "utf-8, latin-1, utf-16"),
        ('encoding = "latin-1"', 'table = "x"', "unknown keys: table"),
        ('from = "gender"', 'form = "gender"', "unknown keys: form"),
        ('from = "gender"', 'from = "gender"\nconstant = "F"', "not both"),
        ('"%d/%m/%Y"', '"%d/%m/%Q"', "no date format"),
        ('"%d/%m/%Y"', '"%m/%Y"', "needs year, month and day"),
        ('on_invalid = "drop_row"', 'on_invalid = "ignore"', "missing, drop_row, clip"),
        ('"1" = "M"', '" 1" = "M"', "cannot be a local code"),
        ('person_check = "nhs_number"', 'person_check = "luhn"', "none, nhs_number"),
        ('dataset = "waiting"', 'dataset = "Waiting list"', "lower-case"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(old: str, new: str, sentence: str) -> None:
    """A misspelt key or impossible value is refused with the place in the file and what may stand there."""
    assert old in WHOLE
    with pytest.raises(ConfigInvalid) as caught:
        read(WHOLE.replace(old, new))
    assert sentence in str(caught.value)
    assert "datasets[0]" in str(caught.value)


@pytest.mark.parametrize(
    "mapping, sentence",
    [
        (DatasetMapping("other", PLAIN, "who"), "for other, not for waiting"),
        (DatasetMapping("waiting", PLAIN), "say which local column identifies them"),
        (
            DatasetMapping("waiting", PLAIN, "who", columns=(ColumnMapping("sexx"),)),
            "'sexx' is not a column of waiting. Did you mean sex?",
        ),
        (
            DatasetMapping("waiting", PLAIN, "who", columns=(ColumnMapping("sex", codes={"1": "Male"}),)),
            "sex: 'Male' is not a label of the definition.",
        ),
        (
            DatasetMapping("waiting", PLAIN, "who", columns=(ColumnMapping("urgent", codes={"1": "True"}),)),
            "Did you mean true?",
        ),
        (
            DatasetMapping("waiting", PLAIN, "who", columns=(ColumnMapping("age", codes={"1": "2"}),)),
            "age holds no categories",
        ),
        (
            DatasetMapping("waiting", PLAIN, "who", columns=(ColumnMapping("age", date_formats=("%j%Y",)),)),
            "age is no date",
        ),
        (
            DatasetMapping(
                "waiting", PLAIN, "who", columns=(ColumnMapping("sex", on_invalid=OnInvalid.CLIP),)
            ),
            "sex has no bounds",
        ),
        (
            DatasetMapping(
                "waiting", PLAIN, "who", columns=(ColumnMapping("age", on_invalid=OnInvalid.MISSING),)
            ),
            "age may not be missing",
        ),
    ],
)
def test_a_mapping_must_fit_the_definition(mapping: DatasetMapping, sentence: str) -> None:
    """What the agreement does not define cannot be mapped; close names are offered."""
    with pytest.raises(MappingInvalid) as caught:
        mapping.check(DATASET)
    assert sentence in str(caught.value)


def test_missing_local_columns_are_named_with_those_alike() -> None:
    """A column that the source does not have is named, with what it is for and what looks like it."""
    mapping = read(WHOLE)
    present = ["NHS_NO", "gendre", "clock_start", "referred", "age", "urgent"]
    with pytest.raises(MappingInvalid, match=r"'gender' is not .* Did you mean gendre.* for sex"):
        check_local_columns(mapping, DATASET, present)
    with pytest.raises(MappingInvalid, match=r"'NHS_NO' .* person column"):
        check_local_columns(mapping, DATASET, ["gender", *present[2:]])
    check_local_columns(mapping, DATASET, ["gender", *present])
