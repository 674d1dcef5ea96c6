"""Who joined, who is invited, and what the nodes hold. Each method that writes is one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fedstats.coordinator.register import PAUSED, RESUMED, pause_entry
from fedstats.coordinator.store_file import StoreFile
from fedstats.coordinator.store_register import append
from fedstats.errors import AlreadyExists, NotFound, TokenInvalid
from fedstats.identity.peer import Peer, Role
from fedstats.identity.token import Token
from fedstats.journal.security import MEMBER_REMOVED, said_of

CERTIFICATES_EACH_MAX = 20
"""Of one member at once: renewing ends the oldest beyond that, so that nobody fills the store by renewing."""
PAUSE_TOLD_EVERY_S = 60
"""The register keeps every entry, so a node that pauses to and fro is told of once a minute at most."""


@dataclass(frozen=True, slots=True, order=True)
class Holding:
    """An edition of a dataset that a node says it holds, under an agreement."""

    agreement: str
    agreement_version: int
    dataset: str
    edition: str


@dataclass(frozen=True, slots=True)
class Member:
    """A node, an analyst or a controller that has joined. Times are seconds since 1970, 0 for never."""

    role: Role
    name: str
    signing_key: bytes
    joined_s: int
    certificate_until_s: int
    seen_s: int
    software: str
    holdings: tuple[Holding, ...] = ()
    paused: str = ""  # why a department has paused answering; empty: it answers


@dataclass(frozen=True, slots=True)
class Invitation:
    """A token that nobody has used yet."""

    role: Role
    name: str
    made_s: int
    expires_s: int


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate just issued: its DER, its serial number, when it ends, and SHA-256 of its key."""

    der: bytes
    serial: int
    until_s: int
    key_hash: bytes


class Members:
    """Members, their certificates, and the tokens that let more of them in."""

    def __init__(self, file: StoreFile) -> None:
        """Work on this store."""
        self._file = file

    def invite(self, token: Token, now_s: float, *, again: bool = False) -> None:
        """Remember a token, by its id only: the token itself is kept by whoever gets it.

        `again` ends the certificates and the other tokens of this role and name at once: they may be stolen.

        Raises
        ------
        AlreadyExists
            Somebody joined under this name, and `again` was not asked for.

        """
        with self._file.transaction() as db:
            if not again and _member(db, Peer(token.role, token.name)) is not None:
                raise AlreadyExists(
                    f"The {token.role.value} {token.name} has joined already.",
                    remedy="If it lost its keys and must join once more, add --again.",
                )
            if again:
                _end(db, Peer(token.role, token.name))
            db.execute(
                "INSERT INTO tokens (id, role, name, made_s, expires_s) VALUES (?, ?, ?, ?, ?)",
                (token.token_id, token.role.value, token.name, int(now_s), int(token.expires_at.timestamp())),
            )

    def join(
        self, token_id: str, roles: Iterable[Role], issue: Callable[[Peer], Issued], key: bytes, now_s: float
    ) -> Issued:
        """Use a token and record the certificate that `issue` makes for its owner, both or neither.

        A reply may be lost, so the same TLS key may use the same token again until it expires.

        Raises
        ------
        TokenInvalid
            The token is unknown, expired, used for another key, or for another role.

        """
        with self._file.transaction() as db:
            token = db.execute("SELECT * FROM tokens WHERE id = ?", (token_id,)).fetchone()
            if token is None or now_s >= token["expires_s"]:
                raise TokenInvalid("This token is not known here, or has expired.")
            peer = Peer(Role(token["role"]), token["name"])
            if peer.role not in roles:
                command = "fedstats node join" if peer.role is Role.NODE else "fedstats join"
                raise TokenInvalid(
                    f"This token is for the {peer.role.value} {peer.name}.", remedy=f"Type: {command} TOKEN"
                )
            issued = issue(peer)
            if token["used_for"] not in (None, issued.key_hash):
                raise TokenInvalid("This token was used already.")
            db.execute(
                "UPDATE tokens SET used_s = ?, used_for = ? WHERE id = ?",
                (int(now_s), issued.key_hash, token_id),
            )
            db.execute(
                "INSERT INTO members (role, name, signing_key, joined_s) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET signing_key = excluded.signing_key, joined_s = excluded.joined_s",
                (peer.role.value, peer.name, key, int(now_s)),
            )
            if token["used_for"] is None:  # whoever joins anew is the only one of that name from now on
                db.execute(
                    "DELETE FROM certificates WHERE role = ? AND name = ?", (peer.role.value, peer.name)
                )
            _record(db, peer, issued, now_s)
            return issued

    def remove(self, peer: Peer) -> None:
        """End a member: its certificates and tokens open nothing any more. What it published and asked stays.

        Raises
        ------
        NotFound
            Nobody of this role and name has joined or was invited here.

        """
        with self._file.transaction() as db:
            ended = _end(db, peer)
            if peer.role is Role.NODE:
                db.execute("DELETE FROM holdings WHERE department = ?", (peer.name,))
            gone = db.execute(
                "DELETE FROM members WHERE role = ? AND name = ?", (peer.role.value, peer.name)
            ).rowcount
            if not ended and not gone:
                raise NotFound(
                    f"No {peer.role.value} {peer.name} has joined or was invited here.",
                    remedy="See: fedstats coordinator nodes, fedstats coordinator analysts",
                )
        MEMBER_REMOVED(**said_of(peer))

    def knows(self, peer: Peer) -> bool:
        """Whether the peer's certificate is one that counts; a token is looked at when it is used."""
        if peer.role is Role.JOIN:
            return True
        sql = "SELECT 1 FROM certificates WHERE serial = ? AND role = ? AND name = ?"
        return self._file.row(sql, f"{peer.serial:x}", peer.role.value, peer.name) is not None

    def holder(self, serial: str) -> Peer:
        """Whose certificate has this serial number, in hexadecimal as logs write it.

        Raises
        ------
        NotFound
            Nobody's who is a member now.

        """
        row = self._file.row("SELECT role, name FROM certificates WHERE serial = ?", serial.lower())
        if row is None:
            raise NotFound("No certificate of this serial number counts here: a token, or somebody removed.")
        return Peer(Role(row["role"]), row["name"])

    def renew(self, peer: Peer, issued: Issued, now_s: float) -> None:
        """Record a renewed certificate of a member.

        Raises
        ------
        TokenInvalid
            Nobody of this role and name has joined here.

        """
        with self._file.transaction() as db:
            if _member(db, peer) is None:
                raise TokenInvalid(f"The {peer.role.value} {peer.name} has not joined here.")
            _record(db, peer, issued, now_s)

    def announce(
        self, department: str, holdings: Iterable[Holding], software: str, now_s: float, *, paused: str = ""
    ) -> None:
        """A node was here, holds these editions, and answers unless it is paused for a reason."""
        with self._file.transaction() as db:
            db.execute(
                "UPDATE members SET seen_s = ?, software = ?, paused = ? WHERE role = 'node' AND name = ?",
                (int(now_s), software, paused, department),
            )
            _tell_pause(db, department, paused, now_s)
            db.execute("DELETE FROM holdings WHERE department = ?", (department,))
            db.executemany(
                "INSERT INTO holdings VALUES (?, ?, ?, ?, ?)",
                [(department, h.agreement, h.agreement_version, h.dataset, h.edition) for h in set(holdings)],
            )

    def unknown_nodes(self, departments: Iterable[str]) -> list[str]:
        """Those of the departments whose node has not joined."""
        known = self.nodes_seen()
        return [department for department in departments if department not in known]

    def nodes_seen(self) -> dict[str, int]:
        """When each node that has joined last asked for work, to about a minute."""
        rows = self._file.rows("SELECT name, seen_s FROM members WHERE role = 'node'")
        return {row["name"]: row["seen_s"] for row in rows}

    def all(self) -> list[Member]:
        """Every member, by role and name."""
        held: dict[str, list[Holding]] = {}
        for row in self._file.rows("SELECT * FROM holdings ORDER BY 1, 2, 3, 4, 5"):
            department, *rest = row
            held.setdefault(department, []).append(Holding(*rest))
        rows = self._file.rows(
            "SELECT m.*, (SELECT MAX(until_s) FROM certificates c WHERE c.role = m.role AND c.name = m.name)"
            " AS until_s FROM members m ORDER BY role, name"
        )
        return [
            Member(
                role=Role(row["role"]),
                name=row["name"],
                signing_key=row["signing_key"],
                joined_s=row["joined_s"],
                certificate_until_s=row["until_s"] or 0,
                seen_s=row["seen_s"],
                software=row["software"],
                paused=row["paused"],
                holdings=tuple(held.get(row["name"], ())) if row["role"] == Role.NODE.value else (),
            )
            for row in rows
        ]

    def invitations(self, now_s: float) -> list[Invitation]:
        """Tokens that can still be used for the first time."""
        rows = self._file.rows(
            "SELECT * FROM tokens WHERE used_s IS NULL AND expires_s > ? ORDER BY role, name, made_s", now_s
        )
        return [Invitation(Role(r["role"]), r["name"], r["made_s"], r["expires_s"]) for r in rows]


