"""GROUP BY: the keys, and which marginal totals ROLLUP, CUBE and GROUPING SETS ask for.

A total adds up the cells that are shown and costs nothing, so these ask the same of the nodes as the plain
keys do. In place of SQL's NULL, the row of a total says `all`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, product

from sqlglot import exp

from fedstats.core.aggregate.grouped_sums import KEYS_MAX, open_keys
from fedstats.core.expression import Expression
from fedstats.core.schema import DEPARTMENT_KEY
from fedstats.core.selection import KeyOutput
from fedstats.errors import SqlRefused, TooLarge
from fedstats.sql.parse_aggregate import has_aggregate
from fedstats.sql.parse_functions import is_histogram
from fedstats.sql.parse_keys import SelectColumn, read_named_key
from fedstats.sql.parse_refusals import check_parts, fragment_of
from fedstats.sql.parse_row import RowReader

SETS_MAX = 2 ** (KEYS_MAX + 1)
Nodes = tuple[exp.Expr, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """The keys in normal form (None: department), each with its SQL; `totals` are smaller sets of them."""

    keys: dict[Expression | None, exp.Expr] = field(default_factory=dict)
    totals: tuple[frozenset[Expression | None], ...] = ()

    def marginals(self, keys: Sequence[KeyOutput]) -> tuple[frozenset[int], ...]:
        """Which keys of SELECT, by position, each marginal total keeps."""
        places = {key.expression: i for i, key in enumerate(keys)}
        return tuple(frozenset(places[tree] for tree in kept) for kept in self.totals)


def read_grouping(reader: RowReader, group: exp.Group | None, columns: Sequence[SelectColumn]) -> Grouping:
    """What GROUP BY says. HISTOGRAM in SELECT is a key without being said there.

    Raises
    ------
    LanguageError
        A key is outside the language, or a total adds up cells that were not asked for.

    """
    sets = [()] if group is None else _sets_of_group(group)
    nodes = {id(node): _meant(reader, node, columns) for each in sets for node in each}
    trees = {place: read_named_key(reader, node).tree for place, node in nodes.items()}
    bins = [column.node for column in columns if is_histogram(column.node)]
    binned = {read_named_key(reader, node).tree: node for node in bins}
    keys = {trees[place]: node for place, node in nodes.items()} | binned
    _check_open(reader, keys)
    kept = dict.fromkeys(frozenset(trees[id(node)] for node in each) | set(binned) for each in sets)
    if frozenset(keys) not in kept:
        named = ", ".join(map(fragment_of, keys.values()))
        raise SqlRefused(
            "Totals add up the cells of all keys, and these are not among the sets.",
            remedy=f"Add ({named}) to GROUPING SETS, or write GROUP BY CUBE ({named}).",
        )
    return Grouping(keys, tuple(each for each in kept if each != frozenset(keys)))


def _check_open(reader: RowReader, keys: dict[Expression | None, exp.Expr]) -> None:
    opened = open_keys([tree for tree in keys if tree is not None], reader.dataset)
    if len(opened) > 1:
        raise SqlRefused(
            f"{' and '.join(key.name for key in opened)} are free text, and a question has one such key.",
            remedy="Ask for each as a question of its own.",
        )


def _sets_of_group(group: exp.Group) -> list[Nodes]:
    """Every set of keys that GROUP BY lists, the largest first: one, unless totals are asked for."""
    if group.args.get("all"):
        raise SqlRefused("GROUP BY ALL is not offered.", remedy="Name the keys.")
    check_parts(group, ("expressions", "rollup", "cube"))
    items = [_sets_of(node) for node in group.expressions]
    for name, kind in (("rollup", exp.Rollup), ("cube", exp.Cube)):  # GROUP BY a, b WITH ROLLUP
        if group.args.get(name):
            items = [_sets_of(kind(expressions=[node.copy() for node in group.expressions]))]
    count = 1
    for item in items:
        count *= len(item)
    if count > SETS_MAX:
        raise TooLarge(f"GROUP BY asks for more than {SETS_MAX} sets of keys.")
    return [tuple(node for part in parts for node in part) for parts in product(*items)]


def _sets_of(node: exp.Expr) -> list[Nodes]:
    if isinstance(node, exp.GroupingSets):
        check_parts(node, ("expressions",))
        return [each for part in node.expressions for each in _sets_of(part)]
    if not isinstance(node, exp.Rollup | exp.Cube):
        return [_together(node)]
    check_parts(node, ("expressions",))
    parts = [_together(part) for part in node.expressions]
    if len(parts) > KEYS_MAX + 1:
        raise TooLarge(f"A question has at most {KEYS_MAX} keys.")
    chosen = (
        [parts[:size] for size in range(len(parts), -1, -1)]
        if isinstance(node, exp.Rollup)
        else [list(some) for size in range(len(parts), -1, -1) for some in combinations(parts, size)]
    )
    return [tuple(node for part in some for node in part) for some in chosen]


def _together(node: exp.Expr) -> Nodes:
    """Keys in parentheses, which stay together."""
    if isinstance(node, exp.Tuple):
        check_parts(node, ("expressions",))
        return tuple(node.expressions)
    return (node,)


def _meant(reader: RowReader, node: exp.Expr, columns: Sequence[SelectColumn]) -> exp.Expr:
    """What GROUP BY means by a position or by a name that AS gave; a column of the dataset goes first."""
    if isinstance(node, exp.Paren):
        check_parts(node, ("this",))
        return _meant(reader, node.this, columns)
    if isinstance(node, exp.Literal) and not node.is_string:
        positions = {str(i + 1): column.node for i, column in enumerate(columns)}
        if node.name not in positions:
            raise SqlRefused(
                f"GROUP BY {node.name[:20]}: there is no column of that number.", remedy="Name the keys."
            )
        node = positions[node.name]
    elif isinstance(node, exp.Column) and not node.table:
        known = {column.name for column in reader.dataset.columns} | {DEPARTMENT_KEY}
        aliases = {column.name.lower(): column.node for column in columns}
        if node.name.lower() not in known:
            node = aliases.get(node.name.lower(), node)
    if has_aggregate(node):
        raise SqlRefused(
            f"GROUP BY {fragment_of(node)}: an aggregate is no key.",
            remedy="Group by columns, or by BAND(x, ...).",
        )
    return node
