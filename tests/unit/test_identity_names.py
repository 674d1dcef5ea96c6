"""Names, hosts and addresses."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedstats.errors import ValueInvalid
from fedstats.identity.names import checked_name, split_address


def test_a_refused_name_is_shown_harmlessly() -> None:
    """The sentence about a bad name cannot itself break a log line or a terminal."""
    with pytest.raises(ValueInvalid) as problem:
        checked_name("a\n\x1b[2J\u202e" * 50)
    assert str(problem.value).isprintable()
    assert len(str(problem.value)) < 1_000


@given(st.text(max_size=80))
def test_a_name_is_harmless_wherever_it_goes(text: str) -> None:
    """What passes as a name has no path, no URI syntax, no control character, and bounded length."""
    try:
        name = checked_name(text)
    except ValueInvalid:
        return
    assert name == text
    assert 0 < len(name) <= 64
    assert set(name) <= set(string.ascii_lowercase + string.digits + "._-")
    assert ".." not in name
    assert name[0] not in "._-"


@pytest.mark.parametrize("name", ["gstt", "j.smith", "nhs_england", "uclh-2", "0", "a" * 64])
def test_ordinary_names_pass(name: str) -> None:
    """Departments' and analysts' usual names are names."""
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a..b", "../a", "a/b", "a\n", "A", "é", "a" * 65, "-a", "a-"]
)
def test_dangerous_names_are_refused(name: str) -> None:
    """Paths, line breaks, capitals (one name, one spelling) and overlong names are no names."""
    with pytest.raises(ValueInvalid):
        checked_name(name)


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
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    """A missing port, a URL or bare IPv6 gets a sentence that shows the form."""
    with pytest.raises(ValueInvalid):
        split_address(address)
