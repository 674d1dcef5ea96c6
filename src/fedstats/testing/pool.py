"""All departments' rows in one process, to try a statistic on before anybody is asked.

    pool = Pool.of(dataset, {"north": table, "south": {"person": [...], "age": [...]}})
    pool.estimate(statistic, epsilon=1)                      # one answer, by all that a node does
    pool.draws(statistic, epsilon=1, repeats=2_000, seed=1)  # many: exact totals once, noise each time
    pool.exact(statistic, epsilon=1)                         # what the noise hides

Editions, engine, sensitivities, noise and adding up are the real ones; there is no network, no signature and
no ledger. Exact totals are kept in this process, so a pool is for data that its owner may see whole.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np

from fedstats.client.combining import combined
from fedstats.client.extras import load
from fedstats.core.accounting import SCALE_MIN, parse_epsilon, rho_from_epsilon
from fedstats.core.aggregate import Aggregate
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.domain import Texts
from fedstats.core.estimate import Estimate
from fedstats.core.expression import Expression, normalise
from fedstats.core.privacy import DELTA_STEP, Mechanism, MechanismLoss
from fedstats.core.query import Computation
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Ask, Mode, Noisy, Round, RoundResult, Statistic, Vectors
from fedstats.engines import EditionOrder, EditionReport, Resources, engine_of
from fedstats.engines.mapping import DatasetMapping, Source, SourceKind
from fedstats.errors import ValueInvalid
from fedstats.mechanisms import NoiseMechanism, named_values
from fedstats.node.computing import Noise, Workbench
from fedstats.testing.drawing import stocked

EDITION = "2025-09"
DELTA = Fraction(1, 10**6)
KEPT_MAX = 4_096
_KEY = bytes(range(32))  # whose rows are over the bound loses the same ones each time
_OPEN_QUESTIONS = 8  # so much of the additive delta goes to one question with an open key

Columns = Any
"""An Arrow table, or a mapping of column names to equally long sequences, in the definition's own terms."""
Epsilon = int | float | str | Fraction


