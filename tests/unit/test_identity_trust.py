"""Trusted fingerprints."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedstats.errors import AlreadyExists, FileProblem, ValueInvalid
from fedstats.identity.keys import SigningKey
from fedstats.identity.trust import TrustStore

KEY = SigningKey.from_seed(b"\x01" * 32).public
OTHER = SigningKey.from_seed(b"\x02" * 32).public


def test_only_a_compared_key_is_trusted(tmp_path: Path) -> None:
    """A key counts for the department it was compared for, in every process that reads the file."""
    path = tmp_path / "trust.json"
    store = TrustStore(path)
    assert not store.is_trusted("gstt", KEY)
    store.trust("gstt", KEY.fingerprint)
    again = TrustStore(path)
    assert again.is_trusted("gstt", KEY)
    assert not again.is_trusted("gstt", OTHER)
    assert not again.is_trusted("uclh", KEY)
    assert again.all() == {"gstt": KEY.fingerprint}


def test_a_fingerprint_is_read_as_people_type_it(tmp_path: Path) -> None:
    """Case, spaces and dashes do not matter; a part of a fingerprint is refused."""
    store = TrustStore(tmp_path / "trust.json")
    store.trust("gstt", KEY.fingerprint.upper().replace("-", "  "))
    assert store.is_trusted("gstt", KEY)
    for typed in ("", KEY.fingerprint[:-1], KEY.fingerprint[:4], KEY.fingerprint + "a", "0" * 32):
        with pytest.raises(ValueInvalid):
            store.trust("gstt", typed)


def test_trust_moves_to_another_key_only_on_purpose(tmp_path: Path) -> None:
    """A second key does not displace the first by chance."""
    store = TrustStore(tmp_path / "trust.json")
    store.trust("gstt", KEY.fingerprint)
    store.trust("gstt", KEY.fingerprint)
    with pytest.raises(AlreadyExists):
        store.trust("gstt", OTHER.fingerprint)
    assert store.is_trusted("gstt", KEY)
    store.trust("gstt", OTHER.fingerprint, replace=True)
    assert store.is_trusted("gstt", OTHER)
    assert not store.is_trusted("gstt", KEY)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"gstt": "abcd"}', b'{"a/b": 1}', b"\xff", b"[" * 9999]
)
def test_a_damaged_file_trusts_nobody(tmp_path: Path, content: bytes) -> None:
    """A damaged file is an error that somebody must look at, and never an empty or partial list."""
    path = tmp_path / "trust.json"
    path.write_bytes(content)
    with pytest.raises(FileProblem):
        TrustStore(path).is_trusted("gstt", KEY)
    with pytest.raises(FileProblem):
        TrustStore(path).trust("gstt", KEY.fingerprint)
