"""The `fedstats` command. Its groups and commands are listed here and imported when they are used."""

from __future__ import annotations

import click

from fedstats.cli.lazy import LazyGroup
from fedstats.cli.root import EXIT_CODES_TEXT, Root

__all__ = ["COMMANDS", "LazyGroup", "main"]

# name: (where the click command is, the line that help shows). Kept here so that help imports nothing.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("fedstats.cli.demo:demo", "Show a whole federation at work on this computer."),
    "join": ("fedstats.cli.join:join", "Join a federation with a token, as who it is for."),
    "rotate-key": ("fedstats.cli.join:rotate_key", "Make a new key for this analyst."),
    "use": ("fedstats.cli.use:use", "Choose the agreement and the purpose that you ask under."),
    "datasets": ("fedstats.cli.datasets:datasets", "Show what you can ask about, and who holds it."),
    "query": ("fedstats.cli.query:query", "Ask a question in SQL."),
    "describe": ("fedstats.cli.describe:describe", "Take a first look at a dataset, for a small loss."),
    "run": ("fedstats.cli.run:run", "Ask a statistic, built in or from one Python file."),
    "new": ("fedstats.cli.new:new", "Begin an analysis of your own: a Python file and its test."),
    "simulate": ("fedstats.cli.simulate:simulate", "Try a question on rows of your own, and ask nobody."),
    "jobs": ("fedstats.cli.jobs:jobs", "List the questions of this computer."),
    "resume": ("fedstats.cli.jobs:resume", "Take a question up again, or show its answer again, free."),
    "plot": ("fedstats.cli.plot:plot", "Draw the answer of a job, in a file or in the terminal."),
    "proceed": ("fedstats.cli.jobs:proceed", "Go on without departments that do not answer."),
    "guarantee": (
        "fedstats.cli.guarantee:guarantee",
        "Show what an answer promises to the people whose data it used.",
    ),
    "publish": ("fedstats.cli.publish:publish", "Put the answer of a job on the public register."),
    "agreement": ("fedstats.cli.agreement:agreement", "Write, read, sign and accept agreements."),
    "document": (
        "fedstats.cli.document:document",
        "Write what data protection asks for: DPIA, ATRS, SATRE, Five Safes.",
    ),
    "controller": ("fedstats.cli.controller:controller", "Sign for a department: keys and appointments."),
    "node": ("fedstats.cli.node:node", "Run a department's node beside its data."),
    "coordinator": ("fedstats.cli.coordinator:coordinator", "Run a federation's coordinator."),
    "doctor": (
        "fedstats.cli.doctor:doctor",
        "Check this computer and its way to the coordinator, and say how to mend it.",
    ),
    "register": ("fedstats.cli.register:register", "Read the public register of questions."),
    "audit": ("fedstats.cli.audit:audit", "Read and verify a department's log."),
    "error": ("fedstats.cli.error:error", "Explain an error code, such as FS-214."),
}


@click.group(
    cls=Root,
    commands_at=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EXIT_CODES_TEXT,
)
@click.version_option(package_name="fedstats", message="fedstats %(version)s")
def main() -> None:
    """Statistics over data that stays in several government departments.

    Rows never leave a department. What leaves is an aggregate with differential-privacy noise,
    asked for a stated purpose under an agreement that every department signed.
    """
