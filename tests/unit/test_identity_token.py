"""Join tokens."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedstats.errors import CertificateProblem, TokenInvalid, ValueInvalid
from fedstats.identity.certificates import issue, make_authority, validity_of
from fedstats.identity.peer import Peer, Role, peer_of
from fedstats.identity.tls_key import TlsKey
from fedstats.identity.token import PREFIX, Token, make_token

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
AUTHORITY = make_authority("Waiting times", now=NOW)
TOKEN = make_token(AUTHORITY, Peer(Role.NODE, "gstt"), address="stats.example.gov.uk:443", now=NOW)
TEXT = TOKEN.text()


def _with_checksum(body: bytes) -> str:
    checksum = hashlib.sha256(PREFIX.encode() + body).digest()[:8]
    return PREFIX + base64.urlsafe_b64encode(body + checksum).decode()


def test_a_token_comes_back_from_its_text() -> None:
    """The line of text holds the whole token and stays short enough for a terminal and a mail."""
    assert Token.parse(TEXT) == TOKEN
    assert len(TEXT) < 2_000


def test_line_breaks_of_a_mail_program_do_not_matter() -> None:
    """A token that was wrapped or indented on the way still works."""
    wrapped = "\n> ".join(TEXT[i : i + 72] for i in range(0, len(TEXT), 72)).replace("> ", "  ")
    assert Token.parse(f"  {wrapped}\n") == TOKEN


@given(st.integers(min_value=0, max_value=len(TEXT) - 1))
def test_any_truncated_paste_is_noticed(length: int) -> None:
    """However much of the end is missing, the error says that it is incomplete, or is no token at all."""
    with pytest.raises(TokenInvalid, match=r"incomplete|not a token"):
        Token.parse(TEXT[:length])


@given(st.integers(min_value=len(PREFIX), max_value=len(TEXT) - 2), st.sampled_from("Aa0-_z"))
def test_any_mistyped_letter_is_noticed(position: int, letter: str) -> None:
    """One wrong letter and the token is refused before anything is done with it."""
    if TEXT[position] == letter:
        return
    with pytest.raises(TokenInvalid, match="checksum"):
        Token.parse(TEXT[:position] + letter + TEXT[position + 1 :])


@given(st.binary(max_size=300))
def test_rubbish_under_a_right_checksum_is_refused(body: bytes) -> None:
    """Whatever bytes somebody wraps, parsing ends in a token or in the one typed error."""
    with pytest.raises(TokenInvalid):
        Token.parse(_with_checksum(body))


@pytest.mark.parametrize("text", ["", "hello", "fedstats2.abc", PREFIX, PREFIX + "é", PREFIX + "A" * 10_000])
def test_other_texts_are_refused(text: str) -> None:
    """What is not a token, or far too long for one, is refused with a sentence."""
    with pytest.raises(TokenInvalid):
        Token.parse(text)


def test_the_secret_stays_out_of_text() -> None:
    """The repr shows where and whom, and none of the three blobs."""
    shown = repr(TOKEN)
    assert "gstt" in shown
    assert "der" not in shown
    assert repr(TOKEN.private_key_der) not in shown


def test_the_certificate_inside_opens_joining_only() -> None:
    """The bootstrap certificate has the role `join`, the token's id as name, and dies with the token."""
    peer = peer_of(TOKEN.certificate_der)
    assert (peer.role, peer.name) == (Role.JOIN, TOKEN.token_id)
    assert validity_of(TOKEN.certificate_der).not_after == TOKEN.expires_at
    other = make_token(AUTHORITY, Peer(Role.NODE, "gstt"), address="stats.example.gov.uk:443", now=NOW)
    assert other.token_id != TOKEN.token_id


def test_a_token_never_carries_more_than_joining() -> None:
    """A full certificate, or one of another key, cannot be put into a token."""
    key = TlsKey.generate()
    full = issue(AUTHORITY, key.request(), Peer(Role.NODE, "gstt"), now=NOW)
    with pytest.raises(ValueInvalid, match="nothing else"):
        dataclasses.replace(TOKEN, certificate_der=full, private_key_der=key.private_der())
    with pytest.raises(CertificateProblem):
        dataclasses.replace(TOKEN, private_key_der=key.private_der())


@pytest.mark.parametrize("role", [Role.JOIN, Role.COORDINATOR])
def test_nobody_joins_as_coordinator(role: Role) -> None:
    """Tokens exist for nodes, analysts and controllers."""
    peer = Peer(role, "" if role is Role.COORDINATOR else "0a" * 10)
    with pytest.raises(ValueInvalid):
        make_token(AUTHORITY, peer, address="stats.example.gov.uk:443", now=NOW)


def test_a_token_expires() -> None:
    """A token is good until its hour and not after it."""
    TOKEN.check_valid(TOKEN.expires_at - timedelta(seconds=1))
    with pytest.raises(TokenInvalid, match="expired at 2026-01-09 03:04"):
        TOKEN.check_valid(TOKEN.expires_at)
