"""What can be asked about here: the datasets of agreements in force with trusted controllers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from fedstats.client.authority import Authority, in_force
from fedstats.client.catalogue import Holdings, holdings_of, presences_of
from fedstats.core.agreement import Agreement
from fedstats.core.names import did_you_mean
from fedstats.core.schema import Dataset
from fedstats.errors import AgreementNotInForce, AuthorityError, FedstatsError, KeyUnknown, NameUnknown
from fedstats.wire.authority import Trusted
from fedstats.wire.v1 import analysts_pb2


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """A dataset of an agreement in force, which departments hold which of its editions, and which answer."""

    agreement: Agreement
    dataset: Dataset
    holdings: Holdings
    presences: Mapping[str, str]  # of each holder whose node joined: whether it answers


@dataclass(frozen=True, slots=True)
class Directory:
    """What the coordinator relayed, seen through the keys that are trusted on this computer today."""

    authority: Authority
    catalogue: analysts_pb2.CatalogueReply
    trusted: Trusted
    today: date
    now_s: float

    def agreement(self, name: str, *, version: int | None = None) -> Agreement:
        """The agreement in force: this version, or the newest under which enough departments hold an edition.

        So a version that departments are still accepting, one by one, stops nobody's questions. Where too few
        hold one under any version, it is the newest under which somebody does.

        Raises
        ------
        NameUnknown
            There is no agreement of this name.
        KeyUnknown, AgreementNotInForce
            It is not in force as seen from here.

        """
        versions = in_force(self.authority.versions(name), self.trusted, self.today)
        if version is not None:
            versions = tuple(agreement for agreement in versions if agreement.version == version)
            if not versions:
                raise AgreementNotInForce(f"Version {version} of agreement {name} is not in force any more.")
        held = self._holders(name)
        chosen = next(
            (
                agreement
                for agreement in versions
                if len(held.get(agreement.version, ())) >= _needed(agreement)
            ),
            next((agreement for agreement in versions if agreement.version in held), versions[0]),
        )
        if version is None and chosen.version not in held and max(held, default=0) > chosen.version:
            raise KeyUnknown(
                f"The departments answer under version {max(held)} of {name}, which is not in force as seen "
                "from this computer: it may name a controller whose key is not trusted here yet.",
                remedy=f"Compare the key and trust it: fedstats use {name}",
            )
        return chosen

    def _holders(self, name: str) -> Mapping[int, set[str]]:
        """The departments that hold an edition under each version of an agreement."""
        held: dict[int, set[str]] = {}
        for node in self.catalogue.nodes:
            for holding in node.holdings:
                if holding.agreement == name:
                    held.setdefault(holding.agreement_version, set()).add(node.department)
        return held

    def entries(self) -> tuple[DatasetEntry, ...]:
        """Every dataset of every agreement in force."""
        found = []
        for name in sorted({record.agreement.id for record in self.authority.records}):
            try:
                agreement = self.agreement(name)
            except (AuthorityError, AgreementNotInForce):
                continue
            found += [self.entry(agreement, dataset) for dataset in agreement.datasets]
        return tuple(found)

    def entry(self, agreement: Agreement, dataset: Dataset) -> DatasetEntry:
        """A dataset with who holds it."""
        return DatasetEntry(
            agreement,
            dataset,
            holdings_of(self.catalogue, agreement, dataset),
            presences_of(self.catalogue, dataset, now_s=self.now_s),
        )

    def find(self, dataset: str, *, agreement: str = "") -> DatasetEntry:
        """The dataset under the named agreement, or under the only one that has it.

        Raises
        ------
        NameUnknown
            There is none, or several agreements have it and none was named.
        KeyUnknown, AgreementNotInForce
            The named agreement is not in force as seen from here.

        """
        if agreement:
            chosen = self.agreement(agreement)
            return self.entry(chosen, chosen.dataset(dataset))
        entries = self.entries()
        found = [entry for entry in entries if entry.dataset.name == dataset]
        if len(found) == 1:
            return found[0]
        raise self._not_one(dataset, entries, found)

    def _not_one(
        self, dataset: str, entries: tuple[DatasetEntry, ...], found: list[DatasetEntry]
    ) -> FedstatsError:
        if found:
            several = ", ".join(entry.agreement.id for entry in found)
            return NameUnknown(
                f"Several agreements have a dataset {dataset}: {several}.",
                remedy="Say which with --agreement, or for all later questions: fedstats use AGREEMENT",
            )
        if not entries:
            known = sorted({record.agreement.id for record in self.authority.records})
            return AgreementNotInForce(
                "No agreement is in force with controllers that are trusted on this computer.",
                remedy=f"Look at them and trust them: fedstats use {known[0] if known else 'AGREEMENT'}",
            )
        names = [entry.dataset.name for entry in entries]
        close = did_you_mean(dataset, names) or "."
        return NameUnknown(f"No dataset is called {dataset[:48]!r}; there is {', '.join(names)}{close}")


def _needed(agreement: Agreement) -> int:
    """How many departments have to hold an edition before a question can be asked."""
    holders = max(len(dataset.holders) for dataset in agreement.datasets)
    return agreement.nodes_min if agreement.partial else holders
