"""Expressions, grids and aggregates between core and protobuf."""

from __future__ import annotations

from fractions import Fraction

from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.aggregate.tree import Tree
from fedstats.core.bound import Bound, BoundKind
from fedstats.core.expression import (
    DEPTH_MAX,
    Call,
    CategoryLiteral,
    Column,
    DateLiteral,
    Expression,
    NumberLiteral,
    Op,
)
from fedstats.core.grid import Grid
from fedstats.errors import MessageInvalid
from fedstats.wire.codec.strict import decode_strictly, to_bytes
from fedstats.wire.v1 import query_pb2

_OPS = {
    op.value: op for op in Op
}  # core numbers its operations as the wire does; a test holds the two together
_KINDS = {
    MeasureKind.ROWS: query_pb2.MEASURE_KIND_ROWS,
    MeasureKind.PEOPLE: query_pb2.MEASURE_KIND_PEOPLE,
    MeasureKind.SUM: query_pb2.MEASURE_KIND_SUM,
}
_KINDS_BACK = {number: kind for kind, number in _KINDS.items()}
_BOUNDS = {
    BoundKind.PEOPLE: query_pb2.BOUND_KIND_PEOPLE,
    BoundKind.NORM: query_pb2.BOUND_KIND_NORM,
}
_BOUNDS_BACK = {number: kind for kind, number in _BOUNDS.items()}


def encode_expression(expression: Expression) -> bytes:
    """The bytes of a tree, between a statistic's process and whoever asks."""
    return to_bytes(expression_to(expression))


def decode_expression(payload: bytes) -> Expression:
    """The tree in these bytes; raises MessageInvalid where they are not its canonical encoding."""
    return decode_strictly(payload, query_pb2.Expression, expression_from, expression_to)


def encode_aggregate(aggregate: Aggregate) -> bytes:
    """The bytes of an aggregate, between a statistic's process and whoever asks."""
    return to_bytes(aggregate_to(aggregate))


def decode_aggregate(payload: bytes) -> Aggregate:
    """The aggregate in these bytes; raises MessageInvalid where they are not its canonical encoding."""
    return decode_strictly(payload, query_pb2.Aggregate, aggregate_from, aggregate_to)


def rational_to(value: Fraction) -> query_pb2.Rational:
    """The wire form of an exact number; OverflowError becomes ValueError where it has more than 64 bits."""
    try:
        return query_pb2.Rational(numerator=value.numerator, denominator=value.denominator)
    except ValueError:
        raise MessageInvalid("A number needs more than 64 bits.") from None


def rational_from(message: query_pb2.Rational) -> Fraction:
    """The exact number; writing it again refuses what is not in lowest terms."""
    return Fraction(message.numerator, message.denominator)


def expression_to(expression: Expression) -> query_pb2.Expression:
    """The wire form of a tree."""
    if isinstance(expression, Column):
        return query_pb2.Expression(column=expression.name)
    if isinstance(expression, NumberLiteral):
        return query_pb2.Expression(number=rational_to(expression.value))
    if isinstance(expression, CategoryLiteral):
        return query_pb2.Expression(category=expression.label)
    if isinstance(expression, DateLiteral):
        return query_pb2.Expression(day=query_pb2.Day(days=expression.days))
    args = [expression_to(arg) for arg in expression.args]
    return query_pb2.Expression(call=query_pb2.Call(op=query_pb2.Op.Name(expression.op.value), args=args))


def expression_from(message: query_pb2.Expression, *, depth: int = 0) -> Expression:
    """The tree in a message, refused beyond the greatest depth before recursion can hurt."""
    if depth > DEPTH_MAX:
        raise MessageInvalid("An expression is too deeply nested.")
    kind = message.WhichOneof("node")
    if kind == "column":
        return Column(message.column)
    if kind == "number":
        return NumberLiteral(rational_from(message.number))
    if kind == "category":
        return CategoryLiteral(message.category)
    if kind == "day":
        return DateLiteral(message.day.days)
    if kind == "call":
        args = tuple(expression_from(arg, depth=depth + 1) for arg in message.call.args)
        if message.call.op not in _OPS:
            raise MessageInvalid("An expression has an operation that this version does not know.")
        return Call(_OPS[message.call.op], args)
    raise MessageInvalid("An expression is empty.")


def optional_to(expression: Expression | None) -> query_pb2.Expression | None:
    """The wire form of a tree that may be absent."""
    return None if expression is None else expression_to(expression)


def aggregate_to(aggregate: Aggregate) -> query_pb2.Aggregate:
    """The wire form of an aggregate."""
    return query_pb2.Aggregate(
        grouped_sums=query_pb2.GroupedSums(
            keys=[expression_to(key) for key in aggregate.keys],
            measures=[_measure_to(measure) for measure in aggregate.measures],
            threshold_weight=None
            if aggregate.threshold_weight is None
            else rational_to(aggregate.threshold_weight),
            bound=_bound_to(aggregate.bound),
            tree=_tree_to(aggregate.tree),
        )
    )


def aggregate_from(message: query_pb2.Aggregate) -> Aggregate:
    """The aggregate in a message."""
    if message.WhichOneof("kind") != "grouped_sums":
        raise MessageInvalid("The message asks for a kind of aggregate that this version does not know.")
    sums = message.grouped_sums
    return GroupedSums(
        keys=tuple(expression_from(key) for key in sums.keys),
        measures=tuple(_measure_from(measure) for measure in sums.measures),
        threshold_weight=rational_from(sums.threshold_weight) if sums.HasField("threshold_weight") else None,
        bound=_bound_from(sums.bound) if sums.HasField("bound") else Bound.rows(),
        tree=_tree_from(sums.tree) if sums.HasField("tree") else None,
    )


def _bound_to(bound: Bound) -> query_pb2.Bound | None:
    if bound.kind is BoundKind.ROWS:
        return None
    return query_pb2.Bound(kind=_BOUNDS[bound.kind], norm=bound.norm)


def _bound_from(message: query_pb2.Bound) -> Bound:
    if message.kind not in _BOUNDS_BACK:
        raise MessageInvalid("A message bounds a person in a way that this version does not know.")
    return Bound(_BOUNDS_BACK[message.kind], message.norm)


def _tree_to(tree: Tree | None) -> query_pb2.Tree | None:
    if tree is None:
        return None
    return query_pb2.Tree(key=expression_to(tree.key), bins=tree.bins, branching=tree.branching)


def _tree_from(message: query_pb2.Tree) -> Tree:
    return Tree(expression_from(message.key), message.bins, message.branching)


def _measure_to(measure: Measure) -> query_pb2.Measure:
    grid = measure.grid
    return query_pb2.Measure(
        kind=_KINDS[measure.kind],
        expression=optional_to(measure.expression),
        grid=None
        if grid is None
        else query_pb2.Grid(
            centre=rational_to(grid.centre), step=rational_to(grid.step), half_width=grid.half_width
        ),
        weight=rational_to(measure.weight),
    )


def _measure_from(message: query_pb2.Measure) -> Measure:
    if message.kind not in _KINDS_BACK:
        raise MessageInvalid("A measure has an unknown kind.")
    grid = None
    if message.HasField("grid"):
        grid = Grid(
            rational_from(message.grid.centre), rational_from(message.grid.step), message.grid.half_width
        )
    expression = expression_from(message.expression) if message.HasField("expression") else None
    return Measure(_KINDS_BACK[message.kind], expression, grid, rational_from(message.weight))
