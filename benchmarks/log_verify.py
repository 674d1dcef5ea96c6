"""Verifying a department's log of 100,000 entries, every hash and head; and what one entry costs.

The value is the time of `audit verify`, "its end alone" that of the log's part in `node doctor`. An entry is
one durable transaction: the entry, its hashes and a signed head; a node makes one for each answer, before it
leaves.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from _measuring import Result

from fedstats.identity.keys import SigningKey
from fedstats.node.ledger import Ledger
from fedstats.node.log import Log
from fedstats.node.log_audit import audit
from fedstats.node.log_copy import read_copy
from fedstats.node.log_end import verify_end
from fedstats.node.log_file import append

name = "log_verify"
unit = "s"
target = 10.0

ENTRIES = 100_000
DURABLE = 500  # entries that are timed as a node makes them, one transaction each


def run() -> Result:
    """Fill a log, time single entries at its end, then verify all of it."""
    with tempfile.TemporaryDirectory() as folder:
        log = filled(Path(folder) / "log.sqlite")
        begun_s = time.perf_counter()
        for number in range(DURABLE):
            log.enter("answered", document(number), now_s=number, once=number.to_bytes(32, "big"))
        entered_s = (time.perf_counter() - begun_s) / DURABLE
        log.close()
        begun_s = time.perf_counter()
        copy = read_copy(log.path)
        read_s = time.perf_counter() - begun_s
        found = audit(copy)
        verified_s = time.perf_counter() - begun_s
        if found.faults:
            raise SystemExit(found.faults[0].sentence)
        size_mb = log.path.stat().st_size / 1e6
        Ledger.create(Path(folder) / "ledger.sqlite")
        begun_s = time.perf_counter()
        if (end := verify_end(log.path, Path(folder) / "ledger.sqlite", now_s=ENTRIES)).fault:
            raise SystemExit(end.fault)
        end_s = time.perf_counter() - begun_s
    details = {
        "one entry, ms": 1e3 * entered_s,
        "reading, s": read_s,
        "its end alone, s": end_s,
        "the file, MB": size_mb,
    }
    return Result(verified_s, details)


def filled(path: Path) -> Log:
    """A log of so many entries, each with its head: in few transactions, which only makes filling quicker."""
    Log.create(path, "north")
    log, key = Log(path), SigningKey.generate()
    log.sign_with(lambda: key)
    log.name_key(now_s=0)
    with log._database.change() as sqlite:  # noqa: SLF001 # as `enter` does, without a disk's wait for each
        for number in range(2, ENTRIES + 1):
            content = b'{"agreement":"RTT-2026","query":"%064x"}' % number
            append(sqlite, "answered", content, at_s=0)
            log._sign(sqlite, number, 0, key)  # noqa: SLF001 # the same
    return log


def document(number: int) -> dict[str, object]:
    """About as long as what an answer's entry says."""
    return {
        "query": f"{number:064x}",
        "release": "0" * 64,
        "computation": "1" * 64,
        "purpose": "waiting-times",
    }
