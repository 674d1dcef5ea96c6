"""Disclosure control on its way to the analyst: what is counted for it, and every form of an answer."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from analyst_world import AnalystWorld, Answer, exact_vectors, people, signed_release
from coordinator_world import computation_of, ready_world
from pyarrow.parquet import read_table
from rich.console import Console
from samples import DEPARTMENTS, sample_agreement
from strategies import DATASET, definitions
from tables import People, asked, cells, row
from tables import answered as answered_by
from two_rounds import Twice

from fedstats.cli.answering import put_out
from fedstats.client.answer import Answer as Shown
from fedstats.client.explanation import explanation_json, explanation_lines
from fedstats.client.home import Home
from fedstats.client.render import show
from fedstats.client.session import Session
from fedstats.core.aggregate.grouped_sums import GroupedSums, MeasureKind
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.disclosure import RULES, DisclosureProfile, post_processing_words
from fedstats.core.estimate import Absence, AbsenceReason, Value
from fedstats.core.expression import Column
from fedstats.core.statistic import Round
from fedstats.errors import OutsideAgreement
from fedstats.statistics.table import Table
from fedstats.wire.v1 import nodes_pb2

SECRET = 71_003
"""A noisy number that is withheld, below 0 and odd enough to be found wherever it is printed."""

SQL = "SELECT sex, COUNT(*) AS n, AVG(age) AS a, SHARE(urgent) AS u FROM rtt GROUP BY sex"
PROFILE = DisclosureProfile.OPENSAFELY
PROFILED = canonical_json(document_of(sample_agreement(disclosure=PROFILE)))


def with_a_small_cell(task: nodes_pb2.Task, department: str) -> nodes_pb2.ReportRequest:
    """101 women answer, and the noise of the men's cell is -71,003 in every number of it."""
    vectors = exact_vectors(task, [*people(60), *people(41, urgent=0)])
    for vector in vectors[0]:
        vector[1] -= SECRET
    return nodes_pb2.ReportRequest(release=signed_release(department, computation_of(task), vectors))


def profiled_world(folder: Path, answer: Answer = with_a_small_cell) -> AnalystWorld:
    """Three departments under an agreement with the profile opensafely."""
    answers = dict.fromkeys(DEPARTMENTS, answer)
    return AnalystWorld(Home.at(folder), answers, world=ready_world(document=PROFILED))


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, Shown]]:
    """An answer with totals of which one row is withheld, and the session that asked."""
    with profiled_world(tmp_path_factory.mktemp("disclosure")).session() as session:
        yield session, session.query(SQL, epsilon=1, totals=True)


def test_the_answer_withholds_rounds_and_says_so(answered: tuple[Session, Shown]) -> None:
    """303 women are 305, the men are withheld in every column, the total adds up what is shown."""
    women, men, both = answered[1].table.rows
    assert [row.key for row in (women, men, both)] == [("F",), ("M",), ("all",)]
    assert isinstance(women.cells[0], Value)
    assert women.cells[0].value == 305
    assert women.cells[0].noise_interval.lo < 303 < women.cells[0].noise_interval.hi
    for cell in men.cells:
        assert isinstance(cell, Absence)
        assert (cell.reason, cell.sentence) == (AbsenceReason.SUPPRESSED, RULES[PROFILE].sentence)
    assert isinstance(both.cells[0], Value)
    assert both.cells[0].value == 305
    assert both.total
    assert any("It withheld 3 of 6 numbers" in note for note in answered[1].estimate.notes)


