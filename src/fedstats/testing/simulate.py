"""Try a question on rows of one's own before any department is asked: `fedstats.simulate`."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from fedstats.client.opening import words_of
from fedstats.client.session import connect
from fedstats.core.accounting import EPSILON_MAX, EPSILON_MIN, parse_epsilon
from fedstats.core.estimate import Estimate
from fedstats.core.schema import DEPARTMENT_KEY, Dataset
from fedstats.core.statistic import Ask, Statistic
from fedstats.errors import LossInvalid, TooLarge, ValueInvalid
from fedstats.statistics.table import Table
from fedstats.testing.inferring import ArrowTable, Rows, arrow_of, infer
from fedstats.testing.pool import Pool
from fedstats.testing.splitting import Split
from fedstats.testing.trial import Trial, answered, columns_of, limited, trials_of
from fedstats.testing.trial_report import Least, SimulationReport

DEPARTMENTS_MAX = 1_000
REPEATS_MAX = 100_000
TRIES = 24
"""So many repeats decide whether an epsilon may be enough; what is found is then tried in full."""
_STEPS_UP_MAX = 6
_SHOWN_AFTER_S = 2.0

Tell = Callable[[str], None]


def simulate(  # noqa: PLR0913 # one parameter per choice
    statistic: Statistic | str,
    data: Rows,
    *,
    departments: int = 20,
    epsilon: float | str = 1,
    repeats: int = 200,
    dataset: Dataset | str | None = None,
    person: str | None = None,
    by: str | None = None,
    seed: int | None = None,
    delta: float | str = "0.000001",
    max_departments: int = 1,
    target: float | Mapping[str, float] | None = None,
    progress: Tell | None = None,
) -> SimulationReport:
    """Try a statistic many times on data of your own, in this process, and say how good its answers are.

        report = fedstats.simulate("SELECT sex, AVG(age) FROM people GROUP BY sex", frame, person="id")
        print(report)

    Rows are split over simulated departments, which make editions of them, compute and add noise as real
    nodes do. The exact answer is the same statistic without noise. Nothing is asked, sent or spent; the
    report holds exact numbers, so it is as confidential as the data.

    Parameters
    ----------
    statistic
        A statistic (also one of your own), or the text of a SELECT.
    data
        An Arrow table, a pandas frame, or a dict of columns, in the terms of the definition.
    departments
        Among how many departments people are dealt out evenly, unless `by` is given.
    epsilon, delta
        The loss of one person over all departments; half of delta is for epsilon, as in agreements.
    repeats
        How often the question is answered with fresh noise.
    dataset
        Its definition, or the name of a dataset that your session can ask about. Without it a definition is
        made from the data, and the report says so loudly.
    person
        The column that names people; without one, and without a definition, each row is somebody else.
    by
        The column that says which department holds a row: `department`, if there is one.
    seed
        For the same report again. Without it, the noise is that of the mechanisms.
    max_departments
        In how many departments one person may be (c); the noise is for that many.
    target
        The widest half width that is exact enough, for all columns or by column: the report says the least
        epsilon that reaches it. Without it, the least at which noise is no wider than sampling is.
    progress
        Told now and then how far it is; without it, a terminal is shown that.

    Returns
    -------
    SimulationReport
        It prints, shows itself in notebooks, and has `columns`, `cells`, `least` and `to_json()`.

    Raises
    ------
    ValueInvalid, LanguageError, MappingInvalid
        The question does not fit the data or the definition, or a number is out of range.
    ExtraMissing
        It needs `fedstats[node,analysis]`.

    """
    _check_counts(departments, repeats)
    asked, chances = parse_epsilon(str(epsilon)), _delta_of(delta)
    made, definition, table, notes = _defined(statistic, arrow_of(data), dataset, person, by)
    generator = np.random.default_rng(
        secrets.randbits(64) if seed is None else seed  # which rows lie where; no noise
    )
    split = Split.of(table, definition, departments=departments, by=by, generator=generator)
    tell = _Telling(progress)
    tell(f"making editions for {len(split.rows)} departments")
    pool = Pool.of(definition, split.rows, departments_max=max_departments)
    run = _Run(pool, made, chances, seed, tell)
    cells = run.trials(asked, repeats)
    return SimulationReport(
        question=statistic if isinstance(statistic, str) else words_of(made),
        departments=len(split.rows),
        rows=len(table),
        people=split.people,
        repeats=repeats,
        epsilon=asked,
        delta=chances,
        rho=pool.ask(asked, delta=chances).loss.amount,
        cells=cells,
        columns=columns_of(cells, repeats),
        least=run.least(_limits(target, cells), repeats),
        notes=(*notes, *run.derived(asked), *split.notes(max_departments), *_left_out(pool)),
    )


def pool_of(  # noqa: PLR0913 # as `simulate`
    statistic: Statistic,
    data: Rows,
    *,
    departments: int,
    dataset: Dataset | None = None,
    person: str | None = None,
    by: str | None = None,
    seed: int | None = None,
    max_departments: int = 1,
) -> Pool:
    """The rows split over departments as `simulate` does it, with an edition each; raises as `simulate`."""
    _, definition, table, _ = _defined(statistic, arrow_of(data), dataset, person, by)
    generator = np.random.default_rng(
        secrets.randbits(64) if seed is None else seed  # which rows lie where; no noise
    )
    split = Split.of(table, definition, departments=departments, by=by, generator=generator)
    return Pool.of(definition, split.rows, departments_max=max_departments)


@dataclass
class _Run:
    """One statistic over one pool, at any epsilon."""

    pool: Pool
    statistic: Statistic
    delta: Fraction
    seed: int | None
    tell: Tell

    def trials(self, epsilon: Fraction, repeats: int) -> tuple[Trial, ...]:
        """Every cell in so many repeats."""
        ask = self.pool.ask(epsilon, delta=self.delta)
        return trials_of(self.pool.exact(self.statistic, ask), self._drawn(ask, epsilon, repeats))

    def derived(self, epsilon: Fraction) -> Iterator[str]:
        """Which columns are not tried, as without noise they would say something of other numbers."""
        exact = self.pool.exact(self.statistic, self.pool.ask(epsilon, delta=self.delta))
        names = dict.fromkeys(name for table in exact.tables for name in table.derived)
        if names:
            yield f"Not tried, as they estimate nothing and have the noise in them: {', '.join(names)}."

    def _drawn(self, ask: Ask, epsilon: Fraction, repeats: int) -> Iterator[Estimate]:
        drawn = self.pool.drawn(self.statistic, ask, repeats, seed=self.seed)
        for number, estimate in enumerate(drawn, 1):
            self.tell(f"epsilon {float(epsilon):g}: {number:,} of {repeats:,} repeats")
            yield estimate

    def least(self, limits: Mapping[str, float] | None, repeats: int) -> Least:
        """The least epsilon, of two digits, that is enough; found by few repeats, tried again by all."""
        most = self.trials(EPSILON_MAX, TRIES)
        if not limited(most, limits):
            return Least.unknown(limits)
        if not answered(most, limits):
            return Least.out_of_reach(limits, columns_of(most, TRIES))
        low, high = -1, len(EPSILONS) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._enough(EPSILONS[middle], limits, TRIES) else (middle, high)
        for epsilon in EPSILONS[high : high + _STEPS_UP_MAX]:
            trials = self.trials(epsilon, repeats)
            if answered(trials, limits):
                return Least.found(limits, epsilon, columns_of(trials, repeats))
        return Least.unknown(limits)

    def _enough(self, epsilon: Fraction, limits: Mapping[str, float] | None, repeats: int) -> bool:
        try:
            return answered(self.trials(epsilon, repeats), limits)
        except TooLarge:  # so much noise does not fit its numbers
            return False
        except LossInvalid:  # so little noise is none
            return True


EPSILONS = tuple(
    value
    for power in range(-3, 2)
    for digits in range(10, 100)
    if EPSILON_MIN <= (value := Fraction(digits, 10) * Fraction(10) ** power) <= EPSILON_MAX
)
"""Every epsilon of two digits, in order."""


class _Telling:
    """Passes on how far it is, at most a few times a second; a terminal sees it only if it takes long."""

    def __init__(self, progress: Tell | None) -> None:
        self._tell = progress
        self._begun_s = self._told_s = time.monotonic()

    def __call__(self, sentence: str) -> None:
        now_s = time.monotonic()
        if self._tell is not None:
            self._tell(sentence)
        elif sys.stderr.isatty() and now_s - self._begun_s > _SHOWN_AFTER_S and now_s - self._told_s > 1:
            self._told_s = now_s
            sys.stderr.write(f"\r{sentence}\x1b[K\r")
            sys.stderr.flush()


def _check_counts(departments: int, repeats: int) -> None:
    if not 1 <= departments <= DEPARTMENTS_MAX:
        raise ValueInvalid(f"Departments are between 1 and {DEPARTMENTS_MAX:,}, and not {departments}.")
    if not 2 <= repeats <= REPEATS_MAX:  # noqa: PLR2004 # one repeat has no spread
        raise ValueInvalid(f"Repeats are between 2 and {REPEATS_MAX:,}, and not {repeats}.")


def _delta_of(delta: float | str) -> Fraction:
    try:
        found = Fraction(str(delta))
    except ValueError:
        found = Fraction(0)
    if not 0 < found < 1:
        raise ValueInvalid(f"Delta is a small probability such as 0.000001, and not {str(delta)[:40]!r}.")
    return found


def _defined(
    statistic: Statistic | str,
    table: ArrowTable,
    dataset: Dataset | str | None,
    person: str | None,
    by: str | None,
) -> tuple[Statistic, Dataset, ArrowTable, tuple[str, ...]]:
    """The statistic, the definition that it is asked about, the rows in its terms, and what to know of it."""
    given = _given(dataset)
    notes: tuple[str, ...] = ()
    if given is None:
        inferred = infer(table, "data", person=person, leave_out=[by] if by == DEPARTMENT_KEY else [])
        definition, notes = inferred.dataset, inferred.notes
    else:
        definition, table = given, _with_person(table, given, person)
    if isinstance(statistic, str):
        statistic = Table.from_sql(statistic, lambda name: _called(definition, name, given))
    return statistic, _called(definition, statistic.dataset, given), table, notes


def _given(dataset: Dataset | str | None) -> Dataset | None:
    if not isinstance(dataset, str):
        return dataset
    with connect() as session:
        return session.dataset(dataset).dataset


def _called(definition: Dataset, name: str, given: Dataset | None) -> Dataset:
    """A definition that was made from the data has the name that the question uses."""
    if given is not None and name != given.name:
        raise ValueInvalid(f"The question is about {name[:48]!r}, and the definition is of {given.name}.")
    return replace(definition, name=name)


def _with_person(table: ArrowTable, given: Dataset, person: str | None) -> ArrowTable:
    """The rows with the people under the name that the definition has for them."""
    column = given.unit.column
    if column is None or column in table.column_names:
        return table
    if person is None or person not in table.column_names:
        raise ValueInvalid(
            f"{given.name} names people in {column}, which the data do not have.",
            remedy='Say which column of the data does: person="..."',
        )
    return table.rename_columns([column if name == person else name for name in table.column_names])


def _limits(
    target: float | Mapping[str, float] | None, cells: tuple[Trial, ...]
) -> Mapping[str, float] | None:
    if target is None:
        return None
    columns = {trial.column for trial in cells}
    limits = dict(target) if isinstance(target, Mapping) else dict.fromkeys(columns, target)
    if set(limits) - columns or not limits or any(not limit > 0 for limit in limits.values()):
        raise ValueInvalid(
            f"A target is a half width above 0, for all columns or by column; "
            f"there are {', '.join(sorted(columns))}."
        )
    return limits


def _left_out(pool: Pool) -> Iterator[str]:
    """What became of rows that take no part, over all departments."""
    counts: dict[str, int] = {}
    for report in pool.reports.values():
        for words, count in report:
            counts[words] = counts.get(words, 0) + count
    for words, count in counts.items():
        if count and words not in ("rows read", "rows kept"):
            yield f"{count:,} of {counts['rows read']:,} rows take no part: {words}."
