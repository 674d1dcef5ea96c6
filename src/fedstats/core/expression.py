"""Expression trees: what a question may compute on one row, and nothing else.

A tree has four kinds of leaf and one kind of branch. Its meaning is given three times, and tests hold the
three together: `inference.domain_of` (which values it can have), `evaluation.evaluate` (its integer
reference) and `sql.render` (what an engine runs).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from fedstats.core.domain import DAY_MAX, DAY_MIN
from fedstats.core.names import check_identifier, check_label
from fedstats.errors import TooLarge, ValueInvalid

DEPTH_MAX = 24
NODES_MAX = 400
LITERAL_BITS_MAX = 62


class Op(Enum):
    """The closed set of operations; the values are the numbers on the wire and never change."""

    ADD = 1
    SUBTRACT = 2
    MULTIPLY = 3
    DIVIDE = 4
    NEGATE = 5
    ABS = 6
    FLOOR = 7
    LEAST = 8
    GREATEST = 9
    CLAMP = 10  # x, lo, hi
    BAND = 11  # x, cut, cut, ...: category by cut points
    EQUAL = 20
    LESS = 21
    LESS_EQUAL = 22
    AND = 30
    OR = 31
    NOT = 32
    IN = 33  # x, literal, literal, ...
    IS_NULL = 34
    COALESCE = 40
    CASE = 41  # condition, value, condition, value, ..., [else]
    TRUNCATE_WEEK = 50
    TRUNCATE_MONTH = 51
    TRUNCATE_YEAR = 52
    TRUNCATE_QUARTER = 53
    YEAR_OF = 54
    MONTH_OF = 55  # 1 to 12
    WEEKDAY_OF = 56  # Monday, 1, to Sunday, 7


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the dataset's definition."""

    name: str

    def __post_init__(self) -> None:
        """A name that is safe in SQL text and in a file name."""
        check_identifier(self.name, what="column")


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """An exact number."""

    value: Fraction

    def __post_init__(self) -> None:
        """Both parts fit the wire's 64-bit integers."""
        if max(self.value.numerator.bit_length(), self.value.denominator.bit_length()) > LITERAL_BITS_MAX:
            raise TooLarge("A number in the question has too many digits.")


@dataclass(frozen=True, slots=True)
class CategoryLiteral:
    """A label; inference refuses one that is not declared."""

    label: str

    def __post_init__(self) -> None:
        """A printable label."""
        check_label(self.label, what="category")


@dataclass(frozen=True, slots=True)
class DateLiteral:
    """A day, as days since 1970-01-01."""

    days: int

    def __post_init__(self) -> None:
        """Within the years that every database knows."""
        if not DAY_MIN <= self.days <= DAY_MAX:
            raise ValueInvalid("A date must lie between the years 54 and 9909.")


@dataclass(frozen=True, slots=True)
class Call:
    """An operation on other expressions."""

    op: Op
    args: tuple[Expression, ...]

    def __post_init__(self) -> None:
        """A tree that no reader, recursion or database stumbles over."""
        if not self.args:
            raise ValueInvalid("An operation needs something to work on.")
        if depth(self) > DEPTH_MAX or sum(1 for _ in walk(self)) > NODES_MAX:
            raise TooLarge("An expression is too long or too deeply nested.")


Expression = Column | NumberLiteral | CategoryLiteral | DateLiteral | Call
Literal = NumberLiteral | CategoryLiteral | DateLiteral


def walk(expression: Expression) -> Iterator[Expression]:
    """Every node of the tree, the root first."""
    yield expression
    if isinstance(expression, Call):
        for arg in expression.args:
            yield from walk(arg)


def depth(expression: Expression) -> int:
    """The number of nodes on the longest path from the root."""
    return 1 + max((depth(arg) for arg in expression.args), default=0) if isinstance(expression, Call) else 1


def columns_of(*expressions: Expression | None) -> frozenset[str]:
    """The names of all columns that the expressions read."""
    return frozenset(
        node.name
        for expression in expressions
        if expression is not None
        for node in walk(expression)
        if isinstance(node, Column)
    )


_COMMUTATIVE = {Op.ADD, Op.MULTIPLY, Op.EQUAL, Op.LEAST, Op.GREATEST, Op.AND, Op.OR}
_FLATTENED = {Op.AND, Op.OR}
_OPPOSITES = {Op.LESS: Op.LESS_EQUAL, Op.LESS_EQUAL: Op.LESS}


def normalise(expression: Expression) -> Expression:
    """The one tree that stands for all orders of writing the same thing, so that asking twice costs once.

    Arguments of commutative operations are sorted, AND and OR flattened and freed of repetitions, IN lists
    sorted, double negation dropped, NOT (a < b) turned into b <= a. Not every equality is found: one that is
    missed costs budget, not privacy.
    """
    if not isinstance(expression, Call):
        return expression
    op, args = expression.op, tuple(normalise(arg) for arg in expression.args)
    if op in _FLATTENED:
        inner = [
            part for arg in args for part in (arg.args if isinstance(arg, Call) and arg.op is op else (arg,))
        ]
        args = tuple(dict.fromkeys(inner))
        if len(args) == 1:
            return args[0]
    if op in _COMMUTATIVE:
        args = tuple(sorted(args, key=order_key))
    if op is Op.IN:
        args = (args[0], *sorted(dict.fromkeys(args[1:]), key=order_key))
        if len(args) == 2:  # noqa: PLR2004  # IN with one value
            return normalise(Call(Op.EQUAL, args))
    if op is Op.NOT:
        return _negation(args[0])
    return Call(op, args)


def _negation(arg: Expression) -> Expression:
    """NOT of a tree in normal form, in normal form; both sides of an order are missing at the same rows."""
    if isinstance(arg, Call) and arg.op is Op.NOT:
        return arg.args[0]
    if isinstance(arg, Call) and arg.op in _OPPOSITES:
        return Call(_OPPOSITES[arg.op], (arg.args[1], arg.args[0]))
    return Call(Op.NOT, (arg,))


def order_key(expression: Expression) -> tuple[object, ...]:
    """A total order of trees, for normal forms."""
    if isinstance(expression, Column):
        return (0, expression.name)
    if isinstance(expression, NumberLiteral):
        return (1, expression.value)
    if isinstance(expression, CategoryLiteral):
        return (2, expression.label)
    if isinstance(expression, DateLiteral):
        return (3, expression.days)
    return (4, expression.op.value, len(expression.args), *(order_key(arg) for arg in expression.args))
