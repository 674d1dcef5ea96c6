"""Hosts and addresses, checked once at the door."""

from __future__ import annotations

import ipaddress
import re

from fedstats.errors import ValueInvalid

HOST_CHARACTERS_MAX = 253
PORT_MAX = 65_535
SHOWN_CHARACTERS_MAX = 64

_HOST_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


def check_host(host: str) -> str:
    """Return a DNS name or an IP address (IPv6 without brackets), or refuse it.

    Raises
    ------
    ValueInvalid
        It is neither.

    """
    if is_ip(host):
        return host
    labels = host.split(".")
    if len(host) > HOST_CHARACTERS_MAX or not all(_HOST_LABEL.fullmatch(label) for label in labels):
        raise ValueInvalid(f"{_shown(host)} is not a host name or an IP address.")
    return host


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port` or `[ipv6]:port` into host and port.

    Raises
    ------
    ValueInvalid
        The address has another form, or the port is not within 1 to 65535.

    """
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not _PORT.fullmatch(port) or int(port) > PORT_MAX or (":" in host) is not bracketed:
        raise ValueInvalid(
            f"{_shown(address)} is not an address: write HOST:PORT, for example stats.example.gov.uk:443."
        )
    return check_host(host[1:-1] if bracketed else host), int(port)


def is_ip(host: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host  # a zone such as fe80::1%eth0 means nothing to another machine


def is_loopback(host: str) -> bool:
    """Whether the host is this machine itself."""
    return host == "localhost" or (is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _shown(text: str) -> str:
    """Quote the text for a message: short, and without control characters."""
    return ascii(text[:SHOWN_CHARACTERS_MAX])
