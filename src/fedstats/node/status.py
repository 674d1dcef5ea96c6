"""What would stop an answer today, agreement by agreement: the rules that the node enforces, looked at ahead.

Only what decides about questions is looked at (the doctor examines the rest), from the same functions that
refuse them. It reads no data, changes and spends nothing; all of it but the paths may be shown to anybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

from fedstats.core.agreement import Agreement
from fedstats.core.checks import Check, Look, examined, ok, problem, warning
from fedstats.core.rules import check_dates
from fedstats.core.schema import Dataset
from fedstats.errors import EditionMissing, RegisterForked
from fedstats.node.agreements import Standing
from fedstats.node.approval_terms import Decide
from fedstats.node.caps import CapStatus, caps_of, percent
from fedstats.node.pace import pace_of
from fedstats.node.service import Node

_LEFT_LITTLE = 10  # a tenth


@dataclass(frozen=True, slots=True)
class Outlook:
    """Looks at what this node would say to questions now."""

    node: Node

    def examine(self) -> Iterator[Check]:
        """The department's own word first, then each agreement that it accepted and has not left."""
        yield from examined("pause", self._pause)
        yield from examined("ledger", self._ledger)
        yield from examined("register", self._register)
        accepted = [standing for standing in self.node.agreements.all() if standing.accepted_s is not None]
        newest = {standing.agreement.id: standing for standing in accepted}  # by version
        for standing in newest.values():
            yield from self._agreement(standing)
        if not newest:
            fix = "See what was published: fedstats agreement show"
            yield problem("agreement", "The department has accepted no agreement.", fix)

    def _pause(self) -> Iterator[Check]:
        pause = self.node.policy.paused()
        if pause is None:
            yield ok("pause", "the department has not paused")
        else:
            words = f"The department has paused answering ({pause.reason.value})."
            yield problem("pause", words, "Answer again: fedstats node resume")

    def _ledger(self) -> Iterator[Check]:
        self.node.witnesses.check()
        yield ok("ledger", "the ledger is the newest that is known of")

    def _register(self) -> Iterator[Check]:
        if self.node.config.policy.register_proof and self.node.register.forks():
            words = f"{RegisterForked.code} The coordinator showed two registers; nothing new is answered."
            yield problem("register", words, "See both, and what to do: fedstats node register")
        else:
            yield ok("register", "no register was shown that does not continue the one before")

    def _agreement(self, standing: Standing) -> Iterator[Check]:
        agreement, id_ = standing.agreement, standing.agreement.id
        yield from self._look("agreement", partial(self._in_force, standing), id_)
        if standing.withdrawn_s is not None:
            return
        yield from self._look("approval", partial(self._decided_by, agreement), id_)
        yield from self._look("pace", partial(self._pace, agreement), id_)
        for dataset in agreement.datasets:
            if self.node.department in dataset.holders:
                subject = f"{id_} {dataset.name}"
                yield from self._look("budget", partial(self._budget, agreement, dataset), subject)
                for edition in dataset.editions:
                    look = partial(self._edition, agreement, dataset, edition)
                    yield from self._look("edition", look, f"{subject} {edition}")

    def _look(self, id_: str, look: Look, subject: str) -> Iterator[Check]:
        return examined(id_, look, subject=subject)

    def _in_force(self, standing: Standing) -> Iterator[Check]:
        agreement, today = standing.agreement, self._today
        self.node.agreements.in_force(agreement.id, agreement.version)
        check_dates(agreement, today)
        words = f"version {agreement.version} is in force until {agreement.ends_on}"
        if today > agreement.review_on:
            fix = "The controllers review it, and sign a new version if it changes."
            yield warning("agreement", f"{words}; its review was due on {agreement.review_on}", fix,
                          subject=agreement.id)  # fmt: skip
        else:
            yield ok("agreement", words, subject=agreement.id)

    def _decided_by(self, agreement: Agreement) -> Iterator[Check]:
        rule = self.node.config.policy.rule(agreement.id)
        words = "what the agreement allows is answered without a person"
        if rule.decide is Decide.EACH:
            people = "one person" if rule.needed == 1 else f"{rule.needed} people"
            words = f"each question waits until {people} approved: fedstats node approvals list"
        yield ok("approval", words, subject=agreement.id)

    def _budget(self, agreement: Agreement, dataset: Dataset) -> Iterator[Check]:
        """The agreement's budget, and the department's own lifetime cap for these persons."""
        for status in self.node.ledger.status(caps_of(agreement, dataset, self.node.config.lifetime_caps)):
            yield _left(status, f"{agreement.id} {dataset.name}")

    def _pace(self, agreement: Agreement) -> Iterator[Check]:
        pace = pace_of(agreement)
        if pace is None:
            return
        status = self.node.ledger.pace_status(pace, now_s=int(self.node.now()))
        words = f"{percent(status.left / pace.rho)} of {pace.words} is left now"
        if status.left * _LEFT_LITTLE < pace.rho:
            yield warning("pace", words, "More is free as days pass.", subject=agreement.id)
        else:
            yield ok("pace", words, subject=agreement.id)

    def _edition(self, agreement: Agreement, dataset: Dataset, base: str) -> Iterator[Check]:
        subject = f"{agreement.id} {dataset.name} {base}"
        here = [e for e in self.node.editions.all() if e.is_of(agreement, dataset) and e.base == base]
        make = f"fedstats node refresh --dataset {dataset.name} --agreement {agreement.id} --edition {base}"
        if not here:
            yield warning(
                "edition", "It is not here, so nothing about it is answered.", make, subject=subject
            )
            return
        try:
            self.node.editions.find(agreement, dataset, here[0].name)
        except EditionMissing as obstacle:
            fix = f"Mend what it says, and where it still does not answer: {make} --revise"
            yield problem("edition", obstacle.sentence, fix, subject=subject)
        else:
            yield ok("edition", f"{here[0].name} answers", subject=subject)

    @property
    def _today(self) -> date:
        return datetime.fromtimestamp(self.node.now(), UTC).date()


def _left(status: CapStatus, subject: str) -> Check:
    """How much is left of a limit."""
    words = f"{percent(1 - status.used_share)} of {status.cap.words} is left"
    if not status.left.rho:
        fix = "Only a new version of the agreement, or a larger lifetime cap, lets anything new be asked."
        return problem("budget", words, fix, subject=subject)
    if status.left.rho * _LEFT_LITTLE < status.cap.budget.rho:
        return warning("budget", words, "Plan what is still asked; budgets never refill.", subject=subject)
    return ok("budget", words, subject=subject)
