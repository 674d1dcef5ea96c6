"""Reading a log without writing: the file beside a running node, or what was exported from it for an auditor.

An auditor's account needs to read one file and nothing else. Where SQLite could only read it by writing
beside it (its write-ahead log), a copy is made in a temporary folder and read there.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fedstats.core.agreement_document import canonical_json
from fedstats.core.names import check_department
from fedstats.errors import FileProblem, LogDamaged, ValueInvalid
from fedstats.node.log_file import SCHEMA, VERSION, HeadRow, read_heads, read_log
from fedstats.transparency.check import Kept
from fedstats.transparency.entry import LogEntry

FORMAT = "fedstats-log-1"
SQLITE_MAGIC = b"SQLite format 3\x00"
LINE_BYTES_MAX = 4_000_000
_LET_READ = (
    "Ask the department's IT to let this account read the file, or for an export of it: fedstats audit export"
)


@dataclass(frozen=True, slots=True)
class LogCopy:
    """A log as it was read: whose it is, its random id, its entries with hashes, and its signed heads."""

    department: str
    log: bytes
    kept: Kept
    heads: tuple[HeadRow, ...]


def read_copy(path: Path) -> LogCopy:
    """The log in `log.sqlite`, or in a file that `export_lines` made.

    Raises
    ------
    FileProblem
        It is not there, or this account may not read it.
    LogDamaged
        It is neither, or so damaged that its entries cannot be told apart.

    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(SQLITE_MAGIC))
    except OSError as problem:
        raise FileProblem(
            f"{path} cannot be read by this account: {problem.strerror}.", remedy=_LET_READ
        ) from None
    return _of_database(path) if magic == SQLITE_MAGIC else _of_lines(path)


def export_lines(copy: LogCopy) -> Iterator[str]:
    """The log as JSON, one thing a line: what it is, every entry with its leaf's hash, every signed head."""
    yield _line({"format": FORMAT, "department": copy.department, "log": copy.log.hex()})
    for entry, hash_ in zip(copy.kept.entries, copy.kept.hashes, strict=False):
        yield _line(
            {
                "number": entry.number,
                "at_s": entry.at_s,
                "kind": entry.kind,
                "document": entry.read(),
                "hash": hash_.hex(),
            }
        )
    for head in copy.heads:
        yield _line({"head": head_document(head)})


def head_document(head: HeadRow) -> dict[str, object]:
    """A head as exports and files of heads say it."""
    size, root, at_s, key, signature = head
    return {"size": size, "root": root.hex(), "at_s": at_s, "key": key.hex(), "signature": signature.hex()}


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, whatever this account may do in the folder.

    Raises
    ------
    FileProblem
        This account may not read it.

    """
    try:
        with tempfile.TemporaryDirectory(prefix="fedstats-audit-") as folder:
            place = f"file:{quote(str(path))}?mode=ro"
            if not _readable(place):
                for part in (path, path.with_name(f"{path.name}-wal")):
                    if part.exists():
                        shutil.copyfile(part, Path(folder) / part.name)
                place = f"file:{quote(str(Path(folder) / path.name))}"
            with closing(sqlite3.connect(place, uri=True, isolation_level=None)) as sqlite:
                sqlite.execute("BEGIN")
                yield sqlite
    except PermissionError as problem:
        raise FileProblem(
            f"{problem.filename} cannot be read by this account: {problem.strerror}.", remedy=_LET_READ
        ) from None


def _readable(place: str) -> bool:
    """Whether SQLite can read it where it is."""
    try:
        with closing(sqlite3.connect(place, uri=True)) as sqlite:
            sqlite.execute("SELECT COUNT(*) FROM sqlite_schema")
    except sqlite3.Error:
        return False
    return True


def _of_database(path: Path) -> LogCopy:
    try:
        with opened(path) as sqlite:
            check_is_log(sqlite, path)
            log, department = sqlite.execute("SELECT id, department FROM log").fetchone()
            kept, heads = read_log(sqlite), tuple(read_heads(sqlite))
            return LogCopy(check_department(str(department)), bytes(log), kept, heads)
    except (sqlite3.Error, TypeError, ValueError, ValueInvalid) as problem:
        raise LogDamaged(f"{path} is so damaged that it cannot be read as a log: {problem}.") from None


def check_is_log(sqlite: sqlite3.Connection, path: Path) -> None:
    """Return if the file has the tables of a log and nothing that could tell readers something else.

    A view or a virtual table under the name of a table would compute what it shows.

    Raises
    ------
    LogDamaged
        It is another file, or somebody built on it.

    """
    (version,) = sqlite.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise LogDamaged(f"{path} is no log of this version of fedstats.")
    asked = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"
    with closing(sqlite3.connect(":memory:")) as model:
        model.executescript(SCHEMA)
        ours = set(model.execute(asked))
    found = set(sqlite.execute(asked))
    missing = {name for kind, name, _ in ours - found if kind == "table"}
    if missing or found - ours:
        (name, *_) = sorted(missing or {name for _, name, _ in found - ours})
        raise LogDamaged(
            f"{path} is not as fedstats makes a log: look at its table, view or trigger {name!r}."
        )


def _of_lines(path: Path) -> LogCopy:
    entries: list[LogEntry] = []
    hashes: list[bytes] = []
    heads: list[HeadRow] = []
    first: dict[str, object] = {}
    try:
        with path.open("rb") as file:
            for line in iter(lambda: file.readline(LINE_BYTES_MAX), b""):
                found = json.loads(line)
                if "head" in found:
                    heads.append(head_row(found["head"]))
                elif "number" in found:
                    entries.append(_entry(found))
                    hashes.append(bytes.fromhex(found["hash"]))
                else:
                    first = found
        if first["format"] != FORMAT:
            raise ValueError("another format")  # noqa: TRY301 # one more way of being no export
        department, log = check_department(str(first["department"])), bytes.fromhex(str(first["log"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValueInvalid) as problem:
        raise LogDamaged(f"{path} is neither a log nor an export of one: {problem}.") from None
    return LogCopy(department, log, Kept(entries, hashes), tuple(heads))


def head_row(found: dict[str, object]) -> HeadRow:
    """A head out of a file; raises ValueError, KeyError and TypeError where it is none."""
    root, key, signature = (bytes.fromhex(str(found[name])) for name in ("root", "key", "signature"))
    size, at_s = found["size"], found["at_s"]
    if not isinstance(size, int) or not isinstance(at_s, int):
        raise TypeError("a head's size and time are whole numbers")
    return size, root, at_s, key, signature


def _entry(found: dict[str, object]) -> LogEntry:
    number, at_s, document = found["number"], found["at_s"], found["document"]
    if not isinstance(number, int) or not isinstance(at_s, int) or not isinstance(document, dict):
        raise TypeError("an entry has a number, a time and a document")
    return LogEntry(number, at_s, str(found["kind"]), canonical_json(document))


def _line(document: dict[str, object]) -> str:
    return json.dumps(document, separators=(",", ":"))
