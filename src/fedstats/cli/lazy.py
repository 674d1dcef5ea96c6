"""A click group that shows its commands' help without importing them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from difflib import get_close_matches

import click


class LazyGroup(click.Group):
    """A group whose commands are imported when one of them is called.

    `commands_at` maps a command's name to where it is ("module:attribute") and its one line of help.
    """

    def __init__(self, *, commands_at: Mapping[str, tuple[str, str]], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]  # click's own keyword arguments, passed on unread
        self._commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order in which the table gives them."""
        return [*self._commands_at, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, imported now; None if there is none of this name."""
        if cmd_name not in self._commands_at:
            return super().get_command(ctx, cmd_name)
        where, _ = self._commands_at[cmd_name]
        module, _, attribute = where.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            message = f"{where} is not a click command"
            raise TypeError(message)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; a name that is none is refused with those that look like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as problem:
            close = get_close_matches(args[0], self.list_commands(ctx))
            if not close:
                raise
            sentence = f"{problem.message} Did you mean {' or '.join(close)}?"
            raise click.UsageError(sentence, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, those of the table by its lines alone."""
        rows = [(name, self._line_of(ctx, name)) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def _line_of(self, ctx: click.Context, name: str) -> str:
        if name in self._commands_at:
            return self._commands_at[name][1]
        command = super().get_command(ctx, name)
        return command.get_short_help_str() if command else ""
