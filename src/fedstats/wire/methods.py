"""Every method of the coordinator, and the certificates it is open to: the first door, never the last.

A certificate gives no authority over data or agreements: those carry signatures of their own.
"""

from __future__ import annotations

from fedstats.identity.peer import Role
from fedstats.wire.method import Method
from fedstats.wire.v1 import agreements_pb2, analysts_pb2, nodes_pb2, signed_pb2

POLL_S_MAX = 50
"""The longest that a long poll waits: many proxies cut a silent connection after 60 seconds."""

_POLL_TIMEOUT_S = POLL_S_MAX + 15.0
_MEMBERS = frozenset({Role.NODE, Role.ANALYST, Role.CONTROLLER})
_READERS = frozenset({*_MEMBERS, Role.AUDITOR})
_PEOPLE = frozenset({Role.ANALYST, Role.CONTROLLER, Role.AUDITOR})
_NODES = frozenset({Role.NODE})
_ANALYSTS = frozenset({Role.ANALYST})
_TOKENS = frozenset({Role.JOIN})
_DEPARTMENTS = frozenset({Role.NODE, Role.CONTROLLER})

_LEASE_BYTES_MAX = 256 * 1024  # a thousand editions and as many decisions
_REPORT_BYTES_MAX = 34 * 2**20  # the release of a round with the most cells
_SUBMIT_BYTES_MAX = 2_000_000
_RESULT_BYTES_MAX = 201_000  # a result of 200 KB, its key and signature
_NAMED_BYTES_MAX = 1_024  # some numbers
_DOCUMENT_BYTES_MAX = 1_500_000  # an agreement has at most a million bytes

JOIN_NODE = Method("/fedstats.wire.v1.Nodes/Join", signed_pb2.JoinRequest, signed_pb2.JoinReply, _TOKENS)
RENEW_NODE = Method("/fedstats.wire.v1.Nodes/Renew", nodes_pb2.RenewRequest, signed_pb2.JoinReply, _NODES)
LEASE = Method(
    "/fedstats.wire.v1.Nodes/Lease",
    nodes_pb2.LeaseRequest,
    nodes_pb2.LeaseReply,
    _NODES,
    timeout_s=_POLL_TIMEOUT_S,
    long_poll=True,
    request_bytes_max=_LEASE_BYTES_MAX,
)
REPORT = Method(
    "/fedstats.wire.v1.Nodes/Report",
    nodes_pb2.ReportRequest,
    nodes_pb2.ReportReply,
    _NODES,
    timeout_s=120.0,
    request_bytes_max=_REPORT_BYTES_MAX,
)

JOIN_ANALYST = Method(
    "/fedstats.wire.v1.Analysts/Join", signed_pb2.JoinRequest, signed_pb2.JoinReply, _TOKENS
)
RENEW_ANALYST = Method(
    "/fedstats.wire.v1.Analysts/Renew", nodes_pb2.RenewRequest, signed_pb2.JoinReply, _PEOPLE
)
CATALOGUE = Method(
    "/fedstats.wire.v1.Analysts/Catalogue",
    analysts_pb2.CatalogueRequest,
    analysts_pb2.CatalogueReply,
    _MEMBERS,
)
SUBMIT = Method(
    "/fedstats.wire.v1.Analysts/Submit",
    analysts_pb2.SubmitRequest,
    analysts_pb2.SubmitReply,
    _ANALYSTS,
    request_bytes_max=_SUBMIT_BYTES_MAX,
)
WATCH = Method(
    "/fedstats.wire.v1.Analysts/Watch",
    analysts_pb2.WatchRequest,
    analysts_pb2.WatchReply,
    _ANALYSTS,
    timeout_s=_POLL_TIMEOUT_S,
    long_poll=True,
)
PROCEED = Method(
    "/fedstats.wire.v1.Analysts/Proceed",
    analysts_pb2.ProceedRequest,
    analysts_pb2.ProceedReply,
    _ANALYSTS,
    request_bytes_max=_SUBMIT_BYTES_MAX,
)
FETCH = Method(
    "/fedstats.wire.v1.Analysts/Fetch",
    analysts_pb2.FetchRequest,
    analysts_pb2.FetchReply,
    _ANALYSTS,
    timeout_s=120.0,
    large_reply=True,
)
PUBLISH_RESULT = Method(
    "/fedstats.wire.v1.Analysts/PublishResult",
    analysts_pb2.PublishResultRequest,
    analysts_pb2.PublishResultReply,
    _ANALYSTS,
    request_bytes_max=_RESULT_BYTES_MAX,
)

PUBLISH = Method(
    "/fedstats.wire.v1.Agreements/Publish",
    agreements_pb2.PublishRequest,
    agreements_pb2.PublishReply,
    _DEPARTMENTS,
    request_bytes_max=_DOCUMENT_BYTES_MAX,
)
SIGN = Method(
    "/fedstats.wire.v1.Agreements/Sign",
    agreements_pb2.SignRequest,
    agreements_pb2.PublishReply,
    _DEPARTMENTS,
    request_bytes_max=_DOCUMENT_BYTES_MAX,
)
FETCH_AUTHORITY = Method(
    "/fedstats.wire.v1.Agreements/Fetch",
    agreements_pb2.AuthorityRequest,
    agreements_pb2.AuthorityReply,
    _READERS,
    large_reply=True,
)
REGISTER = Method(
    "/fedstats.wire.v1.Agreements/Register",
    agreements_pb2.RegisterRequest,
    agreements_pb2.RegisterReply,
    _READERS,
    large_reply=True,
)
HEADS = Method(
    "/fedstats.wire.v1.Agreements/Heads",
    agreements_pb2.HeadsRequest,
    agreements_pb2.HeadsReply,
    _READERS,
    request_bytes_max=_NAMED_BYTES_MAX,
)
PROOF = Method(
    "/fedstats.wire.v1.Agreements/Proof",
    agreements_pb2.ProofRequest,
    agreements_pb2.ProofReply,
    _READERS,
    request_bytes_max=_NAMED_BYTES_MAX,
)
