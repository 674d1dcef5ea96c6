"""FS-4xx: the question cannot be asked like this."""

from __future__ import annotations

from typing import ClassVar

from fedstats.errors.root import Actor, FedstatsError, Spent


class LanguageError(FedstatsError):
    """The question cannot be asked in this form."""

    code = "FS-400"
    title = "The question cannot be asked like this."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.ANALYST,)
    spent_default = Spent.NOTHING


class SqlUnreadable(LanguageError):
    """The text is not SQL."""

    code = "FS-401"
    title = "The SQL cannot be read."
    acts = (Actor.ANALYST,)


class SqlRefused(LanguageError):
    """The SQL is outside the language that can be answered privately."""

    code = "FS-402"
    title = "This SQL cannot be answered privately."
    acts = (Actor.ANALYST,)


class ExpressionInvalid(LanguageError):
    """An expression mixes types, has no bounds, may divide by zero, or uses an undeclared literal."""

    code = "FS-403"
    title = "The expression cannot be used."
    acts = (Actor.ANALYST,)


class TooLarge(LanguageError):
    """The question has too many cells, keys, nodes or digits."""

    code = "FS-404"
    title = "The question is too large."
    acts = (Actor.ANALYST,)


class NameUnknown(LanguageError):
    """No dataset, column, category, purpose or edition of this name."""

    code = "FS-405"
    title = "This name is not known."
    acts = (Actor.ANALYST,)
    remedy = "See what there is: fedstats datasets"
