"""The reference of all commands, as one Markdown page made from their own help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from fedstats.cli import main

WIDTH = 100
HEAD = """<!-- Generated from the commands' help by `make kits`. -->
# Commands

What `--help` prints, for every command.
"""


def write_reference(out: Path) -> None:
    """Write docs/cli.md into a folder laid out like the repository."""
    page = out / "docs" / "cli.md"
    page.parent.mkdir(parents=True)
    settings = {**main.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    root = click.Context(main, info_name="fedstats", **settings)
    page.write_text("\n".join([HEAD, *_sections(root)]))


def _sections(context: click.Context) -> Iterator[str]:
    """One section for a command, then those of its own commands."""
    command = context.command
    help_lines = (line.rstrip() for line in command.get_help(context).splitlines())
    yield f"## {context.command_path}\n\n```text\n" + "\n".join(help_lines) + "\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                settings = inner.context_settings
                yield from _sections(click.Context(inner, parent=context, info_name=name, **settings))
