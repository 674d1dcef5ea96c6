"""Keys without a public list: what may be asked, what agreements and queries say, what a release holds."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from practices import PRACTICE, with_practice
from samples import TODAY, sample_agreement, sample_order, sample_query

from fedstats.client.agreement_words import column_line
from fedstats.client.dummy import names, rows
from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import agreement_from_json, canonical_json, document_of
from fedstats.core.domain import Texts
from fedstats.core.expression import Call, CategoryLiteral, Column, Expression, Op
from fedstats.core.privacy import DELTA_STEP, Mechanism, MechanismLoss
from fedstats.core.query import Computation, Query, RoundOrder, Scope
from fedstats.core.rules import check_query, check_round, open_delta_of
from fedstats.core.schema import ColumnDefinition
from fedstats.core.statistic import Ask, Mode, Round
from fedstats.errors import (
    AgreementInvalid,
    LanguageError,
    LossInvalid,
    MessageInvalid,
    OutsideAgreement,
    SqlRefused,
    ValueInvalid,
)
from fedstats.sql.parse import parse
from fedstats.statistics.table import Table
from fedstats.wire.codec import (
    ReleaseNote,
    computation_hash,
    decode_query,
    decode_release,
    decode_round,
    encode_query,
    encode_release,
    encode_round,
)
from fedstats.wire.codec.strict import to_bytes
from fedstats.wire.v1 import query_pb2

THIRD = Fraction(1, 3)
HALF = Fraction(1, 2)
KEY = Column("practice")
DATASET = with_practice()


def agreement(**changes: object) -> Agreement:
    """The sample agreement with the open key."""
    return sample_agreement(**{"datasets": (DATASET,), **changes})


def aggregate(*keys: Expression, weight: Fraction | None = HALF) -> GroupedSums:
    """Rows by these keys."""
    rest = Fraction(1) if weight is None else 1 - weight
    return GroupedSums(keys or (KEY,), (Measure(MeasureKind.ROWS, None, None, rest),), weight)


def question(
    asked: GroupedSums | None = None, *, delta: Fraction | None = None, mode: Mode = Mode.LOCAL
) -> tuple[Query, RoundOrder]:
    """A query for it, by default with the delta that everybody derives."""
    first = Round((asked or aggregate(),)).normalised()
    spent = open_delta_of(agreement()) if delta is None else delta
    query = sample_query(
        where=None,
        scope=Scope.of(first.aggregates, None),
        loss=MechanismLoss(Mechanism.GAUSSIAN, Fraction(2**30, 2**40), spent),
        mode=mode,
    )
    return query, replace(sample_order(b"q" * 32), round=first)


# ------------------------------------------------------------------------------------------ the agreement


def test_an_agreement_writes_the_column_out(tmp_path: object) -> None:
    """Type, most characters and most values are signed, and read again to the same agreement."""
    del tmp_path
    signed = canonical_json(document_of(agreement()))
    assert b'"characters_max":20' in signed
    assert b'"type":"text","values_max":50' in signed
    assert agreement_from_json(signed) == agreement()


@pytest.mark.parametrize(
    "change",
    [
        {"as_measure": True},
        {"as_key": False},
        {"characters_max": 0},
        {"characters_max": 81},
        {"values_max": 0},
        {"values_max": 20_001},
        {"labels": ["a"]},
        {"values_max": None},
    ],
)
def test_a_column_of_free_text_is_a_key_and_bounded(change: dict[str, Any]) -> None:
    """What would make it anything else, or leave a bound out, is no agreement."""
    document: Any = document_of(agreement())
    column = next(c for c in document["datasets"][0]["columns"] if c["name"] == "practice")
    column |= change
    with pytest.raises(AgreementInvalid):
        agreement_from_json(canonical_json({k: v for k, v in document.items() if v is not None}))


def test_the_default_delta_is_on_the_grid_and_within_the_cap() -> None:
    """64 such questions fit the additive delta of the agreement, at any delta that an agreement can have."""
    for digits in (3, 6, 12):
        privacy = replace(agreement().privacy, delta=Fraction(1, 10**digits))
        delta = open_delta_of(agreement(privacy=privacy))
        assert 0 < 64 * delta <= privacy.delta / 2
        assert (delta * 2**60).denominator == 1


def test_people_read_what_it_is_for() -> None:
    """A controller who signs reads that values without a list are named, how long and how many."""
    line = column_line(PRACTICE)
    assert line.startswith("practice: text of up to 20 characters, without a public list")
    assert "at most 50" in line
    assert "may be missing" in line
    assert "filter" not in line


def test_made_up_rows_have_made_up_values() -> None:
    """Code can be tried on rows that fit the column, drawn from nothing but its bounds."""
    position = names(DATASET).index("practice")
    for row in rows(DATASET, 50):
        assert row[position] is None or PRACTICE.domain.check(str(row[position]))  # type: ignore[union-attr]  # it is Texts


# ---------------------------------------------------------------------------------------------- the rules


def test_the_rules_let_it_pass() -> None:
    """An open key alone, and beside a public one."""
    for asked in (aggregate(), aggregate(KEY, Column("sex"))):
        query, order = question(asked)
        check_query(agreement(), query, TODAY)
        check_round(agreement(), query, order)


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"mode": Mode.SECURE}, "local mode only"),
        ({"delta": Fraction(0)}, "names no additive delta"),
        ({"delta": Fraction(1, 2**20)}, "a larger additive delta"),
        ({"asked": aggregate(Column("sex"), weight=None)}, "no key of it needs one"),
    ],
)
def test_the_rules_refuse_the_rest(changes: dict[str, Any], why: str) -> None:
    """Secure mode, no delta, more delta than the agreement has, and delta for nothing."""
    query, _ = question(**changes)
    with pytest.raises(OutsideAgreement, match=why):
        check_query(agreement(modes=(Mode.LOCAL, Mode.SECURE)), query, TODAY)


TWO = with_practice(with_practice(), ColumnDefinition("surgeon", PRACTICE.domain, as_measure=False))
IS_A = Call(Op.EQUAL, (KEY, CategoryLiteral("a")))


@pytest.mark.parametrize(
    "asked",
    [
        aggregate(KEY, weight=None),
        aggregate(Column("sex")),
        aggregate(KEY, Column("surgeon")),
        aggregate(Call(Op.COALESCE, (KEY, KEY))),
        aggregate(IS_A),
        aggregate(Call(Op.IS_NULL, (KEY,))),
        GroupedSums((KEY,), (Measure(MeasureKind.ROWS, KEY, None, HALF),), HALF),
        GroupedSums((KEY,), (Measure(MeasureKind.PEOPLE, IS_A, None, HALF),), HALF),
    ],
)
def test_a_node_refuses_rounds_that_use_it_otherwise(asked: GroupedSums) -> None:
    """Without threshold, threshold without it, twice, in an expression, as a measure: before the charge."""
    query, order = question(asked)
    with pytest.raises((OutsideAgreement, ValueInvalid)):
        check_round(agreement(datasets=(TWO,)), query, order)


def test_weights_and_delta_add_up() -> None:
    """The threshold's weight is part of 1, one aggregate of a round has one, and delta lies on its grid."""
    with pytest.raises(ValueInvalid, match="add up"):
        Round((replace(aggregate(), threshold_weight=THIRD),))
    both = tuple(
        GroupedSums((KEY,), (Measure(kind, None, None, HALF / 2),), HALF / 2)
        for kind in (MeasureKind.ROWS, MeasureKind.PEOPLE)
    )
    with pytest.raises(ValueInvalid, match="at most one"):
        Round(both)
    with pytest.raises(ValueInvalid, match="2\\^-60"):
        question(delta=Fraction(1, 3**20))
    with pytest.raises(LossInvalid):
        MechanismLoss(Mechanism.GAUSSIAN, Fraction(1), Fraction(-1, 8))


