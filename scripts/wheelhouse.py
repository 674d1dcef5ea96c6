"""Make the kits that are carried to machines without a package index: wheels by hash, and what is in them.

    python scripts/wheelhouse.py [node | coordinator ...]

A kit is a folder in dist/kits and the same as an archive. It holds every wheel that `ROLE/requirements.txt`
pins for machines like this one (operating system, processor, version of Python), the wheel of fedstats
itself, a bill of materials (CycloneDX), checksums, the service file, an example configuration and a short
installer. The same commit gives the same kit.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

from bill_of_materials import Part, bill_of_materials

ROOT = Path(__file__).resolve().parent.parent
KITS = ROOT / "dist" / "kits"
ROLES = ("node", "coordinator")
CHECKSUMS, REQUIREMENTS = "SHA256SUMS", "requirements.txt"
INSTALLER = """\
#!/bin/sh
# Installs fedstats from the files beside this one, with no network: sh install.sh [FOLDER]
set -eu
to=${1:-/opt/fedstats}
case $to in /*) ;; *) to=$PWD/$to ;; esac
cd "$(dirname "$0")"
sha256sum --quiet --check SHA256SUMS
"${PYTHON:-python3}" -m venv "$to"
"$to/bin/pip" install --disable-pip-version-check --no-index --find-links wheels --require-hashes \\
  --only-binary :all: -r requirements.txt
"$to/bin/fedstats" --version
"""


MACHINE = f"py{sys.version_info.major}.{sys.version_info.minor}-{sysconfig.get_platform()}"


def main() -> int:
    """Make the kits named on the command line, or both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("roles", nargs="*", metavar="ROLE", help="node, coordinator; both if none is named")
    options = parser.parse_args()
    unknown = set(options.roles) - set(ROLES)
    if unknown:
        parser.error(f"no such kit: {', '.join(sorted(unknown))}")
    for role in options.roles or ROLES:
        archive = make_kit(role, KITS)
        print(f"{archive.relative_to(ROOT)}  {archive.stat().st_size / 1e6:.0f} MB")
    return 0


def make_kit(role: str, into: Path) -> Path:
    """Make one kit in `into`, in place of an older one; its archive.

    Raises
    ------
    subprocess.CalledProcessError
        A wheel is missing for this platform, or does not have its pinned hash.

    """
    own_version = version("fedstats")
    kit = into / f"fedstats-{role}-{own_version}-{MACHINE}"
    shutil.rmtree(kit, ignore_errors=True)
    wheels = kit / "wheels"
    wheels.mkdir(parents=True)
    plain = ("--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes")
    _pip("download", *plain, f"--requirement={role}/{REQUIREMENTS}", f"--dest={wheels}")
    _pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", f"--wheel-dir={wheels}", ".")
    (own,) = wheels.glob("fedstats-*.whl")
    pinned = (ROOT / role / REQUIREMENTS).read_text()
    (kit / REQUIREMENTS).write_text(f"{pinned}fedstats=={own_version} --hash=sha256:{_sha256(own)}\n")
    for name in ("README.md", f"{role}.example.toml", f"fedstats-{role}.service"):
        shutil.copy(ROOT / role / name, kit / name)
    (kit / "install.sh").write_text(INSTALLER)
    parts = [_part(wheel) for wheel in sorted(wheels.iterdir())]
    (kit / "sbom.cdx.json").write_text(bill_of_materials(f"fedstats-{role}", own_version, parts))
    sums = [f"{_sha256(path)}  {path.relative_to(kit).as_posix()}\n" for path in _files(kit)]
    (kit / CHECKSUMS).write_text("".join(sums))
    return _archive(kit)


def _part(wheel: Path) -> Part:
    """What a wheel says of itself."""
    with ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        said: Message = HeaderParser().parsestr(archive.read(name).decode())
    return Part(
        name=str(said["Name"]),
        version=str(said["Version"]),
        summary=str(said["Summary"] or ""),
        licence=_licence(said),
        requires=tuple(map(str, said.get_all("Requires-Dist", ()))),
        file=wheel.name,
        sha256=_sha256(wheel),
    )


def _licence(said: Message) -> str:
    """The licence as an SPDX expression where the package gives one, else in its own few words."""
    expression = str(said["License-Expression"] or "")
    if expression:
        return expression
    classes = [str(each) for each in said.get_all("Classifier", ()) if str(each).startswith("License ::")]
    words = " AND ".join(each.rpartition(" :: ")[2] for each in classes)
    return words or str(said["License"] or "").strip().partition("\n")[0]


def _archive(kit: Path) -> Path:
    """The folder as a compressed archive, the same bytes for the same files."""
    archive = kit.with_name(f"{kit.name}.tar")
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in _files(kit):
            tar.add(path, f"{kit.name}/{path.relative_to(kit).as_posix()}", filter=_plain)
    return archive


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nobody's file, of the time of the commit."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime, info.mode = _commit_s(), 0o644
    return info


def _files(kit: Path) -> Iterator[Path]:
    return (path for path in sorted(kit.rglob("*")) if path.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _commit_s() -> int:
    """When the commit was made, so that one commit gives one kit; 1980 outside of a repository."""
    ran = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return int(ran.stdout) if ran.returncode == 0 else 315_532_800


def _pip(*arguments: str) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(_commit_s()), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([sys.executable, "-m", "pip", *arguments], cwd=ROOT, check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main())
