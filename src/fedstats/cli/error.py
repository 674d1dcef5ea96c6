"""`fedstats error`: what an error code means and what to do."""

from __future__ import annotations

import click

from fedstats.cli.root import exit_code
from fedstats.cli.running import say
from fedstats.errors import NameUnknown, error_classes


@click.command
@click.argument("code")
def error(*, code: str) -> None:
    """Explain an error code, such as FS-214.

    Every message of fedstats starts with its code.
    """
    typed = code.strip().upper()
    wanted = typed if typed.startswith("FS-") else f"FS-{typed}"
    classes = error_classes()
    if wanted not in classes:
        known = ", ".join(known for known in classes if known[:4] == wanted[:4]) or ", ".join(classes)
        raise NameUnknown(f"There is no error {wanted[:20]!r}; there are {known}.", remedy="")
    found = classes[wanted]
    say(f"{found.code} {found.__name__}")
    say(found.title)
    say(" ".join((found.__doc__ or "").split()))
    if found.remedy:
        say(f"What to do: {found.remedy}")
    if found.spent_default.value:
        say(f"Budget: {found.spent_default.value}")
    say(f"Exit code: {exit_code(found())}")
