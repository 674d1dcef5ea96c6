"""`fedstats audit`: whatever is changed in a department's log is named, and an auditor only needs to read."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import seed_key

from fedstats.cli import main
from fedstats.errors import LogDamaged
from fedstats.node.ledger import Ledger
from fedstats.node.log import Log
from fedstats.node.log_audit import audit
from fedstats.node.log_copy import read_copy
from fedstats.node.log_end import End, verify_end
from fedstats.node.log_file import append

ENTRIES = 21
NOBODY = 65_534
LIFT = "".join(
    f"DROP TRIGGER {name};"
    for name in (
        "entry_UPDATE",
        "entry_DELETE",
        "log_hash_keeps",
        "log_hash_stays",
        "head_UPDATE",
        "head_DELETE",
    )
)


def fill(path: Path, *, entries: int = ENTRIES, odd: str = "") -> Path:
    """A log of north; `odd` is what entry 7 says instead of its number."""
    Log.create(path, "north")
    log = Log(path)
    log.sign_with(lambda: seed_key("node north"))
    log.name_key(now_s=1_000)
    for number in range(2, entries + 1):
        said = odd if odd and number == 7 else f"RTT-{number:04}"
        log.enter("agreement-withdrawn", {"agreement": said, "reason": "other"}, now_s=1_000 + number * 60)
    log.close()
    return path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound log."""
    return fill(tmp_path_factory.mktemp("log") / "log.sqlite")


@pytest.fixture
def log(original: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copy(original, tmp_path / "log.sqlite"))


def typed(*words: str | Path) -> Result:
    """Type `fedstats audit ...`."""
    return CliRunner().invoke(main, ["audit", *map(str, words)])


def found(path: Path) -> list[tuple[int, str]]:
    """What is wrong with a log: at which entry, and what."""
    return [(fault.number, fault.wrong.value) for fault in audit(read_copy(path)).faults]


def test_a_sound_log_verifies_and_reads_as_a_timeline(log: Path) -> None:
    """Exit code 0, one sentence; `show` gives a line for each entry."""
    ran = typed("verify", log)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout.startswith("The log of north is what was written: 21 entries, 21 signed heads.\n")
    lines = typed("show", log, "--after", "19").stdout.splitlines()
    assert lines == [
        "    20  1970-01-01 00:36:40  left agreement RTT-0020 (other)",
        "    21  1970-01-01 00:37:40  left agreement RTT-0021 (other)",
    ]


