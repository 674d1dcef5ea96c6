"""The statistic `waiting_times`: the report of waits from referral to treatment, from one release."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from fedstats.core.disclosure import rule_of, rule_words
from fedstats.core.domain import Texts
from fedstats.core.estimate import Estimate, Table
from fedstats.core.expression import Expression
from fedstats.core.inference import domain_of
from fedstats.core.privacy import UnitKind
from fedstats.core.schema import DEPARTMENT_KEY, Dataset
from fedstats.core.statistic import Ask, Mode, Round, RoundResult, Statistic
from fedstats.errors import SqlRefused, TooLarge, ValueInvalid
from fedstats.statistics._bands import WEEKS_MAX
from fedstats.statistics._funnel import DEPARTMENTS_MIN, funnel_table
from fedstats.statistics._stock_and_flow import flow_table
from fedstats.statistics._waiting_report import (
    Figures,
    Group,
    curve_table,
    group_names,
    groups_of,
    report_table,
)
from fedstats.statistics._waiting_round import Asked, Clock, Labels, dates_of
from fedstats.statistics._waiting_totals import Keys, Places

KEYS_MAX = 4
CENSUS_MAX = 53
FIGURES_MAX = 20
WHOLE = "none"
"""What --by says for one line over everything."""
_NO_FUNNEL = (
    "Under disclosure control departments are compared in a report by department alone, which is free "
    "(--from JOB --by department): beside other lines their counts would tell what is withheld here."
)


def _option(text: str, metavar: str, *, free: bool = False) -> dict[str, object]:
    return {"help": text, "metavar": metavar, "free": free}


@dataclass(frozen=True, slots=True)
class WaitingTimes:
    """Waiting times: shares within weeks, median, percentiles, long waits, stock and flow, funnel.

    Counts pathways by the keys, by weekly band of waiting (105 bands as NHS England publishes; day 126 is
    within 18 weeks) and by how the clock stopped, all in one release. Every figure of the report is made of
    these counts, so other weeks, percentiles, pathways or fewer keys cost nothing more: ask once by all keys
    that you need, then again with --from JOB.

    A wait is read from two dates (--start, --stop and a --census date for open pathways), from a number of
    days (--days), or from the band itself (--week). With several census dates the report is about the last,
    completed pathways are those that stopped since the first, and a second table says how many pathways were
    open at each and how many began and ended between them.

    Quantiles are interpolated within their band, as NHS England does; their intervals hold every week that
    the noisy counts do not refute. Shares have Fieller's interval (Fieller 1954). With the key department,
    departments are compared in a funnel (Spiegelhalter 2005).

    Example: fedstats run waiting_times --dataset rtt --start rtt_start_date --stop rtt_end_date
    --status stop_type --census 2025-09-28 --keys department,imd_decile --epsilon 1
    """

    name: ClassVar[str] = "waiting_times"
    version: ClassVar[str] = "1"
    rounds_max: ClassVar[int] = 1
    discloses: ClassVar[bool] = True

    dataset: str = field(metadata=_option("The dataset.", "DATASET"))
    start: str = field(default="", metadata=_option("Date on which the clock started.", "COLUMN"))
    stop: str = field(default="", metadata=_option("Date on which it stopped; missing while open.", "COLUMN"))
    days: str = field(default="", metadata=_option("Days waited, in place of two dates.", "COLUMN"))
    week: str = field(
        default="", metadata=_option("Weekly band of the wait (0 to 104), in place of dates.", "COLUMN")
    )
    status: str = field(default="", metadata=_option("How the clock stopped, a category.", "COLUMN"))
    admitted: tuple[str, ...] = field(
        default=("admitted",), metadata=_option("Labels of the status for treated in a bed.", "LABELS")
    )
    nonadmitted: tuple[str, ...] = field(
        default=("nonadmitted",), metadata=_option("Labels for treated without one.", "LABELS")
    )
    incomplete: tuple[str, ...] = field(
        default=("incomplete",),
        metadata=_option("Labels for open pathways, where no dates tell.", "LABELS"),
    )
    census: tuple[str, ...] = field(
        default=(), metadata=_option("Dates at which pathways are counted, 2025-09-28.", "DATES")
    )
    keys: tuple[str, ...] = field(
        default=(), metadata=_option("What the release is split by; department too.", "KEYS")
    )
    where: str = field(default="", metadata=_option("Count only rows that meet this.", "CONDITION"))
    by: tuple[str, ...] = field(
        default=(),
        metadata=_option("Which of the keys the report is by; none: one line.", "KEYS", free=True),
    )
    pathways: tuple[str, ...] = field(
        default=(),
        metadata=_option("incomplete, admitted, nonadmitted, completed or other.", "KINDS", free=True),
    )
    within: tuple[int, ...] = field(
        default=(18, 26, 52, 65), metadata=_option("Shares within so many weeks.", "WEEKS", free=True)
    )
    over: tuple[int, ...] = field(
        default=(52,), metadata=_option("Counts of waits over so many weeks.", "WEEKS", free=True)
    )
    percentiles: tuple[float, ...] = field(
        default=(50.0, 92.0), metadata=_option("Percentiles of the wait in weeks.", "PERCENT", free=True)
    )
    standard: float = field(
        default=92.0,
        metadata=_option(
            "Percent that should wait no longer than the first of --within.", "PERCENT", free=True
        ),
    )
    widen: bool = field(
        default=False,
        metadata=_option("Widen the funnel's limits for overdispersion.", "", free=True),
    )

    def __post_init__(self) -> None:
        """One way of reading the wait, and figures in range; raises ValueInvalid."""
        self._check_clock()
        if len([key for key in self.keys if key != DEPARTMENT_KEY]) > KEYS_MAX:
            raise TooLarge(f"A release of waiting times has at most {KEYS_MAX} keys beside department.")
        if len(set(self.keys)) < len(self.keys) or len(set(self.by)) < len(self.by):
            raise ValueInvalid("Each key is named once.")
        if len(dates_of(self.census)) > CENSUS_MAX:
            raise TooLarge(f"--census takes at most {CENSUS_MAX} dates.")
        for weeks in (*self.within, *self.over):
            if not 1 <= weeks <= WEEKS_MAX:
                raise ValueInvalid(f"--within and --over take weeks from 1 to {WEEKS_MAX}, not {weeks}.")
        for percent in (*self.percentiles, self.standard):
            if not 0 < percent < 100:  # noqa: PLR2004  # a share lies between, in percent
                raise ValueInvalid(f"A percentile lies above 0 and below 100; {percent:g} does not.")
        listed = (self.within, self.over, self.percentiles, self.pathways)
        if any(len(set(each)) < len(each) or len(each) > FIGURES_MAX for each in listed):
            raise ValueInvalid(
                f"Each figure of the report is named once, and there are {FIGURES_MAX} at most."
            )

    def _check_clock(self) -> None:
        ways = [bool(self.start or self.stop), bool(self.days), bool(self.week)]
        if sum(ways) != 1 or bool(self.start) != bool(self.stop):
            raise ValueInvalid(
                "Say where the wait is read: two dates (--start and --stop), days (--days), or the weekly "
                "band (--week)."
            )
        if self.census and not self.start:
            raise ValueInvalid("--census needs the dates of the clock: --start and --stop.")

    @property
    def _clock(self) -> Clock:
        labels = Labels(self.incomplete, self.admitted, self.nonadmitted)
        return Clock(
            start=self.start,
            stop=self.stop,
            days=self.days,
            week=self.week,
            status=self.status,
            census=dates_of(self.census),
            labels=labels,
            where=self.where,
        )

    def condition(self, dataset: Dataset) -> Expression | None:
        """The rows that take part: those with a known wait, begun by the last census."""
        return self._clock.condition(dataset)

    def step(self, ask: Ask, history: Sequence[RoundResult]) -> Round | Estimate:
        """One round of counts, then the report.

        Raises
        ------
        LanguageError
            A text does not fit the dataset, or asks for departments in secure mode.
        ValueInvalid
            The report asks for keys or pathways that the release does not tell apart.

        """
        keys = self._keys(ask)
        by = self._by(keys, ask.dataset)
        asked = Asked.of(
            self._clock, keys.grouped, ask.dataset, disclosing=rule_of(ask.disclosure) is not None
        )
        self._check_pathways(asked.kinds)
        if not history:
            return Round(asked.aggregates).normalised()
        return self._report(asked, keys, by, ask, history[0])

    def _keys(self, ask: Ask) -> Keys:
        keys = Keys.of(self.keys, ask.dataset)
        for text, expression in zip(keys.texts, keys.expressions, strict=True):
            if expression is None and ask.mode is Mode.SECURE:
                raise SqlRefused(
                    "In secure mode nobody learns the numbers of one department.",
                    remedy="Leave the key department out, or ask in local mode.",
                )
            if expression is not None and isinstance(domain_of(expression, ask.dataset), Texts):
                raise SqlRefused(
                    f"{text[:60]} has no public list of values, so waits cannot be banded by it.",
                    remedy="Use another key; fedstats query can group by it.",
                )
        return keys

    def _by(self, keys: Keys, dataset: Dataset) -> Keys:
        if self.by == (WHOLE,):
            return Keys((), ())
        return keys.among(Keys.of(self.by, dataset)) if self.by else keys

    def _check_pathways(self, kinds: Sequence[str]) -> None:
        offered = group_names(kinds)
        for name in self.pathways:
            if name not in offered:
                raise ValueInvalid(
                    f"This release has no pathways {name[:40]!r}; it tells apart {', '.join(offered)}."
                )

    def _report(self, asked: Asked, keys: Keys, by: Keys, ask: Ask, result: RoundResult) -> Estimate:
        rule = rule_of(ask.disclosure)
        places = Places.of(asked, keys, by, ask, result)
        groups = groups_of(self.pathways, asked.kinds, places, rule)
        whole = rule is None and len(places.labels) > 1
        totals = groups_of(self.pathways, asked.kinds, places.together(), rule) if whole else []
        figures = Figures(self.within, self.over, self.percentiles, self.standard)
        tables = [report_table(by.texts, groups, figures, totals)]
        tables += [each for each in [curve_table(by.texts, groups)] if each is not None]
        if places.flow is not None:
            tables.append(flow_table(by.texts, places, dates_of(self.census), rule))
        notes = list(self._notes(ask, by, result, tables))
        if keys.departments_apart and self.within and len(ask.departments) >= DEPARTMENTS_MIN:
            # Whoever has the sum of some cells and all but one of them has that one, too.
            if rule is None or by.expressions == (None,):
                one = Keys((DEPARTMENT_KEY,), (None,))
                places = Places.of(asked, keys, one, ask, result)
                table, words = self._funnel(groups_of(self.pathways, asked.kinds, places, rule)[0])
                tables.append(table)
                notes += words
            else:
                notes.append(_NO_FUNNEL)
        return Estimate(tuple(tables), tuple(notes), disclosure=ask.disclosure)

    def _funnel(self, group: Group) -> tuple[Table, tuple[str, ...]]:
        return funnel_table(group, self.within[0], standard=self.standard, widen=self.widen)

    def _notes(self, ask: Ask, by: Keys, result: RoundResult, tables: Sequence[Table]) -> Iterator[str]:
        """What a reader must know beside the numbers."""
        if rule_of(ask.disclosure) is not None:
            held, of = (sum(getattr(table, name) for table in tables) for name in ("withheld", "numbers"))
            yield f"{rule_words(ask.disclosure)} It withheld {held:,} of {of:,} numbers."
        if ask.dataset.unit.kind is UnitKind.ROW:
            yield "Per record: what is protected is one record, and records may be several of one person."
        if self.start:
            yield "Left out are pathways without a known clock start, and those that end before they start."
        yield f"Waits over {WEEKS_MAX} weeks are one band: a percentile of {WEEKS_MAX} is that or more."
        if not by.departments_apart:
            for department, refusal in sorted(result.absent.items()):
                yield f"The totals are without {department}: {refusal.sentence}"


STATISTIC: type[Statistic] = WaitingTimes
