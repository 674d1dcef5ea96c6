"""Editions: named snapshots of a dataset, made from the department's source and never changed.

An edition belongs to one agreement, whose schedule names it (`2025-09`). A repair or a newer opt-out list
makes a revision (`2025-09.2`); from then on the older one answers nothing new, and its file is gone. Between
the change of the list and the revision, nothing is answered: `opt_outs`.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fedstats.core.agreement import Agreement
from fedstats.core.rules import base_edition
from fedstats.core.schema import Dataset
from fedstats.engines import EditionOrder, EditionReport, definition_hash
from fedstats.engines.mapping import DatasetMapping
from fedstats.errors import AgreementNotInForce, EditionExists, EditionMissing, FileProblem, OptOutListProblem
from fedstats.node.computing import Workbench
from fedstats.node.home import make_private
from fedstats.node.log_entries import EDITION_MADE, EDITIONS_DELETED
from fedstats.node.opt_outs import DAY_S, OptOutLists, list_hash, otherwise, untimely
from fedstats.node.state import State
from fedstats.wire.v1 import nodes_pb2

Row = tuple[str, str, str, int, bytes, bytes, int]
"""An edition in the index: agreement, dataset, base, revision, definition, left out, made at."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition that this node holds; `made_s` in seconds since 1970.

    `definition` is the fingerprint of the definition that it was made for; `left_out` is the hash of the
    opt-out list that was heeded, empty if none was.
    """

    agreement: str
    dataset: str
    base: str
    revision: int
    definition: bytes
    left_out: bytes
    made_s: int
    path: Path

    @property
    def name(self) -> str:
        """`2025-09`, and from the second revision on `2025-09.2`."""
        return edition_name(self.base, self.revision)

    def is_of(self, agreement: Agreement, dataset: Dataset) -> bool:
        """Whether it was made for this dataset of this agreement, in whichever version."""
        return (self.agreement, self.dataset) == (agreement.id, dataset.name)

    def obstacle(self, agreement: Agreement, dataset: Dataset) -> str:
        """Why it cannot answer under this version of its agreement; empty if it can."""
        if self.definition != definition_hash(dataset):
            return f"Edition {self.name} was made for another definition of {dataset.name}."
        if agreement.opt_out.applies and not self.left_out:
            return f"Edition {self.name} of {dataset.name} still holds people who opted out."
        return ""


def edition_name(base: str, revision: int) -> str:
    """The name of a revision of an edition."""
    return base if revision == 1 else f"{base}.{revision}"


class Editions:
    """The editions of one node: an index in its records, and one file each."""

    def __init__(self, state: State, folder: Path, opt_outs: OptOutLists | None = None) -> None:
        """Use this node's records, the folder of the files, and the opt-out lists that questions heed."""
        self._state = state
        self._folder = folder
        self._opt_outs = opt_outs

    def all(self) -> tuple[Edition, ...]:
        """The newest revision of every edition, by name."""
        with self._state.look() as sqlite:
            rows = sqlite.execute(
                "SELECT agreement, dataset, base, MAX(revision), definition, left_out, made_s"
                " FROM edition WHERE NOT deleted"
                " GROUP BY agreement, dataset, base ORDER BY agreement, dataset, base"
            ).fetchall()
        return tuple(self._edition(row) for row in rows)

    def find(self, agreement: Agreement, dataset: Dataset, name: str) -> Edition:
        """The newest revision of the edition that a question names; a name of a revision stands for it alone.

        Raises
        ------
        EditionMissing
            It is not here, was replaced by a revision, was made for other terms of the agreement, or leaves
            out whom an opt-out list named that is not the present one.

        """
        base = base_edition(name)
        for edition in self.all():
            if not edition.is_of(agreement, dataset) or edition.base != base:
                continue
            if name not in (base, edition.name):
                raise EditionMissing(
                    f"Of {dataset.name} {base} this department answers from {edition.name} only."
                )
            if obstacle := self._obstacle(edition, agreement, dataset):
                raise EditionMissing(obstacle)
            return edition
        raise EditionMissing(f"This department does not hold edition {name} of {dataset.name}.")

    def holdings(self, agreements: Iterable[Agreement]) -> tuple[nodes_pb2.Holding, ...]:
        """What can be asked here under these agreements, for the catalogue."""
        editions = self.all()
        return tuple(
            nodes_pb2.Holding(
                agreement=agreement.id,
                agreement_version=agreement.version,
                dataset=dataset.name,
                edition=edition.name,
            )
            for agreement in agreements
            for dataset in agreement.datasets
            for edition in editions
            if edition.is_of(agreement, dataset)
            and edition.base in dataset.editions
            and not self._obstacle(edition, agreement, dataset)
        )

    def refresh(
        self,
        agreement: Agreement,
        mapping: DatasetMapping,
        base: str,
        bench: Workbench,
        *,
        revise: bool,
        now_s: int,
    ) -> tuple[Edition, EditionReport]:
        """Make an edition from the source as it is now; the report is for local eyes only.

        Raises
        ------
        AgreementNotInForce
            The department has not accepted the agreement, or left it, perhaps while the edition was made.
        EditionMissing
            The agreement's schedule does not name it.
        EditionExists
            It is here already, and a revision was not asked for.
        OptOutListProblem
            The agreement applies opt-outs, and the list is missing or too old.
        DataError
            The source cannot be read, or the mapping does not fit.

        """
        dataset = agreement.dataset(mapping.dataset)
        _check_scheduled(agreement, dataset, base)
        opt_outs = opt_outs_to_apply(agreement, mapping, now_s=now_s)
        kind = agreement.opt_out.list_kind
        left_out = (
            b"" if opt_outs is None else list_hash(opt_outs, kind)
        )  # before it is read: a change counts
        with self._state.look() as sqlite:
            _check_accepted(sqlite, agreement.id)
        revision = self._revisions(agreement.id, dataset.name, base) + 1
        if not revise and self._is_here(agreement.id, dataset.name, base):
            raise _exists(base, dataset.name)
        path = self._path(agreement.id, dataset.name, base, revision)
        for folder in (self._folder, path.parent.parent, path.parent):
            make_private(folder)
        path.unlink(missing_ok=True)  # left by a refresh that died: the index knows nothing of it
        order = EditionOrder(edition_name(base, revision), bench.key, now_s, path, opt_outs, kind)
        report = bench.engine.make_edition(mapping, dataset, order, bench.resources)
        definition = definition_hash(dataset)
        row = (agreement.id, dataset.name, base, revision, definition, left_out, now_s)
        self._enter(row)
        if revision > 1:  # people who opted out meanwhile are in the older file
            self._path(agreement.id, dataset.name, base, revision - 1).unlink(missing_ok=True)
        return self._edition(row), report

    def sweep(self, *, now_s: int) -> None:
        """Remove what killed computations and refreshes left beside the editions, once it is a day old."""
        for left in self._folder.glob("*/*/.*"):
            if now_s - left.stat().st_mtime < DAY_S:  # a refresh may be running
                continue
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def delete(self, agreement: str, *, now_s: int) -> None:
        """Delete every edition of an agreement, when the department leaves it.

        Their names stay taken: an edition made after coming back is a revision, never the same name again.
        """
        with self._state.change() as sqlite:
            sqlite.execute("UPDATE edition SET deleted = 1 WHERE agreement = ?", (agreement,))
            self._state.log.enter(EDITIONS_DELETED, {"agreement": agreement}, now_s=now_s)
        try:
            shutil.rmtree(self._folder / agreement)
        except FileNotFoundError:
            return
        except OSError as problem:
            raise FileProblem(f"{problem.filename} cannot be deleted: {problem.strerror}.") from None

    def _obstacle(self, edition: Edition, agreement: Agreement, dataset: Dataset) -> str:
        """Why an edition cannot answer now; empty if it can."""
        if (obstacle := edition.obstacle(agreement, dataset)) or self._opt_outs is None:
            return obstacle
        return self._opt_outs.obstacle(agreement, dataset.name, edition.left_out)

    def _is_here(self, agreement: str, dataset: str, base: str) -> bool:
        return any((e.agreement, e.dataset, e.base) == (agreement, dataset, base) for e in self.all())

    def _revisions(self, agreement: str, dataset: str, base: str) -> int:
        with self._state.look() as sqlite:
            (newest,) = sqlite.execute(
                "SELECT COALESCE(MAX(revision), 0) FROM edition"
                " WHERE agreement = ? AND dataset = ? AND base = ?",
                (agreement, dataset, base),
            ).fetchone()
        return int(newest)

    def _enter(self, row: Row) -> None:
        """Enter a finished edition in the index, unless its agreement was left while it was made."""
        try:
            with self._state.change() as sqlite:
                _check_accepted(sqlite, row[0])  # a withdrawal meanwhile deleted what it found
                sqlite.execute("INSERT INTO edition VALUES (?, ?, ?, ?, ?, ?, ?, 0)", row)
                self._state.log.enter(EDITION_MADE, _made(row), now_s=row[-1])
        except BaseException:
            self._edition(row).path.unlink(missing_ok=True)  # it would outlive the withdrawal
            raise

    def _edition(self, row: Row) -> Edition:
        agreement, dataset, base, revision, definition, left_out, made_s = row
        path = self._path(agreement, dataset, base, revision)
        return Edition(agreement, dataset, base, revision, definition, left_out, made_s, path)

    def _path(self, agreement: str, dataset: str, base: str, revision: int) -> Path:
        return self._folder / agreement / dataset / f"{edition_name(base, revision)}.duckdb"


