"""Reading a tree: levels that agree, variances that are exact, quantiles with intervals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from fedstats.core.aggregate.tree import level_sizes
from fedstats.core.domain import Categories, Dates, Numbers
from fedstats.core.estimate import Interval
from fedstats.core.privacy import Mechanism
from fedstats.errors import ExpressionInvalid
from fedstats.statistics._tree import BRANCHINGS, Bins, Counted, bins_of, branching_for, shape_of

Floats = npt.NDArray[np.float64]
SHAPES = [(3, 4), (5, 4), (17, 4), (37, 4), (65, 5), (100, 7)]


def levels_of(bins: int, branching: int) -> Floats:
    """Which bins each node adds up: one row per node, the coarsest level first."""
    owners = [np.arange(bins)]
    for _ in level_sizes(bins, branching)[1:]:
        owners.insert(0, owners[0] // branching)
    return np.concatenate([owner[None] == np.arange(owner[-1] + 1)[:, None] for owner in owners]).astype(
        float
    )


def counted(values: list[int], *, values_max: int = 100, per_bin: int = 1, sd: float = 1e-6) -> Counted:
    """A tree without noise of values from 0."""
    bins = Bins(Fraction(0), Fraction(1), values_max, per_bin)
    finest = np.bincount(np.array(values, dtype=np.int64) // per_bin, minlength=bins.count)
    branching = branching_for(bins.count, Mechanism.GAUSSIAN)
    return Counted.of(bins, branching, levels_of(bins.count, branching) @ finest, sd=sd)


@pytest.mark.parametrize("bins, branching", SHAPES)
def test_levels_agree_by_least_squares(bins: int, branching: int) -> None:
    """The bins' counts are those of the dense least squares problem, in trees whose ends are uneven too."""
    nodes = levels_of(bins, branching)
    noisy = np.random.default_rng(bins).normal(size=(2, len(nodes)))  # fixed seed
    expected = np.linalg.solve(nodes.T @ nodes, nodes.T @ noisy.T).T
    assert np.allclose(shape_of(bins, branching).agreeing(noisy), expected)


@pytest.mark.parametrize("bins, branching", SHAPES)
def test_variances_are_those_of_least_squares(bins: int, branching: int) -> None:
    """What is said of the noise of a rank and of all rows is exact, so that intervals are."""
    nodes, shape = levels_of(bins, branching), shape_of(bins, branching)
    covariance = np.linalg.inv(nodes.T @ nodes)
    for q in (0.1, 0.5, 0.92):
        ranks = np.tril(np.ones((bins, bins))) - q
        assert np.allclose(np.diag(ranks @ covariance @ ranks.T), shape.rank_variances(q))
    assert shape.total_variance == pytest.approx(covariance.sum())


@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize("bins", [1, 3, 121, 731, 4_096])
def test_the_branching_has_the_least_expected_error(bins: int, mechanism: Mechanism) -> None:
    """No other branching has a smaller error of the median, at the noise that its levels ask for."""

    def error(branching: int) -> float:
        shape = shape_of(bins, branching)
        levels = len(shape.sizes)
        scale = levels**2 if mechanism is Mechanism.LAPLACE else levels
        return float(shape.rank_variances(0.5).mean()) * scale

    assert error(branching_for(bins, mechanism)) == min(map(error, BRANCHINGS))


@pytest.mark.parametrize("q", [0.01, 0.25, 0.5, 0.75, 0.92, 0.99])
def test_without_noise_quantiles_are_values_that_somebody_has(q: float) -> None:
    """In bins of one value, a quantile is the least value that a share q of the rows does not exceed."""
    values = [0, 0, 3, 7, 7, 7, 8, 40, 41, 99]
    found = counted(values).quantile(q)
    exact = sorted(values)[max(0, int(np.ceil(q * len(values))) - 1)]
    assert found is not None
    assert (found.value, found.noise_interval) == (exact, Interval(exact, exact))


