"""The statistic `waiting_times`: what it asks, what it makes of the answer, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction

import numpy as np
import pytest
from banded import BANDS, Counts, asked, dataset_of, drawn, report, result_of

from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.domain import Categories, Dates, Texts, days_of
from fedstats.core.estimate import Absence, AbsenceReason, Estimate, PictureKind, Refusal, Table, Value
from fedstats.core.evaluation import evaluate
from fedstats.core.privacy import Mechanism, UnitKind
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.core.statistic import Mode, Round
from fedstats.errors import ExpressionInvalid, FedstatsError, SqlRefused, TooLarge, ValueInvalid
from fedstats.statistics.waiting_times import WaitingTimes

DEPARTMENTS = ("north", "south", "west")
GROUPS = ("a", "b")
BANDED = dataset_of(GROUPS)
BY_BOTH = WaitingTimes("waits", week="week", status="status", keys=("cell", "department"))
CENSUS = ("2025-03-30", "2025-04-27", "2025-05-25")


def some_counts() -> dict[str, Counts]:
    """Skewed waits of two groups and both statuses, more at one department than at the next."""
    weeks = np.arange(BANDS)
    falling = np.round(400 * np.exp(-weeks / 15)).astype(np.int64)
    table = np.array([[falling, 2 * falling], [3 * falling + 2, falling + 1]])
    return {name: (i + 1) * table for i, name in enumerate(DEPARTMENTS)}


def tables_of(estimate: Estimate) -> dict[str, Table]:
    """By name."""
    return {table.name: table for table in estimate.tables}


def numbers(table: Table) -> dict[tuple[str | None, ...], tuple[object, ...]]:
    """The rows by their keys, totals left out."""
    return {row.key: row.cells for row in table if not row.total}


def refused(**fields: object) -> FedstatsError:
    """What a question with these fields is told."""
    with pytest.raises(FedstatsError) as caught:
        WaitingTimes("waits", **fields)  # type: ignore[arg-type]  # what somebody may type
    return caught.value


def dated(**columns: ColumnDefinition) -> Dataset:
    """Pathways with two dates and a status."""
    first, last = days_of(date(2023, 1, 1)), days_of(date(2025, 5, 25))
    made = {
        "started": ColumnDefinition("started", Dates(first, last, nullable=True)),
        "ended": ColumnDefinition("ended", Dates(first, last, nullable=True)),
        "how": ColumnDefinition("how", Categories(("admitted", "nonadmitted", "died"), nullable=True)),
    }
    unit = Unit(UnitKind.PERSON, "nhs_number", "nhs_number")
    listed = tuple({**made, **columns}.values())
    return Dataset("waits", unit, 3, 1_000_000, 10_000, listed, ("2025-05",), ())


DATED = WaitingTimes("waits", start="started", stop="ended", status="how", census=CENSUS)


def test_it_asks_once_for_bands_and_wholes_whose_weights_add_up() -> None:
    """One round of counts by key, kind and 105 bands, and of the same without bands at a quarter's weight."""
    order = BY_BOTH.step(asked(BANDED, DEPARTMENTS), [])
    assert isinstance(order, Round)
    cells = sorted((aggregate.cells(BANDED), aggregate.weights[0]) for aggregate in order.aggregates)
    assert cells == [(2 * 2, Fraction(1, 5)), (2 * 2 * BANDS, Fraction(4, 5))]


def test_what_is_free_asks_the_same_round() -> None:
    """Other weeks, percentiles, pathways, keys of the release, standard: not one bit of the question."""
    ask = asked(BANDED, DEPARTMENTS)
    free = replace(
        BY_BOTH,
        by=("department",),
        pathways=("admitted",),
        within=(4, 104),
        over=(65,),
        percentiles=(10.0,),
        standard=60.0,
        widen=True,
    )
    assert free.step(ask, []) == BY_BOTH.step(ask, [])
    assert free.condition(BANDED) == BY_BOTH.condition(BANDED)


def test_every_subset_of_the_keys_adds_up_to_the_same_release() -> None:
    """A report by fewer keys adds up the cells of the one by all, from the same noisy totals."""
    ask = asked(BANDED, DEPARTMENTS)
    result = result_of(BY_BOTH, ask, some_counts(), drawn(np.random.default_rng(1), Mechanism.GAUSSIAN))
    whole: dict[tuple[str, ...], float] = {}
    for by in (("cell", "department"), ("department",), ("cell",), ("none",)):
        estimate = replace(BY_BOTH, by=by).step(ask, [result])
        assert isinstance(estimate, Estimate)
        found = numbers(tables_of(estimate)["waiting times"])
        values = [cells[0] for key, cells in found.items() if key[-1] == "completed"]
        whole[by] = sum(cell.value for cell in values if isinstance(cell, Value))
    assert max(whole.values()) - min(whole.values()) < 1e-6 * max(whole.values())


