"""FS-1xx: what a person typed or configured."""

from __future__ import annotations

from typing import ClassVar

from fedstats.errors.root import Actor, FedstatsError, Spent


class UsageError(FedstatsError):
    """What a person typed or configured cannot be used."""

    code = "FS-100"
    title = "This cannot be used as given."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.CALLER,)


class ConfigInvalid(UsageError):
    """A configuration file has an unknown key, a missing key or a value outside its range."""

    code = "FS-101"
    title = "The configuration cannot be used."
    acts = (Actor.CALLER,)
    remedy = "Correct the file and try again."


class FileProblem(UsageError):
    """A file is missing, unreadable, or readable by more people than it may be."""

    code = "FS-102"
    title = "A file cannot be used."
    acts = (Actor.CALLER,)


class NotJoined(UsageError):
    """This home folder has not joined a federation."""

    code = "FS-103"
    title = "This computer has not joined a federation yet."
    acts = (Actor.CALLER, Actor.OPERATOR)
    remedy = "Ask whoever runs the coordinator for a token, and paste it after typing: fedstats join -"


class ExtraMissing(UsageError):
    """A part of fedstats that is installed separately is missing."""

    code = "FS-104"
    title = "A part of fedstats is not installed."
    acts = (Actor.CALLER,)


class AlreadyExists(UsageError):
    """Something of this name is there already and is never overwritten."""

    code = "FS-105"
    title = "This exists already and is not overwritten."
    acts = (Actor.CALLER,)


class LossInvalid(UsageError):
    """The asked privacy loss is not a positive, finite number in range."""

    code = "FS-106"
    title = "The privacy loss must be a positive number."
    spent_default = Spent.NOTHING
    acts = (Actor.ANALYST,)
    remedy = "Ask with --epsilon between 0.001 and 100, for example --epsilon 1."


class JobUnknown(UsageError):
    """No job of this name is known here."""

    code = "FS-107"
    title = "No such job."
    acts = (Actor.ANALYST,)
    remedy = "See the jobs of this computer with: fedstats jobs"


class ValueInvalid(UsageError):
    """A value breaks the rules of its type."""

    code = "FS-108"
    title = "A value is out of its range."
    acts = (Actor.CALLER,)


class NotAnswered(UsageError):
    """The job ended without an answer, because departments refused or did not answer."""

    code = "FS-109"
    title = "The question was not answered."
    acts = (Actor.ANALYST, Actor.DEPARTMENT_IT)


class StillWaiting(UsageError):
    """The time to wait was up before every department answered; the job goes on."""

    code = "FS-110"
    title = "The question is not answered yet."
    acts = (Actor.ANALYST, Actor.DEPARTMENT_IT)


class TargetOutOfReach(UsageError):
    """No loss that may be asked makes the intervals as narrow as --target wants them."""

    code = "FS-111"
    title = "No question that may be asked is as exact as this."
    acts = (Actor.ANALYST, Actor.CONTROLLER)
    remedy = "Ask for a wider target, for fewer columns, or for fewer things in one question."
    spent_default = Spent.NOTHING


class QuestionUnknown(UsageError):
    """No question, or several, on the department's list have an id that begins like this."""

    code = "FS-115"
    title = "No such question waits here."
    acts = (Actor.DEPARTMENT_IT,)
    remedy = "See the list with: fedstats node approvals list"


class ApprovalInvalid(UsageError):
    """A question cannot be approved like this: it was refused, is over, or the key is no approver's."""

    code = "FS-116"
    title = "This question cannot be approved like this."
    acts = (Actor.DEPARTMENT_IT,)


class StatisticUnreadable(UsageError):
    """The file of a statistic is missing, cannot be loaded, or holds no statistic of this name."""

    code = "FS-120"
    title = "This is no statistic."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.ANALYST,)
    spent_default = Spent.NOTHING
    remedy = "Compare it with one that works: docs/statistics.md has one."


class StatisticFailed(UsageError):
    """A statistic raised an error, ended, or gave back what it may not."""

    code = "FS-121"
    title = "The statistic failed."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.ANALYST,)
    spent_default = Spent.NOTHING
    remedy = "Mend it and ask again: what departments have recorded costs nothing twice."


class StatisticStopped(UsageError):
    """A statistic took longer, or more memory, than it may, and was stopped."""

    code = "FS-122"
    title = "The statistic was stopped."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.ANALYST,)
    spent_default = Spent.NOTHING
    remedy = "Mend it and ask again: what departments have recorded costs nothing twice."


class StatisticChanged(UsageError):
    """The file of a statistic is not the one that a job was asked with."""

    code = "FS-123"
    title = "The statistic has changed since it was asked."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.ANALYST,)
    spent_default = Spent.NOTHING


class ParameterInvalid(UsageError):
    """A statistic has no parameter of this name, or it cannot have this value here."""

    code = "FS-124"
    title = "A parameter of the statistic cannot be this."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.ANALYST,)
    spent_default = Spent.NOTHING


class PictureImpossible(UsageError):
    """A table cannot be drawn: it has no such column, no numbers, or more than a picture can show."""

    code = "FS-125"
    title = "This cannot be drawn."
    acts = (Actor.ANALYST,)


class TableUnclear(UsageError):
    """An answer has several tables, or none of the name that was asked for."""

    code = "FS-126"
    title = "It is not clear which table is meant."
    acts = (Actor.ANALYST,)
