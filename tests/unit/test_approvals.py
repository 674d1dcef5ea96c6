"""What people at a department decide: what lets out may need two, what stops needs one; all of it lasts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from one_node import Analyst, make_home, open_node, refusal_of, release_of
from samples import NOW_S, sample_query, seed_key

from fedstats.core.approval import Approval
from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.core.reason import Reason
from fedstats.errors import ApprovalInvalid, ConfigInvalid, QuestionUnknown
from fedstats.identity.keys import Context
from fedstats.journal.meters import UNDECIDED
from fedstats.node.approval_terms import Approver, Decide, PolicyTerms, Rule
from fedstats.node.approvals import UNDECIDED_MAX, UNDECIDED_OF_ANALYST_MAX
from fedstats.node.config import config_of
from fedstats.node.deciding import sections
from fedstats.node.gauges import gauges
from fedstats.node.home import Home
from fedstats.node.service import Node
from fedstats.wire.codec import encode_approval
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import nodes_pb2

ANALYST = Analyst()
EACH = PolicyTerms(Decide.EACH)
JONES, KHAN, MALLORY = (seed_key(f"approver {name}") for name in ("jones", "khan", "mallory"))
BOTH = tuple(Approver(name, key.public) for name, key in (("a.jones", JONES), ("b.khan", KHAN)))
TWO = PolicyTerms(Decide.EACH, 2, BOTH)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A node of north with an edition."""
    return make_home(tmp_path)


@pytest.fixture
def node(home: Home) -> Iterator[Node]:
    """The same, opened, with a person who decides about each question."""
    with open_node(home, policy=EACH) as opened:
        yield opened


def asking(**changes: Any) -> nodes_pb2.Task:
    """A task of its own: another nonce is another query."""
    return ANALYST.task(sample_query(**changes))


def hash_of(task: nodes_pb2.Task) -> bytes:
    """The hash of the query in it."""
    return sha256(task.query.payload)


def waiting(report: nodes_pb2.ReportRequest) -> str:
    """For whom a task waits."""
    assert report.WhichOneof("outcome") == "waiting", report
    return report.waiting.sentence


def test_nothing_happens_before_a_person_decides(node: Node) -> None:
    """The task waits for the department by name, charges nothing, looks at nothing; then it is answered."""
    task = asking()
    assert waiting(node.runner.run(task)) == "waits for approval by north since 2026-06-01 08:00 UTC"
    assert node.ledger.entries() == ()
    (standing,) = node.approvals.all(now_s=NOW_S)
    assert (standing.analyst, standing.words, standing.parked) == ("a.smith@north", "waits", "task")
    assert [s.value for s in gauges(node) if s.meter is UNDECIDED] == [1]
    node.approvals.approve(hash_of(task), None, now_s=NOW_S + 5)
    assert [s.value for s in gauges(node) if s.meter is UNDECIDED] == [0]
    release_of(node.runner.run(task))
    assert len(node.ledger.entries()) == 1


def test_one_approval_is_for_all_rounds_of_one_query(node: Node) -> None:
    """Another query waits for its own, also where its answer stands in the record."""
    task, other = asking(), asking(nonce=bytes(16))
    node.runner.run(task)
    node.approvals.approve(hash_of(task), None, now_s=NOW_S)
    release_of(node.runner.run(task))
    assert "waits" in waiting(node.runner.run(other))


def test_decisions_last_over_restarts(home: Home) -> None:
    """Waiting, approved and refused are on disk: a node that died knows all three."""
    tasks = [asking(nonce=bytes([i]) * 16) for i in range(3)]
    with open_node(home, policy=EACH) as node:
        for task in tasks:
            node.runner.run(task)
        node.approvals.approve(hash_of(tasks[1]), None, now_s=NOW_S)
        node.approvals.refuse(hash_of(tasks[2]), Reason.PURPOSE, now_s=NOW_S, note="minute 7")
    with open_node(home, policy=EACH, now=lambda: NOW_S + 60) as node:
        assert waiting(node.runner.run(tasks[0])) == "waits for approval by north since 2026-06-01 08:00 UTC"
        release_of(node.runner.run(tasks[1]))
        note = refusal_of(node.runner.run(tasks[2]))
        assert (note.code, note.charged, note.reason) == ("FS-207", False, Reason.PURPOSE)
        assert "(purpose)" in note.sentence
        assert "minute" not in note.sentence


def test_a_refusal_after_an_approval_holds_back_what_was_not_sent(node: Node) -> None:
    """Whoever changes their mind in time stops the release, and every later round."""
    task = asking()
    node.runner.run(task)
    node.approvals.approve(hash_of(task), None, now_s=NOW_S)
    report = node.runner.run(task)
    node.approvals.refuse(hash_of(task), Reason.PRIVACY, now_s=NOW_S)
    sent = node.runner.allowed_now(task, report)
    assert (refusal_of(sent).code, refusal_of(sent).charged) == ("FS-207", True)
    with pytest.raises(ApprovalInvalid, match="final"):
        node.approvals.approve(hash_of(task), None, now_s=NOW_S)


