"""The demo's waiting list: valid, repeatable, as dirty as stated, and its truth is what its files say."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedstats.demo.codes import (
    AGE_YEARS_BOUNDS,
    CENSUS,
    CODES,
    COLUMNS,
    DATE_BOUNDS,
    DATE_COLUMNS,
    IMD_DECILE_BOUNDS,
    PATHWAYS_PER_PERSON_MAX,
    TRUSTS_PER_PERSON_MAX,
    Column,
)
from fedstats.demo.local_files import NOTICE_FILE, OPT_OUT_FILE, PATHWAYS_FILE, write
from fedstats.demo.people import check_digits
from fedstats.demo.trusts import BRITISH, NEWCOMER, TRUSTS, LocalColumn, Trust
from fedstats.demo.waiting_list import PATHWAYS_SMALL, WaitingList, clean, generate
from fedstats.errors import ValueInvalid

SEED = 20250928


@pytest.fixture(scope="module")
def waiting_list() -> WaitingList:
    """Five trusts at the size for tests."""
    return generate(TRUSTS, PATHWAYS_SMALL, SEED)


@pytest.fixture(scope="module")
def folder(waiting_list: WaitingList, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as files."""
    folder = tmp_path_factory.mktemp("trusts")
    write(waiting_list, folder)
    return folder


