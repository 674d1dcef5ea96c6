"""Disclosure control: which noisy numbers an answer shows, by the profile that the agreement names. Pure.

What leaves a node is differentially private already, so nothing here costs privacy or buys any: it is
post-processing of noisy numbers, for readers and publishers whose rules are about small numbers. It is
applied to totals where an answer is made of them, and not at the nodes: many small cells that nodes held back
would all be missing from the totals, which would then be too low.

- `opensafely`: a count of 7 or less is withheld with everything that describes so few, and what is shown is
  rounded to the nearest 5; totals are made again from what is shown. So OpenSAFELY asks of its outputs.
- `acro`: a count below 10 is withheld with everything that rests on it, zeros included. So ACRO and SACRO do
  by default. Their rules of dominance (n-k: the two greatest contributors have 90 % or more; p-ratio: all but
  the two greatest have less than 10 % of the greatest) need the single contributions, which nobody has: a sum
  arrives clipped and with noise. They are not applied, and the noise, scaled to the greatest possible
  contribution of one person, stands in for them.

What is a count is told from the question: COUNT, and sums of two values, such as SUM(urgent) and
AVG(CASE WHEN urgent THEN 100 ELSE 0 END). A quantile beyond which too few lie is the value of
few, and withheld, too. What readers can work out of several numbers that are shown is not looked at
otherwise: COUNT(*) less COUNT(x) is how many x are missing, and may be small.

A count is compared as it is known: with its noise. So a cell with more people may be withheld, and one with
fewer shown; its interval says how far the noise reaches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum


class DisclosureProfile(Enum):
    """The named rules that an agreement can choose; the values are what it says."""

    NONE = "none"
    OPENSAFELY = "opensafely"
    ACRO = "acro"


@dataclass(frozen=True, slots=True)
class DisclosureRule:
    """What a profile asks for: counts below `least` are withheld, others rounded to a `multiple`."""

    profile: DisclosureProfile
    least: int
    multiple: int = 1

    def withholds(self, count: float) -> bool:
        """Whether a noisy count is too small to be shown, and with it all that rests on it."""
        return count < self.least

    def rounded(self, count: float) -> float:
        """The count as it is shown: the nearest multiple, halves up."""
        return self.multiple * math.floor(count / self.multiple + 0.5)

    @property
    def slack(self) -> float:
        """How far rounding moves a whole number at most."""
        return float(self.multiple // 2)

    @property
    def slack_of_part(self) -> float:
        """How far rounding moves any other number at most, such as the part of a count that a share makes."""
        return self.multiple / 2 if self.multiple > 1 else 0.0

    @property
    def sentence(self) -> str:
        """What a reader is told in place of a withheld number; the same whatever it was."""
        return (
            f"Counted with noise, fewer than {self.least} stand behind it, or it holds for all but fewer "
            f"than {self.least}: the agreement's disclosure control ({self.profile.value}) withholds it."
        )


RULES = {
    DisclosureProfile.OPENSAFELY: DisclosureRule(DisclosureProfile.OPENSAFELY, least=8, multiple=5),
    DisclosureProfile.ACRO: DisclosureRule(DisclosureProfile.ACRO, least=10),
}


def rule_of(profile: DisclosureProfile) -> DisclosureRule | None:
    """The rule of a profile, None where everything is shown."""
    return RULES.get(profile)


def rule_words(profile: DisclosureProfile) -> str:
    """What a profile does, in one sentence."""
    rule = rule_of(profile)
    if rule is None:
        return "Disclosure control none: every noisy number is shown."
    rounds = f", and counts are rounded to the nearest {rule.multiple}" if rule.multiple > 1 else ""
    return (
        f"Disclosure control {profile.value}: what fewer than {rule.least} stand behind, noise included, is "
        f"withheld{rounds}."
    )


def post_processing_words(profile: DisclosureProfile) -> str:
    """What a guarantee says of it: to whom it makes a difference, and to whom none."""
    return (
        f"{rule_words(profile)} It is applied to released numbers, which have their noise already: it uses "
        "no exact number, costs no privacy loss, and the guarantee holds without it."
    )