def test_a_pause_and_a_withdrawal_beat_an_approval(node: Node) -> None:
    """An approval lets nothing out that something else holds back."""
    task = asking()
    node.runner.run(task)
    node.approvals.approve(hash_of(task), None, now_s=NOW_S)
    node.policy.pause(Reason.SECURITY, now_s=NOW_S)
    paused = refusal_of(node.runner.run(task))
    assert (paused.code, paused.reason) == ("FS-206", Reason.SECURITY)
    node.policy.resume(now_s=NOW_S)
    node.withdraw("RTT-2026", Reason.LEGAL)
    assert refusal_of(node.runner.run(task)).code == "FS-202"


def test_two_approvals_are_those_of_two_people(home: Home) -> None:
    """One approver twice is one approval; a stranger's key is none; the second approver's lets it go on."""
    task = asking()
    with open_node(home, policy=TWO) as node:
        node.runner.run(task)
        for key in (None, MALLORY):
            with pytest.raises(ApprovalInvalid):
                node.approvals.approve(hash_of(task), key, now_s=NOW_S)
        for at_s in (NOW_S, NOW_S + 1):
            standing = node.approvals.approve(hash_of(task), JONES, now_s=at_s)
            assert (standing.approvers, standing.approved) == (("a.jones",), False)
            waiting(node.runner.run(task))
        assert node.approvals.approve(hash_of(task), KHAN, now_s=NOW_S).approved
        release_of(node.runner.run(task))


def test_whoever_is_taken_out_of_the_list_has_approved_nothing_that_has_not_left(home: Home) -> None:
    """The signatures are verified again before sending: an approver who left does not count any more."""
    task = asking()
    with open_node(home, policy=TWO) as node:
        node.runner.run(task)
        for key in (JONES, KHAN):
            node.approvals.approve(hash_of(task), key, now_s=NOW_S)
        report = node.runner.run(task)
        release_of(node.runner.allowed_now(task, report))
    newcomer = Approver("c.lee", MALLORY.public)
    with open_node(home, policy=replace(TWO, approvers=(BOTH[0], newcomer))) as node:
        assert "north" in waiting(node.runner.allowed_now(task, report))
        (standing,) = node.approvals.all(now_s=NOW_S)
        assert standing.approvers == ("a.jones",)
    with open_node(home, policy=EACH) as node:  # nobody is named any more: signed approvals count no more
        waiting(node.runner.run(task))


@pytest.mark.parametrize(
    "wrong", ["another query", "another department", "another signer", "another context"]
)
def test_an_approval_written_into_the_file_by_hand_counts_for_nothing(home: Home, wrong: str) -> None:
    """Who can write the node's file cannot approve for others: signature, query and department must fit."""
    task = asking()
    query = bytes(32) if wrong == "another query" else hash_of(task)
    department = "south" if wrong == "another department" else "north"
    payload = encode_approval(Approval(department, query, NOW_S))
    signer = MALLORY if wrong == "another signer" else KHAN
    context = Context.QUERY if wrong == "another context" else Context.APPROVAL
    with open_node(home, policy=TWO) as node:
        node.runner.run(task)
        node.approvals.approve(hash_of(task), JONES, now_s=NOW_S)
        with node._state.change() as sqlite:  # what an intruder would do
            row = (hash_of(task), KHAN.public.raw, payload, signer.sign(context, payload))
            sqlite.execute("INSERT INTO approval VALUES (?, ?, ?, ?)", row)
        waiting(node.runner.run(task))


def test_an_analyst_cannot_fill_the_list(home: Home) -> None:
    """So many questions of one analyst wait, and so many in all; then each more is a typed refusal."""
    with open_node(home, policy=EACH) as node:
        for i in range(UNDECIDED_OF_ANALYST_MAX):
            waiting(node.runner.run(asking(nonce=bytes([i]) * 16)))
        more = asking(nonce=bytes([99]) * 16)
        assert refusal_of(node.runner.run(more)).code == "FS-219"
        waiting(node.runner.run(asking(nonce=bytes([3]) * 16)))  # one that waits already is asked about again
        (first, *_) = node.approvals.all(now_s=NOW_S)
        node.approvals.refuse(first.query, Reason.OTHER, now_s=NOW_S)
        waiting(node.runner.run(more))
        with node._state.change() as sqlite:  # as if many analysts asked
            sqlite.execute("UPDATE question SET analyst = hex(query)")
            sqlite.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                " INSERT INTO question (query, agreement, agreement_version, analyst, asked_s, deadline_s,"
                " task, parked) SELECT i, 'RTT-2026', 1, i, 0, ?, X'', i FROM n",
                (UNDECIDED_MAX, NOW_S + 9),
            )
        assert refusal_of(node.runner.run(asking(nonce=bytes([98]) * 16))).code == "FS-219"


def test_what_nobody_decided_in_time_is_forgotten(home: Home) -> None:
    """After its deadline a question is off the list, and its room is free."""
    with open_node(home, policy=EACH, now=lambda: NOW_S) as node:
        node.runner.run(asking())
        assert node.approvals.parked(now_s=NOW_S)
    later = NOW_S + 3_601
    with open_node(home, policy=EACH, now=lambda: later) as node:
        assert refusal_of(node.runner.run(asking())).code == "FS-217"
        assert node.approvals.all(now_s=later) == ()
        node.approvals.parked(now_s=later)
        assert not node.approvals.parked(now_s=later)


