"""A question before it is sent: read, checked against what is in force, and its loss chosen."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from fedstats.client.aiming import Aim, aim, parse_target
from fedstats.client.asking import Draft, Terms, Under, choose_purpose, draft, loss_of
from fedstats.client.catalogue import choose
from fedstats.client.directory import Directory
from fedstats.client.figures import percent
from fedstats.client.guarantee import cost_of
from fedstats.client.home import Home
from fedstats.client.jobs import JobStore
from fedstats.client.opening import origin_of, words_of
from fedstats.client.origin import Origin
from fedstats.core.accounting import EPSILON_MIN, parse_epsilon
from fedstats.core.bound import BoundKind
from fedstats.core.estimate import Table
from fedstats.core.guarantee.figures import plain
from fedstats.core.query import NONCE_BYTES
from fedstats.core.statistic import Statistic
from fedstats.statistics.table import Table as TableStatistic


@dataclass(frozen=True, slots=True)
class Asking:
    """A question as it was put: its statistic, its words for the register, and where it comes from."""

    statistic: Statistic
    text: str
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that can be asked: everything that can go wrong before sending did not."""

    asking: Asking
    draft: Draft
    epsilon: Fraction
    aimed: Aim | None

    @property
    def sentence(self) -> str:
        """What it may cost in all, for whoever is about to spend it."""
        query, agreement = self.draft.query, self.draft.terms.agreement
        cost = cost_of(agreement, query.loss, query.contribution)
        rounds = "1 round" if query.rounds_max == 1 else f"up to {query.rounds_max} rounds"
        used = "" if cost.used_percent is None else f", {percent(cost.used_percent, up=True)}"
        loss = f"loses epsilon {plain(cost.epsilon)} in all"
        return f"Asks {rounds}; {loss}{used} of the budget of {agreement.id}."


@dataclass(frozen=True, slots=True)
class Preparing:
    """Prepares questions of one home, under what is in force now; `earlier` gives the table of a job."""

    home: Home
    jobs: JobStore
    directory: Directory
    now: Callable[[], float]
    earlier: Callable[[str], Table]

    def asking(self, question: str | Statistic, under: Under, *, totals: bool = False) -> Asking:
        """Read a question in SQL, or take a statistic as it is; raises LanguageError."""
        if not isinstance(question, str):
            return Asking(question, words_of(question), origin_of(question))
        named = under.agreement or self.home.config().agreement
        definition = partial(self.directory.find, agreement=named)
        table = TableStatistic.from_sql(
            question, lambda name: definition(name).dataset, totals=totals, bound=under.bound
        )
        plain = under.bound == BoundKind.ROWS.value
        text = question if plain else f"{question} (bound: {under.bound})"
        return Asking(table, text, Origin.of_sql(question, totals=totals, bound=under.bound))

    def prepare(self, asking: Asking, under: Under) -> Prepared:
        """Everything that can go wrong before sending goes wrong here, and costs nothing."""
        terms = self._terms(asking.statistic, under)
        aimed = None if under.target is None else self._aim(terms, asking, under)
        epsilon = parse_epsilon(str(under.epsilon)) if aimed is None else aimed.epsilon
        return Prepared(asking, self._drafted(terms, asking, epsilon, under), epsilon, aimed)

    def aim(self, asking: Asking, under: Under) -> Aim:
        """The least epsilon for the target."""
        return self._aim(self._terms(asking.statistic, under), asking, under)

    def _aim(self, terms: Terms, asking: Asking, under: Under) -> Aim:
        target = parse_target(str(under.target))
        earlier = self.earlier(target.job) if target.job else None
        least = self._drafted(terms, asking, EPSILON_MIN, under)
        left_ppm = self.jobs.left_ppm(terms.agreement.id, terms.agreement.version)
        return aim(least, asking.statistic, target, pure=under.pure, earlier=earlier, left_ppm=left_ppm)

    def _terms(self, statistic: Statistic, under: Under) -> Terms:
        config = self.home.config()
        entry = self.directory.find(statistic.dataset, agreement=under.agreement or config.agreement)
        agreement = entry.agreement
        used = config.purpose if agreement.id == config.agreement else ""
        return Terms(
            agreement=agreement,
            purpose=choose_purpose(agreement, under.purpose or used),
            dataset=entry.dataset,
            choice=choose(agreement, entry.dataset, entry.holdings, under.edition or None),
        )

    def _drafted(self, terms: Terms, asking: Asking, epsilon: Fraction, under: Under) -> Draft:
        loss = loss_of(terms.agreement, epsilon, pure=under.pure)
        nonce = secrets.token_bytes(NONCE_BYTES)  # makes the query's hash unique; no noise
        return draft(asking.statistic, asking.text, terms, loss, now_s=int(self.now()), nonce=nonce)
