"""`fedstats error`: what an error code means, who can change it and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from fedstats.cli.root import exit_code
from fedstats.cli.running import say, say_sections
from fedstats.core.names import did_you_mean
from fedstats.errors import NameUnknown, Spent

if TYPE_CHECKING:  # the pages are read when the command runs
    from fedstats.errors.page import Page

_TYPED = re.compile(r"(?:FS)?[- ]?0*([0-9]+)", flags=re.IGNORECASE)


@click.command
@click.argument("code", required=False)
def error(*, code: str | None) -> None:
    """Explain an error code, such as FS-214.

    Every message of fedstats starts with its code. Without a CODE, list all of them.
    """
    from fedstats.errors.page import pages

    found = pages()
    if code is None:
        say_sections(tuple(_families(found)))
        say("Explain one: fedstats error CODE")
        return
    page = _named(code, found)
    say(f"{page.code}: {page.title}")
    say()
    say_sections(
        (
            ("What it means", (page.meaning, *page.causes)),
            ("As it looks", (page.example,)),
            ("Who can change it", (page.who,)),
            ("What to do", page.steps),
            ("Budget", (page.budget,)),
            (
                "For scripts",
                (f"Exit code {exit_code(page.error())}; class fedstats.errors.{page.error.__name__}",),
            ),
        )
    )


def _families(found: tuple[Page, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """Every code with its title, under its family's heading."""
    listed: dict[str, tuple[str, ...]] = {}
    for page in found:
        if not page.code.endswith("00"):
            listed[page.family] = (*listed.get(page.family, ()), f"{page.code}  {page.title}")
    return list(listed.items())


def _named(typed: str, found: tuple[Page, ...]) -> Page:
    """The page that somebody means who typed FS-214, fs214, 214 or BudgetExceeded.

    Raises
    ------
    NameUnknown
        There is none.

    """
    number = _TYPED.fullmatch(typed.strip())
    wanted = f"FS-{number[1].zfill(3)}" if number else typed.strip()
    by_name = {page.error.__name__.casefold(): page for page in found}
    by_code = {page.code: page for page in found}
    page = by_code.get(wanted.upper()) or by_name.get(wanted.casefold())
    if page is None:
        names = [page.error.__name__ for page in found]
        if number:
            names = [code for code in by_code if code[:4] == wanted[:4]] or list(by_code)
        raise NameUnknown(
            f"There is no error {wanted[:40]!r}{did_you_mean(wanted, names) or '.'}",
            remedy="See all of them: fedstats error",
            spent=Spent.NOT_APPLICABLE,
        )
    return page
