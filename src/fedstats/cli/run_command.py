"""The command of one statistic: options made of its fields, and what it does when it is typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click

from fedstats.cli.answering import chosen_format, output_options, put_out, table_option
from fedstats.cli.asking import asking_options, least_epsilon, put_out_explanation
from fedstats.cli.progress import shown
from fedstats.cli.running import home_option, say_error, session_at
from fedstats.client.answer import Answer
from fedstats.client.custom.file import StatisticFile
from fedstats.client.custom.process import STEP_S, STEP_S_MAX
from fedstats.client.description import Description, describe
from fedstats.client.opening import file_at, is_file, statistic_at
from fedstats.client.origin import TABLE
from fedstats.client.parameters import Given, Parameter, ValueKind, plain_of
from fedstats.client.session import Session
from fedstats.core.statistic import Statistic
from fedstats.errors import ParameterInvalid, StatisticUnreadable
from fedstats.statistics import statistic_of, statistics

METAVARS = {
    ValueKind.TEXT: "TEXT",
    ValueKind.WHOLE: "NUMBER",
    ValueKind.NUMBER: "NUMBER",
    ValueKind.TRUTH: "",
    ValueKind.DAY: "YYYY-MM-DD",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A statistic that can be run: how it was named, what it takes, and its file if it has one."""

    reference: str
    described: Description
    file: StatisticFile | None = None

    def make(self, fields: Mapping[str, Given]) -> Statistic:
        """The statistic with these parameters; raises ParameterInvalid and what its own checks raise."""
        plain = {name: plain_of(value) for name, value in fields.items()}
        if self.file is None:
            return statistic_at(self.reference, plain)
        return cast("Statistic", self.file.make(plain))


def built_in() -> Iterator[Description]:
    """The built-in statistics whose parameters can be typed; a table is asked in SQL."""
    for name in statistics():
        if name != TABLE:
            yield describe(statistic_of(name))


def command_of(reference: str, *, argument: str = "") -> click.Command:
    """The command of a statistic; the field `argument` is typed without its option.

    Raises
    ------
    NameUnknown, StatisticUnreadable, StatisticFailed, StatisticStopped
        There is no such statistic.

    """
    if reference == TABLE:
        raise StatisticUnreadable("A table is asked in SQL.", remedy='Type: fedstats query "SELECT ..."')
    file = file_at(reference) if is_file(reference) else None
    described = describe(statistic_of(reference)) if file is None else file.description
    source = Source(reference, described, file)
    command = StatisticCommand(source, argument=argument)
    for options in (home_option, output_options, table_option, asking_options, _own_options):
        options(cast("Callable[..., object]", command))
    own = [_option(parameter, argument=argument) for parameter in described.parameters]
    taken = {option.name for option in command.params}
    for parameter in described.parameters:
        if parameter.name in taken or parameter.name in _TAKEN:
            raise StatisticUnreadable(
                f"The field {parameter.name} of {reference} has the name of an option of fedstats run.",
                remedy="Call it otherwise.",
            )
    command.params = [*own, *reversed(command.params)]
    command.fields = tuple(parameter.name for parameter in described.parameters)
    return command


_TAKEN = frozenset(("from", "format", "wait", "help"))


def _own_options(command: Callable[..., object]) -> None:
    for option in (
        click.option(
            "--from",
            "job",
            metavar="JOB",
            help="Show the answer of this job in another way, free: nothing is asked, also offline. Only "
            "options marked with * may differ from those it was asked with.",
        ),
        click.option(
            "--step-timeout",
            "step_s",
            type=click.FloatRange(min=0, min_open=True, max=STEP_S_MAX),
            default=STEP_S,
            show_default=True,
            metavar="SECONDS",
            help="Stop the statistic of a file when one of its steps takes longer.",
        ),
    ):
        option(command)


def _option(parameter: Parameter, *, argument: str) -> click.Parameter:
    """The option of a field; what is not typed is None, so that the dataclass has its own default."""
    if parameter.name == argument:
        return click.Argument([parameter.name], required=False, metavar=parameter.metavar or argument.upper())
    mark = "* " if parameter.free else ""
    help_text = f"{mark}{parameter.help}{_default_words(parameter)}".strip()
    if parameter.kind is ValueKind.TRUTH:
        return click.Option([f"{parameter.option}/--no-{parameter.option[2:]}"], default=None, help=help_text)
    metavar = parameter.metavar or METAVARS[parameter.kind]
    return click.Option(
        [parameter.option],
        multiple=parameter.several,
        metavar=f"{metavar},..." if parameter.several else metavar,
        help=help_text,
    )


