"""The store: durable, append-only where it promises so, and recognisable."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from coordinator_world import DOCUMENT, ready_world, submission

from fedstats.coordinator.store import Store
from fedstats.coordinator.store_file import StoreFile
from fedstats.errors import AlreadyExists, CoordinatorUnreachable, FileProblem


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with a question in it."""
    path = tmp_path / "store.sqlite"
    store = Store.create(path)
    ready_world(store).submit(submission())
    store.close()
    return path


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE register SET document = x'00' WHERE number = 1",
        "DELETE FROM register",
        "INSERT OR REPLACE INTO register VALUES (1, 0, 'query', x'00')",
        "INSERT OR IGNORE INTO register VALUES (1, 0, 'query', x'00')",
        "INSERT INTO register VALUES (99, 0, 'query', x'00')",
        "INSERT INTO register VALUES (NULL, 0, 'query', x'00')",
        "UPDATE OR REPLACE register SET number = 1 WHERE number = 2",
    ],
)
def test_the_register_changes_at_its_end_only(path: Path, sql: str) -> None:
    """Whatever statement is tried, by this program or by hand, no entry changes or goes away."""
    connection = sqlite3.connect(path)
    before = connection.execute("SELECT * FROM register").fetchall()
    with pytest.raises(sqlite3.IntegrityError, match="the register"):
        connection.execute(sql)
    connection.rollback()
    assert connection.execute("SELECT * FROM register").fetchall() == before
    connection.close()


def test_what_was_stored_is_there_after_a_restart(path: Path) -> None:
    """Documents, members, question and tasks come back from the file as they were."""
    store = Store.open(path)
    assert [stored.document for stored in store.documents.agreements()] == [DOCUMENT]
    assert len(store.members.all()) == 4
    world = ready_world()
    query = world.submit(submission())
    stored = store.questions.query(query)
    assert stored is not None
    assert stored.signed == submission().query
    assert [task.state for task in (t.task for t in store.tasks.tasks(query, 0))] == [
        task.state for task in (t.task for t in world.store.tasks.tasks(query, 0))
    ]
    store.close()


def test_a_transaction_happens_whole_or_not_at_all(tmp_path: Path) -> None:
    """An error in the middle leaves nothing of what came before it."""
    file = StoreFile.create(tmp_path / "store.sqlite")
    with pytest.raises(ZeroDivisionError), file.transaction() as db:  # noqa: PT012 # the error is in the middle
        db.execute("UPDATE revision SET value = 7")
        raise ZeroDivisionError
    assert file.row("SELECT value FROM revision")["value"] == 0  # type: ignore[index]  # there is one row
    with file.transaction() as db:
        db.execute("UPDATE revision SET value = 8")
    file.close()
    again = StoreFile.open(tmp_path / "store.sqlite")
    assert again.row("SELECT value FROM revision")["value"] == 8  # type: ignore[index]  # there is one row
    again.close()


def test_every_commit_is_on_the_disk(path: Path) -> None:
    """The store runs with the settings under which SQLite survives power cuts."""
    file = StoreFile.open(path)
    settings = [file.rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert settings == ["wal", 2, 1]
    file.close()


def test_a_full_disk_is_said_in_a_sentence_and_loses_nothing(path: Path) -> None:
    """When the file cannot grow, the caller is told to try again, and the store is as before."""
    store = Store.open(path)
    pages = store.file.rows("PRAGMA page_count")[0][0]
    store.file.rows(f"PRAGMA max_page_count = {pages}")
    before = store.register.count()
    with pytest.raises(CoordinatorUnreachable, match="store"), store.file.transaction() as db:  # noqa: PT012 # what comes before the error must go too
        db.execute("UPDATE revision SET value = 9")
        db.execute("INSERT INTO register VALUES (?, 0, 'query', zeroblob(10000000))", (before + 1,))
    assert store.register.count() == before
    assert store.file.damage() == ""
    store.close()


def test_two_processes_take_turns(path: Path) -> None:
    """A second process can write while a coordinator holds the store open, between its transactions."""
    one, two = Store.open(path), Store.open(path)
    with one.file.transaction() as db:
        db.execute("UPDATE revision SET value = 100")
    with two.file.transaction() as db:
        db.execute("UPDATE revision SET value = value + 1")
    assert one.documents.revision() == 101
    one.close()
    two.close()


def test_only_a_store_is_opened_as_one(tmp_path: Path, path: Path) -> None:
    """A missing file, another database, garbage and a newer store are each told apart and left alone."""
    with pytest.raises(FileProblem, match="missing"):
        Store.open(tmp_path / "nowhere.sqlite")
    other = tmp_path / "other.sqlite"
    sqlite3.connect(other).execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(FileProblem, match="not the store"):
        Store.open(other)
    garbage = tmp_path / "garbage.sqlite"
    garbage.write_bytes(b"garbage" * 1_000)
    with pytest.raises(FileProblem, match="cannot be opened"):
        Store.open(garbage)
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(FileProblem, match="version 99"):
        Store.open(path)


def test_a_store_is_never_overwritten_and_only_its_owner_reads_it(path: Path) -> None:
    """Creating over a store is refused, and the file is private from the start."""
    with pytest.raises(AlreadyExists):
        Store.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []
