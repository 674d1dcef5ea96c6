"""The crosstab: what it asks, what it leaves out, and what it says where noise leaves nothing."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from strategies import DATASET, RECORDS

from fedstats.client.export import to_json
from fedstats.client.question import Question
from fedstats.client.words import notes_of
from fedstats.core.aggregate.grouped_sums import MeasureKind
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.distributions import chi_square_point, chi_square_tail, noncentrality_of
from fedstats.core.estimate import Absence, AbsenceReason, Estimate, Value
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.statistic import Ask, Round, RoundResult
from fedstats.errors import FedstatsError, ValueInvalid
from fedstats.statistics.crosstab import Crosstab
from fedstats.statistics.table import Table
from fedstats.testing.trial import cells_of

SCALE = Fraction(5)
ASKED = Question("SELECT", "A", 1, "A", "audit", "To see.", "waiting", "2025-09")


def asked(disclosure: DisclosureProfile = DisclosureProfile.NONE) -> Ask:
    """Three departments, disclosure control or not."""
    loss = MechanismLoss(Mechanism.GAUSSIAN, Fraction(1, 40))
    contribution = DATASET.contribution(departments_max=1)
    return Ask(DATASET, loss, contribution, ("north", "south", "west"), disclosure=disclosure)


def order_of(statistic: Crosstab, ask: Ask | None = None) -> Round:
    """Its one round."""
    order = statistic.step(ask or asked(), [])
    assert isinstance(order, Round)
    return order


def answered(statistic: Crosstab, counts: list[int], ask: Ask | None = None) -> Estimate:
    """The estimate where every measure has these counts and the same scale."""
    order = order_of(statistic, ask)
    total = tuple(np.array(counts, dtype=np.int64) for _ in order.aggregates[0].measures)
    result = RoundResult(order, (total,), ((SCALE,) * len(total),), 3)
    found = statistic.step(ask or asked(), [result])
    assert isinstance(found, Estimate)
    return found


def test_it_asks_what_a_table_of_counts_asks() -> None:
    """A crosstab and SELECT ... COUNT(*) are one computation, so who asked one has the other for nothing."""
    table = Table.from_sql(
        "SELECT sex, urgent, COUNT(*) FROM waiting GROUP BY sex, urgent", lambda _: DATASET
    )
    assert order_of(Crosstab("waiting", "sex", "urgent")) == table.step(asked(), [])


def test_rows_without_a_value_are_left_out_and_have_no_cell() -> None:
    """A key that may be missing has no cell for that, unless it is asked for as one more value."""
    sizes = [
        order_of(Crosstab("waiting", "specialty", "admitted", missing=missing)).aggregates[0].cells(DATASET)
        for missing in (False, True)
    ]
    assert sizes == [4 * 2, 5 * 3]
    condition = Crosstab("waiting", "specialty", "admitted", where="age > 5").condition(DATASET)
    assert condition is not None
    assert Crosstab("waiting", "specialty", "admitted", missing=True).condition(DATASET) is None


def test_people_are_counted_where_they_are_asked_for() -> None:
    """With count="people" each person counts once in a cell; records have no people."""
    (measure,) = order_of(Crosstab("waiting", "sex", "urgent", count="people")).aggregates[0].measures
    assert measure.kind is MeasureKind.PEOPLE
    contribution = RECORDS.contribution(departments_max=1)
    records = Ask(RECORDS, asked().loss, contribution, ("north",))
    with pytest.raises(FedstatsError, match="records and no people"):
        Crosstab("records", "sex", "age", count="people").step(records, [])


@pytest.mark.parametrize(
    "row, column, count", [("sex", "sex", "rows"), ("sex", "", "rows"), ("sex", "urgent", "rooms")]
)
def test_what_is_no_crosstab_is_refused_without_a_dataset(row: str, column: str, count: str) -> None:
    """Two different keys and a known kind of count, or a sentence before anything is asked."""
    with pytest.raises(ValueInvalid):
        Crosstab("waiting", row, column, count=count)


def test_margins_agree_and_what_has_the_noise_in_it_is_marked_and_said() -> None:
    """Totals are sums of the cells; chi-square and p-value are of the release, in every form of it."""
    counts = [900, 1100, 1000, 1300, 700, 1000]
    estimate = answered(Crosstab("waiting", "sex", "urgent"), counts)
    tables = {table.name: table for table in estimate.tables}
    assert tables["test"].derived == ("chi-square", "p-value")
    assert not any(name in tables["test"].derived for _, _, name in cells_of(estimate))
    said = [sentence for _, sentence in notes_of(estimate, ASKED) if "chi-square, p-value" in sentence]
    assert len(said) == 1
    written = json.loads(to_json(estimate, ASKED))
    assert [table["derived"] for table in written["tables"]] == [[], [], ["chi-square", "p-value"]]
    cells = {row.key: row.cells for row in tables["crosstab"]}
    total, share = cells["F", "all"][0], cells["F", "true"][1]
    assert isinstance(total, Value)
    assert isinstance(share, Value)
    assert total.value == 2000
    assert share.value == 0.55
    assert share.noise_interval.lo < 0.55 < share.noise_interval.hi
    (test,) = tables["test"]
    numbers = [cell for cell in test.cells if isinstance(cell, Value)]
    assert [n.noise_interval.half_width for n in numbers[:3]] == [0, 0, 0]
    pearson = stats.chi2_contingency(np.array(counts).reshape(3, 2), correction=False)
    assert numbers[0].value < pearson.statistic  # the noise takes weight away
    assert numbers[1].value == pearson.dof
    assert numbers[3].noise_interval.lo < math.sqrt(pearson.statistic / 6000) < numbers[3].noise_interval.hi


@pytest.mark.parametrize(
    "counts", [[0] * 6, [-20] * 6, [5, -3, 2, 8, 1, -1], [10**12, -(10**12), 0, 0, 0, 0]]
)
def test_where_noise_leaves_nothing_it_says_so(counts: list[int]) -> None:
    """Of an empty group there are counts and typed absences: never a NaN, never a crash."""
    for table in answered(Crosstab("waiting", "sex", "urgent"), counts).tables:
        for row in table:
            for cell in row.cells:
                assert isinstance(cell, Absence) or math.isfinite(cell.value)
    (test,) = answered(Crosstab("waiting", "sex", "urgent"), [0] * 6).tables[2]
    assert [cell.reason for cell in test.cells if isinstance(cell, Absence)] == [AbsenceReason.TOO_FEW] * 4


def test_a_withheld_count_takes_all_with_it_that_could_tell_it() -> None:
    """Two tables that differ in a withheld count look the same, margins and test included."""
    ask = asked(DisclosureProfile.ACRO)
    pages = [
        answered(Crosstab("waiting", "sex", "urgent"), [900, 1100, 1000, 1300, 700, few], ask).tables[1:]
        for few in (2, 5)
    ]
    assert pages[0] == pages[1]
    reasons = {cell.reason for row in pages[0][1] for cell in row.cells if isinstance(cell, Absence)}
    assert reasons == {AbsenceReason.SUPPRESSED}


@pytest.mark.parametrize("degrees", [0.6, 1, 12, 300])
@pytest.mark.parametrize("noncentrality", [0.0, 0.3, 25.0, 4_000.0])
def test_chi_square_laws_are_those_of_scipy(degrees: float, noncentrality: float) -> None:
    """Our few lines and the reference agree to twelve digits, far into both tails."""
    middle = degrees + noncentrality
    for value in (1e-3, middle / 3, middle, 1.3 * middle, 2 * middle + 20):
        law = stats.ncx2(degrees, noncentrality) if noncentrality else stats.chi2(degrees)
        assert chi_square_tail(value, degrees, noncentrality) == pytest.approx(
            law.sf(value), rel=1e-9, abs=1e-12
        )
    assert chi_square_tail(chi_square_point(0.01, degrees), degrees) == pytest.approx(0.01)
    found = noncentrality_of(middle, degrees, 0.025)
    assert found == 0 or chi_square_tail(middle, degrees, found) == pytest.approx(0.025)
