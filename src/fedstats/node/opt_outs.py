"""Whether the list of people who opted out is still the one that an edition left out.

An edition answers only while it leaves out whom the present list names. Whether that is so is told by the
file: its age, which the agreement limits, and the hash of its content, since a list that is fetched every
day and says the same is no reason to make an edition anew, which costs privacy budget. The refusal tells that
the list changed, as the revision that follows tells it; never whom it names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from fedstats.core.agreement import Agreement
from fedstats.engines.mapping import DatasetMapping
from fedstats.errors import OptOutListProblem

DAY_S = 86_400
_CHUNK_BYTES = 1 << 20


class OptOutLists:
    """The opt-out lists that node.toml names, looked at anew whenever a question is asked."""

    def __init__(self, mappings: Iterable[DatasetMapping], now: Callable[[], float]) -> None:
        """Watch the lists of these datasets; `now` in seconds since 1970."""
        self._paths: Mapping[str, Path | None] = {m.dataset: m.opt_out_list for m in mappings}
        self._now = now
        self._known: dict[Path, tuple[tuple[int, int, int], bytes]] = {}

    def obstacle(self, agreement: Agreement, dataset: str, left_out: bytes) -> str:
        """Why an edition that left out the list of this hash may not answer; empty if it may.

        A dataset that node.toml does not map, or maps without a list, is left to the edition's own terms.
        """
        path = self._paths.get(dataset)
        if not agreement.opt_out.applies or path is None:
            return ""
        try:
            made_s, present = path.stat().st_mtime, self._digest(path)
        except (OSError, OptOutListProblem):
            return f"The department's opt-out list for {dataset} cannot be read: nothing is answered."
        most = agreement.opt_out.list_age_days_max
        if self._now() - made_s > most * DAY_S:
            return (
                f"The department's opt-out list for {dataset} is older than the {most} days that agreement "
                f"{agreement.id} allows."
            )
        if present != left_out:
            return (
                f"The department's opt-out list for {dataset} changed after this edition was made. Its IT "
                "makes a revision, and that one answers."
            )
        return ""

    def _digest(self, path: Path) -> bytes:
        """The hash of the list, computed again when the file changed."""
        found = path.stat()
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        known = self._known.get(path)
        if known is None or known[0] != seen:
            known = self._known[path] = (seen, list_hash(path))
        return known[1]


def list_hash(path: Path) -> bytes:
    """SHA-256 of an opt-out list.

    Raises
    ------
    OptOutListProblem
        It cannot be read.

    """
    digest = sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as problem:
        raise OptOutListProblem(f"{path} cannot be read: {problem.strerror}.") from None
    return digest.digest()
