"""The statistic `quantiles`: any quantiles of a number or a date, by group, from one tree of counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

from fedstats.core import estimate
from fedstats.core.domain import Dates
from fedstats.core.estimate import Estimate, Picture, PictureKind, TableRow
from fedstats.core.expression import Call, DateLiteral, Expression, Op
from fedstats.core.foresight import Foreseen
from fedstats.core.inference import domain_of
from fedstats.core.schema import Dataset
from fedstats.core.selection import OUTPUTS_MAX, AggregateCall, AggregateKind, KeyOutput, Output, Selection
from fedstats.core.statistic import Ask, Round, RoundResult, Statistic
from fedstats.errors import ValueInvalid
from fedstats.sql.texts import condition_of_text, expression_of, key_of
from fedstats.statistics.table import Table

_SHARE_DIGITS = 6
_SHARE = "share"


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Any quantiles of a number or a date, by group: all from one release, and all others of it are free.

    The quantile at 0.9 is the least value that nine in ten rows do not exceed. Rows are counted at every
    level of a tree over the values, and the levels are made to agree: at epsilon 1 a quantile is off by about
    20 rows, however many rows there are. Values are native steps where there are at most 4,096 of them, else
    bins; dates are counted in days from the first that the definition allows.

    Source: Hay, Rastogi, Miklau and Suciu 2010; Honaker 2015.

    Example: fedstats run quantiles --dataset rtt --column wait_days --q 0.5,0.92 --by sex --epsilon 1
    """

    name: ClassVar[str] = "quantiles"
    version: ClassVar[str] = "1"
    rounds_max: ClassVar[int] = 1
    discloses: ClassVar[bool] = True
    dataset: str = field(metadata={"help": "What to ask about.", "metavar": "DATASET"})
    column: str = field(
        metadata={"help": "Of what: a column, or an expression of numbers.", "metavar": "EXPRESSION"}
    )
    q: tuple[float, ...] = field(
        default=(0.25, 0.5, 0.75),
        metadata={
            "help": "Which quantiles, above 0 and below 1; others of the same release are free.",
            "metavar": "SHARE",
            "free": True,
        },
    )
    by: tuple[str, ...] = field(
        default=(), metadata={"help": "Keys of which each combination has its quantiles.", "metavar": "KEY"}
    )
    where: str = field(
        default="", metadata={"help": "Which rows count, as after WHERE.", "metavar": "CONDITION"}
    )

    def __post_init__(self) -> None:
        """What can be known without the dataset."""
        if not 1 <= len(self.q) <= OUTPUTS_MAX or len(set(self.q)) != len(self.q):
            sentence = f"Ask for 1 to {OUTPUTS_MAX} different quantiles at a time."
            raise ValueInvalid(sentence, remedy="More of the same release cost nothing: --from JOB --q ...")
        for share in self.q:
            if not 10**-_SHARE_DIGITS <= share <= 1 - 10**-_SHARE_DIGITS:
                sentence = f"There is no quantile at {share:g}: shares lie above 0 and below 1, as 0.5 does."
                raise ValueInvalid(sentence, remedy="At the ends it would be the value of one row.")

    def condition(self, dataset: Dataset) -> Expression | None:
        """The condition on rows."""
        return condition_of_text(self.where, dataset)

    def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
        """One round of counts, then the quantiles.

        Raises
        ------
        LanguageError
            The column has no order, or a key does not go with it.

        """
        found = self._table(ask.dataset).step(ask, history)
        return found if isinstance(found, Round) else self._estimate(found, ask.dataset)

    def foresee(self, ask: Ask) -> tuple[Foreseen, ...]:
        """How wide intervals are depends on how close values lie."""
        return (Foreseen(self._shown(ask.dataset), exact=False, counts=False),)

    def support_share(self, ask: Ask) -> Fraction:
        """The part of the loss that counts who stands behind the numbers, for disclosure control alone."""
        return self._table(ask.dataset).support_share(ask)

    def _table(self, dataset: Dataset) -> Table:
        """The same as a table with one column for each quantile."""
        expression = expression_of(self.column, dataset)
        domain = domain_of(expression, dataset)
        if isinstance(domain, Dates):
            expression = Call(Op.SUBTRACT, (expression, DateLiteral(domain.lo)))
        keys = tuple(KeyOutput(" ".join(text.split()), key_of(text, dataset)) for text in self.by)
        outputs = tuple(
            Output(
                f"{share:g}",
                AggregateCall(AggregateKind.QUANTILE, expression, share=_exact(share)),
            )
            for share in self.q
        )
        return Table(Selection(dataset.name, keys, outputs, self.condition(dataset)))

    def _shown(self, dataset: Dataset) -> str:
        """What the numbers are."""
        column = " ".join(self.column.split())
        domain = domain_of(expression_of(self.column, dataset), dataset)
        return f"{column} in days from {domain.label(domain.lo)}" if isinstance(domain, Dates) else column

    def _estimate(self, found: Estimate, dataset: Dataset) -> Estimate:
        (wide,) = found.tables
        value, last = self._shown(dataset), next(iter(wide.keys), None)
        table = estimate.Table(
            name="quantiles",
            keys=(*wide.keys, _SHARE),
            columns=(value,),
            rows=tuple(_rows(wide)),
            picture=Picture(PictureKind.CURVE, value, label=_SHARE, series=last),
        )
        return Estimate((table,), found.notes, disclosure=found.disclosure)


def _exact(share: float) -> Fraction:
    """The share as it was typed."""
    return Fraction(share).limit_denominator(10**_SHARE_DIGITS)


def _rows(wide: estimate.Table) -> Iterator[TableRow]:
    """One row for each quantile."""
    for row in wide:
        for share, cell in zip(wide.columns, row.cells, strict=True):
            yield TableRow((*row.key, share), (cell,), row.named_by, row.total)


STATISTIC: type[Statistic] = Quantiles
