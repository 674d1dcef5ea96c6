"""Errors: one tree, a code and a page for each, sentences that end in what to do."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import fedstats.errors
from fedstats.cli import main
from fedstats.errors import (
    Actor,
    FedstatsError,
    NodePaused,
    Refused,
    Spent,
    SqlRefused,
    error_classes,
    who_acts,
)
from fedstats.errors.page import FOLDER, Page, pages

TESTS = Path(__file__).parents[1]
CLASSES = error_classes()
FAMILY_ROOT = re.compile(r"FS-\d00")

COMMAND = re.compile(r"(?:: |, or |, then |, )fedstats((?: [a-z]+)+)")
"""A command as sentences name it, up to its first option or argument."""


def drawn() -> dict[str, tuple[str, str]]:
    """Each class of the drawing in the package's docstring: its code and the class that it hangs on."""
    found: dict[str, tuple[str, str]] = {}
    family = "FedstatsError"
    for line in (fedstats.errors.__doc__ or "").splitlines():
        if match := re.match(r"    (\|   )?[|`]-- (\w+)\s+(FS-\d(?:xx|\d\d))", line):
            inner, name, code = match.groups()
            found[name] = (code.replace("xx", "00"), family if inner else "FedstatsError")
            family = family if inner else name
    return found


def test_the_drawing_is_the_tree() -> None:
    """Whoever looks for an error finds every one in the drawing, with its code, under its family."""
    classes = {
        error.__name__: (code, error.__mro__[1].__name__)
        for code, error in CLASSES.items()
        if error is not FedstatsError
    }
    assert drawn() == classes


def test_codes_are_unique_and_of_their_family() -> None:
    """A code means one thing, and its first digit says whose affair it is."""
    assert len(set(CLASSES)) == len(CLASSES)
    for name, (code, family) in drawn().items():
        root = drawn()[family][0] if family in drawn() else code
        assert code[:4] == root[:4], name
        assert getattr(fedstats.errors, name).code == code
        assert name in fedstats.errors.__all__


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.code)
def test_every_page_says_who_must_do_what(page: Page) -> None:
    """Each page says what happened, how it looks, why, who can change it, what to do, and what it costs."""
    assert page.title.endswith(".")
    assert page.meaning.endswith(".")
    assert page.error.acts
    assert page.example.startswith(page.code)
    assert page.causes
    assert page.steps
    assert page.budget.endswith(".")


def test_no_page_is_about_nothing() -> None:
    """A code that was given up leaves no page behind, and each entry stands in the file of its family."""
    entries = {path.stem: set(tomllib.loads(path.read_text())) for path in FOLDER.glob("*.toml")}
    assert set().union(*entries.values()) == set(CLASSES)
    for code, error in CLASSES.items():
        module = error.__module__.rpartition(".")[2]
        assert code in entries["internal" if module == "root" else module]


def spoken() -> list[str]:
    """Everything that pages and classes tell people to do."""
    advised = [error.remedy for error in CLASSES.values()]
    return advised + [text for page in pages() for text in (*page.steps, *page.causes, page.example)]


def test_a_command_ends_its_step() -> None:
    """A step that ends in a command has nothing behind it, so that all of it can be copied."""
    steps = [step for page in pages() for step in page.steps]
    assert [step for step in steps if re.search(r": fedstats [^:]*[.;]( |$)", step)] == []


def test_every_command_that_a_page_names_is_there() -> None:
    """Nobody is sent to a command that does not exist."""
    named = {words.strip() for text in spoken() for words in COMMAND.findall(text)}
    assert {"node doctor", "agreement show", "resume"} <= named
    assert [words for words in sorted(named) if not is_command(words)] == []


def is_command(words: str) -> bool:
    """Whether these words are a command, perhaps with an argument after it."""
    group: click.Command | None = main
    context = click.Context(main, info_name="fedstats")
    for word in words.split():
        if isinstance(group, click.Group):
            group = group.get_command(context, word)
    return group is not None and (not isinstance(group, click.Group) or group.invoke_without_command)


