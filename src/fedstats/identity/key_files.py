"""Private keys and certificates as files: PEM, complete or absent, never overwritten by chance; keys 0600.

A key with a passphrase is one line, `fedstats-key1.SALT.TOKEN`: Argon2id over the passphrase (RFC 9106,
second recommended option) makes the key of a Fernet token, which holds the PKCS #8 PEM. The passphrase
encryption of PKCS #8 itself is not used: it stretches with 2,048 rounds of PBKDF2, too few for a stolen file.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from fedstats.errors import CertificateProblem, FileProblem, ValueInvalid
from fedstats.identity.certificates import certificate_from_pem, certificate_to_pem
from fedstats.identity.durable_file import PRIVATE_MODE, PUBLIC_MODE, write_durably
from fedstats.identity.keys import SigningKey
from fedstats.identity.tls_key import TlsKey

FILE_BYTES_MAX = 16_384
SALT_BYTES = 16
LOCKED = b"fedstats-key1"
LOCKED_PARTS = 3

Key = TypeVar("Key")


def write_key(
    path: Path, key: SigningKey | TlsKey, *, passphrase: str | None = None, replace: bool = False
) -> None:
    """Write a private key that only its owner can read; with a passphrase, encrypted under it.

    Raises
    ------
    AlreadyExists
        The file is there already and `replace` was not asked for.
    ValueInvalid
        The passphrase is empty.
    FileProblem
        The folder cannot be written.

    """
    pem = key.private_pem()
    content = pem if passphrase is None else _lock(pem, passphrase)
    write_durably(path, content, mode=PRIVATE_MODE, replace=replace)


def read_signing_key(path: Path, *, passphrase: str | None = None) -> SigningKey:
    """Read an Ed25519 key; raises as `read_tls_key`, and if the file needs a passphrase."""
    return _read_key(path, SigningKey.from_private_pem, passphrase)


def read_tls_key(path: Path) -> TlsKey:
    """Read an ECDSA P-256 key.

    Raises
    ------
    FileProblem
        The file is missing, damaged, holds another kind of key, or can be read by other users.

    """
    return _read_key(path, TlsKey.from_private_pem, None)


def is_locked(path: Path) -> bool:
    """Whether the key in this file needs a passphrase; raises FileProblem as `read_tls_key`."""
    return _read(path, private=True).startswith(LOCKED + b".")


def write_certificate(path: Path, certificate_der: bytes, *, replace: bool = False) -> None:
    """Write a certificate as PEM; raises AlreadyExists, FileProblem as `write_key`."""
    write_durably(path, certificate_to_pem(certificate_der), mode=PUBLIC_MODE, replace=replace)


def read_certificate(path: Path) -> bytes:
    """Read a PEM certificate as DER; raises FileProblem if it is missing or damaged."""
    try:
        return certificate_from_pem(_read(path, private=False))
    except CertificateProblem as problem:
        raise FileProblem(f"{path}: {problem.sentence}") from None


def read_secret(path: Path) -> bytes:
    """Read a small file that only its owner may be able to read; raises FileProblem as `read_tls_key`."""
    return _read(path, private=True, what="is secret, and other users can read it")


def _read_key(path: Path, parse: Callable[[bytes], Key], passphrase: str | None) -> Key:
    content = _read(path, private=True)
    try:
        return parse(_unlock(path, content, passphrase) if content.startswith(LOCKED + b".") else content)
    except ValueInvalid as problem:
        raise FileProblem(f"{path}: {problem.sentence}") from None


def _lock(pem: bytes, passphrase: str) -> bytes:
    if not passphrase:
        raise ValueInvalid("The passphrase is empty.")
    salt = secrets.token_bytes(SALT_BYTES)
    token = Fernet(_stretch(passphrase, salt)).encrypt(pem)
    return b".".join((LOCKED, base64.urlsafe_b64encode(salt), token)) + b"\n"


def _unlock(path: Path, content: bytes, passphrase: str | None) -> bytes:
    if passphrase is None:
        raise FileProblem(f"{path} is protected by a passphrase.", remedy="Give the passphrase.")
    try:
        _, salt, token = content.strip().split(b".", maxsplit=LOCKED_PARTS - 1)
        return Fernet(_stretch(passphrase, base64.urlsafe_b64decode(salt))).decrypt(token)
    except (ValueError, InvalidToken):
        raise FileProblem(f"The passphrase does not open {path}, or the file is damaged.") from None


def _stretch(passphrase: str, salt: bytes) -> bytes:
    """Argon2id with t = 3, p = 4, m = 64 MiB (RFC 9106, section 4); each file has its own salt."""
    kdf = Argon2id(salt=salt, length=32, iterations=3, lanes=4, memory_cost=64 * 1024)
    return base64.urlsafe_b64encode(kdf.derive(passphrase.encode("utf-8")))


def _read(path: Path, *, private: bool, what: str = "is a private key that other users can read") -> bytes:
    """Read a small file; a private one only if nobody else can (asks the open file, not its path)."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if private and os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise FileProblem(f"{path} {what}.", remedy=f"Type: chmod 600 {path}")
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as problem:
        raise FileProblem(f"{path} cannot be read: {problem.strerror}.") from None
    if len(content) > FILE_BYTES_MAX:
        raise FileProblem(f"{path} is too large for a key or a certificate.")
    return content
