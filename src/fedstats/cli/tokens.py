"""Join tokens at the command line, where arguments are seen by everybody on the computer."""

from __future__ import annotations

import sys

import click


def token_text(token: str) -> str:
    """The token itself; `-` stands for what is pasted at a terminal, not shown, or comes through a pipe."""
    if token != "-":  # noqa: S105 # not a password: the dash stands for standard input
        return token
    if sys.stdin.isatty():
        return str(click.prompt("The token (it is not shown)", hide_input=True, err=True))
    return sys.stdin.read()
