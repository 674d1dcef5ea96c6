"""Keys of a question: the columns of SELECT that are no aggregates, and what each groups by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from fedstats.core.domain import Numbers, Texts, Truth, cells_of
from fedstats.core.expression import Expression, columns_of, normalise
from fedstats.core.inference import domain_of
from fedstats.core.names import LABEL_CHARACTERS_MAX, check_label
from fedstats.core.schema import DEPARTMENT_KEY
from fedstats.core.selection import KeyOutput
from fedstats.errors import SqlRefused
from fedstats.sql.parse_aggregate import has_aggregate
from fedstats.sql.parse_functions import histogram_bins, is_histogram
from fedstats.sql.parse_refusals import check_parts, fragment_of, placed, refusal_of
from fedstats.sql.parse_row import RowReader


class SelectColumn:
    """One column of the answer as it was written, and whether it is an aggregate or a key."""

    def __init__(self, node: exp.Expr) -> None:
        """Take the name that AS gives it, or the SQL itself."""
        aliased = isinstance(node, exp.Alias)
        if aliased:
            check_parts(node, ("this", "alias"))
        self.node: exp.Expr = node.this if aliased else node
        self.aggregated = has_aggregate(self.node)
        self.name = node.alias if aliased else _shown(self.node)


def _shown(node: exp.Expr) -> str:
    """The name of a column without AS: its SQL."""
    if isinstance(node, exp.Column):
        return node.name.lower()[:LABEL_CHARACTERS_MAX]
    return fragment_of(node)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it was read: the tree in normal form (None: department), and names of its numbers 0, 1, ..."""

    tree: Expression | None
    labels: tuple[str, ...] = ()


def read_key(reader: RowReader, node: exp.Expr) -> Expression | None:
    """The key in normal form, None for the department.

    Raises
    ------
    LanguageError
        It has no public values to list, or the agreement does not give its columns for grouping.

    """
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Column) and reader.column_name(node) == DEPARTMENT_KEY:
        return None
    expression = reader.read(node)
    names = columns_of(expression)
    if not names:
        raise SqlRefused(f"{fragment_of(node)}: a key needs a column.", remedy="Leave it out.")
    for name in sorted(names):
        if not reader.dataset.column(name).as_key:
            raise SqlRefused(
                f"{fragment_of(node)}: {name} may not be used in GROUP BY in {reader.dataset.name}.",
                remedy="Use it in WHERE or inside an aggregate.",
            )
    with placed(node):
        domain = domain_of(expression, reader.dataset)
        if not isinstance(domain, Texts):
            cells_of(domain)
    return normalise(expression)


def read_named_key(reader: RowReader, node: exp.Expr) -> Key:
    """The same, where a CASE may give its cells names of its own: CASE WHEN age < 18 THEN 'child' ... END.

    Nodes are asked for a number in place of each name, and the answer shows the names: they are no values
    that rows have, so they need not be declared.
    """
    while isinstance(node, exp.Paren):
        node = node.this
    named = _named_values(node)
    if not named:
        return Key(read_key(reader, node))
    labels = list(dict.fromkeys(value.name for value in named))
    with placed(node):
        for label in labels:
            check_label(label, what="name of a cell")
    numbered = node.copy()
    for value in _named_values(numbered):
        value.replace(exp.Literal.number(labels.index(value.name)))
    return Key(read_key(reader, numbered), tuple(labels))


def _named_values(node: exp.Expr) -> list[exp.Literal]:
    """The values of a CASE or IF whose every value is a written text; none of any other."""
    if not isinstance(node, exp.Case | exp.If):
        return []
    branches = node.args["ifs"] if isinstance(node, exp.Case) else [node]
    default = node.args.get("default" if isinstance(node, exp.Case) else "false")
    values = [branch.args["true"] for branch in branches]
    values += [] if default is None or isinstance(default, exp.Null) else [default]
    named = [value for value in values if isinstance(value, exp.Literal) and value.is_string]
    return named if len(named) == len(values) else []


def key_output(reader: RowReader, column: SelectColumn, grouped: Sequence[Expression | None]) -> KeyOutput:
    """The key that a column of SELECT shows, which must be one of those that are grouped by."""
    node = column.node
    if isinstance(node, exp.Star):
        raise refusal_of(node)
    key = read_named_key(reader, node)
    if key.tree not in grouped:
        countable = (
            isinstance(domain_of(reader.read(node), reader.dataset), Numbers | Truth)
            if key.tree and not key.labels
            else False
        )
        inside = f", or put it inside an aggregate: AVG({fragment_of(node)})" if countable else ""
        raise SqlRefused(
            f"{fragment_of(node)} would show values of rows.", remedy=f"Add it to GROUP BY{inside}."
        )
    bins = histogram_bins(reader, node) if is_histogram(node) else None
    return KeyOutput(column.name, key.tree, key.labels if bins is None else bins.labels, bins)


def check_all_selected(grouped: dict[Expression | None, exp.Expr], keys: Sequence[KeyOutput]) -> None:
    """Refuse a key of GROUP BY that SELECT does not show."""
    shown = {key.expression for key in keys}
    for tree, node in grouped.items():
        if tree not in shown:
            raise SqlRefused(
                f"The key {fragment_of(node)} is not in SELECT, so its cells could not be told apart.",
                remedy="Add it to SELECT.",
            )
