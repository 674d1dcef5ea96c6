"""What departments' IT installs from: the service files and the container files."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wheelhouse import INSTALLER  # isort: skip # of scripts/

ROOT = Path(__file__).parents[2]
UNITS = (ROOT / "node" / "fedstats-node.service", ROOT / "coordinator" / "fedstats-coordinator.service")
CONTAINERS = (ROOT / "node" / "Containerfile", ROOT / "coordinator" / "Containerfile")
EXPOSURE_MAX = 2.0
SYSTEMD = shutil.which("systemd-analyze")


@pytest.mark.skipif(sys.platform == "win32", reason="the installer is a shell script")
@pytest.mark.parametrize("spoilt", [False, True])
def test_the_installer_makes_the_folder_that_was_typed(tmp_path: Path, *, spoilt: bool) -> None:
    """A folder is meant from where somebody types, not from inside the kit; a changed kit makes none."""
    kit = tmp_path / "kit"
    kit.mkdir()
    (kit / "install.sh").write_text(INSTALLER)
    (kit / "requirements.txt").write_text("")
    digest = hashlib.sha256(b"changed" if spoilt else b"").hexdigest()
    (kit / "SHA256SUMS").write_text(f"{digest}  requirements.txt\n")
    python = tmp_path / "python"  # says where an environment would be made
    python.write_text(
        '#!/bin/sh\nmkdir -p "$3/bin"\nln -s /bin/true "$3/bin/pip"\nln -s /bin/true "$3/bin/fedstats"\n'
    )
    python.chmod(0o700)
    ran = subprocess.run(
        ["/bin/sh", "kit/install.sh", "here"],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": str(python)},
        check=False,
        capture_output=True,
    )
    assert (ran.returncode == 0) is not spoilt
    assert (tmp_path / "here").exists() is not spoilt
    assert not (kit / "here").exists()


@pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not installed (Debian: apt install systemd)")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_service_is_exposed_as_little_as_promised(unit: Path) -> None:
    """Systemd's own score of what a broken process could reach: at most 2.0 of 10."""
    assert SYSTEMD is not None
    ran = subprocess.run(
        [SYSTEMD, "security", "--offline=yes", str(unit)], capture_output=True, text=True, check=False
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", ran.stdout)
    assert found, ran.stderr
    assert float(found[1]) <= EXPOSURE_MAX


@pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not installed (Debian: apt install systemd)")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_knows_every_setting_of_a_service(unit: Path, tmp_path: Path) -> None:
    """A misspelt setting would be ignored with a warning, and its protection missing."""
    assert SYSTEMD is not None
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace("/opt/fedstats/bin/fedstats", sys.executable))
    ran = subprocess.run([SYSTEMD, "verify", str(here)], capture_output=True, text=True, check=False)
    said = [line for line in ran.stderr.splitlines() if unit.name in line]
    assert said == []


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.parent.name)
def test_a_container_runs_as_nobody_in_particular(container: Path) -> None:
    """The last user is a number that is not root, so that the host can see that from outside."""
    users = re.findall(r"^USER (\S+)", container.read_text(), re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.parent.name)
def test_a_container_is_built_from_what_is_there_by_hash(container: Path) -> None:
    """Every copied file exists, packages are installed by hash, and images are named without a host."""
    text = container.read_text()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert [name for name in line.split() if not (ROOT / name).exists()] == []
    installs = re.findall(r"pip install [^\\&]+", text)
    assert installs
    assert [each for each in installs if "--require-hashes" not in each and "--no-deps" not in each] == []
    assert re.findall(r"^FROM (\S*[./]\S*[/]\S*)", text, re.MULTILINE) == []
