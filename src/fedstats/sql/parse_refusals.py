"""What the language leaves out, and what to write instead: one table per kind of thing, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlglot import ErrorLevel, exp

from fedstats.errors import ExpressionInvalid, LanguageError, SqlRefused, ValueInvalid

FRAGMENT_CHARACTERS_MAX = 80

_CELLS = "Every public cell is answered; keep the ones you want in the answer."
_ONE_DATASET = "Ask each dataset separately; FROM takes the name of one."

CLAUSES: dict[str, tuple[str, str]] = {
    "with_": ("WITH (a common table expression) is not offered.", _ONE_DATASET),
    "distinct": ("SELECT DISTINCT shows values of rows.", "Write GROUP BY, which gives every public value."),
    "joins": ("Rows of two tables cannot be joined.", _ONE_DATASET),
    "laterals": ("LATERAL is not offered.", _ONE_DATASET),
    "pivots": ("PIVOT is not offered.", "Write GROUP BY with two keys."),
    "having": ("HAVING would drop cells by their noisy numbers.", _CELLS),
    "qualify": ("QUALIFY would drop cells by their noisy numbers.", _CELLS),
    "order": ("ORDER BY is not needed: rows come in the order of their keys.", "Leave it out."),
    "limit": ("LIMIT would drop cells.", _CELLS),
    "offset": ("OFFSET would drop cells.", _CELLS),
    "windows": ("Windows look across rows.", "Leave WINDOW out."),
    "sample": (
        "Samples are not offered.",
        "Leave the sample out: it would be another, weaker privacy promise.",
    ),
    "into": ("INTO writes a table, and nothing is ever written.", "Leave it out."),
    "locks": ("FOR UPDATE locks rows, and nothing is ever written.", "Leave it out."),
}
"""Clauses of SELECT, by sqlglot's name of them."""

OTHER_FORMS: dict[str, str] = {
    "MEDIAN": "Write MEDIAN(x).",
    "QUANTILE": "Write QUANTILE(x, 0.9): the least value that nine in ten rows do not exceed; or MEDIAN(x).",
}
"""Aggregates that are offered in one form, and which it is."""

_EXTREME = "Ask for a share, such as SHARE(x <= 126), or for AVG(x)."
_PERIOD = "Write DATE_TRUNC('week', d), DATE_TRUNC('month', d) or YEAR(d)."
_CLOCK = "Write the date out: DATE '2025-01-31'."
_WEEKDAY = "Write ISODOW(d): Monday is 1 and Sunday 7."
_LABELS = "Compare them as declared: x IN ('a', 'b'). See: fedstats datasets NAME."
_EXACT = "Cut x into bands: BAND(x, 10, 100, 1000)."

SYNONYMS: dict[str, str] = {
    "QUANTILE_CONT": "QUANTILE",
    "PERCENTILE_CONT": "QUANTILE",
    "PERCENTILE_DISC": "QUANTILE",
    "APPROX_QUANTILE": "QUANTILE",
    "PERCENTILE": "QUANTILE",
    "APPROX_MEDIAN": "MEDIAN",
    "VARIANCE_POP": "VAR_SAMP",
    "VAR_POP": "VAR_SAMP",
    "STDDEV_POP": "STDDEV_SAMP",
    "MEAN": "AVG",
}
"""Other names of what is in the table above, or of what is offered."""

