"""What a department has promised in all its answers, from its own ledger: what nobody else knows. Pure.

The ledger charges every question's loss over the federation to two limits: the agreement's, and the lifetime
cap of its namespace of persons. So what was spent of the cap is the loss, over all datasets, agreements and
editions, of someone who is in as many departments as the agreements say. What this department revealed alone
is a c-th of each charge, c being that number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import Document
from fedstats.core.guarantee.figures import decimal_up, total_figures
from fedstats.core.privacy import NO_LOSS, Loss
from fedstats.errors import NameUnknown, QuestionUnknown
from fedstats.node.caps import CapKind, CapStatus
from fedstats.node.ledger import Entry

FORM = 1
QUERY_CHARACTERS_MIN = 4


@dataclass(frozen=True, slots=True)
class Spending:
    """The limits of a node with what was spent of each, every charge, and the agreements that it knows."""

    department: str
    statuses: tuple[CapStatus, ...]
    entries: tuple[Entry, ...]
    agreements: Mapping[tuple[str, int], Agreement]

    def departments_max(self, entry: Entry) -> int:
        """Over how many departments a charge is shared out; 1 where its agreement is not known any more."""
        agreement = self.agreements.get((entry.agreement, entry.agreement_version))
        if agreement is None:
            return 1
        try:
            dataset = agreement.dataset(entry.dataset)
        except NameUnknown:
            return 1
        return dataset.contribution(departments_max=agreement.privacy.max_departments).departments_max

    def here(self, entries: Iterable[Entry]) -> Loss:
        """What this department alone revealed in these charges."""
        total = NO_LOSS
        for entry in entries:
            c = self.departments_max(entry)
            total += Loss(entry.loss.rho / c, entry.loss.delta_add / c)
        return total

    def of(self, status: CapStatus) -> tuple[Entry, ...]:
        """The charges to a limit."""
        agreement = status.cap.kind is CapKind.AGREEMENT
        return tuple(
            entry
            for entry in self.entries
            if (entry.agreement if agreement else entry.namespace) == status.cap.name
        )


def report_of(spending: Spending) -> Document:
    """Everything that was ever answered here, per agreement and over all agreements."""
    return {
        "form": FORM,
        "department": spending.department,
        "holds_for": "someone who is in no more departments than each agreement says (max_departments)",
        "across_agreements": [
            _limit(spending, s) for s in spending.statuses if s.cap.kind is CapKind.LIFETIME
        ],
        "agreements": [_limit(spending, s) for s in spending.statuses if s.cap.kind is CapKind.AGREEMENT],
    }


def query_report(spending: Spending, query: str) -> Document:
    """The charges of one query, named by the first digits of its hash (four or more).

    Raises
    ------
    QuestionUnknown
        This department charged nothing for such a query, or for several.

    """
    typed = query.strip().lower()
    found = [entry for entry in spending.entries if entry.query.hex().startswith(typed)]
    if len(typed) < QUERY_CHARACTERS_MIN or not found:
        raise QuestionUnknown(
            f"This department charged nothing for a query {typed[:16]!r}. One that was answered from the "
            "record costs nothing.",
            remedy="See all charges: fedstats node ledger",
        )
    if len({entry.query for entry in found}) > 1:
        raise QuestionUnknown(
            f"Several queries begin with {typed[:16]!r}.", remedy="Type more of its digits."
        )
    return {
        "form": FORM,
        "department": spending.department,
        "query": found[0].query.hex(),
        "rounds": [_charge(spending, entry) for entry in found],
        "with_all_else": [
            _limit(spending, status)
            for status in spending.statuses
            if status.cap.name in (found[0].namespace, found[0].agreement)
        ],
    }


def _limits(spending: Spending, kind: CapKind) -> list[Document]:
    return [_limit(spending, status) for status in spending.statuses if status.cap.kind is kind]


def _limit(spending: Spending, status: CapStatus) -> Document:
    cap, entries = status.cap, spending.of(status)
    charged = sum((entry.loss.rho for entry in entries), Fraction(0))
    added = sum((entry.loss.delta_add for entry in entries), Fraction(0))
    carried = Loss(
        max(status.spent.rho - charged, Fraction(0)), max(status.spent.delta_add - added, Fraction(0))
    )
    return {
        "limit": cap.kind.value,
        "name": cap.name,
        "budget": total_figures(cap.budget, cap.delta_conversion),
        "spent": total_figures(status.spent, cap.delta_conversion),
        "used_percent": decimal_up(100 * status.used_share),
        "here_alone": total_figures(spending.here(entries) + carried, cap.delta_conversion),
        "charges": len(entries),
        "last_s": max((entry.at_s for entry in entries), default=None),
    }


def _charge(spending: Spending, entry: Entry) -> Document:
    known = spending.agreements.get((entry.agreement, entry.agreement_version))
    delta = known.privacy.delta_conversion if known else _delta(spending.statuses, entry)
    return {
        "round": entry.round,
        "at_s": entry.at_s,
        "analyst": entry.analyst,
        "purpose": entry.purpose,
        "agreement": entry.agreement,
        "agreement_version": entry.agreement_version,
        "dataset": entry.dataset,
        "edition": entry.edition,
        "computation": entry.computation.hex(),
        "released": entry.recorded,
        "departments_max": spending.departments_max(entry),
        "federation": total_figures(entry.loss, delta),
        "here_alone": total_figures(spending.here([entry]), delta),
    }


def _delta(statuses: Sequence[CapStatus], entry: Entry) -> Fraction:
    """At which delta a loss is shown whose agreement is not known any more: that of its lifetime cap."""
    found = [s.cap.delta_conversion for s in statuses if s.cap.name in (entry.agreement, entry.namespace)]
    return min(found, default=Fraction(1, 10**6))
