"""House style: what the source tree promises about itself, checked by walking it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "fedstats"

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
# What is longer, and why that is better than splitting it: {"src/fedstats/x.py": "reason"}.
LONG_FILES: dict[str, str] = {}
# The same for functions: {"src/fedstats/x.py:Class.method": "reason"}.
LONG_FUNCTIONS: dict[str, str] = {
    "src/fedstats/testing/conformance.py:check_statistic": "the page that its help() shows is in it",
    "src/fedstats/testing/simulate.py:simulate": "the page that help(fedstats.simulate) shows is in it",
}

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "handler", "handlers", "common", "misc"}

# Whoever draws noise or touches rows stands at or below these; above them randomness is no secret.
NOISE_BAN_EXEMPT = {"cli", "demo", "testing", "flower"}
PREDICTABLE = ("random", "numpy.random")

HEAVY = (
    "duckdb",
    "opendp",
    "sqlglot",
    "grpc",
    "google",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "rich",
    "matplotlib",
    "structlog",
    "prometheus_client",
    "cryptography",
)


def python_files(*folders: str) -> list[Path]:
    """All files written by hand in these folders of the repository."""
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in found if "/wire/v1/" not in path.as_posix()]


def name_of(path: Path) -> str:
    """A file as the repository names it."""
    return path.relative_to(ROOT).as_posix()


def functions(
    tree: ast.AST, prefix: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its qualified name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}", node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")
        else:
            yield from functions(node, prefix)


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module, and every name of a module, that this tree imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(node: ast.AST) -> str:
    """`np.random.x` as text; empty for anything that is not a chain of names."""
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return node.id if isinstance(node, ast.Name) else ""


def aliases(tree: ast.AST) -> dict[str, str]:
    """What each local name of an imported module stands for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update({alias.asname: alias.name for alias in node.names if alias.asname})
    return found


def predictable_randomness(source: str) -> list[str]:
    """Each use of a generator that somebody could predict, as `line: name`."""
    tree = ast.parse(source)
    known = aliases(tree)
    found = [name for name in imported(tree) if name in PREDICTABLE or name.startswith("numpy.random.")]
    for node in ast.walk(tree):
        first, _, rest = dotted(node).partition(".")
        if f"{known.get(first, first)}.{rest}" == "numpy.random":
            found.append(f"line {getattr(node, 'lineno', 0)}: {first}.{rest}")
    return found


def below_the_release(path: Path) -> bool:
    """Whether the ban on predictable randomness covers this file."""
    inside = path.relative_to(SOURCE).parts
    return inside[0].removesuffix(".py") not in NOISE_BAN_EXEMPT


def test_files_stay_short() -> None:
    """A file can be read in one sitting, or says why not."""
    long = {
        name_of(path) for path in python_files("src", "tests", "scripts") if line_count(path) > FILE_LINES_MAX
    }
    assert long == set(LONG_FILES)


def line_count(path: Path) -> int:
    """How long a file is."""
    return len(path.read_text().splitlines())


def test_functions_stay_short() -> None:
    """A function can be read without scrolling, or says why not."""
    long = set()
    for path in python_files("src", "tests", "scripts"):
        for name, node in functions(ast.parse(path.read_text())):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                long.add(f"{name_of(path)}:{name}")
    assert long == set(LONG_FUNCTIONS)


def test_names_say_something() -> None:
    """No file or folder is named for being useful; each is named for its one idea."""
    inside = (path for folder in ("src", "tests", "scripts", "protos") for path in (ROOT / folder).rglob("*"))
    named = [path for path in inside if "__pycache__" not in path.parts]
    vague = [name_of(path) for path in named if VAGUE_NAMES & set(re.split(r"[_.]", path.name))]
    assert vague == []