FUNCTIONS: dict[str, tuple[str, str]] = {
    "MIN": ("MIN shows the value of one row.", _EXTREME),
    "MAX": ("MAX shows the value of one row.", _EXTREME),
    "AUTO": ("AUTO stands directly in an average or a sum.", "Write AVG(AUTO(x)) or SUM(AUTO(x))."),
    "MODE": ("MODE is not offered.", "Write COUNT(*) with GROUP BY x and pick the largest."),
    "ANY_VALUE": ("ANY_VALUE shows the value of one row.", "Make it a key: GROUP BY x."),
    "FIRST": ("FIRST shows the value of one row.", _EXTREME),
    "LAST": ("LAST shows the value of one row.", _EXTREME),
    "LIST": ("Values of rows are never listed.", "Make it a key: GROUP BY x."),
    "ARRAY_AGG": ("Values of rows are never listed.", "Make it a key: GROUP BY x."),
    "STRING_AGG": ("Values of rows are never listed.", "Make it a key: GROUP BY x."),
    "GROUP_CONCAT": ("Values of rows are never listed.", "Make it a key: GROUP BY x."),
    "CORR": ("CORR is not part of a table.", "Ask: fedstats run correlation --help"),
    "COVAR_SAMP": ("COVAR_SAMP is not part of a table.", "Ask: fedstats run correlation --help"),
    "COVAR_POP": ("COVAR_POP is not part of a table.", "Ask: fedstats run correlation --help"),
    "WIDTH_BUCKET": ("WIDTH_BUCKET is not offered.", "Write HISTOGRAM(x, bins) or BAND(x, cut, cut, ...)."),
    "WEEK": ("Numbers of weeks begin anew each year.", _PERIOD),
    "WEEK_OF_YEAR": ("Numbers of weeks begin anew each year.", _PERIOD),
    "DAY_OF_WEEK": ("Databases count the days of a week in different ways.", _WEEKDAY),
    "WEEKDAY": ("Databases count the days of a week in different ways.", _WEEKDAY),
    "DAYNAME": ("Names of days depend on a language.", _WEEKDAY),
    "MONTHNAME": ("Names of months depend on a language.", "Write MONTH(d)."),
    "DATEADD": ("DATEADD is not offered.", "Write d + 7, or d + INTERVAL 7 DAY."),
    "DATE_SUB": ("DATE_SUB is not offered.", "Write d - 7, or DATEDIFF('day', a, b)."),
    "AGE": ("AGE is not offered.", "Write DATEDIFF('year', a, b), or (b - a) / 365.25."),
    "TIME_TO_STR": ("Dates are not made into texts.", _PERIOD),
    "STRFTIME": ("Dates are not made into texts.", _PERIOD),
    "TO_CHAR": ("Dates are not made into texts.", _PERIOD),
    "LAST_DAY": ("LAST_DAY is not offered.", _PERIOD),
    "UPPER": ("Texts are declared categories, and are not changed.", _LABELS),
    "LOWER": ("Texts are declared categories, and are not changed.", _LABELS),
    "TRIM": ("Texts are declared categories, and are not changed.", _LABELS),
    "LEFT": ("Texts are declared categories, and are not taken apart.", _LABELS),
    "RIGHT": ("Texts are declared categories, and are not taken apart.", _LABELS),
    "SUBSTRING": ("Texts are declared categories, and are not taken apart.", _LABELS),
    "LENGTH": ("Texts are declared categories, and are not taken apart.", _LABELS),
    "SQRT": ("Roots are no exact numbers.", "Take the root of the answer; STDDEV(x) is one already."),
    "EXP": ("EXP gives no exact numbers.", _EXACT),
    "LN": ("Logarithms are no exact numbers.", _EXACT),
    "LOG": ("Logarithms are no exact numbers.", _EXACT),
    "DATE": ("DATE takes a written date.", _CLOCK),
    "TO_DATE": ("TO_DATE is not offered.", _CLOCK),
    "MAKE_DATE": ("MAKE_DATE is not offered.", _CLOCK),
    "CURRENT_DATE": ("A question must mean the same tomorrow.", _CLOCK),
    "CURRENT_TIMESTAMP": ("A question must mean the same tomorrow.", _CLOCK),
    "NOW": ("A question must mean the same tomorrow.", _CLOCK),
}
"""Functions whose name alone says what is meant."""

KNOWN_FUNCTIONS = (
    "Row functions are ABS, FLOOR, CEIL, ROUND, LEAST, GREATEST, CLAMP, BAND, WEEK_BAND, COALESCE, NULLIF, "
    "CASE, DATE_TRUNC, DATEDIFF, YEAR, QUARTER, MONTH, DAY and ISODOW; aggregates "
    "are COUNT, SUM, AVG, SHARE, VAR_SAMP, STDDEV_SAMP, MEDIAN and QUANTILE."
)

_PATTERN = "Compare with declared categories: x IN ('a', 'b')."
_SUBQUERY = ("A question inside a question is not offered.", "Ask the two separately.")
_PLACEHOLDER = ("A placeholder has no value.", "Write the value out.")

