"""Years of renewals on a clock that is told the time, ending at the real one, where real TLS is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from wire_world import WHOAMI, Coordinator

from fedstats.coordinator.authority import Admission, server_tls
from fedstats.coordinator.store import Store
from fedstats.errors import CertificateProblem
from fedstats.identity.certificates import make_authority, validity_of
from fedstats.identity.peer import Peer, Role, peer_of
from fedstats.identity.tls_key import TlsKey
from fedstats.testing.clock import ManualClock
from fedstats.wire.channel import Channel, ClientTls
from fedstats.wire.v1 import nodes_pb2, signed_pb2

NOW = datetime.now(UTC)  # TLS itself looks at the real clock
YEARS = timedelta(days=3 * 365)
DAY_S = 86_400


def test_certificates_are_renewed_for_years_and_touch_nobody_else(
    start: Callable[..., Coordinator],
) -> None:
    """A member that comes by every month always has a certificate that counts; the others keep theirs."""
    began = NOW - YEARS
    clock, authority = ManualClock(began.timestamp()), make_authority("Years", now=began)
    store = Store.in_memory()
    admission = Admission(authority, store.members, clock)
    keys = {peer: TlsKey.generate() for peer in (Peer(Role.NODE, "gstt"), Peer(Role.ANALYST, "a.smith"))}
    first = {peer: joined(admission, peer, key) for peer, key in keys.items()}
    held, renewals = dict(first), 0
    while clock() < NOW.timestamp():
        clock.pass_s(min(30 * DAY_S, NOW.timestamp() - clock()))
        moment = datetime.fromtimestamp(clock(), UTC)
        for peer, key in keys.items():
            assert moment < validity_of(held[peer]).not_after
            if moment >= validity_of(held[peer]).renew_from:
                others = [certificate for other, certificate in held.items() if other != peer]
                request = nodes_pb2.RenewRequest(certificate_request=key.request())
                held[peer] = admission.renew(request, peer_of(held[peer])).certificate
                renewals += 1
                assert all(store.members.knows(peer_of(certificate)) for certificate in others)
    assert renewals > 2 * 3 * 4  # each about every 60 days
    server = start(tls=server_tls(authority, ["localhost", "127.0.0.1"], now=NOW))
    for peer, key in keys.items():
        with Channel(server.address, ClientTls(authority.certificate_der, held[peer], key)) as channel:
            assert peer.name in channel.call(WHOAMI, BytesValue()).value
        away = ClientTls(authority.certificate_der, first[peer], key)
        with Channel(server.address, away) as channel, pytest.raises(CertificateProblem) as refused:
            channel.call(WHOAMI, BytesValue())
        assert "Our own certificate expired at" in refused.value.sentence
        assert "coordinator invite" in refused.value.advice
    store.close()


def joined(admission: Admission, peer: Peer, key: TlsKey) -> bytes:
    """The first certificate of a member, for its token."""
    token = admission.invite(peer, address="stats.example.org:443", lifetime=timedelta(days=1))
    request = signed_pb2.JoinRequest(certificate_request=key.request())
    join = admission.join_node if peer.role is Role.NODE else admission.join_person
    return join(request, Peer(Role.JOIN, token.token_id)).certificate
