"""Who is at the other end of a TLS connection: the role and name that a certificate carries.

They stand in one URI among the certificate's alternative names: `fedstats:node:gstt`,
`fedstats:analyst:j.smith`, `fedstats:controller:gstt`, `fedstats:auditor:ico`,
`fedstats:join:<token>`, and `fedstats:coordinator` for the server. A role opens methods of the wire; it gives
no authority over data, which only signed documents do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Self

from cryptography import x509

from fedstats.core.names import check_analyst, check_department
from fedstats.errors import CertificateProblem, ValueInvalid

URI_SCHEME = "fedstats"


class Role(Enum):
    """What a certificate opens; the values are what its URI says."""

    NODE = "node"
    ANALYST = "analyst"
    CONTROLLER = "controller"
    AUDITOR = "auditor"  # reads the register and what proves it, and nothing else
    JOIN = "join"  # the bootstrap certificate inside a token: good for joining, once
    COORDINATOR = "coordinator"


@dataclass(frozen=True, slots=True)
class Peer:
    """One end of a connection. `name` is the department, analyst or token; empty for the coordinator."""

    role: Role
    name: str
    serial: int = 0  # of the certificate; 0 where there is none, as inside one process

    def __post_init__(self) -> None:
        """Refuse a name that is not one of this role."""
        _NAME_RULES[self.role](self.name)

    @property
    def uri(self) -> str:
        """The text inside the certificate."""
        parts = (URI_SCHEME, self.role.value, self.name)
        return ":".join(part for part in parts if part)

    @classmethod
    def from_uri(cls, uri: str, *, serial: int = 0) -> Self:
        """Read the text inside a certificate.

        Raises
        ------
        CertificateProblem
            The text is not of that form.

        """
        scheme, _, rest = uri.partition(":")
        role, _, name = rest.partition(":")
        try:
            peer = cls(Role(role), name, serial)
        except (ValueError, ValueInvalid):
            peer = None
        if peer is None or scheme != URI_SCHEME or peer.uri != uri:
            raise CertificateProblem("A certificate names no role that fedstats knows.")
        return peer


def peer_of(certificate_der: bytes) -> Peer:
    """Read role, name and serial from a certificate whose chain TLS has already verified.

    Raises
    ------
    CertificateProblem
        It is not a certificate, is one of an authority, or does not carry exactly one fedstats URI.

    """
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise CertificateProblem("A certificate was not made by a fedstats coordinator.") from None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if authority or len(uris) != 1:
        raise CertificateProblem("A certificate does not say whose it is: it needs exactly one fedstats URI.")
    return Peer.from_uri(uris[0], serial=certificate.serial_number)


def _check_token_id(name: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{20}", name):
        raise ValueInvalid("A token is known by 20 hexadecimal digits.")
    return name


def check_auditor(name: str) -> str:
    """`name` if it may name an auditor: a person or an office, by the rules of an analyst's name."""
    return check_analyst(name, what="auditor")


def _check_nameless(name: str) -> str:
    if name:
        raise ValueInvalid("There is one coordinator, and its certificate carries no name.")
    return name


_NAME_RULES: Mapping[Role, Callable[[str], str]] = {
    Role.NODE: check_department,
    Role.ANALYST: check_analyst,
    Role.CONTROLLER: check_department,
    Role.AUDITOR: check_auditor,
    Role.JOIN: _check_token_id,
    Role.COORDINATOR: _check_nameless,
}
