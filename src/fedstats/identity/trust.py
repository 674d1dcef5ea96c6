"""Which controllers' keys were compared by telephone and are trusted here: one JSON file of fingerprints."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from fedstats.core.names import check_department
from fedstats.errors import AlreadyExists, FedstatsError, FileProblem, ValueInvalid
from fedstats.identity.durable_file import PUBLIC_MODE, write_durably
from fedstats.identity.keys import FINGERPRINT_GROUP, PublicKey

FILE_BYTES_MAX = 1_000_000

_FINGERPRINT = re.compile(r"[a-z2-7]{32}")


class TrustStore:
    """The file `trust.json`: {department: fingerprint of its controller's key}.

    It is read at every question, so that what one process writes the other believes at once.
    """

    def __init__(self, path: Path) -> None:
        """Use this file, which need not exist yet."""
        self._path = path

    def is_trusted(self, department: str, key: PublicKey) -> bool:
        """Whether this key was compared and is trusted as the controller of this department.

        Raises
        ------
        FileProblem
            The file is damaged or unreadable: then nobody is trusted, and somebody must look.

        """
        fingerprint = self.all().get(department)
        return fingerprint is not None and key.has_fingerprint(fingerprint)

    def trust(self, department: str, fingerprint: str, *, replace: bool = False) -> None:
        """Believe this fingerprint from now on.

        Raises
        ------
        ValueInvalid
            The text is no whole fingerprint, or the department no name.
        AlreadyExists
            Another key is trusted for this department, and `replace` was not asked for.
        FileProblem
            The file is damaged or cannot be written.

        """
        check_department(department)
        known, new = dict(self.all()), _checked(fingerprint)
        if known.get(department, new) != new and not replace:
            raise AlreadyExists(
                f"Another key of {department}'s controller is trusted here: {known[department]}.",
                remedy="If the controller has a new key, compare it by telephone and replace the old one.",
            )
        known[department] = new
        content = json.dumps(known, indent=2, sort_keys=True).encode() + b"\n"
        write_durably(self._path, content, mode=PUBLIC_MODE, replace=True)

    def all(self) -> Mapping[str, str]:
        """Every trusted fingerprint by its department, in the order of names; raises FileProblem."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as problem:
            raise FileProblem(f"{self._path} cannot be read: {problem.strerror}.") from None
        try:
            return _read(content)
        except (ValueError, RecursionError, FedstatsError):
            raise FileProblem(f"{self._path} is damaged: it does not hold trusted fingerprints.") from None


def _read(content: bytes) -> dict[str, str]:
    if len(content) > FILE_BYTES_MAX:
        raise ValueError
    document = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError  # noqa: TRY004 # one more way of being damaged
    return {check_department(name): _checked(str(document[name])) for name in sorted(document)}


def _checked(fingerprint: str) -> str:
    """The fingerprint as `PublicKey.fingerprint` writes it, whatever the case, spaces and dashes."""
    letters = "".join(fingerprint.lower().replace("-", " ").split())
    if _FINGERPRINT.fullmatch(letters) is None:
        raise ValueInvalid(
            "This is not a whole fingerprint: it has 8 groups of 4 letters and digits.",
            remedy="Ask the controller for it: fedstats controller fingerprint",
        )
    groups = (letters[i : i + FINGERPRINT_GROUP] for i in range(0, len(letters), FINGERPRINT_GROUP))
    return "-".join(groups)