def _made(row: Row) -> dict[str, object]:
    """What the log says of a new edition; whom an opt-out list names, and how many, is nobody's affair."""
    agreement, dataset, base, revision, definition, left_out, _ = row
    name = edition_name(base, revision)
    document: dict[str, object] = {"agreement": agreement, "dataset": dataset, "edition": name}
    return {**document, "definition": definition.hex(), "opt_outs_applied": bool(left_out)}


def _check_scheduled(agreement: Agreement, dataset: Dataset, base: str) -> None:
    if base not in dataset.editions:
        named = ", ".join(dataset.editions)
        raise EditionMissing(f"The schedule of {dataset.name} in {agreement.id} names {named}.")


def _exists(base: str, dataset: str) -> EditionExists:
    return EditionExists(
        f"Edition {base} of {dataset} exists, and editions never change.",
        remedy=f"A repair makes a revision: fedstats node refresh --edition {base} --revise",
    )


def _check_accepted(sqlite: sqlite3.Connection, agreement: str) -> None:
    accepted = sqlite.execute(
        "SELECT 1 FROM agreement WHERE id = ? AND accepted_s IS NOT NULL AND withdrawn_s IS NULL",
        (agreement,),
    )
    if accepted.fetchone() is None:
        raise AgreementNotInForce(
            f"The department has not accepted {agreement}, or has left it: it keeps no edition.",
            remedy=f"Type: fedstats agreement accept {agreement}",
        )


