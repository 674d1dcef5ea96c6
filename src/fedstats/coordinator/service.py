"""The coordinator itself: every method of the wire as a function, without network, threads or clock."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from fedstats.coordinator.agreements import Agreements
from fedstats.coordinator.analysts import Analysts
from fedstats.coordinator.authority import Admission
from fedstats.coordinator.config import Limits
from fedstats.coordinator.desk import Answer, Desk, Poll
from fedstats.coordinator.nodes import Nodes
from fedstats.coordinator.proceedings import Proceedings
from fedstats.coordinator.register_log import RegisterLog
from fedstats.coordinator.results import Results
from fedstats.coordinator.store import Store
from fedstats.coordinator.witnessing import Witnessing
from fedstats.errors import MessageInvalid, NotPermitted
from fedstats.identity.certificates import Authority
from fedstats.identity.keys import SigningKey
from fedstats.identity.peer import Peer
from fedstats.wire import methods
from fedstats.wire.method import Method, Reply, Request

TOKEN_BYTES = 16


def new_token() -> str:
    """A lease token that nobody can guess."""
    return secrets.token_hex(TOKEN_BYTES)


@dataclass(frozen=True, slots=True)
class Coordinator:
    """All services over one store. Synchronous, and called by one thread at a time.

    `answers` are the methods that reply at once, `polls` those that may wait; `tick` is to be called about
    once a second. A network server (`server`) and a simulation (`call`) drive the same object.
    """

    desk: Desk
    admission: Admission
    answers: Mapping[Method[Any, Any], Answer]
    polls: Mapping[Method[Any, Any], Poll[Any, Any]]

    @classmethod
    def of(
        cls,
        store: Store,
        authority: Authority,
        *,
        key: SigningKey,
        now: Callable[[], float],
        limits: Limits | None = None,
        ring: Callable[[str], None] = lambda _topic: None,
        token: Callable[[], str] = new_token,
    ) -> Self:
        """A coordinator over a store. `key` signs the heads of the register, and nothing else.

        `ring` hears the topic of every change, after it is durable.
        """
        desk = Desk(store, now, token, limits or Limits(), ring)
        admission = Admission(authority, store.members, now, Witnessing(desk).records)
        witnessing = Witnessing(desk)
        log = RegisterLog(desk, key)
        nodes = Nodes(desk, witnessing, log)
        analysts = Analysts(desk, log, nodes.seen_s)
        agreements = Agreements(desk, witnessing)
        return cls(
            desk=desk,
            admission=admission,
            answers={
                methods.JOIN_NODE: admission.join_node,
                methods.RENEW_NODE: admission.renew,
                methods.REPORT: nodes.report,
                methods.JOIN_ANALYST: admission.join_person,
                methods.RENEW_ANALYST: admission.renew,
                methods.CATALOGUE: analysts.catalogue,
                methods.SUBMIT: analysts.submit,
                methods.PROCEED: Proceedings(desk).proceed,
                methods.FETCH: analysts.fetch,
                methods.PUBLISH_RESULT: Results(desk).publish,
                methods.PUBLISH: agreements.publish,
                methods.SIGN: agreements.sign,
                methods.FETCH_AUTHORITY: agreements.fetch,
                methods.REGISTER: agreements.register,
                methods.HEADS: log.heads,
                methods.PROOF: log.proof,
            },
            polls={methods.LEASE: nodes.lease_poll(), methods.WATCH: analysts.watch_poll()},
        )

    def call(self, method: Method[Request, Reply], request: Request, peer: Peer) -> Reply:
        """Let time pass, and answer a call at once; a poll that has nothing to say says so without waiting.

        Raises
        ------
        NotPermitted
            The peer's role does not open this method.
        FedstatsError
            The coordinator refuses.

        """
        if peer.role not in method.roles:
            raise NotPermitted(f"A certificate for the role {peer.role.value} does not open {method.name}.")
        if request.ByteSize() > method.request_bytes_max:
            raise MessageInvalid(f"The request to {method.name} is too large.")
        answer = self.polls[method].answer if method in self.polls else self.answers.get(method)
        if answer is None:
            raise MessageInvalid(f"This coordinator does not know {method.name}.")
        self.tick()
        reply: Reply = answer(request, peer)
        return reply

    def tick(self) -> None:
        """What the passing of time does: leases end, and deadlines pass."""
        now_s = self.desk.now()
        for change in self.desk.store.tasks.expire(now_s):
            self.desk.tell(change)
        self.desk.store.questions.tell_missing(now_s)
