"""Fetching what the coordinator knows of the register's head and of departments' logs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from fedstats.node.register_view import RegisterView
from fedstats.wire.codec import decode_log_head
from fedstats.wire.method import Transport
from fedstats.wire.methods import HEADS, PROOF
from fedstats.wire.v1 import agreements_pb2, signed_pb2

HEADS_EVERY_S = 3_600


def gather(
    view: RegisterView,
    transport: Transport,
    nodes: Collection[tuple[str, bytes]],
    *,
    own: Callable[[Iterable[signed_pb2.Signed]], None] = lambda _: None,
) -> agreements_pb2.HeadsReply:
    """Hear the register's newest head, and keep the heads of other departments' logs.

    `nodes` are the keys that may have signed those, each with its department. `own` is shown all heads first,
    for what they say of this department's log; what it raises is raised.

    Raises
    ------
    NetworkError
        The coordinator did not answer.

    """
    seen, proof = view.seen(), None  # before the reply is made: another process may see more meanwhile
    reply = transport.call(HEADS, agreements_pb2.HeadsRequest())
    own(reply.heads)  # before anything is entered that would be signed for
    shown = decode_log_head(reply.register_head.payload)
    if seen is not None and 0 < seen.head.size < shown.size:
        request = agreements_pb2.ProofRequest(first=seen.head.size, second=shown.size)
        proof = transport.call(PROOF, request).consistency
    view.hear(reply.register_head, proof, asked=seen.head.size if seen else 0)
    view.keep_heads(reply.heads, nodes)
    return reply
