"""One entry of a log, and the bytes that its leaf is the hash of."""

from __future__ import annotations

import json
from dataclasses import dataclass

from fedstats.core.agreement_document import Document, canonical_json
from fedstats.core.log_head import leaf_bytes
from fedstats.transparency.tree import leaf_hash


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What was entered, when (seconds since 1970), of which kind; `document` is canonical JSON.

    Numbers begin with 1 and have no gaps: the leaf's index is `number - 1`.
    """

    number: int
    at_s: int
    kind: str
    document: bytes

    @property
    def leaf(self) -> bytes:
        """Canonical JSON of all four.

        Raises
        ------
        ValueError
            The document is not canonical JSON, so nothing that fedstats ever entered.

        """
        if canonical_json(self.read()) != self.document:
            raise ValueError("not canonical JSON")
        return leaf_bytes(self.number, self.at_s, self.kind, self.document)

    @property
    def hash(self) -> bytes:
        """The leaf's hash; raises ValueError like `leaf`."""
        return leaf_hash(self.leaf)

    def read(self) -> Document:
        """The document as a dictionary; raises ValueError where it is none."""
        try:
            document = json.loads(self.document)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 # one error for whatever is no document
        return document