NODES: dict[type[exp.Expr], tuple[str, str]] = {
    exp.Star: ("* would show rows.", "Name aggregates and keys: SELECT sex, COUNT(*) ... GROUP BY sex."),
    exp.Null: (
        "NULL has no value to compute with.",
        "Write x IS NULL, or CASE without ELSE where there is to be no value.",
    ),
    exp.Like: ("LIKE is not offered: it would probe text.", _PATTERN),
    exp.ILike: ("ILIKE is not offered: it would probe text.", _PATTERN),
    exp.SimilarTo: ("SIMILAR TO is not offered: it would probe text.", _PATTERN),
    exp.RegexpLike: ("Regular expressions are not offered: they would probe text.", _PATTERN),
    exp.Glob: ("GLOB is not offered: it would probe text.", _PATTERN),
    exp.DPipe: ("Texts cannot be joined.", "Use the two columns as two keys."),
    exp.Concat: ("Texts cannot be joined.", "Use the two columns as two keys."),
    exp.Cast: (
        "This CAST is not offered: every column has its declared type.",
        "Leave it out; fractions are rounded with ROUND(x, 2), dates written as DATE '2025-01-31'.",
    ),
    exp.TryCast: ("CAST is not needed: every column has its declared type.", "Leave it out."),
    exp.Subquery: _SUBQUERY,
    exp.Select: _SUBQUERY,
    exp.Exists: _SUBQUERY,
    exp.Any: _SUBQUERY,
    exp.All: _SUBQUERY,
    exp.Window: ("Window functions look across rows.", "Leave OVER out and add GROUP BY."),
    exp.Distinct: (
        "DISTINCT counts values that rows have.",
        "Only COUNT(DISTINCT ...) of the person column is offered; for values write GROUP BY.",
    ),
    exp.Placeholder: _PLACEHOLDER,
    exp.Parameter: _PLACEHOLDER,
    exp.Tuple: ("A list stands only after IN.", "Write x IN (1, 2)."),
    exp.NullSafeEQ: ("IS NOT DISTINCT FROM is not offered.", "Write a = b OR (a IS NULL AND b IS NULL)."),
    exp.NullSafeNEQ: ("IS DISTINCT FROM is not offered.", "Write a <> b OR (a IS NULL) <> (b IS NULL)."),
}
"""Everything else that has a node of its own in sqlglot's tree."""


_AROUND_A_FUNCTION = (exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)


def fragment_of(node: exp.Expr) -> str:
    """The SQL of a node, short enough for a message."""
    try:
        text = " ".join(node.sql(dialect="duckdb", unsupported_level=ErrorLevel.IGNORE).split())
    except Exception:  # noqa: BLE001  # sqlglot reads some trees that it cannot write, such as DATE()
        text = node.key.upper()
    shown = text if len(text) <= FRAGMENT_CHARACTERS_MAX else f"{text[: FRAGMENT_CHARACTERS_MAX - 3]}..."
    return "".join(character if character.isprintable() else "?" for character in shown)


def refusal_of(node: exp.Expr) -> SqlRefused:
    """The error for a node that the language does not have."""
    while isinstance(node, _AROUND_A_FUNCTION):
        node = node.this
    if type(node) in NODES:
        sentence, instead = NODES[type(node)]
    elif isinstance(node, exp.Func):
        return refusal_of_function(function_name(node), node)
    else:
        sentence, instead = "This is not part of the language.", KNOWN_FUNCTIONS
    return SqlRefused(f"{fragment_of(node)}: {sentence}", remedy=instead)


def refusal_of_function(name: str, node: exp.Expr) -> SqlRefused:
    """The error for a function that the language does not have."""
    synonym = SYNONYMS.get(name, name)
    if synonym in OTHER_FORMS:
        sentence, instead = "this form of a quantile is not offered.", OTHER_FORMS[synonym]
    elif synonym in FUNCTIONS:
        sentence, instead = FUNCTIONS[synonym]
    elif synonym != name:
        sentence, instead = f"fedstats does not know {name[:40]}.", f"Write {synonym}."
    else:
        sentence, instead = f"fedstats does not know the function {name[:40]}.", KNOWN_FUNCTIONS
    return SqlRefused(f"{fragment_of(node)}: {sentence}", remedy=instead)


def function_name(node: exp.Expr) -> str:
    """The name of a function in capitals, as it was written where sqlglot does not know it."""
    if isinstance(node, exp.Anonymous):
        return str(node.name).upper()
    return node.sql_name() if isinstance(node, exp.Func) else ""


FLAGS = frozenset({"big_int", "typed", "safe"})
"""What sqlglot notes about DuckDB's own types; fedstats has its own meaning, the same everywhere."""


def check_parts(node: exp.Expr, parts: Sequence[str]) -> None:
    """Refuse a node that has more parts than the language gives it.

    Raises
    ------
    SqlRefused
        It has.

    """
    present = {
        name for name, value in node.args.items() if value is not None and value is not False and value != []
    }
    extra = present - set(parts) - FLAGS
    if extra:
        raise SqlRefused(
            f"{fragment_of(node)}: this form is not offered ({', '.join(sorted(extra))}).",
            remedy=KNOWN_FUNCTIONS,
        )


@contextmanager
def placed(node: exp.Expr) -> Iterator[None]:
    """Give an error about a core tree the SQL that it is about."""
    try:
        yield
    except ValueInvalid as problem:
        raise ExpressionInvalid(f"{fragment_of(node)}: {problem.sentence}") from None
    except LanguageError as problem:
        raise type(problem)(f"{fragment_of(node)}: {problem.sentence}", remedy=problem.advice) from None
