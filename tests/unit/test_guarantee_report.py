"""The guarantee report: complete, in its published form, true to what was answered, and free to look at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from analyst_world import AnalystWorld, analyst_world, refusing, silent
from guarantee_runs import agreement_of, run_of
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own
from two_rounds import Twice

from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.expression import Column
from fedstats.core.guarantee import Run, report_of
from fedstats.core.guarantee.form import SCHEMA
from fedstats.core.guarantee.page import page_of
from fedstats.core.guarantee.statements import RANDOMNESS, TESTS, UNPROTECTED
from fedstats.core.privacy import Mechanism, UnitKind
from fedstats.core.schema import Unit
from fedstats.errors import StillWaiting, ValueInvalid
from fedstats.mechanisms._opendp import LONG_CELLS_MIN
from fedstats.wire.v1 import nodes_pb2

ROOT = Path(__file__).resolve().parents[2]
TOLD = {
    "holdings": "names of editions",
    "decisions": "what was decided",
    "software": "version of the software",
    "paused": "that it pauses",
    "witness": "links its ledger",
    "head": "entries its log has",
    "waiting": "waits for a person",
    "refusal": "which refused and with which code",
    "budget": "How much of its budgets",
}
"""What a node says of itself besides its releases, with the words in a report that disclose it."""

ADDRESSES = {"wait_s", "instance", "running", "cosignature", "register_size", "task", "lease_token", "secagg"}
"""What only names a message, a process or the register that others keep."""

QUESTION = "SELECT sex, COUNT(*) AS n, AVG(age) AS age FROM rtt GROUP BY sex"


def fits(report: object) -> None:
    """Fail where the report is not in its form."""
    Draft202012Validator.check_schema(SCHEMA)
    problems = [problem.message for problem in Draft202012Validator(SCHEMA).iter_errors(report)]
    assert problems == []


def leaves(value: object) -> Iterator[object]:
    """Every value in a document that holds no others."""
    if isinstance(value, dict):
        yield from (leaf for inner in value.values() for leaf in leaves(inner))
    elif isinstance(value, list):
        yield from (leaf for inner in value for leaf in leaves(inner))
    else:
        yield value


def asked(world: AnalystWorld, sql: str = QUESTION) -> tuple[str, Any]:
    """Ask, and read the report as JSON; with the job's name."""
    with world.session() as session:
        answer = session.query(sql, epsilon=1)
    return answer.job, json.loads(json.dumps(answer.guarantee_report()))


@pytest.mark.parametrize(
    "run",
    [
        run_of(),
        run_of(mechanism=Mechanism.LAPLACE, departments_max=1),
        run_of(keys=(Column("sex"), Column("practice")), shares=(Fraction(1, 2), Fraction(1, 4))),
        run_of(absent=("north", "south", "west")),
        replace(run_of(), used_ppm=None),
        replace(run_of(), used_ppm=0),
    ],
    ids=["gaussian", "laplace", "open", "nobody", "unsaid", "unused"],
)
def test_every_report_is_in_its_form_without_a_float(run: Run) -> None:
    """The published schema admits it, nothing is left out, and no figure was rounded by a float."""
    report = report_of(run)
    fits(report)
    assert not [leaf for leaf in leaves(report) if isinstance(leaf, float)]
    assert json.loads(json.dumps(report)) == report
    assert page_of(report).count("None") == 0


def test_a_field_more_or_less_is_not_in_the_form() -> None:
    """The schema is strict: a report with a field missing, added or of another type is refused."""
    report: Any = report_of(run_of())
    validator = Draft202012Validator(SCHEMA)
    for changed in (
        {key: value for key, value in report.items() if key != "unprotected"},
        {**report, "epsilon": "1"},
        {**report, "sentence": 1},
        {**report, "guarantees": [{**report["guarantees"][0], "figures": {"epsilon": "1"}}]},
    ):
        assert not validator.is_valid(changed)


def test_whatever_a_node_says_of_itself_is_named_as_unprotected() -> None:
    """Every field that a node sends is the release, an address, or a fact that each report discloses."""
    messages = (nodes_pb2.LeaseRequest, nodes_pb2.ReportRequest)
    fields = {field.name for message in messages for field in message.DESCRIPTOR.fields}
    assert fields == {"release", *TOLD, *ADDRESSES}
    for field, words in TOLD.items():
        assert words in " ".join(UNPROTECTED), field


def test_a_report_is_about_what_departments_signed(tmp_path: Path) -> None:
    """Each release is named by the hash of its signed bytes, each refusal by its code."""
    world = analyst_world(tmp_path, west=refusing("FS-207"))
    job, report = asked(world)
    fits(report)
    fetched = {
        outcome.department: sha256(outcome.release.payload).hexdigest()
        for outcome in world.world.fetch(bytes.fromhex(report["query"]["query"])).rounds[0].outcomes
        if outcome.HasField("release")
    }
    (only,) = report["rounds"]
    assert {one["department"]: one["sha256"] for one in only["releases"]} == fetched
    assert only["absent"] == [{"department": "west", "code": "FS-207"}]
    assert report["query"]["query"].startswith(job)
    assert report["query"]["asked_by"] == "a.smith@north"
    assert report["cumulative"]["agreement"]["used_percent"] == "40"
    assert [measure["expected_error"]["departments"] for measure in only["aggregates"][0]["measures"]] == [
        2,
        2,
    ]