def test_each_agreement_may_be_decided_in_its_own_way(home: Home) -> None:
    """Auto by default, each by default, and an agreement that is the exception from either."""
    for terms, waits in (
        (PolicyTerms(agreements={"RTT-2026": Rule(Decide.EACH)}), True),
        (PolicyTerms(Decide.EACH, agreements={"OTHER": Rule()}), True),
        (PolicyTerms(Decide.EACH, agreements={"RTT-2026": Rule()}), False),
    ):
        with open_node(home, policy=terms) as node:
            assert node.runner.run(asking()).HasField("waiting") is waits


def test_the_coordinator_is_told_what_need_not_wait_any_more(home: Home) -> None:
    """Approved, refused, or of an agreement that is not in force: each is told until it was heard, once."""
    in_force = {("RTT-2026", 1)}
    with open_node(home, policy=EACH) as node:
        told = []
        for i in range(3):
            task = asking(nonce=bytes([i]) * 16)
            task.id = f"task {i}"
            node.runner.run(task)
            told.append(task)
        list_of = node.approvals
        assert list_of.decided(in_force, now_s=NOW_S) == ()
        list_of.approve(hash_of(told[0]), None, now_s=NOW_S)
        list_of.refuse(hash_of(told[1]), Reason.LEGAL, now_s=NOW_S)
        decided = {d.task: d.approved for d in list_of.decided(in_force, now_s=NOW_S)}
        assert decided == {"task 0": True, "task 1": False}
        list_of.told(list_of.decided(in_force, now_s=NOW_S))
        assert list_of.decided(in_force, now_s=NOW_S) == ()
        assert [d.task for d in list_of.decided(set(), now_s=NOW_S)] == ["task 2"]


def test_a_question_is_found_by_its_first_digits(node: Node) -> None:
    """Four digits that one question begins with are its name; what is ambiguous is said, never guessed."""
    tasks = [asking(nonce=bytes([i]) * 16) for i in range(3)]
    for task in tasks:
        node.runner.run(task)
    digits = hash_of(tasks[0]).hex()
    assert node.approvals.find(digits[:10].upper(), now_s=NOW_S).query == hash_of(tasks[0])
    with node._state.change() as sqlite:  # two that begin alike
        alike = bytes.fromhex(digits[:8]).ljust(32, b"\0")
        sqlite.execute("UPDATE question SET query = ? WHERE query = ?", (alike, hash_of(tasks[1])))
    for typed, says in ((digits[:3], "four"), (digits[:8], "2 questions"), ("zzzz", "No question")):
        with pytest.raises(QuestionUnknown, match=says):
            node.approvals.find(typed, now_s=NOW_S)


def test_what_is_shown_is_made_here_and_complete(node: Node) -> None:
    """The question in words, purpose, columns, values, cost, budget before and after, what would leave."""
    loss = MechanismLoss(Mechanism.GAUSSIAN, Fraction(2**30, 2**40))
    task = asking(loss=loss)
    node.runner.run(task)
    (standing,) = node.approvals.all(now_s=NOW_S)
    shown = dict(sections(node.runner, standing))
    text = "\n".join(line for lines in shown.values() for line in lines)
    for part in (
        "Counts rows and adds up age (0 to 120) by sex, for rows where sex is 'F' and age < 65.",
        "a.smith of North Trust (north)",
        "purpose waiting: To see who waits how long.",
        "never: No insurance.",
        "sex: as recorded",
        "'F', 65",
        "left before: 100 %",
        "4 noisy whole numbers: 2 cells with 2 each",
        "RTT-2026 version 1: Waiting times",
    ):
        assert part in text
    assert "SELECT" not in text  # nothing of the analyst's own words
    assert node.ledger.entries() == ()
    node.policy.pause(Reason.MAINTENANCE, now_s=NOW_S)
    assert "FS-206" in dict(sections(node.runner, standing))["Now"][0]


def test_two_approvals_need_two_approvers() -> None:
    """node.toml cannot ask for what nobody could do, nor name one key or one person twice."""
    keys = [key.public.raw.hex() for key in (JONES, KHAN)]
    one = [{"name": "a.jones", "key": keys[0]}]
    for policy in (
        {"decide": "each", "approvals_needed": 2, "approvers": one},
        {"agreements": {"RTT-2026": {"decide": "each", "approvals_needed": 2}}},
        {"approvers": [*one, {"name": "b.khan", "key": keys[0]}]},
        {"approvers": [*one, {"name": "a.jones", "key": keys[1]}]},
        {"approvals_needed": 3},
        {"decide": "maybe"},
        {"agreements": {"RTT-2026": {"decides": "each"}}},
        {"approvers": [{"name": "a.jones", "key": "zz"}]},
    ):
        with pytest.raises(ConfigInvalid):
            config_of({"policy": policy}, folder=Path())
