"""Kits for machines without a package index: made for real, installed for real, described truly."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from wheelhouse import ROOT, make_kit  # isort: skip # of scripts/

pytestmark = [
    pytest.mark.real,  # downloads some 100 MB from a package index
    pytest.mark.skipif(sys.platform == "win32", reason="the installer is a shell script"),
]
ROLES = ("node", "coordinator")


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both kits, unpacked from their archives."""
    into, there = tmp_path_factory.mktemp("kits"), tmp_path_factory.mktemp("unpacked")
    found = {}
    for role in ROLES:
        archive = make_kit(role, into)
        with tarfile.open(archive) as tar:
            tar.extractall(there, filter="data")
        found[role] = there / archive.stem
    return found


@pytest.mark.parametrize("role", ROLES)
def test_a_kit_installs_without_a_network_and_runs(role: str, kits: dict[str, Path], tmp_path: Path) -> None:
    """The installer needs nothing but the kit: pip has no index, and what it installed says its version."""
    home = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "PYTHON"))}
    environment = {**home, "PYTHON": sys.executable, "PIP_CONFIG_FILE": os.devnull}
    ran = subprocess.run(
        ["/bin/sh", str(kits[role] / "install.sh"), str(tmp_path / "fedstats")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("fedstats")
    helped = subprocess.run(
        [str(tmp_path / "fedstats" / "bin" / "fedstats"), role, "config", "--example"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert helped.stdout == (kits[role] / f"{role}.example.toml").read_text()


@pytest.mark.parametrize("role", ROLES)
def test_a_changed_kit_is_not_installed(role: str, kits: dict[str, Path], tmp_path: Path) -> None:
    """One more byte in a wheel, and the installer stops before it installs anything."""
    kit = tmp_path / "kit"
    shutil.copytree(kits[role], kit)
    (wheel, *_) = sorted((kit / "wheels").glob("click-*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    ran = subprocess.run(
        ["/bin/sh", str(kit / "install.sh"), str(tmp_path / "fedstats")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode != 0
    assert not (tmp_path / "fedstats").exists()


@pytest.mark.parametrize("role", ROLES)
def test_the_bill_of_materials_is_valid_and_lists_every_wheel(role: str, kits: dict[str, Path]) -> None:
    """It is CycloneDX 1.6 by its own schema, and names each wheel of the kit with its hash and licence."""
    text = (kits[role] / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    hashes = {component["hashes"][0]["content"] for component in document["components"]}
    wheels = sorted((kits[role] / "wheels").iterdir())
    assert hashes == {hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels}
    assert [c["name"] for c in document["components"] if not c.get("licenses")] == []
    needs = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}
    own = next(ref for ref in needs if "/fedstats@" in ref)
    assert any("/grpcio@" in ref for ref in needs[own])


def test_the_same_commit_gives_the_same_kit(kits: dict[str, Path], tmp_path: Path) -> None:
    """Made again, a kit has the same files byte for byte, so that two people can compare theirs."""
    again = make_kit("coordinator", tmp_path).with_suffix("")
    first = kits["coordinator"]
    assert (tmp_path / again.name / "SHA256SUMS").read_text() == (first / "SHA256SUMS").read_text()


@pytest.mark.parametrize("role", ROLES)
def test_every_pinned_package_has_a_wheel_for_windows(role: str) -> None:
    """What the Windows notes say of installation: nothing needs a compiler there (x86-64, Python 3.12)."""
    uv = Path(sys.executable).with_name("uv")
    ran = subprocess.run(
        [
            *(uv, "pip", "compile", "--quiet", "--no-header", "--only-binary=:all:"),
            *("--python-platform=windows", "--python-version=3.12"),
            ROOT / role / "requirements.txt",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    pinned = {line.partition("==")[0] for line in ran.stdout.splitlines() if "==" in line}
    assert {"grpcio", "cryptography", "numpy"} <= pinned
