"""The long polls that a server holds open, so that one which stops can end them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from fedstats.errors import CoordinatorUnreachable


@dataclass(slots=True)
class Polls:
    """Those of one server."""

    stopping: bool = False
    _held: set[asyncio.Task[Any]] = field(default_factory=set)

    async def unless_stopping(self, work: Awaitable[Message]) -> Message:
        """The outcome of a long poll, unless the server stops first."""
        held = asyncio.current_task()
        assert held is not None  # noqa: S101 # gRPC runs every call as a task
        self._held.add(held)
        try:
            return await work
        except asyncio.CancelledError:
            if not self.stopping:
                raise
            held.uncancel()
            raise CoordinatorUnreachable("The coordinator is stopping.") from None
        finally:
            self._held.discard(held)

    def stop(self) -> None:
        """End them all, with a sentence for each."""
        self.stopping = True
        for held in tuple(self._held):
            held.cancel()
