"""The wire over real TLS on loopback: who gets in, what comes back, and what each failure says."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue, StringValue, UInt32Value
from suite_log import Happened
from wire_world import (
    ALL,
    AUTHORITY,
    ECHO,
    FAIL,
    FOREIGN,
    KEY,
    LEASE,
    LIMIT_BYTES,
    NODES_ONLY,
    NOW,
    UNKNOWN,
    WHOAMI,
    Coordinator,
    client_tls,
    server_tls,
)

from fedstats.errors import (
    BudgetExceeded,
    CertificateProblem,
    ConfigInvalid,
    CoordinatorUnreachable,
    FedstatsError,
    InternalError,
    MessageInvalid,
    NoReplyInTime,
    NotPermitted,
    Spent,
)
from fedstats.identity.certificates import certificate_to_pem, make_authority
from fedstats.identity.peer import Peer, Role
from fedstats.journal.events import CALL_FAILED
from fedstats.wire.channel import Channel
from fedstats.wire.method import Method
from fedstats.wire.server import ServerTls


@pytest.mark.parametrize(
    "uri", ["fedstats:node:gstt", "fedstats:analyst:j.smith", f"fedstats:join:{'0a' * 10}"]
)
def test_a_call_carries_role_and_name(coordinator: Coordinator, uri: str) -> None:
    """A handler learns who calls from the certificate that TLS verified, not from the message."""
    with Channel(coordinator.address, client_tls(Peer.from_uri(uri))) as channel:
        reply = channel.call(WHOAMI, BytesValue(value=b"123"))
    _, role, name = uri.split(":")
    assert reply.value == f"{role} {name} 3"


def test_a_host_name_works_as_well_as_an_address(coordinator: Coordinator) -> None:
    """The names and addresses in the server's certificate are those that clients may use."""
    with Channel(f"localhost:{coordinator.server.port}", client_tls()) as channel:
        assert channel.call(WHOAMI, BytesValue()).value == "node gstt 0"


def test_threads_share_one_channel(coordinator: Coordinator) -> None:
    """A node's lease thread and its workers use one connection at once."""
    with Channel(coordinator.address, client_tls()) as channel, ThreadPoolExecutor(8) as pool:
        sizes = list(range(40))
        replies = pool.map(lambda size: channel.call(WHOAMI, BytesValue(value=bytes(size))), sizes)
        assert [reply.value for reply in replies] == [f"node gstt {size}" for size in sizes]


def test_a_method_opens_to_its_roles_only(coordinator: Coordinator) -> None:
    """A bootstrap or analyst's certificate does not open what nodes call; the handler never runs."""
    with Channel(coordinator.address, client_tls(Peer(Role.JOIN, "0a" * 10))) as channel:
        with pytest.raises(NotPermitted, match="join does not open NodesOnly"):
            channel.call(NODES_ONLY, BytesValue())
        assert channel.call(WHOAMI, BytesValue()).value.startswith("join")


def test_the_server_takes_no_caller_without_certificate(coordinator: Coordinator) -> None:
    """There is no anonymous access, not even to the health service."""
    credentials = grpc.ssl_channel_credentials(certificate_to_pem(AUTHORITY.certificate_der))
    with grpc.secure_channel(coordinator.address, credentials) as anonymous:
        for path in (WHOAMI.path, "/grpc.health.v1.Health/Check"):
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = anonymous.unary_unary(path)
            with pytest.raises(grpc.RpcError) as problem:
                call(b"", timeout=5)
            assert problem.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_certificate_of_another_authority_is_refused(coordinator: Coordinator) -> None:
    """Whoever makes an authority of the same title gets in nowhere."""
    impostor = make_authority("Waiting times", now=NOW)
    with (
        Channel(coordinator.address, client_tls(by=impostor)) as channel,
        pytest.raises(CoordinatorUnreachable, match="does not accept our certificate"),
    ):
        channel.call(WHOAMI, BytesValue())


def test_an_expired_certificate_is_refused_and_the_client_knows_why(coordinator: Coordinator) -> None:
    """An expired certificate opens nothing, and the error says that it is ours and when it ended."""
    old = NOW - timedelta(days=3)
    with (
        Channel(coordinator.address, client_tls(now=old)) as channel,
        pytest.raises(CertificateProblem, match="Our own certificate expired at 20"),
    ):
        channel.call(WHOAMI, BytesValue())


def test_an_open_connection_does_not_outlive_its_certificate(start: Callable[..., Coordinator]) -> None:
    """A connection that stays open for months is refused once its certificate has expired."""
    later = [NOW]
    coordinator = start(clock=lambda: later[0])
    with Channel(coordinator.address, client_tls()) as channel:
        assert channel.call(WHOAMI, BytesValue()).value == "node gstt 0"
        later[0] = NOW + timedelta(days=1)
        with pytest.raises(NotPermitted, match="expired"):
            channel.call(WHOAMI, BytesValue())


