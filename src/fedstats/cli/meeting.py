"""Meeting the controllers of an agreement: their keys are shown, compared by people, and trusted here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fedstats.cli.running import agreed, say
from fedstats.errors import KeyUnknown

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.core.agreement import Agreement, Controller
    from fedstats.identity.trust import TrustStore


def strangers(agreement: Agreement, store: TrustStore) -> tuple[Controller, ...]:
    """The controllers whose keys are not trusted here."""
    from fedstats.identity.keys import PublicKey

    return tuple(
        controller
        for controller in agreement.controllers
        if not store.is_trusted(controller.department, PublicKey(controller.key))
    )


def say_keys(controllers: Sequence[Controller]) -> None:
    """Print the fingerprints to compare."""
    from fedstats.identity.keys import PublicKey

    for controller in controllers:
        say(f"  {controller.department} ({controller.organisation})")
        say(f"    {PublicKey(controller.key).fingerprint}")
        if controller.contact:
            say(f"    contact: {controller.contact}")


def meet(agreement: Agreement, store: TrustStore, *, trust: bool) -> None:
    """Trust the keys that are not trusted yet, once a person says that they were compared (`trust`: at once).

    Raises
    ------
    KeyUnknown
        The person said no.
    AlreadyExists
        Another key is trusted for a department: replacing it is never done in passing.

    """
    from fedstats.identity.keys import PublicKey

    unknown = strangers(agreement, store)
    if not unknown:
        return
    say(f"Agreement {agreement.id} rests on controllers' keys that are not trusted here yet:")
    say_keys(unknown)
    if not trust and not agreed("Have you compared all of them with their controllers?"):
        raise KeyUnknown(
            "Nothing was trusted.", remedy="Compare the fingerprints, then type the same command again."
        )
    for controller in unknown:
        store.trust(controller.department, PublicKey(controller.key).fingerprint)
    say()
