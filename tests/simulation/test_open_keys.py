"""Keys without a public list, from the question to the table, over a simulated federation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from analyst_world import Tampering
from practices import PRACTICE, practice_federation
from samples import sample_agreement

from fedstats.client.explanation import explanation_json, explanation_lines
from fedstats.core.domain import Texts
from fedstats.core.estimate import Absence, AbsenceReason, Value
from fedstats.core.privacy import NO_LOSS, Mechanism
from fedstats.core.rules import budget_of, open_delta_of
from fedstats.errors import NotAnswered
from fedstats.identity.keys import Context, Signed
from fedstats.wire.codec import ReleaseNote, decode_release, encode_release, signed_to
from fedstats.wire.v1 import analysts_pb2

SQL = "SELECT practice, COUNT(DISTINCT nhs_number) AS people FROM rtt GROUP BY practice"
MANY = {"A81001": 700, "B82002": 500}


def test_only_values_that_many_people_have_are_named(tmp_path: Path) -> None:
    """A practice of 700 people is a row with about 700; one of a single person is nowhere in the answer."""
    people = {name: {**MANY, "lonely": 1, "": 30} for name in ("north", "south", "west")}
    with practice_federation(tmp_path, people) as fed, fed.session() as session:
        answer = session.query(SQL, epsilon=1, wait_s=600)
        assert [row.key for row in answer.table] == [("A81001",), ("B82002",), (None,)]
        cells = [row.cells[0] for row in answer.table]
        assert all(isinstance(cell, Value) for cell in cells)
        for cell, exact in zip(cells, (2_100, 1_500, 90), strict=True):
            assert isinstance(cell, Value)
            assert abs(cell.value - exact) < 5 * cell.noise_interval.half_width
        assert [row.named_by for row in answer.table] == [3, 3, 3]
        assert "lonely" not in answer.to_json()
        assert any("left out" in note for note in answer.estimate.notes)


def test_a_row_says_how_many_departments_are_in_it(tmp_path: Path) -> None:
    """A value that one department named is a sum over that one, with one noise, and says so everywhere."""
    people = {"north": MANY, "south": {"A81001": 700}, "west": {"A81001": 3}}
    with practice_federation(tmp_path, people) as fed, fed.session() as session:
        answer = session.query(SQL, epsilon=1, wait_s=600)
        named = {row.key[0]: row for row in answer.table}
        assert {key: row.named_by for key, row in named.items()} == {"A81001": 2, "B82002": 1, None: 3}
        two, one = named["A81001"].cells[0], named["B82002"].cells[0]
        assert isinstance(two, Value)
        assert isinstance(one, Value)
        assert one.noise_interval.half_width < two.noise_interval.half_width
        rows = json.loads(answer.to_json())["tables"][0]["rows"]
        assert [row["named_by"] for row in rows] == [2, 1, 3]
        assert "named by" in str(answer)
        assert answer.to_csv().splitlines()[0].endswith("named_by")


def test_departments_beside_each_other_say_which_did_not_name_a_value(tmp_path: Path) -> None:
    """By department a value that it did not name is a typed absence, never 0."""
    people = {"north": MANY, "south": {"A81001": 700}, "west": {}}
    with practice_federation(tmp_path, people) as fed, fed.session() as session:
        sql = "SELECT department, practice, COUNT(*) AS n FROM rtt GROUP BY department, practice"
        cells = {row.key: row.cells[0] for row in session.query(sql, epsilon=1, wait_s=600).table}
        assert isinstance(cells["north", "B82002"], Value)
        for key in (("south", "B82002"), ("west", "A81001")):
            absent = cells[key]
            assert isinstance(absent, Absence)
            assert absent.reason is AbsenceReason.BELOW_THRESHOLD


def test_naming_costs_delta_at_every_department_and_again_nothing(tmp_path: Path) -> None:
    """The default is a 64th of the agreement's additive delta; a repeated question is free and equal."""
    with practice_federation(tmp_path, {"north": MANY}) as fed, fed.session() as session:
        sql = "SELECT practice, sex, COUNT(*) AS n, AVG(age) AS age FROM rtt GROUP BY practice, sex"
        first = session.query(sql, epsilon=1, wait_s=600)
        delta = open_delta_of(fed.agreement)
        assert 0 < delta <= budget_of(fed.agreement).delta_add / 64
        assert {fed.spent(name).delta_add for name in fed.nodes} == {delta}
        assert first.cost is not None
        assert first.cost.loss.delta_add == delta
        assert first.guarantee is not None
        assert first.guarantee.delta >= fed.agreement.privacy.delta_conversion + delta
        again = session.query(sql.replace("sex, COUNT", "sex AS s, COUNT"), epsilon=1, wait_s=600)
        assert [row.cells for row in again.table] == [row.cells for row in first.table]
        assert {fed.spent(name).delta_add for name in fed.nodes} == {delta}


def test_the_delta_of_a_department_runs_out(tmp_path: Path) -> None:
    """A lifetime cap with less additive delta than one question names: refused with that, and all is kept."""
    privacy = replace(sample_agreement().privacy, delta=Fraction(9, 1_000))
    with practice_federation(tmp_path, {"north": MANY}, privacy=privacy) as fed, fed.session() as session:
        with pytest.raises(NotAnswered, match=r"FS-215 .* additive delta"):
            session.query(SQL, epsilon=1, wait_s=600)
        assert all(fed.spent(name) == NO_LOSS for name in fed.nodes)


