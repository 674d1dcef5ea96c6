"""The statistic `crosstab`: counts by two keys, with shares, and whether the keys are independent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from fedstats.core.aggregate.grouped_sums import MeasureKind
from fedstats.core.disclosure import rule_of
from fedstats.core.domain import Texts
from fedstats.core.estimate import Estimate, Picture, PictureKind, Table, TableRow
from fedstats.core.expression import Expression
from fedstats.core.foresight import Foreseen
from fedstats.core.inference import domain_of
from fedstats.core.noise import noise_sd
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import DEPARTMENT_KEY, Dataset
from fedstats.core.selection import AggregateCall, AggregateKind, KeyOutput, Output, Selection
from fedstats.core.statistic import Ask, Round, RoundResult, Statistic
from fedstats.errors import ExpressionInvalid, ValueInvalid
from fedstats.sql.texts import condition_of_text, key_of
from fedstats.statistics import table
from fedstats.statistics._complete import complete, filled
from fedstats.statistics._crossed import Crossed, crossed

LEVEL, POWER = 0.05, 0.8
_COUNT = "count"
_SHARES = ("of row", "of column")
_COMPARED = ("expected", "residual")
_TESTED = ("chi-square", "degrees of freedom", "p-value", "Cramer's V")
_DERIVED = ("chi-square", "p-value")


@dataclass(frozen=True, slots=True)
class Crosstab:
    """Counts by two keys, their shares, and a chi-square test of independence that knows the noise.

    The counts are those of `SELECT row, column, COUNT(*) ... GROUP BY row, column`: asked before, they cost
    nothing. Rows and columns labelled `all` add them up. `expected` is what independent keys would give,
    `residual` how many standard deviations the count is from that, and the second table tests all of them
    together: the p-value takes the noise into account, so noise alone does not make it small.

    Example: fedstats run crosstab --dataset rtt --row sex --column status --epsilon 1
    """

    name: ClassVar[str] = "crosstab"
    version: ClassVar[str] = "1"
    rounds_max: ClassVar[int] = 1
    discloses: ClassVar[bool] = True
    dataset: str = field(metadata={"help": "What to ask about.", "metavar": "DATASET"})
    row: str = field(metadata={"help": "The key of the table's rows, as in GROUP BY.", "metavar": "KEY"})
    column: str = field(
        metadata={"help": "The key of the table's columns, as in GROUP BY.", "metavar": "KEY"}
    )
    by: tuple[str, ...] = field(
        default=(),
        metadata={"help": "Keys of which each combination has a table and a test.", "metavar": "KEY"},
    )
    where: str = field(
        default="", metadata={"help": "Which rows count, as after WHERE.", "metavar": "CONDITION"}
    )
    count: str = field(
        default="rows",
        metadata={
            "help": "What is counted: rows, or people (each once in a cell).",
            "metavar": "rows|people",
        },
    )
    missing: bool = field(
        default=False,
        metadata={"help": "Take missing values as one more value; else such rows are left out."},
    )

    def __post_init__(self) -> None:
        """What can be known without the dataset."""
        if self.count not in ("rows", "people"):
            raise ValueInvalid(f"A crosstab counts rows or people, and not {self.count[:40]!r}.")
        texts = [text.strip() for text in (*self.by, self.row, self.column)]
        if len(set(texts)) < len(texts) or not all(texts):
            raise ValueInvalid("The row, the column and the other keys of a crosstab are different keys.")

    def condition(self, dataset: Dataset) -> Expression | None:
        """The condition on rows; rows without a value of a key are left out unless they are asked for."""
        keys = [] if self.missing else [key for key in self._keys(dataset).values() if key is not None]
        return complete(condition_of_text(self.where, dataset), keys, dataset)

    def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
        """One round of counts, then both tables."""
        counts = self._counts(ask.dataset)
        found = counts.step(ask, history)
        return found if isinstance(found, Round) else self._estimate(ask, found, history[0])

    def foresee(self, ask: Ask) -> tuple[Foreseen, ...]:
        """Counts have one noise whatever they are; what is made of them has not."""
        del ask
        return (Foreseen(_COUNT, exact=False, counts=True),)

    def _keys(self, dataset: Dataset) -> dict[str, Expression | None]:
        """The keys by what they are called, the row and the column last; None is the department."""
        keys = {text: key_of(text, dataset) for text in (*self.by, self.row, self.column)}
        for text, key in keys.items():
            if key is not None and isinstance(domain_of(key, dataset), Texts):
                raise ExpressionInvalid(
                    f"{text[:60]} has no public list of values: those that are named are chosen for their "
                    "counts, which no test allows for.",
                    remedy="Group by something else, or ask for a table: fedstats query",
                )
        return keys

    def _counts(self, dataset: Dataset) -> table.Table:
        people = self.count == "people"
        if people and dataset.unit.kind is UnitKind.ROW:
            raise ExpressionInvalid(
                f"{dataset.name} knows records and no people.", remedy="Leave out --count people."
            )
        call = AggregateCall(AggregateKind.COUNT_PEOPLE if people else AggregateKind.COUNT_ROWS)
        keys = tuple(
            KeyOutput(_shown(text), key if key is None or self.missing else filled(key, dataset))
            for text, key in self._keys(dataset).items()
        )
        selection = Selection(dataset.name, keys, (Output(_COUNT, call),), self.condition(dataset))
        return table.Table(selection, totals=True)

    def _estimate(self, ask: Ask, found: Estimate, result: RoundResult) -> Estimate:
        counts, keys = found.tables[0], found.tables[0].keys
        groups = crossed(counts, len(self.by), self._noise_variance(ask, result))
        tables = (
            Table(
                name="crosstab",
                keys=keys,
                columns=(_COUNT, *_SHARES),
                rows=tuple(row for key, group in groups.items() for row in group.counted(key)),
                counts=(_COUNT,),
                picture=Picture(PictureKind.BARS, _SHARES[0], label=keys[-1], series=keys[-2]),
            ),
            Table(
                name="independence",
                keys=keys,
                columns=_COMPARED,
                rows=tuple(row for key, group in groups.items() for row in group.compared(key)),
                picture=Picture(PictureKind.INTERVALS, _COMPARED[1], label=keys[-1], series=keys[-2]),
            ),
            Table(
                name="test",
                keys=keys[:-2],
                columns=_TESTED,
                rows=tuple(TableRow(key, group.tested()) for key, group in groups.items()),
                picture=Picture(PictureKind.INTERVALS, _TESTED[3]),
                derived=_DERIVED,
            ),
        )
        notes = (*found.notes, *self._notes(ask.dataset, list(groups.values())))
        return Estimate(tables, notes, disclosure=ask.disclosure)

    def _noise_variance(self, ask: Ask, result: RoundResult) -> float:
        """Of one cell: its noises, and what disclosure control adds where it rounds whole numbers."""
        kind = MeasureKind.PEOPLE if self.count == "people" else MeasureKind.ROWS
        aggregate = result.round.aggregates[0]
        position = next(i for i, measure in enumerate(aggregate.measures) if measure.kind is kind)
        single = DEPARTMENT_KEY in (*self.by, self.row, self.column)
        scale, noises = result.scales[0][position], 1 if single else result.noises
        rule = rule_of(ask.disclosure)
        rounding = 0.0 if rule is None else (rule.multiple**2 - 1) / 12
        return noise_sd(ask.loss.mechanism, scale, noises) ** 2 + rounding

    def _notes(self, dataset: Dataset, groups: Sequence[Crossed]) -> Iterator[str]:
        keys = [key for key in self._keys(dataset).values() if key is not None]
        if not self.missing and any(domain_of(key, dataset).nullable for key in keys):
            yield "Rows in which a key is missing are left out; --missing counts them as one more value."
        yield (
            "The test is the minimum chi-square with the variance of the noise added (Kifer and Rogers "
            "2017): its p-value takes the noise into account."
        )
        if dataset.rows_max > 1:
            yield (
                f"A person may be in up to {dataset.rows_max} rows, and the test takes every count for "
                "another person: where many are counted several times, p-values are too small."
            )
        known = groups[0].independence() if len(groups) == 1 else None
        if known is not None and known.testable:
            best, worst = known.found_from(POWER, LEVEL)
            rare = f"about {worst:.2g} or more" if worst < 1 else "none for sure"
            yield (
                f"At the level of {100 * LEVEL:g} %, {100 * POWER:g} of 100 such releases would show a "
                f"Cramer's V of about {best:.2g} or more where frequent combinations are not as "
                f"independence has them; where rare ones are not, {rare}."
            )


def _shown(text: str) -> str:
    """What a key is called in the answer: its text, on one line."""
    return " ".join(text.split())


STATISTIC: type[Statistic] = Crosstab
