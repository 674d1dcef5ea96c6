"""FS-6xx: a department's own source and editions."""

from __future__ import annotations

from typing import ClassVar

from fedstats.errors.root import Actor, FedstatsError


class DataError(FedstatsError):
    """The department's own source or editions; shown locally only."""

    code = "FS-600"
    title = "The department's data cannot be used."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.DEPARTMENT_IT,)


class SourceUnreadable(DataError):
    """The source file or database cannot be read."""

    code = "FS-601"
    title = "The source cannot be read."
    acts = (Actor.DEPARTMENT_IT,)


class MappingInvalid(DataError):
    """The mapping from local columns to the agreement's definition does not fit."""

    code = "FS-602"
    title = "The mapping of local columns does not fit the definition."
    acts = (Actor.DEPARTMENT_IT,)


class EditionExists(DataError):
    """Editions are immutable: this one exists."""

    code = "FS-603"
    title = "This edition exists, and editions never change."
    acts = (Actor.DEPARTMENT_IT,)
    remedy = "A repair makes a revision: fedstats node refresh --edition NAME --revise"


class OptOutListProblem(DataError):
    """The opt-out list is missing, stale or malformed."""

    code = "FS-604"
    title = "The opt-out list cannot be used."
    acts = (Actor.DEPARTMENT_IT,)


class EditionTooLarge(DataError):
    """The source holds more people than the agreement says that there are at most."""

    code = "FS-605"
    title = "The source holds more people than the agreement allows for."
    acts = (Actor.DEPARTMENT_IT, Actor.CONTROLLER)
    remedy = "Ask the controllers for a new version with a larger people_max, or correct the source."