def read_raw(folder: Path, trust: Trust) -> list[dict[str, str]]:
    """All rows of a trust's file, in its own words."""
    with (folder / trust.department / PATHWAYS_FILE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_opt_outs(folder: Path, trust: Trust) -> set[str]:
    """The NHS numbers of a trust's opt-out file."""
    text = (folder / trust.department / OPT_OUT_FILE).read_text(encoding="utf-8")
    return {line.removesuffix(",") for line in text.splitlines()}


def understand(row: Mapping[str, str], columns: Mapping[str, LocalColumn]) -> dict[str, str]:
    """Translate a trust's row with nothing but the trust's description of it."""
    return {shared: translate(row[column.name], column) for shared, column in columns.items()}


def translate(text: str, column: LocalColumn) -> str:
    """Translate one field; empty stays empty."""
    if text and column.date_formats:
        return datetime.strptime(text, column.date_formats[0]).date().isoformat()  # noqa: DTZ007 -- a day has no zone
    return column.codes[text] if text and column.codes else text


def as_text(rows: Mapping[str, Column], column: str) -> list[str]:
    """Write a column of the truth as `understand` writes that of a file."""
    if column in DATE_COLUMNS:
        return ["" if np.isnat(day) else str(day) for day in rows[column]]
    return [str(value) for value in rows[column]]


def is_nhs_number(text: str) -> bool:
    """Mod 11 as the NHS Data Dictionary words it, digit by digit."""
    total = sum((10 - place) * int(digit) for place, digit in enumerate(text[:9]))
    return len(text) == 10 and (11 - total % 11) % 11 == int(text[9])


def test_truth_is_what_the_files_say(waiting_list: WaitingList, folder: Path) -> None:
    """Reading each file by its trust's description and cleaning it by hand gives exactly `clean`."""
    truth = clean(waiting_list)
    expected = sorted(zip(*(as_text(truth, column) for column in ("department", *COLUMNS)), strict=True))
    found = set()
    for trust in TRUSTS:
        opted_out = read_opt_outs(folder, trust)
        for raw in read_raw(folder, trust):
            row = understand(raw, trust.columns)
            if row["nhs_number"] and row["nhs_number"] not in opted_out:
                found.add((trust.department, *(row[column] for column in COLUMNS)))
    assert sorted(found) == expected


def test_same_seed_same_bytes(waiting_list: WaitingList, folder: Path, tmp_path: Path) -> None:
    """Whoever runs the demo again, or elsewhere, works on the same files; another seed gives others."""
    write(generate(TRUSTS, PATHWAYS_SMALL, SEED), tmp_path / "again")
    write(generate(TRUSTS, PATHWAYS_SMALL, SEED + 1), tmp_path / "other")
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(files) == 2 * len(waiting_list.trusts) + 1
    for path in files:
        assert (folder / path).read_bytes() == (tmp_path / "again" / path).read_bytes()
        if path.name != NOTICE_FILE:
            assert (folder / path).read_bytes() != (tmp_path / "other" / path).read_bytes()


def test_nhs_numbers_are_valid_and_unissued(folder: Path) -> None:
    """Every NHS number passes Mod 11 and lies in 900-999, so it can be nobody's."""
    numbers = {
        row[trust.columns["nhs_number"].name] for trust in TRUSTS for row in read_raw(folder, trust)
    } - {""}
    assert len(numbers) > PATHWAYS_SMALL
    assert all(is_nhs_number(number) and number[0] == "9" for number in numbers)


def test_check_digit_of_the_published_example() -> None:
    """943 476 5919, the example that the NHS prints, ends in the digit we compute."""
    assert check_digits(np.array([943476591])).tolist() == [9]


@given(st.integers(0, 999_999_999))
def test_check_digits_agree_with_the_definition(payload: int) -> None:
    """Computed on arrays or digit by digit, the check digit is the same, and 10 means there is none."""
    digit = int(check_digits(np.array([payload]))[0])
    valid = [last for last in range(10) if is_nhs_number(f"{payload:09}{last}")]
    assert valid == ([digit] if digit < 10 else [])


def test_each_trust_writes_in_its_own_way(folder: Path) -> None:
    """A node's mapping meets other names, `110`, `C_110`, `T&O`, both at once, and two kinds of dates."""
    headings = {tuple(read_raw(folder, trust)[0]) for trust in TRUSTS}
    assert len(headings) == len(TRUSTS)
    spellings = {}
    for trust in TRUSTS:
        column = trust.columns["treatment_function"]
        written = {row[column.name] for row in read_raw(folder, trust)}
        spellings[trust.department] = {text for text in written if column.codes[text] == "C_110"}
    assert spellings == {
        "gstt": {"C_110"},
        "uclh": {"110"},
        "mft": {"T&O"},
        "ltht": {"Trauma and Orthopaedic Service"},
        "ouh": {"110", "C_110"},
    }
    british = {
        trust.department for trust in TRUSTS if trust.columns["rtt_start_date"].date_formats == BRITISH
    }
    assert british == {"mft"}


def test_people_are_at_two_trusts_but_no_more(waiting_list: WaitingList) -> None:
    """The agreement's `max_departments` 2 and a row bound of 5 are met, and the first one is needed."""
    rows = clean(waiting_list)
    departments: dict[int, set[str]] = {}
    for number, department in zip(rows["nhs_number"].tolist(), rows["department"].tolist(), strict=True):
        departments.setdefault(number, set()).add(department)
    assert {len(seen) for seen in departments.values()} == {1, TRUSTS_PER_PERSON_MAX}
    assert np.unique(rows["nhs_number"], return_counts=True)[1].max() == PATHWAYS_PER_PERSON_MAX


def test_a_person_is_the_same_everywhere(waiting_list: WaitingList) -> None:
    """Age, sex and deprivation belong to the person, so all rows of a person agree on them."""
    rows = clean(waiting_list)
    described = [rows[name].tolist() for name in ("nhs_number", "age", "sex", "imd_decile")]
    people = set(zip(*described, strict=True))
    assert len(people) == np.unique(rows["nhs_number"]).size


def test_values_stay_in_their_public_bounds(waiting_list: WaitingList) -> None:
    """Every value lies within the codes and bounds that the demo's dataset definition is written from."""
    rows = clean(waiting_list)
    for column in DATE_COLUMNS:
        days = rows[column][~np.isnat(rows[column])]
        assert days.dtype == "datetime64[D]"
        assert days.min() >= np.datetime64(DATE_BOUNDS[0])
        assert days.max() <= np.datetime64(DATE_BOUNDS[1])
    for column, (lowest, highest) in (("age", AGE_YEARS_BOUNDS), ("imd_decile", IMD_DECILE_BOUNDS)):
        assert lowest <= rows[column].min() <= rows[column].max() <= highest
    for column, codes in CODES.items():
        allowed = {*codes, ""} if column == "stop_type" else set(codes)
        assert set(rows[column].tolist()) <= allowed
    assert tuple(rows) == ("department", *COLUMNS)


def test_dates_tell_one_story(waiting_list: WaitingList) -> None:
    """But for rows that end early by mistake, a pathway starts, may be decided on, ends, and is reported."""
    rows = clean(waiting_list)
    start, end = rows["rtt_start_date"], rows["rtt_end_date"]
    decision, week = rows["decision_to_admit_date"], rows["census_week"]
    is_open = np.isnat(end)
    good = ~np.isnat(start) & (is_open | (end >= start))
    assert np.array_equal(is_open[good], (rows["stop_type"] == "")[good])
    assert np.all(week[is_open] == np.datetime64(CENSUS))
    assert np.all((week.astype("datetime64[D]") - np.datetime64(CENSUS)).astype(int) % 7 == 0)
    closed = good & ~is_open
    assert end[closed].max() == np.datetime64(CENSUS)
    assert np.all((end[closed] <= week[closed]) & (week[closed] < end[closed] + 7))
    decided = good & ~np.isnat(decision)
    assert np.all(decision[decided] >= start[decided])
    assert np.all(is_open[decided] | (decision[decided] <= end[decided]))
    assert np.array_equal(~np.isnat(decision[closed]), rows["stop_type"][closed] == "admitted")


def test_services_see_the_people_they_are_for(waiting_list: WaitingList) -> None:
    """No man waits for gynaecology, no adult for paediatrics, nobody under 65 for elderly medicine."""
    rows = clean(waiting_list)
    function, age = rows["treatment_function"], rows["age"]
    assert set(rows["sex"][function == "C_502"].tolist()) == {"F"}
    assert age[function == "X04"].max() <= 18
    assert age[function == "C_430"].min() >= 65


def test_opt_out_file_is_as_mesh_returns_it(waiting_list: WaitingList, folder: Path) -> None:
    """One NHS number and a comma a line, once each, and only numbers that the trust itself holds."""
    for trust in TRUSTS:
        text = (folder / trust.department / OPT_OUT_FILE).read_text(encoding="utf-8")
        assert re.fullmatch(r"(9\d{9},\n)+", text)
        opted_out = read_opt_outs(folder, trust)
        assert len(opted_out) == text.count("\n")
        held = {row[trust.columns["nhs_number"].name] for row in read_raw(folder, trust)}
        assert opted_out <= held
    truth = clean(waiting_list)
    assert not set(truth["nhs_number"].tolist()) & set(waiting_list.opted_out.tolist())


def test_duplicates_are_whole_rows(folder: Path) -> None:
    """Each file has some rows twice, every field the same, and no pathway twice with different fields."""
    for trust in TRUSTS:
        rows = [tuple(understand(row, trust.columns).values()) for row in read_raw(folder, trust)]
        assert 0 < len(rows) - len(set(rows)) < 0.02 * len(rows)
        assert len({row[1] for row in rows}) == len(set(rows))


def test_number_of_pathways_is_what_was_asked() -> None:
    """The pathways over all trusts are exactly the number asked for, each trust having its part of them."""
    for trusts in (TRUSTS[:1], TRUSTS, (*TRUSTS, NEWCOMER)):
        waiting_list = generate(trusts, 500, SEED)
        held = waiting_list.trust[~waiting_list.copy]
        assert held.size == 500 * len(trusts)
        assert np.bincount(held).min() > 400


def test_lists_that_make_no_sense_are_refused() -> None:
    """No trusts, no pathways, or one department twice is a mistake of the caller, said in a sentence."""
    for trusts, pathways in (((), 10), (TRUSTS, 0), ((TRUSTS[0], TRUSTS[0]), 10)):
        with pytest.raises(ValueInvalid):
            generate(trusts, pathways, SEED)


def test_trust_that_cannot_spell_a_row_is_refused() -> None:
    """A trust that exists can write every row: names, codes and formats are checked when it is made."""
    trust = TRUSTS[0]
    sex = trust.columns["sex"]
    broken: list[dict[str, Any]] = [
        {"department": "Guy's"},
        {"department": "../gstt"},
        {"sites": 0},
        {"commissioner_codes": ()},
        {"columns": {"nhs_number": LocalColumn("nhs_number")}},
        {"columns": {**trust.columns, "sex": replace(sex, name="age")}},
        {"columns": {**trust.columns, "sex": replace(sex, codes={"F": "F"})}},
        {"columns": {**trust.columns, "sex": replace(sex, codes={"F": "F", "M": "M", "X": "X"})}},
        {"columns": {**trust.columns, "census_week": LocalColumn("census_week")}},
    ]
    for change in broken:
        with pytest.raises(ValueInvalid):
            replace(trust, **change)
