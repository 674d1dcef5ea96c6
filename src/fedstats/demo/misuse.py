"""A question for another purpose, by a client that does not look at the agreement: what the nodes say to it.

The honest client refuses such a question before it is sent. This one signs it all the same, with the
analyst's own key, so that only the nodes are left to refuse it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import replace

from fedstats.client.asking import Terms, draft, loss_of
from fedstats.client.catalogue import choose
from fedstats.client.following import Patience, follow
from fedstats.client.keyring import signing
from fedstats.client.session import Session
from fedstats.core.accounting import parse_epsilon
from fedstats.core.query import NONCE_BYTES, RoundOrder
from fedstats.identity.keys import Context, Signed
from fedstats.statistics.table import Table
from fedstats.wire.codec import (
    RefusalNote,
    decode_refusal,
    encode_query,
    encode_round,
    signed_from,
    signed_to,
)
from fedstats.wire.codec.strict import sha256
from fedstats.wire.methods import FETCH, SUBMIT
from fedstats.wire.v1 import analysts_pb2

WAIT_S_MAX = 60.0


def ask_for(session: Session, sql: str, *, epsilon: str, purpose: str) -> Mapping[str, RefusalNote | None]:
    """Ask for a purpose that nobody agreed to.

    What each department says: its signed no, None for an answer.
    """
    directory, now_s = session.directory(), int(time.time())
    statistic = Table.from_sql(sql, lambda name: directory.find(name).dataset)
    entry = directory.find(statistic.dataset)
    agreement, dataset = entry.agreement, entry.dataset
    agreed = Terms(
        agreement, agreement.purposes[0].code, dataset, choose(agreement, dataset, entry.holdings, None)
    )
    loss = loss_of(agreement, parse_epsilon(epsilon), pure=False)
    # The nonce makes a question like an earlier one a query of its own, as the honest client does it.
    drafted = draft(statistic, sql, agreed, loss, now_s=now_s, nonce=secrets.token_bytes(NONCE_BYTES))
    payload = encode_query(replace(drafted.query, purpose=purpose))
    order = RoundOrder(sha256(payload), 0, drafted.order.round, drafted.order.participants, b"")
    key, appointment = signing(session.home, directory.authority, agreement, now_s=now_s)
    submission = analysts_pb2.SubmitRequest(
        query=signed_to(Signed.make(Context.QUERY, payload, key)),
        round=signed_to(Signed.make(Context.ROUND, encode_round(order), key)),
        appointment=signed_to(appointment),
    )
    session.transport.call(SUBMIT, submission)
    patience = Patience(now_s + WAIT_S_MAX, time.time, _wait)
    follow(session.transport, order, job="", tell=lambda _: None, patience=patience)
    fetched = session.transport.call(FETCH, analysts_pb2.FetchRequest(query=order.query))
    return {outcome.department: _refusal(outcome) for outcome in fetched.rounds[0].outcomes}


def _refusal(outcome: analysts_pb2.Outcome) -> RefusalNote | None:
    if outcome.WhichOneof("what") != "refusal":
        return None
    return decode_refusal(signed_from(outcome.refusal).verify(Context.REFUSAL))


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)
