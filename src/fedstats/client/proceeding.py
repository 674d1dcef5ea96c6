"""Going on without departments that do not answer: what the analyst decides, signs, and can read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fedstats.client.outcomes import Outcomes
from fedstats.core.agreement import Agreement
from fedstats.core.query import Proceeding, Query, RoundOrder
from fedstats.core.rules import check_proceeding
from fedstats.errors import MessageInvalid
from fedstats.identity.keys import Context, PublicKey, Signed, SigningKey
from fedstats.wire.codec import decode_proceeding, decode_round, encode_proceeding, signed_from, signed_to
from fedstats.wire.method import Transport
from fedstats.wire.methods import PROCEED
from fedstats.wire.v1 import analysts_pb2


@dataclass(frozen=True, slots=True)
class KnownRound:
    """A round that the coordinator has, and the analyst's own word that it goes on without somebody."""

    order: RoundOrder
    proceeding: Proceeding | None


def known_rounds(
    records: Sequence[analysts_pb2.RoundRecord], query: bytes, key: PublicKey
) -> tuple[KnownRound, ...]:
    """The rounds of a query as the coordinator relays them, each verified to be what this key signed.

    Raises
    ------
    MessageInvalid, SignatureInvalid
        The coordinator holds something that this key did not sign, or signed for something else.

    """
    known = []
    for number, record in enumerate(records):
        signed = signed_from(record.round)
        order = decode_round(signed.verify(Context.ROUND))
        if (signed.key, order.query, order.number) != (key, query, number):
            raise MessageInvalid("The coordinator holds a round of this job that this key did not sign.")
        known.append(KnownRound(order, _proceeding(record, order, key)))
    return tuple(known)


def _proceeding(record: analysts_pb2.RoundRecord, order: RoundOrder, key: PublicKey) -> Proceeding | None:
    if not record.HasField("proceeding"):
        return None
    signed = signed_from(record.proceeding)
    proceeding = decode_proceeding(signed.verify(Context.PROCEEDING))
    if (signed.key, proceeding.query, proceeding.number) != (key, order.query, order.number):
        raise MessageInvalid("The coordinator holds a decision about this job that this key did not sign.")
    return proceeding


def go_on(
    transport: Transport,
    key: SigningKey,
    agreement: Agreement,
    query: Query,
    order: RoundOrder,
    outcomes: Outcomes,
) -> None:
    """Sign and send that this round goes on without those who have not answered; nothing if all have.

    Raises
    ------
    OutsideAgreement
        The agreement does not allow it.
    RoundConflict
        Somebody has answered meanwhile, or it was decided before.

    """
    if not outcomes.silent:
        return
    proceeding = Proceeding(order.query, order.number, tuple(sorted(outcomes.released)), outcomes.silent)
    check_proceeding(agreement, query, order, proceeding)
    signed = Signed.make(Context.PROCEEDING, encode_proceeding(proceeding), key)
    transport.call(PROCEED, analysts_pb2.ProceedRequest(proceeding=signed_to(signed)))


def counted(
    messages: Sequence[analysts_pb2.Outcome], proceeding: Proceeding | None
) -> list[analysts_pb2.Outcome]:
    """The outcomes that count: after a proceeding, only the releases of those who take part."""
    if proceeding is None:
        return list(messages)
    return [
        message
        for message in messages
        if message.department in proceeding.participants
        or (message.HasField("refusal") and message.department not in proceeding.left_out)
    ]
