"""The service Agreements: documents that carry authority, and the public register.

A department's documents come through its own certificates only, and its controller's first one binds its key
(`store_bindings`). That keeps rubbish out, no more: every reader verifies every signature against keys
that it compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from fedstats.coordinator.desk import Desk, authority
from fedstats.coordinator.register_log import entry_to
from fedstats.coordinator.store_documents import Concerned, StoredAgreement
from fedstats.coordinator.witnessing import Witnessing
from fedstats.core.agreement import Agreement, Controller
from fedstats.core.agreement_document import agreement_from_json
from fedstats.errors import AgreementInvalid, MessageInvalid, NotPermitted
from fedstats.identity.keys import Context, Signed
from fedstats.identity.peer import Peer, Role
from fedstats.journal.security import DOCUMENT_PUBLISHED, said_of
from fedstats.wire.codec import decode_acceptance, decode_appointment, decode_revocation, signed_from
from fedstats.wire.software import SOFTWARE
from fedstats.wire.v1 import agreements_pb2, signed_pb2

STATEMENT_BYTES_MAX = 10_000
PAGE_ENTRIES_DEFAULT = 100
AHEAD_S_MAX = 86_400  # how far a node's clock may be ahead of this one


@dataclass(frozen=True, slots=True)
class Agreements:
    """What controllers, nodes, analysts and readers of the register call."""

    desk: Desk
    witnessing: Witnessing

    def publish(self, request: agreements_pb2.PublishRequest, peer: Peer) -> agreements_pb2.PublishReply:
        """Keep a document that is signed already; the same again changes nothing.

        Raises
        ------
        MessageInvalid, SignatureInvalid
            It is malformed, or not signed by the key that it names.
        AgreementInvalid, AppointmentInvalid
            The agreement is signed by none of its controllers; a key is another than the bound one.
        NotPermitted
            The document is another department's than the certificate.
        TooLarge
            The coordinator holds as many as it can.

        """
        documents, now_s = self.desk.store.documents, self.desk.now()
        kind = request.WhichOneof("document")
        if kind == "agreement":
            signed = signed_from(request.agreement)
            agreement, signer = _signed_agreement(signed)
            _check_speaks(peer, signer.department)
            return self._published(documents.publish(agreement, signed, peer, now_s), kind, peer)
        if kind == "acceptance":
            return self._published(self._accept(request.acceptance, peer), kind, peer)
        if kind == "appointment":
            signed = _statement(request.appointment, Context.APPOINTMENT)
            appointment = decode_appointment(signed.payload)
            _check_speaks(peer, appointment.department)
            return self._published(documents.state(appointment, signed, peer, now_s), kind, peer)
        if kind == "revocation":
            signed = _statement(request.revocation, Context.REVOCATION)
            revocation = decode_revocation(signed.payload)
            _check_speaks(peer, revocation.department)
            return self._published(documents.state(revocation, signed, peer, now_s), kind, peer)
        raise MessageInvalid("There is no document to publish.")

    def sign(self, request: agreements_pb2.SignRequest, peer: Peer) -> agreements_pb2.PublishReply:
        """Keep one more signature under a published agreement.

        Raises
        ------
        NotFound
            It has not been published.
        MessageInvalid, SignatureInvalid, AgreementInvalid, NotPermitted
            As for `publish`.

        """
        signed = signed_from(request.agreement)
        agreement, signer = _signed_agreement(signed)
        _check_speaks(peer, signer.department)
        concerned = self.desk.store.documents.sign(agreement, signed, peer, self.desk.now())
        return self._published(concerned, "signature", peer)

    def fetch(self, request: agreements_pb2.AuthorityRequest, peer: Peer) -> agreements_pb2.AuthorityReply:
        """Everything that was published, with the revision that the peer's leases show until it is news."""
        del request
        documents = self.desk.store.documents
        is_node = peer.role is Role.NODE
        return agreements_pb2.AuthorityReply(
            revision=documents.revision_for(peer.name) if is_node else documents.revision(),
            agreements=[_record(stored) for stored in documents.agreements()],
            appointments=documents.statements("appointment"),
            revocations=documents.statements("revocation"),
            now_s=int(self.desk.now()),
            software=SOFTWARE,
            witnesses=self.witnessing.records(peer.name) if is_node else (),
        )

    def register(self, request: agreements_pb2.RegisterRequest, peer: Peer) -> agreements_pb2.RegisterReply:
        """The next page of the public register."""
        del peer
        page = self.desk.store.register.entries(
            after=min(request.after, 2**62), entries_max=request.entries_max or PAGE_ENTRIES_DEFAULT
        )
        return agreements_pb2.RegisterReply(entries=[entry_to(entry) for entry in page])

    def _accept(self, message: signed_pb2.Signed, peer: Peer) -> Concerned:
        signed = _statement(message, Context.ACCEPTANCE)
        acceptance = decode_acceptance(signed.payload)
        if peer.role is not Role.NODE or peer.name != acceptance.department:
            raise NotPermitted(
                f"Only the node of {acceptance.department} says what {acceptance.department} accepted."
            )
        if acceptance.at_s > self.desk.now() + AHEAD_S_MAX:
            # A word from the future would be the last one until then, whatever the department says.
            raise MessageInvalid(
                "The acceptance is dated more than a day ahead.", remedy="Is the node's clock right?"
            )
        return self.desk.store.documents.accept(acceptance, signed, self.desk.now())

    def _published(self, concerned: Concerned, kind: str, peer: Peer) -> agreements_pb2.PublishReply:
        """Wake the nodes that have something new to fetch."""
        DOCUMENT_PUBLISHED(document=kind, **said_of(peer))
        for department in sorted(concerned):
            self.desk.ring(authority(department))
        return agreements_pb2.PublishReply(revision=self.desk.store.documents.revision())


def _signed_agreement(signed: Signed) -> tuple[Agreement, Controller]:
    """The agreement, and which of its own controllers signed it."""
    agreement = agreement_from_json(signed.verify(Context.AGREEMENT))
    for controller in agreement.controllers:
        if controller.key == signed.key.raw:
            return agreement, controller
    raise AgreementInvalid(f"The signature is by none of the controllers of agreement {agreement.id}.")


def _check_speaks(peer: Peer, department: str) -> None:
    """A department's documents come through the certificates of its own controller or node."""
    if peer.role not in (Role.CONTROLLER, Role.NODE) or peer.name != department:
        raise NotPermitted(
            f"What the controller of {department} signed comes through a certificate of {department}."
        )


def _statement(message: signed_pb2.Signed, context: Context) -> Signed:
    signed = signed_from(message)
    if len(signed.payload) > STATEMENT_BYTES_MAX:
        raise MessageInvalid(f"The {context.value} is too large.")
    signed.verify(context)
    return signed


def _record(stored: StoredAgreement) -> agreements_pb2.AgreementRecord:
    return agreements_pb2.AgreementRecord(
        document=stored.document,
        signatures=[
            signed_pb2.Signed(key=signature.key.raw, signature=signature.signature)
            for signature in stored.signatures
        ],
        acceptances=stored.acceptances,
    )
