"""The codec: one encoding of everything that is signed or hashed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest
from google.protobuf.message import Message
from samples import NOW_S, sample_order, sample_query, seed_key

from fedstats.core.appointment import Acceptance, AppointedRole, Appointment, Revocation
from fedstats.core.approval import Approval
from fedstats.core.expression import Op
from fedstats.core.log_head import ConsistencyProof, Cosignature, InclusionProof, LogHead
from fedstats.core.privacy import Loss
from fedstats.core.query import Computation, Proceeding
from fedstats.core.reason import Reason
from fedstats.core.times import SECONDS_MAX
from fedstats.core.witness import CapTotal, Carried, Mark, Witness
from fedstats.errors import MessageInvalid
from fedstats.testing.mutations import mutations
from fedstats.wire import codec
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import query_pb2, signed_pb2

KEY = seed_key("someone").public.raw
QUERY = sample_query()
ORDER = sample_order(sha256(codec.encode_query(QUERY)))
APPOINTMENT = Appointment("north", AppointedRole.ANALYST, "a.smith", KEY, NOW_S, NOW_S + 10)
REVOCATION = Revocation("north", KEY, NOW_S, "left")
ACCEPTANCE = Acceptance("north", bytes(32), withdrawn=True, at_s=NOW_S, reason=Reason.LEGAL)
APPROVAL = Approval("north", bytes(32), NOW_S)
REFUSAL = codec.RefusalNote(
    "north",
    bytes(32),
    1,
    "FS-214",
    "This is too much.",
    charged=True,
    presented=bytes(32),
    reason=Reason.PRIVACY,
)
PROCEEDING = Proceeding(bytes(32), 1, ("north", "south"), ("west",))
WITNESS = Witness(
    department="north",
    ledger=bytes(range(16)),
    epoch=2,
    tip=Mark(9, bytes([9]) * 32),
    marks=(Mark(7, bytes([7]) * 32), Mark(8, bytes([8]) * 32)),
    carried=(Carried(bytes(16), Mark(5, bytes([5]) * 32)),),
    totals=(
        CapTotal("agreement", "RTT-2026", Loss(Fraction(7, 2**80))),
        CapTotal("lifetime", "nhs_number", Loss(Fraction(1, 3), Fraction(1, 7))),
    ),
    at_s=NOW_S,
)
LOG_HEAD = LogHead(bytes(range(16)), "coordinator", 9, bytes([9]) * 32, NOW_S)
COSIGNATURE = Cosignature("north", bytes(range(16)), 9, bytes([9]) * 32, NOW_S)
RELEASE = codec.ReleaseNote(
    "north",
    bytes(32),
    "2025-09.2",
    ((np.array([1, -(2**62), 2**62]), np.zeros(3, np.int64)),),
    bytes(range(16)),
)

KINDS: list[tuple[Callable[[bytes], object], bytes, type[Message]]] = [
    (codec.decode_query, codec.encode_query(QUERY), query_pb2.Query),
    (codec.decode_round, codec.encode_round(ORDER), query_pb2.Round),
    (codec.decode_appointment, codec.encode_appointment(APPOINTMENT), signed_pb2.Appointment),
    (codec.decode_revocation, codec.encode_revocation(REVOCATION), signed_pb2.Revocation),
    (codec.decode_acceptance, codec.encode_acceptance(ACCEPTANCE), signed_pb2.Acceptance),
    (codec.decode_refusal, codec.encode_refusal(REFUSAL), query_pb2.Refusal),
    (codec.decode_release, codec.encode_release(RELEASE), query_pb2.Release),
    (codec.decode_proceeding, codec.encode_proceeding(PROCEEDING), query_pb2.Proceeding),
    (codec.decode_witness, codec.encode_witness(WITNESS), signed_pb2.Witness),
    (codec.decode_log_head, codec.encode_log_head(LOG_HEAD), signed_pb2.LogHead),
    (codec.decode_cosignature, codec.encode_cosignature(COSIGNATURE), signed_pb2.Cosignature),
    (codec.decode_approval, codec.encode_approval(APPROVAL), signed_pb2.Approval),
]


@pytest.mark.parametrize(
    "decode, payload, value",
    [
        (codec.decode_query, KINDS[0][1], QUERY),
        (codec.decode_round, KINDS[1][1], ORDER),
        (codec.decode_appointment, KINDS[2][1], APPOINTMENT),
        (codec.decode_revocation, KINDS[3][1], REVOCATION),
        (codec.decode_acceptance, KINDS[4][1], ACCEPTANCE),
        (codec.decode_refusal, KINDS[5][1], REFUSAL),
        (codec.decode_proceeding, KINDS[7][1], PROCEEDING),
        (codec.decode_witness, KINDS[8][1], WITNESS),
        (codec.decode_log_head, KINDS[9][1], LOG_HEAD),
        (codec.decode_cosignature, KINDS[10][1], COSIGNATURE),
        (codec.decode_approval, KINDS[11][1], APPROVAL),
    ],
)
def test_values_come_back(decode: Callable[[bytes], object], payload: bytes, value: object) -> None:
    """What was encoded comes back as the same value."""
    assert decode(payload) == value


def test_a_release_comes_back_with_the_same_integers() -> None:
    """Noisy integers travel exactly, to the ends of 62 bits and beyond zero."""
    note = codec.decode_release(codec.encode_release(RELEASE))
    assert (note.department, note.computation) == (RELEASE.department, RELEASE.computation)
    for sent, received in zip(RELEASE.vectors[0], note.vectors[0], strict=True):
        assert received.dtype == np.int64
        assert np.array_equal(sent, received)


@pytest.mark.parametrize("decode, payload, kind", KINDS)
def test_other_spellings_are_refused(
    decode: Callable[[bytes], object], payload: bytes, kind: type[Message]
) -> None:
    """Unknown fields, trailing bytes, truncation, fields in another order or given twice: all are refused."""
    unknown_field = bytes([0xFA, 0x3F, 1, 0])  # number 1023, one byte
    swapped = payload[len(payload) // 2 :] + payload[: len(payload) // 2]
    for other in (payload + unknown_field, payload[:-1], swapped, payload + payload, b"\xff" + payload, b""):
        with pytest.raises(MessageInvalid):
            decode(other)
    assert kind.FromString(payload).SerializeToString(deterministic=True) == payload


@pytest.mark.parametrize("decode, payload, kind", KINDS)
def test_every_changed_field_is_another_value_or_refused(
    decode: Callable[[bytes], object], payload: bytes, kind: type[Message]
) -> None:
    """No field can be changed without changing the decoded value: nothing that is signed is ignored."""
    value = decode(payload)
    seen = 0
    for path, changed in mutations(kind.FromString(payload)):
        other = changed.SerializeToString(deterministic=True)
        seen += 1
        try:
            decoded = decode(other)
        except MessageInvalid:
            continue
        assert repr(decoded) != repr(value), path
    assert seen >= len(kind.DESCRIPTOR.fields) - 1


@pytest.mark.parametrize("at_s", [SECONDS_MAX, 2**60, -1])
def test_a_witness_of_a_time_that_no_calendar_has_is_refused(at_s: int) -> None:
    """A coordinator shows witnesses that nobody verified yet, and their time is said to people."""
    message = signed_pb2.Witness.FromString(codec.encode_witness(WITNESS))
    message.at_s = at_s
    with pytest.raises(MessageInvalid):
        codec.decode_witness(message.SerializeToString(deterministic=True))
    latest = replace(WITNESS, at_s=SECONDS_MAX - 1)
    assert datetime.fromtimestamp(codec.decode_witness(codec.encode_witness(latest)).at_s, UTC).year == 9999


def test_proofs_come_back_and_are_bounded() -> None:
    """What is checked by computing is bounded before: no endless path, no entry outside its log."""
    inclusion, consistency = InclusionProof(3, 9, (bytes(32),)), ConsistencyProof(3, 9, (bytes(32),) * 2)
    assert codec.inclusion_from(codec.inclusion_to(inclusion)) == inclusion
    assert codec.consistency_from(codec.consistency_to(consistency)) == consistency
    for index, size, path in ((9, 9, ()), (0, 2**63, ()), (0, 1, [b"short"]), (0, 1, [bytes(32)] * 129)):
        with pytest.raises(MessageInvalid):
            codec.inclusion_from(signed_pb2.InclusionProof(index=index, size=size, path=path))
    for first, second in ((9, 3), (0, 2**63)):
        with pytest.raises(MessageInvalid):
            codec.consistency_from(signed_pb2.ConsistencyProof(first=first, second=second))


def test_a_deeply_nested_expression_is_refused_without_recursion_error() -> None:
    """More nested NOTs than any question needs are refused, not crashed on."""
    inner = query_pb2.Expression(column="urgent")
    for _ in range(40):
        inner = query_pb2.Expression(call=query_pb2.Call(op=query_pb2.OP_NOT, args=[inner]))
    message = query_pb2.Query.FromString(codec.encode_query(QUERY))
    message.where.CopyFrom(inner)
    with pytest.raises(MessageInvalid):
        codec.decode_query(message.SerializeToString(deterministic=True))


def test_core_and_wire_number_operations_alike() -> None:
    """An operation's number in core is its number on the wire, for every operation on either side."""
    on_wire = {name.removeprefix("OP_"): number for name, number in query_pb2.Op.items() if number}
    assert on_wire == {op.name: op.value for op in Op}


