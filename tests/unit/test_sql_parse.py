"""The query language: what is accepted and what it means, what is refused and what to write instead."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import DATASET, definitions

from fedstats.core.expression import Call, CategoryLiteral, Column, DateLiteral, NumberLiteral, Op, normalise
from fedstats.core.selection import AggregateCall, AggregateKind, Arithmetic, Output, Selection
from fedstats.errors import LanguageError, SqlRefused
from fedstats.sql.parse import parse

AGE, WAIT, SEX, STARTED = Column("age"), Column("wait_days"), Column("sex"), Column("started")


def selected(text: str) -> Selection:
    """The selection of a question about the waiting list."""
    return parse(text, definitions)


def one(text: str) -> object:
    """The formula of the one output of `SELECT text FROM waiting`."""
    (output,) = selected(f"SELECT {text} FROM waiting").outputs
    return output.formula


def condition(text: str) -> object:
    """The condition of a question, in its normal form."""
    where = selected(f"SELECT COUNT(*) FROM waiting WHERE {text}").where
    assert where is not None
    return normalise(where)


def number(value: float | str) -> NumberLiteral:
    """A written number."""
    return NumberLiteral(Fraction(value))


def day(iso: str) -> DateLiteral:
    """A written date."""
    where = selected(f"SELECT COUNT(*) FROM waiting WHERE started = DATE '{iso}'").where
    assert isinstance(where, Call)
    assert isinstance(where.args[1], DateLiteral)
    return where.args[1]


ACCEPTED = [
    "SELECT COUNT(*) FROM waiting",
    "select count(*) from WAITING;",
    'SELECT COUNT(*) AS n, AVG(age) AS "Average age" FROM waiting -- a comment',
    "SELECT sex, COUNT(*) FROM waiting GROUP BY sex",
    "SELECT COUNT(*), sex FROM waiting GROUP BY 2",
    "SELECT BAND(age, 19, 65) AS band, COUNT(*) FROM waiting GROUP BY band",
    "SELECT department, sex, COUNT(*) FROM waiting GROUP BY department, sex",
    "SELECT w.sex, COUNT(*) FROM waiting AS w GROUP BY w.sex",
    "SELECT DATE_TRUNC('week', started), COUNT(*) FROM waiting GROUP BY 1",
    "SELECT DATE_TRUNC('year', ended) AS year, COUNT(*) FROM waiting GROUP BY year",
    "SELECT WEEK_BAND(wait_days) AS week, COUNT(*) FROM waiting GROUP BY week",
    "SELECT urgent, age >= 65, COUNT(*) FROM waiting GROUP BY urgent, age >= 65",
    "SELECT COALESCE(specialty, '110'), COUNT(*) FROM waiting GROUP BY 1",
    "SELECT CASE WHEN sex = 'F' THEN 1 ELSE 0 END AS f, COUNT(*) FROM waiting GROUP BY f",
    "SELECT COUNT(wait_days), COUNT(DISTINCT nhs_number) FROM waiting",
    "SELECT SUM(cost), AVG(cost), SHARE(cost > 100) FROM waiting",
    "SELECT SUM(urgent), AVG(admitted) FROM waiting",
    "SELECT AVG(cost * 2 + age / 3 - 1) FROM waiting",
    "SELECT AVG(cost / CLAMP(age, 1, 120)) FROM waiting",
    "SELECT AVG(ABS(score)), AVG(FLOOR(cost)), AVG(CEIL(cost)) FROM waiting",
    "SELECT AVG(LEAST(age, wait_days, 50)), AVG(GREATEST(age, 18)) FROM waiting",
    "SELECT AVG(DATEDIFF('day', started, ended)) FROM waiting",
    "SELECT AVG(DATE_DIFF('day', started, DATE '2025-03-01')) FROM waiting",
    "SELECT AVG(CAST('2025-03-01' AS DATE) - started) FROM waiting",
    "SELECT SHARE(wait_days <= 18 * 7) FROM waiting WHERE NOT (age < 18 OR age > 64)",
    "SELECT SHARE(CASE WHEN urgent THEN wait_days <= 14 ELSE wait_days <= 126 END) FROM waiting",
    "SELECT 100 * SHARE(urgent), 1 - SHARE(urgent) FROM waiting",
    "SELECT SUM(cost) / COUNT(*), AVG(cost) - AVG(age), -COUNT(*) FROM waiting",
    "SELECT COUNT(*) FILTER (WHERE urgent), AVG(cost) FILTER (WHERE sex = 'F') FROM waiting",
    "SELECT COUNT(DISTINCT nhs_number) FILTER (WHERE wait_days > 126) FROM waiting",
    "SELECT COUNT(*) FROM waiting WHERE urgent AND admitted IS NOT NULL AND wait_days IS NULL",
    "SELECT COUNT(*) FROM waiting WHERE specialty IN ('C_100', 'o''clock', '眼科') AND sex <> 'überall'",
    "SELECT COUNT(*) FROM waiting WHERE started BETWEEN '2025-01-01' AND '2025-01-31'",
    "SELECT COUNT(*) FROM waiting WHERE started IN ('2025-01-01', DATE '2025-01-02')",
    "SELECT COUNT(*) FROM waiting WHERE started + 14 < ended",
    "SELECT COUNT(*) FROM waiting WHERE COALESCE(ended, '2025-03-10') > '2025-03-01'",
    "SELECT COUNT(*) FROM waiting WHERE admitted IS NOT TRUE AND urgent = FALSE AND TRUE",
    "SELECT COUNT(*) FROM waiting WHERE CASE sex WHEN 'F' THEN urgent WHEN 'M' THEN admitted END",
    "SELECT COUNT(*) FROM waiting WHERE IF(urgent, age, wait_days) > 20 AND score IN (-1, 0.5)",
    "/* all of it */ SELECT COUNT(*) FROM waiting WHERE " + " AND ".join(f"age > {i}" for i in range(100)),
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted(text: str) -> None:
    """Everything that the language promises can be asked."""
    assert selected(text).outputs


def test_aggregates_mean_what_they_say() -> None:
    """Each aggregate becomes the call of its kind over the expression in it."""
    assert one("COUNT(*)") == one("COUNT(1)") == AggregateCall(AggregateKind.COUNT_ROWS)
    assert one("COUNT(wait_days)") == AggregateCall(AggregateKind.COUNT, WAIT)
    assert one("COUNT(DISTINCT NHS_Number)") == AggregateCall(AggregateKind.COUNT_PEOPLE)
    assert one("SUM(age)") == AggregateCall(AggregateKind.SUM, AGE)
    assert one("avg(Age)") == AggregateCall(AggregateKind.AVG, AGE)
    assert one("share(urgent)") == AggregateCall(AggregateKind.SHARE, Column("urgent"))


def test_filter_is_case() -> None:
    """FILTER leaves rows out exactly like CASE WHEN ... THEN ... END."""
    assert one("AVG(age) FILTER (WHERE urgent)") == one("AVG(CASE WHEN urgent THEN age END)")
    assert one("COUNT(*) FILTER (WHERE urgent)") == one("COUNT(CASE WHEN urgent THEN 1 END)")
    people = one("COUNT(DISTINCT nhs_number) FILTER (WHERE urgent)")
    assert people == AggregateCall(AggregateKind.COUNT_PEOPLE, Call(Op.CASE, (Column("urgent"), number(1))))


def test_arithmetic_between_aggregates() -> None:
    """+ - * / between aggregates keep their order and precedence; written numbers are computed at once."""
    count, total = AggregateCall(AggregateKind.COUNT_ROWS), AggregateCall(AggregateKind.SUM, AGE)
    assert one("SUM(age) - 2 * 3 * COUNT(*)") == Arithmetic(
        Op.SUBTRACT, total, Arithmetic(Op.MULTIPLY, number(6), count)
    )
    assert one("-(SUM(age) / COUNT(*))") == Arithmetic(
        Op.SUBTRACT, number(0), Arithmetic(Op.DIVIDE, total, count)
    )


def test_columns_keep_order_and_names() -> None:
    """The answer has its keys and its numbers in the order of writing, under the names of writing."""
    question = selected(
        'SELECT sex AS s, COUNT(*) AS "How many", department, AVG(age), urgent FROM waiting '
        "GROUP BY 5, department, s"
    )
    assert [key.name for key in question.keys] == ["s", "department", "urgent"]
    assert [key.expression for key in question.keys] == [SEX, None, Column("urgent")]
    assert [output.name for output in question.outputs] == ["How many", "AVG(age)"]


@pytest.mark.parametrize(
    "text, tree",
    [
        ("age > 64", Call(Op.LESS, (number(64), AGE))),
        ("NOT age <= 64", Call(Op.LESS, (number(64), AGE))),
        ("age = 18 * 2", Call(Op.EQUAL, (AGE, number(36)))),
        ("score = -0.5", Call(Op.EQUAL, (Column("score"), number("-0.5")))),
        ("sex = 'F'", Call(Op.EQUAL, (SEX, CategoryLiteral("F")))),
        ("sex <> 'F'", Call(Op.NOT, (Call(Op.EQUAL, (SEX, CategoryLiteral("F"))),))),
        ("urgent", Column("urgent")),
        ("urgent = TRUE", Column("urgent")),
        ("urgent IS TRUE", Column("urgent")),
        ("urgent = FALSE", Call(Op.NOT, (Column("urgent"),))),
        ("wait_days IS NOT NULL", Call(Op.NOT, (Call(Op.IS_NULL, (WAIT,)),))),
        ("IF(urgent, admitted, NULL)", Call(Op.CASE, (Column("urgent"), Column("admitted")))),
        ("ended - started > 14", Call(Op.LESS, (number(14), Call(Op.SUBTRACT, (Column("ended"), STARTED))))),
        (
            "DATEDIFF('day', started, ended) > 14",
            Call(Op.LESS, (number(14), Call(Op.SUBTRACT, (Column("ended"), STARTED)))),
        ),
        ("DATE_TRUNC('month', started) = DATE '2025-01-01'", None),
    ],
)
def test_conditions_mean_what_they_say(text: str, tree: object) -> None:
    """Each way of writing a condition becomes the one core tree of its meaning."""
    expected = tree or Call(Op.EQUAL, (day("2025-01-01"), Call(Op.TRUNCATE_MONTH, (STARTED,))))
    assert condition(text) == (normalise(expected) if isinstance(expected, Call | Column) else None)


def test_same_question_in_many_words() -> None:
    """Clauses in another order, other spellings and other names are one question: it is answered once."""
    clauses = ["age >= 18", "sex IN ('M', 'F')", "NOT started < '2025-01-01'"]
    spelled = ["18 <= AGE", "waiting.sex IN ('F', 'M', 'F')", "started >= DATE '2025-01-01'"]
    trees = {
        condition(" AND ".join(order))
        for written in (clauses, spelled)
        for order in itertools.permutations(written)
    }
    assert len(trees) == 1


def test_week_bands_are_the_published_ones() -> None:
    """WEEK_BAND gives 0 for 7 days or less, then (days - 1) // 7, and 104 for everything longer."""
    from fedstats.core.evaluation import evaluate

    (key,) = selected("SELECT WEEK_BAND(wait_days), COUNT(*) FROM waiting GROUP BY 1").keys
    assert key.expression is not None
    for days in range(1001):
        expected = 0 if days <= 7 else min((days - 1) // 7, 104)
        assert evaluate(key.expression, DATASET, {"wait_days": days}) == expected


def test_outputs_hold_an_aggregate() -> None:
    """A number that is written out is no answer."""
    with pytest.raises(SqlRefused, match="needs a column"):
        selected("SELECT 1 FROM waiting")
    assert isinstance(selected("SELECT 1 + COUNT(*) FROM waiting").outputs[0], Output)


WORDS = sorted(
    {word for text in ACCEPTED[:-1] for word in text.replace("(", " ( ").replace(")", " ) ").split()}
)


@given(st.text(max_size=60))
@example("SELECT \ud800")
@example("\x00")
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing that can be typed gives more than a typed refusal."""
    _read_or_refuse(text)


@given(
    st.lists(
        st.sampled_from([*WORDS, "(", ")", ",", "'", '"', "/*", "$$", "[", "{", "::", "->"]), max_size=25
    )
)
def test_any_words_are_read_or_refused(words: list[str]) -> None:
    """Words of the language in any order give a selection or a typed refusal."""
    _read_or_refuse("SELECT " + " ".join(words))
    _read_or_refuse("SELECT COUNT(*) FROM waiting WHERE " + " ".join(words))


@given(st.sampled_from(ACCEPTED[:-1]), st.data())
def test_any_slip_is_read_or_refused(text: str, data: st.DataObject) -> None:
    """A question with a few characters dropped, doubled or replaced gives a selection or a typed refusal."""
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        new = data.draw(
            st.sampled_from(["", "(", ")", "'", "x", " ", "*", ",", "1", "NULL", "é", ".", "-", ":", "@"])
        )
        text = text[:place] + new + text[place + data.draw(st.integers(0, 2)) :]
    _read_or_refuse(text)


def _read_or_refuse(text: str) -> None:
    try:
        answer: object = selected(text).outputs
    except LanguageError as problem:
        answer = problem.sentence
    assert answer
    assert "\x1b" not in str(answer)
