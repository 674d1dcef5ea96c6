"""Which key each department's controller is known by: bound at its first use, by its own certificate.

Nobody believes the coordinator about keys; nodes and clients compare fingerprints themselves. The binding
keeps one member from publishing in another department's name, and the register from listing what was never
agreed.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from fedstats.coordinator.register import CONTROLLER_BOUND, CONTROLLER_UNBOUND, key_entry
from fedstats.coordinator.store_file import StoreFile
from fedstats.coordinator.store_register import append
from fedstats.core.agreement import Agreement
from fedstats.errors import AgreementInvalid, AppointmentInvalid, FedstatsError, NotFound, NotPermitted
from fedstats.identity.keys import PublicKey
from fedstats.identity.peer import Peer, Role
from fedstats.journal.security import KEY_UNBOUND


@dataclass(frozen=True, slots=True)
class Binding:
    """The key of a department's controller, and since when (seconds since 1970) it is known."""

    department: str
    key: PublicKey
    at_s: int


class Bindings:
    """The bindings, for whoever hosts the coordinator."""

    def __init__(self, file: StoreFile) -> None:
        """Work on this store."""
        self._file = file

    def all(self) -> list[Binding]:
        """Every binding, by department."""
        rows = self._file.rows("SELECT * FROM bindings ORDER BY department")
        return [Binding(row["department"], PublicKey(row["key"]), row["at_s"]) for row in rows]

    def end(self, department: str, now_s: float) -> Binding:
        """Forget a department's key: its controller's next document binds a new one.

        Raises
        ------
        NotFound
            None is bound.

        """
        with self._file.transaction() as db:
            row = db.execute("SELECT * FROM bindings WHERE department = ?", (department,)).fetchone()
            if row is None:
                raise NotFound(f"No key is bound to the controller of {department}.")
            ended = Binding(department, PublicKey(row["key"]), row["at_s"])
            db.execute("DELETE FROM bindings WHERE department = ?", (department,))
            append(db, CONTROLLER_UNBOUND, key_entry(department, ended.key.fingerprint), now_s)
        KEY_UNBOUND(department=department)
        return ended


def bind(db: sqlite3.Connection, peer: Peer, key: PublicKey, now_s: float) -> None:
    """Bind the key to the peer's department, if none is bound; a node's certificate never binds.

    Nor does it bring anything before: whoever stole it could appoint a node of a stranger's, whose witness
    would stop the department's own.

    Raises
    ------
    NotPermitted
        It is a node's certificate, and no key is bound.

    """
    if peer.role is not Role.CONTROLLER:
        if db.execute("SELECT 1 FROM bindings WHERE department = ?", (peer.name,)).fetchone() is None:
            raise NotPermitted(
                f"The controller of {peer.name} is not known here yet: its first document comes through its"
                " own certificate.",
                remedy="Whoever hosts the coordinator types: fedstats coordinator invite controller"
                f" {peer.name}",
            )
        return
    bound = db.execute(
        "INSERT INTO bindings VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (peer.name, key.raw, int(now_s))
    ).rowcount
    if bound:
        append(db, CONTROLLER_BOUND, key_entry(peer.name, key.fingerprint), now_s)


def check_named(db: sqlite3.Connection, agreement: Agreement) -> None:
    """Refuse an agreement that names another key than the bound one for any of its controllers."""
    for controller in agreement.controllers:
        _check(db, controller.department, PublicKey(controller.key), AgreementInvalid)


def check_signer(db: sqlite3.Connection, department: str, key: PublicKey) -> None:
    """Refuse an appointment or a revocation by another key than the bound one."""
    _check(db, department, key, AppointmentInvalid)


def _check(db: sqlite3.Connection, department: str, key: PublicKey, error: type[FedstatsError]) -> None:
    row = db.execute("SELECT key FROM bindings WHERE department = ?", (department,)).fetchone()
    if row is None or row["key"] == key.raw:
        return
    raise error(
        f"The controller of {department} is known here by the key {PublicKey(row['key']).fingerprint},"
        f" and this document names {key.fingerprint}.",
        remedy=f"If {department} has a new key, whoever hosts the coordinator types:"
        f" fedstats coordinator rebind {department}",
    )
