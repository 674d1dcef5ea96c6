"""From text to one SELECT of sqlglot's tree, with limits on everything that a text could make large."""

from __future__ import annotations

from itertools import accumulate

from sqlglot import Dialect, Token, TokenType, exp
from sqlglot.errors import ParseError, SqlglotError

from fedstats.errors import LanguageError, SqlRefused, SqlUnreadable, TooLarge

TEXT_CHARACTERS_MAX = 20_000
TOKENS_MAX = 5_000
NESTING_MAX = 50

_DIALECT = Dialect.get_or_raise("duckdb")
_BEGINNINGS = (TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN, TokenType.FROM)
_OPENING = (
    TokenType.L_PAREN,
    TokenType.L_BRACKET,
    TokenType.L_BRACE,
    TokenType.CASE,
    TokenType.NOT,
    TokenType.DASH,
)
_CLOSING = (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END)
_REMEDY = "A question looks like: SELECT sex, COUNT(*), AVG(wait_days) FROM waiting_list GROUP BY sex."


def read_select(text: str) -> exp.Select:
    """The one SELECT that the text is.

    Raises
    ------
    SqlUnreadable
        The text is not SQL, or not a SELECT; the sentence says where.
    SqlRefused
        Several statements, or queries joined by UNION and the like.
    TooLarge
        More than 20,000 characters, 5,000 words, or 50 parentheses inside each other.

    """
    if len(text) > TEXT_CHARACTERS_MAX:
        raise TooLarge(f"The SQL has more than {TEXT_CHARACTERS_MAX} characters.")
    statements = _parsed(text)
    if not statements:
        raise SqlUnreadable("There is no question.", remedy=_REMEDY)
    if len(statements) > 1:
        raise SqlRefused("There is more than one statement.", remedy="Ask one question at a time.")
    statement = statements[0]
    if isinstance(statement, exp.SetOperation):
        raise SqlRefused(
            "UNION, EXCEPT and INTERSECT are not offered.", remedy="Ask the questions one by one."
        )
    if isinstance(statement, exp.Subquery):
        raise SqlRefused("The whole question stands in parentheses.", remedy="Leave them out.")
    if not isinstance(statement, exp.Select):
        raise SqlRefused("Only SELECT is offered: nothing is ever written.", remedy=_REMEDY)
    return statement


def _parsed(text: str) -> list[exp.Expr]:
    try:
        tokens = _DIALECT.tokenize(text)
        _check_tokens(tokens)
        return [statement for statement in _DIALECT.parser().parse(tokens, text) if statement is not None]
    except LanguageError:
        raise
    except SqlglotError as problem:
        raise _unreadable(problem, text) from None
    except RecursionError:
        raise TooLarge("The SQL is too deeply nested.") from None
    except Exception:  # noqa: BLE001  # sqlglot stumbles over some texts with whatever Python raises
        raise SqlUnreadable("The SQL cannot be read.", remedy=_REMEDY) from None


def _check_tokens(tokens: list[Token]) -> None:
    if len(tokens) > TOKENS_MAX:
        raise TooLarge(f"The SQL has more than {TOKENS_MAX} words.")
    steps = [(t.token_type in _OPENING) - (t.token_type in _CLOSING) for t in tokens]
    if max(accumulate(steps), default=0) > NESTING_MAX:
        raise TooLarge("The SQL is too deeply nested.")
    if tokens and tokens[0].token_type not in _BEGINNINGS:
        raise SqlUnreadable(
            f"A question begins with SELECT, not with {tokens[0].text[:20]!r}.", remedy=_REMEDY
        )


def _unreadable(problem: SqlglotError, text: str) -> SqlUnreadable:
    found = problem.errors[0] if isinstance(problem, ParseError) and problem.errors else None
    if found is None or not found.get("line"):
        hint = " A quote or a comment is not closed." if text.count("'") % 2 or text.count('"') % 2 else ""
        return SqlUnreadable(f"The SQL cannot be read.{hint}", remedy=_REMEDY)
    said = str(found.get("description") or "")
    if "DateDiff" in said:
        return SqlUnreadable(
            "DATEDIFF takes a unit and two dates.", remedy="Write DATEDIFF('day', a, b), or b - a."
        )
    expected = f" {said.replace('Expecting', 'Expected')} here." if said.startswith("Expecting ") else ""
    near = str(found.get("highlight") or "")[:40]
    return SqlUnreadable(
        f"The SQL cannot be read at line {found['line']}, column {found['col']}, near {near!r}.{expected}",
        remedy=_REMEDY,
    )
