"""The question in words: exact, printable, bounded, and never the same for two different computations."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import sample_dataset, sample_order, sample_query
from strategies import DATASET, conditions, expressions, grouped_sums

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.aggregate.tree import Tree
from fedstats.core.expression import (
    Call,
    CategoryLiteral,
    Column,
    DateLiteral,
    Expression,
    NumberLiteral,
    Op,
    normalise,
)
from fedstats.core.expression_words import expression_words, number_words
from fedstats.core.grid import Grid
from fedstats.core.names import check_text
from fedstats.core.query import Query, RoundOrder, Scope
from fedstats.core.question_words import WORDS_CHARACTERS_MAX, question_sentences, question_words
from fedstats.core.statistic import Round

AGE, SEX, FIVE = Column("age"), Column("sex"), NumberLiteral(Fraction(5))
F = CategoryLiteral("F")

READINGS: dict[str, Expression] = {
    "age + 5": Call(Op.ADD, (AGE, FIVE)),
    "age - 5": Call(Op.SUBTRACT, (AGE, FIVE)),
    "age * (age / 2.5)": Call(Op.MULTIPLY, (AGE, Call(Op.DIVIDE, (AGE, NumberLiteral(Fraction(5, 2)))))),
    "minus age": Call(Op.NEGATE, (AGE,)),
    "the absolute value of age": Call(Op.ABS, (AGE,)),
    "age rounded down": Call(Op.FLOOR, (AGE,)),
    "the least of (age, 1/3)": Call(Op.LEAST, (AGE, NumberLiteral(Fraction(1, 3)))),
    "the greatest of (age, 5)": Call(Op.GREATEST, (AGE, FIVE)),
    "age kept within (0, 5)": Call(Op.CLAMP, (AGE, NumberLiteral(Fraction(0)), FIVE)),
    "age in bands cut at (5)": Call(Op.BAND, (AGE, FIVE)),
    "sex is 'F'": Call(Op.EQUAL, (SEX, F)),
    "sex is not 'F'": Call(Op.NOT, (Call(Op.EQUAL, (SEX, F)),)),
    "age > 5": Call(Op.LESS, (FIVE, AGE)),
    "age <= 5": Call(Op.LESS_EQUAL, (AGE, FIVE)),
    "age >= 5 and sex is 'F' and (urgent or sex is missing)": Call(
        Op.AND,
        (
            Call(Op.LESS_EQUAL, (FIVE, AGE)),
            Call(Op.EQUAL, (SEX, F)),
            Call(Op.OR, (Column("urgent"), Call(Op.IS_NULL, (SEX,)))),
        ),
    ),
    "not urgent": Call(Op.NOT, (Column("urgent"),)),
    "sex is one of ('F', 'o''clock')": Call(Op.IN, (SEX, F, CategoryLiteral("o'clock"))),
    "sex is none of ('F', 'M')": Call(Op.NOT, (Call(Op.IN, (SEX, F, CategoryLiteral("M"))),)),
    "started is not missing": Call(Op.NOT, (Call(Op.IS_NULL, (Column("started"),)),)),
    "the first known of (age, 5)": Call(Op.COALESCE, (AGE, FIVE)),
    "if urgent then 5; else missing": Call(Op.CASE, (Column("urgent"), FIVE)),
    "if urgent then 5; else age": Call(Op.CASE, (Column("urgent"), FIVE, AGE)),
    "the week of started": Call(Op.TRUNCATE_WEEK, (Column("started"),)),
    "(the month of started) is 2025-09-01": Call(
        Op.EQUAL, (Call(Op.TRUNCATE_MONTH, (Column("started"),)), DateLiteral(20_332))
    ),
    "the year of started": Call(Op.TRUNCATE_YEAR, (Column("started"),)),
    "the quarter of started": Call(Op.TRUNCATE_QUARTER, (Column("started"),)),
    "the number of the year of started": Call(Op.YEAR_OF, (Column("started"),)),
    "the number of the month of started": Call(Op.MONTH_OF, (Column("started"),)),
    "the number of the weekday of started": Call(Op.WEEKDAY_OF, (Column("started"),)),
    'age is "missing"': Call(Op.EQUAL, (AGE, Column("missing"))),
}


@pytest.mark.parametrize("words", READINGS)
def test_each_operation_reads_as_a_person_would_say_it(words: str) -> None:
    """Every operation has its words, and a column or a label cannot pass for one of them."""
    assert expression_words(READINGS[words]) == words


def test_every_operation_has_words() -> None:
    """An operation that is added later cannot be forgotten here."""
    found = {node.op for tree in READINGS.values() for node in _calls(tree)}
    assert found == set(Op)


@given(expressions(depth=3), expressions(depth=3))
def test_two_expressions_that_differ_read_differently(one: Expression, other: Expression) -> None:
    """Whoever approves one condition did not read another one: words are equal only for equal trees."""
    one, other = normalise(one), normalise(other)
    assert (expression_words(one) == expression_words(other)) == (one == other)
    for near in _neighbours(one):
        assert near == one or expression_words(near) != expression_words(one)  # a palindrome, turned round


@given(st.fractions())
def test_a_number_reads_exactly(value: Fraction) -> None:
    """No number in a question is rounded for reading."""
    assert Fraction(number_words(value)) == value


@given(st.lists(grouped_sums(), min_size=1, max_size=3), st.one_of(st.none(), conditions(depth=4)))
def test_every_question_has_words(aggregates: list[GroupedSums], where: Expression | None) -> None:
    """Any valid question reads as printable sentences, one a line, within the limit, without her own text."""
    query, order = _asked(tuple(aggregates), where)
    words = question_words(query, order, DATASET)
    assert check_text(words, what="question") == words
    assert len(words) <= WORDS_CHARACTERS_MAX
    assert "SELECT" not in words
    sentences = question_sentences(query, order, DATASET)
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in sentences)


def test_a_question_reads_like_this() -> None:
    """What a person at a department decides about."""
    query = sample_query()
    assert question_words(query, sample_order(bytes(32)), sample_dataset()).split("\n") == [
        "Counts rows and adds up age (0 to 120) by sex, for rows where sex is 'F' and age < 65.",
        "Asked about dataset rtt, edition 2025-09, of 3 departments (north, south, west).",
        "Every number carries noise; each department's numbers are seen apart.",
        (
            "May go on in up to 2 rounds, each chosen after the answers before it: by the keys and of the "
            "expressions that are named here, with other limits."
        ),
    ]


def test_what_matters_to_a_decision_changes_the_words() -> None:
    """Another condition, key, measure, clip, edition, or a wider scope never reads as the same question."""
    people = Measure(MeasureKind.PEOPLE)
    measures = (
        Measure(MeasureKind.ROWS),
        people,
        Measure(MeasureKind.PEOPLE, Column("cost")),
        Measure(MeasureKind.ROWS, Column("cost")),
        Measure(MeasureKind.SUM, Column("age"), Grid(Fraction(60), Fraction(1), 60)),
        Measure(MeasureKind.SUM, Column("age"), Grid(Fraction(60), Fraction(1), 20)),
        Measure(MeasureKind.SUM, Column("age"), Grid(Fraction(60), Fraction(4), 15)),
        Measure(MeasureKind.SUM, Column("urgent"), Grid(Fraction(0), Fraction(1), 1)),
    )
    asked = [_asked((GroupedSums((), (measure,)),), None) for measure in measures]
    asked += [_asked((GroupedSums((Column("sex"),), (people,)),), None)]
    asked += [_asked((GroupedSums((Column("sex"),), (people,)),), Column("urgent"))]
    age = Column("age")
    asked += [
        _asked((GroupedSums((age,), (measures[0],), tree=tree),), None)
        for tree in (None, Tree(age, 121, 4), Tree(age, 121, 11))
    ]
    query, order = asked[0]
    asked += [(replace(query, edition="2025-10"), order)]
    wider = Scope(("age", "sex"), (Column("sex"),), ("grouped_sums",), (Column("age"),))
    asked += [(replace(query, rounds_max=1), order), (replace(query, scope=wider), order)]
    words = [question_words(*each, sample_dataset()) for each in asked]
    assert len(set(words)) == len(words)


def test_what_is_cut_names_the_whole() -> None:
    """Two long questions that differ at their ends only are not mistaken for each other."""
    texts = []
    for last in ("F", "M"):
        labels = (*(f"{'x' * 70}{i}" for i in range(90)), last)
        where = Call(Op.IN, (SEX, *map(CategoryLiteral, labels)))
        query, order = _asked((GroupedSums((), (Measure(MeasureKind.PEOPLE),)),), where)
        texts.append(question_words(query, order, sample_dataset()))
    assert len(texts[0]) == len(texts[1]) == WORDS_CHARACTERS_MAX
    assert texts[0] != texts[1]
    assert "SHA-256" in texts[0]


def _asked(aggregates: tuple[GroupedSums, ...], where: Expression | None) -> tuple[Query, RoundOrder]:
    """A query and its first round that ask this, with weights that add up."""
    count = sum(len(aggregate.measures) for aggregate in aggregates)
    weighted = tuple(
        replace(a, measures=tuple(replace(m, weight=Fraction(1, count)) for m in a.measures))
        for a in aggregates
    )
    query = sample_query(where=where, scope=Scope.of(weighted, where))
    return query, sample_order(bytes(32), round=Round(weighted).normalised())


def _calls(expression: Expression) -> list[Call]:
    if not isinstance(expression, Call):
        return []
    return [expression, *(call for arg in expression.args for call in _calls(arg))]


def _neighbours(expression: Expression) -> list[Expression]:
    """Trees that differ a little: another operation, arguments in another order, one more level."""
    if not isinstance(expression, Call):
        return []
    turned = [Call(expression.op, expression.args[::-1])] if len(set(expression.args)) > 1 else []
    nested = [Call(expression.op, (Call(expression.op, expression.args), *expression.args[1:]))]
    others = {Op.ADD: Op.MULTIPLY, Op.AND: Op.OR, Op.LESS: Op.LESS_EQUAL, Op.LEAST: Op.GREATEST}
    other = [Call(others[expression.op], expression.args)] if expression.op in others else []
    return [*turned, *nested, *other]
