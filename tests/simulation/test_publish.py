"""Publishing a result: signed, made of exactly what departments released, and on the register for good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from waiting import federation

from fedstats.client.answer import Answer
from fedstats.client.publishing_result import publish_result
from fedstats.client.session import Session
from fedstats.coordinator.register import RESULT, parsed, sentence_of
from fedstats.coordinator.register_page import page_of
from fedstats.coordinator.register_result import tables_of
from fedstats.core.agreement_document import canonical_json
from fedstats.core.result import RESULT_BYTES_MAX, check_disclosure, result_from_json
from fedstats.errors import FedstatsError, MessageInvalid, NotFound, RoundConflict, TooLarge, ValueInvalid
from fedstats.identity.keys import Context, PublicKey, Signed, SigningKey
from fedstats.testing.federation import ANALYST, Federation
from fedstats.wire.codec import signed_to
from fedstats.wire.codec.strict import to_bytes
from fedstats.wire.methods import FETCH, PUBLISH_RESULT
from fedstats.wire.v1 import analysts_pb2, query_pb2

SQL = "SELECT sex, COUNT(*) AS n, AVG(age) AS mean_age FROM rtt GROUP BY sex"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Federation, Session, Answer]]:
    """A federation with one answered question."""
    with federation(tmp_path_factory.mktemp("publish")) as fed, fed.session() as session:
        yield fed, session, session.query(SQL, epsilon=2, wait_s=600)


def entry(fed: Federation, number: int) -> dict[str, Any]:
    """The document of an entry of the register."""
    found = fed.coordinator.desk.store.register.entry(number)
    assert found is not None
    assert found.kind == RESULT
    document: dict[str, Any] = json.loads(found.document)
    return document


def send(session: Session, payload: bytes, key: SigningKey | None = None) -> int:
    """Publish whatever an analyst signed."""
    signed = Signed.make(Context.RESULT, payload, key or session.home.signing_key())
    request = analysts_pb2.PublishResultRequest(result=signed_to(signed))
    return session.transport.call(PUBLISH_RESULT, request).number


def test_a_result_is_on_the_register_as_it_was_signed(asked: tuple[Federation, Session, Answer]) -> None:
    """Everybody can verify the signature, sees the table, and the same again is no second entry."""
    fed, session, answer = asked
    number = publish_result(session, answer.job, answer, note="First look.")
    document = entry(fed, number)
    key = PublicKey(bytes.fromhex(document["key"]))
    key.verify(Context.RESULT, canonical_json(document["result"]), bytes.fromhex(document["signature"]))
    assert key == fed.analyst_key
    assert len(document["result"]["releases"]) == 3
    (shown,) = tables_of(document)
    assert shown.heads == ("sex", "n", "mean_age")
    assert shown.rows[0][1].startswith(f"{answer.table.rows[0].cells[0].value:g}"[:3])  # type: ignore[union-attr]  # a value
    assert publish_result(session, answer.job, answer, note="First look.") == number
    said = sentence_of(RESULT, parsed(canonical_json(document)))
    assert said == f"{ANALYST} of north published a result of question {document['query'][:12]}."
    page = page_of(fed.coordinator.desk.store.register.entries(), made_s=fed.clock())
    assert "First look." in page
    corrected = publish_result(session, answer.job, answer, note="Again.", replaces=number)
    assert entry(fed, corrected)["result"]["replaces"] == number


def test_the_published_hash_of_a_release_tells_nothing_of_its_numbers(tmp_path: Path) -> None:
    """Whoever tries every number against the register's hashes finds no department's, nor what is withheld.

    All else in a release follows from the public question, and a count of few cells is quickly tried.
    """
    with federation(tmp_path) as fed, fed.session() as session:
        answer = session.query("SELECT COUNT(*) AS n FROM rtt", epsilon=2, wait_s=600)
        published = entry(fed, publish_result(session, answer.job, answer))["result"]["releases"]
        query = bytes.fromhex(answer.guarantee_report()["query"]["query"])  # type: ignore[index]  # JSON
        (fetched,) = session.transport.call(FETCH, analysts_pb2.FetchRequest(query=query)).rounds
    signed = {o.department: query_pb2.Release.FromString(o.release.payload) for o in fetched.outcomes}
    assert len({release.salt for release in signed.values()}) == len(signed) == len(published)
    for used in published:
        true = signed[used["department"]]
        assert sha256(to_bytes(true)).hexdigest() == used["sha256"]
        for number in range(-500, 500):
            tried = query_pb2.Release(department=true.department, computation=true.computation)
            tried.aggregates.add().measures.append(np.array([number], "<i8").tobytes())
            for salt in (b"", bytes(16)):
                tried.salt = salt
                assert sha256(to_bytes(tried)).hexdigest() != used["sha256"], number


def test_what_is_not_the_whole_answer_is_not_published(asked: tuple[Federation, Session, Answer]) -> None:
    """Releases left out, exchanged or of another question, foreign keys, odd forms: each is refused."""
    fed, session, answer = asked
    number = publish_result(session, answer.job, answer, note="Whole.")
    whole = entry(fed, number)["result"]
    before = fed.coordinator.desk.store.register.count()
    releases = whole["releases"]
    table = whole["tables"][0]
    wrong: list[tuple[dict[str, Any], type[FedstatsError]]] = [
        ({"releases": releases[:-1]}, RoundConflict),
        ({"releases": [{**releases[0], "sha256": "0" * 64}, *releases[1:]]}, RoundConflict),
        ({"releases": releases[::-1]}, RoundConflict),
        ({"query": "0" * 64}, NotFound),
        ({"replaces": 1}, NotFound),
        ({"disclosure": "acro"}, MessageInvalid),
        ({"note": "\x1b[2J"}, MessageInvalid),
        ({"more": 1}, MessageInvalid),
        ({"tables": [{**table, "columns": ["n"]}]}, MessageInvalid),
        ({"tables": [{**table, "derived": ["p-value"]}]}, MessageInvalid),
        (
            {
                "tables": [
                    {**table, "rows": [{"key": ["F"], "cells": [{"value": 1, "lo": "0", "hi": "2"}] * 2}]}
                ]
            },
            MessageInvalid,
        ),
    ]
    for change, error in wrong:
        with pytest.raises(error):
            send(session, canonical_json({**whole, **change}))
    with pytest.raises(RoundConflict):
        send(session, canonical_json({**whole, "note": "Mine."}), SigningKey.generate())
    for payload in (json.dumps(whole).encode(), b"[]", b"[" * 100_000, b"\xff"):
        with pytest.raises(MessageInvalid):
            send(session, payload)
    assert fed.coordinator.desk.store.register.count() == before


def test_no_count_passes_that_disclosure_control_withholds() -> None:
    """A profile is kept by the register too: small counts and such that are not rounded are refused."""

    def result(profile: str, value: str) -> bytes:
        return canonical_json(
            {
                "query": "0" * 64,
                "question": "",
                "note": "",
                "replaces": 0,
                "disclosure": profile,
                "guarantee": {"unit": "", "mechanism": "", "epsilon": "1", "delta": "0", "sentence": ""},
                "participants": [],
                "releases": [],
                "tables": [
                    {
                        "name": "",
                        "keys": [],
                        "columns": ["n", "mean"],
                        "counts": ["n"],
                        "derived": [],
                        "rows": [
                            {
                                "key": [],
                                "cells": [
                                    {"value": value, "lo": "0", "hi": "9"},
                                    {"absent": "suppressed", "sentence": ""},
                                ],
                            }
                        ],
                    }
                ],
            }
        )

    for profile, shown, withheld in (
        ("opensafely", "10", "5"),
        ("opensafely", "15", "12"),
        ("acro", "10", "9.5"),
    ):
        check_disclosure(result_from_json(result(profile, shown)))
        with pytest.raises(ValueInvalid):
            check_disclosure(result_from_json(result(profile, withheld)))
    check_disclosure(result_from_json(result("none", "3")))


def test_a_result_has_a_size() -> None:
    """The register is no place for a million cells."""
    with pytest.raises(ValueInvalid, match=f"{RESULT_BYTES_MAX:,}"):
        result_from_json(b" " * (RESULT_BYTES_MAX + 1))


def test_nothing_is_published_while_departments_may_still_answer(tmp_path: Path) -> None:
    """A result of those who were quick is none; and a question has ten at most, corrections included."""
    with federation(tmp_path) as fed, fed.session() as session:
        answer = session.query(SQL, epsilon=1, wait_s=600)
        number = publish_result(session, answer.job, answer)
        whole = entry(fed, number)["result"]
        fed.stop_node("west")
        with pytest.raises(FedstatsError):
            session.query("SELECT COUNT(*) AS n FROM rtt", epsilon=1, wait_s=5)
        (job,) = (job for job in session.jobs() if job.query_hash.hex() != whole["query"])
        with pytest.raises(RoundConflict, match="may still answer"):
            send(session, canonical_json({**whole, "query": job.query_hash.hex()}))
        for i in range(9):
            send(session, canonical_json({**whole, "note": f"Correction {i}."}))
        with pytest.raises(TooLarge, match="at most 10"):
            send(session, canonical_json({**whole, "note": "No end to it."}))
