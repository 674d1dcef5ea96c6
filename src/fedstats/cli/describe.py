"""`fedstats describe`: a first look at a dataset, with a small loss unless another is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fedstats.cli.run_command import command_of
from fedstats.cli.running import say_error

if TYPE_CHECKING:
    import click

EPSILON = "0.1"


def _command() -> click.Command:
    """The command of the statistic, with the dataset as its argument and a loss of its own."""
    command = command_of("describe", argument="dataset")
    asked = command.callback

    def run(**typed: Any) -> None:  # noqa: ANN401 # what click read
        if typed["epsilon"] is None and typed["target"] is None and typed["job"] is None:
            typed["epsilon"] = EPSILON
            say_error(f"Asking with --epsilon {EPSILON}, as no loss was given.")
        if asked is not None:
            asked(**typed)

    command.callback = run
    for option in command.params:
        if option.name == "epsilon" and hasattr(option, "help"):
            option.help = f"How much the answer may reveal about one person.  [default: {EPSILON}]"
    return command


describe = _command()
