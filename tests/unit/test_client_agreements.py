"""Agreements and controllers: what people write, read and sign, and what an offline machine hands over."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from analyst_world import analyst_world
from coordinator_world import CONTROLLERS, DOCUMENT, acceptance, agreement_signatures
from samples import DEPARTMENTS, NOW_S, TODAY, sample_agreement, seed_key

from fedstats.client.agreement_file import (
    SignedFile,
    read_agreement,
    read_signed,
    template,
    write_signed,
)
from fedstats.client.agreement_words import summary
from fedstats.client.authority import authority_of
from fedstats.client.controller import (
    appoint,
    make_key,
    needs_passphrase,
    parse_key,
    read_key,
    revoke,
    sign_agreement,
)
from fedstats.client.home import Home
from fedstats.client.publishing import publish
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.appointment import AppointedRole
from fedstats.errors import (
    AgreementInvalid,
    AlreadyExists,
    AppointmentInvalid,
    FileProblem,
    KeyUnknown,
    NameUnknown,
    ValueInvalid,
)
from fedstats.identity.keys import Context, Signed
from fedstats.testing.transport import SimulatedNetwork
from fedstats.wire import codec
from fedstats.wire.v1 import agreements_pb2, signed_pb2

NORTH = seed_key("controller north")


def filled_in() -> str:
    """The template as somebody fills it in."""
    answers = {
        'id = "FILL IN[^"]*"': 'id = "RTT-2026"',
        'code = "FILL IN[^"]*"': 'code = "waiting-times"',
        r'analysts = \["FILL IN[^\]]*\]': 'analysts = ["a.smith@north", "*@south"]',
        'department = "FILL IN[^"]*-a"': 'department = "north"',
        'department = "FILL IN[^"]*-b"': 'department = "south"',
        'name = "FILL IN[^"]*"': 'name = "rtt"',
    }
    text = template()
    for pattern, answer in answers.items():
        text = re.sub(pattern, answer, text)
    for name in ("north", "south"):
        key = seed_key(f"controller {name}").public.raw.hex()
        text = re.sub('key = "FILL IN[^"]*"', f'key = "{key}"', text, count=1)
    return re.sub("FILL IN:? ?", "", text)


def test_the_template_is_an_agreement_once_it_is_filled_in(tmp_path: Path) -> None:
    """Filling in what it asks for is enough: nothing in it is wrong, and nothing is left to guess."""
    path = tmp_path / "agreement.toml"
    path.write_text(filled_in())
    agreement, document = read_agreement(path)
    assert agreement.departments == ("north", "south")
    assert document == canonical_json(document_of(agreement))
    assert not [line for _, lines in summary(agreement) for line in lines if "FILL" in line]


def test_a_template_that_is_not_filled_in_is_refused(tmp_path: Path) -> None:
    """Forgotten lines are counted and the first is named."""
    path = tmp_path / "agreement.toml"
    path.write_text(template())
    with pytest.raises(AgreementInvalid, match="the first is line"):
        read_agreement(path)


@pytest.mark.parametrize(
    "old,new,says",
    [
        ("rows_max = 4", "rows_max = 0", "rows_max"),
        ("max_departments = 2", "", "privacy.max_departments is missing"),
        ("partial = true", "partial = true\npartially = 1", "partially"),
        ('epsilon = "8"', "epsilon = 8.0", "in quotes"),
        ("[privacy]", "[privacy", "not TOML"),
    ],
)
def test_what_is_wrong_is_said_where(tmp_path: Path, old: str, new: str, says: str) -> None:
    """Each mistake is one sentence that names the file and its place in it."""
    path = tmp_path / "agreement.toml"
    path.write_text(filled_in().replace(old, new, 1))
    with pytest.raises(AgreementInvalid, match=re.escape(says)) as caught:
        read_agreement(path)
    assert str(path) in caught.value.sentence


def test_a_file_that_is_no_agreement_is_said_so(tmp_path: Path) -> None:
    """Missing, binary and endless files give one sentence, too."""
    with pytest.raises(FileProblem, match="cannot be read"):
        read_agreement(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AgreementInvalid, match="not TOML"):
        read_agreement(tmp_path / "binary.toml")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 50_000)
    with pytest.raises(AgreementInvalid, match="is not TOML"):
        read_agreement(tmp_path / "deep.toml")
    (tmp_path / "endless.toml").write_bytes(b"#" * 3_000_000)
    with pytest.raises(FileProblem, match="too large"):
        read_agreement(tmp_path / "endless.toml")


def test_the_summary_says_what_the_budget_means() -> None:
    """Epsilon is explained as what it does to a belief, and every controller's fingerprint is there."""
    text = " ".join(line for _, lines in summary(sample_agreement()) for line in lines)
    assert "from 50 % to at most nearly 100 % because of all answers" in text
    assert "a belief of 50 % to at most 90.8 %, with the same exception" in text
    assert "8.3 % of the budget" in text
    assert "never for: No insurance." in text
    assert seed_key("controller west").public.fingerprint in text
    assert "sex: F, M - as recorded" in text
    assert "postcode_area: LS, M; only as filter" in text


