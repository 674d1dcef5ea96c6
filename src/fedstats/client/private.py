"""Files and folders of one person: nobody else on the computer may read them, whatever the umask says."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from fedstats.errors import AlreadyExists, FileProblem
from fedstats.identity.durable_file import PRIVATE_MODE, write_durably

FOLDER_MODE = 0o700
OTHERS = 0o077


def make_private(folder: Path) -> None:
    """Make a folder for its owner only, or close one that is there already to everybody else.

    Raises
    ------
    FileProblem
        It cannot be made or closed, or is shared by everybody, as /tmp is.

    """
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
        if mode & stat.S_ISVTX:
            raise FileProblem(
                f"{folder} is shared by everybody on this computer.",
                remedy="Name a folder of your own, such as one inside it.",
            )
        if os.name == "posix" and mode & OTHERS:
            folder.chmod(FOLDER_MODE)
    except OSError as problem:
        raise FileProblem(f"{folder} cannot be made your own: {problem.strerror}.") from None


def keep_private(path: Path) -> None:
    """Make an empty file for its owner only where there is none, or close the one that is there.

    Raises
    ------
    FileProblem
        It cannot be made or closed.

    """
    try:
        # Never opened here: on POSIX, closing a file drops the locks that SQLite holds on it in this process.
        if not path.exists():
            with suppress(AlreadyExists):
                write_durably(path, b"", mode=PRIVATE_MODE, replace=False)
        if os.name == "posix" and path.stat().st_mode & OTHERS:
            path.chmod(PRIVATE_MODE)
    except OSError as problem:
        raise FileProblem(f"{path} cannot be opened: {problem.strerror}.") from None
