"""Witnesses of ledgers as signed bytes."""

from __future__ import annotations

import re
from fractions import Fraction

from fedstats.core.privacy import Loss
from fedstats.core.witness import CapTotal, Carried, Mark, Witness
from fedstats.wire.codec.strict import decode_strictly, to_bytes
from fedstats.wire.v1 import signed_pb2

_EXACT = re.compile(r"[0-9]{1,400}(?:/[0-9]{1,400})?")


def encode_witness(witness: Witness) -> bytes:
    """The bytes that a node signs."""
    return to_bytes(_witness_to(witness))


def decode_witness(payload: bytes) -> Witness:
    """The witness in signed bytes.

    Raises
    ------
    MessageInvalid
        The bytes are not the canonical encoding of a witness.

    """
    return decode_strictly(payload, signed_pb2.Witness, _witness_from, _witness_to)


def _witness_to(witness: Witness) -> signed_pb2.Witness:
    return signed_pb2.Witness(
        department=witness.department,
        ledger=witness.ledger,
        epoch=witness.epoch,
        tip=_mark_to(witness.tip),
        marks=[_mark_to(mark) for mark in witness.marks],
        carried=[signed_pb2.Carried(ledger=c.ledger, tip=_mark_to(c.tip)) for c in witness.carried],
        totals=[
            signed_pb2.CapTotal(
                kind=total.kind,
                name=total.name,
                rho=str(total.spent.rho),
                delta_add=str(total.spent.delta_add),
            )
            for total in witness.totals
        ],
        at_s=witness.at_s,
    )


def _witness_from(message: signed_pb2.Witness) -> Witness:
    return Witness(
        department=message.department,
        ledger=message.ledger,
        epoch=message.epoch,
        tip=_mark_from(message.tip),
        marks=tuple(_mark_from(mark) for mark in message.marks),
        carried=tuple(Carried(c.ledger, _mark_from(c.tip)) for c in message.carried),
        totals=tuple(
            CapTotal(total.kind, total.name, Loss(_exact(total.rho), _exact(total.delta_add)))
            for total in message.totals
        ),
        at_s=message.at_s,
    )


def _mark_to(mark: Mark) -> signed_pb2.Mark:
    return signed_pb2.Mark(links=mark.links, head=mark.head)


def _mark_from(message: signed_pb2.Mark) -> Mark:
    return Mark(message.links, message.head)


def _exact(text: str) -> Fraction:
    """A number as `1/40`: no exponent, which could stand for more digits than there is memory."""
    if _EXACT.fullmatch(text) is None:
        raise ValueError
    return Fraction(text)
