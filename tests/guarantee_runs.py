"""Queries with what departments answered to them, for tests of what is promised about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from practices import with_practice
from samples import DEPARTMENTS, NOW_S, sample_agreement, sample_query

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.agreement import Agreement, PrivacyTerms
from fedstats.core.bound import Bound
from fedstats.core.expression import Call, Column, Expression, NumberLiteral, Op
from fedstats.core.grid import Grid
from fedstats.core.guarantee import AnsweredRound, Run
from fedstats.core.privacy import Contribution, Mechanism, MechanismLoss
from fedstats.core.query import Scope
from fedstats.core.rules import open_delta_of
from fedstats.core.statistic import Round

CLAMPED = Call(Op.CLAMP, (Column("cost"), NumberLiteral(Fraction(0)), NumberLiteral(Fraction(100))))
THIRDS = (
    Measure(MeasureKind.ROWS, None, None, Fraction(1, 2)),
    Measure(MeasureKind.PEOPLE, None, None, Fraction(1, 3)),
    Measure(MeasureKind.SUM, CLAMPED, Grid(Fraction(50), Fraction(1, 4), 200), Fraction(1, 6)),
)


_ROWS = Bound.rows()


def agreement_of(departments_max: int = 2) -> Agreement:
    """The sample agreement, with an open key and both mechanisms."""
    both = (Mechanism.GAUSSIAN, Mechanism.LAPLACE)
    terms = PrivacyTerms(Fraction(8), Fraction(1, 10**6), Fraction(2), departments_max, both)
    return sample_agreement(datasets=(with_practice(),), privacy=terms)


def run_of(
    measures: tuple[Measure, ...] = THIRDS,
    *,
    keys: tuple[Expression, ...] = (Column("sex"),),
    mechanism: Mechanism = Mechanism.GAUSSIAN,
    amount: Fraction = Fraction(2**34, 2**40),
    departments_max: int = 2,
    cells_max: int = 2,
    shares: Iterable[Fraction] = (Fraction(1),),
    absent: tuple[str, ...] = (),
    bound: Bound = _ROWS,
) -> Run:
    """A run of one round for each share; the key `practice` is open and has a fifth of the loss."""
    agreement = agreement_of(departments_max)
    is_open = Column("practice") in keys
    threshold = Fraction(1, 5) if is_open else None
    if is_open:
        measures = tuple(replace(m, weight=m.weight * Fraction(4, 5)) for m in measures)
    asked = [Round((GroupedSums(keys, measures, threshold, bound),), share).normalised() for share in shares]
    query = sample_query(
        where=None,
        scope=Scope.of(asked[0].aggregates, None),
        loss=MechanismLoss(mechanism, amount, open_delta_of(agreement) if is_open else Fraction(0)),
        contribution=Contribution(3, cells_max, departments_max),
        rounds_max=len(asked),
    )
    releases = {name: name.encode().hex().ljust(64, "0") for name in DEPARTMENTS if name not in absent}
    values = ("a practice", "another") if is_open else ()
    return Run(
        agreement=agreement,
        agreement_hash="ab" * 32,
        query=query,
        query_hash="cd" * 32,
        asked_by="a.smith@north",
        asked_at_s=NOW_S,
        participants=DEPARTMENTS,
        rounds=tuple(AnsweredRound(r, releases, dict.fromkeys(absent, "FS-207"), values) for r in asked),
        software="fedstats 0.0",
        used_ppm=400_000,
    )
