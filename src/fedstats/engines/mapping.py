"""Where a department's data is, and how its own columns and codes become the shared ones.

These classes are part of node.toml. Every rule here is a function of one row alone: what happens to a row
never depends on the others, so that no person's data decides over another's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Self, TypeVar

from fedstats.core.agreement import ListKind
from fedstats.core.domain import Categories, Dates, Domain, Numbers, Truth
from fedstats.core.names import check_identifier
from fedstats.core.privacy import UnitKind
from fedstats.core.reading import Reader
from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.errors import MappingInvalid, ValueInvalid

ENCODINGS = ("utf-8", "latin-1", "utf-16")
ISO_DATE = "%Y-%m-%d"
TRUTH_LABELS = ("false", "true")
_DIRECTIVES = frozenset("YymdbBjHMSfIp%")


class SourceKind(Enum):
    """What kind of file or database holds the rows."""

    CSV = "csv"
    PARQUET = "parquet"
    DUCKDB = "duckdb"


class OnInvalid(Enum):
    """What becomes of a value that cannot be read, or lies outside the declared bounds."""

    MISSING = "missing"
    DROP_ROW = "drop_row"
    CLIP = "clip"


class PersonCheck(Enum):
    """Which rule a person's identifier must meet; rows of others have no valid person and are dropped."""

    NONE = "none"
    NHS_NUMBER = "nhs_number"


