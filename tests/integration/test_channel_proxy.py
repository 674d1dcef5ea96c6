"""The channel behind proxies, and which proxies, methods and settings it takes."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest
from google.protobuf.wrappers_pb2 import BytesValue, StringValue
from wire_world import ALL, KEY, WHOAMI, Coordinator, client_tls, server_tls

from fedstats.errors import (
    ConfigInvalid,
    CoordinatorUnreachable,
    ProxyRefused,
    ValueInvalid,
)
from fedstats.wire.channel import Channel
from fedstats.wire.method import Method
from fedstats.wire.network import Network


def test_a_channel_goes_through_a_proxy(coordinator: Coordinator) -> None:
    """With a proxy, the connection is a tunnel (HTTP CONNECT, with the password); TLS stays end to end."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(2) as pool:
        listener.settimeout(5)
        seen = pool.submit(_proxy_once, listener, coordinator.server.port, pool)
        environment = {"HTTPS_PROXY": f"http://user:w%40rd@127.0.0.1:{listener.getsockname()[1]}"}
        tls = replace(client_tls(), server_name="localhost")
        with Channel("stats.example.invalid:443", tls, environment=environment) as channel:
            assert channel.call(WHOAMI, BytesValue()).value == "node gstt 0"
        request = seen.result(timeout=5)
    assert request.startswith("CONNECT stats.example.invalid:443 HTTP/1.")
    assert "Basic dXNlcjp3QHJk" in request  # user:w@rd, in base64


def test_a_proxy_that_wants_a_password_says_so() -> None:
    """A refusal by the proxy is told from one by the coordinator, with the proxy's own status."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(5)
        answered = pool.submit(_refuse_once, listener)
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Channel("stats.example.invalid:443", client_tls(), network=Network(proxy=proxy)) as channel:
            with pytest.raises(ProxyRefused, match=r"asks for a user and password \(407\)") as problem:
                channel.call(WHOAMI, BytesValue())
            assert "proxy_credentials_file" in problem.value.advice
        answered.result(timeout=5)
    with (
        Channel("stats.example.invalid:443", client_tls(), network=Network(proxy=proxy)) as channel,
        pytest.raises(
            CoordinatorUnreachable, match=r"through the proxy 127\.0\.0\.1:\d+: nothing listens there"
        ),
    ):
        channel.call(WHOAMI, BytesValue())


def test_this_machine_is_reached_without_the_environments_proxy(
    coordinator: Coordinator,
) -> None:
    """On a desk behind a proxy, a coordinator on loopback (the demo's) is still reached directly."""
    environment = dict.fromkeys(("grpc_proxy", "https_proxy", "http_proxy"), "http://127.0.0.1:1")
    with Channel(coordinator.address, client_tls(), environment=environment) as channel:
        assert channel.call(WHOAMI, BytesValue()).value == "node gstt 0"


def _refuse_once(listener: socket.socket) -> None:
    inside, _ = listener.accept()
    with inside:
        inside.recv(65_536)
        inside.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")


@pytest.mark.parametrize(
    "proxy",
    ["proxy:3128", "https://proxy:3128", "http://proxy", "http://u:secret@p:0", "http://u:secret@p:3128"],
)
def test_proxies_of_another_form_are_refused(proxy: str) -> None:
    """A proxy that gRPC would ignore in silence is refused, and the sentence shows no password."""
    with pytest.raises((ConfigInvalid, ValueInvalid)) as problem:
        Network(proxy=proxy)
    assert "secret" not in str(problem.value)


def _proxy_once(listener: socket.socket, port: int, pool: ThreadPoolExecutor) -> str:
    """Serve one CONNECT, whatever its target, by a tunnel to `port`; return the request's head."""
    inside, _ = listener.accept()
    with inside, socket.create_connection(("127.0.0.1", port)) as outside:
        head = inside.recv(65_536).decode()
        inside.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = pool.submit(_pump, outside, inside)
        _pump(inside, outside)
        back.result(timeout=5)
    return head


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # either end may be gone already
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("path", ["", "Wire/Call", "/Wire", "/a b/Call", "/test.Wire/Call/x"])
def test_methods_have_a_path(path: str) -> None:
    """A method that gRPC could not serve does not exist."""
    with pytest.raises(ValueInvalid):
        Method(path, BytesValue, StringValue, roles=ALL)


def test_methods_are_open_to_somebody_and_end() -> None:
    """Who may call is never forgotten, and no method waits for ever."""
    with pytest.raises(ValueInvalid):
        Method(WHOAMI.path, BytesValue, StringValue, roles=frozenset())
    with pytest.raises(ValueInvalid):
        Method(WHOAMI.path, BytesValue, StringValue, roles=ALL, timeout_s=0)


def test_tls_settings_show_no_key() -> None:
    """No repr of what holds a private key shows it."""
    assert "der" not in repr(client_tls()).replace("authority_der", "").replace("certificate_der", "")
    assert repr(KEY.private_pem()) not in repr(client_tls()) + repr(server_tls())
