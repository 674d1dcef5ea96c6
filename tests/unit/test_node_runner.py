"""The runner: what is answered, what is refused, what is charged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from one_node import PEOPLE, Analyst, ReferenceEngine, make_home, open_node, published, refusal_of, release_of
from samples import (
    NOW_S,
    sample_agreement,
    sample_dataset,
    sample_order,
    sample_query,
    sample_round,
    seed_key,
)
from suite_log import Happened

from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.expression import Call, Column, Op
from fedstats.core.grid import Grid
from fedstats.core.plan import noise_scales
from fedstats.core.privacy import Loss, Mechanism, MechanismLoss
from fedstats.core.query import Computation, RoundOrder
from fedstats.core.reason import Reason
from fedstats.core.statistic import Round
from fedstats.errors import NodeFailed
from fedstats.journal.events import TASK_FAILED
from fedstats.node.service import Node
from fedstats.wire.codec import computation_hash, encode_query
from fedstats.wire.codec.strict import sha256, to_bytes
from fedstats.wire.v1 import agreements_pb2

ANALYST = Analyst()
RHO = sample_query().loss.amount


def with_order(**changes: object) -> RoundOrder:
    """The sample round of the sample query, changed."""
    return sample_order(sha256(encode_query(sample_query())), **changes)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A fresh node of north."""
    with open_node(make_home(tmp_path)) as opened:
        yield opened


def test_a_question_is_answered_with_noise_and_charged(node: Node) -> None:
    """The release is signed, has a number per cell, is the truth give or take its noise, and is charged."""
    report = node.runner.run(ANALYST.task())
    assert (report.task, report.lease_token) == ("task", "lease")
    note = release_of(report)
    query, order = sample_query(), sample_order(sha256(encode_query(sample_query())))
    assert (note.department, note.computation) == ("north", computation_hash(Computation.of(query, order)))
    aggregates = order.round.aggregates
    scales = noise_scales(aggregates, query.loss, query.contribution)
    for aggregate, vectors, sigmas in zip(aggregates, note.vectors, scales, strict=True):
        exact = aggregate.reference(PEOPLE, sample_dataset(), query.where)
        for noisy, true, sigma in zip(vectors, exact.vectors, sigmas, strict=True):
            assert noisy.shape == true.shape == (2,)
            assert np.all(abs(noisy - true) < 10 * float(sigma))  # fails once in 1e22
    (entry,) = node.ledger.entries()
    assert (entry.loss, entry.recorded) == (Loss(RHO), True)
    assert (entry.analyst, entry.purpose, entry.edition) == ("a.smith@north", "waiting", "2025-09")
    assert 0 < report.budget.used_ppm < 1_000_000
    assert report.budget.used_ppm + report.budget.left_ppm == 1_000_000


def test_every_release_has_fresh_noise(tmp_path: Path) -> None:
    """Two nodes that hold the same rows do not add the same noise."""
    released = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        with open_node(make_home(tmp_path / name)) as node:
            released.append(node.runner.run(ANALYST.task()).release.payload)
    assert released[0] != released[1]


def test_asking_again_gives_the_recorded_answer_free(node: Node) -> None:
    """The same computation, by whoever and in whatever words, has one answer and one charge."""
    first = node.runner.run(ANALYST.task())
    where = sample_query().where
    assert isinstance(where, Call)
    reordered = Call(Op.AND, tuple(reversed(where.args)))
    others = [
        (ANALYST, sample_query()),
        (ANALYST, sample_query(nonce=bytes(16))),
        (ANALYST, sample_query(where=reordered, nonce=b"another question")),
        (Analyst("anybody", "south"), sample_query(deadline_s=NOW_S + 9, rounds_max=1)),
    ]
    for analyst, query in others * 3:
        assert node.runner.run(analyst.task(query)).release == first.release
    assert len(node.ledger.entries()) == 1


def test_a_restart_gives_the_recorded_answer(tmp_path: Path) -> None:
    """A new process sends the same bytes as the one before it."""
    home = make_home(tmp_path)
    released = []
    for _ in range(2):
        with open_node(home) as node:
            released.append(node.runner.run(ANALYST.task()).release)
    assert released[0] == released[1]


def test_many_at_once_get_one_answer(node: Node) -> None:
    """Workers that compute the same question at the same moment send one release, under one charge."""
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(node.runner.run, [ANALYST.task()] * 16))
    assert len({to_bytes(report) for report in reports}) == 1
    assert len(node.ledger.entries()) == 1


