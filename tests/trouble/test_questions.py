"""Questions that cannot be asked or answered: the code, the sentence, what was spent, and that all goes on.

They share one federation. After each the ledgers are as they were, and a good question is answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner
from samples import sample_agreement
from waiting import federation

from fedstats.cli import main
from fedstats.core.agreement import PrivacyTerms
from fedstats.core.agreement_document import document_of
from fedstats.demo.toml_text import toml_text
from fedstats.errors import (
    EditionMissing,
    ExpressionInvalid,
    FedstatsError,
    LossInvalid,
    NameUnknown,
    NotAnswered,
    OutsideAgreement,
    Spent,
    SqlRefused,
    SqlUnreadable,
    TooLarge,
)
from fedstats.testing.federation import Federation

COUNT = "SELECT COUNT(*) FROM rtt"
GOOD = "SELECT COUNT(*) FROM rtt WHERE age < 77"


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three departments; nothing that these tests ask is ever charged."""
    with federation(tmp_path_factory.mktemp("federation")) as made:
        yield made


@contextmanager
def costs_nothing(fed: Federation, error: type[FedstatsError], *words: str) -> Iterator[None]:
    """The block fails with this error and these words, nothing is charged or registered, and all goes on."""
    entries = {name: len(node.ledger.entries()) for name, node in fed.nodes.items()}
    registered = fed.coordinator.desk.store.register.count()
    with pytest.raises(error) as told:
        yield
    assert type(told.value) is error
    for word in words:
        assert word in str(told.value), str(told.value)
    assert "Nothing was spent." in str(told.value)
    assert "?." not in str(told.value)
    assert {name: len(node.ledger.entries()) for name, node in fed.nodes.items()} == entries
    assert fed.coordinator.desk.store.register.count() == registered
    with fed.session() as session:
        answer = session.query(GOOD, epsilon="0.1", wait_s=300)
    assert [p.refusal for p in answer.participants] == [None] * 3
    assert all(len(node.ledger.entries()) <= max(entries[name], 1) for name, node in fed.nodes.items())


