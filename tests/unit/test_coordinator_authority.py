"""Letting members in: one-use tokens, certificates in a token's name, renewals in a certificate's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from coordinator_world import AUTHORITY, NODES, World, join
from samples import NOW_S, seed_key

from fedstats.coordinator.authority import create_authority, fingerprint_of, read_authority, server_tls
from fedstats.coordinator.store_members import CERTIFICATES_EACH_MAX
from fedstats.errors import AlreadyExists, FileProblem, MessageInvalid, NotFound, TokenInvalid
from fedstats.identity.certificates import check_issued, validity_of
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.identity.token import Token
from fedstats.wire import methods
from fedstats.wire.v1 import nodes_pb2, signed_pb2

NOW = datetime.fromtimestamp(NOW_S, UTC)
NORTH = Peer(Role.NODE, "north")
KEY = TlsKey.generate()


@pytest.fixture
def world() -> World:
    """Nobody has joined."""
    return World()


def invited(world: World, peer: Peer = NORTH, *, again: bool = False, days: int = 1) -> Token:
    """A token for somebody."""
    lifetime = timedelta(days=days)
    return world.admission.invite(peer, address="stats.example:8443", lifetime=lifetime, again=again)


def use(world: World, token: Token, key: TlsKey = KEY, signing_key: bytes = b"") -> bytes:
    """Join as a node with a token; the certificate."""
    request = signed_pb2.JoinRequest(certificate_request=key.request(), signing_key=signing_key)
    peer = Peer(Role.JOIN, token.token_id)
    return world.coordinator.call(methods.JOIN_NODE, request, peer).certificate


def test_a_token_becomes_a_certificate_in_its_own_name(world: World) -> None:
    """Role and name come from the token; the request brings nothing but its key."""
    token = Token.parse(invited(world).text())
    signing_key = seed_key("node north").public.raw
    certificate = use(world, token, signing_key=signing_key)
    owner = check_issued(certificate, token.ca_certificate_der, KEY)
    assert (owner.role, owner.name) == (Role.NODE, "north")
    assert validity_of(certificate).not_after == NOW + timedelta(days=90)
    (member,) = world.store.members.all()
    assert (member.name, member.joined_s, member.signing_key) == ("north", NOW_S, signing_key)


def test_a_token_works_once(world: World) -> None:
    """A second key is refused; the same key, whose reply was lost, gets a certificate again until the end."""
    token = invited(world)
    first, again = use(world, token), use(world, token)
    assert (
        check_issued(first, AUTHORITY.certificate_der, KEY).serial
        != check_issued(again, AUTHORITY.certificate_der, KEY).serial
    )
    with pytest.raises(TokenInvalid, match="used already"):
        use(world, token, TlsKey.generate())
    world.clock.pass_s(86_400)
    with pytest.raises(TokenInvalid, match="expired"):
        use(world, token)


def test_a_refused_join_does_not_use_the_token(world: World) -> None:
    """A malformed request, or the wrong kind of join, leaves the token good."""
    token = invited(world)
    peer = Peer(Role.JOIN, token.token_id)
    with pytest.raises(MessageInvalid):
        world.coordinator.call(methods.JOIN_NODE, signed_pb2.JoinRequest(certificate_request=b"no"), peer)
    with pytest.raises(MessageInvalid):
        use(world, token, signing_key=b"short")
    request = signed_pb2.JoinRequest(certificate_request=KEY.request())
    with pytest.raises(TokenInvalid, match="for the node north") as told:
        world.coordinator.call(methods.JOIN_ANALYST, request, peer)
    assert "fedstats node join" in told.value.advice
    assert world.store.members.all() == []
    use(world, token)


def test_an_unknown_token_opens_nothing(world: World) -> None:
    """A bootstrap certificate whose token is not stored here, or was lost with the store, is refused."""
    with pytest.raises(TokenInvalid, match="not known"):
        use(World(), invited(world))


def test_a_name_is_given_twice_only_on_purpose(world: World) -> None:
    """Inviting somebody who joined needs --again; then the newer join replaces what was known."""
    use(world, invited(world))
    with pytest.raises(AlreadyExists):
        invited(world)
    world.clock.pass_s(10)
    use(world, invited(world, again=True), TlsKey.generate())
    (member,) = world.store.members.all()
    assert member.joined_s == NOW_S + 10


def peer_of_certificate(certificate: bytes, key: TlsKey = KEY) -> Peer:
    """Whom the server sees."""
    return check_issued(certificate, AUTHORITY.certificate_der, key)


def test_inviting_again_ends_the_old_certificates_and_tokens_at_once(world: World) -> None:
    """A stolen certificate, and a stolen token with its key, open nothing from the new invitation on."""
    token = invited(world)
    old = peer_of_certificate(use(world, token))
    other = peer_of_certificate(join(world, NODES["south"], KEY).certificate)
    assert world.store.members.knows(old)
    fresh = invited(world, again=True)
    assert not world.store.members.knows(old)
    with pytest.raises(TokenInvalid):
        use(world, token)
    key = TlsKey.generate()
    assert world.store.members.knows(peer_of_certificate(use(world, fresh, key), key))
    assert not world.store.members.knows(old)
    assert world.store.members.knows(other)


def test_renewal_and_a_lost_reply_end_nothing(world: World) -> None:
    """The old certificate goes on until its own end: the reply with the new one may have been lost."""
    token = invited(world)
    first, second = (peer_of_certificate(use(world, token)) for _ in range(2))
    request = nodes_pb2.RenewRequest(certificate_request=KEY.request())
    renewed = world.coordinator.call(methods.RENEW_NODE, request, first).certificate
    assert all(map(world.store.members.knows, (first, second, peer_of_certificate(renewed))))


def test_endless_renewing_fills_nothing(world: World) -> None:
    """A member has so many certificates at once; the newest are those that count."""
    first = peer_of_certificate(use(world, invited(world)))
    request = nodes_pb2.RenewRequest(certificate_request=KEY.request())
    last = b""
    for _ in range(CERTIFICATES_EACH_MAX):
        world.clock.pass_s(1)
        last = world.coordinator.call(methods.RENEW_NODE, request, first).certificate
    assert len(world.store.file.rows("SELECT * FROM certificates")) == CERTIFICATES_EACH_MAX
    assert world.store.members.knows(peer_of_certificate(last))
    assert not world.store.members.knows(first)


def test_a_removed_member_opens_nothing(world: World) -> None:
    """Its certificates and tokens end, it is not renewed, and no question can name it."""
    token = invited(world)
    old = peer_of_certificate(use(world, token))
    world.store.members.remove(NORTH)
    assert not world.store.members.knows(old)
    with pytest.raises(TokenInvalid):
        use(world, token)
    with pytest.raises(TokenInvalid):
        world.coordinator.call(
            methods.RENEW_NODE, nodes_pb2.RenewRequest(certificate_request=KEY.request()), old
        )
    assert world.store.members.unknown_nodes(["north"]) == ["north"]
    with pytest.raises(NotFound):
        world.store.members.remove(NORTH)
    use(world, invited(world))


def test_a_certificate_counts_for_its_own_role_and_name(world: World) -> None:
    """A serial number alone opens nothing."""
    owner = peer_of_certificate(use(world, invited(world)))
    assert not world.store.members.knows(Peer(Role.CONTROLLER, "north", owner.serial))
    assert not world.store.members.knows(Peer(Role.NODE, "south", owner.serial))
    assert not world.store.members.knows(NORTH)


def test_open_invitations_are_listed_until_they_are_used_or_expire(world: World) -> None:
    """Whoever hosts the coordinator sees which tokens are still out."""
    token = invited(world)
    invited(world, Peer(Role.ANALYST, "a.smith"), days=3)
    assert [i.name for i in world.store.members.invitations(world.clock())] == ["a.smith", "north"]
    use(world, token)
    assert [i.name for i in world.store.members.invitations(world.clock())] == ["a.smith"]
    world.clock.pass_s(3 * 86_400)
    assert world.store.members.invitations(world.clock()) == []


@pytest.mark.parametrize("role", [Role.ANALYST, Role.CONTROLLER])
def test_people_join_through_their_own_door(world: World, role: Role) -> None:
    """Analysts and controllers get certificates of their role."""
    peer = Peer(role, "north")
    reply = join(world, peer, KEY)
    owner = check_issued(reply.certificate, reply.authority, KEY)
    assert (owner.role, owner.name) == (role, "north")


def test_renewal_keeps_role_and_name_and_touches_nobody_else(world: World) -> None:
    """A certificate is renewed for the peer that shows one, for the key of the request."""
    join(world, NORTH)
    world.clock.pass_s(60 * 86_400)
    fresh = TlsKey.generate()
    request = nodes_pb2.RenewRequest(certificate_request=fresh.request())
    reply = world.coordinator.call(methods.RENEW_NODE, request, NODES["north"])
    owner = check_issued(reply.certificate, reply.authority, fresh)
    assert (owner.role, owner.name) == (Role.NODE, "north")
    assert validity_of(reply.certificate).not_after == NOW + timedelta(days=150)
    (member,) = world.store.members.all()
    assert member.certificate_until_s == int((NOW + timedelta(days=150)).timestamp())


def test_a_stranger_with_a_certificate_of_this_authority_is_not_renewed(world: World) -> None:
    """Only members are renewed: after a restore of an older store others join anew."""
    request = nodes_pb2.RenewRequest(certificate_request=KEY.request())
    with pytest.raises(TokenInvalid, match="has not joined"):
        world.coordinator.call(methods.RENEW_NODE, request, NODES["north"])


def test_the_authority_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    """Files come back as they were made, and are never replaced once the certificate is there."""
    made = create_authority(tmp_path, "Waiting times", now=NOW)
    assert (tmp_path / "authority.pem").stat().st_mode & 0o777 == 0o600
    assert fingerprint_of(read_authority(tmp_path)) == fingerprint_of(made)
    with pytest.raises(AlreadyExists):
        create_authority(tmp_path, "Waiting times", now=NOW)
    (tmp_path / "authority.pem").chmod(0o640)
    with pytest.raises(FileProblem, match="other users"):
        read_authority(tmp_path)


def test_an_interrupted_start_is_begun_again(tmp_path: Path) -> None:
    """A key without its certificate was never used, so it may be replaced."""
    create_authority(tmp_path, "Waiting times", now=NOW)
    (tmp_path / "authority.crt").unlink()
    made = create_authority(tmp_path, "Waiting times", now=NOW)
    assert fingerprint_of(read_authority(tmp_path)) == fingerprint_of(made)


def test_the_servers_certificate_lasts_as_long_as_the_authority() -> None:
    """A coordinator that nobody restarts for years keeps its door open."""
    tls = server_tls(AUTHORITY, ["stats.example", "10.0.0.1"], now=NOW)
    end = validity_of(AUTHORITY.certificate_der).not_after
    assert validity_of(tls.certificate_der).not_after == end
    assert check_issued(tls.certificate_der, AUTHORITY.certificate_der, tls.key).role is Role.COORDINATOR
