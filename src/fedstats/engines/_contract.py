"""What every engine promises to the node that runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.exact import Exact
from fedstats.core.agreement import ListKind
from fedstats.core.expression import Expression
from fedstats.core.privacy import Contribution
from fedstats.core.schema import Dataset
from fedstats.engines.mapping import DatasetMapping, Source
from fedstats.errors import ValueInvalid

KEY_BYTES = 32
MEMORY_MB_MIN = 128
THREADS_MAX = 1_024


@dataclass(frozen=True, slots=True)
class Resources:
    """How much of the machine an engine may use; what is too much for memory goes to disk by the edition."""

    memory_mb: int = 2_048
    threads: int = 2

    def __post_init__(self) -> None:
        """Enough to work with."""
        if self.memory_mb < MEMORY_MB_MIN or not 1 <= self.threads <= THREADS_MAX:
            sentence = (
                f"An engine needs at least {MEMORY_MB_MIN} MB of memory and 1 to {THREADS_MAX:,} threads."
            )
            raise ValueInvalid(sentence)


@dataclass(frozen=True, slots=True)
class EditionOrder:
    """What is made: the edition's name, the secret key, when, where to, and whom to leave out.

    `key` (32 bytes) decides which rows of a person over the bound stay; it never leaves the department and is
    the same for all editions. `made_at_s` counts seconds since 1970. `opt_outs` is the list to apply, None if
    the agreement applies none; `list_kind` says whether those on it are left out, or all others.
    """

    edition: str
    key: bytes
    made_at_s: int
    into: Path
    opt_outs: Path | None = None
    list_kind: ListKind = ListKind.DENY

    def __post_init__(self) -> None:
        """A key of full length."""
        if len(self.key) != KEY_BYTES:
            raise ValueInvalid("The edition key has 32 bytes.")


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """What was found in one column of the source; exact counts, FOR THE DEPARTMENT ITSELF ONLY.

    `missing` counts rows without a value, `invalid` those whose value cannot be read or is no known code,
    `out_of_bounds` those beyond the declared bounds; `unknown_codes` are examples of codes that nothing maps.
    """

    column: str
    missing: int
    invalid: int
    out_of_bounds: int
    unknown_codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EditionReport:
    """What became of the source's rows; exact counts, FOR THE DEPARTMENT ITSELF ONLY.

    Each row is counted once, in the first of these that applies to it. `people_listed` are on the opt-out
    list, and of these `people_found` in the source; of an allow list, the others have opted out.
    """

    rows_read: int
    rows_without_person: int
    rows_opted_out: int
    rows_invalid: int
    rows_outside: int
    rows_duplicate: int
    rows_over_bound: int
    rows_kept: int
    columns: tuple[ColumnReport, ...]
    people_listed: int = 0
    people_found: int = 0

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """The counts of rows with words for each, in order."""
        yield "rows read", self.rows_read
        yield "without a valid person", self.rows_without_person
        yield "of people who opted out", self.rows_opted_out
        yield "with an invalid or missing value that drops the row", self.rows_invalid
        yield "outside the population that the agreement is about", self.rows_outside
        yield "repeated rows of one person", self.rows_duplicate
        yield "beyond the most rows of one person", self.rows_over_bound
        yield "rows kept", self.rows_kept
        if self.people_listed:
            yield "people on the opt-out list", self.people_listed
            yield "of these, people found in the source", self.people_found


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What is in the source before an edition is made of it; FOR THE DEPARTMENT ITSELF ONLY."""

    rows: int
    rows_without_person: int
    columns: tuple[ColumnReport, ...]


class Engine(Protocol):
    """One place where data is computed on. Every engine gives the same integers for the same rows."""

    @property
    def name(self) -> str:
        """Its name in node.toml, and the name of its file."""

    @property
    def description(self) -> str:
        """One sentence for documentation."""

    def source_columns(self, source: Source, resources: Resources) -> tuple[str, ...]:
        """The names of the source's own columns, for leading through a mapping.

        Raises
        ------
        SourceUnreadable
            It is missing or damaged.

        """

    def diagnose(self, mapping: DatasetMapping, dataset: Dataset, resources: Resources) -> SourceReport:
        """Read the whole source once and count what the mapping makes of it; for local diagnosis only.

        Raises
        ------
        SourceUnreadable
            It is missing or damaged.
        MappingInvalid
            The mapping does not fit the source or the definition.

        """

    def make_edition(
        self, mapping: DatasetMapping, dataset: Dataset, order: EditionOrder, resources: Resources
    ) -> EditionReport:
        """Make one immutable edition at `order.into`, for its owner's eyes; it appears whole or not at all.

        Columns are typed, cleaned by their stated policies and turned into integer codes. Rows without a
        valid person, rows of people who opted out, and rows that do not meet every condition of the
        population are left out. Of each person, equal rows count once and
        at most `rows_max` rows stay, those with the least keyed hash of their content: another person's
        coming or going changes none of them. Where the unit is the row, each row stays.

        Raises
        ------
        EditionExists
            There is one of this name.
        SourceUnreadable, MappingInvalid, OptOutListProblem
            What it is made from cannot be used.

        """

    def find_values(
        self,
        edition: Path,
        aggregate: Aggregate,
        *,
        dataset: Dataset,
        where: Expression | None,
        contribution: Contribution,
        key: bytes,
        resources: Resources,
    ) -> Iterator[Exact]:
        """Every value that the open key of an aggregate has in an edition, with its number of units.

        Each value comes once, in batches (of one vector each) that fit the resources however many values
        there are, in any order; missing values do not. A person counts once at each of at most `cells_max`
        values. What comes is as secret as the rows: a threshold decides what of it is named.

        Raises
        ------
        EditionMissing
            As `compute`.

        """

    def compute(  # noqa: PLR0913 # one parameter per thing that a statement depends on
        self,
        edition: Path,
        aggregate: Aggregate,
        *,
        dataset: Dataset,
        where: Expression | None,
        contribution: Contribution,
        key: bytes,
        resources: Resources,
        values: Sequence[str] = (),
    ) -> Exact:
        """The exact integers of an aggregate over an edition: one vector per measure over all cells.

        Shapes: `aggregate.cells(dataset, values)` integers each: what `aggregate.laid_out` makes of vectors
        that are row-major over `aggregate.key_cells(dataset, values)`, 0 where nothing is. With `cells_max`
        below `rows_max` a person keeps the cells of least keyed hash. Rows with other values of an open key
        than `values` do not count at all; there may be none with some of these.

        Raises
        ------
        EditionMissing
            There is no such edition, or it was made for another definition.

        """

    def rehearse(
        self, aggregate: Aggregate, *, dataset: Dataset, where: Expression | None, contribution: Contribution
    ) -> None:
        """Make the statement that `compute` runs and try it without rows, whatever the edition holds.

        What fails here would fail in `compute` too, for a reason that lies in the question: so call it before
        anything is charged.

        Raises
        ------
        LanguageError, NotOffered
            The engine cannot compute this.

        """

    def explain(
        self, aggregate: Aggregate, *, dataset: Dataset, where: Expression | None, contribution: Contribution
    ) -> str:
        """The SQL of `compute` with comments, for a database administrator; the key is a parameter in it.

        It is rehearsed before it is shown.

        Raises
        ------
        LanguageError, NotOffered
            The engine cannot compute this.

        """
