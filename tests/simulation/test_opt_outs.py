"""People who opt out leave every answer from then on: before a revision is made, and after."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from doctor_world import AGREEMENT as HEALTHY
from doctor_world import healthy_home
from one_node import Analyst, open_node, release_of
from samples import DEPARTMENTS, NOW_S, sample_query
from waiting import federation, opt_out_file, write_opt_outs

from fedstats.client.answer import Answer
from fedstats.client.session import Session
from fedstats.core.agreement import ListKind, OptOutTerms
from fedstats.engines import engine_of
from fedstats.errors import EditionMissing, NameUnknown
from fedstats.journal.meters import DISK_FREE
from fedstats.node.config import read_config
from fedstats.node.datasets import held_datasets
from fedstats.node.doctor_data import DatasetDoctor
from fedstats.node.gauges import gauges
from fedstats.node.log_entries import EDITION_MADE
from fedstats.node.status import Outlook
from fedstats.testing.federation import Federation
from fedstats.wire.codec.strict import to_bytes

COUNT = "SELECT COUNT(*) AS n FROM rtt"
APPLIED = OptOutTerms(applies=True, list_age_days_max=30)
DAY_S = 86_400
ANALYST = Analyst()


def absences(answer: Answer) -> dict[str, tuple[str, str]]:
    """Who did not answer, with the code and the sentence."""
    return {p.department: (p.refusal.code, p.refusal.sentence) for p in answer.participants if p.refusal}


def revise(fed: Federation, department: str) -> None:
    """Somebody types `fedstats node refresh --revise`."""
    node = fed.nodes[department]
    (mapping,) = node.config.datasets
    node.editions.refresh(fed.agreement, mapping, "2025-09", node.bench, revise=True, now_s=int(fed.clock()))
    node.poll_once()


def ask(session: Session, sql: str = COUNT, edition: str = "") -> Answer:
    """Ask at a loss that fits the budget often."""
    return session.query(sql, epsilon="0.5", edition=edition, wait_s=60)


def test_a_changed_list_ends_the_older_edition(tmp_path: Path) -> None:
    """From the change on the edition answers nothing, not even from the record; its revision answers.

    Departments answer together whatever revisions they hold: who did not revise answers from its record.
    """
    with federation(tmp_path, opt_out=APPLIED) as fed, fed.session() as session:
        first = ask(session)
        assert absences(first) == {}
        write_opt_outs(tmp_path, "south", ["south-1", "all-10"], made_s=NOW_S + 60)
        for sql in (COUNT, "SELECT AVG(age) AS a FROM rtt"):
            node = fed.nodes["south"]
            entries = len(node.ledger.entries())
            answer = ask(session, sql)
            assert set(absences(answer)) == {"south"}, "it does not announce the edition any more"
            assert len(node.ledger.entries()) == entries
        revise(fed, "south")
        second = ask(session)
        assert (second.question.edition, absences(second)) == ("2025-09", {})
        assert [len(fed.nodes[name].ledger.entries()) for name in ("north", "south", "west")] == [2, 2, 2]
        assert any("south answered from the revision 2025-09.2." in note for note in second.estimate.notes)
        with pytest.raises(NameUnknown, match="each department answers from its own newest one"):
            ask(session, edition="2025-09.2")


def test_a_question_on_its_way_is_refused_with_the_reason(tmp_path: Path) -> None:
    """Asked before the list changed, reaching the node after: FS-208, uncharged, with what happens next."""
    with federation(tmp_path, opt_out=APPLIED) as fed, fed.session() as session:
        fed.work()
        passing = fed.nodes["south"]
        write_opt_outs(tmp_path, "south", ["south-1"], made_s=NOW_S + 60)
        answer = ask(session)
        code, sentence = absences(answer)["south"]
        assert code == "FS-208"
        assert "opt-out list for rtt changed" in sentence
        assert passing.ledger.entries() == ()
        revise(fed, "south")
        assert absences(session.resume(answer.job, wait_s=60)) == {}, "its revision answers the same question"


@pytest.mark.parametrize("step", ["reserve", "record", "answer"])
def test_a_list_that_changes_before_an_answer_is_sent_holds_it_back(tmp_path: Path, step: str) -> None:
    """Somebody opts out while the answer is computed or waits to be sent: it stays, charged, with FS-208."""
    changed: list[str] = []

    def checkpoint(done: str) -> None:
        if done == step and not changed:
            changed.append(done)
            write_opt_outs(tmp_path, "south", ["south-1"], made_s=NOW_S + 60)

    world = federation(tmp_path, opt_out=APPLIED, checkpoints={"south": checkpoint})
    with world as fed, fed.session() as session:
        answer = ask(session)
        assert changed
        assert absences(answer)["south"][0] == "FS-208"
        assert [p.refusal.charged for p in answer.participants if p.refusal] == [True]
        assert len(fed.nodes["south"].ledger.entries()) == 1


def test_the_same_list_fetched_again_changes_nothing(tmp_path: Path) -> None:
    """A list that is fetched every day and says the same needs no revision, which would cost budget."""
    with federation(tmp_path, opt_out=APPLIED) as fed, fed.session() as session:
        first = ask(session)
        for name in DEPARTMENTS:
            write_opt_outs(tmp_path, name, [], made_s=NOW_S + DAY_S)
        assert ask(session).table == first.table


def test_a_list_older_than_agreed_stops_the_node(tmp_path: Path) -> None:
    """After 30 days without a newer list nothing is answered; one that says the same starts it again."""
    with federation(tmp_path, opt_out=APPLIED) as fed, fed.session() as session:
        fed.clock.pass_s(31 * DAY_S)
        fed.work()
        with pytest.raises(EditionMissing, match="No department holds"):
            ask(session)
        for name in DEPARTMENTS:
            write_opt_outs(tmp_path, name, [], made_s=fed.clock() - 60)
        fed.work()
        assert absences(ask(session)) == {}
        opt_out_file(tmp_path, "south").unlink()
        assert "cannot be read" in absences(ask(session, "SELECT AVG(age) AS a FROM rtt"))["south"][1]


def observed(folder: Path, listed: Sequence[str], kind: ListKind, caplog: pytest.LogCaptureFixture) -> object:
    """All that a node shows of itself with this list, but the answer: to others, to its logs and its IT.

    The list's hash and the lines of the local terminal that made the edition are not in it.
    """
    folder.mkdir()
    write_opt_outs(folder, "north", listed, made_s=NOW_S - DAY_S)
    (folder / "north-optout.txt").rename(folder / "optout.txt")
    os.utime(folder / "optout.txt", (NOW_S - DAY_S, NOW_S - DAY_S))
    caplog.clear()
    terms = OptOutTerms(applies=True, list_kind=kind)
    home = healthy_home(folder, agreement=replace(HEALTHY, opt_out=terms))
    wrong = ANALYST.task(sample_query(purpose="marketing"))
    (mapping,) = read_config(home.config).datasets
    datasets = (replace(mapping, opt_out_kind=kind),)
    with open_node(home, engine=engine_of("duckdb"), datasets=datasets) as node:
        release_of(node.runner.run(ANALYST.task()))
        replies = [to_bytes(node.runner.run(wrong))]
        meters = [sample for sample in gauges(node) if sample.meter is not DISK_FREE]
        logged = node.log.last(EDITION_MADE)
        shown = meters, [*Outlook(node).examine()], node.ledger.entries(), logged and logged.document
        announced = [to_bytes(holding) for holding in node.editions.holdings(node.in_force())]
        (folder / "optout.txt").write_text("zq-person-other,\n")
        replies.append(to_bytes(node.runner.run(ANALYST.task())))
        held = held_datasets(node.agreements.all(), "north")
        doctors = [DatasetDoctor(node, one, node.config, str, lambda _: None) for one in held]
        doctored = [check for doctor in doctors for check in doctor.examine()]
    noted = [getattr(record, "noted", None) for record in caplog.records]
    return replies, shown, announced, [str(c).replace(str(folder), "") for c in doctored], noted


@pytest.mark.parametrize("kind", ListKind)
def test_how_many_were_left_out_never_leaves(
    kind: ListKind, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fifteen people of the source on the list, or one: everything but the noisy answer is the same."""
    caplog.set_level("DEBUG")
    many = [f"9{person:09d}" for person in range(15)]
    one = [many[0], *(f"8{person:09d}" for person in range(14))]
    first, second = (
        observed(tmp_path / name, listed, kind, caplog) for name, listed in (("a", many), ("b", one))
    )
    assert first == second
