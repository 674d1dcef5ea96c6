"""Trying a question on one's own rows: `fedstats.simulate`."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from strategies import DATASET
from two_rounds import Twice

import fedstats
from fedstats.core.domain import Categories, Dates, Numbers, Texts, Truth
from fedstats.errors import FedstatsError, ValueInvalid
from fedstats.statistics.crosstab import Crosstab
from fedstats.testing.inferring import arrow_of, infer
from fedstats.testing.pool import gaussian_loss
from fedstats.testing.trial_report import SimulationReport

PEOPLE = 400
VISITS = {
    "who": [f"p{i // 2}" for i in range(2 * PEOPLE)],
    "ward": ["A", "B", "B", "B"] * (PEOPLE // 2),
    "age": [20 + i % 60 for i in range(2 * PEOPLE)],
    "site": [f"Site {1 + i // 2 % 2}" for i in range(2 * PEOPLE)],
}
TEXT = "SELECT ward, COUNT(*) AS n, AVG(age) AS age FROM visits GROUP BY ward"


@pytest.fixture(scope="module")
def report() -> SimulationReport:
    """Visits of 400 people to two wards, over two departments."""
    return fedstats.simulate(
        TEXT, VISITS, person="who", by="site", epsilon=2, repeats=400, seed=1, target={"n": 12}
    )


def test_it_says_how_good_the_answers_are(report: SimulationReport) -> None:
    """Exact answers are those of the rows; error, width and coverage are those of the noise."""
    frame = pd.DataFrame(VISITS)
    ages = frame.groupby("ward").age
    exact = {(trial.key, trial.column): trial.exact for trial in report.cells}
    assert exact[("A",), "n"] == 200
    assert exact[("B",), "age"] == pytest.approx(ages.mean()["B"])
    for trial in report.cells:
        assert trial.bias is not None
        assert trial.bias_error is not None
        assert abs(trial.bias) < 2.5 * trial.bias_error  # 5 standard errors
        assert trial.covered_to is not None
        assert trial.covered_to > 0.95
        assert trial.absent == 0
    rho = float(gaussian_loss(2).amount)
    sd = 2 / math.sqrt(2 * rho / 2) * math.sqrt(2)  # rows_max 2, two measures, two departments
    count = next(trial for trial in report.cells if trial.column == "n")
    assert count.rmse == pytest.approx(sd, rel=0.2)
    assert count.half_width == pytest.approx(1.96 * sd, rel=0.05)


def test_the_least_epsilon_is_that_of_the_formula(report: SimulationReport) -> None:
    """For a wanted width it finds the epsilon whose noise is that wide, to its two digits, and tried it."""
    assert report.least.epsilon is not None
    assert "± 12 for n" in report.least.sentence

    def half_width(epsilon: Fraction) -> float:
        return 1.96 * 2 / math.sqrt(2 * float(gaussian_loss(epsilon).amount) / 2) * math.sqrt(2)

    assert half_width(report.least.epsilon) <= 12.6  # intervals of integers end on integers
    assert half_width(report.least.epsilon - Fraction(1, 5)) > 11.4
    tried = next(trial for trial in report.least.columns if trial.column == "n")
    assert tried.half_width is not None
    assert tried.half_width <= 12


def test_it_shows_itself(report: SimulationReport) -> None:
    """It prints a line for each number and says loudly where the bounds are from; JSON holds all of it."""
    text = str(report)
    assert "A / n" in text
    assert "400 repeats over 2 departments with 800 rows of 400 people" in text
    assert "THE DEFINITION WAS MADE FROM THE DATA" in text
    assert "epsilon 2 at delta 1e-06" in text
    read = json.loads(report.to_json())
    assert len(read["cells"]) == 4
    assert read["least_epsilon"] == float(report.least.epsilon or 0)
    assert "<td" in report._repr_html_()


def test_every_form_of_rows_is_taken() -> None:
    """A dict, a pandas frame and an Arrow table of the same rows have the same exact answers."""
    found = []
    for data in (VISITS, pd.DataFrame(VISITS), pa.table(VISITS)):
        tried = fedstats.simulate(TEXT, data, person="who", departments=1, repeats=2, seed=1, target=1000)
        found.append([trial.exact for trial in tried.cells])
    assert found[0] == found[1] == found[2]


def test_what_is_inferred_of_columns() -> None:
    """Each type becomes a domain that holds its values, or it is said how they were rounded or left out."""
    table = arrow_of(
        {
            "truth": [True, None, False],
            "whole": [-3, 5, 5],
            "same": [7, 7, 7],
            "cents": [0.25, 1.5, float("nan")],
            "money": [Decimal("1.10"), Decimal("2.00"), None],
            "fine": [math.pi, math.e, 1e3 * math.pi],
            "day": [date(2025, 1, 2), date(2025, 3, 1), None],
            "moment": pd.to_datetime(["2025-01-02 10:00", "2025-01-03 00:00", "2025-01-04 23:59"]),
            "label": ["b", "a", ""],
            "listed": [[1], [2], [3]],
            "nothing": [None, None, None],
            "Spoken Name": [1, 2, 3],
        }
    )
    made = infer(table, "visits", person=None)
    domains = {column.name: column.domain for column in made.dataset.columns}
    assert domains["truth"] == Truth(nullable=True)
    assert domains["whole"] == Numbers(Fraction(-3), Fraction(5))
    assert domains["same"] == Numbers(Fraction(7), Fraction(8))
    assert domains["cents"] == Numbers(Fraction(1, 4), Fraction(3, 2), Fraction(1, 100), nullable=True)
    assert domains["money"] == Numbers(Fraction(11, 10), Fraction(2), Fraction(1, 10), nullable=True)
    assert domains["day"] == Dates(20090, 20148, nullable=True)
    assert domains["moment"] == Dates(20090, 20092)
    assert domains["label"] == Categories(("a", "b"), nullable=True)
    fine = domains["fine"]
    assert isinstance(fine, Numbers)
    assert 4_096 <= (fine.hi - fine.lo) / fine.step <= 40_960 + 10
    said = " ".join(made.notes)
    assert "fine is rounded to steps of" in said
    for name in ("listed", "nothing", "Spoken Name"):
        assert name not in domains
        assert f"'{name}' is left out" in said


def test_many_labels_are_free_text() -> None:
    """A column with hundreds of values has no public list: it is a key whose rare values are not named."""
    table = arrow_of({"town": [f"town {i}" for i in range(300)]})
    made = infer(table, "visits", person=None)
    assert isinstance(made.dataset.column("town").domain, Texts)


def test_a_definition_decides_and_rows_that_do_not_fit_are_told_of() -> None:
    """Its bounds count; that somebody is in more departments than allowed, and lost rows, are said."""
    data = {
        "person": ["p1", "p1", "p2", None, "p1", "p1"],
        "department": ["north", "south", "north", "north", "north", "north"],
        **{column.name: [None] * 6 for column in DATASET.columns if column.domain.nullable},
        "age": [30, 40, 50, 60, 30, 35], "score": [0.5] * 6, "sex": ["F"] * 6,
        "started": [date(2025, 1, 1)] * 6, "urgent": [True] * 6,
    }  # fmt: skip # columns, two lines of them
    tried = fedstats.simulate(
        "SELECT COUNT(*), AVG(age) FROM waiting", data, dataset=DATASET, person="person", repeats=2, seed=2
    )
    notes = " ".join(tried.notes)
    assert "Somebody is in 2 departments, and max_departments is 1" in notes
    assert "1 of 6 rows take no part: without a valid person." in notes
    assert "1 of 6 rows take no part: repeated rows of one person." in notes
    assert "MADE FROM THE DATA" not in notes
    assert tried.cells[0].exact == 4


def test_what_estimates_nothing_is_left_out_and_said() -> None:
    """A p-value has no exact answer to be covered: no line claims one, and a note names it."""
    table = Crosstab("visits", "ward", "age < 50")
    tried = fedstats.simulate(table, VISITS, person="who", departments=2, repeats=5, seed=3, epsilon=4)
    assert not {"chi-square", "p-value"} & {trial.column for trial in tried.columns}
    assert "estimate nothing and have the noise in them: chi-square, p-value." in " ".join(tried.notes)


def test_statistics_of_several_rounds_are_tried_too() -> None:
    """A statistic object is taken as well as SQL, and its later rounds are answered each time."""
    tried = fedstats.simulate(Twice(dataset="visits"), VISITS, person="who", departments=2, repeats=5, seed=3)
    assert [trial.column for trial in tried.columns] == ["first", "second"]
    assert tried.least.epsilon is None
    assert "Give a target" in tried.least.sentence


@pytest.mark.parametrize(
    "changed, sentence",
    [
        ({"person": "whom"}, "The data have no column 'whom' that names people"),
        ({"by": "place"}, "The data have no column 'place' that says which department"),
        ({"departments": 0}, "Departments are between 1 and 1,000, and not 0"),
        ({"repeats": 1}, "Repeats are between 2 and 100,000"),
        ({"delta": "2"}, "Delta is a small probability"),
        ({"epsilon": "much"}, "'much' is no decimal number"),
        ({"data": {"a": [1], "b": [1, 2]}}, "These are no rows"),
        ({"data": 7}, "These are no rows"),
        ({"data": {"age": []}, "person": None}, "There is no row"),
        ({"dataset": DATASET}, "The question is about 'visits', and the definition is of waiting"),
        ({"target": {"x": 3}, "departments": 1}, "A target is a half width above 0"),
    ],
)
def test_what_cannot_be_tried_is_said(changed: dict[str, Any], sentence: str) -> None:
    """Each wrong input ends in a sentence that says what is wrong with it."""
    given: dict[str, Any] = {"data": VISITS, "person": "who", "repeats": 2, "departments": 1, **changed}
    with pytest.raises((ValueInvalid, FedstatsError), match=sentence.replace("?", r"\?")):
        fedstats.simulate(TEXT, given.pop("data"), **given)


def test_a_missing_extra_is_one_sentence() -> None:
    """Without the engine it says what to install, and importing fedstats did not need it."""
    code = (
        "import sys; sys.modules['duckdb'] = None\n"
        "import fedstats, fedstats.errors\n"
        "try: fedstats.simulate('SELECT COUNT(*) FROM t', {'a': [1, 2]}, departments=1)\n"
        "except fedstats.errors.ExtraMissing as problem: print(problem)"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert 'pip install "fedstats[node]"' in ran.stdout


def test_people_are_dealt_out_whole() -> None:
    """Without a column of departments, all rows of a person go to one, and departments are equally full."""
    from fedstats.testing.splitting import Split

    definition = infer(arrow_of(VISITS), "visits", person="who").dataset
    split = Split.of(arrow_of(VISITS), definition, departments=7, by=None, generator=np.random.default_rng(5))
    each = [set(table.column("who").to_pylist()) for table in split.rows.values()]
    assert len(each) == 7
    assert sum(map(len, each)) == len(set().union(*each)) == PEOPLE
    assert max(map(len, each)) - min(map(len, each)) <= 1
    assert split.departments_of_one == 1