def test_a_round_without_the_key_costs_no_delta() -> None:
    """Of a query with several rounds only those pay that name values."""
    query, order = question()
    closed = replace(order, round=Round((aggregate(Column("sex"), weight=None),)).normalised())
    assert Computation.of(query, order).loss.delta_add == query.loss.delta_add
    assert Computation.of(query, closed).loss.delta_add == 0


# ---------------------------------------------------------------------------------------------------- SQL


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(practice) AS n FROM rtt",
        "SELECT AVG(practice) AS n FROM rtt",
        "SELECT MAX(practice) AS n FROM rtt",
        "SELECT COUNT(DISTINCT practice) AS n FROM rtt",
        "SELECT practice FROM rtt",
        "SELECT practice FROM rtt GROUP BY practice",
        "SELECT COUNT(*) AS n FROM rtt GROUP BY practice",
        "SELECT COUNT(*) AS n FROM rtt WHERE practice = 'A81001'",
        "SELECT COUNT(*) AS n FROM rtt WHERE practice <> 'A81001'",
        "SELECT COUNT(*) AS n FROM rtt WHERE practice IN ('A81001')",
        "SELECT COUNT(*) AS n FROM rtt WHERE practice IS NULL",
        "SELECT COUNT(*) AS n FROM rtt WHERE practice IS NOT NULL",
        "SELECT COUNT(*) AS n FROM rtt WHERE practice LIKE 'A%'",
        "SELECT COUNT(*) AS n FROM rtt WHERE practice = practice",
        "SELECT COUNT(*) AS n FROM rtt WHERE practice < 'M'",
        "SELECT COUNT(*) AS n FROM rtt WHERE practice",
        "SELECT SHARE(practice = 'A81001') AS n FROM rtt",
        "SELECT COUNT(*) FILTER (WHERE practice = 'A81001') AS n FROM rtt",
        "SELECT practice = 'A' AS p, COUNT(*) AS n FROM rtt GROUP BY 1",
        "SELECT COALESCE(practice, 'x') AS p, COUNT(*) AS n FROM rtt GROUP BY 1",
        "SELECT CASE WHEN sex = 'F' THEN practice END AS p, COUNT(*) AS n FROM rtt GROUP BY 1",
        "SELECT BAND(practice, 3) AS p, COUNT(*) AS n FROM rtt GROUP BY 1",
        "SELECT practice || sex AS p, COUNT(*) AS n FROM rtt GROUP BY 1",
        "SELECT practice, surgeon, COUNT(*) AS n FROM rtt GROUP BY practice, surgeon",
    ],
)
def test_free_text_is_asked_as_a_key_and_no_otherwise(sql: str) -> None:
    """No measure, no filter, no literal to probe with, no expression over it, and one such key a question."""
    with pytest.raises(LanguageError):
        parse(sql, lambda _: TWO)


