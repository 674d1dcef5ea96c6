"""Who and what a dataset is about: conditions on its columns, outside of which a row is in no edition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fedstats.core.domain import Categories, Dates, Domain, Every, Numbers, Truth
from fedstats.core.names import check_identifier
from fedstats.errors import ValueInvalid

Allowed = Numbers | Dates | Categories | bool
"""Part of a column's domain: a narrower range, some of its labels, or one truth value."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The values of one column that rows of the population have. Missing values are never among them."""

    column: str
    allowed: Allowed

    def __post_init__(self) -> None:
        """A usable name; missing values are outside, so that nobody is in by not being known."""
        check_identifier(self.column, what="column")
        if not isinstance(self.allowed, bool) and self.allowed.nullable:
            raise ValueInvalid(f"The population's condition on {self.column} cannot admit missing values.")

    def check(self, domain: Domain) -> None:
        """Return if what is allowed is part of the column's domain.

        Raises
        ------
        ValueInvalid
            It is of another type, or reaches beyond the domain.

        """
        if not self._is_part_of(domain):
            raise ValueInvalid(
                f"The population's condition on {self.column} must name values that the column can have."
            )

    def codes(self, domain: Domain) -> Sequence[int]:
        """The codes of the column (whose domain this is) that are allowed, in order.

        For numbers and dates they are a range, which may be too long to list.
        """
        allowed = self.allowed
        if isinstance(allowed, bool):
            return (int(allowed),)
        if isinstance(allowed, Categories):
            return [code for code, label in enumerate(_labels(domain)) if label in allowed.labels]
        lo, hi = (
            (allowed.lo_code, allowed.hi_code) if isinstance(allowed, Numbers) else (allowed.lo, allowed.hi)
        )
        return range(lo, hi + 1)

    def _is_part_of(self, domain: Domain) -> bool:
        allowed = self.allowed
        if isinstance(domain, Numbers) and isinstance(allowed, Numbers):
            return domain.step == allowed.step and domain.lo <= allowed.lo and allowed.hi <= domain.hi
        if isinstance(domain, Dates) and isinstance(allowed, Dates):
            inside = domain.lo <= allowed.lo and allowed.hi <= domain.hi
            return inside and domain.every is allowed.every is Every.DAY
        if isinstance(domain, Categories) and isinstance(allowed, Categories):
            return set(allowed.labels) <= set(domain.labels)
        return isinstance(domain, Truth) and isinstance(allowed, bool)


def _labels(domain: Domain) -> tuple[str, ...]:
    return domain.labels if isinstance(domain, Categories) else ()
