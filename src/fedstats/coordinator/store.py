"""The coordinator's store: one durable file, and one object for each kind of thing in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fedstats.coordinator.store_bindings import Bindings
from fedstats.coordinator.store_documents import Documents
from fedstats.coordinator.store_file import IN_MEMORY, StoreFile
from fedstats.coordinator.store_logs import Logs
from fedstats.coordinator.store_members import Members
from fedstats.coordinator.store_questions import Questions
from fedstats.coordinator.store_register import Register
from fedstats.coordinator.store_tasks import Tasks
from fedstats.coordinator.store_witnesses import Witnesses


@dataclass(frozen=True, slots=True)
class Store:
    """All that a coordinator must not forget. Every method that writes is one named, durable transaction."""

    file: StoreFile
    members: Members
    documents: Documents
    bindings: Bindings
    questions: Questions
    tasks: Tasks
    register: Register
    witnesses: Witnesses
    logs: Logs

    @classmethod
    def of(cls, file: StoreFile) -> Self:
        """The store in an open file."""
        return cls(
            file=file,
            members=Members(file),
            documents=Documents(file),
            bindings=Bindings(file),
            questions=Questions(file),
            tasks=Tasks(file),
            register=Register(file),
            witnesses=Witnesses(file),
            logs=Logs(file),
        )

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty store; raises AlreadyExists, FileProblem."""
        return cls.of(StoreFile.create(path))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a store that `create` made; raises FileProblem."""
        return cls.of(StoreFile.open(path))

    @classmethod
    def in_memory(cls) -> Self:
        """An empty store that ends with this process: for simulations."""
        return cls.of(StoreFile.create(IN_MEMORY))

    def close(self) -> None:
        """Close the file."""
        self.file.close()