class Pool:
    """Departments with their editions, and the exact totals that were computed of them.

    `reports` says what became of each department's rows when its edition was made.
    """

    def __init__(
        self,
        dataset: Dataset,
        folder: Path,
        reports: Mapping[str, EditionReport],
        *,
        departments_max: int = 1,
    ) -> None:
        """Over the editions in a folder, which goes when the pool goes; `of` makes them."""
        self.dataset = dataset
        self.departments = tuple(sorted(reports))
        self.reports = reports
        self.contribution = dataset.contribution(departments_max=departments_max)
        self.folder = folder
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._editions = {name: _edition_path(folder / name) for name in self.departments}
        self._bench = Workbench(engine_of("duckdb"), Resources(memory_mb=1_024), _KEY)
        self._exact: dict[object, Vectors] = {}
        self._results: dict[object, RoundResult] = {}

    @classmethod
    def of(
        cls, dataset: Dataset, rows_by_department: Mapping[str, Columns], *, departments_max: int = 1
    ) -> Self:
        """Make an edition of each department's rows, in a temporary folder that goes when the pool goes.

        Raises
        ------
        MappingInvalid
            The columns do not fit the definition.
        ExtraMissing
            It needs `fedstats[node,analysis]`.

        """
        folder = Path(tempfile.mkdtemp(prefix="fedstats-pool-"))
        try:
            made = {name: _edition(dataset, rows, folder / name) for name, rows in rows_by_department.items()}
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cls(dataset, folder, made, departments_max=departments_max)

    def ask(
        self,
        epsilon: Epsilon | MechanismLoss,
        *,
        disclosure: DisclosureProfile = DisclosureProfile.NONE,
        delta: Fraction = DELTA,
    ) -> Ask:
        """What a session would tell a statistic that may lose so much; half of `delta` is for epsilon."""
        loss = epsilon if isinstance(epsilon, MechanismLoss) else gaussian_loss(epsilon, delta)
        return Ask(self.dataset, loss, self.contribution, self.departments, Mode.LOCAL, disclosure)

    def totals(
        self, order: Round, condition: Expression | None = None, values: Sequence[str] = ()
    ) -> Mapping[str, Vectors]:
        """The exact totals of each department, kept for the next time; an open key has these `values`."""
        return {
            name: tuple(self._computed(name, aggregate, condition, values) for aggregate in order.aggregates)
            for name in self.departments
        }

    def exact(self, statistic: Statistic, epsilon: Epsilon | Ask = 1) -> Estimate:
        """The answer without noise, on the declared grids and within the declared bounds."""
        ask = self._asked(statistic, epsilon)
        return run_rounds(statistic, ask, lambda order: self._exact_result(statistic, ask, order))

    def estimate(
        self, statistic: Statistic, epsilon: Epsilon | Ask = 1, *, seed: int | None = None
    ) -> Estimate:
        """One answer with noise: every node computes and adds it by itself, or the noise has a seed."""
        if seed is not None:
            return next(self.drawn(statistic, epsilon, 1, seed=seed))
        ask = self._asked(statistic, epsilon)

        def answered(order: Round) -> RoundResult:
            computation = self._computation(statistic, ask, order)
            noise, bench = Noise.of(computation), self._bench
            released = {
                name: bench.compute(edition, computation, self.dataset, noise)
                for name, edition in self._editions.items()
            }
            return self._combined(released, order, computation)

        return run_rounds(statistic, ask, answered)

    def draws(
        self, statistic: Statistic, epsilon: Epsilon | Ask, repeats: int, *, seed: int | None = None
    ) -> list[Estimate]:
        """So many independent answers; without `seed` the noise is the mechanisms' own."""
        return list(self.drawn(statistic, epsilon, repeats, seed=seed))

    def drawn(
        self, statistic: Statistic, epsilon: Epsilon | Ask, repeats: int, *, seed: int | None = None
    ) -> Iterator[Estimate]:
        """The answers of `draws`, one after the other."""
        ask = self._asked(statistic, epsilon)
        answered = self.noisy(statistic, ask, seed=seed)
        first = statistic.step(ask, ())  # pure, so once is enough
        for _ in range(repeats):
            yield run_rounds(statistic, ask, answered, first=first)

    def noisy(
        self, statistic: Statistic, ask: Ask, *, seed: int | None = None
    ) -> Callable[[Round], RoundResult]:
        """What answers rounds with fresh noise each time, as `drawn` does."""
        mechanism = stocked(ask.loss.mechanism, seed=seed)
        return lambda order: self._noisy_result(statistic, ask, order, mechanism)

    def _asked(self, statistic: Statistic, epsilon: Epsilon | Ask) -> Ask:
        """The ask; a question whose first round has an open key may lose additive delta, as in a session."""
        ask = epsilon if isinstance(epsilon, Ask) else self.ask(epsilon)
        first = statistic.step(ask, [])
        if not isinstance(first, Round) or not first.opens or ask.loss.delta_add:
            return ask
        delta = DELTA / 2 / _OPEN_QUESTIONS // DELTA_STEP * DELTA_STEP
        return replace(ask, loss=replace(ask.loss, delta_add=delta))

    def _computation(self, statistic: Statistic, ask: Ask, order: Round) -> Computation:
        for aggregate in order.aggregates:
            aggregate.check(self.dataset)
        where = statistic.condition(self.dataset)
        loss = ask.loss.share(order.share)
        return Computation(
            agreement="POOL",
            agreement_version=1,
            dataset=self.dataset.name,
            edition=EDITION,
            where=None if where is None else normalise(where),
            aggregates=order.aggregates,
            loss=loss if order.opens else replace(loss, delta_add=Fraction(0)),
            contribution=ask.contribution,
            mode=ask.mode,
        )

    def _exact_result(self, statistic: Statistic, ask: Ask, order: Round) -> RoundResult:
        """The result of a round with exact totals, at the least scale that there is."""
        result = self.result(statistic, ask, order)
        return replace(result, scales=tuple((SCALE_MIN,) * len(scales) for scales in result.scales))

    def result(self, statistic: Statistic, ask: Ask, order: Round) -> RoundResult:
        """The result of a round with exact totals and the scales of the noise that they would have; kept."""
        known = (order, ask.loss, statistic.condition(self.dataset))
        if known not in self._results:
            computation = self._computation(statistic, ask, order)
            values = tuple(sorted({v for name in self.departments for v in self._found(name, computation)}))
            released = {
                name: Noisy(vectors, values)
                for name, vectors in self.totals(order, computation.where, values).items()
            }
            _keep(self._results, known, self._combined(released, order, computation))
        return self._results[known]

    def _noisy_result(
        self, statistic: Statistic, ask: Ask, order: Round, mechanism: NoiseMechanism
    ) -> RoundResult:
        if order.opens:
            return self._opened_result(statistic, ask, order, mechanism)
        plain, at_node = self.result(statistic, ask, order), self._at_node(ask, order)
        each = {
            name: _with_noise(vectors, plain, ask, at_node, mechanism)
            for name, vectors in (plain.by_department or {}).items()
        }
        total = tuple(
            tuple(np.sum(np.stack(vectors), axis=0) for vectors in zip(*aggregates, strict=True))
            for aggregates in zip(*each.values(), strict=True)
        )
        return replace(plain, total=total, by_department=each)

    def _opened_result(
        self, statistic: Statistic, ask: Ask, order: Round, mechanism: NoiseMechanism
    ) -> RoundResult:
        """Each department names values first, as `Workbench.compute` does, and counts at these alone."""
        computation = self._computation(statistic, ask, order)
        noise, at_node, released = Noise.of(computation), self._at_node(ask, order), {}
        for name in self.departments:
            named = self._named(name, computation, noise, mechanism)
            exact = tuple(self._computed(name, a, computation.where, named) for a in order.aggregates)
            plain = RoundResult(order, exact, noise.scales, 1)
            released[name] = Noisy(_with_noise(exact, plain, ask, at_node, mechanism), named)
        return self._combined(released, order, computation)

    def _named(
        self, department: str, computation: Computation, noise: Noise, mechanism: NoiseMechanism
    ) -> tuple[str, ...]:
        for aggregate in computation.aggregates:
            key = aggregate.open_key(self.dataset)
            if key is not None and noise.threshold is not None:
                domain = self.dataset.column(key.name).domain
                most = domain.values_max if isinstance(domain, Texts) else 0
                found = self._find(department, aggregate, computation)
                return named_values(found, noise.threshold, mechanism, values_max=most)
        return ()

    def _found(self, department: str, computation: Computation) -> Iterable[str]:
        """Every value that an open key has at a department."""
        for aggregate in computation.aggregates:
            if aggregate.open_key(self.dataset) is not None:
                for exact in self._find(department, aggregate, computation):
                    yield from exact.values or ()

    def _find(self, department: str, aggregate: Aggregate, computation: Computation) -> Iterator[Any]:
        return self._bench.engine.find_values(
            self._editions[department],
            aggregate,
            dataset=self.dataset,
            where=computation.where,
            contribution=self.contribution,
            key=_KEY,
            resources=self._bench.resources,
        )

    def _at_node(self, ask: Ask, order: Round) -> MechanismLoss:
        return ask.loss.share(order.share).at_node(ask.contribution.departments_max)

    def _computed(
        self, department: str, aggregate: Aggregate, condition: Expression | None, values: Sequence[str]
    ) -> tuple[Any, ...]:
        of_key = tuple(values) if aggregate.open_key(self.dataset) is not None else ()
        known = (department, aggregate, condition, of_key)
        if known not in self._exact:
            exact = self._bench.engine.compute(
                self._editions[department],
                aggregate,
                dataset=self.dataset,
                where=condition,
                contribution=self.contribution,
                key=_KEY,
                resources=self._bench.resources,
                values=of_key,
            )
            _keep(self._exact, known, exact.vectors)
        return self._exact[known]

    def _combined(self, released: Mapping[str, Noisy], order: Round, computation: Computation) -> RoundResult:
        return combined(
            released,
            order,
            dataset=self.dataset,
            loss=computation.loss,
            contribution=computation.contribution,
        )