@pytest.mark.parametrize("error", CLASSES.values(), ids=lambda error: error.code)
def test_a_command_ends_its_advice(error: type[FedstatsError]) -> None:
    """A command in a remedy stands at its end without a full stop, so that it can be copied as it is."""
    if ": fedstats" in error.remedy:
        assert re.search(r": fedstats [^.]*$", error.remedy), error.remedy


@pytest.mark.parametrize("error", [c for c in CLASSES.values() if c.remedy], ids=lambda error: error.code)
def test_what_to_do_stands_last(error: type[FedstatsError]) -> None:
    """What was spent comes before what to do: nobody copies `Nothing was spent.` into a shell."""
    for spent in Spent:
        said = str(error("It happened.", where="york", spent=spent))
        assert said.startswith(f"{error.code} york: It happened.")
        assert said.endswith(error.remedy)
        assert spent.value in said


REFUSALS = [error for error in CLASSES.values() if issubclass(error, Refused)]


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: error.code)
def test_every_refusal_names_who_can_change_it(error: type[Refused]) -> None:
    """Each refusal decides by itself whose affair it is, and says so, even where a sentence has no remedy."""
    assert "acts" in vars(error)
    said = str(error("A sentence.", remedy=""))
    assert all(actor.value in said for actor in error.acts)
    assert who_acts(error.code) in said


def test_a_refusal_reads_in_order() -> None:
    """What happened, what it cost, who can change it, what to do."""
    assert str(NodePaused("The department has paused answering (maintenance).", where="york")) == (
        "FS-206 york: The department has paused answering (maintenance). Nothing was spent. "
        "Who can change it: the department's IT. "
        "Ask the department when it resumes. Then ask on, free of charge: fedstats resume JOB"
    )
    assert "Who can change it" not in str(SqlRefused("MIN shows the value of one row."))


def test_nobody_is_named_for_an_unknown_code() -> None:
    """A code of a newer version names nobody rather than the wrong one."""
    assert who_acts("FS-297") == ""
    assert who_acts("FS-206") == f"Who can change it: {Actor.DEPARTMENT_IT.value}."


def test_every_code_is_tested() -> None:
    """Each error is provoked, or at least named, by a test besides these."""
    others = "".join(path.read_text() for path in TESTS.rglob("*.py") if path != Path(__file__))
    untested = [
        f"{code} {error.__name__}"
        for code, error in CLASSES.items()
        if not FAMILY_ROOT.fullmatch(code) and not re.search(rf"{code}\b|\b{error.__name__}\b", others)
    ]
    assert untested == []


def typed(*words: str) -> tuple[int, str]:
    """Run `fedstats error`: the exit code, and what was printed."""
    ran = CliRunner().invoke(main, ["error", *words])
    return ran.exit_code, " ".join(ran.output.split())


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.code)
def test_the_command_prints_the_page(page: Page) -> None:
    """What the documentation says of a code stands in the terminal too, also where it is offline."""
    exit_code, printed = typed(page.code)
    assert exit_code == 0
    for text in (page.title, page.meaning, page.example, page.who, page.budget, *page.causes, *page.steps):
        assert " ".join(text.split()) in printed


@pytest.mark.parametrize("word", ["FS-214", "fs-214", "FS214", "214", " 214 ", "budgetexceeded"])
def test_a_code_is_found_however_it_is_typed(word: str) -> None:
    """Case, prefix and spaces do not matter, and the class's name does as well."""
    assert typed(word)[1].startswith("FS-214: ")


@pytest.mark.parametrize(
    "word,meant",
    [("FS-297", "did you mean FS-2"), ("BugetExceeded", "did you mean BudgetExceeded")],
)
def test_an_unknown_code_is_told_apart(word: str, meant: str) -> None:
    """A mistyped code leads to the ones that are close, and to the list of all."""
    exit_code, printed = typed(word)
    assert exit_code == 5
    assert meant in printed
    assert printed.endswith("See all of them: fedstats error")


def test_the_list_shows_every_code() -> None:
    """Without a code, all are listed by family."""
    printed = typed()[1]
    missing = [code for code in CLASSES if not FAMILY_ROOT.fullmatch(code) and code not in printed]
    assert missing == []
