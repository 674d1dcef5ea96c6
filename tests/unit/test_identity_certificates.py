"""The federation's authority, the certificates it issues, and what is read from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from fedstats.errors import CertificateProblem, MessageInvalid, ValueInvalid
from fedstats.identity.certificates import (
    Authority,
    certificate_from_pem,
    certificate_to_pem,
    check_issued,
    issue,
    issue_server,
    make_authority,
    validity_of,
)
from fedstats.identity.peer import Peer, Role, peer_of
from fedstats.identity.tls_key import TlsKey

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
WHOLE_SECOND = NOW.replace(microsecond=0)
AUTHORITY = make_authority("Waiting times", now=NOW)
KEY = TlsKey.generate()
NODE = Peer(Role.NODE, "gstt")
CERTIFICATE = issue(AUTHORITY, KEY.request(), NODE, now=NOW)


def _policy() -> PolicyBuilder:
    """The verifier of the cryptography package, which shares no code with the one inside gRPC."""
    store = Store([x509.load_der_x509_certificate(AUTHORITY.certificate_der)])
    return PolicyBuilder().store(store).time(NOW)


@pytest.mark.parametrize(
    "uri",
    [
        "fedstats:node:gstt",
        "fedstats:analyst:j.smith-2",
        "fedstats:controller:gstt",
        f"fedstats:join:{'0a' * 10}",
    ],
)
def test_a_certificate_says_whose_it_is(uri: str) -> None:
    """Role and name go into a certificate and come out at the other end, with its serial number."""
    der = issue(AUTHORITY, KEY.request(), Peer.from_uri(uri), now=NOW)
    peer = peer_of(der)
    assert peer.uri == uri
    assert peer.serial == x509.load_der_x509_certificate(der).serial_number > 2**60


def test_an_independent_verifier_accepts_client_and_server() -> None:
    """The chains are sound X.509, and the coordinator's certificate fits the hosts it was made for."""
    der = issue_server(AUTHORITY, KEY, ["stats.example.gov.uk", "127.0.0.1", "::1"], now=NOW)
    names = (x509.DNSName("stats.example.gov.uk"), x509.IPAddress(ip_address("::1")))
    client = _policy().build_client_verifier().verify(x509.load_der_x509_certificate(CERTIFICATE), [])
    assert len(client.chain) == 2
    for name in names:
        chain = _policy().build_server_verifier(name).verify(x509.load_der_x509_certificate(der), [])
        assert len(chain) == 2
    assert peer_of(der).role is Role.COORDINATOR


def test_the_authority_signs_end_certificates_only() -> None:
    """The authority can make no second authority, and its own certificate opens nothing."""
    certificate = x509.load_der_x509_certificate(AUTHORITY.certificate_der)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.digital_signature) == (True, False)
    with pytest.raises(CertificateProblem):
        peer_of(AUTHORITY.certificate_der)


def test_a_client_certificate_cannot_serve() -> None:
    """A node that holds a certificate can neither pose as the coordinator nor sign certificates."""
    certificate = x509.load_der_x509_certificate(CERTIFICATE)
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(ValueInvalid):
        issue(AUTHORITY, KEY.request(), Peer(Role.COORDINATOR, ""), now=NOW)
    with pytest.raises(CertificateProblem):
        Authority(CERTIFICATE, KEY)


def test_validity_covers_slow_clocks_and_ends_with_the_authority() -> None:
    """A certificate counts from 5 minutes ago, for its lifetime, and never longer than its authority."""
    assert validity_of(CERTIFICATE).not_before == WHOLE_SECOND - timedelta(minutes=5)
    assert validity_of(CERTIFICATE).not_after == WHOLE_SECOND + timedelta(days=90)
    end = validity_of(AUTHORITY.certificate_der).not_after
    late = issue(AUTHORITY, KEY.request(), NODE, now=end - timedelta(days=1))
    assert validity_of(late).not_after == end
    with pytest.raises(CertificateProblem, match="expired"):
        issue(AUTHORITY, KEY.request(), NODE, now=end)


def test_renewal_is_due_with_a_third_left() -> None:
    """A node renews early enough to live through a coordinator that is away for weeks."""
    validity = validity_of(CERTIFICATE)
    left = validity.not_after - validity.renew_from
    assert timedelta(days=29) < left < timedelta(days=31)


def test_a_time_without_zone_is_refused() -> None:
    """Nothing is issued for a time that would have to be guessed."""
    with pytest.raises(ValueInvalid, match="time zone"):
        make_authority("Waiting times", now=NOW.replace(tzinfo=None))