@pytest.mark.parametrize(
    "days,band", [(0, 0), (7, 0), (8, 1), (126, 17), (127, 18), (728, 103), (729, 104), (5_000, 104)]
)
def test_day_126_is_within_18_weeks(days: int, band: int) -> None:
    """Days fall into the weekly bands that NHS England publishes."""
    last = days_of(date(2025, 5, 25))
    long = ColumnDefinition("started", Dates(last - 6_000, last, nullable=True))
    dataset = dated(started=long)
    row = {"started": last - days, "ended": None, "how": None}
    assert evaluate(DATED._clock.band(dataset), dataset, row) == band


def test_rows_without_a_sound_wait_take_no_part() -> None:
    """No known start, begun after the last census, ended before the start: none of them is counted."""
    dataset, last = dated(), days_of(date(2025, 5, 25))
    where = DATED.condition(dataset)
    assert where is not None

    def counted(start: int | None, stop: int | None) -> bool:
        return evaluate(where, dataset, {"started": start, "ended": stop, "how": None}) == 1

    assert counted(last - 10, None)
    assert counted(last - 10, last - 10)
    assert not counted(None, None)
    assert not counted(last - 10, last - 11)
    earlier = replace(DATED, census=CENSUS[:1]).condition(dataset)
    assert earlier is not None
    assert evaluate(earlier, dataset, {"started": last, "ended": None, "how": None}) != 1


def test_a_pathway_that_ended_after_the_census_was_open_at_it() -> None:
    """As at the census: it counts as incomplete, with its wait until then."""
    dataset, last = dated(), days_of(date(2025, 3, 30))
    one = replace(DATED, census=CENSUS[:1])
    row = {"started": last - 70, "ended": last + 20, "how": dataset.column("how").domain.codes()[0]}
    kind = one._clock.kind(dataset)
    assert kind is not None
    assert one._clock.pathways(dataset)[int(evaluate(kind, dataset, row) or 0)] == "incomplete"
    assert evaluate(one._clock.band(dataset), dataset, row) == 9


def test_quantiles_are_interpolated_within_their_band() -> None:
    """100 pathways in band 4, 100 in band 9: the median is the end of the fifth week, p92 in the tenth."""
    counts = np.zeros((1, 1, BANDS), dtype=np.int64)
    counts[0, 0, [4, 9]] = 100
    dataset = dataset_of(["only"], statuses=("admitted",))
    statistic = WaitingTimes("waits", week="week", percentiles=(25.0, 50.0, 92.0))
    estimate = report(statistic, asked(dataset, ["north"]), {"north": counts})
    (cells,) = numbers(tables_of(estimate)["waiting times"]).values()
    values = [round(cell.value, 6) for cell in cells if isinstance(cell, Value)]
    assert values[5:8] == [4.5, 5.0, 9.84]


def test_a_percentile_beyond_104_weeks_says_104() -> None:
    """Nobody knows how long the longest waits are: 104 stands for that or more, and a note says so."""
    counts = np.zeros((1, 1, BANDS), dtype=np.int64)
    counts[0, 0, [4, 104]] = 100
    dataset = dataset_of(["only"], statuses=("admitted",))
    statistic = WaitingTimes("waits", week="week", percentiles=(92.0,))
    estimate = report(statistic, asked(dataset, ["north"]), {"north": counts})
    (cells,) = numbers(tables_of(estimate)["waiting times"]).values()
    assert isinstance(cells[5], Value)
    assert (cells[5].value, cells[5].noise_interval.hi) == (104, 104)
    assert any("104 is that or more" in note for note in estimate.notes)


def test_nobody_at_all_is_a_count_and_no_figure() -> None:
    """Where nobody waits, the count is told with its noise, and shares and quantiles are absent."""
    empty = dict.fromkeys(DEPARTMENTS, np.zeros((2, 2, BANDS), dtype=np.int64))
    estimate = report(replace(BY_BOTH, by=("none",)), asked(BANDED, DEPARTMENTS), empty)
    for cells in numbers(tables_of(estimate)["waiting times"]).values():
        assert [isinstance(cell, Value) for cell in cells] == [True, *[False] * 6, True]
        assert {cell.reason for cell in cells if isinstance(cell, Absence)} == {AbsenceReason.TOO_FEW}