def test_the_computation_ignores_who_asks_and_how_it_is_written() -> None:
    """Another analyst, purpose, label, nonce or deadline, and other participants, give the same record."""
    first = codec.computation_hash(Computation.of(QUERY, ORDER))
    other = sample_query(nonce=bytes(16), deadline_s=NOW_S, rounds_max=1, purpose="waiting")
    order = sample_order(sha256(codec.encode_query(other)), participants=("north", "south"))
    assert codec.computation_hash(Computation.of(other, order)) == first


@pytest.mark.parametrize(
    "changes",
    [
        {"edition": "2025-10"},
        {"where": None},
        {"agreement_version": 2},
        {"dataset": "other"},
    ],
)
def test_the_computation_holds_everything_that_decides_the_answer(changes: dict[str, object]) -> None:
    """Another edition, condition, version or dataset is another computation: a record never answers it."""
    first = codec.computation_hash(Computation.of(QUERY, ORDER))
    assert codec.computation_hash(Computation.of(sample_query(**changes), ORDER)) != first


@pytest.mark.parametrize("code", ["FS-", "FS-2140", "FS-\x1b[2J", "FS-21\n", "FS-২১৪", "XX-214", "FS-21x"])
def test_the_code_of_a_refusal_is_a_code(code: str) -> None:
    """A node cannot put anything else than FS and three digits where everybody's screen shows a code."""
    with pytest.raises(MessageInvalid):
        codec.RefusalNote("north", bytes(32), 1, code, "No.", charged=False, presented=bytes(32))
