"""What gets installed: pinned, hashed, and the same at a department as in these tests."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KITS = (ROOT / "node" / "requirements.txt", ROOT / "coordinator" / "requirements.txt")


def test_locks_name_no_index() -> None:
    """Locks hold names, versions and hashes: where packages come from is the installer's own business."""
    for lock in [*ROOT.glob("requirements*.lock"), *KITS]:
        text = lock.read_text()
        assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", text), lock
        pins = re.findall(r"^[a-z0-9].*==.*$", text, flags=re.MULTILINE)
        assert pins
        assert all(pin.endswith("\\") for pin in pins), f"{lock}: a pin without a hash"


def test_kits_install_what_the_lock_tested() -> None:
    """A department installs the very files that the tests ran with."""
    tested = set(re.findall(r"sha256:\w{64}", (ROOT / "requirements.lock").read_text()))
    for kit in KITS:
        installed = set(re.findall(r"sha256:\w{64}", kit.read_text()))
        assert installed
        assert installed <= tested, kit
