r"""Ed25519 signing keys and signed bytes: the authority behind queries, rounds, releases, agreements.

A signature covers `b"fedstats/v1/" + context + b"\0" + payload`. The context says what kind of document was
signed, so that a signature made for one kind never counts for another (a round shown as a query, say). No
context holds a zero byte, so no two pairs of context and payload give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from fedstats.errors import SignatureInvalid, ValueInvalid

PUBLIC_KEY_BYTES = 32
SEED_BYTES = 32
SIGNATURE_BYTES = 64
FINGERPRINT_BYTES = 20  # 160 bits: out of reach of a search for a second key with the same fingerprint
FINGERPRINT_GROUP = 4


class Context(Enum):
    """Every kind of document that is ever signed. Closed: a new kind is a new line here."""

    QUERY = "query"
    ROUND = "round"
    PROCEEDING = "proceeding"
    RELEASE = "release"
    REFUSAL = "refusal"
    AGREEMENT = "agreement"
    APPOINTMENT = "appointment"
    REVOCATION = "revocation"
    ACCEPTANCE = "acceptance"
    APPROVAL = "approval"
    WITNESS = "witness"
    LOG_HEAD = "head"
    COSIGNATURE = "cosignature"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key: 32 raw bytes (RFC 8032).

    Points of small order are not refused: whoever chooses such a key gives it away, as if by publishing the
    private one, and nobody accepts a key without comparing its fingerprint.
    """

    raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse anything but 32 bytes."""
        if len(self.raw) != PUBLIC_KEY_BYTES:
            raise ValueInvalid(f"A public key has {PUBLIC_KEY_BYTES} bytes, this one has {len(self.raw)}.")

    def __repr__(self) -> str:
        """Show the fingerprint, which is what people compare."""
        return f"PublicKey({self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """The text two people read to each other: 20 bytes of SHA-256, base32, in groups of 4."""
        digest = hashlib.sha256(self.raw).digest()[:FINGERPRINT_BYTES]
        text = base64.b32encode(digest).decode("ascii").lower()  # 20 bytes are 32 letters, so no padding
        return "-".join(text[i : i + FINGERPRINT_GROUP] for i in range(0, len(text), FINGERPRINT_GROUP))

    def has_fingerprint(self, typed: str) -> bool:
        """Whether the whole fingerprint is what somebody typed, whatever the case, spaces and dashes."""
        return _letters(typed) == _letters(self.fingerprint)

    def verify(self, context: Context, payload: bytes, signature: bytes) -> None:
        """Return if this key signed this payload in this context.

        Raises
        ------
        SignatureInvalid
            It did not.

        """
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, _signed_bytes(context, payload))
        except InvalidSignature:
            raise SignatureInvalid(
                f"The signature of this {context.value} is not one by the key {self.fingerprint}."
            ) from None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SigningKey:
    """An Ed25519 private key. Its repr shows the fingerprint of the public one and nothing else."""

    _private: Ed25519PrivateKey

    @classmethod
    def generate(cls) -> Self:
        """Make a new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Make the key of a 32-byte seed (RFC 8032, section 5.1.5): for simulations that must repeat.

        Raises
        ------
        ValueInvalid
            The seed has another length.

        """
        if len(seed) != SEED_BYTES:
            raise ValueInvalid(f"A seed has {SEED_BYTES} bytes, this one has {len(seed)}.")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_private_pem(cls, pem: bytes) -> Self:
        """Read an unencrypted PKCS #8 PEM.

        Raises
        ------
        ValueInvalid
            The bytes are no such PEM, or the key is of another kind.

        """
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueInvalid("These bytes are not a private key in PEM form.") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueInvalid("This private key is not an Ed25519 key: it cannot sign documents.")
        return cls(private)

    def __repr__(self) -> str:
        """Show the fingerprint of the public key."""
        return f"SigningKey({self.public.fingerprint})"

    @property
    def public(self) -> PublicKey:
        """The public key."""
        return PublicKey(self._private.public_key().public_bytes_raw())

    def private_pem(self) -> bytes:
        """Return the secret itself, as unencrypted PKCS #8 PEM: for `key_files` only."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, context: Context, payload: bytes) -> bytes:
        """Sign the payload as this kind of document: 64 bytes, always the same (RFC 8032)."""
        return self._private.sign(_signed_bytes(context, payload))


@dataclass(frozen=True, slots=True)
class Signed:
    """Bytes with the key that says it signed them. Nothing is verified until `verify`."""

    payload: bytes = field(repr=False)
    key: PublicKey
    signature: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a signature that is not 64 bytes."""
        if len(self.signature) != SIGNATURE_BYTES:
            raise SignatureInvalid(
                f"A signature has {SIGNATURE_BYTES} bytes, this one has {len(self.signature)}."
            )

    @classmethod
    def make(cls, context: Context, payload: bytes, key: SigningKey) -> Self:
        """Sign the payload as this kind of document."""
        return cls(payload=payload, key=key.public, signature=key.sign(context, payload))

    def verify(self, context: Context) -> bytes:
        """Return the payload if `key` signed it in this context; the caller asks whether that key may.

        Raises
        ------
        SignatureInvalid
            It did not.

        """
        self.key.verify(context, self.payload, self.signature)
        return self.payload


def _signed_bytes(context: Context, payload: bytes) -> bytes:
    """Domain separation: what is signed says what kind of document it is."""
    return b"fedstats/v1/" + context.value.encode("ascii") + b"\0" + payload


def _letters(fingerprint: str) -> str:
    """Reduce a fingerprint to its letters and digits."""
    return "".join(fingerprint.lower().replace("-", " ").split())