def test_a_signed_document_travels_in_a_file(tmp_path: Path) -> None:
    """What an offline machine signed is read back whole; a changed one is refused."""
    path = tmp_path / "signed.json"
    signed = sign_agreement(NORTH, "north", sample_agreement(), DOCUMENT)
    write_signed(path, SignedFile("agreement", signed))
    assert read_signed(path) == SignedFile("agreement", signed)
    with pytest.raises(AlreadyExists):
        write_signed(path, SignedFile("agreement", signed))
    document = json.loads(path.read_text())
    for field, value in (
        ("signature", "00" * 64),
        ("fedstats", "appointment"),
        ("payload", "e30="),
        ("key", "x"),
    ):
        path.write_text(json.dumps({**document, field: value}))
        with pytest.raises(FileProblem, match="was changed"):
            read_signed(path)


def test_a_controller_signs_only_what_names_its_key() -> None:
    """An agreement that names another key, or another department's, is not signed by mistake."""
    signed = sign_agreement(NORTH, "north", sample_agreement(), DOCUMENT)
    assert signed.verify(Context.AGREEMENT) == DOCUMENT
    with pytest.raises(KeyUnknown, match="another key for south"):
        sign_agreement(NORTH, "south", sample_agreement(), DOCUMENT)
    with pytest.raises(KeyUnknown, match="no controller for east"):
        sign_agreement(NORTH, "east", sample_agreement(), DOCUMENT)


def test_a_controllers_key_is_made_once_and_needs_its_passphrase(tmp_path: Path) -> None:
    """The key is never overwritten, opens with its passphrase only, and is trusted at its own home."""
    home = Home.at(tmp_path)
    key = make_key(home, "north", passphrase="correct horse")  # noqa: S106 # a test's passphrase
    assert home.trust.is_trusted("north", key)
    assert needs_passphrase(home)
    assert read_key(home, passphrase="correct horse").public == key  # noqa: S106 # a test's passphrase
    with pytest.raises(FileProblem, match="does not open"):
        read_key(home, passphrase="wrong")  # noqa: S106 # a test's passphrase
    with pytest.raises(AlreadyExists):
        make_key(home, "north", passphrase=None)
    with pytest.raises(FileProblem, match="no controller's key"):
        read_key(Home.at(tmp_path / "other"))


def test_an_appointment_ends_with_its_last_day() -> None:
    """It holds through the last day (UTC), and a day in the past or far ahead is refused."""
    analyst = seed_key("a.smith").public
    signed = appoint(
        NORTH, "north", AppointedRole.ANALYST, "a.smith", analyst, until=date(2026, 6, 30), now_s=NOW_S
    )
    appointment = codec.decode_appointment(signed.verify(Context.APPOINTMENT))
    assert (appointment.department, appointment.name, appointment.from_s) == ("north", "a.smith", NOW_S)
    assert datetime.fromtimestamp(appointment.until_s, UTC) == datetime(2026, 7, 1, tzinfo=UTC)
    for until in (date(2026, 5, 31), date(2046, 1, 1)):
        with pytest.raises(AppointmentInvalid, match="within ten years"):
            appoint(NORTH, "north", AppointedRole.ANALYST, "a.smith", analyst, until=until, now_s=NOW_S)
    with pytest.raises(AppointmentInvalid, match="own key"):
        appoint(NORTH, "north", AppointedRole.NODE, "north", NORTH.public, until=TODAY, now_s=NOW_S)


