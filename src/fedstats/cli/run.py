"""`fedstats run`: any statistic, built in or in a file. Its options are the fields of its dataclass."""

from __future__ import annotations

import click


class Statistics(click.Group):
    """One command for each statistic; PATH.py:Name is a command, too."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The built-in statistics that have options."""
        del ctx
        from fedstats.cli.run_command import built_in

        return [described.name for described in built_in()]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each statistic with its whole first line."""
        del ctx
        from fedstats.cli.run_command import built_in

        with formatter.section("Statistics"):
            formatter.write_dl([(described.name, described.summary) for described in built_in()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command of a statistic; a file is loaded, in a process of its own, to see what it takes.

        Raises
        ------
        NameUnknown, StatisticUnreadable, StatisticFailed, StatisticStopped
            There is no such statistic.

        """
        del ctx
        from fedstats.cli.run_command import command_of

        return command_of(cmd_name)


@click.group(cls=Statistics, subcommand_metavar="NAME|PATH.py:Name [OPTIONS]...", invoke_without_command=True)
@click.pass_context
def run(context: click.Context) -> None:
    """Ask a statistic, built in or from one Python file.

    What each takes: fedstats run NAME --help. A file of your own is run as PATH.py:Name, in a process of its
    own with a time limit, as you and with your rights: run only files that you have read.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
