"""A description: what it asks of each kind of column, what it leaves out, and what it never tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from click.testing import CliRunner
from strategies import DATASET, RECORDS

from fedstats.cli import main
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.domain import Texts
from fedstats.core.estimate import Absence, Estimate, Value
from fedstats.core.plan import noise_scales
from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.core.statistic import Ask, Round, RoundResult
from fedstats.errors import NameUnknown, TooLarge, ValueInvalid
from fedstats.statistics.describe import Describe
from fedstats.testing.pool import gaussian_loss


def asked(dataset: Dataset = DATASET, disclosure: DisclosureProfile = DisclosureProfile.NONE) -> Ask:
    """Three departments at epsilon 1."""
    contribution = dataset.contribution(departments_max=1)
    return Ask(dataset, gaussian_loss(1), contribution, ("north", "south", "west"), disclosure=disclosure)


def answered(ask: Ask, count: int) -> Estimate:
    """The estimate where every number that came is this."""
    statistic = Describe(ask.dataset.name)
    order = statistic.step(ask, [])
    assert isinstance(order, Round)
    sizes = [sum(a.tree.sizes) if a.tree is not None else a.cells(ask.dataset) for a in order.aggregates]
    total = tuple(
        tuple(np.full(size, count) for _ in aggregate.measures)
        for aggregate, size in zip(order.aggregates, sizes, strict=True)
    )
    scales = noise_scales(order.aggregates, ask.loss, ask.contribution)
    found = statistic.step(ask, [RoundResult(order, total, scales, 3)])
    assert isinstance(found, Estimate)
    return found


def test_every_column_is_described_once_for_the_whole_loss() -> None:
    """One round uses exactly the loss: counts, sums, a tree for each range, a list for each category."""
    order = Describe("waiting").step(asked(), [])
    assert isinstance(order, Round)
    assert order.share == 1
    assert sum(weight for a in order.aggregates for weight in a.weights) == 1
    assert sum(a.tree is not None for a in order.aggregates) == 7
    assert sum(a.tree is None and len(a.keys) == 1 for a in order.aggregates) == 4


@pytest.mark.parametrize("disclosure", list(DisclosureProfile))
@pytest.mark.parametrize("count", [0, -1_000, 4, 10**9])
def test_whatever_the_totals_are_there_is_a_number_or_a_reason(
    count: int, disclosure: DisclosureProfile
) -> None:
    """An empty dataset, and totals that no data have, give finite numbers and typed absences."""
    for table in answered(asked(disclosure=disclosure), count).tables:
        for row in table:
            assert all(isinstance(c, Absence) or np.isfinite(c.value) for c in row.cells)


def test_what_few_stand_behind_is_withheld() -> None:
    """Under disclosure control a count of 4 is shown nowhere, nor anything made of it."""
    for table in answered(asked(disclosure=DisclosureProfile.ACRO), 4).tables:
        assert not any(isinstance(cell, Value) for row in table for cell in row.cells)


def test_what_cannot_be_said_is_said() -> None:
    """Free text, columns that the agreement gives for one use only, and extremes: each has its sentence."""
    free = ColumnDefinition("note", Texts(20, 100), as_measure=False)
    records = replace(RECORDS, columns=(*RECORDS.columns, free))
    notes = " ".join(answered(asked(records), 1_000).notes)
    for words in ("never told", "note is free text", "age may not be grouped by, so it has no quantiles"):
        assert words in notes


def test_mistakes_are_refused_before_anything_is_asked() -> None:
    """An unknown column, a quantile outside 0 to 1 or at an end, more columns than one question can have."""
    with pytest.raises(NameUnknown):
        Describe("waiting", ("wait_day",)).step(asked(), [])
    for share in (1.5, 0.0, 1.0):  # at the ends it would be the least and the greatest value
        with pytest.raises(ValueInvalid):
            Describe("waiting", quantiles=(share,))
    columns = tuple(replace(DATASET.column("age"), name=f"age{i}") for i in range(70))
    with pytest.raises(TooLarge, match="Name fewer"):
        Describe("waiting").step(asked(replace(DATASET, columns=columns)), [])


def test_another_quantile_asks_the_same() -> None:
    """Quantiles are a view of the release: other ones are free."""
    assert Describe("waiting", quantiles=(0.9,)).step(asked(), []) == Describe("waiting").step(asked(), [])


def test_dates_are_days_from_the_first_and_read_as_dates() -> None:
    """The rows of dates are named without noise, count days as `quantiles` does, and a note reads them."""
    found = [answered(asked(), count) for count in (1_000, 10**6)]
    (first, second) = ([t for t in e.tables if t.name == "dates"] for e in found)
    assert [row.key for row in first[0]] == [row.key for row in second[0]]
    row = next(row for row in first[0] if row.key[-1] == "0.5")
    (cell,) = row.cells
    assert isinstance(cell, Value)
    assert cell.noise_interval.lo <= cell.value <= cell.noise_interval.hi
    day = date.fromisoformat(str(row.key[1])) + timedelta(days=round(cell.value))
    (note,) = (note for note in found[0].notes if note.startswith(f"The quantile of {row.key[0]} at"))
    assert f"at 0.5 is {day}" in note


def test_the_command_says_its_small_loss() -> None:
    """`fedstats describe` takes the dataset as its argument, and its help says what it asks with."""
    shown = CliRunner().invoke(main, ["describe", "--help"])
    assert shown.exit_code == 0
    assert "[default: 0.1]" in shown.output
    assert "DATASET" in shown.output
