"""A coordinator that writes falsehoods about questions into its own register, where their proofs hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from attacked import charges
from samples import DEPARTMENTS, sample_agreement, sample_order, sample_query, seed_key
from waiting import federation

from fedstats.core.agreement_document import Document
from fedstats.core.appointment import AppointedRole, Appointment
from fedstats.core.query_entry import differing_keys, query_entry
from fedstats.errors import RegisterForked
from fedstats.testing.federation import Federation
from fedstats.testing.hostile import entering, of
from fedstats.testing.transport import Relay
from fedstats.wire.codec import decode_refusal
from fedstats.wire.v1 import nodes_pb2

COUNT = "SELECT COUNT(*) AS n FROM rtt WHERE age <= 47"
NODE = "north"
TRUE = query_entry(
    sample_query(),
    sample_order(bytes(32)),
    Appointment("north", AppointedRole.ANALYST, "a.smith", seed_key("a.smith").public.raw, 0, 1),
    sample_agreement(),
)
"""Only its keys matter, and what kind of value stands under each."""


def falsehoods() -> Iterator[tuple[str, str]]:
    """Every place of an entry: (key, key within it); and a key that no entry has."""
    for key, value in TRUE.items():
        yield from ((key, part) for part in value) if isinstance(value, Mapping) else [(key, "")]
    yield "approved_by", ""


def another(value: object) -> object:
    """A value of the same kind that says something else."""
    if isinstance(value, list):
        return value[:-1]
    return value + 1 if isinstance(value, int) else f"{value or ''}0"


def false(entry: Document, key: str, part: str) -> Document:
    """The entry, false in one place."""
    value = entry.get(key)
    if part and isinstance(value, Mapping):
        return {**entry, key: {**value, part: another(value[part])}}
    return {**entry, key: another(value)}


@pytest.fixture(scope="module")
def lied_to(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """A federation whose coordinator lies in one place of each question's entry."""
    with federation(tmp_path_factory.mktemp("lied_to"), nodes_min=1) as made:
        yield made


@pytest.mark.parametrize("place", list(falsehoods()), ids=lambda place: ".".join(filter(None, place)))
def test_no_word_of_a_questions_entry_can_be_false(lied_to: Federation, place: tuple[str, str]) -> None:
    """The analyst is told, the department answers nothing (FS-220) and says where, and nothing is charged."""
    fed, said, (key, part) = lied_to, list[nodes_pb2.ReportRequest](), place
    fed.stop_coordinator()
    fed.store_as = entering(lambda entry: false(entry, key, part))
    fed.relay = Relay(arriving=of(nodes_pb2.ReportRequest, said.append))
    before = charges(fed)
    with fed.session() as session, pytest.raises(RegisterForked, match="question"):
        session.query(COUNT, epsilon="0.1", wait_s=60)
    fed.nodes[NODE].poll_once()
    refusal = decode_refusal(said.pop().refusal.payload)
    assert (refusal.code, refusal.charged) == ("FS-220", False)
    assert (
        ("approved_by" not in refusal.sentence)
        if key == "approved_by"
        else (f"under {key}." in refusal.sentence)
    )
    assert charges(fed) == before


def test_an_entry_without_one_of_its_keys_is_not_the_entry() -> None:
    """What the public is not told is as false as what it is told wrongly, and 1 is not true."""
    first = sample_order(bytes(32))
    for key in TRUE:
        assert differing_keys({k: v for k, v in TRUE.items() if k != key}, TRUE, first) == (key,)
    assert differing_keys({**TRUE, "version": True}, TRUE, first) == ("version",)


def test_a_later_round_knows_all_but_the_words_of_the_first() -> None:
    """It may ask fewer departments than the entry names and never others; all else is compared again."""
    later = replace(sample_order(bytes(32)), number=1, participants=DEPARTMENTS[:2], totals_before=bytes(32))
    here = {**TRUE, "departments": list(DEPARTMENTS[:2]), "question_words": "Counts something else."}
    assert differing_keys(TRUE, here, later) == ()
    assert differing_keys({**TRUE, "departments": [DEPARTMENTS[0], "x"]}, here, later) == ("departments",)
    assert differing_keys({**TRUE, "question_words": None}, here, later) == ("question_words",)
    assert differing_keys({**TRUE, "unit": "record"}, here, later) == ("unit",)
