"""The limits that a node charges: each agreement's budget, and its own lifetime cap per namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from enum import Enum
from fractions import Fraction

from fedstats.core.accounting import epsilon_from_rho
from fedstats.core.agreement import Agreement
from fedstats.core.privacy import Loss, Mechanism
from fedstats.core.rules import budget_of
from fedstats.core.schema import Dataset
from fedstats.errors import CapMissing

_MILLION = 1_000_000
_SHOWN_DIGITS = 2


class CapKind(Enum):
    """Whose limit it is; the values are what the ledger's file says."""

    AGREEMENT = "agreement"
    LIFETIME = "lifetime"


@dataclass(frozen=True, slots=True)
class Cap:
    """One limit. `name` is the agreement's id (a new version inherits the spending) or the namespace.

    `delta_conversion` is the delta at which losses under this cap are shown as epsilon.
    """

    kind: CapKind
    name: str
    budget: Loss
    delta_conversion: Fraction

    @property
    def words(self) -> str:
        """The limit as sentences name it."""
        if self.kind is CapKind.AGREEMENT:
            return f"the budget of agreement {self.name}"
        return f"what the department allows over all agreements for persons of {self.name}"


@dataclass(frozen=True, slots=True)
class CapStatus:
    """A limit and what was spent of it."""

    cap: Cap
    spent: Loss

    @property
    def left(self) -> Loss:
        """What is left, 0 where a lowered budget was overtaken by its spending."""
        budget = self.cap.budget
        return Loss(
            max(budget.rho - self.spent.rho, Fraction(0)),
            max(budget.delta_add - self.spent.delta_add, Fraction(0)),
        )

    @property
    def used_share(self) -> Fraction:
        """The part of the budget's rho that was spent, at most 1."""
        return self.share_of(self.spent)

    def share_of(self, loss: Loss) -> Fraction:
        """Which part of the budget's rho a loss is, at most 1."""
        return min(loss.rho / self.cap.budget.rho, Fraction(1))

    @property
    def used_ppm(self) -> int:
        """The spent part in parts per million, rounded up."""
        return -int(-self.used_share * _MILLION // 1)

    def admits(self, loss: Loss) -> bool:
        """Whether the loss fits into what is left."""
        return (self.spent + loss).fits(self.cap.budget)

    def excess(self, loss: Loss, *, mechanism: Mechanism, share: Fraction) -> str:
        """Why a loss does not fit, in percent, and the epsilon that would.

        `share` is the round's share of its query: the epsilon is that of the whole query.
        """
        if loss.delta_add > self.left.delta_add:
            return f"This question would use more additive delta than is left of {self.cap.words}."
        uses, left = percent(self.share_of(loss), up=True), percent(1 - self.used_share)
        sentence = f"This question would use {uses} of {self.cap.words}, and {left} is left"
        fits = epsilon_that_fits(self.left.rho / share, self.cap.delta_conversion, mechanism)
        return f"{sentence}: --epsilon {fits} would fit." if fits else f"{sentence}."


def caps_of(agreement: Agreement, dataset: Dataset, lifetime: Mapping[str, Cap]) -> tuple[Cap, Cap]:
    """The two limits that a question about this dataset is charged to.

    Raises
    ------
    CapMissing
        The node has no lifetime cap for the dataset's namespace, so it answers nothing about its persons.

    """
    namespace = dataset.unit.namespace
    if namespace not in lifetime:
        raise CapMissing(f"The department has set no lifetime cap for persons of {namespace}.")
    return agreement_cap(agreement), lifetime[namespace]


def agreement_cap(agreement: Agreement) -> Cap:
    """The budget of an agreement."""
    return Cap(CapKind.AGREEMENT, agreement.id, budget_of(agreement), agreement.privacy.delta_conversion)


def percent(share: Fraction, *, up: bool = False) -> str:
    """`61 %`, with two significant digits; never rounded towards more budget than there is."""
    context = Context(prec=_SHOWN_DIGITS, rounding=ROUND_CEILING if up else ROUND_FLOOR)
    scaled = context.divide(Decimal((share * 100).numerator), Decimal((share * 100).denominator))
    return f"{scaled.normalize():f} %"


def epsilon_that_fits(rho: Fraction, delta: Fraction, mechanism: Mechanism) -> str:
    """The epsilon of this rho, rounded down; empty where none can be asked for.

    Pure epsilon converts by another rule, and below 0.001 nothing can be asked for.
    """
    context = Context(prec=_SHOWN_DIGITS, rounding=ROUND_FLOOR)
    shown = context.plus(epsilon_from_rho(rho, delta)).normalize()
    return f"{shown:f}" if mechanism is Mechanism.GAUSSIAN and shown >= Decimal("0.001") else ""
