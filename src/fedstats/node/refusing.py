"""How a node says no: what went wrong becomes one typed refusal, signed, about what the node was shown."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from fedstats.core.reason import Reason
from fedstats.errors import (
    AuthorityError,
    FedstatsError,
    LanguageError,
    LossInvalid,
    MessageInvalid,
    NodeFailed,
    NotAuthorised,
    OutsideAgreement,
    Refused,
    Spent,
    ValueInvalid,
)
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.journal.events import TASK_FAILED, TASK_REFUSED
from fedstats.journal.security import alarm
from fedstats.wire.codec import RefusalNote, decode_round, encode_refusal, signed_to, task_hash
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import nodes_pb2, signed_pb2


def signed_refusal(
    department: str, key: SigningKey, task: nodes_pb2.Task, refusal: Refused, *, charged: bool
) -> signed_pb2.Signed:
    """The refusal as it travels; `charged` says whether budget was spent."""
    TASK_REFUSED(task=task.id, code=refusal.code, charged=charged)
    query, number, shown = sha256(task.query.payload), _round_number(task), task_hash(task)
    reason = Reason(refusal.reason) if refusal.reason else None
    note = RefusalNote(
        department, query, number, refusal.code, refusal.title, charged, presented=shown, reason=reason
    )
    with suppress(FedstatsError):  # the sentence may quote something that cannot be quoted
        note = replace(note, sentence=refusal.sentence)
    return signed_to(Signed.make(Context.REFUSAL, encode_refusal(note), key))


def alarmed(problem: Exception, task: nodes_pb2.Task) -> None:
    """Tell those who watch, if it is theirs; noted before the refusal softens what it was."""
    if isinstance(problem, FedstatsError):
        alarm(problem, task=task.id)


def refused(problem: Exception) -> Refused:
    """The refusal that travels for what went wrong before anything was charged."""
    if isinstance(problem, Refused):
        return problem
    if isinstance(problem, AuthorityError | MessageInvalid):
        return NotAuthorised(problem.sentence)
    if isinstance(problem, LanguageError | ValueInvalid | LossInvalid):
        return OutsideAgreement(problem.sentence)
    TASK_FAILED(problem=problem, places=problem)
    return NodeFailed(spent=Spent.NOTHING)


def _round_number(task: nodes_pb2.Task) -> int:
    try:
        return decode_round(task.round.payload).number
    except FedstatsError:
        return 0