def test_keys_are_read_as_join_prints_them() -> None:
    """64 digits are a key; a fingerprint is not, and the error says what is."""
    key = seed_key("a.smith").public
    assert parse_key(f" {key.raw.hex().upper()}\n") == key
    for text in (key.fingerprint, "abc", ""):
        with pytest.raises(ValueInvalid, match="64 digits"):
            parse_key(text)


def test_published_documents_reach_everybody_and_count(tmp_path: Path) -> None:
    """Signatures, appointments, revocations: sent once or twice, they are relayed and verified by readers."""
    world = analyst_world(tmp_path)
    north, south, west = (
        SimulatedNetwork(lambda: world.world.coordinator, CONTROLLERS[name]) for name in DEPARTMENTS
    )
    newer = sample_agreement(version=2)
    document = canonical_json(document_of(newer))
    files = [SignedFile("agreement", signed) for signed in agreement_signatures(document)]
    for network, file in zip((north, south, west, north), (*files, files[0]), strict=True):
        publish(network, file)
    publish(north, SignedFile("revocation", revoke(NORTH, "north", NORTH.public, reason="gone", now_s=NOW_S)))
    key = seed_key("b.jones").public
    publish(
        north,
        SignedFile(
            "appointment",
            appoint(NORTH, "north", AppointedRole.ANALYST, "b.jones", key, until=TODAY, now_s=NOW_S),
        ),
    )
    with world.session() as session:
        authority = session.authority()
    newest = authority.versions("RTT-2026")[0]
    assert (newest.agreement.version, newest.unsigned) == (2, ())
    assert len(authority.appointments) == 5
    assert len(authority.revocations) == 1
    with pytest.raises(NameUnknown, match="RTT-2026"):
        authority.versions("RTT")


def test_acceptances_count_by_their_newest_word_and_the_nodes_key(tmp_path: Path) -> None:
    """A department has accepted once its node says so, until it withdraws; strangers' words count nothing."""
    world = analyst_world(tmp_path)
    reply = agreements_pb2.AuthorityReply()
    with world.session() as session:
        authority = session.authority()
    reply.appointments.extend(codec.signed_to(signed) for signed in authority.appointments)
    forged = Signed.make(Context.ACCEPTANCE, acceptance("west", 9).payload, seed_key("stranger"))
    said = [
        acceptance("south", 20, withdrawn=True),
        acceptance("north", 10),
        acceptance("south", 10),
        forged,
    ]
    record = agreements_pb2.AgreementRecord(
        document=DOCUMENT, acceptances=[codec.signed_to(signed) for signed in said]
    )
    record.signatures.add(key=NORTH.public.raw, signature=NORTH.sign(Context.AGREEMENT, DOCUMENT))
    record.signatures.append(signed_pb2.Signed(key=b"short"))
    reply.agreements.append(record)
    found = authority_of(reply)
    assert found.accepted_by(found.records[0]) == ("north",)
    assert found.records[0].unsigned == ("south", "west")


def test_what_stops_wins_at_one_second(tmp_path: Path) -> None:
    """Of an acceptance and a withdrawal of one second the withdrawal counts, whichever is relayed first."""
    world = analyst_world(tmp_path)
    with world.session() as session:
        authority = session.authority()
    said = [acceptance("south", 30), acceptance("south", 30, withdrawn=True), acceptance("north", 30)]
    for order in (said, said[::-1]):
        record = replace(authority.records[0], acceptances=tuple(order))
        assert authority.accepted_by(record) == ("north",)
