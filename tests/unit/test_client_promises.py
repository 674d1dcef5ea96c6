"""Costs, promises and made-up rows: what is said to people about privacy is never better than it is."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from analyst_world import analyst_world
from hypothesis import given
from hypothesis import strategies as st
from samples import sample_agreement, sample_dataset
from strategies import DATASET

import fedstats
from fedstats.client import dummy
from fedstats.client.asking import loss_of
from fedstats.client.explanation import explanation_json, explanation_lines
from fedstats.client.guarantee import cost_of, guarantee_of
from fedstats.core.accounting import delta_from_rho
from fedstats.core.agreement import PrivacyTerms
from fedstats.core.domain import Categories, Dates, Domain, Numbers, date_of
from fedstats.core.guarantee.figures import belief_words, promised
from fedstats.core.privacy import Loss, Mechanism, MechanismLoss, UnitKind
from fedstats.core.rules import budget_of
from fedstats.core.schema import Dataset, Unit
from fedstats.errors import LossInvalid, ValueInvalid

BOTH = sample_agreement(
    privacy=PrivacyTerms(
        Fraction(8), Fraction(1, 10**6), Fraction(2), 2, (Mechanism.GAUSSIAN, Mechanism.LAPLACE)
    )
)
CONTRIBUTION = sample_dataset().contribution(departments_max=2)
EPSILONS = st.fractions(Fraction(1, 100), 10, max_denominator=1_000)


@given(EPSILONS, st.sampled_from(Mechanism))
def test_what_is_promised_holds(epsilon: Fraction, mechanism: Mechanism) -> None:
    """The shown epsilon is never below what the loss is, and what was asked but for rounding."""
    pure = mechanism is Mechanism.LAPLACE
    loss = loss_of(BOTH, epsilon, pure=pure)
    shown, delta = promised(loss, BOTH.privacy.delta_conversion)
    assert Decimal("0.999") * epsilon.numerator <= shown * epsilon.denominator
    assert shown * epsilon.denominator <= Decimal("1.001") * epsilon.numerator
    if pure:
        assert delta == 0
        assert Fraction(shown) >= loss.amount
    else:
        assert delta_from_rho(loss.amount, Fraction(shown)) <= Decimal(delta.numerator) / delta.denominator


@given(EPSILONS)
def test_all_questions_together_use_the_whole_budget(epsilon: Fraction) -> None:
    """The percentages of what fits into the budget add up to 100."""
    loss = loss_of(BOTH, epsilon, pure=False)
    cost = cost_of(BOTH, loss, CONTRIBUTION, left_ppm=1)
    assert cost.used_percent == pytest.approx(float(100 * loss.amount / budget_of(BOTH).rho))
    assert cost.left_percent == pytest.approx(0.0001)


def test_pure_epsilon_is_charged_as_what_it_is() -> None:
    """Each of c departments loses epsilon/c: together epsilon^2 / 2c in rho (Bun and Steinke 2016)."""
    loss = loss_of(BOTH, Fraction(1), pure=True)
    assert loss == MechanismLoss(Mechanism.LAPLACE, Fraction(1))
    assert cost_of(BOTH, loss, CONTRIBUTION).loss == Loss(Fraction(1, 4))
    with pytest.raises(LossInvalid):
        loss_of(BOTH, Fraction(1, 2**41), pure=True)


@given(st.decimals("0.001", "20", places=3))
def test_a_belief_is_never_understated(epsilon: Decimal) -> None:
    """The bound on a belief is e^epsilon / (1 + e^epsilon), rounded up."""
    words = belief_words(epsilon)
    exact = 100 / (1 + math.exp(-float(epsilon)))
    shown = 100.0 if "nearly" in words else float(words.split()[0])
    assert exact <= shown + 1e-9
    assert shown <= exact + 0.11


def test_the_promise_says_whom_it_does_not_hold_for() -> None:
    """Someone in more departments than agreed is protected less, and records are no persons.

    The belief is that of the strict reading, in which the exception is a theorem: epsilon 1.177 here, not 1.
    """
    agreement, dataset = sample_agreement(), sample_dataset()
    loss = loss_of(agreement, Fraction(1), pure=False)
    said = guarantee_of(agreement, dataset, loss, CONTRIBUTION, 3).sentence
    assert "at most 76.5 %" in said
    assert "one chance in 2,000,000" in said
    assert "someone in 3 of them the loss is 1.5 times" in said
    assert "someone in 3" not in guarantee_of(agreement, dataset, loss, CONTRIBUTION, 2).sentence
    records = Dataset(
        name="r",
        unit=Unit(UnitKind.ROW, "r"),
        rows_max=1,
        people_max=1,
        people_about=1,
        columns=dataset.columns,
        editions=("1",),
        holders=("north",),
    )
    row = guarantee_of(agreement, records, loss, records.contribution(departments_max=2), 3)
    assert (row.unit, "per record" in row.sentence) == ("one record", True)


def test_an_explanation_offers_only_what_is_allowed(tmp_path: Path) -> None:
    """Pure epsilon is compared where the agreement allows it, and not mentioned where it does not."""
    with analyst_world(tmp_path).session() as session:
        explained = session.explain("SELECT sex, AVG(cost) AS c FROM rtt GROUP BY sex", epsilon=1)
    heads = [head for head, _ in explanation_lines(explained)]
    bounds = ["Bounds:"] * 3  # of somebody with several rows, each of the three ways
    assert heads == ["Question:", "Asks:", "Cells:", "Expect:", *bounds, "Cost:", "Promise:", "Note:"]
    assert explained.pure_factor == pytest.approx(0.25 / 0.022937, rel=1e-3)
    assert '"half_width"' in explanation_json(explained)


@given(st.integers(1, 60))
def test_made_up_rows_fit_the_definition(count: int) -> None:
    """Values lie in their domains, a person has at most rows_max rows, departments hold the data."""
    made = list(dummy.rows(DATASET, count))
    assert len(made) == count
    people = [row[1] for row in made]
    assert max(people.count(person) for person in people) <= DATASET.rows_max
    for row in made:
        assert row[0] in DATASET.holders
        for column, value in zip(DATASET.columns, row[2:], strict=True):
            assert fits(value, column.domain), (column.name, value)


def fits(value: object, domain: Domain) -> bool:
    """Whether a made-up value is one of the domain's."""
    if value is None:
        return domain.nullable
    if isinstance(domain, Numbers) and isinstance(value, int | float):
        exact = Fraction(str(value))
        return domain.lo <= exact <= domain.hi and (exact / domain.step).denominator == 1
    if isinstance(domain, Categories):
        return value in domain.labels
    if isinstance(domain, Dates):
        return date_of(domain.lo).isoformat() <= str(value) <= date_of(domain.hi).isoformat()
    return isinstance(value, bool)