NAMES: dict[str, tuple[dict[str, str], type[FedstatsError], tuple[str, ...]]] = {
    "dataset": ({"sql": "SELECT COUNT(*) FROM rt"}, NameUnknown, ("'rt'", "did you mean rtt?")),
    "column": ({"sql": f"{COUNT} WHERE aeg > 1"}, NameUnknown, ("'aeg'", "did you mean age?")),
    "category": (
        {"sql": f"{COUNT} WHERE sex = 'f'"},
        ExpressionInvalid,
        ("'f'", "did you mean F?", "declared categories"),
    ),
    "purpose": ({"purpose": "wating"}, NameUnknown, ("'wating'", "did you mean waiting?")),
    "edition": ({"edition": "2025-9"}, NameUnknown, ("'2025-9'", "did you mean 2025-09")),
    "edition that nobody made": (
        {"edition": "2025-10"},
        EditionMissing,
        ("held by no department under version 1", "needs 2", "north, south, west"),
    ),
    "agreement": ({"agreement": "RTT-2025"}, NameUnknown, ("'RTT-2025'", "there is RTT-2026")),
    "column that is no key": (
        {"sql": "SELECT postcode_area, COUNT(*) FROM rtt GROUP BY postcode_area"},
        SqlRefused,
        ("postcode_area", "Use it in WHERE"),
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_name(fed: Federation, name: str) -> None:
    """Which name, what there is instead, and the one that was probably meant."""
    asked, error, words = NAMES[name]
    with costs_nothing(fed, error, *words), fed.session() as session:
        session.query(
            asked.get("sql", COUNT),
            epsilon=1,
            agreement=asked.get("agreement", ""),
            purpose=asked.get("purpose", ""),
            edition=asked.get("edition", ""),
        )


SQL = {
    "DELETE FROM rtt": (SqlUnreadable, "begins with SELECT"),
    "": (SqlUnreadable, "There is no question"),
    "x" * 100_000: (TooLarge, "more than 20000 characters"),
    f"{COUNT}; {COUNT}": (SqlRefused, "one question at a time"),
    "SELECT age FROM rtt": (SqlRefused, "AVG(age)"),
    "SELECT MAX(age) FROM rtt": (SqlRefused, "shows the value of one row"),
    f"{COUNT} WHERE nhs_number = '1'": (SqlRefused, "names persons"),
    f"{COUNT} a JOIN rtt b ON a.age = b.age": (SqlRefused, ""),
    f"{COUNT} WHERE age IN (SELECT age FROM rtt)": (SqlRefused, ""),
    "SELECT SUM(age / cost) FROM rtt": (ExpressionInvalid, "divide by 0"),
    f"SELECT SUM({'*'.join(['age'] * 12)}) FROM rtt": (TooLarge, "CLAMP"),
    "SELECT QUANTILE(age, 1.5) FROM rtt": (ExpressionInvalid, "lies above 0 and below 1"),
    "SELECT HISTOGRAM(age, 70) FROM rtt": (ExpressionInvalid, "60 of width 2, or 120 of width 1"),
    "SELECT age, cost, started, COUNT(*) FROM rtt GROUP BY 1, 2, 3": (TooLarge, "Use fewer or coarser keys"),
}


@pytest.mark.parametrize("sql", SQL, ids=lambda sql: sql[:40])
def test_sql_outside_the_language(fed: Federation, sql: str) -> None:
    """What is wrong, and what to write instead; the whole corpus is in tests/unit/test_sql_refusals.py."""
    error, word = SQL[sql]
    with costs_nothing(fed, error, word), fed.session() as session:
        session.query(sql, epsilon=1)


@pytest.mark.parametrize(
    "epsilon",
    [
        *("0", "-0", "-1", "nan", "inf", "-inf", "1e400", "1e-400", "101", "", "abc", "1/3", "0x1", "1_0"),
        *("9" * 400, float("nan"), float("inf"), -1.0, 0),
    ],
    ids=lambda epsilon: repr(epsilon)[:12],
)
def test_an_epsilon_that_is_none(fed: Federation, epsilon: str | float) -> None:
    """Zero, negative, not a number, infinite, out of range: refused before anything is read or sent."""
    with costs_nothing(fed, LossInvalid, "--epsilon between 0.001 and 100"), fed.session() as session:
        session.query(COUNT, epsilon=epsilon)


def test_an_epsilon_over_the_limit_of_one_query(fed: Federation) -> None:
    """The agreement's limit, and what to type instead."""
    words = ("at most 2", "Ask with --epsilon 2 or less")
    with costs_nothing(fed, OutsideAgreement, *words), fed.session() as session:
        session.query(COUNT, epsilon="2.001")


def spend(fed: Federation, epsilon: str) -> NotAnswered:
    """Ask new questions until every department refuses; what the analyst is told then."""
    for age in range(90):
        with fed.session() as session:
            try:
                session.query(f"{COUNT} WHERE age < {age + 1}", epsilon=epsilon, wait_s=300)
            except NotAnswered as told:
                return told
    raise AssertionError("the budget never ends")


@pytest.mark.parametrize(
    "code, whole, each, words",
    [
        ("FS-214", "2.5", "2", ("is left", "RTT-2026")),
        ("FS-215", "60", "15", ("is left", "over all agreements for persons of nhs_number")),
    ],
)
def test_an_epsilon_over_what_is_left(
    tmp_path: Path, code: str, whole: str, each: str, words: tuple[str, ...]
) -> None:
    """The agreement's budget, or the department's own lifetime cap: who says so, how much is left, no charge.

    What was answered before is still answered free, and a smaller question still fits.
    """
    terms = PrivacyTerms(Fraction(whole), Fraction(1, 10**6), Fraction(each), 2)
    with federation(tmp_path, privacy=terms) as fed:
        told = spend(fed, each)
        charged = {name: fed.spent(name) for name in fed.nodes}
        assert told.spent is Spent.NOTHING
        for word in (code, *words, *fed.nodes):
            assert word in str(told), str(told)
        with fed.session() as session:
            again = session.query(f"{COUNT} WHERE age < 1", epsilon=each, wait_s=300)
            assert [p.refusal for p in again.participants] == [None] * 3
            assert {name: fed.spent(name) for name in fed.nodes} == charged
            session.query(f"{COUNT} WHERE age < 99", epsilon="0.01", wait_s=300)
        for node in fed.nodes.values():
            node.ledger.verify()


@pytest.mark.parametrize("missing", ["lo", "hi", "labels"])
def test_missing_bounds_are_found_when_the_agreement_is_written(tmp_path: Path, missing: str) -> None:
    """A number without bounds has no sensitivity: the document is refused, and the column is named."""
    document = document_of(sample_agreement())
    text = toml_text(document)
    file = tmp_path / "agreement.toml"
    file.write_text(text)
    checked = ["agreement", "check", str(file)]
    assert CliRunner().invoke(main, checked).exit_code == 0
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(f"{missing} = "))
    file.write_text("\n".join([*lines[:first], *lines[first + 1 :]]))
    refused = CliRunner().invoke(main, checked)
    assert refused.exit_code == 6, refused.output
    assert missing in refused.stderr
    assert "FS-502" in refused.stderr
