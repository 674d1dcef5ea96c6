"""Making an edition: from the department's rows to one file of bounded, coded rows.

Two databases live beside each other until the file is whole: `stage`, which holds persons as the source names
them and is deleted, and `edition`, which never holds them. A row of somebody with one row needs no person at
all; only rows of people with several are numbered, which is what makes counting people fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from fedstats.core.agreement import ListKind
from fedstats.core.domain import Texts
from fedstats.core.schema import Dataset
from fedstats.engines._contract import ColumnReport, EditionOrder, EditionReport, Resources
from fedstats.engines._definition import definition_hash
from fedstats.engines._duckdb_cleaning import (
    code_type,
    kept_condition,
    population_condition,
    reading_statement,
    value_sql,
)
from fedstats.engines._duckdb_parts import rows_in_memory, write_blocks
from fedstats.engines._duckdb_reading import PERSON, marks_of, person_code, person_number, person_text
from fedstats.engines._duckdb_session import Attached, identifier, problem_of, session, text
from fedstats.engines._duckdb_source import LocalColumn, LocalTable, attachments, files_of, local_table
from fedstats.engines._duckdb_types import check_types
from fedstats.engines._opt_outs import SEPARATOR, copy_opt_outs
from fedstats.engines._workplace import publish, workplace
from fedstats.engines.mapping import DatasetMapping, check_local_columns
from fedstats.errors import EditionExists, EditionTooLarge, OptOutListProblem
from fedstats.sql.statement import PEOPLE_TABLE, PSEUDONYM, ROWS_TABLE

FORMAT = "2"
FACTS_TABLE = "facts"
_LISTED_FEW = 20


def make_edition(
    mapping: DatasetMapping, dataset: Dataset, order: EditionOrder, resources: Resources
) -> EditionReport:
    """Keep the promise of `Engine.make_edition`."""
    mapping.check(dataset)
    if order.into.exists():
        raise EditionExists(f"{order.into.name} exists already.")
    if order.opt_outs is not None and mapping.person is None:
        raise OptOutListProblem(f"{dataset.name} has no persons, so nobody can be left out of it.")
    files = files_of(mapping.source)
    with workplace(order.into) as folder:
        made, listed = folder / "edition.duckdb", folder / "listed"
        if order.opt_outs is not None and mapping.person is not None:
            copy_opt_outs(order.opt_outs, listed, mapping.person)
        databases = [
            Attached("stage", folder / "stage.duckdb", read_only=False),
            Attached("edition", made, read_only=False),
            *attachments(mapping.source, files),
        ]
        try:
            with session(
                resources, spill=folder / "spill", attached=databases, readable=[*files, listed]
            ) as connection:
                table = local_table(connection, mapping.source, files)
                check_local_columns(mapping, dataset, table.columns)
                check_types(mapping, dataset, table)
                report = _Making(connection, mapping, dataset, order, resources, table, listed).run()
        except duckdb.Error as error:
            raise problem_of(error, f"The source of {dataset.name}") from None
        publish(made, order.into)
    return report


@dataclass(frozen=True, slots=True)
class _Making:
    """The steps from source to edition, in the order in which they are taken."""

    connection: duckdb.DuckDBPyConnection
    mapping: DatasetMapping
    dataset: Dataset
    order: EditionOrder
    resources: Resources
    table: LocalTable
    listed: Path

    def run(self) -> EditionReport:
        """Take all steps."""
        self._do(f"CREATE TABLE stage.read AS {reading_statement(self.mapping, self.dataset, self.table)}")
        self._read_opt_outs()
        self._clean()
        read, without_person = self._row("SELECT count(*), count(*) - count(_person) FROM stage.read")
        of_listed, found = self._row(
            "SELECT count(*), count(DISTINCT _person) FROM stage.read SEMI JOIN stage.listed USING (_person)"
        )
        opted_out = read - without_person - of_listed if self._allows else of_listed
        (listed,) = self._row("SELECT count(*) FROM stage.listed")
        (valid,) = self._row("SELECT count(*) FROM stage.valid")
        (clean,) = self._row("SELECT count(*) FROM stage.clean")
        self._check_found(listed, found, read - without_person)
        self._begin_edition()
        distinct, bounded = self._bound_persons() if self.mapping.person else self._take_all(clean)
        self._check_size()
        write_blocks(self.connection, "edition", rows_max=self.dataset.rows_max)
        self._write_facts()
        if self.mapping.person is None:
            without_person = 0
        return EditionReport(
            rows_read=read,
            rows_without_person=without_person,
            rows_opted_out=opted_out,
            rows_invalid=read - without_person - opted_out - valid,
            rows_outside=valid - clean,
            rows_duplicate=clean - distinct,
            rows_over_bound=distinct - bounded,
            rows_kept=bounded,
            columns=column_reports(self.connection, self.dataset, "stage.read"),
            people_listed=listed,
            people_found=found,
        )

    def _read_opt_outs(self) -> None:
        """The persons of the list, read as the source's are; a line that names nobody stops everything."""
        self._do("CREATE TABLE stage.listed AS SELECT _person FROM stage.read WHERE false")
        if self.order.opt_outs is None or self.mapping.person is None:
            return
        lines = (
            f"read_csv({text(str(self.listed))}, auto_detect = false, header = false, "
            f"delim = {text(SEPARATOR)}, quote = '', escape = '', "
            "columns = {'number': 'BIGINT', 'line': 'VARCHAR'})"
        )
        listed = LocalTable(lines, {self.mapping.person: LocalColumn("line", "VARCHAR")})
        who = f"SELECT {person_text(self.mapping, listed)} AS _who, line, number FROM {lines}"
        self._do(
            f"CREATE TABLE stage.lines AS SELECT {person_code(self.mapping)} AS _person, "
            f"contains(line, ',') AS _more, number FROM "
            f"(SELECT *, {person_number(self.mapping)} AS _number FROM ({who}))"
        )
        bad, line = self._row("SELECT count(*), min(number) FROM stage.lines WHERE _person IS NULL OR _more")
        if bad:
            raise OptOutListProblem(
                f"{self.order.opt_outs.name} has {bad} lines that are not one valid identifier and a comma, "
                f"the first of them line {line}.",
                remedy="Correct the list: a person who opted out must not be overlooked.",
            )
        self._do("INSERT INTO stage.listed SELECT DISTINCT _person FROM stage.lines")

    def _check_found(self, listed: int, found: int, rows: int) -> None:
        """A long list of which nobody is known here is written in another way than the source is.

        An allow list that names nobody would leave nobody: far more often a fetch that failed than the truth,
        and an edition of nobody would answer with noise around 0 that looks like an answer.
        """
        if self._allows and not listed and self.order.opt_outs is not None:
            raise OptOutListProblem(
                f"{self.order.opt_outs.name} names nobody, and only people on it may stay: nobody would.",
                remedy="Fetch the list again. If it is true that nobody may stay, leave the agreement.",
            )
        if listed >= _LISTED_FEW and rows and not found and self.order.opt_outs is not None:
            raise OptOutListProblem(
                f"None of the {listed} people of {self.order.opt_outs.name} is in the source.",
                remedy="Use a list of the same kind of identifier as the person column, "
                f"or correct person in node.toml ({self.mapping.person}).",
            )

    def _clean(self) -> None:
        """Rows of valid persons who did not opt out, with a usable value in every column, of the population.

        The population comes after cleaning: a row is judged by the values that questions see.
        """
        columns = [
            f"{value_sql(self.mapping.column(column.name), column)} AS {identifier(column.name)}"
            for column in self.dataset.columns
        ]
        person = f"{PERSON} IS NOT NULL AND " if self.mapping.person else ""
        kept = f"{person}{kept_condition(self.mapping, self.dataset)}"
        stay = "SEMI" if self._allows else "ANTI"
        self._do(
            f"CREATE VIEW stage.valid AS SELECT {PERSON}, {', '.join(columns)} FROM "
            f"(SELECT * FROM stage.read {stay} JOIN stage.listed USING ({PERSON}) WHERE {kept})"
        )
        met = population_condition(self.dataset)
        self._do(f"CREATE VIEW stage.clean AS SELECT * FROM stage.valid WHERE {met}")

    def _begin_edition(self) -> None:
        types = (f"{identifier(c.name)} {code_type(c.domain)}" for c in self.dataset.columns)
        self._do(f"CREATE TABLE edition.{ROWS_TABLE} ({PERSON} INTEGER, {', '.join(types)})")
        self._do(f"CREATE TABLE edition.{PEOPLE_TABLE} ({PERSON} INTEGER, {PSEUDONYM} UBIGINT)")

    def _take_all(self, rows: int) -> tuple[int, int]:
        """Where the unit is the row, each row is kept as it is."""
        self._do(f"INSERT INTO edition.{ROWS_TABLE} SELECT NULL, {self._columns()} FROM stage.clean")
        return rows, rows

    def _bound_persons(self) -> tuple[int, int]:
        """Distinct rows of each person, at most `rows_max`; how many rows before and after the bound."""
        self._find_unsettled()
        self._do(
            "CREATE TABLE stage.distinct_rows AS "
            f"SELECT DISTINCT * FROM (SELECT * FROM stage.clean SEMI JOIN stage.unsettled USING ({PERSON}))"
        )
        self._keep_least()
        self._number_persons()
        inserted = self._insert_alone() + self._insert_several()
        (distinct,) = self._row("SELECT count(*) FROM stage.distinct_rows")
        (bounded,) = self._row("SELECT count(*) FROM stage.bounded")
        return inserted + distinct - bounded, inserted

    def _check_size(self) -> None:
        """Sums are checked for overflow before a charge, with the most people that the agreement names."""
        (units,) = self._row(
            f"SELECT (SELECT count(*) FROM edition.{ROWS_TABLE} WHERE {PERSON} IS NULL) "
            f"+ (SELECT count(*) FROM edition.{PEOPLE_TABLE})"
        )
        if units > self.dataset.people_max:
            raise EditionTooLarge(
                f"The source of {self.dataset.name} holds more people than the {self.dataset.people_max:,} "
                "that the agreement names as the most (people_max)."
            )

    def _find_unsettled(self) -> None:
        """Persons over the bound, and those with rows that may be equal: the others stay as they are.

        Equal rows have equal hashes, and a hash of eight bytes is found far faster than the rows themselves.
        """
        self._do(
            "CREATE TABLE stage.counted AS "
            f"SELECT {PERSON}, count(*) AS _rows FROM stage.clean GROUP BY {PERSON}"
        )
        hashed = f"hash({PERSON}, {self._columns()})"
        self._do(
            "CREATE TABLE stage.alike AS SELECT _hash FROM "
            f"(SELECT {hashed} AS _hash FROM stage.clean) GROUP BY _hash HAVING count(*) > 1"
        )
        self._do(
            "CREATE TABLE stage.unsettled AS "
            f"SELECT {PERSON} FROM stage.counted WHERE _rows > {self.dataset.rows_max} UNION "
            f"SELECT {PERSON} FROM stage.clean WHERE {hashed} IN (SELECT _hash FROM stage.alike)"
        )

    def _keep_least(self) -> None:
        """Persons over the bound keep the rows of least keyed hash: a rule that sees one person only."""
        rows_max = self.dataset.rows_max
        self._do(
            f"CREATE TABLE stage.over AS SELECT {PERSON} FROM stage.distinct_rows "
            f"GROUP BY {PERSON} HAVING count(*) > {rows_max}"
        )
        rows = f"stage.distinct_rows SEMI JOIN stage.over USING ({PERSON})"
        (count,) = self._row(f"SELECT count(*) FROM {rows}")
        self._do(
            "CREATE TABLE stage.bounded AS "
            f"SELECT * FROM stage.distinct_rows ANTI JOIN stage.over USING ({PERSON})"
        )
        hashed = f"sha256(concat_ws('|', $key, 'row', {self._content()}))"
        nth = f"row_number() OVER (PARTITION BY {PERSON} ORDER BY {hashed})"
        # DuckDB keeps what it ranks in memory.
        parts = 1 + count // rows_in_memory(len(self.dataset.columns), self.resources, ranked=True)
        for part in range(parts):
            self._do(
                f"INSERT INTO stage.bounded SELECT * EXCLUDE (_nth) FROM (SELECT *, {nth} AS _nth "
                f"FROM {rows} WHERE hash({PERSON}) % {parts} = {part}) WHERE _nth <= {rows_max}",
                key=True,
            )

    def _number_persons(self) -> None:
        """Number the persons with several rows by their pseudonyms: numbers say nothing of names."""
        hashed = f"sha256(concat_ws('|', $key, 'person', {PERSON}))"
        pseudonym = f"CAST(concat('0x', left({hashed}, 16)) AS UBIGINT)"
        settled = f"stage.counted ANTI JOIN stage.unsettled USING ({PERSON})"
        self._do(
            f"CREATE TABLE stage.people AS SELECT {PERSON} AS _who, {pseudonym} AS _pseudonym, _settled "
            f"FROM (SELECT {PERSON}, true AS _settled FROM {settled} WHERE _rows > 1 UNION ALL "
            f"SELECT {PERSON}, false FROM stage.bounded GROUP BY {PERSON} HAVING count(*) > 1) "
            "ORDER BY _pseudonym",
            key=True,
        )
        self._do(f"INSERT INTO edition.{PEOPLE_TABLE} SELECT rowid, _pseudonym FROM stage.people ORDER BY 1")

    def _insert_alone(self) -> int:
        """Write the rows of persons with one row, and count them."""
        settled = f"stage.counted ANTI JOIN stage.unsettled USING ({PERSON})"
        (inserted,) = self._row(
            f"INSERT INTO edition.{ROWS_TABLE} SELECT NULL, {self._columns()} FROM stage.clean "
            f"WHERE {PERSON} IN (SELECT {PERSON} FROM {settled} WHERE _rows = 1) UNION ALL "
            f"SELECT NULL, {self._columns()} FROM stage.bounded "
            f"ANTI JOIN stage.people ON people._who = bounded.{PERSON}"
        )
        return inserted

    def _insert_several(self) -> int:
        """Write the rows of the other persons, those of one person one after the other, and count them."""
        (inserted,) = self._row(
            f"INSERT INTO edition.{ROWS_TABLE} SELECT people.rowid, {self._columns()} FROM "
            "(SELECT *, true AS _whole FROM stage.clean UNION ALL SELECT *, false FROM stage.bounded) "
            f"AS held JOIN stage.people ON people._who = held.{PERSON} AND people._settled = held._whole "
            "ORDER BY people.rowid"
        )
        return inserted

    def _write_facts(self) -> None:
        facts = {
            "format": FORMAT,
            "dataset": self.dataset.name,
            "definition": definition_hash(self.dataset).hex(),
            "edition": self.order.edition,
            "made_at_s": str(self.order.made_at_s),
        }
        self._do(f"CREATE TABLE edition.{FACTS_TABLE} (name VARCHAR, value VARCHAR)")
        rows = ", ".join(f"({text(name)}, {text(value)})" for name, value in facts.items())
        self._do(f"INSERT INTO edition.{FACTS_TABLE} VALUES {rows}")
        self._do("CHECKPOINT edition")
        self._do("DETACH edition")

    @property
    def _allows(self) -> bool:
        """Whether only people on the list stay."""
        return self.order.opt_outs is not None and self.order.list_kind is ListKind.ALLOW

    def _columns(self) -> str:
        return ", ".join(identifier(column.name) for column in self.dataset.columns)

    def _content(self) -> str:
        """A row as a canonical text: its person and its codes in the order of the definition.

        Free text may hold the sign between them, so it is hashed itself.
        """
        names = [(identifier(column.name), column.domain) for column in self.dataset.columns]
        codes = [
            f"coalesce(sha256({name}), '')"
            if isinstance(domain, Texts)
            else f"coalesce(CAST({name} AS VARCHAR), '')"
            for name, domain in names
        ]
        return ", ".join([PERSON, *codes])

    def _do(self, statement: str, *, key: bool = False) -> None:
        self.connection.execute(statement, {"key": self.order.key.hex()} if key else None)

    def _row(self, statement: str) -> tuple[int, ...]:
        row = self.connection.execute(statement).fetchone()
        return tuple(row or ())


def column_reports(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, read: str
) -> tuple[ColumnReport, ...]:
    """Count what was missing, unreadable and out of bounds in each column of `read`."""
    counted = []
    for column in dataset.columns:
        name, (unreadable, below, above) = identifier(column.name), marks_of(column.domain)
        counted += [
            f"count(*) - count({name})",
            f"count_if({name} = {unreadable})",
            f"count_if({name} IN ({below}, {above}))",
        ]
    row = connection.execute(f"SELECT {', '.join(counted)} FROM {read}").fetchone() or ()
    counts = [count or 0 for count in row]  # of no rows, DuckDB counts NULL
    return tuple(
        ColumnReport(column.name, counts[3 * i], counts[3 * i + 1], counts[3 * i + 2])
        for i, column in enumerate(dataset.columns)
    )
