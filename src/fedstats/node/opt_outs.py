"""Whether the list of people who opted out is still the one that an edition heeds.

An edition answers only while it leaves out whom the present list leaves out: those on it, or, where the
agreement has an allow list, all others. Whether that is so is told by the file: its age, which the agreement
limits, and the hash of its content, since a list that is fetched every day and says the same is no reason to
make an edition anew, which costs privacy budget. The refusal tells that the list changed, as the revision
that follows tells it; never whom it names, nor how many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path

from fedstats.core.agreement import Agreement, ListKind, OptOutTerms
from fedstats.engines.mapping import DatasetMapping
from fedstats.errors import OptOutListProblem

DAY_S = 86_400
_CHUNK_BYTES = 1 << 20


class OptOutLists:
    """The opt-out lists that node.toml names, looked at anew whenever a question is asked."""

    def __init__(self, mappings: Iterable[DatasetMapping], now: Callable[[], float]) -> None:
        """Watch the lists of these datasets; `now` in seconds since 1970."""
        self._mappings = {mapping.dataset: mapping for mapping in mappings}
        self._now = now
        self._known: dict[tuple[Path, ListKind], tuple[tuple[int, int, int], bytes]] = {}

    def obstacle(self, agreement: Agreement, dataset: str, left_out: bytes) -> str:
        """Why an edition that heeded the list of this hash may not answer; empty if it may."""
        if not agreement.opt_out.applies:
            return ""
        mapping = self._mappings.get(dataset)
        if mapping is None or mapping.opt_out_list is None:
            return f"The department names no opt-out list for {dataset}: nothing is answered."
        fault = otherwise(agreement.opt_out, mapping)
        try:
            made_s = mapping.opt_out_list.stat().st_mtime
            present = self._digest(mapping.opt_out_list, mapping.opt_out_kind)
        except (OSError, OptOutListProblem):
            return f"The department's opt-out list for {dataset} cannot be read: nothing is answered."
        if fault := fault or untimely(agreement.opt_out, made_s, self._now()):
            return f"The department's opt-out list for {dataset} {fault} (agreement {agreement.id})."
        if present != left_out:
            return (
                f"The department's opt-out list for {dataset} changed after this edition was made, or what "
                "the agreement says of it. Its IT makes a revision, and that one answers."
            )
        return ""

    def _digest(self, path: Path, kind: ListKind) -> bytes:
        """The hash of the list, computed again when the file changed."""
        found = path.stat()
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        known = self._known.get((path, kind))
        if known is None or known[0] != seen:
            known = self._known[path, kind] = (seen, list_hash(path, kind))
        return known[1]


def otherwise(terms: OptOutTerms, mapping: DatasetMapping) -> str:
    """That a list is of the other kind, in words that follow its name; empty if it is not."""
    kind, needed = mapping.opt_out_kind.value, terms.list_kind.value
    if kind == needed:
        return ""
    return f"is one to {kind}, and the agreement is about one to {needed}"


def untimely(terms: OptOutTerms, made_s: float, now_s: float) -> str:
    """What is wrong with the time of a list, in words that follow its name; empty if nothing is.

    A time that lies in the future would make a list young for ever.
    """
    if made_s - now_s > DAY_S:
        return "has a time that lies in the future, so nobody knows how old it is"
    if now_s - made_s > terms.list_age_days_max * DAY_S:
        return f"is older than the {terms.list_age_days_max} days that are allowed"
    return ""


def list_hash(path: Path, kind: ListKind) -> bytes:
    """SHA-256 of an opt-out list and of its kind: to deny whom a list allows is another edition.

    Raises
    ------
    OptOutListProblem
        It cannot be read.

    """
    digest = sha256(f"{kind.value} ".encode())
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as problem:
        raise OptOutListProblem(f"{path} cannot be read: {problem.strerror}.") from None
    return digest.digest()
