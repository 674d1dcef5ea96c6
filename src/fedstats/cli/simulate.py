"""`fedstats simulate`: try a question on rows of one's own before any department is asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fedstats.cli.answering import check_writable
from fedstats.cli.paths import FilePath
from fedstats.cli.running import home_option, say, say_error, session_at
from fedstats.errors import FileProblem, ParameterInvalid

if TYPE_CHECKING:  # imported when the command runs
    from fedstats.client.parameters import Parameter
    from fedstats.core.statistic import Statistic


@click.command
@click.argument("question", metavar="SQL|NAME|PATH.py:Name")
@click.option(
    "--data",
    type=FilePath(dir_okay=False),
    required=True,
    metavar="FILE",
    help="Your rows: a .parquet file, or CSV with a header.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="A parameter of a statistic, as fedstats run has it; once for each.",
)
@click.option("--person", metavar="COLUMN", help="The column that names people. Without it each row is one.")
@click.option("--by", metavar="COLUMN", help="The column that says which department holds a row.")
@click.option(
    "--dataset",
    metavar="NAME",
    help="Use the definition of this dataset, which your session can ask about. Without it one is made from "
    "the data.",
)
@click.option("--departments", type=int, default=20, show_default=True, help="How many, without --by.")
@click.option("--max-departments", type=int, default=1, show_default=True, help="In how many one may be.")
@click.option("--epsilon", default="1", show_default=True, help="The loss of one person over all of them.")
@click.option("--repeats", type=int, default=200, show_default=True, help="How often it is answered.")
@click.option(
    "--target", type=float, metavar="NUMBER", help="Find the least epsilon with intervals of ± NUMBER."
)
@click.option("--seed", type=int, metavar="NUMBER", help="For the same report again.")
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", help="table or json."
)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write the report here.")
@home_option
def simulate(
    *,
    question: str,
    data: Path,
    settings: tuple[str, ...],
    dataset: str | None,
    form: str,
    output: Path | None,
    home: Path | None,
    **choices: Any,  # noqa: ANN401 # handed on as they are: person, by, departments, epsilon and so on
) -> None:
    """Try a question on rows of your own, before any department is asked.

    The rows are split over simulated departments in this process, which compute and add noise as real ones
    do. The report says how far answers are off, how often intervals hold, how wide they are, and which
    epsilon is enough. Nothing is sent or spent. The report shows exact numbers of your rows.

      fedstats simulate "SELECT sex, AVG(age) FROM people GROUP BY sex" --data people.csv --person id
    """
    if output is not None:
        check_writable(output)
    definition = None
    if dataset is not None:
        with session_at(home) as session:
            definition = session.dataset(dataset).dataset
    from fedstats.testing.simulate import simulate as try_it

    statistic = question if " " in question.strip() else _statistic(question, settings)
    report = try_it(statistic, _rows(data), dataset=definition, **choices)
    text = report.to_json() if form == "json" else str(report)
    if output is None:
        say(text)
    else:
        output.write_text(f"{text}\n", encoding="utf-8")
        say_error(f"Wrote {output}. It shows exact numbers of your rows.")


def _statistic(reference: str, settings: tuple[str, ...]) -> Statistic:
    """The statistic of a name or a file, with the parameters that were set."""
    from fedstats.client.description import describe
    from fedstats.client.opening import file_at, is_file, statistic_at
    from fedstats.client.parameters import plain_of
    from fedstats.statistics import statistic_of

    file = file_at(reference) if is_file(reference) else None
    described = describe(statistic_of(reference)) if file is None else file.description
    known = {parameter.name: parameter for parameter in described.parameters}
    plain = {name: plain_of(value) for name, value in _set(reference, settings, known).items()}
    return statistic_at(reference, plain) if file is None else file.make(plain)


def _set(reference: str, settings: tuple[str, ...], known: Mapping[str, Parameter]) -> Mapping[str, Any]:
    typed: dict[str, list[str]] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        field = name.strip().replace("-", "_")
        if not equals or field not in known:
            raise ParameterInvalid(
                f"--set {setting[:60]!r} sets no parameter of {reference}; it has {', '.join(known)}.",
                remedy="Write it as --set FIELD=VALUE",
            )
        typed.setdefault(field, []).append(value)
    return {name: known[name].read(values) for name, values in typed.items()}


def _rows(path: Path) -> Any:  # noqa: ANN401 # Arrow ships no types
    """The rows of a file, as an Arrow table."""
    from fedstats.client.extras import load

    try:
        if path.suffix == ".parquet":
            return load("pyarrow.parquet").read_table(path)
        return load("pyarrow.csv").read_csv(path)
    except OSError:
        raise FileProblem(f"{path} cannot be read.", remedy="Is it there, and may you read it?") from None
    except ValueError as problem:  # pyarrow's own errors are of this kind
        raise FileProblem(
            f"{path} holds no table: {str(problem)[:120]}",
            remedy="Give a .parquet file, or CSV with a header.",
        ) from None
