"""Write the files that are made from other files, or check that they are fresh.

    python scripts/generate.py protos | locks | kits | reference | schemas   write these
    python scripts/generate.py --check [PART...]                   compare, show the difference, exit 1

Every part is made in an empty folder first; writing copies it over the repository, checking compares.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reference import write_reference
from schemas import write_schemas

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
RUNNING = ("node", "coordinator", "analysis")  # the extras of whoever tries everything on one machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One family of generated files: where they are, how they are made, what they are made from."""

    owns: tuple[str, ...]  # globs: whatever matches and is not generated is left over from before
    sources: str
    write: Callable[[Path], None]  # into a folder laid out like the repository


def main() -> int:
    """Write or check the parts named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--check", action="store_true", help="compare only; without a PART, all of them")
    parser.add_argument("--upgrade", action="store_true", help="locks: take the newest versions")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if options.upgrade:
        os.environ["UV_UPGRADE"] = "1"
    stale = [name for name in options.parts or PARTS if not _bring(name, check=options.check)]
    for name in stale:
        print(f"Not fresh: {name} (made from {PARTS[name].sources}). Run: make {_target(name)}")
    return 1 if stale else 0


def _bring(name: str, *, check: bool) -> bool:
    """Make one part. True if the repository now holds it (written), or held it before (check)."""
    part = PARTS[name]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        part.write(made)
        new = {path.relative_to(made): path.read_text() for path in made.rglob("*") if path.is_file()}
    old = {path.relative_to(ROOT): path.read_text() for glob in part.owns for path in ROOT.glob(glob)}
    if check:
        same = [_same(path, old.get(path, ""), new.get(path, "")) for path in sorted(old | new)]
        return all(same)  # a list first: every difference is shown
    for path in old.keys() - new.keys():
        (ROOT / path).unlink()
    for path, text in new.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text)
        print(f"wrote {path}")
    return True


def _same(path: Path, old: str, new: str) -> bool:
    """Whether two texts say the same; if not, show where they differ."""
    before, after = _meaning(path, old), _meaning(path, new)
    sys.stdout.writelines(difflib.unified_diff(before, after, f"{path} (now)", f"{path} (regenerated)"))
    return before == after


def _meaning(path: Path, text: str) -> list[str]:
    """Lines to compare. Hashes are left out: an index may gain a file for an old version at any time."""
    if not path.name.startswith("requirements"):
        return text.splitlines(keepends=True)
    lines = (line.rstrip().removesuffix(" \\") for line in text.splitlines())
    return [f"{line}\n" for line in lines if not line.lstrip().startswith("--hash")]


def _target(name: str) -> str:
    """The make target that writes this part."""
    return {"locks": "lock", "reference": "kits", "schemas": "kits"}.get(name, name)


# ------------------------------------------------------------------------------------------------- protos


def write_protos(out: Path) -> None:
    """Python modules and their types from protos/, with the pinned compiler in a throwaway environment."""
    protos = sorted((ROOT / "protos").rglob("*.proto"))
    if not protos:
        return
    target = out / "src"
    target.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        _uv("venv", "--quiet", "--python", sys.executable, folder)
        _uv("pip", "sync", "--quiet", "--python", python, "--require-hashes", "requirements-protos.lock")
        outputs = [f"--python_out={target}", f"--pyi_out={target}"]
        files = [str(proto.relative_to(ROOT)) for proto in protos]
        subprocess.run(
            [python, "-m", "grpc_tools.protoc", "-Iprotos", *outputs, *files], cwd=ROOT, check=True
        )


# -------------------------------------------------------------------------------------------------- locks


def write_locks(out: Path) -> None:
    """All that is installed, pinned with hashes. The others choose from what the developers' lock chose."""
    every = [f"--extra={extra}" for extra in RUNNING]
    within_dev = ["-c", str(out / "requirements-dev.lock")]
    _compile(out, "requirements-dev.lock", "pyproject.toml", *every, "--group=dev")
    _compile(out, "requirements.lock", "pyproject.toml", *every, *within_dev)
    _compile(out, "requirements-build.lock", "--group=build", *within_dev)
    _compile(out, "requirements-protos.lock", "--group=protos")


def write_kits(out: Path) -> None:
    """What a department and a host install, out of the lock, and their example configurations."""
    within = ["-c", "requirements.lock"]
    _compile(out, "node/requirements.txt", "pyproject.toml", "--extra=node", *within)
    _compile(out, "coordinator/requirements.txt", "pyproject.toml", "--extra=coordinator", *within)
    for role in ("node", "coordinator"):
        command = [BIN / "fedstats", role, "config", "--example"]
        printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        (out / role / f"{role}.example.toml").write_text(printed.stdout)


def _compile(out: Path, name: str, *arguments: str) -> None:
    """Pin one set of requirements, keeping what the present file pins where that still fits."""
    file = out / name
    file.parent.mkdir(exist_ok=True)
    present = ROOT / name
    if present.exists():
        file.write_text(present.read_text())
    compiling = ["pip", "compile", "--quiet", "--universal", "--python-version=3.11", "--generate-hashes"]
    plain = ["--no-header", "--no-emit-index-url", "--no-emit-find-links", "--annotation-style=line"]
    _uv(*compiling, *plain, *arguments, "--output-file", file)
    pins = re.sub(
        r"(-c \S+, |, -c \S+)", "", file.read_text()
    )  # why a version was chosen, not who asked for it
    file.write_text(f"# Generated from pyproject.toml by `make {'kits' if '/' in name else 'lock'}`.\n{pins}")


def _uv(*arguments: str | Path) -> None:
    """Run uv in the repository, where it finds pyproject.toml."""
    subprocess.run([BIN / "uv", *arguments], cwd=ROOT, check=True)


PARTS = {
    "protos": Part(owns=("src/fedstats/wire/v1/*_pb2.py*",), sources="protos/", write=write_protos),
    "locks": Part(owns=("requirements*.lock",), sources="pyproject.toml", write=write_locks),
    "kits": Part(
        owns=("node/requirements.txt", "coordinator/requirements.txt", "node/*.toml", "coordinator/*.toml"),
        sources="requirements.lock and the configuration classes",
        write=write_kits,
    ),
    "reference": Part(
        owns=("docs/cli.md", "docs/events.md", "docs/errors/*.md"),
        sources="the commands' help and the error classes",
        write=write_reference,
    ),
    "schemas": Part(
        owns=("docs/schemas/*.json", "docs/guarantee.md"),
        sources="the forms of documents in src/",
        write=write_schemas,
    ),
}

if __name__ == "__main__":
    sys.exit(main())
