"""Privacy units, loss, sensitivity: the quantities every other module counts in (all exact)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Self

from fedstats.errors import LossInvalid, ValueInvalid

RHO_STEP = Fraction(1, 2**40)
"""Losses that people ask for are multiples of this, so that every client signs the same bytes."""

DELTA_STEP = Fraction(1, 2**60)
"""Additive deltas that people ask for are multiples of this."""


class UnitKind(Enum):
    """What one step between neighbouring databases adds or removes."""

    PERSON = "person"
    ROW = "row"


class Mechanism(Enum):
    """Which noise a query asks for; the values are what the wire and the agreement say."""

    GAUSSIAN = "gaussian"
    LAPLACE = "laplace"


@dataclass(frozen=True, slots=True)
class Loss:
    """Privacy loss that adds up: zero-concentrated differential privacy `rho`, and additive `delta_add`.

    Source: Bun and Steinke 2016 (zCDP composes by addition of rho).

    Raises
    ------
    LossInvalid
        A part is negative.

    """

    rho: Fraction
    delta_add: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        """Refuse negative loss: it would refill a budget."""
        if self.rho < 0 or self.delta_add < 0:
            raise LossInvalid("A privacy loss cannot be negative.")

    def __add__(self, other: Loss) -> Loss:
        """Sequential composition: both parts add."""
        return Loss(self.rho + other.rho, self.delta_add + other.delta_add)

    def fits(self, cap: Loss) -> bool:
        """Whether this loss is within `cap` in both parts."""
        return self.rho <= cap.rho and self.delta_add <= cap.delta_add


NO_LOSS = Loss(Fraction(0))


@dataclass(frozen=True, slots=True)
class MechanismLoss:
    """How much a query or a round may lose over the whole federation, in its mechanism's own currency.

    `amount` is rho for the Gaussian mechanism (zCDP) and the pure epsilon for Laplace. `delta_add` is the
    chance that an open key may name a value that only one person has; 0 where no key is open.

    Raises
    ------
    LossInvalid
        The amount is not positive, or the additive delta is negative or as large as 1.

    """

    mechanism: Mechanism
    amount: Fraction
    delta_add: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        """A query that may lose nothing can learn nothing, and a negative amount would refill a budget."""
        if self.amount <= 0:
            raise LossInvalid("The privacy loss of a query must be greater than 0.")
        if not 0 <= self.delta_add < 1:
            raise LossInvalid("The additive delta of a query lies between 0 and 1.")

    def share(self, share: Fraction) -> Self:
        """The part `share` (0 < share <= 1) of this loss.

        Both currencies add up over rounds, rho by zCDP composition, pure epsilon by basic composition; so
        does the additive delta.
        """
        if not 0 < share <= 1:
            raise LossInvalid("A share of a loss lies above 0 and not above 1.")
        return type(self)(self.mechanism, self.amount * share, self.delta_add * share)

    def at_node(self, departments_max: int) -> Self:
        """What one node may lose, when a person may be in `departments_max` departments: 1/c of it."""
        return type(self)(self.mechanism, self.amount / departments_max, self.delta_add / departments_max)

    def charge(self, departments_max: int) -> Loss:
        """The federation-wide loss that every node charges.

        Gaussian: rho itself. Laplace: c departments each lose epsilon/c purely, which is
        (epsilon/c)^2/2-zCDP each (Bun and Steinke 2016, Prop. 1.4), so c * (epsilon/c)^2 / 2 together. With
        an additive delta these are the same of approximate zCDP (section 8 there), and the deltas add up.
        """
        if self.mechanism is Mechanism.GAUSSIAN:
            return Loss(self.amount, self.delta_add)
        return Loss(self.amount**2 / (2 * departments_max), self.delta_add)


@dataclass(frozen=True, slots=True)
class Contribution:
    """How much one unit can contribute: at most `rows_max` rows, in at most `cells_max` (L0) cells.

    `departments_max` is c: the number of departments one person may be in. All three are public and common.
    """

    rows_max: int
    cells_max: int
    departments_max: int

    def __post_init__(self) -> None:
        """Bounds are positive and a person reaches no more cells than rows."""
        if not 1 <= self.cells_max <= self.rows_max:
            raise ValueInvalid("cells_max must lie between 1 and rows_max.")
        if self.departments_max < 1:
            raise ValueInvalid("departments_max must be at least 1.")


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The most that adding or removing one unit moves an exact integer vector: L1, and the square of L2."""

    d1: int
    d2_squared: int

    def __post_init__(self) -> None:
        """A vector that nobody moves needs no release."""
        if self.d1 < 1 or self.d2_squared < 1:
            raise ValueInvalid("A sensitivity must be at least 1.")