def test_the_sentence_is_that_of_the_answer(tmp_path: Path) -> None:
    """The report and the answer promise the same, in figures and in words."""
    with analyst_world(tmp_path).session() as session:
        answer = session.query(QUESTION, epsilon=1)
    report: Any = answer.guarantee_report()
    assert answer.guarantee is not None
    assert report["sentence"] == answer.guarantee.sentence
    figures = report["guarantees"][0]["figures"]
    assert Fraction(figures["epsilon"]) == Fraction(answer.guarantee.epsilon)
    assert answer.cost is not None
    assert Fraction(figures["rho_exact"]) == answer.cost.loss.rho
    assert report["guarantees"][1]["figures"]["rho_exact"] == str(answer.cost.loss.rho / 2)


def test_later_rounds_are_in_the_report(tmp_path: Path) -> None:
    """A query of two rounds promises for both: their losses add up to what was charged."""
    with analyst_world(tmp_path).session() as session:
        answer = session.run(Twice(), epsilon=1)
    report: Any = answer.guarantee_report()
    fits(report)
    parts = [Fraction(one["loss"]["rho_exact"]) for one in report["rounds"]]
    assert len(parts) == 2
    assert sum(parts) == Fraction(report["guarantees"][0]["figures"]["rho_exact"])
    assert len(report["rounds"][1]["releases"]) == 3
    first, second = (r["aggregates"][0]["measures"][0]["clipping"]["from"] for r in report["rounds"])
    assert first.endswith("No bound was taken from the data.")
    assert "narrowed after the answers to the rounds before, which are noisy" in second


def test_looking_asks_nobody(tmp_path: Path) -> None:
    """Who did not answer is not asked again for a report, and nothing is added to the register."""
    world = analyst_world(tmp_path, west=silent)
    with world.session() as session:
        with pytest.raises(StillWaiting) as waiting:
            session.query(QUESTION, epsilon=1, wait_s=30)
        job = session.jobs()[0].name
        assert job in str(waiting.value)
        session.proceed(job)
        before = len(world.world.register())
        report: Any = session.resume(job, ask=False).guarantee_report()
    assert len(world.world.register()) == before
    assert report["rounds"][0]["absent"] == [{"department": "west", "code": "FS-306"}]


def test_what_is_said_of_this_version_is_true() -> None:
    """Named tests exist; the number of cells from which the table sampler draws is the one that is said."""
    assert [where for _, where in TESTS if not (ROOT / "tests" / where).is_file()] == []
    assert f"fewer than {LONG_CELLS_MIN} cells" in RANDOMNESS[0]


def test_the_page_says_what_a_lawyer_asks() -> None:
    """First the promise in plain words, then for whom it does not hold and what is not protected."""
    page = page_of(report_of(run_of(absent=("west",))))
    first = page.splitlines()[5:8]
    assert "someone's belief in it can move from 50 %" in " ".join(first)
    for words in (
        "for someone in 3 of them",
        "Someone in 3 of the departments: epsilon",
        "Absent: west (FS-207).",
        "What is not protected",
        "one person (nhs_number)",
        "The question narrows them by limits of its own",
        "D1 = D2 = 3 x 200 = 600 steps",
    ):
        assert words in " ".join(page.split()), words
    assert max(len(line) for line in page.splitlines()) <= 110


def test_records_are_not_called_persons() -> None:
    """For data without persons the promise is per record, with no loss in more departments to speak of."""
    run = run_of()
    agreement = run.agreement
    dataset = replace(agreement.datasets[0], unit=Unit(UnitKind.ROW, "rtt"), rows_max=1)
    bounds = replace(run.query.contribution, rows_max=1, cells_max=1, departments_max=1)
    records = replace(
        run,
        agreement=replace(agreement, datasets=(dataset,)),
        query=replace(run.query, contribution=bounds),
    )
    report: Any = report_of(records)
    fits(report)
    assert "per record" in report["sentence"]
    assert report["in_more_departments"] == []
    assert "One record has at most 1 row" in json.dumps(report["rounds"])
    assert "one record added or removed" in report["definition"]["neighbours"]


def test_disclosure_control_is_no_privacy() -> None:
    """The report says that suppressing and rounding come after the noise, and what the profile does."""
    run = replace(run_of(), agreement=replace(agreement_of(), disclosure=DisclosureProfile.OPENSAFELY))
    said: Any = report_of(run)["post_processing"]
    assert "opensafely" in said[1]
    assert "the guarantee holds without it" in said[1]


def test_a_run_without_a_round_promises_nothing() -> None:
    """There is no guarantee of what released nothing."""
    with pytest.raises(ValueInvalid):
        replace(run_of(), rounds=())
