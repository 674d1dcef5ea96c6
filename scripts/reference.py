"""The reference in Markdown: all commands from their help, all events, and a page for every error code."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
from journal_tables import events_page

from fedstats.cli import main
from fedstats.cli.root import exit_code
from fedstats.errors.page import FAMILIES, Page, pages

WIDTH = 100
HEAD = """<!-- Generated from the commands' help by `make kits`. -->
# Commands

What `--help` prints, for every command.
"""


ERRORS_HEAD = """<!-- Generated from the error classes by `make kits`. -->
# Errors

Every message of fedstats starts with a code, such as FS-214. `fedstats error FS-214` prints the same page in
the terminal. After the code come what happened, what was spent of the budget where that is in question, who
can change it where that may be somebody else, and last what to do: a command at the end can be copied.
"""


def write_reference(out: Path) -> None:
    """Write docs/cli.md, docs/events.md and docs/errors/ into a folder laid out like the repository."""
    page = out / "docs" / "cli.md"
    page.parent.mkdir(parents=True)
    settings = {**main.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    root = click.Context(main, info_name="fedstats", **settings)
    page.write_text("\n".join([HEAD, *_sections(root)]))
    _write_errors(out / "docs" / "errors")
    (out / "docs" / "events.md").write_text(events_page())


def _write_errors(folder: Path) -> None:
    """One page for each code, and their index."""
    folder.mkdir()
    known = pages()
    (folder / "README.md").write_text("\n".join([ERRORS_HEAD, *_index(known)]))
    for page in known:
        (folder / f"{page.code}.md").write_text("\n".join(_error_page(page)) + "\n")


def _index(known: tuple[Page, ...]) -> Iterator[str]:
    """A table of codes for each family."""
    for digit, family in FAMILIES.items():
        yield f"## FS-{digit}xx: {family}\n\n| code | what happened | who can change it |\n|---|---|---|"
        for page in known:
            if page.code[3] == digit:
                yield f"| [{page.code}]({page.code}.md) | {page.title} | {page.who.rstrip('.')} |"
        yield ""


def _error_page(page: Page) -> Iterator[str]:
    """Markdown of one page."""
    yield f"<!-- Generated from fedstats.errors.{page.error.__name__} by `make kits`. -->"
    yield f"# {page.code}: {page.title}\n"
    yield f"{page.meaning}\n"
    yield f"```text\n{textwrap.fill(page.example, WIDTH)}\n```\n"
    yield "## Why it happens\n"
    yield from (f"- {cause}" for cause in page.causes)
    yield f"\n## Who can change it\n\n{page.who}\n"
    yield "## What to do\n"
    yield from (f"{number}. {_with_command(step)}" for number, step in enumerate(page.steps, 1))
    yield f"\n## Budget\n\n{page.budget}\n"
    yield f"Exit code {exit_code(page.error())}. [All errors](README.md)"


def _with_command(step: str) -> str:
    """The step, its commands set as code."""
    return re.sub(
        r"(?<=[:,r] )((?:fedstats|sqlite3|sudo|ls|df|fuser) .+?)(?=, or fed|, then fed|, fed|$)",
        r"`\1`",
        step,
    )


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
