"""From SQL text to a selection: the closed subset of SQL that can be answered with bounded privacy loss.

    SELECT keys and aggregates FROM one dataset [WHERE condition] [GROUP BY keys]

Whatever is outside it is refused with a sentence that says what to write instead. Nothing of the text is ever
run: what comes out are core trees, and `render` writes new SQL from them.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from fedstats.core.expression import Expression
from fedstats.core.schema import Dataset
from fedstats.core.selection import AggregateCall, AggregateKind, Output, Selection
from fedstats.errors import ExpressionInvalid, SqlRefused, TooLarge, ValueInvalid
from fedstats.sql.parse_aggregate import has_aggregate, read_formula
from fedstats.sql.parse_grouping import read_grouping
from fedstats.sql.parse_keys import SelectColumn, check_all_selected, key_output
from fedstats.sql.parse_refusals import CLAUSES, check_parts, fragment_of
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
    columns = [SelectColumn(node) for node in select.expressions]
    grouping = read_grouping(reader, select.args.get("group"), columns)
    grouped = list(grouping.keys)
    keys = [key_output(reader, column, grouped) for column in columns if not column.aggregated]
    check_all_selected(grouping.keys, keys)
    outputs = [Output(c.name, read_formula(reader, c.node)) for c in columns if c.aggregated]
    if not outputs and any(key.bins for key in keys):
        outputs = [Output("count", AggregateCall(AggregateKind.COUNT_ROWS))]
    if not outputs:
        raise SqlRefused(
            "The question asks for no aggregate, and rows are never shown.",
            remedy="Ask for COUNT(*), SUM(x), AVG(x) or SHARE(condition).",
        )
    marginals = grouping.marginals(keys)
    return Selection(reader.dataset.name, tuple(keys), tuple(outputs), condition, marginals)


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