def _default_words(parameter: Parameter) -> str:
    if parameter.required:
        return "  [required]"
    if parameter.default in (None, "", []):
        return ""
    default = parameter.default
    shown_default = ",".join(map(str, default)) if isinstance(default, list) else default
    if parameter.kind is ValueKind.TRUTH:
        shown_default = "yes" if default else "no"
    return f"  [default: {shown_default}]"


class StatisticCommand(click.Command):
    """A command whose parameters are those of a statistic, then those of every question."""

    def __init__(self, source: Source, *, argument: str) -> None:
        described = source.described
        super().__init__(
            name=source.reference,
            callback=self._run,
            help=described.doc or described.name,
            epilog="" if "fedstats run" in described.doc else _example(source, argument=argument),
        )
        self.source = source
        self.fields: tuple[str, ...] = ()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Its own parameters apart from those of every question."""
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if record is not None:
                (own if option.name in self.fields else common).append(record)
        for heading, records in (("Parameters (* also with --from)", own), ("Options", common)):
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def _run(self, **typed: Any) -> None:  # noqa: ANN401 # what click read
        fields = {}
        for parameter in self.source.described.parameters:
            given = typed.pop(parameter.name)
            if given is None or given == ():
                continue
            several = given if parameter.several else (given,)
            fields[parameter.name] = given if parameter.kind is ValueKind.TRUTH else parameter.read(several)
        _run(self.source, fields, Choices(**typed))


@dataclass(frozen=True, slots=True)
class Choices:
    """The options that every statistic has."""

    epsilon: str | None
    target: str | None
    purpose: str
    agreement: str
    edition: str
    pure: bool
    explain: bool
    job: str | None
    step_s: float
    table: str | None
    form: str | None
    output: Path | None
    wait_s: float | None
    home: Path | None

    @property
    def under(self) -> dict[str, str]:
        """Under what is asked."""
        return {"purpose": self.purpose, "agreement": self.agreement, "edition": self.edition}


def _run(source: Source, fields: Mapping[str, Given], choices: Choices) -> None:
    chosen = chosen_format(choices.form, choices.output)  # before anything is spent
    if source.file is not None:
        source.file.process.allow(choices.step_s)
    with session_at(choices.home) as session:
        if choices.job is not None:
            answer = _viewed(session, source, fields, choices)
        elif choices.explain:
            explanation = session.explain(
                source.make(fields),
                epsilon=choices.epsilon,
                target=choices.target,
                **choices.under,
                pure=choices.pure,
            )
            put_out_explanation(explanation, chosen, choices.output)
            return
        else:
            answer = _asked(session, source.make(fields), choices)
    put_out(answer, chosen, choices.output, choices.table)


def _asked(session: Session, statistic: Statistic, choices: Choices) -> Answer:
    epsilon, target = choices.epsilon, choices.target
    if target is not None and epsilon is None:
        epsilon, target = least_epsilon(session, statistic, target, choices.under, pure=choices.pure), None
    with shown(quiet=False) as tell:
        return session.run(
            statistic,
            epsilon=epsilon,
            target=target,
            purpose=choices.purpose,
            agreement=choices.agreement,
            edition=choices.edition,
            pure=choices.pure,
            progress=tell,
            wait_s=choices.wait_s,
            announce=say_error,
        )


def _viewed(session: Session, source: Source, fields: Mapping[str, Given], choices: Choices) -> Answer:
    """Another view of a job's release.

    Raises
    ------
    ParameterInvalid
        The job was asked with another statistic, or something was typed that only a new question has.

    """
    job = session.job(choices.job or "")
    asked = job.origin.statistic if job.origin is not None else job.question
    named = source.reference if source.file is None else source.file.name
    if job.origin is None or asked.rpartition(":")[2] != named:
        raise ParameterInvalid(
            f"Job {job.name} was asked with {asked}, not with {source.reference}.",
            remedy=f"See its answer again, free: fedstats resume {job.name}",
        )
    if choices.epsilon is not None or choices.target is not None or choices.explain:
        raise ParameterInvalid(
            f"--from {job.name} asks nothing, so it takes no --epsilon, --target or --explain.",
            remedy="Leave these out, or leave --from out to ask anew.",
        )
    where = None if source.file is None else source.file.path
    return session.view(job.name, statistic=where, **fields)


def _example(source: Source, *, argument: str) -> str:
    needed = [
        (_sample(parameter) if parameter.name == argument else f"{parameter.option} {_sample(parameter)}")
        for parameter in source.described.parameters
        if parameter.required
    ]
    typed = " ".join(["fedstats", source.reference if argument else f"run {source.reference}", *needed])
    return f"For example: {typed} --epsilon 1"


def _sample(parameter: Parameter) -> str:
    return "rtt" if parameter.name == "dataset" else parameter.metavar or METAVARS[parameter.kind]