def run_rounds(
    statistic: Statistic,
    ask: Ask,
    answer: Callable[[Round], RoundResult],
    *,
    first: Round | Estimate | None = None,
) -> Estimate:
    """Take a statistic through its rounds, as a session does; `first` is what it asks first, where known.

    Raises
    ------
    ValueInvalid
        It asks for more rounds or more loss than it declared.

    """
    history: list[RoundResult] = []
    share = Fraction(0)
    while True:
        known = None if history else first
        step = statistic.step(ask, tuple(history)) if known is None else known
        if isinstance(step, Estimate):
            return step
        order = step.normalised()
        share += order.share
        if len(history) >= statistic.rounds_max or share > 1:
            raise ValueInvalid(
                f"The statistic {statistic.name} asks for more than it declared: round {len(history) + 1} of "
                f"{statistic.rounds_max}, and {share} of its loss."
            )
        history.append(answer(order))


def gaussian_loss(epsilon: Epsilon, delta: Fraction = DELTA) -> MechanismLoss:
    """The loss of an epsilon, half of `delta` being for its conversion, as agreements have it."""
    return MechanismLoss(Mechanism.GAUSSIAN, rho_from_epsilon(_fraction(epsilon), delta / 2))


def _fraction(epsilon: Epsilon) -> Fraction:
    return epsilon if isinstance(epsilon, Fraction) else parse_epsilon(str(epsilon))