def test_it_is_refused_in_secure_mode() -> None:
    """Where the analyst would ask it, with what to do instead."""
    statistic = Table.from_sql("SELECT practice, COUNT(*) AS n FROM rtt GROUP BY practice", lambda _: DATASET)
    loss = MechanismLoss(Mechanism.GAUSSIAN, Fraction(1, 40), Fraction(1, 2**30))
    ask = Ask(DATASET, loss, DATASET.contribution(departments_max=2), ("north",), Mode.SECURE)
    with pytest.raises(SqlRefused, match="local mode"):
        statistic.step(ask, [])


# --------------------------------------------------------------------------------------------------- wire


def test_queries_and_rounds_keep_their_delta_and_weight() -> None:
    """What is signed is read back, and both change the computation: a smaller delta is another question."""
    query, order = question()
    assert decode_query(encode_query(query)) == query
    assert decode_round(encode_round(order)) == order
    others = [
        (replace(query, loss=replace(query.loss, delta_add=query.loss.delta_add - DELTA_STEP)), order),
        (query, replace(order, round=Round((aggregate(weight=Fraction(1, 4)),)).normalised())),
    ]
    hashes = {computation_hash(Computation.of(*asked)) for asked in [(query, order), *others]}
    assert len(hashes) == 3  # each is its own


def release(*values: str) -> bytes:
    """A release with these values, as protobuf writes it without looking."""
    vector = np.zeros(len(values), dtype="<i8").tobytes()
    return to_bytes(
        query_pb2.Release(
            department="north",
            computation=b"c" * 32,
            aggregates=[query_pb2.AggregateRelease(measures=[vector])],
            values=values,
            salt=b"s" * 16,
            edition="2025-09",
        )
    )


def test_a_release_has_one_encoding() -> None:
    """Values in order, each once, are read back as they were."""
    note = decode_release(release("A", "B", "b", "Ä"))
    assert note.values == ("A", "B", "b", "Ä")
    assert encode_release(note) == release("A", "B", "b", "Ä")
    with pytest.raises(MessageInvalid, match="in order"):
        ReleaseNote("north", b"c" * 32, "2025-09", note.vectors, bytes(16), ("b", "a"))


@pytest.mark.parametrize(
    "values",
    [("B", "A"), ("A", "A"), ("",), ("A\n",), ("\x1b[31m",), ("\u202eA",), ("A" * 81,), ("\ufeffA",)],
)
def test_a_release_with_other_values_is_no_release(values: tuple[str, ...]) -> None:
    """Out of order, twice, empty, with what a terminal obeys, too long: refused when it is read."""
    with pytest.raises(MessageInvalid):
        decode_release(release(*values))


def test_a_value_fits_its_column() -> None:
    """As long as the column allows, printable, and nothing else."""
    domain = Texts(3, 10)
    assert domain.check("ÄÖÜ") == "ÄÖÜ"
    for value in ("four", "", "a\tb"):
        with pytest.raises(ValueInvalid):
            domain.check(value)
