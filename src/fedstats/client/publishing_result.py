"""Publishing a result: the tables of an own answer, signed, on the public register for good."""

from __future__ import annotations

from collections.abc import Iterator

from fedstats.client.answer import Answer
from fedstats.client.jobs import Job, JobStore
from fedstats.client.keyring import key_that_signed
from fedstats.client.session import Session
from fedstats.core.agreement_document import canonical_json
from fedstats.core.result import RESULT_BYTES_MAX, ReleaseUsed, result_document
from fedstats.errors import JobUnknown, TooLarge
from fedstats.identity.keys import Context, Signed
from fedstats.wire.codec import signed_to
from fedstats.wire.codec.strict import sha256
from fedstats.wire.methods import FETCH, PUBLISH_RESULT
from fedstats.wire.v1 import analysts_pb2


def publish_result(session: Session, name: str, answer: Answer, *, note: str = "", replaces: int = 0) -> int:
    """Sign the answer of a job and put it on the register; the number of its entry.

    Raises
    ------
    JobUnknown
        The job was asked with a key that this home has not.
    TooLarge
        It has more cells than the register takes.
    MessageInvalid, NotFound, RoundConflict
        The coordinator does not take it: it says why.

    """
    job = JobStore(session.home.jobs_file).find(name)
    key = key_that_signed(session.home, job.query.key)
    if key is None:
        raise JobUnknown(f"Job {job.name} was asked with another key than this home has.", remedy="")
    document = result_document(
        answer.estimate,
        answer.question.text,
        job.query_hash,
        _releases(session, job),
        note=note,
        replaces=replaces,
    )
    payload = canonical_json(document)
    if len(payload) > RESULT_BYTES_MAX:
        raise TooLarge(
            f"This result has {len(payload):,} bytes, and the register takes {RESULT_BYTES_MAX:,}.",
            remedy="Ask with fewer or coarser keys, and publish that.",
        )
    signed = signed_to(Signed.make(Context.RESULT, payload, key))
    return session.transport.call(PUBLISH_RESULT, analysts_pb2.PublishResultRequest(result=signed)).number


def _releases(session: Session, job: Job) -> Iterator[ReleaseUsed]:
    """Every release that the answer is made of, by the hash of what its node signed."""
    fetched = session.transport.call(FETCH, analysts_pb2.FetchRequest(query=job.query_hash))
    for number, record in enumerate(fetched.rounds):
        for outcome in record.outcomes:
            if outcome.HasField("release"):
                digest = sha256(outcome.release.payload).hex()
                yield ReleaseUsed(number, outcome.department, digest)