def test_a_foreign_issuer_is_recognised(coordinator: Coordinator) -> None:
    """A proxy that inspects TLS shows a certificate of its own: nothing is sent, and the error says so."""
    trusting_another = replace(client_tls(), authority_der=FOREIGN.certificate_der)
    with (
        Channel(coordinator.address, trusting_another) as channel,
        pytest.raises(CertificateProblem, match="not this federation's coordinator") as problem,
    ):
        channel.call(WHOAMI, BytesValue())
    assert "inspects TLS" in str(problem.value)


def test_a_node_cannot_pose_as_the_coordinator(start: Callable[..., Coordinator]) -> None:
    """A server with a client's certificate of the same authority is not believed."""
    node_as_server = ServerTls(AUTHORITY.certificate_der, client_tls().certificate_der, KEY)
    coordinator = start(tls=node_as_server)
    named = replace(client_tls(), server_name="gstt")
    for tls in (client_tls(), named):
        with Channel(coordinator.address, tls) as channel, pytest.raises(CertificateProblem):
            channel.call(WHOAMI, BytesValue())


def test_the_servers_name_must_fit(start: Callable[..., Coordinator]) -> None:
    """A certificate for another host is refused, unless the token said that this is the server's name."""
    coordinator = start(tls=server_tls("stats.example.gov.uk"))
    with (
        Channel(coordinator.address, client_tls()) as channel,
        pytest.raises(CertificateProblem, match=r"not for 127\.0\.0\.1"),
    ):
        channel.call(WHOAMI, BytesValue())
    with Channel(coordinator.address, replace(client_tls(), server_name="stats.example.gov.uk")) as channel:
        assert channel.call(WHOAMI, BytesValue()).value == "node gstt 0"


def test_a_refusal_arrives_as_itself(coordinator: Coordinator) -> None:
    """An error raised by the service is the same at the client: class, sentence, place, advice, cost."""
    with Channel(coordinator.address, client_tls()) as channel, pytest.raises(BudgetExceeded) as problem:
        channel.call(FAIL, StringValue(value="refuse"))
    error = problem.value
    assert (error.sentence, error.where) == ("21 % is left — ask for less.", "gstt")
    assert (error.advice, error.spent) == ("Wait.", Spent.NOTHING)


def test_a_long_refusal_is_cut_not_lost(coordinator: Coordinator) -> None:
    """However long a sentence is, the caller gets the error and not a broken connection."""
    with Channel(coordinator.address, client_tls()) as channel, pytest.raises(BudgetExceeded) as problem:
        channel.call(FAIL, StringValue(value="at length"))
    assert problem.value.sentence.endswith("…")
    assert len(problem.value.sentence) == 1_000


def test_a_bug_stays_inside_and_in_the_log(coordinator: Coordinator, noted: list[Happened]) -> None:
    """An unknown exception reaches the caller as one fixed sentence, and the log as its type and place."""
    with (
        Channel(coordinator.address, client_tls()) as channel,
        pytest.raises(InternalError) as problem,
    ):
        channel.call(FAIL, StringValue(value="secret detail"))
    assert "secret detail" not in str(problem.value)
    assert "Fail" in problem.value.sentence
    (failed,) = [said for event, said in noted if event is CALL_FAILED]
    assert failed["problem"] == "ZeroDivisionError"
    assert failed["places"]


@pytest.mark.parametrize("size, fits", [(LIMIT_BYTES - 100, True), (20_000_000, False)])
def test_the_size_of_a_request_is_limited(coordinator: Coordinator, size: int, fits: bool) -> None:  # noqa: FBT001 # one column of a table
    """A request up to 16 MiB arrives; a larger one is refused with both numbers, and the channel goes on."""
    with Channel(coordinator.address, client_tls()) as channel:
        if fits:
            assert channel.call(WHOAMI, BytesValue(value=bytes(size))).value == f"node gstt {size}"
        else:
            with pytest.raises(MessageInvalid, match=r"too large: 20,000,0\d\d bytes, 16,777,216"):
                channel.call(WHOAMI, BytesValue(value=bytes(size)))
        assert channel.call(WHOAMI, BytesValue()).value == "node gstt 0"


def test_messages_of_another_kind_are_refused(coordinator: Coordinator) -> None:
    """Bytes that are not the method's message are a typed error on either side."""
    no_text = BytesValue(value=b"\xff")
    echo_as_text = Method(ECHO.path, BytesValue, StringValue, roles=ALL)
    fail_with_bytes = Method(FAIL.path, BytesValue, StringValue, roles=ALL)
    with Channel(coordinator.address, client_tls()) as channel:
        assert channel.call(ECHO, no_text) == no_text
        with pytest.raises(MessageInvalid, match="reply to Echo cannot be read"):
            channel.call(echo_as_text, no_text)
        with pytest.raises(MessageInvalid, match="request to Fail cannot be read"):
            channel.call(fail_with_bytes, no_text)