@dataclass(frozen=True, slots=True)
class Source:
    """The rows: CSV or Parquet files (a file name with * or ? for several), or a table of a DuckDB file.

    `delimiter`, `encoding` and `decimal` (the sign between a number's ones and tenths) are for CSV, `table`
    (or `schema.table`) for DuckDB.
    """

    kind: SourceKind
    path: Path
    delimiter: str = ","
    encoding: str = "utf-8"
    table: str = ""
    decimal: str = "."

    def __post_init__(self) -> None:
        """Only what the kind can use."""
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            raise ValueInvalid("A delimiter is one character, and no quote.")
        if self.encoding not in ENCODINGS:
            raise ValueInvalid(f"The encoding must be one of {', '.join(ENCODINGS)}.")
        if self.decimal not in (".", ",") or (self.decimal == "," and self.kind is not SourceKind.CSV):
            raise ValueInvalid("decimal is a point or, in CSV files only, a comma.")
        if (self.kind is SourceKind.DUCKDB) != bool(self.table):
            raise ValueInvalid("A DuckDB source names its table, and files have none.")

    @classmethod
    def read(cls, reader: Reader, folder: Path) -> Self:
        """Read it; a relative path is relative to `folder`."""
        with reader, reader.building():
            kind = _one_of(reader, SourceKind, "kind", reader.text("kind"))
            path = folder / reader.text("path")
            if kind is SourceKind.CSV:
                delimiter = reader.text("delimiter", ",").replace("\\t", "\t")
                encoding, decimal = reader.text("encoding", "utf-8"), reader.text("decimal", ".")
                return cls(kind, path, delimiter, encoding, decimal=decimal)
            return cls(kind, path, table=reader.text("table") if kind is SourceKind.DUCKDB else "")


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """How one shared column is filled.

    `local` are the local columns: the first that is not missing is taken; `constant` stands for a column that
    the source does not have. `codes` goes from local text to shared label (truth values: "true", "false"); a
    label stands for itself unless it says otherwise. `date_formats` (strptime) are tried in order. Texts in
    `missing` mean missing, and so does an empty one. `default` is the label of codes that nothing maps.

    A value that cannot be read or lies outside the bounds is treated as `on_invalid` says: MISSING (what is
    done where the shared column may be missing), DROP_ROW (what is done elsewhere), or CLIP, which moves a
    number or a date to the nearest bound; what cannot be read is then treated as without a policy. A row
    without a value for a column that may not be missing is dropped.
    """

    column: str
    local: tuple[str, ...] = ()
    constant: str | None = None
    codes: Mapping[str, str] = field(default_factory=dict)
    date_formats: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    on_invalid: OnInvalid | None = None
    default: str | None = None

    def __post_init__(self) -> None:
        """A shared name, one origin, codes that are not missing, formats that make a date."""
        check_identifier(self.column, what="column")
        if self.constant is not None and self.local:
            raise ValueInvalid("A column is a constant or is read from a local column, not both.")
        strange = [text for text in self.codes if text != text.strip() or not text or text in self.missing]
        if strange:
            sentence = (
                f"{strange[0][:40]!r} cannot be a local code: it is empty, padded or listed as missing."
            )
            raise ValueInvalid(sentence)
        for form in self.date_formats:
            _check_date_format(form)

    @property
    def sources(self) -> tuple[str, ...]:
        """The local columns it is read from; the one of the same name unless others are named."""
        return self.local or (() if self.constant is not None else (self.column,))

    @classmethod
    def read(cls, reader: Reader, column: str) -> Self:
        """Read the table of one column."""
        with reader, reader.building():
            local = (reader.text("from"),) if reader.has("from") else reader.texts("from_first_of", ())
            codes = reader.table("codes", optional=True)
            texts = codes.keys()
            policy = reader.text("on_invalid", "")
            return cls(
                column,
                local,
                constant=reader.text("constant") if reader.has("constant") else None,
                codes={text: codes.text(text) for text in texts},
                date_formats=reader.texts("date_formats", ()),
                missing=reader.texts("missing", ()),
                on_invalid=_one_of(reader, OnInvalid, "on_invalid", policy) if policy else None,
                default=reader.text("default") if reader.has("default") else None,
            )

    def policy(self, domain: Domain) -> OnInvalid:
        """What happens to invalid values of this domain."""
        if self.on_invalid is not None:
            return self.on_invalid
        return OnInvalid.MISSING if domain.nullable else OnInvalid.DROP_ROW

    def check(self, definition: ColumnDefinition) -> None:
        """Refuse what does not fit the shared column.

        Raises
        ------
        MappingInvalid
            Codes, formats, default or policy do not suit its type.

        """
        name, domain = self.column, definition.domain
        labels = labels_of(domain)
        if labels is None and (self.codes or self.default is not None):
            raise MappingInvalid(f"{name} holds no categories, so it has no codes and no default.")
        for label in (*self.codes.values(), *([] if self.default is None else [self.default])):
            if labels is not None and label not in labels:
                raise MappingInvalid(f"{name}: {_unknown(label, labels, 'a label of the definition')}")
        if self.date_formats and not isinstance(domain, Dates):
            raise MappingInvalid(f"{name} is no date, so it has no date formats.")
        if self.on_invalid is OnInvalid.CLIP and not isinstance(domain, Numbers | Dates):
            raise MappingInvalid(f"{name} has no bounds to clip to; use missing, drop_row or a default.")
        if self.on_invalid is OnInvalid.MISSING and not domain.nullable:
            raise MappingInvalid(f"{name} may not be missing by the definition; use drop_row or clip.")


