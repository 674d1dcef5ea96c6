"""Parts of an edition: which rows a statement sees at a time.

What a statement groups is as much as the rows of a part at worst, so its memory is bounded by the part's rows
and not by the people, and nothing goes to disk.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb

from fedstats.engines._contract import Resources
from fedstats.errors import InternalError
from fedstats.sql.statement import PERSON, ROWS_TABLE

BLOCKS_TABLE = "blocks"
_BLOCK_ROWS = 4_096
_PART_ROWS_MAX = 2**18  # the groups of so many rows fit a processor's cache; more at a time is slower


@dataclass(frozen=True, slots=True)
class Parts:
    """Where an edition can be cut: `rows` in all, and the first row of each block of persons.

    Rows before the first block are nobody else's, and can be cut anywhere.
    """

    rows: int
    blocks: Sequence[int]

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection, *, persons: bool) -> Parts:
        """The parts of the edition that is in use; blocks are looked up where `persons` matter."""
        (rows,) = connection.execute(f"SELECT count(*) FROM {ROWS_TABLE}").fetchone() or (0,)
        if not persons:
            return cls(rows, [])
        blocks = connection.execute(f"SELECT first_row FROM {BLOCKS_TABLE} ORDER BY first_row").fetchall()
        return cls(rows, [first for (first,) in blocks])

    def together(self, rows_max: int, *, cut_alone: bool) -> Iterator[tuple[int, int]]:
        """The first and the last row of each part, where the rows of a person are in one part.

        A part has at most `rows_max` rows, unless one block has more. Rows that are nobody else's are one
        part unless `cut_alone`.
        """
        alone = self.blocks[0] if self.blocks else self.rows
        yield from _cut(0, alone, rows_max if cut_alone else alone)
        first = alone
        while first < self.rows:
            # The last block that still fits begins where the next part does.
            fits = bisect_right(self.blocks, first + rows_max) - 1
            after = fits if self.blocks[fits] > first else fits + 1
            whole = first + rows_max >= self.rows or after == len(self.blocks)
            end = self.rows if whole else self.blocks[after]
            yield first, end - 1
            first = end

    def anywhere(self, rows_max: int) -> Iterator[tuple[int, int]]:
        """The first and the last row of each part of at most `rows_max` rows, persons or not."""
        return _cut(0, self.rows, rows_max)


def _cut(first: int, end: int, rows_max: int) -> Iterator[tuple[int, int]]:
    for start in range(first, end, max(1, rows_max)):
        yield start, min(start + rows_max, end) - 1


def part_rows(columns: int, resources: Resources, *, ranked: bool) -> int:
    """How many rows a statement sees at a time, which groups them, or ranks them within persons."""
    return min(_PART_ROWS_MAX, rows_in_memory(columns, resources, ranked=ranked))


def rows_in_memory(columns: int, resources: Resources, *, ranked: bool) -> int:
    """How many rows find room in memory where each is a group, or is ranked.

    An eighth of the memory is for groups of a person and the columns, with a hash where they are ranked.
    """
    row_bytes = (300 if ranked else 100) + 16 * columns
    return resources.memory_mb * 2**20 // 8 // row_bytes


def write_blocks(connection: duckdb.DuckDBPyConnection, database: str, *, rows_max: int) -> None:
    """Note where the rows of persons begin, in blocks of a few persons, and that they lie together."""
    persons = max(1, _BLOCK_ROWS // rows_max)
    connection.execute(
        f"CREATE TABLE {database}.{BLOCKS_TABLE} AS "
        "SELECT min(rowid) AS first_row, max(rowid) AS last_row, count(*) AS rows "
        f"FROM {database}.{ROWS_TABLE} WHERE {PERSON} IS NOT NULL GROUP BY {PERSON} // {persons}"
    )
    apart = connection.execute(
        "SELECT count(*) FROM (SELECT *, lead(first_row, 1, (SELECT count(*) FROM "
        f"{database}.{ROWS_TABLE})) OVER (ORDER BY first_row) AS next_row FROM {database}.{BLOCKS_TABLE}) "
        "WHERE next_row <> last_row + 1 OR rows <> next_row - first_row"
    ).fetchone()
    if apart != (0,):
        raise InternalError("The rows of one person do not lie together in the edition.")
