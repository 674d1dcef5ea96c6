"""Selections: what a SELECT asks for after the rows are added up, whatever language it was written in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from fedstats.core.expression import DEPTH_MAX, NODES_MAX, Expression, NumberLiteral, Op, normalise
from fedstats.core.histogram import Bins
from fedstats.core.names import check_identifier, check_label
from fedstats.errors import TooLarge, ValueInvalid

OUTPUTS_MAX = 64
ARITHMETIC = (Op.ADD, Op.SUBTRACT, Op.MULTIPLY, Op.DIVIDE)


class AggregateKind(Enum):
    """What is asked about the rows of a cell."""

    COUNT_ROWS = "count rows"
    COUNT_PEOPLE = "count people"
    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    SHARE = "share"
    VAR_SAMP = "variance"
    STDDEV_SAMP = "standard deviation"
    QUANTILE = "quantile"


VARIANCES = (AggregateKind.VAR_SAMP, AggregateKind.STDDEV_SAMP)


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """One aggregate of one expression; rows where the expression is missing are left out.

    COUNT_ROWS has no argument, COUNT_PEOPLE may have one that must not be missing, SHARE has a condition.
    `auto`: the bounds of what is added up are chosen from a noisy histogram first.
    QUANTILE is the least value that a `share` of the rows does not exceed.
    """

    kind: AggregateKind
    argument: Expression | None = None
    auto: bool = False
    share: Fraction | None = None

    def __post_init__(self) -> None:
        """Only counts of everybody go without an argument, and a quantile has a share."""
        if (self.kind is AggregateKind.QUANTILE) != (self.share is not None):
            raise ValueInvalid("A quantile has a share, and nothing else has one.")
        if self.share is not None and not 0 < self.share < 1:
            raise ValueInvalid("A quantile lies above 0 and below 1: at the ends it is the value of one row.")
        if self.argument is not None and self.kind is AggregateKind.COUNT_ROWS:
            raise ValueInvalid("A count of all rows has no argument.")
        if self.argument is None and self.kind not in (AggregateKind.COUNT_ROWS, AggregateKind.COUNT_PEOPLE):
            raise ValueInvalid(f"The aggregate {self.kind.value} needs an argument.")


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A sum, difference, product or ratio of aggregates."""

    op: Op
    left: Formula
    right: Formula

    def __post_init__(self) -> None:
        """One of the four operations, no deeper and no longer than an expression may be."""
        if self.op not in ARITHMETIC:
            raise ValueInvalid("Between aggregates stand only + - * and /.")
        if height(self) > DEPTH_MAX or sum(1 for _ in parts(self)) > NODES_MAX:
            raise TooLarge("A formula of aggregates is too long or too deeply nested.")


Formula = AggregateCall | NumberLiteral | Arithmetic


@dataclass(frozen=True, slots=True)
class KeyOutput:
    """A key and the name of its column; `expression` is None for the key `department`.

    `labels` name the cells in the order of their codes, where these are not named by the values themselves;
    `bins` are those of a histogram.
    """

    name: str
    expression: Expression | None
    labels: tuple[str, ...] = ()
    bins: Bins | None = None

    def __post_init__(self) -> None:
        """A printable name."""
        check_label(self.name, what="column of the answer")


@dataclass(frozen=True, slots=True)
class Output:
    """A number per cell and the name of its column."""

    name: str
    formula: Formula

    def __post_init__(self) -> None:
        """A printable name, and something that was aggregated."""
        check_label(self.name, what="column of the answer")
        if not any(isinstance(part, AggregateCall) for part in parts(self.formula)):
            raise ValueInvalid(f"The column {self.name!r} holds no aggregate.")


@dataclass(frozen=True, slots=True)
class Selection:
    """One question: keys and outputs in the order in which they were written, and the condition on rows.

    `marginals` are the totals that it asks for beside its cells: for each, the positions of the keys that it
    keeps.
    """

    dataset: str
    keys: tuple[KeyOutput, ...]
    outputs: tuple[Output, ...]
    where: Expression | None = None
    marginals: tuple[frozenset[int], ...] = ()

    def __post_init__(self) -> None:
        """At least one output, every column of the answer named once and every key given once."""
        check_identifier(self.dataset, what="dataset")
        if not 1 <= len(self.outputs) <= OUTPUTS_MAX:
            raise TooLarge(f"A question asks for between 1 and {OUTPUTS_MAX} aggregates.")
        names = [key.name for key in self.keys] + [output.name for output in self.outputs]
        if len(set(names)) != len(names):
            raise ValueInvalid("Two columns of the answer have the same name. Name one with AS.")
        trees = [None if key.expression is None else normalise(key.expression) for key in self.keys]
        if len(set(trees)) != len(trees):
            raise ValueInvalid("A key is given twice.")

    @property
    def by_department(self) -> bool:
        """Whether the answer has a row per department."""
        return any(key.expression is None for key in self.keys)


def parts(formula: Formula) -> Iterator[Formula]:
    """Every node of the formula, the root first."""
    yield formula
    if isinstance(formula, Arithmetic):
        yield from parts(formula.left)
        yield from parts(formula.right)


def height(formula: Formula) -> int:
    """The number of nodes on the longest path from the root."""
    if isinstance(formula, Arithmetic):
        return 1 + max(height(formula.left), height(formula.right))
    return 1


def aggregate_calls(formula: Formula) -> tuple[AggregateCall, ...]:
    """The aggregates of a formula, in the order of writing, repetitions included."""
    return tuple(part for part in parts(formula) if isinstance(part, AggregateCall))
