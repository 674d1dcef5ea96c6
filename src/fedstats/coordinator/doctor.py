"""What can be checked about a coordinator on its own machine: each check, what is wrong, how to mend it."""

from __future__ import annotations

import shutil
import socket
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fedstats.coordinator.home import Home
from fedstats.errors import CertificateProblem, CoordinatorUnreachable, FedstatsError, FileProblem
from fedstats.identity.address import split_address
from fedstats.identity.certificates import validity_of

DISK_BYTES_MIN = 500 * 2**20
AUTHORITY_LEFT_MIN = timedelta(days=365)
CONNECT_S = 3.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `problem` is empty if it is in order."""

    name: str
    problem: str = ""
    remedy: str = ""


def examine(home: Home, *, now: datetime) -> list[Check]:
    """Look at everything; a check that fails does not stop the others."""
    return [_examined(name, look, home, now) for name, look in _CHECKS.items()]


Look = Callable[[Home, datetime], None]
"""A check: returns if all is well, and raises what is wrong together with what to do."""


def _examined(name: str, look: Look, home: Home, now: datetime) -> Check:
    try:
        look(home, now)
    except FedstatsError as error:
        return Check(name, error.sentence, error.advice)
    except OSError as error:
        return Check(name, f"{error.strerror}.", "Run this as the user that the coordinator runs as.")
    return Check(name)


def _configuration(home: Home, now: datetime) -> None:
    del now
    home.config()


def _folder(home: Home, now: datetime) -> None:
    del now
    if home.folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise FileProblem(f"{home.folder} is open to other users.", remedy=f"Type: chmod 700 {home.folder}")


def _authority(home: Home, now: datetime) -> None:
    end = validity_of(home.authority().certificate_der).not_after
    if now + AUTHORITY_LEFT_MIN >= end:
        raise CertificateProblem(
            f"The federation's certificate authority ends at {end:%Y-%m-%d}, and every certificate with it.",
            remedy="Make a coordinator in another folder, and let everybody join it before that day.",
        )


def _store(home: Home, now: datetime) -> None:
    del now
    store = home.store()
    try:
        damage = store.file.damage()
    finally:
        store.close()
    if damage:
        raise FileProblem(
            f"{home.store_file} is damaged: {damage}.", remedy="Stop, and restore the last good backup."
        )


def _register(home: Home, now: datetime) -> None:
    del now
    store = home.store()
    try:
        number, last = 0, store.register.count()
        while page := store.register.entries(after=number):
            if [entry.number for entry in page] != list(range(number + 1, number + 1 + len(page))):
                break
            number = page[-1].number
    finally:
        store.close()
    if number != last:
        raise FileProblem(
            f"Entry {number + 1} of the register is missing.", remedy="Restore the last good backup."
        )


def _running(home: Home, now: datetime) -> None:
    del now
    address = home.config().address
    try:
        socket.create_connection(split_address(address), timeout=CONNECT_S).close()
    except OSError:
        raise CoordinatorUnreachable(
            f"Nothing answers at {address}.",
            remedy="Start it: fedstats coordinator run. If it runs, look at name, port and firewall.",
        ) from None


def _disk(home: Home, now: datetime) -> None:
    del now
    free = shutil.disk_usage(home.folder).free
    if free < DISK_BYTES_MIN:
        raise FileProblem(
            f"Only {free / 2**20:.0f} MB are free.", remedy="Make room: without it no question is taken."
        )


_CHECKS: Mapping[str, Look] = {
    "configuration": _configuration,
    "folder": _folder,
    "certificate authority": _authority,
    "store": _store,
    "register": _register,
    "running": _running,
    "disk": _disk,
}