def _with_noise(
    vectors: Vectors, plain: RoundResult, ask: Ask, at_node: MechanismLoss, mechanism: NoiseMechanism
) -> Vectors:
    """Noise on every measure, each for its own sensitivity, as a node adds it."""
    return tuple(
        tuple(
            mechanism.add_noise(
                vector,
                scale=scale,
                sensitivity=sensitivity,
                allowed=at_node.share(measure.weight).amount,
            )
            for vector, measure, sensitivity, scale in zip(
                of_aggregate,
                aggregate.measures,
                aggregate.sensitivities(ask.contribution),
                scales,
                strict=True,
            )
        )
        for of_aggregate, aggregate, scales in zip(vectors, plain.round.aggregates, plain.scales, strict=True)
    )


def _edition_path(folder: Path) -> Path:
    return folder / f"{EDITION}.duckdb"


def _edition(dataset: Dataset, rows: Columns, folder: Path) -> EditionReport:
    pyarrow, parquet = load("pyarrow"), load("pyarrow.parquet")
    folder.mkdir(mode=0o700)
    source = folder / "rows.parquet"
    table = rows if isinstance(rows, pyarrow.Table) else pyarrow.table(dict(rows))
    parquet.write_table(table, source)
    mapping = DatasetMapping(
        dataset.name, Source(SourceKind.PARQUET, source), dataset.unit.column, person_missing=()
    )
    order = EditionOrder(EDITION, _KEY, 0, _edition_path(folder))
    report = engine_of("duckdb").make_edition(mapping, dataset, order, Resources(memory_mb=1_024))
    source.unlink()
    return report


def _keep(kept: dict[object, Any], known: object, value: object) -> None:
    """Keep it, and no longer what is oldest where there is much."""
    if len(kept) >= KEPT_MAX:
        del kept[next(iter(kept))]
    kept[known] = value
