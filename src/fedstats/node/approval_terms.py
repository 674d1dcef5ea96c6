"""The table [policy] of node.toml: which questions a person decides about, and whose word counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from fedstats.core.names import check_agreement, check_analyst
from fedstats.core.reading import Reader
from fedstats.errors import ValueInvalid
from fedstats.identity.keys import PublicKey

APPROVERS_MAX = 100
APPROVALS_NEEDED_MAX = 2


class Decide(Enum):
    """Whether a person decides about each question that the agreement allows."""

    AUTO = "auto"
    EACH = "each"


@dataclass(frozen=True, slots=True)
class Rule:
    """How the questions under one agreement are decided: without a person, or by so many approvals."""

    decide: Decide = Decide.AUTO
    needed: int = 1

    def __post_init__(self) -> None:
        """One approval or two."""
        if not 1 <= self.needed <= APPROVALS_NEEDED_MAX:
            raise ValueInvalid("approvals_needed is 1 or 2.")

    @classmethod
    def read(cls, reader: Reader, default: Self) -> Self:
        """Read the two settings; what is not given is as in `default`."""
        decide = reader.text("decide", default.decide.value)
        if decide not in {known.value for known in Decide}:
            raise reader.problem('must be "auto" or "each"', "decide")
        return cls(Decide(decide), reader.integer("approvals_needed", default.needed))


@dataclass(frozen=True, slots=True)
class Approver:
    """Somebody whose signed approval counts; the name is for the department's own eyes."""

    name: str
    key: PublicKey

    def __post_init__(self) -> None:
        """A name is a name."""
        check_analyst(self.name, what="approver")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read one table of [[policy.approvers]]."""
        with reader, reader.building():
            digits = reader.text("key")
            try:
                key = bytes.fromhex(digits)
            except ValueError:
                raise reader.problem("must be a public key: 64 digits and letters", "key") from None
            return cls(reader.text("name"), PublicKey(key))


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """The table [policy]."""

    decide: Decide = field(
        default=Decide.AUTO,
        metadata={
            "about": '"auto" answers whatever the agreement allows; with "each" a person decides about each '
            "question: fedstats node approvals",
            "example": '"auto"',
        },
    )
    approvals_needed: int = field(
        default=1,
        metadata={
            "about": "With 2, two different approvers must approve before anything leaves. One person is "
            "always enough to refuse, to pause and to withdraw.",
            "example": "1",
        },
    )
    approvers: tuple[Approver, ...] = field(
        default=(),
        metadata={
            "about": "Whose signed approval counts. Without any, whoever may type commands as the node's "
            "account approves. Who is taken out here has approved nothing that has not left yet. Each makes "
            "a key, and gets this line, by: fedstats node approvers init NAME --output FILE",
            "example": f'[{{ name = "a.jones", key = "{"0" * 63}1" }}]',
        },
    )
    agreements: Mapping[str, Rule] = field(
        default_factory=dict,
        metadata={
            "about": "Where the questions under one agreement are decided in another way.",
            "example": '{ RTT-2026 = { decide = "each" } }',
        },
    )

    register_proof: bool = field(
        default=True,
        metadata={
            "about": "Answer only what the coordinator proves to be in the public register, which must say "
            "of the question what its analyst signed.",
            "example": "true",
        },
    )

    def __post_init__(self) -> None:
        """Approvers are distinct, and there are as many as must agree."""
        names = {approver.name for approver in self.approvers}
        keys = {approver.key.raw for approver in self.approvers}
        if not len(names) == len(keys) == len(self.approvers) <= APPROVERS_MAX:
            raise ValueInvalid(f"Up to {APPROVERS_MAX} approvers, each with a name and a key of its own.")
        rules = [Rule(self.decide, self.approvals_needed), *self.agreements.values()]
        if len(self.approvers) < max(rule.needed for rule in rules) > 1:
            raise ValueInvalid(
                "Two approvals need at least two approvers.",
                remedy="Each types: fedstats node approvers init NAME --output FILE",
            )
        for agreement in self.agreements:
            check_agreement(agreement)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the table; raises what the reader raises."""
        with reader, reader.building():
            rule = Rule.read(reader, Rule())
            approvers = tuple(Approver.read(table) for table in reader.tables("approvers", optional=True))
            tables = reader.table("agreements", optional=True)
            names = tables.keys()
            agreements = {name: _of_agreement(tables.table(name), rule) for name in names}
            tables.end()
            proof = reader.truth("register_proof", default=True)
            return cls(rule.decide, rule.needed, approvers, agreements, proof)

    def rule(self, agreement: str) -> Rule:
        """How questions under this agreement are decided."""
        return self.agreements.get(agreement, Rule(self.decide, self.approvals_needed))

    def approver(self, key: bytes) -> Approver | None:
        """Whose key this is; None where nobody's counts."""
        return next((approver for approver in self.approvers if approver.key.raw == key), None)


def _of_agreement(reader: Reader, default: Rule) -> Rule:
    with reader, reader.building():
        return Rule.read(reader, default)