HEX = "(SELECT hash FROM log_hash WHERE level = 0 AND position = {})"
CHANGES: dict[str, tuple[str, list[tuple[int, str]]]] = {
    "document": (
        "UPDATE entry SET document = replace(document, '7', '8') WHERE number = 7",
        [(7, "entry-changed")],
    ),
    "last": ("UPDATE entry SET document = x'7b7d' WHERE number = 21", [(21, "entry-changed")]),
    "not JSON": ("UPDATE entry SET document = x'7b' WHERE number = 7", [(7, "entry-changed")]),
    "kind": ("UPDATE entry SET kind = 'paused' WHERE number = 9", [(9, "entry-changed")]),
    "time": ("UPDATE entry SET at_s = 5 WHERE number = 9", [(9, "entry-changed")]),
    "hash": (
        "UPDATE log_hash SET hash = zeroblob(32) WHERE level = 0 AND position = 6",
        [(7, "hash-changed")],
    ),
    "both": (
        (
            "UPDATE entry SET kind = 'paused' WHERE number = 7;"
            "UPDATE log_hash SET hash = zeroblob(32) WHERE level = 0 AND position = 6"
        ),
        [(7, "entry-and-hash-changed")],
    ),
    "inner hash": (
        "UPDATE log_hash SET hash = zeroblob(32) WHERE level = 2 AND position = 1",
        [(5, "tree-changed")],
    ),
    "head": ("UPDATE head SET root = zeroblob(32) WHERE size = 7", [(7, "head-changed")]),
    "signature": ("UPDATE head SET signature = zeroblob(64) WHERE size = 7", [(7, "head-changed")]),
    "removed": ("DELETE FROM entry WHERE number = 7", [(7, "removed")]),
    "removed and renumbered": (
        "DELETE FROM entry WHERE number = 7; UPDATE entry SET number = number - 1 WHERE number > 7",
        [(7, "removed"), (21, "removed")],
    ),
    "exchanged": (
        (
            "UPDATE entry SET number = 99 WHERE number = 7; UPDATE entry SET number = 7 WHERE number = 12;"
            "UPDATE entry SET number = 12 WHERE number = 99"
        ),
        [(7, "moved"), (12, "moved")],
    ),
    "neighbours exchanged": (
        (
            "UPDATE entry SET number = 99 WHERE number = 7; UPDATE entry SET number = 7 WHERE number = 8;"
            "UPDATE entry SET number = 8 WHERE number = 99"
        ),
        [(7, "moved"), (8, "moved")],
    ),
    "added": ("INSERT INTO entry VALUES (22, 9, 'paused', x'7b7d')", [(22, "added")]),
    "end removed": (
        "DELETE FROM entry WHERE number > 19; DELETE FROM log_hash WHERE (position + 1) << level > 19",
        [(20, "removed")],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_named(log: Path, change: str) -> None:
    """Which entry, and whether the entry, its hash or its place was changed; exit code and FS-704."""
    statements, expected = CHANGES[change]
    with closing(sqlite3.connect(log)) as sqlite:
        sqlite.executescript(LIFT + statements)
    assert found(log) == expected
    ran = typed("verify", log)
    assert ran.exit_code not in (0, 1, 2)
    assert "FS-704" in ran.stderr
    document = json.loads(typed("verify", log, "--format", "json").stdout)
    assert [(fault["number"], fault["wrong"]) for fault in document["faults"]] == expected
    assert not document["sound"]


@settings(max_examples=60)
@given(data=st.data())
def test_a_flipped_bit_anywhere_is_found_or_changes_nothing(
    original: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """One bit of the file: it is named, or what the log says is the same to the last byte."""
    content = bytearray(original.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    changed = tmp_path_factory.mktemp("flipped") / "log.sqlite"
    changed.write_bytes(content)
    before = read_copy(original)
    try:
        copy = read_copy(changed)
    except LogDamaged:
        return
    same = (copy.log, copy.department, copy.kept.entries, copy.kept.hashes, copy.heads) == (
        *(before.log, before.department, before.kept.entries, before.kept.hashes, before.heads),
    )
    assert audit(copy).faults or same


def test_each_bit_of_an_entry_is_named_as_that_entry(original: Path, tmp_path: Path) -> None:
    """Whichever byte of what entry 7 says is flipped, entry 7 is named, and nothing else."""
    content, told = original.read_bytes(), b'{"agreement":"RTT-0007","reason":"other"}'
    (begin,) = [i for i in range(len(content)) if content.startswith(told, i)]
    for place in range(begin, begin + len(told)):
        flipped = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        (tmp_path / "log.sqlite").write_bytes(flipped)
        assert found(tmp_path / "log.sqlite") == [(7, "entry-changed")]


@pytest.fixture
def heads(original: Path, tmp_path: Path) -> Path:
    """The head of 14 entries, as somebody else kept it."""
    copy = read_copy(original)
    (kept,) = [line for line in typed("export", original).stdout.splitlines() if '"size":14' in line]
    head = {"keeper": "north", "log": copy.log.hex(), **json.loads(kept)["head"]}
    path = tmp_path / "heads.json"
    path.write_text(json.dumps({"format": "fedstats-heads-1", "heads": [head]}))
    return path


def test_a_log_that_was_rewritten_whole_is_found_by_others_heads(
    original: Path, heads: Path, tmp_path: Path
) -> None:
    """A department that writes another log with its own key verifies alone, not against what it told."""
    forged = fill(tmp_path / "log.sqlite", odd="RTT-0008")
    copy = read_copy(original)
    with closing(sqlite3.connect(forged)) as sqlite:  # under the same id, signed anew
        sqlite.executescript("DROP TRIGGER log_UPDATE")
        sqlite.execute("UPDATE log SET id = ?", (copy.log,))
        resign(sqlite, copy.log)
        sqlite.commit()
    assert typed("verify", forged).exit_code == 0
    agreed = typed("verify", original, "--against", heads)
    assert (agreed.exit_code, "heads.json says the same: 1 signed head of it" in agreed.stdout) == (0, True)
    ran = typed("verify", forged, "--against", heads)
    assert ran.exit_code != 0
    assert (
        "One of the entries 1 to 14 is not what the head in heads.json of 14 entries commits to" in ran.stdout
    )


def test_heads_of_others_are_never_taken_for_a_comparison(original: Path, tmp_path: Path) -> None:
    """A file without a head of this log has compared nothing, and whoever gave it reads that."""
    path = tmp_path / "strangers.json"
    path.write_text(json.dumps({"format": "fedstats-heads-1", "heads": []}))
    ran = typed("verify", original, "--against", path)
    assert (ran.exit_code, "strangers.json holds no signed head of it" in ran.stdout) == (0, True)
    assert "only heads that others kept can tell" in ran.stdout
    told = json.loads(typed("verify", original, "--against", path, "--format", "json").stdout)
    assert told["compared"] == [{"file": "strangers.json", "heads": 0}]


def resign(sqlite: sqlite3.Connection, log: bytes) -> None:
    """Sign every head anew under another id, as whoever holds the node's key can."""
    from fedstats.core.log_head import LogHead
    from fedstats.identity.keys import Context
    from fedstats.wire.codec import encode_log_head

    sqlite.executescript("DROP TRIGGER head_UPDATE")
    for size, root, at_s in sqlite.execute("SELECT size, root, at_s FROM head").fetchall():
        payload = encode_log_head(LogHead(log, "north", size, root, at_s))
        signature = seed_key("node north").sign(Context.LOG_HEAD, payload)
        sqlite.execute("UPDATE head SET signature = ? WHERE size = ?", (signature, size))


def test_a_log_that_lost_its_end_is_found_by_others_heads(heads: Path, log: Path) -> None:
    """An older copy verifies alone; a head that somebody was told names what is missing."""
    with closing(sqlite3.connect(log)) as sqlite:
        sqlite.executescript(
            LIFT + "DELETE FROM entry WHERE number > 9; DELETE FROM head WHERE size > 9;"
            "DELETE FROM log_hash WHERE (position + 1) << level > 9"
        )
    assert typed("verify", log).exit_code == 0
    ran = typed("verify", log, "--against", heads)
    assert "Entries 10 to 14 were removed: the head in heads.json commits to 14 entries." in ran.stdout


def test_an_export_verifies_elsewhere_and_a_change_of_it_is_named(original: Path, tmp_path: Path) -> None:
    """An auditor without the file works with its export: one line an entry, all signatures, same verdicts."""
    exported = tmp_path / "north.jsonl"
    assert typed("export", original, "--output", exported).exit_code == 0
    assert typed("verify", exported).exit_code == 0
    text = exported.read_text()
    exported.write_text(text.replace("RTT-0007", "RTT-0008", 1))
    assert found(exported) == [(7, "entry-changed")]
    exported.write_text(text.replace('"log":"', '"log":"00', 1))
    assert found(exported)
    exported.write_text("{}")
    with pytest.raises(LogDamaged, match="neither a log nor an export"):
        read_copy(exported)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_an_auditor_s_account_needs_to_read_one_file(original: Path) -> None:
    """Who may read the file and write nothing verifies it beside a running node; who may not is told."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        log = Path(shutil.copy(original, folder))
        log.parent.chmod(0o711)
        (log.parent / "tmp").mkdir()
        (log.parent / "tmp").chmod(0o777)
        running = Log(log)
        running.enter("resumed", {}, now_s=9_999)  # in the write-ahead log only
        for mode, said in ((0o604, "22 entries"), (0o600, "cannot be read by this account")):
            for part in log.parent.glob("log.sqlite*"):
                part.chmod(mode)
            ran = as_nobody(log)
            assert said in ran.stdout + ran.stderr
            assert (ran.returncode == 0) == (mode == 0o604)
        running.close()


def as_nobody(log: Path) -> subprocess.CompletedProcess[str]:
    """Verify a log as an account that owns nothing."""
    return subprocess.run(
        [sys.executable, "-c", BECOME_NOBODY, log, str(NOBODY)], check=False, capture_output=True, text=True
    )


BECOME_NOBODY = """
import click._textwrap, os, sys
from pathlib import Path
from fedstats.cli import audit, main
from fedstats.node import log_audit, log_copy
from fedstats.wire import heads_file
log = Path(sys.argv[1])
os.chroot(log.parent)  # elsewhere this account may not even pass through the folders above
os.chdir("/")
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
main(["audit", "verify", "/" + log.name])
"""


@pytest.mark.parametrize(
    "made",
    [
        "ALTER TABLE entry RENAME TO hidden; CREATE VIEW entry AS SELECT * FROM hidden WHERE number <> 7",
        "ALTER TABLE head RENAME TO hidden; CREATE VIRTUAL TABLE head USING fts5(size, root, at_s, key)",
        "CREATE TRIGGER mine BEFORE INSERT ON entry BEGIN SELECT RAISE(IGNORE); END",
        "CREATE VIEW mine AS SELECT 1",
    ],
)
def test_a_log_on_which_somebody_built_is_not_read(log: Path, made: str) -> None:
    """A view in the place of a table would show what it likes; a trigger would leave out what it likes."""
    with closing(sqlite3.connect(log)) as sqlite:
        sqlite.executescript(made)
    with pytest.raises(LogDamaged, match="not as fedstats makes a log"):
        read_copy(log)


def test_many_large_entries_in_another_order_are_named_at_once(tmp_path: Path) -> None:
    """150 entries of 20 kB in reverse order, each named: what they say is hashed once, not 150 times."""
    path = tmp_path / "log.sqlite"
    fill(path, entries=2)
    with closing(sqlite3.connect(path, isolation_level=None)) as sqlite:
        sqlite.execute("BEGIN")
        for number in range(3, 153):
            append(sqlite, "paused", b'{"reason":"%d%s"}' % (number, b"x" * 20_000), at_s=1_120)
        sqlite.execute("COMMIT")
        sqlite.executescript(LIFT + "UPDATE entry SET number = -number WHERE number > 2")
        sqlite.execute("UPDATE entry SET number = 155 + number WHERE number < 0")
    begun_s = time.process_time()
    assert found(path) == [(number, "moved") for number in range(3, 153)]
    assert time.process_time() - begun_s < 1.5, "it took minutes when each comparison read both"


def test_old_signatures_are_verified_when_it_is_asked_for_or_anything_is_wrong(log: Path) -> None:
    """Of a long log the newest signatures stand for the others, unless one thing in it is wrong."""
    with closing(sqlite3.connect(log)) as sqlite:
        sqlite.executescript(LIFT + "UPDATE head SET signature = zeroblob(64) WHERE size = 7")
    newest = audit(read_copy(log), signatures=5)
    assert (newest.signatures, newest.faults) == (5, ())
    assert [fault.number for fault in audit(read_copy(log), signatures=None).faults] == [7]
    assert typed("verify", log, "--every-signature").exit_code != 0
    with closing(sqlite3.connect(log)) as sqlite:
        sqlite.executescript("UPDATE entry SET at_s = 5 WHERE number = 19")
    faults = [(fault.number, fault.wrong.value) for fault in audit(read_copy(log), signatures=5).faults]
    assert faults == [(7, "head-changed"), (19, "entry-changed")]


@pytest.mark.parametrize("change", CHANGES)
def test_the_daily_check_of_a_log_s_end_sees_every_change_there(log: Path, change: str) -> None:
    """Whatever is changed within the last entries is said by the check that never reads the whole log."""
    ledger = log.with_name("ledger.sqlite")
    Ledger.create(ledger)
    assert verify_end(log, ledger, now_s=9_999, entries=18) == End(ENTRIES, 18)
    with closing(sqlite3.connect(log)) as sqlite:
        sqlite.executescript(LIFT + CHANGES[change][0])
    end = verify_end(log, ledger, now_s=9_999, entries=18)
    assert bool(end.fault) == (change not in ("head", "signature")), "the newest head alone is looked at"
