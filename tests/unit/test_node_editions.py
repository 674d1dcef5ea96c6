"""Editions: named by the schedule, made once, replaced by revisions, gone when the department leaves."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import pytest
from one_node import Analyst, ReferenceEngine, make_home, open_node, refusal_of, release_of, sample_mapping
from samples import NOW_S, sample_agreement, sample_dataset

from fedstats.core.agreement import Agreement, OptOutTerms
from fedstats.core.domain import Numbers
from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.engines import EditionOrder, EditionReport, Resources
from fedstats.engines.mapping import DatasetMapping
from fedstats.errors import AgreementNotInForce, EditionExists, EditionMissing, OptOutListProblem
from fedstats.node.editions import opt_outs_to_apply
from fedstats.node.service import Node

ANALYST = Analyst()
DAY_S = 86_400


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node of north that holds 2025-09."""
    with open_node(make_home(tmp_path)) as opened:
        yield opened


def refresh(node: Node, tmp_path: Path, base: str, *, revise: bool = False) -> str:
    """Make an edition; its name."""
    mapping = sample_mapping(tmp_path)
    edition, report = node.editions.refresh(
        sample_agreement(), mapping, base, node.bench, revise=revise, now_s=NOW_S
    )
    assert report.rows_kept == 200
    assert edition.path.read_text() == edition.name
    return edition.name


def held(node: Node) -> list[str]:
    """The editions that the node announces."""
    return [holding.edition for holding in node.editions.holdings(node.in_force())]


def test_editions_follow_the_schedule(node: Node, tmp_path: Path) -> None:
    """An edition that the agreement names is made and announced; another is refused with those it names."""
    assert held(node) == ["2025-09"]
    assert refresh(node, tmp_path, "2025-10") == "2025-10"
    assert held(node) == ["2025-09", "2025-10"]
    with pytest.raises(EditionMissing, match="2025-09, 2025-10"):
        refresh(node, tmp_path, "2031-01")


def test_an_edition_is_made_once(node: Node, tmp_path: Path) -> None:
    """A second refresh changes nothing unless a revision is asked for, and then it has a name of its own."""
    with pytest.raises(EditionExists):
        refresh(node, tmp_path, "2025-09")
    assert refresh(node, tmp_path, "2025-09", revise=True) == "2025-09.2"
    assert refresh(node, tmp_path, "2025-09", revise=True) == "2025-09.3"
    assert held(node) == ["2025-09.3"]


def test_a_revision_ends_its_predecessor(node: Node, tmp_path: Path) -> None:
    """The older revision answers nothing any more, not even a recorded answer, and its rows are gone."""
    answered = node.runner.run(ANALYST.task())
    assert release_of(node.runner.allowed_now(ANALYST.task(), answered)).edition == "2025-09"
    old = node.editions.find(sample_agreement(), sample_dataset(), "2025-09").path
    refresh(node, tmp_path, "2025-09", revise=True)
    assert not old.exists()
    held_back = refusal_of(node.runner.allowed_now(ANALYST.task(), answered))
    assert (held_back.code, held_back.charged) == ("FS-208", True)
    assert "2025-09.2 has replaced" in held_back.sentence
    again = release_of(node.runner.run(ANALYST.task()))
    assert again.edition == "2025-09.2"
    assert len(node.ledger.entries()) == 2  # a revision is a new charge


def test_another_definition_needs_another_edition(node: Node) -> None:
    """An edition made for other columns or bounds is neither found nor announced; a new schedule keeps it."""
    dataset = sample_dataset()
    wider = replace(
        dataset, columns=(*dataset.columns, ColumnDefinition("wait", Numbers(Fraction(0), Fraction(9))))
    )
    longer = replace(dataset, editions=(*dataset.editions, "2025-11"), description="New words.")
    agreement = sample_agreement()
    for other, found in ((wider, False), (replace(dataset, rows_max=2), False), (longer, True)):
        changed = replace(agreement, version=2, datasets=(other,))
        assert bool(node.editions.holdings([changed])) == found
        if found:
            assert node.editions.find(changed, other, "2025-09").name == "2025-09"
        else:
            with pytest.raises(EditionMissing, match="another definition"):
                node.editions.find(changed, other, "2025-09")


def test_an_edition_with_opted_out_people_ends_with_the_exemption(node: Node, tmp_path: Path) -> None:
    """When a new version of the agreement applies opt-outs, editions made without the list answer nothing."""
    exempt = with_opt_outs(applies=False, reason="Direct care.")
    mapping = sample_mapping(tmp_path)
    edition, _ = node.editions.refresh(exempt, mapping, "2025-10", node.bench, revise=False, now_s=NOW_S)
    assert node.editions.find(exempt, sample_dataset(), "2025-10") == edition
    with pytest.raises(EditionMissing, match="opted out"):
        node.editions.find(with_opt_outs(), sample_dataset(), "2025-10")
    assert held(node) == ["2025-09"]


def test_leaving_deletes_the_rows(node: Node) -> None:
    """After a withdrawal no edition is left, neither in the index nor on disk; leaving twice does no harm."""
    path = node.editions.find(sample_agreement(), sample_dataset(), "2025-09").path
    node.withdraw("RTT-2026")
    node.withdraw("RTT-2026")
    assert not path.exists()
    assert node.editions.all() == ()


