"""Disclosure control: a table tells nothing of a withheld count but that it was too small."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import DATASET, definitions
from tables import DEPARTMENTS, asked

from fedstats.core.aggregate.grouped_sums import GroupedSums, MeasureKind
from fedstats.core.disclosure import DisclosureProfile, DisclosureRule, rule_of
from fedstats.core.estimate import Absence, AbsenceReason, Estimate, TableRow, Value
from fedstats.core.statistic import Ask, Round, RoundResult, Statistic, Vectors
from fedstats.statistics._disclosing import disclosed
from fedstats.statistics._measures import plan_measures
from fedstats.statistics.describe import Describe
from fedstats.statistics.quantiles import Quantiles
from fedstats.statistics.table import Table

Integers = npt.NDArray[np.int64]
PROFILES = (DisclosureProfile.OPENSAFELY, DisclosureProfile.ACRO)
KEYS = ("sex", "urgent, sex", "department, sex", "sex, urgent, admitted")
OUTPUTS = (
    "COUNT(*) AS n",
    "COUNT(DISTINCT nhs_number) AS p, COUNT(*) AS n",
    "COUNT(*) AS n, COUNT(wait_days) AS w, AVG(wait_days) AS a",
    "COUNT(*) - COUNT(wait_days) AS m, COUNT(*) / COUNT(wait_days) AS r, COUNT(wait_days) AS w",
    "SHARE(urgent) AS u, COUNT(*) AS n, SUM(urgent) AS s, 1 - SHARE(urgent) AS v",
    "SUM(urgent) AS s",
    "SUM(CASE WHEN urgent THEN 100 ELSE 0 END) / COUNT(*) AS p, AVG(CASE WHEN urgent THEN 3 ELSE 1 END) AS q",
    "SUM(cost) AS c, AVG(age) AS a",
    "VAR_SAMP(age) AS v, STDDEV(wait_days) AS d, COUNT(*) AS n",
    "STDDEV(urgent) AS d, VAR(CASE WHEN urgent THEN 1 WHEN admitted THEN -1 ELSE 0 END) / 2 AS v",
    "AVG(age) - SHARE(urgent) * AVG(wait_days) AS x, COUNT(*) AS n",
)
SCALE = Fraction(3)


def profiled(profile: DisclosureProfile) -> tuple[Ask, DisclosureRule]:
    """What a session would tell the statistic, and the rule."""
    rule = rule_of(profile)
    assert rule is not None
    return asked(disclosure=profile), rule


def questioned(text: str, ask: Ask) -> tuple[Table, Round, GroupedSums]:
    """The statistic with totals, its round, and the aggregate of it."""
    statistic = Table.from_sql(text, definitions, totals=True)
    order = statistic.step(ask, [])
    assert isinstance(order, Round)
    (aggregate,) = order.aggregates
    assert isinstance(aggregate, GroupedSums)
    return statistic, order, aggregate


def drawn(aggregate: GroupedSums, generator: np.random.Generator) -> dict[str, list[Integers]]:
    """Noisy totals of each department: many counts near the least that is shown, some below 0.

    Drawn by a seed, so that a counterexample can be repeated; no private number is protected by them.
    """
    cells = aggregate.cells(DATASET)
    return {
        name: [
            generator.integers(-4, 12, cells)
            if measure.kind is not MeasureKind.SUM
            else generator.integers(-12, 12, cells)
            for measure in aggregate.measures
        ]
        for name in DEPARTMENTS
    }


def estimated(statistic: Table, order: Round, ask: Ask, each: dict[str, list[Integers]]) -> Estimate:
    """The answer to these totals."""
    (aggregate,) = order.aggregates
    vectors: dict[str, Vectors] = {name: (tuple(those),) for name, those in each.items()}
    total: Vectors = (tuple(np.sum(np.stack(those), axis=0) for those in zip(*each.values(), strict=True)),)
    scales = ((SCALE,) * len(aggregate.measures),)
    estimate = statistic.step(ask, [RoundResult(order, total, scales, len(DEPARTMENTS), vectors)])
    assert isinstance(estimate, Estimate)
    return estimate


def otherwise(
    each: dict[str, list[Integers]],
    aggregate: GroupedSums,
    rule: DisclosureRule,
    generator: np.random.Generator,
    *,
    by_department: bool,
) -> dict[str, list[Integers]]:
    """The same releases with every count that may not be shown replaced by another such count."""
    changed = {name: [vector.copy() for vector in those] for name, those in each.items()}
    for i, measure in enumerate(aggregate.measures):
        if measure.kind is MeasureKind.SUM:
            continue
        if by_department:
            for those in changed.values():
                small = those[i] <= rule.least - 1
                those[i][small] = generator.integers(-1_000, rule.least, int(small.sum()))
        else:
            total = sum(those[i] for those in changed.values())
            small = np.asarray(total) <= rule.least - 1
            new = generator.integers(-1_000, rule.least, int(small.sum()))
            changed[DEPARTMENTS[0]][i][small] += new - np.asarray(total)[small]
    return changed


@given(st.sampled_from(OUTPUTS), st.sampled_from(KEYS), st.sampled_from(PROFILES), st.integers(0, 2**32 - 1))
def test_a_table_tells_nothing_of_what_it_withholds(
    outputs: str, keys: str, profile: DisclosureProfile, seed: int
) -> None:
    """Whatever withheld counts are, the table with totals, intervals and notes is the same to the last bit.

    So nothing that is made of it, linear or not, tells more of such a count than that it was too small.
    """
    ask, rule = profiled(profile)
    statistic, order, aggregate = questioned(f"SELECT {keys}, {outputs} FROM waiting GROUP BY {keys}", ask)
    generator = np.random.default_rng(seed)  # a fixed seed: what passes, passes again
    each = drawn(aggregate, generator)
    first = estimated(statistic, order, ask, each)
    other = otherwise(each, aggregate, rule, generator, by_department="department" in keys)
    assert estimated(statistic, order, ask, other) == first
    assert estimated(statistic, order, ask, each) == first


@given(st.sampled_from(OUTPUTS), st.sampled_from(KEYS), st.sampled_from(PROFILES), st.integers(0, 2**32 - 1))
def test_what_is_shown_fits_the_profile_and_adds_up(
    outputs: str, keys: str, profile: DisclosureProfile, seed: int
) -> None:
    """No count is below the least, each is a multiple, and a total is the sum of the cells shown below it."""
    ask, rule = profiled(profile)
    statistic, order, aggregate = questioned(f"SELECT {keys}, {outputs} FROM waiting GROUP BY {keys}", ask)
    (table,) = estimated(statistic, order, ask, drawn(aggregate, np.random.default_rng(seed))).tables
    cells = [row for row in table if not row.total]
    for i in (table.columns.index(name) for name in table.counts):
        for row in table:
            shown = row.cells[i]
            if isinstance(shown, Value):
                assert shown.value >= rule.least
                assert shown.value % rule.multiple == 0
                assert shown.noise_interval.lo <= shown.value <= shown.noise_interval.hi
            else:
                assert shown.reason is AbsenceReason.SUPPRESSED
                assert shown.sentence == rule.sentence
            if row.total:
                below = [other.cells[i] for other in cells if covers(row, other)]
                parts = [cell.value for cell in below if isinstance(cell, Value)]
                assert (shown.value if isinstance(shown, Value) else 0) == sum(parts)
    reasons = [cell.reason for row in cells for cell in row.cells if isinstance(cell, Absence)]
    assert table.withheld == reasons.count(AbsenceReason.SUPPRESSED)


def covers(total: TableRow, row: TableRow) -> bool:
    """Whether a total adds up this row."""
    return all(mine in ("all", theirs) for mine, theirs in zip(total.key, row.key, strict=True))


@given(st.sampled_from(OUTPUTS), st.sampled_from(PROFILES), st.integers(0, 2**32 - 1))
def test_the_order_of_keys_does_not_matter(outputs: str, profile: DisclosureProfile, seed: int) -> None:
    """The same cells are withheld and the same totals shown, in whichever order rows are written."""
    ask, _ = profiled(profile)
    tables = []
    for keys in ("sex, urgent", "urgent, sex"):
        statistic, order, aggregate = questioned(
            f"SELECT {keys}, {outputs} FROM waiting GROUP BY {keys}", ask
        )
        found = estimated(statistic, order, ask, drawn(aggregate, np.random.default_rng(seed)))  # fixed seed
        tables.append({frozenset(zip(found.tables[0].keys, r.key, strict=True)): r for r in found.tables[0]})
    assert {key: row.cells for key, row in tables[0].items()} == {
        key: row.cells for key, row in tables[1].items()
    }


@given(
    st.sampled_from(OUTPUTS),
    st.sampled_from(PROFILES),
    st.lists(st.integers(-20, 60), min_size=8, max_size=8),
)
def test_disclosing_twice_is_disclosing_once(
    outputs: str, profile: DisclosureProfile, numbers: list[int]
) -> None:
    """What may be shown may still be shown, in the same form, when the profile is applied again."""
    statistic = Table.from_sql(f"SELECT {outputs} FROM waiting", definitions)
    plan = plan_measures(statistic._calls(), DATASET, supported=True)
    _, rule = profiled(profile)
    once = disclosed(numbers[: len(plan.measures)], plan, rule)
    twice = disclosed(once.totals, plan, rule)
    assert twice.withheld == once.withheld
    assert list(twice.totals) == pytest.approx(list(once.totals), abs=1e-9)


QUANTILES = {0.01: False, 0.5: True, 0.98: False}
"""Of 300 rows: three lie below the first, six above the last."""
_ASKED = ", ".join(f"QUANTILE(age, {q}) AS q{i}" for i, q in enumerate(QUANTILES))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "statistic",
    [
        Table.from_sql(f"SELECT {_ASKED} FROM waiting", definitions),
        Table.from_sql(f"SELECT urgent, {_ASKED} FROM waiting GROUP BY urgent", definitions, totals=True),
        Quantiles("waiting", "age", q=tuple(QUANTILES)),
        Describe("waiting", ("age",), quantiles=tuple(QUANTILES)),
    ],
)
def test_a_quantile_beyond_which_few_lie_is_withheld(
    statistic: Statistic, profile: DisclosureProfile
) -> None:
    """Near its ends a quantile is the value of few people, however many stand behind the table."""
    ask, _ = profiled(profile)
    order = statistic.step(ask, [])
    assert isinstance(order, Round)
    total = tuple(
        aggregate.laid_out([spread(aggregate)] * len(aggregate.measures), DATASET)
        for aggregate in order.aggregates
    )
    scales = tuple((Fraction(1),) * len(aggregate.measures) for aggregate in order.aggregates)
    estimate = statistic.step(ask, [RoundResult(order, total, scales, len(DEPARTMENTS))])
    assert isinstance(estimate, Estimate)
    table = next(t for t in estimate.tables if t.name in ("table", "quantiles", "numbers"))
    for row in table:
        shown = [isinstance(cell, Value) for cell in row.cells]
        if table.name == "quantiles":
            assert shown == [QUANTILES[float(str(row.key[-1]))]]
        elif not row.total:  # which adds up three times as many
            assert shown[-len(QUANTILES) :] == list(QUANTILES.values())


def spread(aggregate: GroupedSums) -> Integers:
    """300 rows in all, evenly over the bins of a tree; in every cell of what is no tree."""
    cells = [len(each) for each in aggregate.key_cells(DATASET)]
    if aggregate.tree is None:
        return np.full(int(np.prod(cells)), 300)
    bins = np.diff(np.floor(np.linspace(0, 300, aggregate.tree.bins + 1))).astype(np.int64)
    own = np.zeros(cells, dtype=np.int64)
    axis = aggregate.keys.index(aggregate.tree.key)
    np.moveaxis(own, axis, -1)[..., : len(bins)] = bins
    return own.ravel()
