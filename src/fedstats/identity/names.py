"""Names that go into certificates, file names and logs, checked once at the door."""

from __future__ import annotations

import ipaddress
import re

from fedstats.errors import ValueInvalid

NAME_CHARACTERS_MAX = 64
HOST_CHARACTERS_MAX = 253
PORT_MAX = 65_535

# A name may become part of a path, a URI or a log line: no slash, no "..", nothing unprintable.
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_HOST_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


def checked_name(name: str) -> str:
    """Return a department's, analyst's or token's name, or refuse it.

    Raises
    ------
    ValueInvalid
        The name is longer than 64 characters or holds anything but lower-case letters and digits, joined by
        single dots, dashes or underscores.

    """
    if len(name) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(name):
        sentence = (
            f"{_shown(name)} is not a name: use lower-case letters and digits, joined by single '.', '-' "
            f"or '_', at most {NAME_CHARACTERS_MAX} characters."
        )
        raise ValueInvalid(sentence)
    return name


def checked_host(host: str) -> str:
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
    if not colon or not _PORT.fullmatch(port) or int(port) > PORT_MAX or (":" in host and not bracketed):
        raise ValueInvalid(
            f"{_shown(address)} is not an address: write HOST:PORT, for example stats.example.gov.uk:443."
        )
    return checked_host(host[1:-1] if bracketed else host), int(port)


def is_ip(host: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host  # a zone such as fe80::1%eth0 means nothing to another machine


def _shown(text: str) -> str:
    """Quote the text for a message: short, and without control characters."""
    return ascii(text[:NAME_CHARACTERS_MAX])
