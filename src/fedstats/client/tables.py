"""The tables of an answer: in order, and by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import SupportsIndex, overload

from fedstats.client.printable import printable
from fedstats.core.estimate import Table
from fedstats.errors import TableUnclear

_FILE_NAME = re.compile(r"[\w-]{1,80}", flags=re.ASCII)


class Tables(tuple[Table, ...]):
    """Every table of an estimate; `tables["shares"]` is the one of that name."""

    __slots__ = ()

    @overload
    def __getitem__(self, key: SupportsIndex | str, /) -> Table: ...
    @overload
    def __getitem__(self, key: slice, /) -> tuple[Table, ...]: ...
    def __getitem__(self, key: SupportsIndex | str | slice, /) -> Table | tuple[Table, ...]:
        """A table by its place or its name.

        Raises
        ------
        TableUnclear
            No table has this name, or several have.

        """
        if not isinstance(key, str):
            return super().__getitem__(key)
        found = [table for table in self if table.name == key]
        if len(found) != 1:
            raise TableUnclear(
                f"This answer has {'several tables' if found else 'no table'} called {printable(key)!r}.",
                remedy=f"Its tables are: {self.names}.",
            )
        return found[0]

    def chosen(self, name: str | None) -> Table:
        """The table of this name, or the only one.

        Raises
        ------
        TableUnclear
            None was named and there are several, or none has this name.

        """
        if name is not None:
            return self[name]
        if len(self) != 1:
            raise TableUnclear(
                f"This answer has {len(self)} tables, and this form holds one.",
                remedy=f"Name one of {self.names} with --table, or in Python with table=; JSON holds all.",
            )
        return self[0]

    def drawn(self, name: str | None) -> Table:
        """The table of this name, or the first one that its statistic made to be looked at.

        Raises
        ------
        TableUnclear
            There is none, or none has this name.

        """
        if name is not None or not self:
            return self.chosen(name)
        return next((table for table in self if table.picture is not None), self[0])

    @property
    def names(self) -> str:
        """Their names, as people read them."""
        return ", ".join(printable(table.name) for table in self) or "none"

    def files(self, ending: str) -> Iterable[tuple[str, Table]]:
        """A file's name for each table: its own where it can be one, else its number."""
        taken: set[str] = set()
        for number, table in enumerate(self, start=1):
            fits = _FILE_NAME.fullmatch(table.name) and table.name.lower() not in taken
            name = table.name if fits else f"table-{number}"
            taken.add(name.lower())
            yield f"{name}.{ending}", table
