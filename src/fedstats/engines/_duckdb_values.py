"""Open keys in DuckDB: which values there are and how many units each has; which of them are named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from fedstats.core.aggregate.exact import Exact
from fedstats.engines._contract import Resources
from fedstats.engines._duckdb_parts import part_rows
from fedstats.engines._duckdb_question import Question, with_less_memory
from fedstats.sql.statement import NAMED_TABLE, NAMED_VALUE, key_name, measure_name

_FOUND_TABLE = "_found"
_CELLS_UNKNOWN = 2**62
_BATCH_VALUES_MAX = 250_000
"""So many texts of up to 80 characters take some tens of megabytes of this process, beside DuckDB's own."""


def find_values(question: Question, resources: Resources) -> Iterator[Exact]:
    """Every value once, in batches of a bounded size.

    How many values there are is known to the data alone, so no memory may depend on it: parts of the edition
    are counted one after the other into a table that goes to disk, and that is added up in parts of values.
    All of it is counted before the first batch is given out.
    """
    with ExitStack() as stack:
        connection = with_less_memory(
            lambda spared, finer: _counted(stack, question, spared, finer), resources
        )
        (groups,) = connection.execute(f"SELECT count(*) FROM {_FOUND_TABLE}").fetchone() or (0,)
        parts = 1 + groups // min(_BATCH_VALUES_MAX, part_rows(2, resources, ranked=False))
        for part in range(parts):
            found = connection.execute(
                f"SELECT value, CAST(sum(units) AS BIGINT) AS units FROM {_FOUND_TABLE} "
                f"WHERE hash(value) % {parts} = {part} GROUP BY value"
            ).fetchnumpy()
            yield Exact((found["units"],), tuple(found["value"].tolist()))


def list_named(connection: duckdb.DuckDBPyConnection, values: Sequence[str]) -> None:
    """Let the statement of a question know which values of its open key are named."""
    connection.execute(f"CREATE TEMP TABLE {NAMED_TABLE} ({NAMED_VALUE} VARCHAR)")
    connection.execute(f"INSERT INTO {NAMED_TABLE} SELECT unnest($values)", {"values": list(values)})


def _counted(
    stack: ExitStack, question: Question, resources: Resources, finer: int
) -> duckdb.DuckDBPyConnection:
    """A session, left to `stack`, with the units at each value in each part of the edition."""
    with ExitStack() as opening:
        folder = TemporaryDirectory(prefix=".computing-", dir=question.edition.parent)
        spill = Path(opening.enter_context(folder)) / "spill"
        connection = opening.enter_context(question.opened(resources, spill=spill))
        connection.execute(f"CREATE TEMP TABLE {_FOUND_TABLE} (value VARCHAR, units BIGINT)")
        counted = f'SELECT "{key_name(0)}", "{measure_name(0)}" FROM ({question.statement})'
        for part in question.parts(connection, resources, cells=_CELLS_UNKNOWN, finer=finer):
            connection.execute(
                f'INSERT INTO {_FOUND_TABLE} {counted} WHERE "{key_name(0)}" IS NOT NULL', part
            )
        stack.push(opening.pop_all())
    return connection
