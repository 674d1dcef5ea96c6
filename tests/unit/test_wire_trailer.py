"""Errors on their way from coordinator to client."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedstats.errors import FedstatsError, NetworkError, Spent, error_classes
from fedstats.wire.trailer import error_of, trailer_of


@pytest.mark.parametrize("code", sorted(error_classes()))
def test_every_error_arrives_as_itself(code: str) -> None:
    """Whatever class the coordinator raises, the client catches that class, with all that it says."""
    error = error_classes()[code]("What happened.", where="gstt", remedy="Do this.", spent=Spent.CHARGED)
    arrived = error_of(trailer_of(error))
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)


@given(st.text(), st.text(), st.text())
def test_any_text_fits_the_metadata(sentence: str, where: str, remedy: str) -> None:
    """Whatever an error says, its trailer can be sent (8 KiB in base64) and is printable when it arrives."""
    error = NetworkError(sentence * 500, where=where * 500, remedy=remedy * 500)
    trailer = trailer_of(error)
    assert len(trailer) * 4 / 3 < 8_000
    arrived = error_of(trailer)
    assert arrived.code == error.code
    assert str(arrived).isprintable()


def test_a_hostile_coordinator_cannot_write_to_the_terminal() -> None:
    """Escape sequences and endless sentences are taken out on arrival, not only before they are sent."""
    said = {
        "code": "FS-301",
        "sentence": "\x1b[2J" + "x" * 9_000,
        "where": "\r",
        "advice": "\u202e",
        "spent": "",
    }
    said["spent"] = "NOTHING"
    arrived = error_of(json.dumps(said).encode())
    assert str(arrived).isprintable()
    assert len(str(arrived)) < 1_200


@pytest.mark.parametrize(
    "trailer",
    [
        b"",
        b"\xff",
        b"[]",
        b"1",
        b"{}",
        b"[" * 50_000,
        b'{"code": [1], "sentence": [2], "where": [3], "advice": [4], "spent": [5]}',
        b'{"code": 1, "sentence": 2, "where": 3, "advice": 4, "spent": 5}',
        b'{"code": "FS-301", "sentence": "", "where": "", "advice": "", "spent": "PERHAPS"}',
    ],
)
def test_unreadable_trailers_are_one_error(trailer: bytes) -> None:
    """A trailer from another version, or rubbish, is still an error and never a crash."""
    arrived = error_of(trailer)
    assert type(arrived) is NetworkError
    assert "cannot read" in arrived.sentence


def test_an_unknown_code_is_still_an_error() -> None:
    """An error class that only a newer coordinator has arrives as the root class with its sentence."""
    said = {"code": "FS-998", "sentence": "New.", "where": "", "advice": "", "spent": "NOTHING"}
    arrived = error_of(json.dumps(said).encode())
    assert type(arrived) is FedstatsError
    assert arrived.sentence == "New."
