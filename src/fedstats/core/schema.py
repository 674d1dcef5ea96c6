"""What a dataset is, for everybody: its unit, its columns with their public domains, its bounds."""

from __future__ import annotations

from dataclasses import dataclass

from fedstats.core.domain import Domain, Texts
from fedstats.core.names import (
    check_department,
    check_identifier,
    check_label,
    check_scheduled_edition,
    check_text,
    did_you_mean,
)
from fedstats.core.population import Condition
from fedstats.core.privacy import Contribution, UnitKind
from fedstats.errors import NameUnknown, ValueInvalid

DEPARTMENT_KEY = "department"
"""The key that every dataset has; in local mode each node releases only its own slice."""

COLUMNS_MAX = 200
ROWS_OF_ONE_PERSON_MAX = 10_000
PEOPLE_MAX = 2**40


@dataclass(frozen=True, slots=True)
class Unit:
    """Who is protected: a person, named by a column of a namespace of persons, or one row ("per record")."""

    kind: UnitKind
    namespace: str
    column: str | None = None

    def __post_init__(self) -> None:
        """A person has a column that names it, a row has none."""
        check_identifier(self.namespace, what="namespace of persons")
        if (self.kind is UnitKind.PERSON) != (self.column is not None):
            raise ValueInvalid("A person unit names its column and a row unit names none.")
        if self.column is not None:
            check_identifier(self.column, what="column")


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """One column that questions may use, and for what.

    `classification` says how sensitive it is ("special category: health"), `justification` why it is needed.
    """

    name: str
    domain: Domain
    description: str = ""
    as_key: bool = True
    as_measure: bool = True
    classification: str = ""
    justification: str = ""

    def __post_init__(self) -> None:
        """A usable name, not the one that every dataset has already; free text is for grouping only."""
        check_identifier(self.name, what="column")
        if self.name == DEPARTMENT_KEY:
            raise ValueInvalid(
                "Every dataset has the key department already; call the column something else."
            )
        check_text(self.description, what="description")
        check_text(self.classification, what="classification of a column")
        check_text(self.justification, what="justification of a column")
        if isinstance(self.domain, Texts) and (self.as_measure or not self.as_key):
            raise ValueInvalid(f"{self.name} is free text, which can be a key and nothing else.")


@dataclass(frozen=True, slots=True)
class Source:
    """From which system or table a department takes the data: for the public, no node reads it."""

    department: str
    table: str

    def __post_init__(self) -> None:
        """A department, and a line that names the table."""
        check_department(self.department)
        check_label(self.table, what="source table")


@dataclass(frozen=True, slots=True)
class Dataset:
    """One logical table that several departments hold, as their agreement defines it.

    `rows_max` bounds the rows of one unit at one department, `people_max` the units at one department (for
    the check that sums cannot overflow), `people_about` is the rough public size over all departments. Rows
    that do not meet every condition of `population` are in no edition.
    """

    name: str
    unit: Unit
    rows_max: int
    people_max: int
    people_about: int
    columns: tuple[ColumnDefinition, ...]
    editions: tuple[str, ...]
    holders: tuple[str, ...]
    description: str = ""
    population: tuple[Condition, ...] = ()
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        """Bounds in range, distinct names, and the person column is not among the columns."""
        check_identifier(self.name, what="dataset")
        names = [column.name for column in self.columns]
        if not 1 <= len(names) <= COLUMNS_MAX or len(set(names)) != len(names):
            raise ValueInvalid("A dataset needs between 1 and 200 columns with distinct names.")
        if self.unit.column in names:
            raise ValueInvalid("The person column is never a column that questions can use.")
        if not 1 <= self.rows_max <= ROWS_OF_ONE_PERSON_MAX:
            raise ValueInvalid("rows_max must lie between 1 and 10,000.")
        if self.unit.kind is UnitKind.ROW and self.rows_max != 1:
            raise ValueInvalid("A row unit has rows_max 1.")
        if not 1 <= self.people_max <= PEOPLE_MAX or not 1 <= self.people_about <= PEOPLE_MAX:
            raise ValueInvalid("people_max and people_about must lie between 1 and 2^40.")
        if len(set(self.editions)) != len(self.editions) or len(set(self.holders)) != len(self.holders):
            raise ValueInvalid("Each edition and each holder of a dataset is named once.")
        for edition in self.editions:
            check_scheduled_edition(edition)
        for holder in self.holders:
            check_department(holder)
        check_text(self.description, what="description of a dataset")
        self._check_population()
        self._check_sources()

    def column(self, name: str) -> ColumnDefinition:
        """The definition of a column.

        Raises
        ------
        NameUnknown
            There is none of this name.

        """
        for column in self.columns:
            if column.name == name:
                return column
        known = [column.name for column in self.columns]
        guess = did_you_mean(name, known) or f"; it has {', '.join(known)}."
        raise NameUnknown(
            f"{self.name} has no column {name[:48]!r}{guess}", remedy=f"See: fedstats datasets {self.name}"
        )

    def _check_population(self) -> None:
        conditions = [condition.column for condition in self.population]
        if len(set(conditions)) != len(conditions):
            raise ValueInvalid("A column has one condition of the population at most.")
        for condition in self.population:
            condition.check(self.column(condition.column).domain)

    def _check_sources(self) -> None:
        if len(set(self.sources)) != len(self.sources):
            raise ValueInvalid("A source of a dataset is named once.")
        holders = frozenset(self.holders)
        for source in self.sources:
            if source.department not in holders:
                raise ValueInvalid(f"A source names {source.department}, which does not hold {self.name}.")

    def contribution(self, *, departments_max: int, cells_max: int | None = None) -> Contribution:
        """The bounds of one unit; `cells_max` (L0) is `rows_max` unless asked lower."""
        row = self.unit.kind is UnitKind.ROW
        return Contribution(self.rows_max, cells_max or self.rows_max, 1 if row else departments_max)
