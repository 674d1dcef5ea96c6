"""The service Agreements: documents that carry authority, and the public register.

The checks keep rubbish out, no more: every reader verifies every signature against keys that it compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from fedstats.coordinator.desk import AUTHORITY, Desk
from fedstats.coordinator.store_documents import StoredAgreement
from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import agreement_from_json
from fedstats.errors import AgreementInvalid, MessageInvalid, NotPermitted
from fedstats.identity.keys import Context, Signed
from fedstats.identity.peer import Peer, Role
from fedstats.wire.codec import decode_acceptance, decode_appointment, decode_revocation, signed_from
from fedstats.wire.v1 import agreements_pb2, signed_pb2

STATEMENT_BYTES_MAX = 10_000
PAGE_ENTRIES_DEFAULT = 100


@dataclass(frozen=True, slots=True)
class Agreements:
    """What controllers, nodes, analysts and readers of the register call."""

    desk: Desk

    def publish(self, request: agreements_pb2.PublishRequest, peer: Peer) -> agreements_pb2.PublishReply:
        """Keep a document that is signed already; the same again changes nothing.

        Raises
        ------
        MessageInvalid, SignatureInvalid
            It is malformed, or not signed by the key that it names.
        AgreementInvalid, NotPermitted
            The agreement is signed by none of its controllers; an acceptance comes from another department.
        TooLarge
            The coordinator holds as many as it can.

        """
        before = self.desk.store.documents.revision()
        kind = request.WhichOneof("document")
        if kind == "agreement":
            signed = signed_from(request.agreement)
            agreement = _signed_agreement(signed)
            self.desk.store.documents.publish(agreement, signed, _account(peer), self.desk.now())
        elif kind == "acceptance":
            self._accept(request.acceptance, peer)
        elif kind == "appointment":
            signed = _statement(request.appointment, Context.APPOINTMENT)
            decode_appointment(signed.payload)
            self.desk.store.documents.state(kind, signed, _account(peer), self.desk.now())
        elif kind == "revocation":
            signed = _statement(request.revocation, Context.REVOCATION)
            decode_revocation(signed.payload)
            self.desk.store.documents.state(kind, signed, _account(peer), self.desk.now())
        else:
            raise MessageInvalid("There is no document to publish.")
        return self._published(before)

    def sign(self, request: agreements_pb2.SignRequest, peer: Peer) -> agreements_pb2.PublishReply:
        """Keep one more signature under a published agreement.

        Raises
        ------
        NotFound
            It has not been published.
        MessageInvalid, SignatureInvalid, AgreementInvalid
            As for `publish`.

        """
        del peer  # who brings a signature does not matter: it speaks for itself
        before = self.desk.store.documents.revision()
        signed = signed_from(request.agreement)
        self.desk.store.documents.sign(_signed_agreement(signed), signed, self.desk.now())
        return self._published(before)

    def fetch(self, request: agreements_pb2.AuthorityRequest, peer: Peer) -> agreements_pb2.AuthorityReply:
        """Everything that was published."""
        del request, peer
        documents = self.desk.store.documents
        return agreements_pb2.AuthorityReply(
            revision=documents.revision(),
            agreements=[_record(stored) for stored in documents.agreements()],
            appointments=documents.statements("appointment"),
            revocations=documents.statements("revocation"),
        )

    def register(self, request: agreements_pb2.RegisterRequest, peer: Peer) -> agreements_pb2.RegisterReply:
        """The next page of the public register."""
        del peer
        page = self.desk.store.register.entries(
            after=min(request.after, 2**62), entries_max=request.entries_max or PAGE_ENTRIES_DEFAULT
        )
        return agreements_pb2.RegisterReply(
            entries=[
                agreements_pb2.RegisterEntry(number=e.number, at_s=e.at_s, kind=e.kind, document=e.document)
                for e in page
            ]
        )

    def _accept(self, message: signed_pb2.Signed, peer: Peer) -> None:
        signed = _statement(message, Context.ACCEPTANCE)
        acceptance = decode_acceptance(signed.payload)
        if peer.role is not Role.NODE or peer.name != acceptance.department:
            raise NotPermitted(
                f"Only the node of {acceptance.department} says what {acceptance.department} accepted."
            )
        self.desk.store.documents.accept(acceptance, signed, self.desk.now())

    def _published(self, before: int) -> agreements_pb2.PublishReply:
        """Wake everybody, if there is something to fetch that was not there at revision `before`."""
        revision = self.desk.store.documents.revision()
        if revision != before:
            self.desk.ring(AUTHORITY)
        return agreements_pb2.PublishReply(revision=revision)


def _signed_agreement(signed: Signed) -> Agreement:
    """The agreement, signed by one of its own controllers at least."""
    agreement = agreement_from_json(signed.verify(Context.AGREEMENT))
    if signed.key.raw not in {controller.key for controller in agreement.controllers}:
        raise AgreementInvalid(f"The signature is by none of the controllers of agreement {agreement.id}.")
    return agreement


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


def _account(peer: Peer) -> str:
    """Under which the store counts what a peer brings."""
    return f"{peer.role.value} {peer.name}"