def opt_outs_to_apply(agreement: Agreement, mapping: DatasetMapping, *, now_s: int) -> Path | None:
    """The list of people to leave out; None if the agreement applies none.

    Raises
    ------
    OptOutListProblem
        The agreement applies opt-outs, and the list is not named, of the other kind, missing or too old.

    """
    if not agreement.opt_out.applies:
        return None
    if mapping.opt_out_list is None:
        raise OptOutListProblem(
            f"Agreement {agreement.id} leaves out people who opted out, and node.toml names no list of them.",
            remedy='Add opt_out_list = "PATH" to the [[datasets]] table of ' + f"{mapping.dataset}.",
        )
    if reason := otherwise(agreement.opt_out, mapping):
        raise OptOutListProblem(
            f"{mapping.opt_out_list} {reason} (agreement {agreement.id}).",
            remedy="Name the right list in node.toml, and say what it is: "
            f'opt_out_kind = "{agreement.opt_out.list_kind.value}"',
        )
    try:
        made_s = mapping.opt_out_list.stat().st_mtime
    except OSError as problem:
        raise OptOutListProblem(f"{mapping.opt_out_list} cannot be read: {problem.strerror}.") from None
    if reason := untimely(agreement.opt_out, made_s, now_s):
        raise OptOutListProblem(
            f"{mapping.opt_out_list} {reason} (agreement {agreement.id}).",
            remedy="Fetch the present list, then make the edition.",
        )
    return mapping.opt_out_list
