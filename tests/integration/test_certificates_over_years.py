"""Years of renewals on a clock that is told the time, ending at the real one, where real TLS is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from wire_world import WHOAMI, Coordinator

from fedstats.coordinator.authority import (
    Admission,
    create_authority,
    read_authority,
    renew_if_due,
    server_tls,
)
from fedstats.coordinator.store import Store
from fedstats.errors import CertificateProblem
from fedstats.identity.certificates import (
    issue,
    later_authority,
    make_authority,
    renew_authority,
    validity_of,
)
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
        assert refused.value.advice.endswith(f"coordinator invite {peer.role.value} {peer.name} --again")
    store.close()


def test_the_authority_itself_is_renewed_and_nobody_joins_anew(
    start: Callable[..., Coordinator], tmp_path: Path
) -> None:
    """With less than two years left it gets a later certificate of the same key; both are believed."""
    old = create_authority(tmp_path, "Years", now=NOW - timedelta(days=9 * 365))
    key, peer = TlsKey.generate(), Peer(Role.NODE, "gstt")
    renewed = renew_if_due(tmp_path, old, now=NOW)
    assert read_authority(tmp_path).certificate_der == renewed.certificate_der != old.certificate_der
    assert renew_if_due(tmp_path, renewed, now=NOW) is renewed
    server = start(tls=server_tls(renewed, ["localhost", "127.0.0.1"], now=NOW))
    certificate = issue(renewed, key.request(), peer, now=NOW)
    shown = later_authority(old.certificate_der, renewed.certificate_der)
    assert shown == renewed.certificate_der
    for pinned in (old.certificate_der, shown):
        with Channel(server.address, ClientTls(pinned, certificate, key)) as channel:
            assert channel.call(WHOAMI, BytesValue()).value == "node gstt 0"


def test_no_other_authority_takes_the_place_of_the_known_one() -> None:
    """One of another key, an older one, and rubbish are not believed, whoever shows them."""
    known, other = make_authority("Years", now=NOW), make_authority("Years", now=NOW + timedelta(days=1))
    older = renew_authority(known, now=NOW - timedelta(days=1))
    end = issue(known, TlsKey.generate().request(), Peer(Role.NODE, "gstt"), now=NOW)
    for shown in (other.certificate_der, older.certificate_der, end, b"", b"rubbish"):
        assert later_authority(known.certificate_der, shown) == known.certificate_der


def joined(admission: Admission, peer: Peer, key: TlsKey) -> bytes:
    """The first certificate of a member, for its token."""
    token = admission.invite(peer, address="stats.example.org:443", lifetime=timedelta(days=1))
    request = signed_pb2.JoinRequest(certificate_request=key.request())
    join = admission.join_node if peer.role is Role.NODE else admission.join_person
    return join(request, Peer(Role.JOIN, token.token_id)).certificate
