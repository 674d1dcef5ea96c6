"""Identity over time: new keys, revoked ones, certificates over years, clocks that are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from waiting import federation

from fedstats.cli import main
from fedstats.client.controller import revoke
from fedstats.client.keyring import make_next_key
from fedstats.core.appointment import AppointedRole
from fedstats.errors import NotAnswered, NotAuthorised, StillWaiting
from fedstats.journal.event import Event, heard_by
from fedstats.journal.fields import Shown
from fedstats.node.node_key import make_next_key as make_next_node_key
from fedstats.testing.federation import ANALYST, Federation

SQL = "SELECT COUNT(*) FROM rtt WHERE age <= {}"
DAY_S = 86_400


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[Federation]:
    """A federation of three departments."""
    with federation(tmp_path, nodes_min=2) as made:
        yield made


def absent(fed: Federation, age: int) -> dict[str, str]:
    """Ask; who did not answer, and what was said about it."""
    with fed.session() as session:
        answer = session.query(SQL.format(age), epsilon="0.5", wait_s=60)
    return {p.refusal.department: p.refusal.sentence for p in answer.estimate.participants if p.refusal}


def charges(fed: Federation) -> list[int]:
    """How many charges each ledger holds."""
    return [len(node.ledger.entries()) for node in fed.nodes.values()]


def test_a_nodes_new_key_takes_over_when_it_is_appointed(fed: Federation) -> None:
    """Before, the old key signs; then the new one, without a restart, for recorded answers too, all free."""
    assert absent(fed, 90) == {}
    old, home = fed.nodes["north"].key.public, fed.node_home("north")
    ran = CliRunner().invoke(main, ["node", "rotate-key", "--home", str(home.path)])
    assert ran.exit_code == 0, ran.output
    new = make_next_node_key(home)  # the same one: it waits
    assert new.raw.hex() in ran.output
    assert absent(fed, 80) == {}
    assert fed.nodes["north"].key.public == old
    fed.appoint("north", AppointedRole.NODE, "north", new)
    assert absent(fed, 70) == {}
    assert fed.nodes["north"].key.public == new
    before = charges(fed)
    assert absent(fed, 90) == {}  # recorded under the old key
    assert charges(fed) == before
    fed.start_node("north")
    assert fed.nodes["north"].key.public == new
    assert absent(fed, 90) == {}


def test_a_new_key_that_nobody_appointed_never_signs(fed: Federation) -> None:
    """South's controller, or nobody, appointing north's new key changes nothing at north."""
    new = make_next_node_key(fed.node_home("north"))
    fed.appoint("south", AppointedRole.NODE, "south", new)
    assert absent(fed, 90) == {}
    assert fed.nodes["north"].key.public != new


def test_answers_stay_valid_when_the_appointment_of_the_node_ends(fed: Federation) -> None:
    """A job whose releases were signed in time is shown again after the appointment has expired."""
    new = make_next_node_key(fed.node_home("north"))
    fed.appoint("north", AppointedRole.NODE, "north", new, days=1)
    assert absent(fed, 90) == {}
    assert fed.nodes["north"].key.public == new
    fed.clock.pass_s(3 * DAY_S)
    with fed.session() as session:
        (job,) = session.jobs()
        again = session.resume(job.name)
    assert [p.refusal for p in again.estimate.participants] == [None, None, None]
    assert set(absent(fed, 80)) == {"north"}  # what it signs now does not count


def test_a_revoked_nodes_answers_no_longer_count(fed: Federation) -> None:
    """Who holds a revoked key cannot add to a total, whenever it says that it signed."""
    key = fed.nodes["north"].key.public
    revocation = revoke(fed.controllers["north"], "north", key, reason="stolen", now_s=int(fed.clock()))
    fed.publish("north", "revocation", revocation)
    said = absent(fed, 90)
    assert set(said) == {"north"}
    assert "revoked by north" in said["north"]


def test_a_revoked_analyst_is_refused_everywhere(fed: Federation) -> None:
    """The next question, and a running one that is taken up again; what was released before stays."""
    with fed.session() as session:
        session.query(SQL.format(90), epsilon="0.5", wait_s=60)
        for name in tuple(fed.nodes):
            fed.stop_node(name)
        with pytest.raises(StillWaiting):
            session.query(SQL.format(80), epsilon="0.5", wait_s=5)
        (running,) = (job for job in session.jobs() if job.sql == SQL.format(80))
        department = next(iter(fed.controllers))
        gone = revoke(
            fed.controllers[department], department, running.query.key, reason="left", now_s=int(fed.clock())
        )
        fed.publish(department, "revocation", gone)
        for name in fed.controllers:
            fed.start_node(name)  # leases the running task, and hears the revocation before it works on it
        with pytest.raises(NotAnswered, match="was revoked by north"):
            session.resume(running.name, wait_s=60)
        with pytest.raises(NotAuthorised, match="revoked"):
            session.query(SQL.format(70), epsilon="0.5", wait_s=60)
    assert charges(fed) == [1, 1, 1]
    assert all(entry.recorded for node in fed.nodes.values() for entry in node.ledger.entries())


def test_an_analysts_new_key_takes_over_and_old_jobs_go_on(fed: Federation) -> None:
    """A question that the old key asked is finished under it; the next one is signed by the new key."""
    for name in tuple(fed.nodes):
        fed.stop_node(name)
    with fed.session() as session:
        old = fed.analyst_key
        with pytest.raises(StillWaiting):
            session.query(SQL.format(90), epsilon="0.5", wait_s=5)
        (running,) = session.jobs()
        new = make_next_key(session.home).public
        fed.appoint(next(iter(fed.controllers)), AppointedRole.ANALYST, ANALYST, new)
        for name in fed.controllers:
            fed.start_node(name)
        session.query(SQL.format(80), epsilon="0.5", wait_s=60)
        session.resume(running.name, wait_s=60)
        keys = {job.query.key for job in session.jobs()}
    assert keys == {old, new}


def test_a_clock_an_hour_behind_is_said_and_costs_nothing(fed: Federation) -> None:
    """A clock that differs from the coordinator's by more than 5 minutes is noted once, and so is its end."""
    heard: list[tuple[str, Shown]] = []

    def hear(event: Event, said: dict[str, Shown]) -> None:
        if event.name.startswith("clock_"):
            heard.append((event.name, said.get("ahead_s", 0)))

    node = fed.nodes["north"]
    with heard_by(hear):  # type: ignore[arg-type]  # a dictionary is a mapping
        for ahead_s in (0, 240, -3_600, -3_600, 3_600, 0):
            node.clock.now = lambda ahead_s=ahead_s: fed.clock() + ahead_s  # type: ignore[misc]
            node.poll_once()
    assert heard == [("clock_apart", -3_600), ("clock_agrees", 0)]


def test_a_node_whose_clock_is_ahead_refuses_with_the_deadline(fed: Federation) -> None:
    """Its refusal names the deadline; nothing was charged there, and the others answer."""
    fed.start_node("north", now=lambda: fed.clock() + 2 * DAY_S)
    said = absent(fed, 90)
    assert set(said) == {"north"}
    assert "deadline" in said["north"]
    assert fed.nodes["north"].ledger.entries() == ()


def test_a_node_whose_clock_is_behind_says_that_the_appointment_has_not_begun(fed: Federation) -> None:
    """An hour back, an appointment made a minute ago lies in the future: FS-201, and nothing is charged."""
    fed.start_node("north", now=lambda: fed.clock() - 3_600)
    said = absent(fed, 90)
    assert "has not begun" in said["north"]
    assert fed.nodes["north"].ledger.entries() == ()
