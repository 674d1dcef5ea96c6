"""The key that signs what a node says, and how another one takes its place.

A new key is made beside the old one and waits until the department's controller appointed it; the old one
signs until then, so that no answer is lost. Recorded releases are signed anew when they answer again: their
numbers stay, so that costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from fedstats.core.appointment import AppointedRole
from fedstats.errors import AlreadyExists, FedstatsError, FileProblem
from fedstats.identity.key_files import read_signing_key, write_key
from fedstats.identity.keys import Context, PublicKey, Signed, SigningKey
from fedstats.identity.trust import TrustStore
from fedstats.node.home import Home
from fedstats.wire.codec import decode_appointment


class NodeKey:
    """The node's key as it is at the time: call it."""

    def __init__(self, home: Home) -> None:
        """Read it; raises NotJoined where there is none, and FileProblem."""
        self._home = home
        self._key = home.read_node_key()

    def __call__(self) -> SigningKey:
        """The key that signs now."""
        return self._key

    def take_over(self, department: str, appointments: Iterable[Signed], *, now_s: int) -> bool:
        """Let the next key sign, if there is one and the controller appointed it; whether it does now.

        Raises
        ------
        FileProblem
            The key cannot be read, or cannot take the old one's place.

        """
        if not self._home.next_node_key.exists():
            return False
        new = read_signing_key(self._home.next_node_key)
        if not is_appointed(new.public, department, appointments, self._home.trust, now_s=now_s):
            return False
        try:
            self._home.next_node_key.replace(self._home.node_key)
        except OSError as problem:
            raise FileProblem(f"{self._home.node_key} cannot be replaced: {problem.strerror}.") from None
        self._key = new
        return True


def make_next_key(home: Home, *, again: bool = False) -> PublicKey:
    """Make the key that will take over; if one waits already that one, unless `again` asks for another.

    Raises
    ------
    NotJoined
        There is no node in this folder.
    FileProblem
        It cannot be written.

    """
    home.check_exists()
    with suppress(AlreadyExists):
        write_key(home.next_node_key, SigningKey.generate(), replace=again)
    return read_signing_key(home.next_node_key).public


def is_appointed(
    key: PublicKey, department: str, appointments: Iterable[Signed], trust: TrustStore, *, now_s: int
) -> bool:
    """Whether the department's controller, as trusted here, appointed this key as its node for now."""
    for signed in appointments:
        try:
            appointment = decode_appointment(signed.payload)
            named = (appointment.department, appointment.role, appointment.key)
            if named != (department, AppointedRole.NODE, key.raw) or not appointment.holds_at(now_s):
                continue
            if trust.is_trusted(department, signed.key):
                signed.verify(Context.APPOINTMENT)
                return True
        except FedstatsError:  # not one of ours
            continue
    return False
