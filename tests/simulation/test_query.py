"""A whole query in a simulated federation: real parts, simulated network and clock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from waiting import federation

from fedstats.client.explanation import explanation_lines
from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.estimate import Value
from fedstats.core.privacy import NO_LOSS
from fedstats.core.reason import Reason
from fedstats.errors import LanguageError
from fedstats.wire.methods import REGISTER
from fedstats.wire.v1 import agreements_pb2

SQL = "SELECT sex, COUNT(*) AS n, AVG(age) AS mean_age FROM rtt GROUP BY sex"


def test_a_question_is_answered_by_all_departments(tmp_path: Path) -> None:
    """One line in, a table out: every department answers, and the noisy counts are near the truth."""
    with federation(tmp_path) as fed, fed.session() as session:
        answer = session.query(SQL, epsilon=2, wait_s=600)
        (table,) = answer.estimate.tables
        assert [row.key for row in table] == [("F",), ("M",)]
        cells = [row.cells[0] for row in table]
        assert all(isinstance(cell, Value) for cell in cells)
        total = sum(cell.value for cell in cells if isinstance(cell, Value))
        assert abs(total - 180) < 150, "20 standard deviations of noise"
        assert [p.refusal for p in answer.estimate.participants] == [None, None, None]


def test_a_repeated_question_costs_nothing_and_gives_the_same_answer(tmp_path: Path) -> None:
    """Other names and another order of clauses: the recorded answer, and one charge at every department."""
    with federation(tmp_path) as fed, fed.session() as session:
        first = session.query(SQL, epsilon=1, wait_s=600)
        spent = {name: fed.spent(name) for name in fed.nodes}
        again = session.query(
            "SELECT AVG(age) AS a, sex, COUNT(*) AS b FROM rtt GROUP BY sex", epsilon=1, wait_s=600
        )
        assert {name: fed.spent(name) for name in fed.nodes} == spent
        a, b = first.estimate.tables[0], again.estimate.tables[0]
        assert [row.cells for row in a] == [row.cells[::-1] for row in b]


def test_a_mistake_costs_nothing(tmp_path: Path) -> None:
    """A question outside the language never leaves the analyst's computer."""
    with federation(tmp_path) as fed, fed.session() as session:
        with pytest.raises(LanguageError):
            session.query("SELECT MAX(age) FROM rtt", epsilon=1)
        assert all(fed.spent(name).rho == 0 for name in fed.nodes)
        assert not session.jobs()


def test_disclosure_control_from_the_agreement_to_the_register(tmp_path: Path) -> None:
    """Nodes answer what commits to their agreement's profile; the register and the answer say which it is."""
    profile = DisclosureProfile.OPENSAFELY
    with federation(tmp_path, disclosure=profile) as fed, fed.session() as session:
        answer = session.query(
            "SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex", epsilon=2, totals=True, wait_s=600
        )
        entries = session.transport.call(REGISTER, agreements_pb2.RegisterRequest()).entries
    (asked,) = [json.loads(entry.document) for entry in entries if entry.kind == "query"]
    assert asked["disclosure"] == "opensafely"
    assert answer.estimate.disclosure is profile
    shown = [cell.value for row in answer.table for cell in row.cells if isinstance(cell, Value)]
    assert all(value >= 8 and value % 5 == 0 for value in shown)
    assert [row.key for row in answer.table] == [("F",), ("M",), ("all",)]
    assert answer.table.withheld == 2 - sum(isinstance(row.cells[0], Value) for row in answer.table.rows[:2])


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told yet"])
def test_who_withdrew_is_absent_with_the_reason(tmp_path: Path, *, told: bool) -> None:
    """A department leaves: it answers nothing, and the next answer says that it left, and why."""
    with federation(tmp_path) as fed, fed.session() as session:
        fed.nodes["south"].withdraw(fed.agreement.id, Reason.GOVERNANCE)
        if told:
            fed.work()
        answer = session.query(SQL, epsilon=1, wait_s=600)
        (absent,) = [p.refusal for p in answer.participants if p.refusal is not None]
        assert (absent.department, absent.code) == ("south", "FS-202")
        assert f"withdrew from agreement {fed.agreement.id}" in absent.sentence
        assert absent.sentence.endswith(f"{Reason.GOVERNANCE.words}.")
        assert fed.spent("south") == NO_LOSS


def test_a_bound_is_asked_answered_and_remembered(tmp_path: Path) -> None:
    """Averages over people: explained beside the other ways, told in the answer and the register, resumed."""
    sql = "SELECT sex, COUNT(*) AS n, AVG(age) AS age FROM rtt GROUP BY sex"
    with federation(tmp_path) as fed, fed.session() as session:
        explained = session.explain(sql, epsilon=2, bound="people")
        assert [bound for bound, _ in explained.bounds] == ["people", "rows", "norm:1"]
        told = [line for head, line in explanation_lines(explained) if head == "Bounds:"]
        assert told[0].startswith("--bound people (everybody counts once in a cell) as asked: n ± ")
        answer = session.query(sql, epsilon=2, bound="people", wait_s=600)
        assert any("everybody counts once" in note for note in answer.estimate.notes)
        (entry,) = [
            json.loads(e.document)
            for e in session.transport.call(REGISTER, agreements_pb2.RegisterRequest()).entries
            if e.kind == "query"
        ]
        assert "a person counts once in each cell" in json.dumps(entry)
        assert session.resume(answer.estimate.job, wait_s=600).table == answer.table
        counts = [row.cells[0] for row in answer.table]
        people = sum(cell.value for cell in counts if isinstance(cell, Value))
        assert abs(people - 120) < 100, "20 standard deviations of noise"
        auto = session.query(sql.replace("COUNT(*) AS n, ", ""), epsilon=2, bound="auto", wait_s=600)
        assert any("Rows have weights" in note or "counts once" in note for note in auto.estimate.notes)