def test_what_arrives_is_checked_against_key_and_authority() -> None:
    """A joining node notices a certificate for another key or from another authority."""
    assert check_issued(CERTIFICATE, AUTHORITY.certificate_der, KEY) == peer_of(CERTIFICATE)
    foreign = make_authority("Waiting times", now=NOW)
    with pytest.raises(CertificateProblem, match="authority"):
        check_issued(CERTIFICATE, foreign.certificate_der, KEY)
    with pytest.raises(CertificateProblem, match="another key"):
        check_issued(CERTIFICATE, AUTHORITY.certificate_der, TlsKey.generate())


def _request(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fedstats:coordinator")])
    algorithm = None if isinstance(key, Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateSigningRequestBuilder(subject_name=subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


def test_a_request_decides_nothing_but_its_key() -> None:
    """Whoever asks for a certificate cannot choose its subject, its role or its extensions."""
    der = issue(AUTHORITY, _request(KEY.private), NODE, now=NOW)
    certificate = x509.load_der_x509_certificate(der)
    assert certificate.subject.rfc4514_string() == "CN=gstt"
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert check_issued(der, AUTHORITY.certificate_der, KEY).role is Role.NODE


def test_requests_that_prove_nothing_are_refused() -> None:
    """No certificate without proof of the private key, nor for another kind of key, nor for rubbish."""
    unproven = bytearray(KEY.request())
    unproven[-1] ^= 1
    requests = (
        bytes(unproven),
        _request(Ed25519PrivateKey.generate()),
        _request(ec.generate_private_key(ec.SECP384R1())),
        b"",
        b"\x30" * 5_000,
    )
    for request in requests:
        with pytest.raises(MessageInvalid):
            issue(AUTHORITY, request, NODE, now=NOW)


def _certificate(names: list[x509.GeneralName]) -> bytes:
    """A certificate that only the alternative names set apart from a good one."""
    issuer = x509.load_der_x509_certificate(AUTHORITY.certificate_der)
    builder = (
        x509.CertificateBuilder()
        .subject_name(issuer.subject)
        .issuer_name(issuer.subject)
        .public_key(KEY.public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    return builder.sign(AUTHORITY.key.private, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "uris",
    [
        [],
        ["https://example.gov.uk"],
        ["fedstats:node:a", "fedstats:analyst:b"],
        ["fedstats:superuser:a"],
        ["fedstats:node"],
        ["fedstats:node:"],
        ["fedstats:node:a:b"],
        ["fedstats:node:../../etc"],
        ["fedstats:node:A"],
        ["fedstats:node:j.smith"],
        ["fedstats:analyst:a b"],
        ["fedstats:join:gstt"],
        ["fedstats:coordinator:gstt"],
        ["fedstats:coordinator:"],
        ["other:node:a"],
    ],
)
def test_unclear_certificates_name_nobody(uris: list[str]) -> None:
    """A certificate with no role, two roles, an unknown role or a name that is none opens nothing."""
    names = [x509.DNSName("a.example"), *(x509.UniformResourceIdentifier(uri) for uri in uris)]
    with pytest.raises(CertificateProblem):
        peer_of(_certificate(names))


def test_rubbish_is_no_certificate() -> None:
    """Bytes that are no certificate are refused with a typed error everywhere."""
    for read in (peer_of, validity_of, certificate_to_pem, certificate_from_pem):
        with pytest.raises(CertificateProblem):
            read(b"rubbish")


def test_pem_and_der_are_the_same_certificate() -> None:
    """Files hold PEM, everything else DER; nothing is lost on the way."""
    assert certificate_from_pem(certificate_to_pem(CERTIFICATE)) == CERTIFICATE


@pytest.mark.parametrize("title", ["", " padded", "a\nb", "x" * 65])
def test_titles_are_printable_and_short(title: str) -> None:
    """A federation's title cannot smuggle control characters into what people see as the issuer."""
    with pytest.raises(ValueInvalid):
        make_authority(title, now=NOW)


@pytest.mark.parametrize("hosts", [[], ["bad host"], ["a" * 64], ["*.gov.uk"], ["a.example"] * 33])
def test_server_certificates_name_real_hosts(hosts: list[str]) -> None:
    """The coordinator's certificate names at least one host, and only hosts."""
    with pytest.raises(ValueInvalid):
        issue_server(AUTHORITY, KEY, hosts, now=NOW)


def test_tls_keys_are_p256_and_show_nothing() -> None:
    """Other kinds of key do not become TLS keys, and a TLS key never appears in text."""
    assert repr(KEY) == "TlsKey(...)"
    assert "der" not in repr(AUTHORITY)
    assert TlsKey.from_private_der(KEY.private_der()).public == KEY.public
    for other in (ec.generate_private_key(ec.SECP384R1()), Ed25519PrivateKey.generate()):
        with pytest.raises(ValueInvalid, match="P-256"):
            TlsKey(other)  # type: ignore[arg-type] # the test is about the wrong type
    for read in (TlsKey.from_private_der, TlsKey.from_private_pem):
        with pytest.raises(ValueInvalid, match="not a private key"):
            read(b"rubbish")
