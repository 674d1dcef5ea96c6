"""Which departments hold which editions, and which of them a question asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fedstats.core.agreement import Agreement
from fedstats.core.names import check_edition, did_you_mean
from fedstats.core.presence import presence
from fedstats.core.rules import base_edition
from fedstats.core.schema import Dataset
from fedstats.errors import EditionMissing, NameUnknown, ValueInvalid
from fedstats.wire.v1 import analysts_pb2

REASON_CHARACTERS_MAX = 40

Holdings = Mapping[str, frozenset[str]]
"""The editions that each department holds, of one dataset under one version of an agreement."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The edition of a question, who is asked, and who is left out because it does not hold the edition."""

    edition: str
    participants: tuple[str, ...]
    left_out: tuple[str, ...]


def holdings_of(reply: analysts_pb2.CatalogueReply, agreement: Agreement, dataset: Dataset) -> Holdings:
    """What the dataset's holders hold; names of nobody, and editions outside the schedule, are left out."""
    found: dict[str, set[str]] = {name: set() for name in dataset.holders}
    for node in reply.nodes:
        for held in node.holdings:
            version = (held.agreement, held.agreement_version, held.dataset)
            if (
                node.department in found
                and _is_scheduled(held.edition, dataset)
                and version == (agreement.id, agreement.version, dataset.name)
            ):
                found[node.department].add(held.edition)
    return {name: frozenset(editions) for name, editions in found.items()}


def presences_of(reply: analysts_pb2.CatalogueReply, dataset: Dataset, *, now_s: float) -> Mapping[str, str]:
    """Whether each holder's node answers, as the coordinator says; holders without a node are left out."""
    return {
        node.department: presence(seen_s=node.seen_s, paused=node.paused[:REASON_CHARACTERS_MAX], now_s=now_s)
        for node in reply.nodes
        if node.department in dataset.holders
    }


def choose(agreement: Agreement, dataset: Dataset, holdings: Holdings, edition: str | None) -> Choice:
    """The edition asked for, else the newest of those that the most departments hold.

    A department that holds any revision of an edition holds it, and answers from its newest.

    Raises
    ------
    NameUnknown
        The edition is not in the agreement's schedule.
    EditionMissing
        Fewer departments hold it than the agreement needs.

    """
    holdings = {name: frozenset(map(base_edition, editions)) for name, editions in holdings.items()}
    if edition is None:
        held = {name for editions in holdings.values() for name in editions}
        if not held:
            raise EditionMissing(
                f"No department holds an edition of {dataset.name} yet.",
                remedy="Each department makes one: fedstats node refresh --edition NAME",
            )
        edition = max(held, key=lambda name: (_count(holdings, name), edition_order(dataset, name)))
    elif edition not in dataset.editions and _is_scheduled(edition, dataset):
        base = base_edition(edition)
        raise NameUnknown(
            f"{edition[:40]} is a revision, and each department answers from its own newest one.",
            remedy=f"Ask about the edition: --edition {base}",
        )
    elif edition not in dataset.editions:
        known = ", ".join(dataset.editions)
        close = did_you_mean(edition, dataset.editions) or "."
        raise NameUnknown(f"{dataset.name} has no edition {edition[:40]!r}; there are {known}{close}")
    participants = tuple(sorted(name for name, editions in holdings.items() if edition in editions))
    left_out = tuple(sorted(set(holdings) - set(participants)))
    needed = agreement.nodes_min if agreement.partial else len(dataset.holders)
    if len(participants) < needed:
        count = {0: "no department", 1: "1 department"}.get(
            len(participants), f"{len(participants)} departments"
        )
        raise EditionMissing(
            f"Edition {edition} of {dataset.name} is held by {count} under version {agreement.version}, and "
            f"agreement {agreement.id} needs {needed}. Without it: {', '.join(left_out)}. A department "
            "counts once it has accepted this version."
        )
    return Choice(edition, participants, left_out)


def edition_order(dataset: Dataset, edition: str) -> tuple[int, int]:
    """Later in the schedule is newer; within one edition the higher revision is."""
    _, _, revision = edition.partition(".")
    return dataset.editions.index(base_edition(edition)), int(revision or 1)


def sorted_editions(dataset: Dataset, editions: Iterable[str]) -> tuple[str, ...]:
    """Editions from the oldest to the newest."""
    return tuple(sorted(editions, key=lambda name: edition_order(dataset, name)))


def _is_scheduled(edition: str, dataset: Dataset) -> bool:
    """Whether it is a name of the schedule, with a revision or without; any text may arrive."""
    try:
        check_edition(edition)
    except ValueInvalid:
        return False
    return base_edition(edition) in dataset.editions


def _count(holdings: Holdings, edition: str) -> int:
    return sum(edition in editions for editions in holdings.values())
