"""Hosts and addresses."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedstats.errors import ValueInvalid
from fedstats.identity.address import check_host, is_loopback, split_address


def test_a_refused_address_is_shown_harmlessly() -> None:
    """The sentence about a bad address cannot itself break a log line or a terminal."""
    with pytest.raises(ValueInvalid) as problem:
        split_address("a\n\x1b[2J\u202e" * 50)
    assert str(problem.value).isprintable()
    assert len(str(problem.value)) < 1_000


@pytest.mark.parametrize(
    "address, expected",
    [
        ("stats.example.gov.uk:443", ("stats.example.gov.uk", 443)),
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        ("[::1]:65535", ("::1", 65_535)),
        ("localhost:8443", ("localhost", 8443)),
    ],
)
def test_addresses_are_split(address: str, expected: tuple[str, int]) -> None:
    """Host names, IPv4 and bracketed IPv6 addresses come apart into host and port."""
    assert split_address(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "host",
        ":443",
        "host:",
        "host:0",
        "host:65536",
        "host:44x",
        "::1:443",
        "https://host:443",
        "a b:1",
        "[::1:1",
        "[host]:1",
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    """A missing port, a URL or bare IPv6 gets a sentence that shows the form."""
    with pytest.raises(ValueInvalid):
        split_address(address)


@given(st.text(max_size=300))
def test_a_host_is_harmless_wherever_it_goes(text: str) -> None:
    """What passes as a host has no path, no user, no control character, and bounded length."""
    try:
        host = check_host(text)
    except ValueInvalid:
        return
    assert host == text
    assert 0 < len(host) <= 253
    assert set(host) <= set(string.ascii_letters + string.digits + ".-:")


def test_this_machine_is_recognised() -> None:
    """Loopback addresses, which never go through a proxy, are told from all others."""
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(host) for host in ("example.gov.uk", "10.0.0.1", "localhost.example"))
