"""The types of what is made of a date: the start of its period, and its parts. Part of `inference`."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from fedstats.core.domain import DAY_MIN, Dates, Domain, Every, Numbers, date_of, truncate
from fedstats.core.inference_numbers import Args, Domains
from fedstats.errors import ExpressionInvalid, TooLarge

_DAYS_A_WEEK, _MONTHS_A_YEAR = 7, 12


def truncation(every: Every) -> Callable[[Args, Domains], Domain]:
    """DATE_TRUNC to one kind of period: one date."""

    def rule(_args: Args, domains: Domains) -> Domain:
        if len(domains) != 1 or not isinstance(domains[0], Dates):
            raise ExpressionInvalid("DATE_TRUNC takes a date: DATE_TRUNC('month', rtt_start_date).")
        dates = domains[0]
        if truncate(dates.lo, every) < DAY_MIN:
            raise TooLarge("The period begins before the calendar does.")
        return Dates(truncate(dates.lo, every), truncate(dates.hi, every), every, nullable=dates.nullable)

    return rule


def year(_args: Args, domains: Domains) -> Domain:
    """The year of a date."""
    dates = _date(domains, "YEAR")
    lo, hi = Fraction(date_of(dates.lo).year), Fraction(date_of(dates.hi).year)
    return Numbers(lo, hi, nullable=dates.nullable)


def month(_args: Args, domains: Domains) -> Domain:
    """The month of a date, 1 to 12; within one year only the months that can be."""
    dates = _date(domains, "MONTH")
    first, last = date_of(dates.lo), date_of(dates.hi)
    lo, hi = (first.month, last.month) if first.year == last.year else (1, _MONTHS_A_YEAR)
    return Numbers(Fraction(lo), Fraction(hi), nullable=dates.nullable)


def weekday(_args: Args, domains: Domains) -> Domain:
    """The day of the week of a date, from Monday, 1, to Sunday, 7 (ISO 8601)."""
    dates = _date(domains, "ISODOW")
    return Numbers(Fraction(1), Fraction(_DAYS_A_WEEK), nullable=dates.nullable)


def _date(domains: Domains, what: str) -> Dates:
    if len(domains) != 1 or not isinstance(domains[0], Dates):
        raise ExpressionInvalid(f"{what} takes a date: {what}(rtt_start_date).")
    return domains[0]
