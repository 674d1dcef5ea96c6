"""Where a job's statistic comes from, so that it can be taken up again without giving it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

from fedstats.core.bound import BoundKind

TABLE = "table"


@dataclass(frozen=True, slots=True)
class Origin:
    """A built-in statistic by its name, or a class of a file as PATH.py:Name, with canonical JSON.

    `file_hash` is the SHA-256 of the file, in hex. SQL is the statistic `table` with its text as parameter.
    """

    statistic: str
    parameters: str
    file_hash: str = ""

    @classmethod
    def with_parameters(cls, statistic: str, plain: Mapping[str, object], *, file_hash: str = "") -> Self:
        """The origin with parameters as JSON has them."""
        parameters = json.dumps(
            plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
        )
        return cls(statistic, parameters, file_hash)

    @classmethod
    def of_sql(cls, sql: str, *, totals: bool, bound: str = BoundKind.ROWS.value) -> Self:
        """The origin of a question in SQL."""
        others: dict[str, object] = {"totals": True} if totals else {}
        if bound != BoundKind.ROWS.value:
            others["bound"] = bound
        return cls.with_parameters(TABLE, {"sql": sql, **others})

    @property
    def plain(self) -> dict[str, Any]:
        """The parameters as JSON has them."""
        return cast("dict[str, Any]", json.loads(self.parameters))
