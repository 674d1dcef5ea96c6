"""The datasets that this department holds by the agreements it knows, in force or not: for local commands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fedstats.core.names import did_you_mean
from fedstats.core.schema import Dataset
from fedstats.errors import AgreementNotInForce, NameUnknown
from fedstats.node.agreements import Standing


@dataclass(frozen=True, slots=True)
class Held:
    """A dataset with the agreement that defines it."""

    standing: Standing
    dataset: Dataset


def held_datasets(standings: Iterable[Standing], department: str) -> tuple[Held, ...]:
    """The datasets of every agreement in its newest accepted version, or else its newest proposal.

    A proposal that the department's own controller signed goes before whatever else has its name.
    """
    newest: dict[str, Standing] = {}
    for standing in sorted(standings, key=lambda standing: _precedence(standing, department)):
        newest[standing.agreement.id] = standing
    return tuple(
        Held(standing, dataset)
        for _, standing in sorted(newest.items())
        for dataset in standing.agreement.datasets
        if department in dataset.holders
    )


def find_dataset(held: Iterable[Held], name: str, *, agreement: str = "") -> Held:
    """The dataset of this name, of the agreement that is named or of the only one that has it.

    An empty name finds the only dataset that there is.

    Raises
    ------
    AgreementNotInForce
        No agreement is known here.
    NameUnknown
        There is none of this name, or there are several to choose from.

    """
    known = [one for one in held if agreement in ("", one.standing.agreement.id)]
    found = [one for one in known if name in ("", one.dataset.name)]
    if len(found) == 1:
        return found[0]
    if not known:
        raise AgreementNotInForce(
            "No agreement under which this department holds data is known here.",
            remedy="Fetch and accept what was published: fedstats agreement accept ID",
        )
    names = sorted({one.dataset.name for one in known})
    if found:
        ids = ", ".join(sorted({one.standing.agreement.id for one in found}))
        raise NameUnknown(
            f"Several datasets could be meant: {', '.join(names)}, in {ids}.",
            remedy="Say which with --dataset and --agreement.",
        )
    close = did_you_mean(name, names) or "."
    raise NameUnknown(
        f"No dataset {name[:48]!r} is known here; there is {', '.join(names)}{close}",
        remedy="",
    )


def _precedence(standing: Standing, department: str) -> tuple[bool, bool, int]:
    """Later is better: accepted before proposed, signed by the own controller, then the higher version."""
    accepted = standing.accepted_s is not None and standing.withdrawn_s is None
    signed = department not in {*standing.unsigned, *standing.untrusted}
    return accepted, signed, standing.agreement.version