def test_an_unknown_method_is_a_matter_of_versions(coordinator: Coordinator) -> None:
    """A newer client learns that the coordinator is older, not that something broke."""
    with (
        Channel(coordinator.address, client_tls()) as channel,
        pytest.raises(MessageInvalid, match="does not know Unknown: it runs another version"),
    ):
        channel.call(UNKNOWN, BytesValue())


def test_a_call_ends_at_its_deadline(coordinator: Coordinator) -> None:
    """A long poll that brings nothing ends when its caller says, here and on the server."""
    with Channel(coordinator.address, client_tls()) as channel:
        with pytest.raises(NoReplyInTime, match=r"Lease within 0\.2 s"):
            channel.call(LEASE, BytesValue(), timeout_s=0.2)
        assert coordinator.service.ended.wait(timeout=5)


def test_a_stopping_server_ends_long_polls_at_once(coordinator: Coordinator) -> None:
    """Stopping does not wait for waiting nodes: their polls end with a sentence, and they call again."""
    with Channel(coordinator.address, client_tls()) as channel, ThreadPoolExecutor(1) as pool:
        poll = pool.submit(channel.call, LEASE, BytesValue())
        assert coordinator.service.waiting.wait(timeout=5)
        coordinator.run(coordinator.server.stop(grace_s=30))
        with pytest.raises(CoordinatorUnreachable, match="stopping"):
            poll.result(timeout=5)
        assert coordinator.service.ended.is_set()


def test_closing_a_channel_ends_its_calls(coordinator: Coordinator) -> None:
    """A node that is told to stop closes its channel, and its lease thread comes back at once."""
    channel = Channel(coordinator.address, client_tls())
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(channel.call, LEASE, BytesValue())
        assert coordinator.service.waiting.wait(timeout=5)
        channel.close()
        with pytest.raises(CoordinatorUnreachable, match="closed here"):
            poll.result(timeout=5)
    with pytest.raises(CoordinatorUnreachable, match="closed here"):
        channel.call(WHOAMI, BytesValue())
    assert coordinator.service.ended.wait(timeout=5)


def test_a_channel_survives_a_restart_of_the_server(start: Callable[..., Coordinator]) -> None:
    """After the coordinator was away and came back, the same channel works again."""
    first = start()
    with Channel(first.address, client_tls()) as channel:
        assert channel.call(WHOAMI, BytesValue()).value == "node gstt 0"
        first.run(first.server.stop(0))
        with pytest.raises(CoordinatorUnreachable):
            channel.call(WHOAMI, BytesValue())
        start(listen=first.address)
        assert _until_it_answers(channel) == "node gstt 0"


def _until_it_answers(channel: Channel) -> str:
    """Call until the connection is back; gRPC waits half a second between its attempts."""
    deadline = datetime.now(UTC) + timedelta(seconds=8)
    while True:
        try:
            return channel.call(WHOAMI, BytesValue()).value
        except CoordinatorUnreachable:
            if datetime.now(UTC) > deadline:
                raise


def test_a_port_is_not_shared(coordinator: Coordinator, start: Callable[..., Coordinator]) -> None:
    """A second coordinator on the same port fails with a sentence, instead of taking half of the calls."""
    with pytest.raises(ConfigInvalid, match=f"Cannot listen on {coordinator.address}"):
        start(listen=coordinator.address)


def test_nobody_at_home() -> None:
    """A closed port and an unknown host are told apart in the sentence, and the address is in both."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with Channel(address, client_tls()) as channel, pytest.raises(CoordinatorUnreachable) as problem:
            channel.call(WHOAMI, BytesValue())
    assert f"No connection to {address}: nothing listens there." in str(problem.value)
    with (
        Channel("coordinator.invalid:443", client_tls()) as channel,
        pytest.raises(CoordinatorUnreachable, match=r"No connection to coordinator\.invalid:443"),
    ):
        channel.call(WHOAMI, BytesValue())


def test_health_is_asked_with_any_certificate(coordinator: Coordinator) -> None:
    """The standard health check answers for the whole server and for each service, and knows no others."""
    check = Method("/grpc.health.v1.Health/Check", StringValue, UInt32Value, roles=ALL)
    with Channel(coordinator.address, client_tls(Peer(Role.JOIN, "0a" * 10))) as channel:
        for service in ("", "test.Wire", "grpc.health.v1.Health"):
            # HealthCheckRequest{string service = 1} and HealthCheckResponse{enum status = 1; SERVING = 1}
            # have the same bytes as these two wrappers.
            assert channel.call(check, StringValue(value=service)).value == 1
        with pytest.raises(FedstatsError, match="not_found"):
            channel.call(check, StringValue(value="other.Service"))