def test_the_charge_comes_before_the_look(tmp_path: Path) -> None:
    """When the engine starts, the charge is on disk already, for every other process to see."""
    home, seen = make_home(tmp_path), []
    engine = ReferenceEngine(before_compute=lambda: seen.append(len(open_node(home).ledger.entries())))
    with open_node(home, engine=engine) as node:
        release_of(node.runner.run(ANALYST.task()))
    assert seen == [1]


def test_the_steps_come_in_order(tmp_path: Path) -> None:
    """What the runner's page promises is the order in which things happen."""
    steps: list[str] = []
    with open_node(make_home(tmp_path), checkpoint=steps.append) as node:
        node.runner.run(ANALYST.task())
        assert steps == [
            "verify",
            "registered",
            "allow",
            "bind",
            "plan",
            "approve",
            "find",
            "reserve",
            "compute",
            "record",
        ]
        steps.clear()
        node.runner.run(ANALYST.task())
        assert steps == ["verify", "registered", "allow", "bind", "plan", "approve", "find"]


@pytest.mark.parametrize("failure", [ValueError("the 4711 of Ms Smith"), NodeFailed("odd"), MemoryError()])
def test_after_the_charge_every_failure_looks_the_same(
    tmp_path: Path, noted: list[Happened], failure: Exception
) -> None:
    """Whatever goes wrong with the data, the analyst sees one fixed refusal, and the log quotes no data."""
    home = make_home(tmp_path)

    def fail() -> None:
        raise failure

    with open_node(home, engine=ReferenceEngine(before_compute=fail)) as node:
        refusal = refusal_of(node.runner.run(ANALYST.task()))
    assert (refusal.code, refusal.charged, refusal.sentence) == ("FS-299", True, NodeFailed.title)
    (failed,) = [said for event, said in noted if event is TASK_FAILED]
    assert "4711" not in str(noted)
    assert failed["problem"] == (failure.code if isinstance(failure, NodeFailed) else type(failure).__name__)
    with open_node(home) as node:  # mended, and asked again: the same charge
        release_of(node.runner.run(ANALYST.task()))
        assert len(node.ledger.entries()) == 1


def test_an_answer_of_another_shape_never_leaves(tmp_path: Path) -> None:
    """An engine that forgets a cell does not make a release with a hole."""
    home = make_home(tmp_path)

    class Forgetful(ReferenceEngine):
        def compute(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]  # a bug
            exact = super().compute(*args, **kwargs)  # type: ignore[arg-type]  # passed on
            return replace(exact, vectors=tuple(vector[:-1] for vector in exact.vectors))

    with open_node(home, engine=Forgetful()) as node:  # type: ignore[arg-type]  # a broken engine
        assert refusal_of(node.runner.run(ANALYST.task())).code == "FS-299"


def test_an_answer_that_cannot_be_recorded_is_not_sent(tmp_path: Path) -> None:
    """Where the record cannot be made durable, the noise that was drawn is thrown away."""
    home = make_home(tmp_path)
    opened: list[Node] = []

    def close_the_ledger(step: str) -> None:
        if step == "compute":
            opened[0].ledger.close()

    with open_node(home, checkpoint=close_the_ledger) as node:
        opened.append(node)
        assert refusal_of(node.runner.run(ANALYST.task())).code == "FS-299"
    with open_node(home) as node:
        assert node.ledger.find(node.ledger.entries()[0].computation) is None


def test_too_large_an_answer_is_refused_before_the_charge(tmp_path: Path) -> None:
    """A release that the coordinator could not take is not paid for."""
    columns = ("age", "sex", "started", "urgent")
    keys = tuple(Column(name) for name in columns)
    measures = tuple(
        Measure(MeasureKind.SUM, Column("age"), Grid(Fraction(centre), Fraction(1), 120), Fraction(1, 8))
        for centre in range(8)
    )
    query = sample_query(scope=replace(sample_query().scope, columns=columns, keys=keys))
    order = sample_order(
        sha256(encode_query(query)), round=Round((GroupedSums(keys, measures),)).normalised()
    )
    with open_node(make_home(tmp_path)) as node:
        refusal = refusal_of(node.runner.run(ANALYST.task(query, order)))
        assert (refusal.code, refusal.charged) == ("FS-203", False)
        assert "2119920 numbers" in refusal.sentence
        assert node.ledger.entries() == ()


def test_a_round_has_one_content_at_the_node(node: Node) -> None:
    """A second text for the same round of a query is refused, also when it would be free."""
    release_of(node.runner.run(ANALYST.task()))
    other = with_order(participants=("north", "south"))
    assert refusal_of(node.runner.run(ANALYST.task(None, other))).code == "FS-205"
    later = with_order(number=1, totals_before=bytes(32))
    refusal = refusal_of(node.runner.run(ANALYST.task(None, later)))
    assert refusal.code == "FS-205"  # the first round took the whole loss
    assert len(node.ledger.entries()) == 1


