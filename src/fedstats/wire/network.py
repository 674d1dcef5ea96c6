"""How this computer reaches the coordinator: proxy, other authorities, keepalive.

`[coordinator]` in node.toml and in the analyst's config.toml is read into a `Network`. Where it names no
proxy, the environment's `https_proxy` and `no_proxy` count, as for other programs.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fedstats.core.reading import Reader
from fedstats.errors import ConfigInvalid, FileProblem, ValueInvalid
from fedstats.identity.address import is_ip, is_loopback, split_address
from fedstats.identity.certificates import certificate_to_pem
from fedstats.identity.key_files import read_secret

BUNDLE_BYTES_MAX = 2_000_000
KEEPALIVE_S_LEAST = 10  # the coordinator hangs up on callers who ping more often
KEEPALIVE_S_MOST = 3_600

_PROXY = re.compile(r"http://(?:([^@/\s]+)@)?([^@/\s]+?)/?")
_ENVIRONMENT = ("https_proxy", "HTTPS_PROXY")
_ENVIRONMENT_BYPASS = ("no_proxy", "NO_PROXY")


def _setting(default: Any, *, about: str, example: str) -> Any:  # noqa: ANN401 # as dataclasses.field itself
    return field(default=default, metadata={"about": about, "example": example})


@dataclass(frozen=True, slots=True)
class Route:
    """A proxy on the way, HOST:PORT, and what it is told of us; the credentials are shown nowhere."""

    proxy: str
    credentials: str = field(default="", repr=False)  # user:password
    named_by: str = ""  # where the proxy was configured, for sentences

    @property
    def authorisation(self) -> str:
        """The header Proxy-Authorization (RFC 7617); empty without credentials."""
        if not self.credentials:
            return ""
        return f"Basic {base64.b64encode(self.credentials.encode()).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Network:
    """The settings, checked; files are read when a connection is opened, so that they may change."""

    proxy: str = _setting(
        "",
        about="The HTTP proxy on the way, http://HOST:PORT. Without it the environment's https_proxy counts; "
        "a coordinator on this machine is reached directly always.",
        example='"http://proxy.example.gov.uk:8080"',
    )
    proxy_credentials_file: Path | None = field(
        default=None,
        metadata={
            "about": "A file that only this account can read (chmod 600), with one line, USER:PASSWORD.",
            "example": '"proxy-credentials"',
        },
    )
    no_proxy: tuple[str, ...] = _setting(
        (),
        about="Hosts that are reached without a proxy: names (with what ends in them), addresses, networks "
        'such as "10.0.0.0/8", or "*" for all.',
        example="[]",
    )
    ca_file: Path | None = field(
        default=None,
        metadata={
            "about": "Certificate authorities (PEM) that are believed for the coordinator's own certificate "
            "besides the federation's, where that certificate comes from another organisation's authority.",
            "example": '"organisation-ca.pem"',
        },
    )
    keepalive_s: int = _setting(
        20,
        about="Seconds of silence after which the connection is tried. Proxies and firewalls forget silent "
        "connections, often after 60 seconds.",
        example="20",
    )
    keepalive_timeout_s: int = _setting(
        10, about="Seconds after which a connection that does not answer is given up.", example="10"
    )

    def __post_init__(self) -> None:
        """A proxy is one that gRPC can speak to, and keeps no password; numbers are in range."""
        if self.proxy:
            proxy, credentials = _split_proxy(self.proxy, "proxy")
            del proxy
            if credentials:
                raise ConfigInvalid(
                    "A proxy's password belongs neither into a configuration nor onto a command line.",
                    remedy="Write USER:PASSWORD into a file of mode 600, named as proxy_credentials_file.",
                )
        if self.proxy_credentials_file is not None and not self.proxy:
            raise ConfigInvalid("proxy_credentials_file needs proxy, http://HOST:PORT, beside it.")
        for name in ("keepalive_s", "keepalive_timeout_s"):
            if not KEEPALIVE_S_LEAST <= getattr(self, name) <= KEEPALIVE_S_MOST:
                raise ConfigInvalid(
                    f"{name} lies between {KEEPALIVE_S_LEAST} and {KEEPALIVE_S_MOST} seconds."
                )
        for rule in self.no_proxy:
            if not rule.strip() or any(character.isspace() for character in rule):
                raise ConfigInvalid("no_proxy holds host names, addresses and networks, without spaces.")

    @classmethod
    def read(cls, reader: Reader, *, folder: Path) -> Self:
        """The table's settings; relative paths start at `folder`."""

        def path(key: str) -> Path | None:
            text = reader.text(key, "")
            return folder / Path(text).expanduser() if text else None

        with reader, reader.building():
            return cls(
                proxy=reader.text("proxy", ""),
                proxy_credentials_file=path("proxy_credentials_file"),
                no_proxy=reader.texts("no_proxy", ()),
                ca_file=path("ca_file"),
                keepalive_s=reader.integer("keepalive_s", cls().keepalive_s),
                keepalive_timeout_s=reader.integer("keepalive_timeout_s", cls().keepalive_timeout_s),
            )

    def toml(self) -> list[str]:
        """The lines of the table that `read` reads as this, without its heading; defaults are left out."""
        standard = type(self)()
        chosen = {f.name: getattr(self, f.name) for f in fields(self)}
        return [
            f"{name} = {_toml(value)}" for name, value in chosen.items() if value != getattr(standard, name)
        ]

    def route(self, host: str, environment: Mapping[str, str]) -> Route | None:
        """The proxy on the way to a host; None for a direct connection.

        Raises
        ------
        ConfigInvalid
            The proxy that the environment names is written in a form that gRPC cannot use.
        FileProblem
            The file of the credentials is missing, or others can read it.

        """
        if is_loopback(host) or _bypassed(host, self.no_proxy):
            return None
        if self.proxy:
            proxy, _ = _split_proxy(self.proxy, "proxy")
            return Route(proxy, self._credentials(), "the configuration")
        variable = next((name for name in _ENVIRONMENT if environment.get(name)), "")
        bypass = next((environment[name] for name in _ENVIRONMENT_BYPASS if environment.get(name)), "")
        if not variable or _bypassed(host, tuple(rule.strip() for rule in bypass.split(",") if rule.strip())):
            return None
        told = environment[variable]
        proxy, credentials = _split_proxy(told if "://" in told else f"http://{told}", variable)
        return Route(proxy, unquote(credentials), f"${variable}")

    def authorities(self, federation_der: bytes) -> bytes:
        """The authorities (PEM) that are believed for the coordinator's certificate.

        Raises
        ------
        FileProblem
            The file of the others cannot be read, or holds no certificate.

        """
        return certificate_to_pem(federation_der) + self.others()

    def others(self) -> bytes:
        """The authorities (PEM) that are believed besides the federation's; raises FileProblem."""
        return b"" if self.ca_file is None else _read_bundle(self.ca_file)

    def _credentials(self) -> str:
        if self.proxy_credentials_file is None:
            return ""
        path = self.proxy_credentials_file
        text = read_secret(path).decode("utf-8", errors="replace").strip("\r\n")
        if not text.isprintable() or not text.partition(":")[0] or ":" not in text:
            raise FileProblem(f"{path} does not hold one line, USER:PASSWORD.")
        return text