def test_made_up_rows_can_be_tried_as_they_are(tmp_path: Path) -> None:
    """What is written is taken by a simulation under the dataset's own definition: no row falls out of it."""
    dummy.write(DATASET, 300, tmp_path / "rows.parquet")
    from pyarrow import parquet  # missing, this fails: the developers' lock has it

    text = f"SELECT COUNT(*) AS n FROM {DATASET.name}"
    rows = parquet.read_table(tmp_path / "rows.parquet")
    report = fedstats.simulate(
        text,
        rows,
        dataset=DATASET,
        by="department",
        max_departments=len(DATASET.holders),
        repeats=2,
        target=1e6,
    )
    (cell,) = report.cells
    assert cell.exact == 300


def test_made_up_rows_are_written_as_the_name_says(tmp_path: Path) -> None:
    """CSV or Parquet by the ending, with the same columns; too many rows are refused."""
    dummy.write(DATASET, 5, tmp_path / "rows.csv")
    header = (tmp_path / "rows.csv").read_text().splitlines()[0]
    assert header.split(",") == list(dummy.names(DATASET))
    from pyarrow import parquet  # missing, this fails: the developers' lock has it

    dummy.write(DATASET, 5, tmp_path / "rows.parquet")
    assert parquet.read_table(tmp_path / "rows.parquet").column_names == list(dummy.names(DATASET))
    with pytest.raises(ValueInvalid):
        list(dummy.rows(DATASET, 0))


def test_an_explanation_of_several_tables_has_a_line_for_each(tmp_path: Path) -> None:
    """A line of a report adds up many cells, so its noise is not said of a cell; how many lines is said."""
    asked = fedstats.statistic("crosstab", dataset="rtt", row="sex", column="BAND(cost, 100)")
    with analyst_world(tmp_path).session() as session:
        lines = explanation_lines(session.explain(asked, epsilon=1))
    expected = [sentence for head, sentence in lines if head == "Expect:"]
    assert [sentence.partition(" (")[0] for sentence in expected] == ["crosstab", "independence", "test"]
    assert all("in a cell of that size" not in sentence for sentence in expected)
    assert expected[0].startswith("crosstab (9 lines): ")