@dataclass(frozen=True, slots=True)
class DatasetMapping:
    """One dataset at this department: its source, its persons and its columns.

    `person` is the local column that identifies people (none for datasets of rows). Identifiers are compared
    without spaces and hyphens and in capitals; those in `person_missing` mean that the person is unknown.
    `opt_out_list` holds one identifier and a comma a line; `opt_out_kind` says what it is to this department,
    so that a list of those who may not be counted is never read as one of those who may.
    """

    dataset: str
    source: Source
    person: str | None = None
    person_check: PersonCheck = PersonCheck.NONE
    person_missing: tuple[str, ...] = ()
    columns: tuple[ColumnMapping, ...] = ()
    opt_out_list: Path | None = None
    opt_out_kind: ListKind = ListKind.DENY

    def __post_init__(self) -> None:
        """Names are names, and each column is mapped once."""
        check_identifier(self.dataset, what="dataset")
        names = [mapping.column for mapping in self.columns]
        if len(set(names)) != len(names):
            raise ValueInvalid("A column is mapped twice.")

    @classmethod
    def read(cls, reader: Reader, folder: Path) -> Self:
        """Read one `[[datasets]]` table; relative paths are relative to `folder`."""
        with reader, reader.building():
            columns = reader.table("columns", optional=True)
            names = columns.keys()
            list_path = reader.text("opt_out_list", "")
            check = reader.text("person_check", PersonCheck.NONE.value)
            kind = reader.text("opt_out_kind", ListKind.DENY.value)
            return cls(
                dataset=reader.text("dataset"),
                source=Source.read(reader.table("source"), folder),
                person=reader.text("person") if reader.has("person") else None,
                person_check=_one_of(reader, PersonCheck, "person_check", check),
                person_missing=reader.texts("person_missing", ()),
                columns=tuple(ColumnMapping.read(columns.table(name), name) for name in names),
                opt_out_list=folder / list_path if list_path else None,
                opt_out_kind=_one_of(reader, ListKind, "opt_out_kind", kind),
            )

    def column(self, name: str) -> ColumnMapping:
        """How the shared column `name` is filled: if nothing is said, from the local one of that name."""
        return next((mapping for mapping in self.columns if mapping.column == name), ColumnMapping(name))

    def check(self, dataset: Dataset) -> None:
        """Refuse what does not fit the agreement's definition.

        Raises
        ------
        MappingInvalid
            Another dataset, an unknown column, no person column, or a column mapping that does not fit.

        """
        if self.dataset != dataset.name:
            raise MappingInvalid(f"This mapping is for {self.dataset}, not for {dataset.name}.")
        if (dataset.unit.kind is UnitKind.PERSON) != (self.person is not None):
            raise MappingInvalid(
                f"{dataset.name} protects persons: say which local column identifies them (person = ...)."
                if self.person is None
                else f"{dataset.name} protects single rows and has no persons: leave out person = ..."
            )
        names = [column.name for column in dataset.columns]
        for mapping in self.columns:
            if mapping.column not in names:
                raise MappingInvalid(_unknown(mapping.column, names, f"a column of {dataset.name}"))
        for definition in dataset.columns:
            self.column(definition.name).check(definition)


def labels_of(domain: Domain) -> tuple[str, ...] | None:
    """What a local code of this domain can mean, in the order of codes; None for numbers and dates."""
    if isinstance(domain, Categories):
        return domain.labels
    return TRUTH_LABELS if isinstance(domain, Truth) else None


def check_local_columns(mapping: DatasetMapping, dataset: Dataset, present: Iterable[str]) -> None:
    """Refuse a mapping that reads local columns which the source does not have.

    Raises
    ------
    MappingInvalid
        With the column's name and those that look like it.

    """
    known = list(present)
    wanted = {name: f"for {c.name}" for c in dataset.columns for name in mapping.column(c.name).sources}
    if mapping.person is not None:
        wanted[mapping.person] = "as the person column"
    for name, purpose in wanted.items():
        if name not in known:
            raise MappingInvalid(f"{_unknown(name, known, 'a column of the source')} It is needed {purpose}.")


def _unknown(name: str, known: Iterable[str], what: str) -> str:
    near = get_close_matches(name, list(known), n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{name[:60]!r} is not {what}.{hint}"


def _check_date_format(form: str) -> None:
    directives = re.findall(r"%(-?.?)", form)
    strange = [d for d in directives if d.removeprefix("-") not in _DIRECTIVES]
    found = {d.removeprefix("-") for d in directives}
    if strange or not found & set("Yy") or not ("j" in found or ("d" in found and found & set("mbB"))):
        sentence = f"{form[:40]!r} is no date format: it needs year, month and day, such as {ISO_DATE}."
        raise ValueInvalid(sentence)


_Choice = TypeVar("_Choice", SourceKind, OnInvalid, PersonCheck, ListKind)


def _one_of(reader: Reader, kind: type[_Choice], key: str, text: str) -> _Choice:
    try:
        return kind(text)
    except ValueError:
        known = ", ".join(choice.value for choice in kind)
        raise reader.problem(f"must be one of {known}", key) from None
