"""Tasks under lost, doubled and late messages: one outcome, whatever happens; the whole coordinator too."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any

import pytest
from coordinator_world import NODES, ready_world, refusal, release, submission
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from samples import DEPARTMENTS

from fedstats.coordinator.rounds import (
    MAY_HELP_AGAIN,
    AskedAgain,
    Decided,
    Effect,
    Event,
    Expired,
    LeaseAsked,
    LeftOut,
    Outcome,
    Parked,
    Reported,
    State,
    Task,
    advance,
)
from fedstats.errors import NotFound
from fedstats.wire.v1 import nodes_pb2, signed_pb2

DEADLINE_S = 100.0

outcomes = st.builds(
    Outcome,
    digest=st.sampled_from([b"1", b"2", b"3"]),
    code=st.sampled_from(["", "FS-206", "FS-214", "FS-299"]),
)
tokens = st.sampled_from(["a", "b", "c"])
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(LeaseAsked, tokens, st.sampled_from([5.0, 20.0])),
    st.just(Expired()),
    st.builds(Parked, tokens, st.just("Somebody must approve it.")),
    st.just(Decided()),
    st.builds(Reported, outcomes),
    st.just(AskedAgain()),
    st.just(LeftOut()),
)
histories = st.lists(st.tuples(st.sampled_from([0.0, 1.0, 5.0, 30.0]), events), max_size=30)


@given(histories)
@settings(max_examples=300)
def test_a_task_keeps_its_promises_whatever_arrives(history: list[tuple[float, Event]]) -> None:
    """Any events in any order: releases are final, leases exclude each other, the deadline ends leasing."""
    task, now_s = Task(DEADLINE_S, 0.0), 0.0
    for pause_s, event in history:
        now_s += pause_s
        after, effects = advance(task, event, now_s)
        if task.outcome is not None and after.outcome != task.outcome:
            assert isinstance(event, AskedAgain)
            assert task.outcome.code in MAY_HELP_AGAIN
            assert after.state is State.OFFERED
        if Effect.HAND_OVER in effects:
            assert now_s < DEADLINE_S
            assert after.state is State.LEASED
            assert task.state is State.OFFERED or now_s >= task.expires_s
            assert after.leases == task.leases + 1
        assert (Effect.KEEP in effects) == (task.outcome is None and after.outcome is not None)
        assert (Effect.OFFER in effects) <= (after.state is State.OFFERED)
        assert after.since_s in (task.since_s, now_s)
        assert after.leases >= task.leases
        assert after == task or task.state is not State.LEFT_OUT
        task = after


@given(histories, outcomes)
def test_an_answer_always_counts_while_there_is_none(
    history: list[tuple[float, Event]], outcome: Outcome
) -> None:
    """However a task got where it is, the first answer ends it, and its coming again changes nothing.

    Unless the analyst went on without the department: then no answer counts.
    """
    task, now_s = Task(DEADLINE_S, 0.0), 0.0
    for pause_s, event in history:
        now_s += pause_s
        task, _ = advance(task, event, now_s)
    over, effects = advance(task, Reported(outcome), now_s)
    assert over.is_over
    if task.state is State.LEFT_OUT:
        assert (over, effects) == (task, frozenset())
        return
    kept = task.outcome or outcome
    assert over.outcome == kept
    again, more = advance(over, Reported(kept), now_s + 1)
    assert again == over
    assert more == frozenset()
    assert (Effect.CONFLICT in effects) == (
        task.outcome is not None and task.outcome.digest != outcome.digest
    )


@given(histories)
def test_a_message_that_does_not_fit_leaves_no_trace(history: list[tuple[float, Event]]) -> None:
    """Without an effect nothing has changed, parking and leaving out apart: nobody is woken for nothing."""
    task, now_s = Task(DEADLINE_S, 0.0), 0.0
    for pause_s, event in history:
        now_s += pause_s
        after, effects = advance(task, event, now_s)
        if not effects and not isinstance(event, Parked | LeftOut):
            assert after == task
        task = after


class CoordinatorUnderFaults(RuleBasedStateMachine):
    """Three nodes and an analyst whose messages are lost, doubled and late."""

    @initialize()
    def start(self) -> None:
        """One question is asked."""
        self.world = ready_world()
        self.query = self.world.submit(submission())
        self.tasks: dict[str, list[nodes_pb2.Task]] = {name: [] for name in DEPARTMENTS}
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.released: dict[str, signed_pb2.Signed] = {}
        self.version = 0
        self.entries = len(self.world.register())

    @rule(department=st.sampled_from(DEPARTMENTS), delivered=st.booleans())
    def lease(self, department: str, *, delivered: bool) -> None:
        """A node asks for work; the reply may be lost, and then the node knows nothing of the lease."""
        task = self.world.lease(department)
        if task is not None and delivered:
            self.tasks[department].append(task)

    @rule(data=st.data(), first=st.integers(0, 1), arrives=st.booleans())
    def answer(self, data: st.DataObject, first: int, *, arrives: bool) -> None:
        """A node answers any lease it ever had; the message may be lost, and may come again later."""
        department, task = self._some_lease(data)
        if task is None:
            return
        code = data.draw(st.sampled_from(["", "", "FS-206", "FS-214"]))
        answer = (
            {"refusal": refusal(task, department, code)}
            if code
            else {"release": release(task, department, first=first)}
        )
        message = {"task": task.id, "lease_token": task.lease_token, **answer}
        self.sent.append((department, message))
        if arrives:
            self._deliver(department, message)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def deliver_late(self, data: st.DataObject) -> None:
        """A message that was sent at any time arrives now, perhaps not for the first time."""
        self._deliver(*data.draw(st.sampled_from(self.sent)))

    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        """A node says that a task waits for a person."""
        department, task = self._some_lease(data)
        if task is not None:
            waiting = nodes_pb2.Waiting(sentence="Somebody must approve it.")
            message = {"task": task.id, "lease_token": task.lease_token, "waiting": waiting}
            with suppress(NotFound):  # the analyst went on without it
                self.world.report(department, **message)

    @rule(data=st.data())
    def decide(self, data: st.DataObject) -> None:
        """The person has decided, and the node asks for work with that news."""
        department, task = self._some_lease(data)
        if task is not None:
            again = self.world.lease(department, decisions=[nodes_pb2.Decision(task=task.id, approved=True)])
            if again is not None:
                self.tasks[department].append(again)

    @rule(seconds=st.sampled_from([1, 59, 61, 500]))
    def let_time_pass(self, seconds: int) -> None:
        """Leases end."""
        self.world.clock.pass_s(seconds)
        self.world.coordinator.tick()

    @rule()
    def submit_again(self) -> None:
        """The analyst's client resumes."""
        assert self.world.submit(submission()) == self.query

    @rule()
    def go_on(self) -> None:
        """The analyst goes on without whoever has not answered, where the agreement lets her."""
        states = self.world.states(self.query)
        released = [name for name, state in states.items() if state == "released"]
        silent = [name for name, state in states.items() if state in ("offered", "leased", "waiting")]
        if len(released) >= 2 and silent:
            self.world.proceed(self.query, released, silent)

    @invariant()
    def versions_grow_with_every_change(self) -> None:
        """What a watcher has seen is never followed by a smaller version."""
        if hasattr(self, "world"):
            version = self.world.watch(self.query).version
            assert version >= self.version
            self.version = version

    @invariant()
    def a_release_stays(self) -> None:
        """Once a department's release is there, the same bytes are there for ever."""
        if hasattr(self, "world"):
            (record,) = self.world.fetch(self.query).rounds
            found = {o.department: o.release for o in record.outcomes if o.HasField("release")}
            for department, signed in self.released.items():
                assert found[department] == signed
            self.released = found
            assert len({o.department for o in record.outcomes}) == len(record.outcomes)

    @invariant()
    def the_register_only_grows(self) -> None:
        """Entries are numbered without gaps, and none goes away."""
        if hasattr(self, "world"):
            numbers = [entry.number for entry in self.world.register()]
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) >= self.entries
            self.entries = len(numbers)

    def _some_lease(self, data: st.DataObject) -> tuple[str, nodes_pb2.Task | None]:
        had = [(name, task) for name in NODES for task in self.tasks[name]]
        return data.draw(st.sampled_from(had)) if had else ("north", None)

    def _deliver(self, department: str, message: dict[str, Any]) -> None:
        before = self.world.watch(self.query)
        over = {t.department for t in before.tasks if t.state in (4, 5, 6)}
        left_out = self.world.states(self.query)[department] == "left_out"
        with pytest.raises(NotFound, match="went on without") if left_out else nullcontext():
            self.world.report(department, **message)
        after = self.world.watch(self.query)
        assert (after.version == before.version) == (department in over)


TestCoordinatorUnderFaults = CoordinatorUnderFaults.TestCase
TestCoordinatorUnderFaults.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
