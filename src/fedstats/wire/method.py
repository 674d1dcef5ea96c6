"""The shape of the wire: what a method is, and what carries a call to it. Imports no network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message

from fedstats.errors import ValueInvalid
from fedstats.identity.peer import Role

TIMEOUT_S = 20.0
TIMEOUT_S_MAX = 600.0
REQUEST_BYTES_MAX = 64 * 1024

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)

_PATH = re.compile(r"/([A-Za-z0-9_.]+)/([A-Za-z0-9_]+)")


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Reply]):
    """One unary method of the coordinator: where it is, what goes in, what comes out, whom it is open to.

    `roles` is the first door: the server turns every other certificate away before the service sees the call.
    A long poll (`long_poll`) may be held open until something happens; `timeout_s` must exceed what the
    service waits, and the server ends it at once when it stops. A request larger than `request_bytes_max` is
    refused before it is parsed: parsed messages can take thirty times as much memory. A reply may have tens
    of megabytes (`large_reply`): then few calls of one name are answered at once, and the others wait.
    """

    path: str  # "/package.Service/Name"
    request: type[Request]
    reply: type[Reply]
    roles: frozenset[Role]
    timeout_s: float = TIMEOUT_S
    long_poll: bool = False
    request_bytes_max: int = REQUEST_BYTES_MAX
    large_reply: bool = False

    def __post_init__(self) -> None:
        """Refuse a path gRPC cannot serve, a method open to nobody, and an endless timeout."""
        if not _PATH.fullmatch(self.path):
            raise ValueInvalid(f"{self.path} is not a path like /package.Service/Name.")
        if not self.roles or not 0 < self.timeout_s <= TIMEOUT_S_MAX:
            raise ValueInvalid(f"{self.path} needs a role that may call it and a timeout within 10 minutes.")

    @property
    def service(self) -> str:
        """The service's full name: `package.Service`."""
        return self.path.split("/")[1]

    @property
    def name(self) -> str:
        """The method's own name."""
        return self.path.split("/")[2]


class Transport(Protocol):
    """Whatever carries one call to the coordinator and brings back the reply: a network, or a simulation."""

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Call the method and wait for its reply, at most `timeout_s` (by default the method's own).

        Raises
        ------
        NetworkError
            The call did not reach the coordinator, or its reply did not come back. Whether the coordinator
            acted is then unknown, so every method may be repeated.
        FedstatsError
            The coordinator refused, with the same class and sentence as over there.

        """
        ...
