"""docs/query-language.md: every example on it is answered, and what it says is refused is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from float_sums import FloatSums
from pooled_worlds import world

from fedstats.core.estimate import Value
from fedstats.errors import LanguageError
from fedstats.sql.parse_refusals import FUNCTIONS, KNOWN_FUNCTIONS
from fedstats.statistics.table import Table

PAGE = (Path(__file__).parents[2] / "docs" / "query-language.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sql\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def demo() -> FloatSums:
    """The waiting list of the demo, without noise."""
    return world("demo").floats()


@pytest.mark.parametrize("text", EXAMPLES, ids=[" ".join(text.split())[:50] for text in EXAMPLES])
def test_every_example_is_answered(text: str, demo: FloatSums) -> None:
    """What the page shows can be typed, and gives numbers."""
    (table,) = demo.answer(Table.from_sql(text, lambda _: demo.dataset)).tables
    assert any(isinstance(cell, Value) for row in table for cell in row.cells)


def test_the_page_names_every_function_that_the_refusals_name() -> None:
    """Whoever is told that a function is there finds it on the page, and refused ones are not offered."""
    offered = set(re.findall(r"\b[A-Z_]{3,}\b", KNOWN_FUNCTIONS)) - {"CASE"}
    assert {name for name in offered if name not in PAGE} == set()
    assert offered & set(FUNCTIONS) == set()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT MAX(age) FROM rtt",
        "SELECT COUNT(*) FROM rtt WHERE priority LIKE 'r%'",
        "SELECT sex, COUNT(*) FROM rtt GROUP BY sex ORDER BY 2",
        "SELECT COUNT(*) FROM rtt WHERE WEEK(rtt_start_date) = 3",
        "SELECT COUNT(*) FROM rtt WHERE rtt_start_date < CURRENT_DATE",
        "SELECT AVG(imd_decile / age) FROM rtt",
        "SELECT COUNT(*) FROM rtt WHERE nhs_number = '9434765919'",
    ],
)
def test_what_the_page_calls_refused_is_refused(text: str, demo: FloatSums) -> None:
    """Each line of the table of refusals is one, with something to write instead."""
    with pytest.raises(LanguageError) as caught:
        Table.from_sql(text, lambda _: demo.dataset)
    assert "Nothing was spent." in str(caught.value)
