"""Commands that are printed as the next step carry the `--home` that was typed: they can be copied."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
from click.core import ParameterSource

_TYPED = "fedstats.home"
_COMMAND = re.compile(r"(?:(?<=:)|^) +fedstats [a-z]+[^\n,;()\"]*", flags=re.MULTILINE)
_HOMELESS = {("agreement", "check"), ("agreement", "schema")}
_AT_NODE = {("agreement", "accept"), ("agreement", "withdraw")}
_KEEPERS = {("controller", "init"), ("controller", "trust")}  # what one's own folder holds, whoever one is
_PEOPLES = {
    *("use", "query", "datasets", "jobs", "resume", "proceed", "join", "rotate-key", "doctor", "agreement"),
    *("guarantee", "publish", "document", "register", "run", "plot"),
}


def remember_home(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """A callback of every `--home`: what was typed belongs into the next command, too."""
    if context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE:
        context.meta[_TYPED] = (context.command_path.split()[1:], str(value))
    return value


def with_home(text: str) -> str:
    """The text, with `--home FOLDER` after each command in it that is for the folder that was typed."""
    context = click.get_current_context(silent=True)
    if context is None or _TYPED not in context.meta:
        return text
    typed, folder = context.meta[_TYPED]

    def completed(found: re.Match[str]) -> str:
        command = found[0].rstrip()
        words = tuple(command.split()[1:])
        if "--home" in words or not _takes(typed, words):
            return found[0]
        return f"{command} --home {shlex.quote(folder)}{found[0][len(command) :]}"

    return _COMMAND.sub(completed, text)


def _takes(typed: list[str], words: tuple[str, ...]) -> bool:
    """Whether the folder of the command that was typed is also that of another one."""
    if typed[0] in {"node", "audit"} or tuple(typed[:2]) in _AT_NODE:
        log = words[0] == "audit" and "FILE" not in words  # a file stands in the place of a folder
        return log or words[0] == "node" or words[:2] in {*_AT_NODE, ("controller", "trust")}
    if typed[0] == "coordinator":
        return words[0] == "coordinator"
    if words[:2] in {*_HOMELESS, *_AT_NODE}:
        return False
    if words[0] == "controller":
        return typed[0] == "controller" or words[:2] in _KEEPERS
    return words[0] in _PEOPLES
