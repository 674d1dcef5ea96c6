"""The node's own records beside the ledger: agreements, editions, witnesses, what people decided here."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from fedstats.core.names import check_department
from fedstats.node.database import Database
from fedstats.node.log import Log

VERSION = 5

_SCHEMA = """
CREATE TABLE node (department TEXT NOT NULL);
CREATE TABLE agreement (
  hash BLOB PRIMARY KEY, id TEXT NOT NULL, version INTEGER NOT NULL, document BLOB NOT NULL,
  accepted_s INTEGER, withdrawn_s INTEGER, withdrawn_reason TEXT, withdrawn_note TEXT NOT NULL DEFAULT '');
CREATE TABLE signature (
  hash BLOB NOT NULL REFERENCES agreement (hash), key BLOB NOT NULL, signature BLOB NOT NULL,
  PRIMARY KEY (hash, key));
CREATE TABLE revocation (
  payload BLOB NOT NULL, key BLOB NOT NULL, signature BLOB NOT NULL, PRIMARY KEY (payload, key));
CREATE TABLE edition (
  agreement TEXT NOT NULL, dataset TEXT NOT NULL, base TEXT NOT NULL, revision INTEGER NOT NULL,
  definition BLOB NOT NULL, left_out BLOB NOT NULL, made_s INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  PRIMARY KEY (agreement, dataset, base, revision));
CREATE TABLE heard (
  ledger BLOB NOT NULL, head BLOB NOT NULL, signed BLOB NOT NULL,
  PRIMARY KEY (ledger, head));
CREATE TABLE question (
  query BLOB PRIMARY KEY, agreement TEXT NOT NULL, agreement_version INTEGER NOT NULL, analyst TEXT NOT NULL,
  asked_s INTEGER NOT NULL, deadline_s INTEGER NOT NULL, task BLOB NOT NULL, parked TEXT,
  decided_s INTEGER, reason TEXT, note TEXT NOT NULL DEFAULT '');
CREATE TABLE approval (
  query BLOB NOT NULL REFERENCES question (query) ON DELETE CASCADE, approver BLOB NOT NULL,
  payload BLOB NOT NULL, signature BLOB NOT NULL,
  PRIMARY KEY (query, approver));
CREATE TABLE register_seen (signed BLOB NOT NULL);
CREATE TABLE register_fork (seen BLOB NOT NULL, shown BLOB NOT NULL);
CREATE TABLE kept_head (
  department TEXT NOT NULL, log BLOB NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL,
  signed BLOB NOT NULL,
  PRIMARY KEY (department, log, size, root));
CREATE TABLE log_heard (signed BLOB PRIMARY KEY);
CREATE TABLE pause (reason TEXT NOT NULL, since_s INTEGER NOT NULL, note TEXT NOT NULL);
"""


class State(Database):
    """The file `state.sqlite`; each kind of record has its class in a file of its own.

    Every decision reads it anew, so that a pause or a withdrawal typed beside a running node counts at once.
    Beside it is the log: what a transaction decides is entered there at its end, before it counts.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises
        ------
        FileProblem
            It is missing, damaged, or cannot be written.

        """
        super().__init__(path, version=VERSION)
        with self.look() as sqlite:
            (self.department,) = sqlite.execute("SELECT department FROM node").fetchone()

    @cached_property
    def log(self) -> Log:
        """The department's log; raises LogDamaged and FileProblem as it is opened."""
        return Log(_log_beside(self.path))

    def close(self) -> None:
        """Close both files."""
        if "log" in self.__dict__:
            self.log.close()
        super().close()

    @classmethod
    def make(cls, path: Path, department: str) -> bool:
        """Make an empty one for this department's node, with a log; False if there is one already."""
        name = check_department(department)
        Log.create(_log_beside(path), department)
        schema = f"{_SCHEMA} INSERT INTO node VALUES ('{name}');"  # noqa: S608 # such a name holds no quote
        return cls.create(path, schema, version=VERSION)


def _log_beside(path: Path) -> Path:
    return path.with_name("log.sqlite")
