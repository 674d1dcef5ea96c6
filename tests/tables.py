"""Questions about a few people of three departments, answered from exact totals with any noise added."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import numpy as np
from strategies import DATASET, definitions

from fedstats.core.aggregate.grouped_sums import MeasureKind
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.estimate import Estimate, Refusal, Value
from fedstats.core.evaluation import Row
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Ask, Mode, Round, RoundResult, Vectors
from fedstats.statistics.table import Table as TableStatistic

People = list[list[Row]]
DEPARTMENTS = ("north", "south", "west")
NO_NOISE = Fraction(1, 1024)
WAIT = DATASET.column("wait_days").domain
COST = DATASET.column("cost").domain


def asked(
    dataset: Dataset = DATASET,
    *,
    mode: Mode = Mode.LOCAL,
    departments_max: int = 2,
    disclosure: DisclosureProfile = DisclosureProfile.NONE,
) -> Ask:
    """What a session would tell the statistic."""
    return Ask(
        dataset=dataset,
        loss=MechanismLoss(Mechanism.GAUSSIAN, Fraction(1, 40)),
        contribution=dataset.contribution(departments_max=departments_max),
        departments=DEPARTMENTS,
        mode=mode,
        disclosure=disclosure,
    )


def first_round(text: str, ask: Ask | None = None) -> Round:
    """The round that a question asks for."""
    found = TableStatistic.from_sql(text, definitions).step(ask or asked(), [])
    assert isinstance(found, Round)
    return found


def measures(text: str) -> set[tuple[MeasureKind, object, object]]:
    """The measures that a question needs, without their shares of the loss."""
    (aggregate,) = first_round(text).aggregates
    assert len({measure.weight for measure in aggregate.measures}) == 1
    return {(measure.kind, measure.expression, measure.grid) for measure in aggregate.measures}


def _no_noise(_position: int) -> int:
    return 0


def answered(
    text: str,
    people: Mapping[str, People],
    *,
    scale: Fraction = NO_NOISE,
    ask: Ask | None = None,
    noise: Callable[[int], int] = _no_noise,
    totals: bool = False,
) -> Estimate:
    """The estimate from departments' exact totals, with the claimed scale and the noise that is added."""
    ask = ask or asked()
    statistic = TableStatistic.from_sql(text, definitions, totals=totals)
    order = first_round(text, ask)
    (aggregate,) = order.aggregates
    each: dict[str, Vectors] = {
        name: (aggregate.reference(those, ask.dataset, statistic.condition(ask.dataset)).vectors,)
        for name, those in people.items()
    }
    total = tuple(
        sum(vectors[0][i] for vectors in each.values()) + noise(i) for i in range(len(aggregate.measures))
    )
    result = RoundResult(
        round=order,
        total=(tuple(np.asarray(vector) for vector in total),),
        scales=((scale,) * len(aggregate.measures),),
        noises=len(people),
        by_department=each if ask.mode is Mode.LOCAL else None,
        absent={
            name: Refusal(name, "FS-206", "The department has paused answering.")
            for name in DEPARTMENTS
            if name not in people
        },
    )
    estimate = statistic.step(ask, [result])
    assert isinstance(estimate, Estimate)
    return estimate


def cells(estimate: Estimate) -> dict[tuple[str | None, ...], tuple[object, ...]]:
    """Key to numbers (or absences) of the one table."""
    (table,) = estimate.tables
    return {row.key: tuple(c.value if isinstance(c, Value) else c for c in row.cells) for row in table}


def row(**codes: int | None) -> Row:
    """A row with these codes and plain values elsewhere."""
    plain: dict[str, int | None] = {
        "age": 40, "wait_days": 100, "cost": 400, "score": 0, "sex": 0, "specialty": 0,
        "started": 20100, "ended": 20110, "booked_week": None, "urgent": 0, "admitted": 1,
    }  # fmt: skip
    return {**plain, **codes}


PEOPLE: dict[str, People] = {
    "north": [[row(wait_days=100), row(wait_days=200, sex=1)], [row(wait_days=None, urgent=1)]],
    "south": [[row(wait_days=0, sex=1, cost=None)], [row(wait_days=1000, admitted=None)]],
    "west": [[row(specialty=None, age=0)], [row(specialty=3, age=120, cost=-200)]],
}
ROWS = [r for those in PEOPLE.values() for rows_of_one in those for r in rows_of_one]