def test_a_department_that_refused_is_absent_and_not_in_the_totals() -> None:
    """Its lines say so by department; without the key a note does."""
    ask = asked(BANDED, DEPARTMENTS)
    counts = {name: some_counts()[name] for name in DEPARTMENTS[:2]}
    refusal = Refusal("west", "FS-203", "It refused.")
    result = replace(result_of(BY_BOTH, ask, counts), absent={"west": refusal})
    estimate = BY_BOTH.step(ask, [result])
    assert isinstance(estimate, Estimate)
    found = tables_of(estimate)
    for name in ("waiting times", "funnel"):
        rows = [cells for key, cells in numbers(found[name]).items() if "west" in key]
        assert rows
        reasons = {cell.reason for cells in rows for cell in cells if isinstance(cell, Absence)}
        assert reasons == {AbsenceReason.REFUSED}
    together = replace(BY_BOTH, by=("cell",)).step(ask, [result])
    assert isinstance(together, Estimate)
    assert "The totals are without west: It refused." in together.notes


def test_disclosure_control_withholds_small_counts_and_what_gives_them_away() -> None:
    """A small count, shares that would tell it, and the sum that it could be subtracted from."""
    counts = some_counts()
    small = {name: held.copy() for name, held in counts.items()}
    for held in small.values():
        held[0, 0] = 0
        held[0, 0, 3] = 1  # three admitted in group a
        held[1, 0, 52:] = 0  # nobody of group b was admitted after more than 52 weeks
    ask = asked(BANDED, DEPARTMENTS, disclosure=DisclosureProfile.OPENSAFELY)
    estimate = report(replace(BY_BOTH, by=("cell",)), ask, small)
    table = tables_of(estimate)["waiting times"]
    found = numbers(table)

    def withheld(*key: str) -> set[str]:
        cells = zip(table.columns, found[key], strict=True)
        return {name for name, cell in cells if isinstance(cell, Absence)}

    assert withheld("a", "admitted") == withheld("a", "completed") == set(table.columns)
    assert withheld("b", "admitted") >= {"within_52_weeks_percent", "over_52_weeks"}
    assert "within_18_weeks_percent" not in withheld("b", "admitted")
    assert estimate.disclosure is DisclosureProfile.OPENSAFELY
    shown = [
        cell.value
        for cells in found.values()
        for name, cell in zip(table.columns, cells, strict=True)
        if name in table.counts and isinstance(cell, Value)
    ]
    assert shown
    assert all(value % 5 == 0 for value in shown)
    assert not any(row.total for row in table)


def with_few(by: tuple[str, ...], few: int) -> dict[str, Counts]:
    """Counts of which a report by these keys, or the funnel beside it, must withhold so few."""
    counts = some_counts()
    if by == ("none",):  # of all departments together there are as many, however few one has
        counts["north"][:] = 0
        counts["north"][1, :, 3], counts["south"][1, :, 3] = few, 1_000 - few
        return counts
    for held in counts.values():
        held[0] = 0
    counts["north"][0, :, 3] = few
    return counts


@pytest.mark.parametrize("by", [("cell",), ("none",), ("cell", "department")])
@pytest.mark.parametrize("profile", [DisclosureProfile.OPENSAFELY, DisclosureProfile.ACRO])
def test_no_table_of_an_answer_tells_what_another_withholds(
    by: tuple[str, ...], profile: DisclosureProfile
) -> None:
    """Whatever a withheld count is, the whole answer is the same: no sum with it is in any other table."""
    ask, asking = asked(BANDED, DEPARTMENTS, disclosure=profile), replace(BY_BOTH, by=by)
    assert report(asking, ask, with_few(by, 0)) == report(asking, ask, with_few(by, 7))
    alone = report(replace(BY_BOTH, by=("department",)), ask, some_counts())
    assert "funnel" in tables_of(alone)


def test_people_are_counted_for_disclosure_control_where_one_has_several_pathways() -> None:
    """The profile asks how many people stand behind a number, which pathways do not tell."""
    ask = asked(dated(), DEPARTMENTS, disclosure=DisclosureProfile.ACRO)
    order = DATED.step(ask, [])
    assert isinstance(order, Round)
    kinds = sorted(measure.kind.value for each in order.aggregates for measure in each.measures)
    assert kinds == ["people", "rows", "rows", "rows"]


