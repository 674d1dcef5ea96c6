"""Join tokens: one line of text that lets a new node, analyst or controller join the federation, once.

    fedstats1.BASE64URL( field* || first 8 bytes of SHA-256(field*) ),   field = 2 bytes length || bytes

The fields are those of `Token` in their order. The certificate inside opens the `join` methods only and
expires with the token. The coordinator remembers the token's id (the name in that certificate), what it was
made for and whether it was used; it believes nothing else the token says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

from fedstats.errors import FedstatsError, TokenInvalid, ValueInvalid
from fedstats.identity.address import check_host, split_address
from fedstats.identity.certificates import Authority, check_issued, issue
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey

PREFIX = "fedstats1."
TOKEN_CHARACTERS_MAX = 8_192
TOKEN_LIFETIME = timedelta(days=7)
FIELDS = 8
LENGTH_BYTES = 2
CHECKSUM_BYTES = 8
TOKEN_ID_BYTES = 10
JOINING_ROLES = frozenset({Role.NODE, Role.ANALYST, Role.CONTROLLER, Role.AUDITOR})


@dataclass(frozen=True, slots=True)
class Token:
    """What somebody needs to join: where, whom to trust there, and a certificate that opens `join` once."""

    address: str  # host:port
    server_name: str  # the name in the server's certificate where it is not the address's host; else empty
    role: Role
    name: str
    expires_at: datetime  # UTC, whole seconds
    ca_certificate_der: bytes = field(repr=False)
    certificate_der: bytes = field(repr=False)
    private_key_der: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a token whose parts do not fit each other."""
        split_address(self.address)
        if self.server_name:
            check_host(self.server_name)
        if self.role not in JOINING_ROLES:
            raise ValueInvalid("A token is for a node, an analyst, a controller or an auditor.")
        Peer(self.role, self.name)
        if self.expires_at.tzinfo is None or self.expires_at.microsecond:
            raise ValueInvalid("A token expires at a whole second, in a time zone.")
        if self._bootstrap().role is not Role.JOIN:
            raise ValueInvalid("The certificate inside a token opens joining and nothing else.")

    @property
    def token_id(self) -> str:
        """What the coordinator knows the token by. Not secret."""
        return self._bootstrap().name

    @property
    def key(self) -> TlsKey:
        """The key of the bootstrap certificate."""
        return TlsKey.from_private_der(self.private_key_der)

    def check_valid(self, now: datetime) -> None:
        """Return if the token has not expired.

        Raises
        ------
        TokenInvalid
            It has.

        """
        if now >= self.expires_at:
            raise TokenInvalid(f"The token expired at {self.expires_at:%Y-%m-%d %H:%M} UTC.")

    def text(self) -> str:
        """Return the line of text that people pass on: a secret until it is used or expires."""
        body = b"".join(len(part).to_bytes(LENGTH_BYTES, "big") + part for part in self._fields())
        return PREFIX + base64.urlsafe_b64encode(body + _checksum(body)).decode("ascii").rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the line of text; spaces and line breaks from a mail program are ignored.

        Raises
        ------
        TokenInvalid
            The text is not a token, is incomplete or damaged, or its parts do not fit each other.

        """
        fields = _split(_body("".join(text.split())))
        try:
            address, server_name, role, name, expires = (part.decode("utf-8") for part in fields[:5])
            return cls(
                address=address,
                server_name=server_name,
                role=Role(role),
                name=name,
                expires_at=datetime.fromtimestamp(int(expires), UTC),
                ca_certificate_der=fields[5],
                certificate_der=fields[6],
                private_key_der=fields[7],
            )
        except (ValueError, OverflowError, OSError, FedstatsError):
            # The checksum was right, so nobody mistyped this: whoever made the token got it wrong.
            raise TokenInvalid("The token's contents cannot be used.") from None

    def _fields(self) -> tuple[bytes, ...]:
        return (
            self.address.encode(),
            self.server_name.encode(),
            self.role.value.encode(),
            self.name.encode(),
            str(int(self.expires_at.timestamp())).encode(),
            self.ca_certificate_der,
            self.certificate_der,
            self.private_key_der,
        )

    def _bootstrap(self) -> Peer:
        return check_issued(self.certificate_der, self.ca_certificate_der, self.key)


def make_token(
    authority: Authority,
    peer: Peer,
    *,
    address: str,
    server_name: str = "",
    now: datetime,
    lifetime: timedelta = TOKEN_LIFETIME,
) -> Token:
    """Make a token that lets `peer` join; the coordinator stores its `token_id` with that role and name.

    Raises
    ------
    ValueInvalid
        The address, the role or the server's name cannot be used.

    """
    key = TlsKey.generate()
    bootstrap = Peer(Role.JOIN, secrets.token_hex(TOKEN_ID_BYTES))
    return Token(
        address=address,
        server_name=server_name,
        role=peer.role,
        name=peer.name,
        expires_at=(now + lifetime).astimezone(UTC).replace(microsecond=0),
        ca_certificate_der=authority.certificate_der,
        certificate_der=issue(authority, key.request(), bootstrap, now=now, lifetime=lifetime),
        private_key_der=key.private_der(),
    )


def _body(text: str) -> bytes:
    """The bytes inside the text, once its checksum says that all of it arrived."""
    if not text.startswith(PREFIX):
        raise TokenInvalid(f"This is not a token: a token starts with {PREFIX}")
    encoded = text.removeprefix(PREFIX)
    if len(text) > TOKEN_CHARACTERS_MAX:
        raise TokenInvalid("This is too long for a token.")
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    body, checksum = raw[:-CHECKSUM_BYTES], raw[-CHECKSUM_BYTES:]
    if checksum != _checksum(body):
        raise TokenInvalid(
            "The token is incomplete or damaged: its checksum is wrong. Copy all of it.", remedy=""
        )
    return body


def _split(body: bytes) -> list[bytes]:
    """The fields of the body, exactly as many as a token has."""
    fields = []
    while body:
        length, rest = int.from_bytes(body[:LENGTH_BYTES], "big"), body[LENGTH_BYTES:]
        fields.append(rest[:length])
        if len(fields[-1]) != length:
            raise TokenInvalid("The token's contents cannot be used.")
        body = rest[length:]
    if len(fields) != FIELDS:
        raise TokenInvalid("The token's contents cannot be used.")
    return fields


def _checksum(body: bytes) -> bytes:
    """Finds truncated and mistyped text: against accidents. Against people there is the certificate."""
    return hashlib.sha256(PREFIX.encode() + body).digest()[:CHECKSUM_BYTES]