@dataclass
class Slow(ReferenceEngine):
    """An engine that lets something happen while it makes an edition, before or after the file is there."""

    meanwhile: Callable[[], None] = lambda: None
    file_first: bool = True

    def make_edition(
        self, mapping: DatasetMapping, dataset: Dataset, order: EditionOrder, resources: Resources
    ) -> EditionReport:
        """The file, and what happens meanwhile."""
        if not self.file_first:
            self.meanwhile()
            order.into.parent.mkdir(parents=True, exist_ok=True)
        report = super().make_edition(mapping, dataset, order, resources)
        if self.file_first:
            self.meanwhile()
            order.into.parent.mkdir(parents=True, exist_ok=True)
            order.into.write_text("published at the very moment")
        return report


@pytest.mark.parametrize("file_first", [True, False])
def test_leaving_while_an_edition_is_made_leaves_no_rows(
    node: Node, tmp_path: Path, *, file_first: bool
) -> None:
    """The refresh that was running fails, and neither its file nor a line of the index is left."""
    engine = Slow(meanwhile=lambda: node.withdraw("RTT-2026"), file_first=file_first)
    bench = replace(node.bench, engine=engine)
    mapping = sample_mapping(tmp_path)
    with pytest.raises(AgreementNotInForce, match="left"):
        node.editions.refresh(sample_agreement(), mapping, "2025-10", bench, revise=False, now_s=NOW_S)
    assert node.editions.all() == ()
    assert [path for path in node.home.editions.rglob("*") if path.is_file()] == []


def test_no_edition_is_made_for_what_was_not_accepted(node: Node, tmp_path: Path) -> None:
    """Before the department accepted, and after it left, the source is not even read."""
    engine = Slow(meanwhile=lambda: pytest.fail("the source was read"), file_first=False)
    bench = replace(node.bench, engine=engine)
    node.withdraw("RTT-2026")
    for agreement in (sample_agreement(), sample_agreement(id="OTHER")):
        with pytest.raises(AgreementNotInForce):
            node.editions.refresh(
                agreement, sample_mapping(tmp_path), "2025-10", bench, revise=False, now_s=NOW_S
            )


def test_the_folders_of_editions_are_the_nodes_own(node: Node, tmp_path: Path) -> None:
    """Every folder on the way to the rows can be entered by the node's account only."""
    node.home.editions.chmod(0o755)
    refresh(node, tmp_path, "2025-10")
    folders = [node.home.editions, *(path for path in node.home.editions.rglob("*") if path.is_dir())]
    assert len(folders) == 3
    assert os.name != "posix" or {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_what_a_dead_refresh_left_is_in_nobodys_way(node: Node, tmp_path: Path) -> None:
    """A file that no index knows is replaced by the next refresh."""
    path = node.home.editions / "RTT-2026" / "rtt" / "2025-10.duckdb"
    path.write_text("half an edition")
    assert refresh(node, tmp_path, "2025-10") == "2025-10"


def with_opt_outs(**terms: object) -> Agreement:
    """The sample agreement with other opt-out terms."""
    fields: dict[str, object] = {"applies": True, "list_age_days_max": 30}
    return sample_agreement(opt_out=OptOutTerms(**{**fields, **terms}))  # type: ignore[arg-type]  # a table of fields


def test_opt_outs_are_applied_as_agreed(tmp_path: Path) -> None:
    """The list is applied where the agreement says so, and must be there and young enough."""
    mapping = sample_mapping(tmp_path)
    path = mapping.opt_out_list
    assert path is not None
    exempt = with_opt_outs(applies=False, reason="Direct care.")
    assert opt_outs_to_apply(exempt, mapping, now_s=NOW_S) is None
    assert opt_outs_to_apply(with_opt_outs(), mapping, now_s=NOW_S) == path
    os.utime(path, (NOW_S - 30 * DAY_S, NOW_S - 30 * DAY_S))
    assert opt_outs_to_apply(with_opt_outs(), mapping, now_s=NOW_S) == path
    with pytest.raises(OptOutListProblem, match="30 days"):
        opt_outs_to_apply(with_opt_outs(), mapping, now_s=NOW_S + 1)
    path.unlink()
    with pytest.raises(OptOutListProblem, match="cannot be read"):
        opt_outs_to_apply(with_opt_outs(), mapping, now_s=NOW_S)
    with pytest.raises(OptOutListProblem, match="names no list"):
        opt_outs_to_apply(with_opt_outs(), replace(mapping, opt_out_list=None), now_s=NOW_S)


def test_a_name_is_never_used_for_other_data(node: Node, tmp_path: Path) -> None:
    """After leaving and coming back, an edition is a revision: recorded answers stay apart."""
    node.editions.delete(sample_agreement().id, now_s=NOW_S)
    assert node.editions.all() == ()
    refresh(node, tmp_path, "2025-09", revise=False)
    (edition,) = node.editions.all()
    assert edition.name == "2025-09.2"
