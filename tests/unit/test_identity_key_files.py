"""Private keys and certificates as files."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fedstats.errors import AlreadyExists, FileProblem, ValueInvalid
from fedstats.identity.certificates import make_authority
from fedstats.identity.key_files import (
    is_locked,
    read_certificate,
    read_signing_key,
    read_tls_key,
    write_certificate,
    write_key,
)
from fedstats.identity.keys import SigningKey
from fedstats.identity.tls_key import TlsKey

KEY = SigningKey.from_seed(b"\x01" * 32)
PASSPHRASE = "correct horse battery staple"  # noqa: S105 # protects nothing but the keys of these tests


def test_a_key_comes_back_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """A written key is the key that is read, its file has mode 0600, and nothing else lies beside it."""
    path = tmp_path / "signing.key"
    old_mask = os.umask(0)  # the mode must not depend on the umask
    try:
        write_key(path, KEY)
    finally:
        os.umask(old_mask)
    assert read_signing_key(path).public == KEY.public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_is_never_overwritten_by_chance(tmp_path: Path) -> None:
    """A second `init` does not destroy a key; only an explicit replacement does."""
    path = tmp_path / "signing.key"
    write_key(path, KEY)
    other = SigningKey.from_seed(b"\x02" * 32)
    with pytest.raises(AlreadyExists):
        write_key(path, other)
    assert read_signing_key(path).public == KEY.public
    write_key(path, other, replace=True)
    assert read_signing_key(path).public == other.public
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """A key file open to group or others is refused, with the command that closes it."""
    path = tmp_path / "signing.key"
    write_key(path, KEY)
    path.chmod(mode)
    with pytest.raises(FileProblem, match="other users") as problem:
        read_signing_key(path)
    assert f"chmod 600 {path}" in str(problem.value)


def test_a_passphrase_protects_the_file(tmp_path: Path) -> None:
    """With a passphrase the secret is not in the file, and only that passphrase opens it."""
    path, plain = tmp_path / "controller.key", tmp_path / "plain.key"
    write_key(path, KEY, passphrase=PASSPHRASE)
    write_key(plain, KEY)
    assert (is_locked(path), is_locked(plain)) == (True, False)
    assert KEY._private.private_bytes_raw() not in path.read_bytes()
    assert b"PRIVATE KEY" not in path.read_bytes()
    assert read_signing_key(path, passphrase=PASSPHRASE).public == KEY.public
    with pytest.raises(FileProblem, match="protected by a passphrase"):
        read_signing_key(path)
    with pytest.raises(FileProblem, match="does not open"):
        read_signing_key(path, passphrase=PASSPHRASE + "!")


def test_each_locked_file_has_its_own_salt(tmp_path: Path) -> None:
    """Two files under one passphrase share nothing that a guess could be tried on twice at once."""
    for name in ("a", "b"):
        write_key(tmp_path / name, KEY, passphrase=PASSPHRASE)
    salts = {(tmp_path / name).read_bytes().split(b".")[1] for name in ("a", "b")}
    assert len(salts) == 2


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    """Pressing return at the prompt does not write a key that looks protected."""
    with pytest.raises(ValueInvalid, match="empty"):
        write_key(tmp_path / "controller.key", KEY, passphrase="")


@pytest.mark.parametrize(
    "content", [b"", b"rubbish", b"fedstats-key1.x", b"fedstats-key1.!!.x", b"x" * 20_000]
)
def test_damaged_files_get_a_sentence(tmp_path: Path, content: bytes) -> None:
    """A damaged, empty or huge file is a typed error that names the file, with no content of it."""
    path = tmp_path / "signing.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(FileProblem, match=r"signing\.key"):
        read_signing_key(path, passphrase=PASSPHRASE)


def test_missing_files_and_folders_get_a_sentence(tmp_path: Path) -> None:
    """A missing file or folder is a typed error that says which."""
    with pytest.raises(FileProblem, match=r"absent\.key cannot be read"):
        read_signing_key(tmp_path / "absent.key")
    with pytest.raises(FileProblem, match="cannot be written"):
        write_key(tmp_path / "absent" / "signing.key", KEY)


def test_keys_of_the_two_kinds_are_not_confused(tmp_path: Path) -> None:
    """A TLS key does not become a signing key, nor the other way round."""
    signing, tls = tmp_path / "signing.key", tmp_path / "tls.key"
    tls_key = TlsKey.generate()
    write_key(signing, KEY)
    write_key(tls, tls_key)
    assert read_tls_key(tls).public == tls_key.public
    with pytest.raises(FileProblem, match="Ed25519"):
        read_signing_key(tls)
    with pytest.raises(FileProblem, match="P-256"):
        read_tls_key(signing)


def test_certificates_are_public_files(tmp_path: Path) -> None:
    """A certificate comes back as it was written, from a file that everybody may read."""
    certificate = make_authority("Waiting times", now=datetime(2026, 1, 1, tzinfo=UTC)).certificate_der
    path = tmp_path / "ca.crt"
    write_certificate(path, certificate)
    assert read_certificate(path) == certificate
    path.chmod(0o644)
    assert read_certificate(path) == certificate
    path.write_bytes(b"rubbish")
    with pytest.raises(FileProblem, match="PEM"):
        read_certificate(path)
