"""FS-3xx: connections and certificates."""

from __future__ import annotations

from typing import ClassVar

from fedstats.errors.root import Actor, FedstatsError


class NetworkError(FedstatsError):
    """Something between two machines."""

    code = "FS-300"
    title = "The connection failed."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.CALLER, Actor.OPERATOR)


class CoordinatorUnreachable(NetworkError):
    """No connection to the coordinator could be opened, or it broke."""

    code = "FS-301"
    title = "The coordinator cannot be reached."
    acts = (Actor.CALLER, Actor.OPERATOR)
    remedy = "Check the address, the network and the proxy; work that was accepted goes on when it is back."


class CertificateProblem(NetworkError):
    """TLS was refused: a foreign issuer, an expired certificate, or a wrong name."""

    code = "FS-302"
    title = "The TLS certificates do not fit."
    acts = (Actor.CALLER, Actor.OPERATOR)
    remedy = "If a proxy inspects TLS here, it must exempt the coordinator's host. Check the clock."


class NotPermitted(NetworkError):
    """This certificate may not call this service."""

    code = "FS-303"
    title = "Your certificate does not open this."
    acts = (Actor.OPERATOR,)


class TokenInvalid(NetworkError):
    """A join token is damaged, expired, used, or meant for something else."""

    code = "FS-304"
    title = "The token cannot be used."
    acts = (Actor.OPERATOR,)
    remedy = "Ask whoever runs the coordinator for a new one: fedstats coordinator invite"


class MessageInvalid(NetworkError):
    """A message is malformed, too large, or not in its canonical form."""

    code = "FS-305"
    title = "A message is malformed."
    acts = (Actor.CALLER, Actor.OPERATOR)


class NoReplyInTime(NetworkError):
    """The other side did not answer in time."""

    code = "FS-306"
    title = "No reply came in time."
    acts = (Actor.OPERATOR, Actor.DEPARTMENT_IT)


class NotFound(NetworkError):
    """The coordinator has nothing of this name."""

    code = "FS-307"
    title = "The coordinator has nothing of this name."
    acts = (Actor.CALLER, Actor.OPERATOR)


class ProxyRefused(NetworkError):
    """The proxy on the way does not let this computer through to the coordinator."""

    code = "FS-308"
    title = "The proxy refused."
    remedy = "Ask whoever runs the proxy to let this computer connect to the coordinator's host and port."
    acts = (Actor.DEPARTMENT_IT, Actor.CALLER)