def test_rounds_share_the_loss_of_their_query(node: Node) -> None:
    """Two rounds of a half each are both answered and together cost what the query announced."""
    half = replace(sample_round(), share=Fraction(1, 2))
    other = replace(sample_round((Column("sex"),)), share=Fraction(1, 4))
    release_of(node.runner.run(ANALYST.task(None, with_order(round=half))))
    release_of(
        node.runner.run(ANALYST.task(None, with_order(round=other, number=1, totals_before=bytes(32))))
    )
    assert [entry.loss.rho for entry in node.ledger.entries()] == [RHO / 2, RHO / 4]


def test_a_pause_withholds_recorded_answers_too(node: Node) -> None:
    """While the department pauses nothing leaves, not even what left before."""
    first = node.runner.run(ANALYST.task())
    node.policy.pause(Reason.SECURITY, now_s=NOW_S)
    refusal = refusal_of(node.runner.run(ANALYST.task()))
    assert (refusal.code, refusal.charged) == ("FS-206", False)
    node.policy.resume(now_s=NOW_S)
    assert node.runner.run(ANALYST.task()).release == first.release


def _after_the_deadline(_node: Node, clock: list[int]) -> None:
    clock[0] = sample_query().deadline_s + 1


def _after_the_agreement(_node: Node, clock: list[int]) -> None:
    clock[0] = int(datetime(2027, 4, 1, tzinfo=UTC).timestamp())


def _a_new_version(node: Node, clock: list[int]) -> None:
    newer = sample_agreement(version=2)
    node.agreements.learn(agreements_pb2.AuthorityReply(agreements=[published(newer)]))
    node.agreements.accept("RTT-2026", 2, lambda _: True, now_s=clock[0])


def _trust_taken_back(node: Node, _clock: list[int]) -> None:
    node.home.trust.trust("west", seed_key("new").public.fingerprint, replace=True)


@pytest.mark.parametrize(
    "happens, code",
    [
        (_after_the_deadline, "FS-217"),
        (_after_the_agreement, "FS-202"),
        (_a_new_version, "FS-202"),
        (_trust_taken_back, "FS-202"),
    ],
)
def test_what_ends_before_the_sending_ends_the_answer(
    tmp_path: Path, happens: Callable[[Node, list[int]], None], code: str
) -> None:
    """The agreement, the deadline or trust may end between the record and the sending: nothing is sent."""
    clock = [NOW_S]
    with open_node(make_home(tmp_path), now=lambda: clock[0]) as node:
        task = ANALYST.task()
        report = node.runner.run(task)
        assert node.runner.allowed_now(task, report) == report
        happens(node, clock)
        refusal = refusal_of(node.runner.allowed_now(task, report))
        assert (refusal.code, refusal.charged) == (code, True)
        assert [entry.recorded for entry in node.ledger.entries()] == [True]


def test_withdrawal_ends_every_answer(node: Node) -> None:
    """After the department left the agreement, nothing is answered under it."""
    release_of(node.runner.run(ANALYST.task()))
    node.agreements.withdraw("RTT-2026", now_s=NOW_S)
    assert refusal_of(node.runner.run(ANALYST.task())).code == "FS-202"


def test_the_budget_ends(node: Node) -> None:
    """Questions are answered until the agreement's budget is used; then the refusal says how much is left."""
    answered, refusal = 0, None
    most = MechanismLoss(Mechanism.GAUSSIAN, Fraction(5, 64))
    while refusal is None:
        report = node.runner.run(
            ANALYST.task(sample_query(loss=replace(most, amount=most.amount - Fraction(answered, 2**40))))
        )
        answered += report.HasField("release")
        refusal = refusal_of(report) if report.HasField("refusal") else None
    assert answered > 5
    assert refusal.code == "FS-214"
    assert "% of the budget of agreement RTT-2026" in refusal.sentence


def test_the_lifetime_cap_ends_too(tmp_path: Path) -> None:
    """The node's own limit holds whatever the agreement allows, and without one nothing is answered."""
    from fedstats.node.config import LifetimeTerms

    home = make_home(tmp_path)
    with open_node(
        home, lifetime={"nhs_number": LifetimeTerms(Fraction(1, 100), Fraction(1, 10**6))}
    ) as node:
        assert refusal_of(node.runner.run(ANALYST.task())).code == "FS-215"
    with open_node(home, lifetime={}) as node:
        assert refusal_of(node.runner.run(ANALYST.task())).code == "FS-216"
        assert node.ledger.entries() == ()
