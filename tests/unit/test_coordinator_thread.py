"""The thread that works on the store: many changes in one commit, and nobody hears of what is not durable."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fedstats.coordinator.store_file import StoreFile
from fedstats.coordinator.store_thread import StoreThread
from fedstats.errors import NotFound


class Place:
    """A real store file, the thread, and what rang."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        """Make the store, and start the thread."""
        self.path = path
        self.file = StoreFile.create(path)
        self.rung: list[tuple[str, list[str]]] = []
        self.thread = StoreThread(loop, self.file, lambda topic: self.rung.append((topic, self.durable())))

    def durable(self) -> list[str]:
        """What another process finds in the file now."""
        with closing(sqlite3.connect(self.path)) as other:
            return [row[0] for row in other.execute("SELECT id FROM tokens ORDER BY id")]

    def add(self, name: str) -> str:
        """One change, in a transaction of its own, which rings."""
        with self.file.transaction() as db:
            db.execute("INSERT INTO tokens VALUES (?, 'node', 'north', 0, 1, NULL, NULL)", (name,))
        self.thread.ring(name)
        return name


def run(tmp_path: Path, test: Callable[[Place], Awaitable[None]]) -> None:
    """Run a test on an event loop."""

    async def on_loop() -> None:
        place = Place(tmp_path / "store.sqlite", asyncio.get_running_loop())
        try:
            await asyncio.wait_for(test(place), timeout=20)
        finally:
            place.thread.close()
            place.file.close()

    asyncio.run(on_loop())


def test_what_was_answered_or_rung_is_in_the_file(tmp_path: Path) -> None:
    """Of a hundred changes at once, each is durable when its caller or its topic hears of it."""

    async def test(place: Place) -> None:
        names = [f"{number:03}" for number in range(100)]

        async def change(name: str) -> None:
            assert await place.thread.work(place.add, name) == name
            assert name in place.durable()

        await asyncio.gather(*(change(name) for name in names))
        assert place.durable() == names
        assert [topic for topic, _ in place.rung] == names
        assert all(topic in durable for topic, durable in place.rung)

    run(tmp_path, test)


def test_a_change_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    """Its caller gets its error, its transaction is undone, and those beside it stay."""

    async def test(place: Place) -> None:
        def fail() -> None:
            with place.file.transaction() as db:
                db.execute("INSERT INTO tokens VALUES ('half', 'node', 'north', 0, 1, NULL, NULL)")
                raise NotFound("nothing")

        jobs: list[Awaitable[Any]] = [place.thread.work(place.add, "a"), place.thread.work(fail)]
        found = await asyncio.gather(*jobs, place.thread.work(place.add, "b"), return_exceptions=True)
        assert [found[0], found[2]] == ["a", "b"]
        assert isinstance(found[1], NotFound)
        assert place.durable() == ["a", "b"]

    run(tmp_path, test)


def test_when_the_commit_fails_nobody_is_told_otherwise(tmp_path: Path) -> None:
    """What could not be made durable did not happen: each caller of that turn hears it, nothing rings."""

    async def test(place: Place) -> None:
        def spoil() -> None:
            with place.file.transaction() as db:
                db.execute("PRAGMA defer_foreign_keys = ON")  # found at the commit only
                db.execute("INSERT INTO signatures VALUES (x'00', x'00', x'00', 0)")

        jobs = [
            place.thread.work(place.add, "a"),
            place.thread.work(spoil),
            place.thread.work(place.add, "b"),
        ]
        found = await asyncio.gather(*jobs, return_exceptions=True)
        kept = [name for name in found if isinstance(name, str)]
        assert place.durable() == kept  # the first may have had a turn of its own
        assert isinstance(found[1], Exception)
        assert [topic for topic, _ in place.rung] == kept
        assert await place.thread.work(place.add, "c") == "c"
        assert place.durable() == [*kept, "c"]

    run(tmp_path, test)


def test_a_call_that_was_cancelled_before_its_turn_changes_nothing(tmp_path: Path) -> None:
    """A caller who is gone while its call still waits leaves no trace."""

    async def test(place: Place) -> None:
        waiting = asyncio.ensure_future(place.thread.work(place.add, "gone"))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await place.thread.work(place.add, "here")
        assert place.durable() == ["here"]

    run(tmp_path, test)