def test_each_table_says_how_it_is_drawn() -> None:
    """Shares with intervals and the standard, curves by week, a funnel with sizes."""
    found = tables_of(report(BY_BOTH, asked(BANDED, DEPARTMENTS), some_counts()))
    kinds = {name: table.picture.kind for name, table in found.items() if table.picture is not None}
    assert kinds == {
        "waiting times": PictureKind.INTERVALS,
        "curve": PictureKind.CURVE,
        "funnel": PictureKind.FUNNEL,
    }
    for table in found.values():
        picture = table.picture
        assert picture is not None
        assert picture.value in table.columns
        assert {picture.label, picture.series} <= {*table.keys, None}
        assert picture.size is None or picture.size in table.columns


def test_curves_rise() -> None:
    """However the noise falls, a cumulative share does not fall, and stays within its interval."""
    draw = drawn(np.random.default_rng(5), Mechanism.GAUSSIAN)  # a fixed seed: what passes, passes again
    estimate = report(replace(BY_BOTH, by=("none",)), asked(BANDED, DEPARTMENTS), some_counts(), draw)
    curve = numbers(tables_of(estimate)["curve"])
    for kind in ("admitted", "nonadmitted"):
        values = [cell for key, (cell,) in curve.items() if key[0] == kind and isinstance(cell, Value)]
        heights = [cell.value for cell in values]
        assert len(heights) == BANDS - 1
        assert heights == sorted(heights)
        assert all(cell.noise_interval.lo <= cell.value <= cell.noise_interval.hi for cell in values)


@pytest.mark.parametrize(
    "fields,words",
    [
        ({}, "Say where the wait is read"),
        ({"week": "week", "days": "days"}, "Say where the wait is read"),
        ({"start": "started"}, "Say where the wait is read"),
        ({"week": "week", "census": ("2025-09-28",)}, "--census needs the dates"),
        ({"start": "a", "stop": "b", "census": ("September",)}, "dates such as 2025-09-28"),
        ({"start": "a", "stop": "b", "census": ("2025-09-28", "2025-09-28")}, "names a date twice"),
        ({"week": "week", "within": (0,)}, "weeks from 1 to 104"),
        ({"week": "week", "percentiles": (100.0,)}, "above 0 and below 100"),
        ({"week": "week", "keys": ("a", "a")}, "named once"),
        ({"week": "week", "keys": tuple("abcde")}, "at most 4 keys"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    fields: Mapping[str, object], words: str
) -> None:
    """Each with a sentence that names the option."""
    problem = refused(**fields)
    assert isinstance(problem, ValueInvalid | TooLarge)
    assert words in problem.sentence


def test_a_key_outside_the_release_is_refused_with_what_it_would_take() -> None:
    """Whoever asks a release for a key that it lacks learns which it has, and that the other costs."""
    with pytest.raises(ValueInvalid) as caught:
        replace(BY_BOTH, by=("status",)).step(asked(BANDED, DEPARTMENTS), [])
    assert "this release is by cell, department" in caught.value.sentence
    assert "ask anew with --keys status" in caught.value.advice


def test_pathways_that_are_not_told_apart_are_refused() -> None:
    """The sentence lists those that are."""
    with pytest.raises(ValueInvalid, match="admitted, nonadmitted, completed"):
        replace(BY_BOTH, pathways=("incomplete",)).step(asked(BANDED, DEPARTMENTS), [])


def test_a_status_whose_labels_mean_nothing_yet_asks_what_they_mean() -> None:
    """Labels are never guessed."""
    dataset = dataset_of(GROUPS, statuses=("IP", "OP"))
    statistic = WaitingTimes("waits", week="week", status="status")
    with pytest.raises(ExpressionInvalid, match="IP, OP") as caught:
        statistic.step(asked(dataset, DEPARTMENTS), [])
    assert "--admitted" in caught.value.advice
    told = replace(statistic, admitted=("IP",), nonadmitted=("OP",))
    assert isinstance(told.step(asked(dataset, DEPARTMENTS), []), Round)
    with pytest.raises(ExpressionInvalid, match="not one of the declared"):
        replace(told, nonadmitted=("XX",)).step(asked(dataset, DEPARTMENTS), [])


def test_departments_are_not_told_apart_in_secure_mode() -> None:
    """As in every other question."""
    with pytest.raises(SqlRefused, match="secure mode"):
        BY_BOTH.step(asked(BANDED, DEPARTMENTS, mode=Mode.SECURE), [])


def test_a_key_of_free_text_is_refused() -> None:
    """Bands need cells that are known beforehand."""
    open_key = ColumnDefinition("payer", Texts(10, 200), as_measure=False)
    with pytest.raises(SqlRefused, match="no public list"):
        replace(DATED, keys=("payer",)).step(asked(dated(payer=open_key), DEPARTMENTS), [])
