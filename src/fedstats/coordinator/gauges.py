"""What can be seen of a coordinator at the moment, for its metrics.

Read from the store over a connection of its own: monitoring never waits for the services, nor they for it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing

from fedstats.coordinator.home import Home
from fedstats.identity.certificates import Authority, validity_of
from fedstats.journal.meters import (
    CERTIFICATE_LEFT,
    DISK_FREE,
    NODES_CONNECTED,
    NODES_JOINED,
    REGISTER_ENTRIES,
    STORE_BYTES,
    TASKS_OPEN,
    Sample,
)

CONNECTED_S = 120
"""A node asks for work at least every 50 seconds, and that it was here is stored once a minute."""


def gauges(home: Home, authority: Authority, now_s: float) -> Iterator[Sample]:
    """Every gauge of this coordinator."""
    yield Sample(DISK_FREE, shutil.disk_usage(home.folder).free)
    yield Sample(CERTIFICATE_LEFT, validity_of(authority.certificate_der).not_after.timestamp() - now_s)
    files = home.folder.glob(f"{home.store_file.name}*")
    yield Sample(STORE_BYTES, sum(path.stat().st_size for path in files))
    with closing(sqlite3.connect(f"{home.store_file.resolve().as_uri()}?mode=ro", uri=True)) as store:
        counts = (
            (NODES_JOINED, "SELECT COUNT(*) FROM members WHERE role = 'node'", ()),
            (
                NODES_CONNECTED,
                "SELECT COUNT(*) FROM members WHERE role = 'node' AND seen_s >= ?",
                (now_s - CONNECTED_S,),
            ),
            (
                TASKS_OPEN,
                "SELECT COALESCE(SUM(open), 0) FROM rounds WHERE open > 0 AND deadline_s > ?",
                (now_s,),
            ),
            (REGISTER_ENTRIES, "SELECT COALESCE(MAX(number), 0) FROM register", ()),
        )
        for meter, sql, values in counts:
            yield Sample(meter, store.execute(sql, values).fetchone()[0])