def test_answers_that_could_not_be_sent_are_refused_before_the_charge(tmp_path: Path) -> None:
    """The agreement's bounds say how large a release may get, values and texts included."""
    wide = replace(PRACTICE, domain=Texts(80, 20_000))
    with practice_federation(tmp_path, {}, column=wide) as fed, fed.session() as session:
        sums = ", ".join(f"SUM(age + {i}) AS a{i}" for i in range(10))
        sql = f"SELECT practice, sex, {sums} FROM rtt GROUP BY practice, sex"
        with pytest.raises(NotAnswered, match="would have"):
            session.query(sql, epsilon=1, wait_s=600)
        assert all(fed.spent(name) == NO_LOSS for name in fed.nodes)


def test_pure_epsilon_says_its_delta(tmp_path: Path) -> None:
    """Laplace noise names values too; the promise then has the delta of naming, and says it."""
    privacy = replace(sample_agreement().privacy, mechanisms=tuple(Mechanism), epsilon_per_query=Fraction(8))
    with practice_federation(tmp_path, {"north": MANY}, privacy=privacy) as fed, fed.session() as session:
        answer = session.query(SQL, epsilon=1, pure=True, wait_s=600)
        assert [row.key for row in answer.table] == [("A81001",), ("B82002",), (None,)]
        assert answer.guarantee is not None
        assert answer.guarantee.delta >= open_delta_of(fed.agreement) > 0
        assert "at delta" in str(answer)


def test_what_it_takes_is_known_beforehand(tmp_path: Path) -> None:
    """--explain says threshold, most values and delta; the answer's note has the same threshold."""
    with practice_federation(tmp_path, {"north": MANY}) as fed, fed.session() as session:
        explained = session.explain(SQL, epsilon=1)
        naming = explained.naming
        assert naming is not None
        assert (naming.column, naming.values_max) == ("practice", 50)
        assert naming.delta == open_delta_of(fed.agreement)
        (cells,) = [text for head, text in explanation_lines(explained) if head == "Cells:"]
        assert f"is {naming.threshold} or more, and at most 50 values" in cells
        (note, *_) = [n for n in session.query(SQL, epsilon=1, wait_s=600).estimate.notes if "left out" in n]
        assert f"is {naming.threshold} or more" in note
        assert json.loads(explanation_json(explained))["naming"]["threshold"] == naming.threshold


def test_a_target_finds_the_loss_of_such_a_question(tmp_path: Path) -> None:
    """The width that was wanted is met by every row, whoever named it."""
    with practice_federation(tmp_path, {"north": MANY}) as fed, fed.session() as session:
        answer = session.query(SQL, target="60", wait_s=600)
        for row in answer.table:
            cell = row.cells[0]
            assert isinstance(cell, Value)
            assert cell.noise_interval.half_width <= 60  # as asked


Change = Callable[[ReleaseNote], ReleaseNote]


def many(note: ReleaseNote) -> ReleaseNote:
    """More values than the agreement allows."""
    values = tuple(f"v{i:03}" for i in range(51))
    return replace(note, values=values, vectors=((np.zeros(52, dtype=np.int64),),))


def long(note: ReleaseNote) -> ReleaseNote:
    """A value that is longer than its column."""
    return replace(note, values=("x" * 21,), vectors=((np.zeros(2, dtype=np.int64),),))


def unshaped(note: ReleaseNote) -> ReleaseNote:
    """Values without numbers."""
    return replace(note, values=("a", "b", "c"))


@pytest.mark.parametrize("change", [many, long, unshaped])
def test_a_hostile_department_cannot_name_what_it_likes(change: Change, tmp_path: Path) -> None:
    """Too many, too long, or without their numbers: its release is an absence, and the others count."""
    people = {name: {"A81001": 700} for name in ("north", "south", "west")}
    with practice_federation(tmp_path, people) as fed, fed.session() as session:
        key = fed.nodes["west"].runner.key()

        def resigned(reply: object) -> None:
            if isinstance(reply, analysts_pb2.FetchReply):
                for outcome in (o for r in reply.rounds for o in r.outcomes if o.department == "west"):
                    payload = encode_release(change(decode_release(outcome.release.payload)))
                    outcome.release.CopyFrom(signed_to(Signed.make(Context.RELEASE, payload, key)))

        session.transport = Tampering(session.transport, resigned)
        answer = session.query(SQL, epsilon=1, wait_s=600)
        assert [(row.key[0], row.named_by) for row in answer.table] == [("A81001", 2), (None, 2)]
        (absent,) = [p.refusal for p in answer.participants if p.refusal]
        assert "does not count" in absent.sentence


def test_values_of_a_question_that_has_none_do_not_count(tmp_path: Path) -> None:
    """A release cannot smuggle texts into an answer about public keys."""
    with practice_federation(tmp_path, {"north": MANY}) as fed, fed.session() as session:
        key = fed.nodes["north"].runner.key()

        def named(reply: object) -> None:
            if isinstance(reply, analysts_pb2.FetchReply):
                for outcome in (o for r in reply.rounds for o in r.outcomes if o.department == "north"):
                    note = replace(decode_release(outcome.release.payload), values=("smuggled",))
                    signed = Signed.make(Context.RELEASE, encode_release(note), key)
                    outcome.release.CopyFrom(signed_to(signed))

        session.transport = Tampering(session.transport, named)
        answer = session.query("SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex", epsilon=1, wait_s=600)
        assert [p.department for p in answer.participants if p.refusal] == ["north"]


def test_questions_without_such_a_key_cost_no_delta(tmp_path: Path) -> None:
    """The column is there, and nobody pays for it who does not group by it."""
    with practice_federation(tmp_path, {"north": MANY}) as fed, fed.session() as session:
        session.query("SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex", epsilon=1, wait_s=600)
        assert {fed.spent(name).delta_add for name in fed.nodes} == {0}
