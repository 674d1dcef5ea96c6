"""How the coordinator is reached: proxies, secrets, other authorities; configured, or by the environment."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fedstats.core.reading import Reader
from fedstats.errors import ConfigInvalid, FileProblem
from fedstats.identity.certificates import certificate_to_pem, make_authority
from fedstats.wire.network import Network, Route

HOST = "stats.example.gov.uk"
PROXY = Network(proxy="http://proxy.example:8080")
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def read(text: str, folder: Path = Path("/etc/fedstats")) -> Network:
    """The table as node.toml holds it."""
    return Network.read(Reader(tomllib.loads(text), where="coordinator", error=ConfigInvalid), folder=folder)


def secret(folder: Path, text: str, mode: int = 0o600) -> Path:
    """A file of credentials."""
    path = folder / "proxy-credentials"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_what_is_written_is_read_again() -> None:
    """The table that `node init` and `join` write means what was configured, and leaves defaults out."""
    chosen = Network("http://proxy:8080", Path("/s"), ("10.0.0.0/8", ".gov.uk"), Path("/ca.pem"), 30, 15)
    assert read("\n".join(chosen.toml())) == chosen
    assert Network().toml() == []
    assert read('ca_file = "ca.pem"').ca_file == Path("/etc/fedstats/ca.pem")


@pytest.mark.parametrize(
    "text",
    [
        'proxy = "https://proxy:8080"',
        'proxy = "proxy:8080"',
        'proxy_credentials_file = "x"',
        "keepalive_s = 5",
        "keepalive_timeout_s = 4000",
        'no_proxy = ["a b"]',
        'no_proxy = [""]',
        'proxi = "http://proxy:8080"',
    ],
)
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    """A proxy of another form, credentials without one, numbers out of range, unknown keys."""
    with pytest.raises(ConfigInvalid):
        read(text)


def test_no_password_stands_in_a_configuration() -> None:
    """A proxy's URL with a password is refused where it is configured or typed, and not shown again."""
    with pytest.raises(ConfigInvalid, match="password") as problem:
        read('proxy = "http://j.smith:hunter2@proxy:8080"')
    assert "hunter2" not in str(problem.value)
    assert "mode 600" in problem.value.advice


def test_credentials_come_from_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    """The file is read when a connection opens, checked for its mode, and shown by no repr."""
    network = replace(PROXY, proxy_credentials_file=secret(tmp_path, "j.smith:hunter2@:x\n"))
    route = network.route(HOST, {})
    assert route == Route("proxy.example:8080", "j.smith:hunter2@:x", "the configuration")
    assert "hunter2" not in repr(route) + repr(network)
    secret(tmp_path, "j.smith:changed")
    changed = network.route(HOST, {})
    assert changed is not None
    assert changed.credentials == "j.smith:changed"
    for text, mode, said in (("j:h", 0o640, "other users can read"), ("no colon", 0o600, "USER:PASSWORD")):
        secret(tmp_path, text, mode)
        with pytest.raises(FileProblem, match=said):
            network.route(HOST, {})
    (tmp_path / "proxy-credentials").unlink()
    with pytest.raises(FileProblem, match="cannot be read"):
        network.route(HOST, {})


@pytest.mark.parametrize(
    "environment,proxy,credentials",
    [
        ({"HTTPS_PROXY": "http://proxy:1"}, "proxy:1", ""),
        ({"https_proxy": "proxy:2/", "HTTPS_PROXY": "http://other:1"}, "proxy:2", ""),
        ({"https_proxy": "http://u:p%40%3A@proxy:3"}, "proxy:3", "u:p@:"),
        ({"http_proxy": "http://proxy:1", "grpc_proxy": "http://proxy:1"}, "", ""),
        ({"https_proxy": "http://proxy:1", "NO_PROXY": "a, .gov.uk ,b"}, "", ""),
        ({"https_proxy": "http://proxy:1", "no_proxy": "gov"}, "proxy:1", ""),
    ],
)
def test_the_environment_counts_as_elsewhere(
    environment: dict[str, str], proxy: str, credentials: str
) -> None:
    """https_proxy before HTTPS_PROXY, escapes in passwords, no_proxy; other variables do not count."""
    route = Network().route(HOST, environment)
    assert (route.proxy if route else "") == proxy
    assert (route.credentials if route else "") == credentials


def test_a_proxy_of_the_environment_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """A TLS proxy in the environment is an error that names the variable, not a connection past it."""
    del tmp_path
    with pytest.raises(ConfigInvalid, match="HTTPS_PROXY: a proxy is written"):
        Network().route(HOST, {"HTTPS_PROXY": "https://u:hunter2@proxy:1"})


@pytest.mark.parametrize(
    "rule,host,is_direct",
    [
        ("*", HOST, True),
        (HOST, HOST.upper(), True),
        ("gov.uk", HOST, True),
        (".gov.uk", HOST, True),
        ("*.gov.uk", HOST, True),
        ("ov.uk", HOST, False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", HOST, False),
        ("2001:db8::/32", "2001:db8::7", True),
        ("[2001:db8::7]", "2001:db8::7", True),
        ("x", "127.0.0.1", True),
        ("x", "localhost", True),
        ("x", "::1", True),
    ],
)
def test_some_hosts_are_reached_directly(rule: str, host: str, *, is_direct: bool) -> None:
    """no_proxy names hosts, what ends in them, addresses and networks; this machine needs no rule."""
    assert (replace(PROXY, no_proxy=(rule,)).route(host, {}) is None) is is_direct


def test_other_authorities_are_believed_besides_the_federations(tmp_path: Path) -> None:
    """The bundle is added to the federation's own authority; a file that holds none is an error."""
    ours, others = make_authority("Ours", now=NOW), make_authority("Theirs", now=NOW)
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"Theirs:\n" + certificate_to_pem(others.certificate_der))
    pem = Network(ca_file=bundle).authorities(ours.certificate_der)
    assert pem == certificate_to_pem(ours.certificate_der) + certificate_to_pem(others.certificate_der)
    assert Network().authorities(ours.certificate_der) == certificate_to_pem(ours.certificate_der)
    bundle.write_text("nothing")
    with pytest.raises(FileProblem, match="no certificates"):
        Network(ca_file=bundle).authorities(ours.certificate_der)
