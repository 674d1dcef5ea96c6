"""From SQL text to a selection: the closed subset of SQL that can be answered with bounded privacy loss.

    SELECT keys and aggregates FROM one dataset [WHERE condition] [GROUP BY keys]

Whatever is outside it is refused with a sentence that says what to write instead. Nothing of the text is ever
run: what comes out are core trees, and `render` writes new SQL from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from fedstats.core.aggregate.grouped_sums import open_keys
from fedstats.core.domain import Numbers, Texts, Truth, cells_of
from fedstats.core.expression import Expression, columns_of, normalise
from fedstats.core.inference import domain_of
from fedstats.core.names import LABEL_CHARACTERS_MAX
from fedstats.core.schema import DEPARTMENT_KEY, Dataset
from fedstats.core.selection import KeyOutput, Output, Selection
from fedstats.errors import ExpressionInvalid, SqlRefused, TooLarge, ValueInvalid
from fedstats.sql.parse_aggregate import has_aggregate, read_formula
from fedstats.sql.parse_refusals import CLAUSES, check_parts, fragment_of, placed, refusal_of
from fedstats.sql.parse_row import RowReader
from fedstats.sql.parse_text import read_select


def parse(text: str, definitions: Callable[[str], Dataset]) -> Selection:
    """The question that `text` asks; `definitions` gives the dataset of a name.

    Raises
    ------
    SqlUnreadable
        The text is not SQL; the sentence says where.
    SqlRefused
        It is SQL outside the language; the error says what to write instead.
    ExpressionInvalid
        Types do not fit, or a literal is outside the declared values.
    NameUnknown
        There is no such dataset or column.
    TooLarge
        The text, a number or a key is too large.

    """
    try:
        return _selection(read_select(text), definitions)
    except RecursionError:
        raise TooLarge("The SQL is too deeply nested.") from None
    except ValueInvalid as problem:
        raise ExpressionInvalid(problem.sentence) from None


def _selection(select: exp.Select, definitions: Callable[[str], Dataset]) -> Selection:
    for clause, (sentence, instead) in CLAUSES.items():
        if select.args.get(clause):
            raise SqlRefused(sentence, remedy=instead)
    check_parts(select, ("expressions", "from_", "where", "group"))
    reader = _reader(select, definitions)
    where = select.args.get("where")
    condition = None if where is None else _condition(reader, where.this)
    columns = [_SelectColumn(node) for node in select.expressions]
    grouped = _grouped(reader, select.args.get("group"), columns)
    keys = [_key(reader, column, grouped) for column in columns if not column.aggregated]
    _check_all_selected(grouped, keys)
    outputs = [Output(c.name, read_formula(reader, c.node)) for c in columns if c.aggregated]
    if not outputs:
        raise SqlRefused(
            "The question asks for no aggregate, and rows are never shown.",
            remedy="Ask for COUNT(*), SUM(x), AVG(x) or SHARE(condition).",
        )
    return Selection(reader.dataset.name, tuple(keys), tuple(outputs), condition)


def _reader(select: exp.Select, definitions: Callable[[str], Dataset]) -> RowReader:
    source = select.args.get("from_")
    if source is None:
        raise SqlRefused("The question names no dataset.", remedy="Write FROM and its name.")
    check_parts(source, ("this",))
    table = source.this
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        raise SqlRefused(
            f"FROM {fragment_of(table)}: FROM takes the name of one dataset.", remedy="See: fedstats datasets"
        )
    check_parts(table, ("this", "alias"))
    alias = table.args.get("alias")
    if alias is not None:
        check_parts(alias, ("this",))
    dataset = definitions(table.name.lower())
    return RowReader(dataset, {dataset.name, table.alias.lower()} - {""})


def _condition(reader: RowReader, node: exp.Expr) -> Expression:
    if has_aggregate(node):
        raise SqlRefused(
            f"{fragment_of(node)}: WHERE looks at one row, where nothing is added up yet.",
            remedy="Every public cell is answered; keep the ones you want in the answer.",
        )
    return reader.read_condition(node)


class _SelectColumn:
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


Grouped = dict[Expression | None, exp.Expr]
"""The keys of GROUP BY in normal form (None: department), each with the SQL that it was written in."""


def _grouped(reader: RowReader, group: exp.Group | None, columns: Sequence[_SelectColumn]) -> Grouped:
    if group is None:
        return {}
    if group.args.get("all"):
        raise SqlRefused("GROUP BY ALL is not offered.", remedy="Name the keys.")
    check_parts(group, ("expressions",))
    nodes = [_meant(reader, node, columns) for node in group.expressions]
    grouped = {read_key(reader, node): node for node in nodes}
    opened = open_keys([tree for tree in grouped if tree is not None], reader.dataset)
    if len(opened) > 1:
        raise SqlRefused(
            f"{' and '.join(key.name for key in opened)} are free text, and a question has one such key.",
            remedy="Ask for each as a question of its own.",
        )
    return grouped


def _meant(reader: RowReader, node: exp.Expr, columns: Sequence[_SelectColumn]) -> exp.Expr:
    """What GROUP BY means by a position or by a name that AS gave; a column of the dataset goes first."""
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


def _key(reader: RowReader, column: _SelectColumn, grouped: Grouped) -> KeyOutput:
    node = column.node
    if isinstance(node, exp.Star):
        raise refusal_of(node)
    tree = read_key(reader, node)
    if tree not in grouped:
        countable = (
            isinstance(domain_of(reader.read(node), reader.dataset), Numbers | Truth) if tree else False
        )
        inside = f", or put it inside an aggregate: AVG({fragment_of(node)})" if countable else ""
        raise SqlRefused(
            f"{fragment_of(node)} would show values of rows.", remedy=f"Add it to GROUP BY{inside}."
        )
    return KeyOutput(column.name, tree)


def _check_all_selected(grouped: Grouped, keys: Sequence[KeyOutput]) -> None:
    shown = {key.expression for key in keys}
    for tree, node in grouped.items():
        if tree not in shown:
            raise SqlRefused(
                f"The key {fragment_of(node)} is not in SELECT, so its cells could not be told apart.",
                remedy="Add it to SELECT.",
            )
