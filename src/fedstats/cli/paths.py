"""Files and folders on the command line: what no file system can name is refused where it is typed."""

from __future__ import annotations

import os
from pathlib import Path

import click

PATH_BYTES_MAX = 4_095  # what Linux takes; other systems take less, and say so themselves


class FilePath(click.Path):
    """A path as `pathlib.Path`; a text that can be none (too long, or with a NUL in it) is refused."""

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True, readable: bool = True) -> None:
        """Take files, folders, or both; `readable`: refuse here what this account may not read."""
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, readable=readable, path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        """The path, or the error that click shows."""
        written = os.fsencode(value)
        if b"\0" in written or len(written) > PATH_BYTES_MAX:
            self.fail("this cannot be the name of a file or a folder", param, ctx)
        try:
            return super().convert(value, param, ctx)
        except OSError as problem:  # one part of it is too long, say
            self.fail(f"this cannot be used: {problem.strerror}", param, ctx)
