"""What every doctor looks at on its own computer: the account, private files, disk, memory, certificates.

What a file's mode says counts, also for root, whom no mode stops: the daemon should not run as root.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fedstats.core.checks import Check, ok, problem, warning
from fedstats.identity.certificates import validity_of
from fedstats.identity.key_files import read_certificate

ROOT = 0
OTHERS = stat.S_IRWXG | stat.S_IRWXO
MB = 1_000_000
DISK_BYTES_MIN = 100 * MB  # below this, transactions will soon fail
DISK_BYTES_LOW = 1_000 * MB
CGROUP_MEMORY = Path("/sys/fs/cgroup/memory.max")


def account(home: Path, *, user: int | None = None) -> Iterator[Check]:
    """Who runs this (`user`, by default this process's account), and whose the folder is."""
    me = os.geteuid() if user is None else user
    owner = home.stat().st_uid
    if me not in {owner, ROOT}:
        fix = f"Run as the account that owns it: sudo -u '#{owner}' fedstats ..."
        yield problem("account", f"{home} belongs to account {owner}, and this runs as account {me}.", fix)
    elif owner == ROOT:
        fix = "Make an account for it, give it the folder (chown -R), and run it as that account."
        yield warning("account", f"{home} belongs to root, so what runs there can do anything.", fix)
    else:
        yield ok("account", f"{home} belongs to account {owner}.")


def private(paths: Iterable[Path]) -> Iterator[Check]:
    """Whether files and folders are closed to everybody else; missing ones are passed over."""
    opened = [path for path in paths if path.exists() and path.stat().st_mode & OTHERS]
    for path in opened:
        mode = "700" if path.is_dir() else "600"
        yield problem("private", f"{path} is open to other users.", f"chmod {mode} {path}", subject=path.name)
    if not opened:
        yield ok("private", "keys and folders are closed to other users")


def disk(
    id_: str,
    folder: Path,
    *,
    bytes_low: int = DISK_BYTES_LOW,
    allowed: Callable[[Path, int], bool] = os.access,
) -> Iterator[Check]:
    """Free space where a folder is, or will be, and whether this account can write there."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    words = f"{free / 1e9:.1f} GB are free under {there}"
    if not allowed(there, os.W_OK):
        fix = f"Mount it writable, or give the folder to the account that runs this: findmnt -T {there}"
        yield problem(id_, f"{there} cannot be written to.", fix)
    elif free < DISK_BYTES_MIN:
        yield problem(id_, words, f"Make room: df -h {there}")
    elif free < bytes_low:
        yield warning(id_, words, f"Make room soon: df -h {there}")
    else:
        yield ok(id_, words)


def temporary_folder() -> Path:
    """Where this account keeps temporary files."""
    return Path(tempfile.gettempdir())


def memory_mb() -> int:
    """The memory of this computer, or of the container or service that this runs in."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = CGROUP_MEMORY.read_text().strip()
    except OSError:
        limit = "max"
    return (total if limit == "max" else min(total, int(limit))) // MB


def memory(wanted_mb: int, present_mb: int) -> Iterator[Check]:
    """Whether what computations may use is there."""
    words = f"computations may use {wanted_mb:,} MB, and this computer has {present_mb:,} MB"
    if wanted_mb > present_mb:
        yield problem("memory", words, "Lower memory_mb or tasks_max in node.toml.")
    elif wanted_mb * 5 > present_mb * 4:
        yield warning("memory", words, "Lower memory_mb or tasks_max in node.toml: others need some too.")
    else:
        yield ok("memory", words)


def certificate(
    id_: str, path: Path, now: datetime, *, warn_before: timedelta, renewing: str
) -> Iterator[Check]:
    """Whether a certificate counts now, and for how long; raises FileProblem."""
    valid = validity_of(read_certificate(path))
    until = f"{valid.not_after:%Y-%m-%d %H:%M} UTC"
    if now < valid.not_before:
        words = (
            f"{path} counts from {valid.not_before:%Y-%m-%d %H:%M} UTC on, and now is {now:%Y-%m-%d %H:%M}."
        )
        yield problem(id_, words, "Set this computer's clock: timedatectl status")
    elif now >= valid.not_after:
        yield problem(id_, f"{path} expired at {until}.", renewing)
    elif now + warn_before >= valid.not_after:
        yield warning(id_, f"{path} expires at {until}.", renewing)
    else:
        yield ok(id_, f"valid until {until}")


def at(now_s: float) -> datetime:
    """A time as certificates know it."""
    return datetime.fromtimestamp(now_s, UTC)


def writable(paths: Iterable[Path], *, user: int) -> tuple[Path, ...]:
    """Those files that an account could write to: by their mode, and for this process's account by asking."""
    return tuple(path for path in paths if _may_write(path, user))


def _may_write(path: Path, user: int) -> bool:
    found = path.stat()
    if user == os.geteuid() and user != ROOT:
        return os.access(path, os.W_OK)
    if found.st_uid == user:
        return bool(found.st_mode & stat.S_IWUSR)
    if found.st_gid in _groups(user):
        return bool(found.st_mode & stat.S_IWGRP)
    return bool(found.st_mode & stat.S_IWOTH)


def _groups(user: int) -> frozenset[int]:
    import pwd  # noqa: PLC0415 # not on Windows, where nothing asks

    try:
        known = pwd.getpwuid(user)
    except KeyError:
        return frozenset()
    return frozenset(os.getgrouplist(known.pw_name, known.pw_gid))
