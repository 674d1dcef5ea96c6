"""Expressions, conditions and keys that a statistic takes as SQL text: the parts of a SELECT.

A statistic whose parameters are texts can be asked from a terminal and shown in the register as it was typed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlglot import exp

from fedstats.core.expression import Expression
from fedstats.core.schema import Dataset
from fedstats.errors import ExpressionInvalid, SqlRefused, TooLarge, ValueInvalid
from fedstats.sql.parse_aggregate import has_aggregate
from fedstats.sql.parse_keys import read_key
from fedstats.sql.parse_refusals import fragment_of
from fedstats.sql.parse_row import RowReader
from fedstats.sql.parse_text import read_select

T = TypeVar("T")


def expression_of(text: str, dataset: Dataset) -> Expression:
    """The expression over one row that the text is: a column, or something made of columns.

    Raises
    ------
    LanguageError
        It is outside the language, or does not fit the definition of the dataset.

    """
    return _read(text, dataset, lambda reader, node: reader.read(node))


def condition_of_text(text: str, dataset: Dataset) -> Expression | None:
    """The condition on rows that the text is, as after WHERE; None where it is empty.

    Raises
    ------
    LanguageError
        It is outside the language, no condition, or does not fit the definition of the dataset.

    """
    return _read(text, dataset, lambda reader, node: reader.read_condition(node)) if text.strip() else None


def key_of(text: str, dataset: Dataset) -> Expression | None:
    """The key that the text is, as in GROUP BY; None for the key `department`.

    Raises
    ------
    LanguageError
        It is outside the language, has no public values, or the agreement does not give it for grouping.

    """
    return _read(text, dataset, read_key)


def _read(text: str, dataset: Dataset, read: Callable[[RowReader, exp.Expr], T]) -> T:
    try:
        return read(RowReader(dataset, (dataset.name,)), _only_expression(text, dataset))
    except RecursionError:
        raise TooLarge("The SQL is too deeply nested.") from None
    except ValueInvalid as problem:
        raise ExpressionInvalid(problem.sentence) from None


def _only_expression(text: str, dataset: Dataset) -> exp.Expr:
    """The one thing that the text says; a text that goes on into FROM or WHERE says more than that."""
    select = read_select(f"SELECT {text}\nFROM {dataset.name}")
    said = {name for name, part in select.args.items() if part}
    source = select.args.get("from_")
    named = source.this.name if source is not None else ""
    if said != {"expressions", "from_"} or named != dataset.name or len(select.expressions) != 1:
        raise SqlRefused(
            f"{text[:60]!r} is more than one expression.", remedy="Write one, without AS or FROM."
        )
    node: exp.Expr = select.expressions[0]
    if isinstance(node, exp.Alias):
        raise SqlRefused(f"{fragment_of(node)}: a name has no place here.", remedy="Leave out AS.")
    if has_aggregate(node):
        raise SqlRefused(
            f"{fragment_of(node)}: this adds up rows, and what is asked for here is a value of one row.",
            remedy="Write what stands inside it.",
        )
    while isinstance(node, exp.Paren):
        node = node.args["this"]
    return node