def test_without_noise_a_tie_is_not_lost_to_floats() -> None:
    """Where exactly half of the rows are at or below a value it is the median, however counts are rounded."""
    for values in range(2, 60, 2):
        found = counted([*range(values), *range(values)], values_max=777).quantile(0.5)
        assert found is not None
        assert found.value == values // 2 - 1


def test_in_wider_bins_values_are_spread_evenly() -> None:
    """A quantile lies within its bin as far as the rows before it say, and its interval is the bin."""
    found = counted(list(range(1_000)), values_max=1_000, per_bin=100).quantile(0.25)
    assert found is not None
    assert found.value == pytest.approx(249.5, abs=0.5)
    assert found.noise_interval == Interval(200.0, 299.0)


def test_the_last_bin_may_be_narrower() -> None:
    """Bins that do not divide a range end where it ends."""
    found = counted([95] * 10, values_max=96, per_bin=10).quantile(0.999)
    assert found is not None
    assert found.noise_interval == Interval(90.0, 95.0)
    assert found.value == pytest.approx(95, abs=0.01)


def test_a_population_is_known_less_well_than_its_rows() -> None:
    """The population's interval adds what other samples would have shown: about sqrt(N q (1 - q)) ranks."""
    found = counted([i % 1_000 for i in range(10_000)], values_max=1_000).quantile(0.5)
    assert found is not None
    assert found.interval is not None
    assert found.interval.half_width == pytest.approx(1.96 * 50 / 10, abs=1)  # 50 ranks, 10 rows a value


@pytest.mark.parametrize("values", [[], [5], [5, 6, 7]])
def test_too_few_rows_have_no_quantile(values: list[int]) -> None:
    """Where the noise is as large as the number of rows there is no number, and nothing fails."""
    assert counted(values, sd=5.0).quantile(0.5) is None


def test_bins_are_the_values_themselves_where_they_are_few() -> None:
    """Up to 4,096 values have a bin each; more are cut into whole steps, fewer where groups are many."""
    few = bins_of(Numbers(Fraction(0), Fraction(730)))
    cost = Numbers(Fraction(-50), Fraction(20_000), Fraction(1, 4))
    assert (few.count, few.per_bin) == (731, 1)
    assert (bins_of(cost).per_bin, bins_of(cost).count) == (20, 4_011)
    assert bins_of(cost).ends(4_010) == (20_000.0, 20_000.0)
    assert bins_of(cost, groups=10_000).count <= 150
    assert bins_of(Dates(18_000, 18_100)).count == 101
    with pytest.raises(ExpressionInvalid):
        bins_of(Categories(("a", "b")))


@pytest.mark.parametrize("shape", ["uniform", "lognormal"])
def test_ranks_are_as_good_as_the_method_can_be(shape: str) -> None:
    """At n = 100,000, epsilon 1 and delta 1e-6 a quantile is off by 15 to 22 ranks or not much more."""
    generator = np.random.default_rng(3)  # a fixed seed: what passes, passes again
    drawn = generator.random(100_000) if shape == "uniform" else generator.lognormal(0.0, 0.5, 100_000) / 10
    values = np.sort(np.minimum((drawn * 4_096_000).astype(np.int64), 4_095_999))
    bins = Bins(Fraction(0), Fraction(1), 4_096_000, 1_000)
    branching = branching_for(4_096, Mechanism.GAUSSIAN)
    sd = 4.669 * np.sqrt(len(level_sizes(4_096, branching)))
    levels = [np.bincount(values // 1_000, minlength=4_096)]
    for size in level_sizes(4_096, branching)[-2::-1]:
        levels.insert(0, np.add.reduceat(levels[0], branching * np.arange(size)))
    exact, errors = np.concatenate(levels), []
    for _ in range(60):
        tree = Counted.of(bins, branching, exact + generator.normal(0, sd, len(exact)), sd=float(sd))
        for q in (0.1, 0.25, 0.5, 0.75, 0.92):
            found = tree.quantile(q)
            assert found is not None
            errors.append(np.searchsorted(values, found.value) - q * len(values))
    assert np.sqrt(np.mean(np.square(errors))) <= 1.5 * 22
