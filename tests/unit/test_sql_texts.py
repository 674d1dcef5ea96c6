"""Parts of SQL that statistics take as text mean what they mean inside a SELECT, and nothing more."""

from __future__ import annotations

import pytest
from strategies import DATASET

from fedstats.core.expression import normalise
from fedstats.core.selection import aggregate_calls
from fedstats.errors import LanguageError
from fedstats.sql.parse import parse
from fedstats.sql.texts import condition_of_text, expression_of, key_of


def test_a_part_means_what_it_means_in_a_select() -> None:
    """A condition, a key and an expression given as text are the trees of the same words in a SELECT."""
    asked = parse(
        "SELECT BAND(wait_days, 126) AS band, AVG(wait_days * 2) FROM waiting WHERE wait_days < 9 GROUP BY 1",
        lambda _: DATASET,
    )
    assert condition_of_text("wait_days < 9", DATASET) == asked.where
    assert key_of("BAND(wait_days, 126)", DATASET) == asked.keys[0].expression
    assert key_of("department", DATASET) is None
    (call,) = aggregate_calls(asked.outputs[0].formula)
    assert expression_of("(wait_days * 2)", DATASET) == call.argument
    assert normalise(expression_of("wait_days + 1", DATASET)) == normalise(
        expression_of("1 + wait_days", DATASET)
    )
    assert condition_of_text("  ", DATASET) is None


@pytest.mark.parametrize(
    "text",
    [
        "wait_days FROM waiting -- ",
        "wait_days, cost",
        "wait_days AS w",
        "wait_days FROM other",
        "AVG(wait_days)",
        "wait_days FROM waiting WHERE cost > 1 -- ",
        "1; DROP TABLE waiting",
        "wait_days UNION SELECT 1",
        "",
        "nobody",
        "DISTINCT wait_days",
    ],
)
def test_a_text_is_one_expression_and_nothing_else(text: str) -> None:
    """What says more than one value of a row, or something else, is refused with a sentence."""
    with pytest.raises(LanguageError):
        expression_of(text, DATASET)
