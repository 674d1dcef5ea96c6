"""The ECDSA P-256 keys behind TLS certificates. They open connections and sign no document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from fedstats.errors import ValueInvalid


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TlsKey:
    """An ECDSA P-256 private key. Its repr shows nothing."""

    private: ec.EllipticCurvePrivateKey

    def __post_init__(self) -> None:
        """Refuse every other kind of key and every other curve."""
        kind: object = self.private  # files and tokens bring keys of any kind
        if not isinstance(kind, ec.EllipticCurvePrivateKey) or not isinstance(kind.curve, ec.SECP256R1):
            raise ValueInvalid("This private key is not an ECDSA P-256 key: it cannot open TLS connections.")

    @classmethod
    def generate(cls) -> Self:
        """Make a new key from the operating system's randomness."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

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
        return cls(private)  # type: ignore[arg-type] # the door above refuses the other kinds

    @classmethod
    def from_private_der(cls, der: bytes) -> Self:
        """Read an unencrypted PKCS #8 DER; raises as `from_private_pem`."""
        try:
            private = load_der_private_key(der, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueInvalid("These bytes are not a private key in DER form.") from None
        return cls(private)  # type: ignore[arg-type] # the door above refuses the other kinds

    def __repr__(self) -> str:
        """Show nothing of the secret."""
        return "TlsKey(...)"

    @property
    def public(self) -> ec.EllipticCurvePublicKey:
        """The public key."""
        return self.private.public_key()

    def private_pem(self) -> bytes:
        """Return the secret itself, as unencrypted PKCS #8 PEM: for `key_files` and the TLS library."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def private_der(self) -> bytes:
        """Return the secret itself, as unencrypted PKCS #8 DER: for `token`."""
        return self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def request(self) -> bytes:
        """Make a PKCS #10 certificate request in DER.

        It proves that whoever asks holds the private key and says nothing else: role and name come from the
        token, or from the certificate that is being renewed.
        """
        builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([]))
        return builder.sign(self.private, hashes.SHA256()).public_bytes(Encoding.DER)
