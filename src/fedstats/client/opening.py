"""From names, files and what jobs remember to statistics that can be asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from fedstats.client.custom.file import FileStatistic, StatisticFile
from fedstats.client.custom.process import Limits
from fedstats.client.description import Description, describe
from fedstats.client.origin import TABLE, Origin
from fedstats.client.parameters import canonical, checked, plain_of, text_of
from fedstats.core.bound import BoundKind
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Statistic
from fedstats.errors import NameUnknown, ParameterInvalid, StatisticChanged, StatisticUnreadable, UsageError
from fedstats.statistics import statistic_of, statistics
from fedstats.statistics.table import Table

_LIMITS = Limits()


def origin_of(statistic: Statistic) -> Origin | None:
    """The origin of a statistic; None for one that nobody but its author can make again."""
    if isinstance(statistic, FileStatistic):
        file = statistic.file
        return Origin.with_parameters(file.reference, statistic.plain, file_hash=file.file_hash)
    name = str(statistic.name)
    if name == TABLE or name not in statistics() or statistic_of(name) is not type(statistic):
        return None
    return Origin.with_parameters(name, plain_parameters(statistic))


def opened(
    origin: Origin,
    definitions: Callable[[str], Dataset],
    *,
    job: str,
    limits: Limits = _LIMITS,
    copy: Path | None = None,
) -> Statistic:
    """The statistic that a job was asked with; `copy` is where its file lies now, if it was moved.

    Raises
    ------
    StatisticChanged
        The file is not there any more, or is another one than the job was asked with.
    StatisticUnreadable, StatisticFailed, LanguageError
        It cannot be made again.

    """
    if not origin.file_hash:
        return _built_in(origin.statistic, origin.plain, definitions)
    path, _, name = origin.statistic.rpartition(":")
    try:
        file = StatisticFile(copy or Path(path), name, limits)
    except StatisticUnreadable as problem:
        raise _changed(origin, job, problem.sentence) from None
    if file.file_hash != origin.file_hash:
        file.close()
        raise _changed(origin, job, f"{copy or path} is not the file that job {job} was asked with.")
    return cast("Statistic", file.make(origin.plain))


def _changed(origin: Origin, job: str, sentence: str) -> StatisticChanged:
    return StatisticChanged(
        f"{sentence} The one asked has SHA-256 {origin.file_hash}.",
        remedy="Find it as it was (or ask the new one as a new question: rounds that ask the same cost "
        f"nothing), then: fedstats resume {job} --statistic FILE.py",
    )


def viewed(statistic: Statistic, fields: Mapping[str, object], *, job: str) -> Statistic:
    """The statistic with other free parameters, given as JSON has them: another view of what it asked.

    Raises
    ------
    ParameterInvalid
        A field is not free: another value of it would be a new question.

    """
    described = description_of(statistic)
    before = plain_parameters(statistic)
    after = canonical(described.name, described.parameters, {**before, **fields})
    bound = [name for name in fields if name not in described.free and before.get(name) != after.get(name)]
    if bound:
        raise not_free(bound, described.free, job)
    if isinstance(statistic, FileStatistic):
        return cast("Statistic", statistic.file.make(after))
    kind: Any = type(statistic)
    return cast("Statistic", kind(**checked(described.name, described.parameters, after)))


def description_of(statistic: Statistic) -> Description:
    """What its class says of itself."""
    return statistic.file.description if isinstance(statistic, FileStatistic) else describe(type(statistic))


def not_free(bound: list[str], free: tuple[str, ...], job: str) -> ParameterInvalid:
    """What to say of parameters that --from cannot change."""
    others = f"It may change {_options(free)}." if free else "It has none that only change what is shown."
    return ParameterInvalid(
        f"Another {_options(bound)} would ask departments something new, which the release of job {job} "
        f"cannot answer. {others}",
        remedy="To ask it as a new question, leave --from out and give --epsilon.",
    )


def _options(names: Iterable[str]) -> str:
    """As they are typed."""
    return ", ".join("--" + name.replace("_", "-") for name in names)


def statistic_at(reference: str, plain: Mapping[str, object], limits: Limits = _LIMITS) -> Statistic:
    """A built-in statistic by its name, or the class of a file by PATH.py:Name, with these parameters.

    Raises
    ------
    NameUnknown, StatisticUnreadable, StatisticFailed, StatisticStopped
        There is none, or it cannot be loaded.
    ParameterInvalid, ValueInvalid
        The parameters are not what it takes.

    """
    if is_file(reference):
        return cast("Statistic", file_at(reference, limits).make(plain))
    return _built_in(reference, plain, _no_definitions)


def is_file(reference: str) -> bool:
    """Whether it names a file rather than a built-in statistic."""
    return ".py" in reference or "/" in reference or ":" in reference


def file_at(reference: str, limits: Limits = _LIMITS) -> StatisticFile:
    """The file that PATH.py:Name names, loaded; raises as `statistic_at`."""
    path, colon, name = reference.rpartition(":")
    if not colon or not path or not name.isidentifier():
        raise StatisticUnreadable(
            f"{reference[:200]!r} names a file and no class in it.", remedy="Name both, as PATH.py:Name"
        )
    return StatisticFile(Path(path), name, limits)


def plain_parameters(statistic: Statistic) -> dict[str, object]:
    """The parameters of a statistic that are no defaults, as JSON has them; raises StatisticUnreadable."""
    if isinstance(statistic, FileStatistic):
        return statistic.plain
    described = describe(type(statistic))
    fields = dataclasses.fields(cast("Any", statistic))
    given = {field.name: plain_of(getattr(statistic, field.name)) for field in fields if field.init}
    return canonical(described.name, described.parameters, given)


def words_of(statistic: Statistic) -> str:
    """`name(field=value, ...)`; of a class whose fields are no parameters, how it shows itself."""
    try:
        return text_of(statistic.name, plain_parameters(statistic))
    except UsageError:
        return repr(statistic)


def _built_in(name: str, plain: Mapping[str, object], definitions: Callable[[str], Dataset]) -> Statistic:
    if name == TABLE:
        if "sql" not in plain:
            raise StatisticUnreadable("A table is asked in SQL.", remedy='Type: fedstats query "SELECT ..."')
        return table_of(plain, definitions)
    kind: Any = statistic_of(name)
    return cast("Statistic", kind(**checked(name, describe(kind).parameters, plain)))


def table_of(plain: Mapping[str, object], definitions: Callable[[str], Dataset]) -> Table:
    """The table of a question in SQL, as a job remembers it."""
    bound = str(plain.get("bound", BoundKind.ROWS.value))
    return Table.from_sql(str(plain["sql"]), definitions, totals=plain.get("totals") is True, bound=bound)


def _no_definitions(name: str) -> Dataset:
    raise NameUnknown(f"No definition of {name[:48]} is at hand.")