def test_every_test_states_its_promise() -> None:
    """Each test's docstring is the promise it guards."""
    silent = []
    for path in python_files("tests"):
        for name, node in functions(ast.parse(path.read_text())):
            if node.name.startswith("test_") and not ast.get_docstring(node):
                silent.append(f"{name_of(path)}:{name}")
    assert silent == []


def test_tests_neither_sleep_nor_mock() -> None:
    """Time is a parameter and fakes are real parts, so that a test means what it says."""
    wrong = []
    for path in python_files("tests", "src"):
        tree = ast.parse(path.read_text())
        used = [*imported(tree), *(dotted(node) for node in ast.walk(tree))]
        wrong += [f"{name_of(path)}: {name}" for name in used if name in {"time.sleep", "unittest.mock"}]
    assert wrong == []


def test_no_predictable_randomness_near_rows() -> None:
    """From client, node and coordinator downwards nothing is drawn from a generator that can be guessed."""
    found = {
        name_of(path): uses
        for path in python_files("src")
        if below_the_release(path) and (uses := predictable_randomness(path.read_text()))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "from random import gauss",
        "import numpy.random",
        "from numpy import random",
        "from numpy.random import default_rng",
        "import numpy as np\nnp.random.default_rng()",  # a fixed seed: what passes, passes again
        "import numpy\nnumpy.random.normal()",
        "import numpy as n\nrng = n.random",
        "def f():\n    import random as r\n    return r.random()",
    ],
)
def test_the_ban_sees_every_way_in(source: str) -> None:
    """Predictable randomness is seen however it is imported."""
    assert predictable_randomness(source) != []


@pytest.mark.parametrize("source", ["import secrets", "from fedstats.core import random_walk", "x.random()"])
def test_the_ban_leaves_others_alone(source: str) -> None:
    """What only looks like it is not refused."""
    assert predictable_randomness(source) == []


@pytest.mark.parametrize("start", ["import fedstats", "import fedstats.cli", "import fedstats.errors"])
def test_importing_stays_light(start: str) -> None:
    """Importing fedstats, or its command, loads no database, no noise, no network and no arrays."""
    assert heavy_after(start) == []


def test_help_stays_light() -> None:
    """`fedstats --help` lists every command without importing any of them."""
    start = "from fedstats.cli import main\nmain(['--help'], prog_name='fedstats', standalone_mode=False)"
    assert heavy_after(start) == []


def heavy_after(start: str) -> list[str]:
    """Which heavy packages a fresh interpreter has loaded after running this."""
    report = f"import sys; print('heavy:', *(name for name in {HEAVY!r} if name in sys.modules))"
    code = f"{start}\n{report}"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    last = ran.stdout.splitlines()[-1]
    return last.removeprefix("heavy:").split()


def test_help_shows_every_command() -> None:
    """Every command of the table is in `fedstats --help`, with its line."""
    from fedstats.cli import COMMANDS

    ran = subprocess.run(
        [sys.executable, "-m", "fedstats", "--help"], check=True, capture_output=True, text=True
    )
    shown = " ".join(ran.stdout.split())
    missing = [name for name, (_, line) in COMMANDS.items() if f"{name} {line}" not in shown]
    assert missing == []


def test_every_command_is_there() -> None:
    """Every command that help lists can be called, and its own help begins with the listed line."""
    from fedstats.cli import COMMANDS, main

    context = main.make_context("fedstats", [], resilient_parsing=True)
    for name, (_, line) in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert line


def test_every_switched_off_rule_has_its_reason() -> None:
    """Each lint rule that is ignored says why, on its line."""
    text = (ROOT / "pyproject.toml").read_text()
    lint = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.flake8")]
    codes = re.findall(r'^  "[A-Z]+\d*",.*$', lint, flags=re.MULTILINE)
    assert codes
    assert [line for line in codes if not re.search(r",\s+# \S", line)] == []
    ignored = tomllib.loads(text)["tool"]["ruff"]["lint"]["ignore"]
    assert len(ignored) == len(set(ignored))