def _member(db: sqlite3.Connection, peer: Peer) -> sqlite3.Row | None:
    found: sqlite3.Row | None = db.execute(
        "SELECT * FROM members WHERE role = ? AND name = ?", (peer.role.value, peer.name)
    ).fetchone()
    return found


def _tell_pause(db: sqlite3.Connection, department: str, paused: str, now_s: float) -> None:
    """Enter in the register that a department pauses, or answers again; at most once a minute."""
    row = db.execute(
        "SELECT pause_told, pause_told_s FROM members WHERE role = 'node' AND name = ?", (department,)
    ).fetchone()
    if row is None or row["pause_told"] == paused or now_s < row["pause_told_s"] + PAUSE_TOLD_EVERY_S:
        return
    append(db, PAUSED if paused else RESUMED, pause_entry(department, paused), now_s)
    db.execute(
        "UPDATE members SET pause_told = ?, pause_told_s = ? WHERE role = 'node' AND name = ?",
        (paused, int(now_s), department),
    )


def _end(db: sqlite3.Connection, peer: Peer) -> bool:
    """End all certificates and tokens of a role and name; whether there were any."""
    owner = (peer.role.value, peer.name)
    certificates = db.execute("DELETE FROM certificates WHERE role = ? AND name = ?", owner).rowcount
    tokens = db.execute("DELETE FROM tokens WHERE role = ? AND name = ?", owner).rowcount
    return certificates + tokens > 0


def _record(db: sqlite3.Connection, peer: Peer, issued: Issued, now_s: float) -> None:
    db.execute(
        "INSERT INTO certificates VALUES (?, ?, ?, ?, ?)",
        (f"{issued.serial:x}", peer.role.value, peer.name, int(now_s), issued.until_s),
    )
    db.execute(
        "DELETE FROM certificates WHERE serial IN (SELECT serial FROM certificates"
        " WHERE role = ? AND name = ? AND serial <> ? ORDER BY issued_s DESC LIMIT -1 OFFSET ?)",
        (peer.role.value, peer.name, f"{issued.serial:x}", CERTIFICATES_EACH_MAX - 1),
    )