def _split_proxy(url: str, named: str) -> tuple[str, str]:
    """HOST:PORT and user:password of a proxy's URL; gRPC passes over other forms in silence."""
    form = _PROXY.fullmatch(url)
    if not form:  # the URL may hold a password, so the sentence does not show it
        raise ConfigInvalid(f"{named}: a proxy is written http://HOST:PORT.")
    try:
        split_address(form[2])
    except ValueInvalid as problem:
        raise ConfigInvalid(f"{named}: {problem.sentence}") from None
    return form[2], form[1] or ""


def _bypassed(host: str, rules: tuple[str, ...]) -> bool:
    return any(_fits(host.lower(), rule.lower()) for rule in rules)


def _fits(host: str, rule: str) -> bool:
    """Whether a rule of no_proxy names this host: `*`, a name and all below it, an address, a network."""
    if rule == "*":
        return True
    if is_ip(host):
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(rule.strip("[]"), strict=False)
        except ValueError:
            return False
    name = rule.removeprefix("*").removeprefix(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _read_bundle(path: Path) -> bytes:
    try:
        content = path.read_bytes() if path.stat().st_size <= BUNDLE_BYTES_MAX else b""
        found = x509.load_pem_x509_certificates(content)
    except OSError as problem:
        raise FileProblem(f"{path} cannot be read: {problem.strerror}.") from None
    except ValueError:
        raise FileProblem(
            f"{path} holds no certificates in PEM form.",
            remedy="Ask whoever runs your certificate authority for its certificate, in PEM form.",
        ) from None
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in found)


def _toml(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    return json.dumps(list(value) if isinstance(value, tuple) else str(value), ensure_ascii=False)
