"""Small files that are complete or absent, and survive a power cut."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from fedstats.errors import AlreadyExists, FileProblem

PRIVATE_MODE = 0o600
PUBLIC_MODE = 0o644


def write_durably(path: Path, content: bytes, *, mode: int, replace: bool) -> None:
    """Write beside, make durable, then name: whoever sees the name sees all of the content.

    Raises
    ------
    AlreadyExists
        The file is there already and `replace` was not asked for.
    FileProblem
        The folder cannot be written.

    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                beside.replace(path)
            else:
                path.hardlink_to(beside)  # unlike a rename, a link never takes the place of another file
        finally:
            beside.unlink(missing_ok=True)
        sync_folder(path.parent)
    except FileExistsError:
        raise AlreadyExists(f"{path} exists already and is not overwritten.") from None
    except OSError as problem:
        raise FileProblem(f"{path} cannot be written: {problem.strerror}.") from None


def sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where the operating system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
