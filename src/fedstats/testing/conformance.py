"""Proof that a statistic keeps what it promises, before anybody is asked: `check_statistic`.

def test_my_analysis() -> None:
    check_statistic(lambda: MyAnalysis(dataset="visits", column="age"), data=frame, person="nhs_number")
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from fractions import Fraction
from typing import Any, cast

from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.estimate import Estimate, Value
from fedstats.core.query import ROUNDS_MAX, Scope
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Announcing, Ask, Statistic
from fedstats.errors import FedstatsError, ValueInvalid
from fedstats.testing.fresh import steps_elsewhere
from fedstats.testing.inferring import Rows
from fedstats.testing.pool import Epsilon, Pool
from fedstats.testing.recording import SPOILED, Answer, Recorded, not_numbers, record, spoiled, without_one
from fedstats.testing.simulate import pool_of
from fedstats.testing.trial import Place, cells_of

FALSE_ALARM = 1e-6
COVERAGE = 0.95
_SHOWN_MAX = 3
_LITTLE_EPSILON = Fraction(1, 20)

Make = Callable[[], Statistic] | Statistic
Truth = Mapping[Place, float]
"""Numbers by (table, labels of the row's keys, column), instead of the statistic's answer without noise."""


class StatisticBroken(AssertionError):
    """A statistic broke promises; the text says which, one by one. `broken` has their names."""

    def __init__(self, name: str, problems: list[Problem], kept: list[str]) -> None:
        self.broken = tuple(dict.fromkeys(problem.promise for problem in problems))
        lines = [f"  {problem.promise}: {problem.sentence}" for problem in problems]
        held = f"It kept: {', '.join(kept)}." if kept else "Nothing else could be tried."
        super().__init__("\n".join([f"The statistic {name} broke what it promises:", *lines, held]))


@dataclass(frozen=True, slots=True)
class Problem:
    """A broken promise, and what was seen."""

    promise: str
    sentence: str


def check_statistic(  # noqa: PLR0913 # one parameter per choice
    make: Make,
    data: Rows | None = None,
    *,
    truth: Truth | None = None,
    pool: Pool | None = None,
    dataset: Dataset | None = None,
    person: str | None = None,
    by: str | None = None,
    departments: int = 3,
    epsilon: Epsilon = 4,
    repeats: int = 200,
    seed: int = 1,
    elsewhere: bool = True,
) -> None:
    """Return if a statistic keeps its promises on these rows; else raise with every one that it broke.

    - form: a frozen dataclass with name, version, rounds_max, dataset, condition and step;
    - purity: the same ask and history give the same step, and neither they nor its fields are changed;
    - fresh process: the same in a new process, where sets and hashes are ordered otherwise (`elsewhere`);
    - resumption: a new object goes on after any round, in any order, as the first one did;
    - loss: no more rounds than `rounds_max`, shares of at most 1 together, and later rounds within the scope
      that is signed with the first, whatever the totals were;
    - robustness: totals that are 0, negative or very large, and a department that refuses, give numbers and
      absences, never NaN and never an error;
    - disclosure: what says that it keeps to a profile says in its estimate that it did;
    - coverage: each noise interval holds the answer without noise (or `truth`) in 95 % of `repeats`. Columns
      that say something of the noisy numbers, such as p-values, are no estimates: `Table.derived` names them.

    Parameters
    ----------
    make
        Makes the statistic, as often as it is called; or a statistic, of which copies are made.
    data, dataset, person, by, departments
        Rows as `fedstats.simulate` takes them; or a `pool`, which tests of several statistics can share.
    truth
        The exact answers, where the statistic's own answer without noise is not what it estimates.
    epsilon, repeats, seed
        The loss, the repeats and the seed of the coverage check. A statistic whose intervals are right fails
        it once in a million data sets at most.

    Raises
    ------
    StatisticBroken
        An AssertionError that names each broken promise and what was seen.
    FedstatsError
        The question does not fit the data at all.

    """
    maker = _maker(make)
    if pool is None:
        if data is None:
            raise ValueInvalid("A statistic is checked on rows: give data=... or pool=...")
        pool = pool_of(
            maker(), data, departments=departments, dataset=dataset, person=person, by=by, seed=seed
        )
    problems, kept = [Problem("form", sentence) for sentence in _form(maker())], list[str]()
    if not problems:
        kept.append("form")
        ask = pool.ask(epsilon)
        recorded = _recorded(maker, ask, pool.noisy(maker(), ask, seed=seed))
        check = _Check(maker, pool, ask, repeats, seed, truth, recorded)
        for promise, tried in check.promises(elsewhere=elsewhere).items():
            if promise == "coverage" and problems:
                break  # it would only show in another way what is broken already
            found = [Problem(promise, sentence) for sentence in _first(tried)]
            problems += found
            kept += [] if found else [promise]
    if problems:
        raise StatisticBroken(getattr(maker(), "name", type(maker()).__name__), problems, kept)


def _recorded(maker: Callable[[], Statistic], ask: Ask, answer: Answer) -> Recorded:
    """The run that others are compared with; without one nothing else can be tried."""
    try:
        return record(maker(), ask, answer)
    except FedstatsError:
        raise
    except Exception as problem:
        said = f"With the totals of these rows it raised {type(problem).__name__}: {str(problem)[:200]}"
        raise StatisticBroken(maker().name, [Problem("robustness", said)], ["form"]) from problem


def _form(statistic: Any) -> Iterator[str]:  # noqa: ANN401 # whatever somebody takes for a statistic
    """What whoever runs it relies on before the first step."""
    kind = type(statistic)
    if not is_dataclass(statistic) or not cast("Any", kind).__dataclass_params__.frozen:
        yield f"{kind.__name__} is no frozen dataclass: write @dataclass(frozen=True, slots=True) above."
    for name, what in (("name", str), ("version", str), ("rounds_max", int), ("dataset", str)):
        if not isinstance(getattr(statistic, name, None), what):
            yield f"It has no {name}, which is of type {what.__name__}."
    for name in ("condition", "step"):
        if not callable(getattr(statistic, name, None)):
            yield f"It has no method {name}."
    rounds_max = getattr(statistic, "rounds_max", 1)
    if isinstance(rounds_max, int) and not 1 <= rounds_max <= ROUNDS_MAX:
        yield f"rounds_max lies between 1 and {ROUNDS_MAX:,}, and is {rounds_max}."


@dataclass(frozen=True, slots=True)
class _Check:
    """Every promise is a method that yields a sentence for each way in which it is broken."""

    make: Callable[[], Statistic]
    pool: Pool
    ask: Ask
    repeats: int
    seed: int
    truth: Truth | None
    recorded: Recorded
    tried: dict[str, Recorded | Exception] = field(default_factory=dict)

    def promises(self, *, elsewhere: bool) -> Mapping[str, Iterator[str]]:
        """All but the form, in an order in which the first broken one explains the others."""
        found = {"purity": self.purity(), "resumption": self.resumption()}
        if elsewhere:
            found["fresh process"] = self.fresh_process()
        found |= {"loss": self.loss(), "robustness": self.robustness(), "disclosure": self.disclosure()}
        return {**found, "coverage": self.coverage()}

    def purity(self) -> Iterator[str]:
        """The same from the same, and nothing changed on the way."""
        recorded = self.recorded
        statistic = self.make()
        for k, expected in enumerate(recorded.steps):
            fields_before = copy.deepcopy(_values(statistic))
            history, ask = copy.deepcopy(recorded.history[:k]), copy.deepcopy(recorded.ask)
            for time in ("the second", "the third"):
                if statistic.step(ask, history) != expected:
                    yield f"Step {k} says something else {time} time, from the same totals."
            if not _same_totals(history, recorded.history[:k]):
                yield f"Step {k} writes into the totals that it is given: work on a copy."
            if _values(statistic) != fields_before:
                yield f"Step {k} changes the statistic's own fields."
        if statistic.condition(self.pool.dataset) != statistic.condition(self.pool.dataset):
            yield "condition() says something else the second time."

    def resumption(self) -> Iterator[str]:
        """A new object at any round, as after a crash, where another question began meanwhile."""
        recorded = self.recorded
        for k in range(len(recorded.steps)):
            self.make().step(recorded.ask, ())
            if self.make().step(recorded.ask, recorded.history[:k]) != recorded.steps[k]:
                yield (
                    f"A new object that goes on after {k} of {len(recorded.history)} rounds says something "
                    "else: what it knows must come from its fields, ask and history alone."
                )

    def fresh_process(self) -> Iterator[str]:
        """A new process, in which hashes are seeded otherwise."""
        recorded = self.recorded
        (told,) = steps_elsewhere([(self.make(), recorded)])
        if isinstance(told, str):
            yield told
        elif told != recorded.steps:
            k = next(i for i, step in enumerate(recorded.steps) if told[i : i + 1] != (step,))
            yield f"Step {k} says something else in a new process: does it go through a set, or ask a clock?"

    def loss(self) -> Iterator[str]:
        """Rounds, shares and scope, for the totals of the rows and for made-up ones."""
        for words, recorded in self._runs():
            statistic = self.make()
            if isinstance(recorded, Exception):
                continue  # which is a breach of another promise
            if len(recorded.rounds) > statistic.rounds_max:
                yield (
                    f"With {words} it asks {len(recorded.rounds)} rounds or more, and rounds_max says "
                    f"{statistic.rounds_max}."
                )
            share = sum((order.normalised().share for order in recorded.rounds), Fraction(0))
            if share > 1:
                yield (
                    f"With {words} its rounds use {float(share):g} times the loss of the question: shares "
                    "add up to 1 at most."
                )
            yield from self._scope(words, statistic, recorded)

    def _scope(self, words: str, statistic: Statistic, recorded: Recorded) -> Iterator[str]:
        if not recorded.rounds:
            yield "It ends before it asked anything."
            return
        where = statistic.condition(self.pool.dataset)
        later = statistic.later(recorded.ask) if isinstance(statistic, Announcing) else ()
        scope = Scope.of((*recorded.rounds[0].normalised().aggregates, *later), where)
        for number, order in enumerate(recorded.rounds):
            try:
                scope.check(order.normalised().aggregates, where)
            except FedstatsError as problem:
                yield (
                    f"With {words}, round {number}: {problem.sentence} Announce it in later(ask), before "
                    "anything was seen."
                )

    def robustness(self) -> Iterator[str]:
        """Numbers or absences, whatever comes back."""
        for words, recorded in self._runs():
            if isinstance(recorded, Exception):
                yield f"With {words} it raised {type(recorded).__name__}: {str(recorded)[:200]}"
                continue
            last = recorded.steps[-1]
            if isinstance(last, Estimate):
                for sentence in _first(not_numbers(last), 1):
                    yield f"With {words}, {sentence}: say Absence(AbsenceReason.TOO_FEW) instead."

    def disclosure(self) -> Iterator[str]:
        """A statistic with discloses = True is asked under a profile."""
        if not getattr(self.make(), "discloses", False):
            return
        profile = next(p for p in DisclosureProfile if p is not DisclosureProfile.NONE)
        ask = replace(self.ask, disclosure=profile)
        last = record(self.make(), ask, lambda order: self.pool.result(self.make(), ask, order)).steps[-1]
        if isinstance(last, Estimate) and last.disclosure is not profile:
            yield (
                f"Asked under profile {profile.value}, its estimate says that it kept to "
                f"{last.disclosure.value}: give Estimate(..., disclosure=ask.disclosure)."
            )

    def coverage(self) -> Iterator[str]:
        """Noise intervals hold what they promise to hold, in as many repeats as they promise."""
        known = self.truth
        if known is None:
            exact = cells_of(self.pool.exact(self.make(), self.ask))
            known = {place: cell.value for place, cell in exact.items() if isinstance(cell, Value)}
        missed, absent = dict.fromkeys(known, 0), dict.fromkeys(known, 0)
        for estimate in self.pool.drawn(self.make(), self.ask, self.repeats, seed=self.seed):
            found = cells_of(estimate)
            for place, number in known.items():
                cell = found.get(place)
                if not isinstance(cell, Value):
                    absent[place] += 1
                elif not _holds(cell, number):
                    missed[place] += 1
        most = missed_max(self.repeats, cells=len(known))
        for place, count in missed.items():
            if count > most:
                table, key, column = place
                yield (
                    f"{'/'.join(map(str, (table, *key, column)))}: the noise interval missed the exact "
                    f"answer ({known[place]:g}) in {count} of {self.repeats - absent[place]} repeats, "
                    f"and may in {most} at most (false alarm: 1 in {1 / FALSE_ALARM:,.0f})."
                )

    def _runs(self) -> Iterator[tuple[str, Recorded | Exception]]:
        """A whole run over the totals of the rows and over each kind of made-up ones, or what it raised."""
        yield "the totals of these rows", self.recorded
        for words, answer in self._answers():
            if words not in self.tried:
                try:
                    self.tried[words] = record(self.make(), self.ask, answer)
                except Exception as problem:  # noqa: BLE001 # whatever a statistic of somebody else raises
                    self.tried[words] = problem
            yield words, self.tried[words]

    def _answers(self) -> Iterator[tuple[str, Answer]]:
        for words, how in SPOILED.items():
            yield words, spoiled(self.pool, self.make(), self.ask, how, self.seed)
        if len(self.ask.departments) > 1:
            yield "a department that refuses", without_one(self.pool, self.make(), self.ask)
        little = self.pool.ask(_LITTLE_EPSILON)
        yield (
            f"the noise of epsilon {float(_LITTLE_EPSILON):g}",
            self.pool.noisy(self.make(), little, seed=self.seed),
        )


def missed_max(repeats: int, *, cells: int) -> int:
    """How often a true 95 % interval may miss; more has probability 1e-6 at most over all cells."""
    chance, miss = FALSE_ALARM / max(1, cells), 1 - COVERAGE
    tail, most = 1.0, -1
    while tail > chance:
        most += 1
        tail -= math.exp(
            math.lgamma(repeats + 1)
            - math.lgamma(most + 1)
            - math.lgamma(repeats - most + 1)
            + most * math.log(miss)
            + (repeats - most) * math.log(COVERAGE)
        )
    return most


def _holds(cell: Value, number: float) -> bool:
    slack = 1e-9 * max(1.0, abs(number))  # the exact answer itself is a rounded float
    return cell.noise_interval.lo - slack <= number <= cell.noise_interval.hi + slack


def _maker(make: Make) -> Callable[[], Statistic]:
    if isinstance(make, type) or not hasattr(make, "step"):
        return cast("Callable[[], Statistic]", make)
    made = make
    return lambda: copy.deepcopy(cast("Statistic", made))


def _values(statistic: Statistic) -> dict[str, object]:
    return {field.name: getattr(statistic, field.name) for field in fields(cast("Any", statistic))}


def _same_totals(left: tuple[Any, ...], right: tuple[Any, ...]) -> bool:
    return all(
        bool((a == b).all())
        for one, other in zip(left, right, strict=True)
        for some, same in zip(one.total, other.total, strict=True)
        for a, b in zip(some, same, strict=True)
    )


def _first(sentences: Iterator[str], most: int = _SHOWN_MAX) -> list[str]:
    """The first few, distinct; one more says how many there are."""
    listed = list(dict.fromkeys(sentences))
    more = len(listed) - most
    return listed[:most] + ([f"... and {more} more of the kind."] if more > 0 else [])