def test_no_form_of_an_answer_shows_what_is_withheld(
    answered: tuple[Session, Shown], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Terminal, text, JSON, CSV, Arrow, pandas, Parquet, notebook, also of the answer resumed, say why."""
    session, first = answered
    texts = []
    for answer in (first, session.resume(first.job), session.resume(first.job, totals=True)):
        terminal = Console(file=io.StringIO(), force_terminal=True, width=200)
        show(answer.estimate, answer.question, terminal)
        assert isinstance(terminal.file, io.StringIO)
        put_out(answer, "json", None)
        put_out(answer, "csv", None)
        put_out(answer, "table", None)
        put_out(answer, "parquet", tmp_path / "answer.parquet")
        texts += [
            terminal.file.getvalue(),
            capsys.readouterr().out,
            str(answer),
            answer._repr_html_(),
            answer.to_json(),
            answer.to_csv(),
            repr(answer),
            str(answer.to_arrow().to_pydict()),
            answer.to_pandas().to_string(),
            str(read_table(tmp_path / "answer.parquet").to_pydict()),
        ]
        document = json.loads(answer.to_json())
        assert document["disclosure"] == {"profile": "opensafely", "withheld": 3, "numbers": 6}
        assert [set(cell) for cell in document["tables"][0]["rows"][1]["cells"]] == [
            {"absent", "sentence"}
        ] * 3
        assert answer.to_arrow().column("n").to_pylist()[1] is None
    for text in texts:
        digits = re.sub(r"[,_\s]", "", text)
        assert str(SECRET) not in digits
        assert str(3 * SECRET) not in digits
        assert str(303 - 3 * SECRET) not in digits
        assert "suppressed" in text.lower()


def test_a_target_made_of_an_earlier_answer_uses_what_it_shows(answered: tuple[Session, Shown]) -> None:
    """A percentage of an earlier answer is of its shown numbers: 50 % of 305 people are 152.5."""
    session, first = answered
    aim = session.aim("SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex", target=f"50% of {first.job}")
    assert aim.limits["n"] == pytest.approx(152.5)


def test_explain_says_what_will_be_withheld_and_what_it_costs(answered: tuple[Session, Shown]) -> None:
    """Before anything is spent: the rule, and the part of the loss that counts who stands behind a number."""
    explanation = answered[0].explain("SELECT sex, SUM(cost) AS c FROM rtt GROUP BY sex", epsilon=1)
    said = dict(explanation_lines(explanation))["Shown:"]
    assert "opensafely: what fewer than 8 stand behind, noise included, is withheld" in said
    assert "20 % of the loss goes into counting them" in said
    assert json.loads(explanation_json(explanation))["disclosure"]["support"] == pytest.approx(0.2)
    outputs = "COUNT(*), SUM(urgent), SUM(cost)"  # in cells too small to be shown, their widths are as exact
    small = answered[0].explain(
        f"SELECT started, sex, urgent, cost > 9, {outputs} FROM rtt GROUP BY started, sex, urgent, cost > 9",
        epsilon=2,
    )
    assert all(width.exact and width.half_width is not None for width in small.widths)
    assert any("will withhold many" in line for head, line in explanation_lines(small) if head == "Warning:")


def test_a_statistic_that_cannot_keep_to_a_profile_is_not_asked(tmp_path: Path) -> None:
    """One from Python that does not say on how many its numbers rest costs nothing and is refused at home."""
    with profiled_world(tmp_path).session() as session:
        with pytest.raises(OutsideAgreement, match="does not say how many people"):
            session.run(Twice(), epsilon=1)
        assert not session.jobs()


@pytest.mark.parametrize(
    "outputs, kinds, supports",
    [
        ("COUNT(*)", {MeasureKind.ROWS, MeasureKind.PEOPLE}, 1),
        ("COUNT(DISTINCT nhs_number)", {MeasureKind.PEOPLE}, 0),
        ("COUNT(*), COUNT(DISTINCT nhs_number)", {MeasureKind.ROWS, MeasureKind.PEOPLE}, 0),
        ("SUM(cost)", {MeasureKind.SUM, MeasureKind.PEOPLE}, 1),
    ],
)
def test_who_stands_behind_a_number_is_counted_once_and_for_little(
    outputs: str, kinds: set[MeasureKind], supports: int
) -> None:
    """Where one person may have several rows, people are counted, with a quarter of a measure's share."""
    ask = asked(disclosure=PROFILE)
    order = Table.from_sql(f"SELECT {outputs} FROM waiting", definitions).step(ask, [])
    assert isinstance(order, Round)
    (aggregate,) = order.aggregates
    assert isinstance(aggregate, GroupedSums)
    assert {measure.kind for measure in aggregate.measures} == kinds
    weights = sorted(measure.weight for measure in aggregate.measures)
    if supports:
        assert weights == [Fraction(1, 5), Fraction(4, 5)]
    else:
        assert len(set(weights)) == 1


def test_the_missing_are_not_counted_as_support() -> None:
    """An average rests on the people whose value is there, not on everybody."""
    order = Table.from_sql("SELECT AVG(wait_days) FROM waiting", definitions).step(
        asked(disclosure=PROFILE), []
    )
    assert isinstance(order, Round)
    (aggregate,) = order.aggregates
    (support,) = [m for m in aggregate.measures if m.kind is MeasureKind.PEOPLE]
    assert support.expression == Column("wait_days")
    assert DATASET.column("wait_days").domain.nullable


IN_OTHER_WORDS = {
    "SUM(CASE WHEN urgent THEN 100 ELSE 0 END) AS s": 100.0,
    "SUM(100 * CASE WHEN urgent THEN 1 ELSE 0 END) / COUNT(*) AS s": 100 / 80,
    "AVG(CASE WHEN urgent THEN 100 ELSE 0 END) AS s": 100 / 80,
    "AVG(CASE WHEN urgent THEN 3 ELSE 1 END) - 1 AS s": 2 / 80,
    "AVG(CASE WHEN urgent THEN 1 ELSE 3 END) - 3 AS s": -2 / 80,
    "SUM(CASE WHEN urgent THEN -0.5 ELSE 0 END) AS s": -0.5,
    "SUM(COALESCE(CASE WHEN urgent THEN 7 END, 0)) AS s": 7.0,
}
"""Numbers that are a count of the urgent of 80 rows times so much."""


@pytest.mark.parametrize("profile", [PROFILE, DisclosureProfile.ACRO])
@pytest.mark.parametrize("output, times", IN_OTHER_WORDS.items())
def test_a_count_in_other_words_is_a_count(output: str, times: float, profile: DisclosureProfile) -> None:
    """Percentages and sums of two values are withheld and rounded like the count that they are."""
    rule = RULES[profile]

    def number(urgent: int) -> object:
        people: People = [[row(urgent=int(i < urgent))] for i in range(80)]
        text = f"SELECT {output} FROM waiting"
        ((shown,),) = cells(answered_by(text, {"north": people}, ask=asked(disclosure=profile))).values()
        return shown

    for small in (0, 4, rule.least - 1):
        assert isinstance(number(small), Absence), small
    for large in (13, 41):
        assert number(large) == pytest.approx(times * rule.rounded(large)), large
    complement = number(80 - 4)
    assert isinstance(complement, Absence) == ("SUM" not in output or "COUNT" in output)


def test_a_guarantee_calls_it_post_processing() -> None:
    """Every profile has words for a guarantee, and none claims that it protects anybody."""
    for profile in DisclosureProfile:
        words = post_processing_words(profile)
        assert profile.value in words
        assert "costs no privacy loss" in words
