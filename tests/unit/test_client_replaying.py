"""An answer can be seen again without the coordinator, verified and added up as the first time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from analyst_world import AnalystWorld, analyst_world, refusing, silent
from two_rounds import Twice

from fedstats.cli.jobs import state_words
from fedstats.client.jobs import JobState
from fedstats.client.session import Session, connect
from fedstats.errors import (
    CoordinatorUnreachable,
    FedstatsError,
    RoundConflict,
    StillWaiting,
    TargetOutOfReach,
)
from fedstats.wire.method import Method, Reply, Request

COUNT = "SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex"
DAY_S = 86_400


class Away:
    """A coordinator that is away."""

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """No reply."""
        del method, request, timeout_s
        raise CoordinatorUnreachable


def cut_off(world: AnalystWorld) -> Session:
    """The analyst's session while the coordinator is away."""
    return connect(world.home.folder, transport=Away(), now=world.world.clock, pause=world.pause)


def test_an_answer_is_seen_again_while_the_coordinator_is_away(tmp_path: Path) -> None:
    """The same answer in every word, a month later, too."""
    world = analyst_world(tmp_path)
    with world.session() as session:
        answer = session.query(COUNT, epsilon=1)
    world.world.clock.pass_s(30 * DAY_S)
    with cut_off(world) as session:
        assert str(session.resume(answer.job)) == str(answer)
        assert session.resume(answer.job).estimate == answer.estimate


def test_an_answer_without_everybody_asks_the_coordinator_first(tmp_path: Path) -> None:
    """Departments that could not answer are asked again where possible, else the kept answer shows."""
    world = analyst_world(tmp_path, west=refusing("FS-206", "The department has paused."))
    with world.session() as session:
        answer = session.query(COUNT, epsilon=1)
    with cut_off(world) as session:
        assert session.resume(answer.job).estimate == answer.estimate
    with world.session() as session:
        del world.answers["west"]
        world.answers["west"] = world.answers["north"]
        assert [p.refusal for p in session.resume(answer.job).participants] == [None] * 3


def test_a_question_that_was_not_answered_needs_the_coordinator(tmp_path: Path) -> None:
    """Nothing was kept of it: the error is the network's."""
    world = analyst_world(tmp_path, north=refusing(), south=refusing())
    with world.session() as session, pytest.raises(FedstatsError):
        session.query(COUNT, epsilon=1)
    with world.session() as session:
        (job,) = session.jobs()
    with cut_off(world) as session, pytest.raises(CoordinatorUnreachable):
        session.resume(job.name)


def test_what_was_kept_is_verified_again(tmp_path: Path) -> None:
    """A statistic of several rounds is replayed whole; with another one it is refused as ever."""
    world = analyst_world(tmp_path)
    with world.session() as session:
        answer = session.run(Twice(), epsilon=1)
    with cut_off(world) as session:
        assert session.resume(answer.job, statistic=Twice()).estimate == answer.estimate
        with pytest.raises(RoundConflict):
            session.resume(answer.job, statistic=Twice(threshold=61))


def test_a_target_heeds_what_departments_said_is_left(tmp_path: Path) -> None:
    """After an answer that left little, a target that needs more is refused before anything is sent."""
    world = analyst_world(tmp_path)
    with world.session() as session:
        wide = session.aim(COUNT, target=100).epsilon
        session.query(COUNT, epsilon=1)
        store = session._jobs  # what departments said is put there by their answers only
        (job,) = store.all()
        kept = store.kept(job.query_hash)
        assert kept is not None
        assert kept.left_ppm is not None
        store.keep(job.query_hash, replace(kept, left_ppm=2_000))
        with pytest.raises(TargetOutOfReach, match="is left"):
            session.aim(COUNT, target=100)
        assert wide > 0


def test_jobs_say_in_words_how_far_they_are(tmp_path: Path) -> None:
    """Asked and in time: waiting; past its deadline: so it says; else how it ended."""
    world = analyst_world(tmp_path, north=silent)
    now_s = world.world.clock()
    with world.session() as session:
        with pytest.raises(StillWaiting):
            session.query(COUNT, epsilon=1, wait_s=1)
        (job,) = session.jobs()
    assert state_words(job, now_s) == "waiting"
    assert state_words(job, now_s + 2 * DAY_S) == "deadline passed"
    assert state_words(replace(job, state=JobState.NOT_ANSWERED), now_s) == "not answered"
