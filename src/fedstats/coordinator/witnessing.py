"""Witnesses of ledgers: what a node says of its own is kept, and it is told what it says too little of."""

from __future__ import annotations

from dataclasses import dataclass, field

from fedstats.coordinator.desk import Desk
from fedstats.core.witness import Witness
from fedstats.errors import MessageInvalid
from fedstats.identity.keys import Context
from fedstats.wire.codec import decode_witness, signed_from
from fedstats.wire.v1 import signed_pb2


@dataclass(frozen=True, slots=True)
class Witnessing:
    """What the services of nodes share about witnesses."""

    desk: Desk
    _heard: dict[str, tuple[bytes, Witness]] = field(
        default_factory=dict
    )  # by department: signature, content

    def hear(self, message: signed_pb2.Signed, department: str) -> Witness:
        """Verify a witness that came through this department's certificate, and keep it if it is news.

        Raises
        ------
        MessageInvalid, SignatureInvalid
            It is malformed, not signed by the key that it names, or another department's.
        TooLarge
            It is too large, or the department has shown too many ledgers.

        """
        known = self._heard.get(department)
        if known is not None and known[0] == message.signature:
            return known[1]
        witness = decode_witness(signed_from(message).verify(Context.WITNESS))
        if witness.department != department:
            raise MessageInvalid("The witness is of another department's ledger.")
        self.desk.store.witnesses.keep(
            witness,
            message,
            self.desk.now(),
            appointed=lambda key: bool(self.desk.store.documents.appointments_of(department, key)),
        )
        self._heard[department] = (message.signature, witness)
        return witness

    def records(self, department: str, witness: Witness | None = None) -> list[signed_pb2.WitnessRecord]:
        """What is known of a department's ledgers and this witness does not contain; all where it is None.

        Only of keys that were ever appointed: nobody counts what others signed, and it must stop no node.
        """
        found = []
        for signed in self.desk.store.witnesses.not_in(department, witness):
            appointments = self.desk.store.documents.appointments_of(department, signed.key)
            if appointments:
                found.append(signed_pb2.WitnessRecord(witness=signed, appointments=appointments))
        return found
