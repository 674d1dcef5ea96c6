"""The node's connection to its coordinator, with a certificate that is renewed before it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock

from fedstats.errors import FedstatsError
from fedstats.identity.certificates import check_issued, later_authority, validity_of
from fedstats.identity.key_files import read_certificate, read_tls_key, write_certificate
from fedstats.journal.events import CERTIFICATE_NOT_RENEWED, CERTIFICATE_RENEWED
from fedstats.node.home import Home
from fedstats.wire.channel import Channel, ClientTls
from fedstats.wire.method import Method, Reply, Request
from fedstats.wire.methods import RENEW_NODE
from fedstats.wire.network import Network
from fedstats.wire.v1 import nodes_pb2


class Connection:
    """A `Transport` over mutual TLS. Safe to use from several threads."""

    def __init__(self, home: Home, *, now: Callable[[], float], network: Network | None = None) -> None:
        """Read keys, certificates and address; the first call connects, as `network` says.

        Raises
        ------
        NotJoined
            The node has not joined a federation.
        FileProblem
            A key or certificate is missing or damaged.

        """
        self.address, server_name = home.read_coordinator()
        self._home = home
        self._now = now
        self.network = network or Network()
        self._tls = ClientTls(
            authority_der=read_certificate(home.authority),
            certificate_der=read_certificate(home.certificate),
            key=read_tls_key(home.tls_key),
            server_name=server_name,
        )
        self._turn = Lock()
        self._channel = self._open()

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Call the coordinator; see `Transport`."""
        return self._channel.call(method, request, timeout_s)

    def close(self) -> None:
        """End the connection; calls that wait in other threads end with CoordinatorUnreachable."""
        self._channel.close()

    def renew_if_due(self) -> None:
        """Get a new certificate for the same key when a third of the old one's time is left.

        A failure is logged and tried again at the next call: the old certificate works until it ends.
        """
        with self._turn:
            if self._moment() < validity_of(self._tls.certificate_der).renew_from:
                return
            try:
                request = nodes_pb2.RenewRequest(certificate_request=self._tls.key.request())
                reply = self.call(RENEW_NODE, request)
                certificate = reply.certificate
                check_issued(certificate, self._tls.authority_der, self._tls.key)
                authority = later_authority(self._tls.authority_der, reply.authority)
                write_certificate(self._home.authority, authority, replace=True)
                write_certificate(self._home.certificate, certificate, replace=True)
            except FedstatsError as problem:
                CERTIFICATE_NOT_RENEWED(problem=problem)
                return
            self._tls = replace(self._tls, certificate_der=certificate, authority_der=authority)
            old, self._channel = self._channel, self._open()
            old.close()
        CERTIFICATE_RENEWED()

    def _open(self) -> Channel:
        return Channel(self.address, self._tls, network=self.network, clock=self._moment)

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._now(), UTC)
