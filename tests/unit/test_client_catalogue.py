"""Which edition a question is about, and whom it asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from analyst_world import analyst_world
from coordinator_world import CONTROLLERS, agreement_signatures
from samples import DEPARTMENTS, sample_agreement, sample_dataset

from fedstats.client.catalogue import choose, edition_order, holdings_of, sorted_editions
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.errors import EditionMissing, KeyUnknown, NameUnknown
from fedstats.wire import codec
from fedstats.wire.v1 import analysts_pb2, nodes_pb2

AGREEMENT, DATASET = sample_agreement(), sample_dataset()
ALL = frozenset({"2025-09", "2025-10"})
OLD, NEW, REPAIRED, NONE = (frozenset(x) for x in ({"2025-09"}, {"2025-10"}, {"2025-09", "2025-09.2"}, set()))

CHOICES = [
    # what each department holds, the edition chosen, who is asked
    ((ALL, ALL, ALL), "2025-10", "north south west"),
    ((ALL, ALL, OLD), "2025-09", "north south west"),
    ((ALL, ALL, NONE), "2025-10", "north south"),
    ((OLD, OLD, NEW), "2025-09", "north south"),
    ((REPAIRED, REPAIRED, OLD), "2025-09", "north south west"),
    ((REPAIRED, REPAIRED, REPAIRED), "2025-09", "north south west"),
]


@pytest.mark.parametrize("held,edition,asked", CHOICES)
def test_the_newest_edition_that_the_most_hold_is_asked(
    held: tuple[frozenset[str], ...], edition: str, asked: str
) -> None:
    """As many departments as possible come before being new; who holds a repair holds the edition."""
    holdings = dict(zip(DATASET.holders, held, strict=True))
    choice = choose(AGREEMENT, DATASET, holdings, None)
    assert (choice.edition, " ".join(choice.participants)) == (edition, asked)
    assert set(choice.left_out) == set(DATASET.holders) - set(choice.participants)


@pytest.mark.parametrize("edition", ["2025-09.x", "2025-09.", "2025-09.0", "2024-01"])
def test_an_edition_outside_the_schedule_is_unknown(edition: str) -> None:
    """A mistyped revision is one sentence, too."""
    with pytest.raises(NameUnknown, match="there are 2025-09, 2025-10"):
        choose(AGREEMENT, DATASET, dict.fromkeys(DATASET.holders, OLD), edition)


def test_an_edition_that_too_few_hold_cannot_be_asked() -> None:
    """The agreement's least number counts, and all of them where it allows no partial answers."""
    holdings: Mapping[str, frozenset[str]] = {"north": OLD, "south": OLD, "west": NONE}
    assert choose(AGREEMENT, DATASET, holdings, "2025-09").left_out == ("west",)
    with pytest.raises(
        EditionMissing, match="by 2 departments under version 1, and agreement RTT-2026 needs 3"
    ):
        choose(replace(AGREEMENT, partial=False), DATASET, holdings, "2025-09")
    with pytest.raises(EditionMissing, match="No department holds"):
        choose(AGREEMENT, DATASET, dict.fromkeys(DATASET.holders, NONE), None)
    with pytest.raises(NameUnknown, match="2025-09, 2025-10"):
        choose(AGREEMENT, DATASET, holdings, "2024-01")


def test_editions_are_ordered_by_the_schedule_and_then_by_revision() -> None:
    """The schedule says what is newer, not the alphabet; the tenth revision follows the ninth."""
    dataset = replace(DATASET, editions=("summer", "autumn"))
    assert sorted_editions(dataset, {"autumn", "summer.10", "summer.9", "summer"}) == (
        "summer",
        "summer.9",
        "summer.10",
        "autumn",
    )
    assert edition_order(dataset, "autumn") > edition_order(dataset, "summer.10")


def test_what_strangers_say_they_hold_does_not_count() -> None:
    """Only the dataset's holders, this version of the agreement, and editions of the schedule are seen."""
    here = {"agreement": "RTT-2026", "agreement_version": 1, "dataset": "rtt", "edition": "2025-09"}

    def node(department: str, **changes: object) -> analysts_pb2.NodeHoldings:
        held = nodes_pb2.Holding(**{**here, **changes})  # type: ignore[arg-type]  # a table of fields
        return analysts_pb2.NodeHoldings(department=department, holdings=[held])

    reply = analysts_pb2.CatalogueReply(
        nodes=[
            node("north"),
            node("south", agreement_version=2),
            node("west", edition="2031-01"),
            node("east"),
            node("west", edition="2025-09.x"),
            node("west", edition="2025-09.\u0663"),
            node("west", edition="2025-09.2.2"),
            node("west", edition="2025-09\x1b[2J"),
        ]
    )
    assert holdings_of(reply, AGREEMENT, DATASET) == {"north": OLD, "south": NONE, "west": NONE}


def test_a_newer_version_with_an_unknown_key_is_said_so(tmp_path: Path) -> None:
    """Departments that moved on to a version with a key not trusted here are not said to hold nothing."""
    world = analyst_world(tmp_path)
    newer = nodes_pb2.Holding(agreement="RTT-2026", agreement_version=2, dataset="rtt", edition="2025-09")
    for department in DEPARTMENTS:
        world.world.lease(department, holdings=[newer])
    with world.session() as session:
        session.home.write_config(replace(session.home.config(), agreement="RTT-2026"))
        with pytest.raises(KeyUnknown, match="version 2 of RTT-2026"):
            session.query("SELECT COUNT(*) FROM rtt", epsilon=1)


def test_a_version_that_departments_are_still_accepting_stops_no_question(tmp_path: Path) -> None:
    """Questions stay under the version that enough departments hold editions under, then move on."""
    world = analyst_world(tmp_path)
    document = canonical_json(document_of(sample_agreement(version=2)))
    for department, signed in zip(DEPARTMENTS, agreement_signatures(document), strict=True):
        world.world.publish(CONTROLLERS[department], agreement=codec.signed_to(signed))
    newer = nodes_pb2.Holding(agreement="RTT-2026", agreement_version=2, dataset="rtt", edition="2025-09")
    moved = []
    for department in DEPARTMENTS:
        world.world.lease(department, holdings=[newer])
        with world.session() as session:
            moved += [entry.agreement.version for entry in session.datasets()]
    assert (AGREEMENT.nodes_min, moved) == (2, [1, 2, 2])
