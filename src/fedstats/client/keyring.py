"""The analyst's keys: the one that signs, the one that will, and those that signed before.

A new key signs as soon as a controller appointed it. Jobs that an older key asked go on under that key: a
later round of a question is signed by whoever signed the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from fedstats.client.authority import Authority
from fedstats.client.home import Home
from fedstats.core.agreement import Agreement
from fedstats.errors import AlreadyExists, FileProblem, NotAuthorised
from fedstats.identity.key_files import read_signing_key, write_key
from fedstats.identity.keys import PublicKey, Signed, SigningKey

FINGERPRINT_CHARACTERS = 9


def signing(
    home: Home, authority: Authority, agreement: Agreement, *, now_s: int
) -> tuple[SigningKey, Signed]:
    """The key that signs a new question, with its appointment: the next one, if it was appointed meanwhile.

    Raises
    ------
    NotAuthorised
        No controller of the agreement appointed the key, or none of the appointments counts now.

    """
    new = next_key(home)
    if new is not None:
        with suppress(NotAuthorised):
            appointment = authority.analyst(agreement, new.public, now_s=now_s)
            return take_over(home), appointment
    key = home.signing_key()
    return key, authority.analyst(agreement, key.public, now_s=now_s)


def next_key(home: Home) -> SigningKey | None:
    """The key that takes over once it is appointed; None where none was made."""
    return read_signing_key(home.next_key_file) if home.next_key_file.exists() else None


def make_next_key(home: Home) -> SigningKey:
    """Make the key that will take over; the same one if it waits already. Raises FileProblem."""
    home.signing_key()
    with suppress(AlreadyExists):
        write_key(home.next_key_file, SigningKey.generate())
    return read_signing_key(home.next_key_file)


def take_over(home: Home) -> SigningKey:
    """Let the next key sign from now on, and keep the old one for the jobs that it asked.

    Raises
    ------
    FileProblem
        There is no next key, or a file cannot be written. It may be repeated.

    """
    old = home.signing_key()
    name = old.public.fingerprint[:FINGERPRINT_CHARACTERS]
    write_key(home.next_key_file.with_name(f"former.{name}.pem"), old, replace=True)
    try:
        home.next_key_file.replace(home.signing_key_file)
    except OSError as problem:
        raise FileProblem(f"{home.next_key_file} cannot take over: {problem.strerror}.") from None
    return home.signing_key()


def key_that_signed(home: Home, public: PublicKey) -> SigningKey | None:
    """The key of this home that signed something before, whether it signs now or did once."""
    return next((key for key in _keys(home) if key.public == public), None)


def _keys(home: Home) -> Iterator[SigningKey]:
    yield home.signing_key()
    for path in sorted(home.next_key_file.parent.glob("former.*.pem")):
        yield read_signing_key(path)
