"""The totals of a waiting-times release, added up over the keys that a report leaves out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from fedstats.core.aggregate.exact import Integers
from fedstats.core.aggregate.grouped_sums import GroupedSums
from fedstats.core.domain import cells_of
from fedstats.core.estimate import Absence
from fedstats.core.expression import Expression, normalise
from fedstats.core.inference import domain_of
from fedstats.core.noise import noise_sd
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Ask, RoundResult
from fedstats.errors import InternalError, ValueInvalid
from fedstats.sql.texts import key_of
from fedstats.statistics._bands import BANDS, BandNoise, Floats
from fedstats.statistics._rows import absence_of, half_width_of
from fedstats.statistics._waiting_round import Asked


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys as they were written, each with its expression in normal form; None is the department."""

    texts: tuple[str, ...]
    expressions: tuple[Expression | None, ...]

    @classmethod
    def of(cls, texts: Sequence[str], dataset: Dataset) -> Keys:
        """Read them with the definition; raises LanguageError."""
        read = [key_of(text, dataset) for text in texts]
        return cls(tuple(texts), tuple(None if each is None else normalise(each) for each in read))

    @property
    def grouped(self) -> tuple[Expression, ...]:
        """What nodes group by: all but the department, which each node is itself."""
        return tuple(each for each in self.expressions if each is not None)

    @property
    def departments_apart(self) -> bool:
        """Whether the numbers of each department are told apart."""
        return None in self.expressions

    def among(self, chosen: Keys) -> Keys:
        """`chosen`, if these keys tell them apart.

        Raises
        ------
        ValueInvalid
            One is not among these.

        """
        for text, expression in zip(chosen.texts, chosen.expressions, strict=True):
            if expression not in self.expressions:
                known = ", ".join(self.texts) or "none at all"
                raise ValueInvalid(
                    f"--by asks for {text[:60]!r}, and this release is by {known}.",
                    remedy=f"Choose among these, or ask anew with --keys {text[:60]}, which costs as a new "
                    "question does.",
                )
        return chosen


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """What the release says at each place of a report: one combination of the labels of its keys.

    `bands` has the shape (places, kinds, 105), `flow` (places, starts, stops), `people` (places, kinds).
    Every number carries `noises` noises; `absent` says why a place has none. `noise` is that of a cell's
    bands, which are joined with its whole; `flow_width` the half width of a sum of so many noises of flows.
    """

    labels: tuple[tuple[str | None, ...], ...]
    bands: Floats
    flow: Floats | None
    people: Floats | None
    noises: int
    absent: tuple[Absence | None, ...]
    noise: BandNoise
    flow_width: Callable[[int], float]

    @classmethod
    def of(cls, asked: Asked, keys: Keys, by: Keys, ask: Ask, result: RoundResult) -> Places:
        """Add up the totals over every key that is not in `by`."""
        reading = _Reading(asked, keys, by, ask, result)
        apart = by.departments_apart
        labels = [_labels(expression, ask) for expression in by.expressions]
        left = [_labels(e, ask) for e in keys.grouped if e not in by.expressions]
        noises = math.prod(len(each) for each in left) * (1 if apart else result.noises)
        kinds = len(asked.kinds)
        bands = _padded(reading.places(asked.bands).reshape(-1, kinds, reading.bands), reading.first_band)
        wholes = reading.places(asked.wholes).reshape(-1, kinds)
        noise = reading.band_noise()
        flow = None if asked.flow is None else reading.places(asked.flow)
        people = None if asked.people is None else reading.places(asked.people)
        places = tuple(product(*labels))
        position = by.expressions.index(None) if apart else None
        given = result.by_department or {}
        return cls(
            labels=places,
            bands=noise.joined(bands, wholes),
            flow=None if flow is None else flow.reshape(len(places), *reading.ends),
            people=None if people is None else people.reshape(len(places), kinds),
            noises=noises,
            absent=tuple(
                None
                if position is None or label[position] in given
                else absence_of(result.absent.get(str(label[position])))
                for label in places
            ),
            noise=noise,
            flow_width=_widths(ask, result, reading.position(asked.flow or asked.wholes)),
        )

    def together(self) -> Places:
        """All places as one: for the line at the end."""
        answered = sum(absent is None for absent in self.absent)
        return Places(
            labels=((),),
            bands=self.bands.sum(axis=0, keepdims=True),
            flow=None if self.flow is None else self.flow.sum(axis=0, keepdims=True),
            people=None if self.people is None else self.people.sum(axis=0, keepdims=True),
            noises=self.noises * max(answered, 1),
            absent=(None if answered else self.absent[0],),
            noise=self.noise,
            flow_width=self.flow_width,
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    """How vectors of the round lie, and how they are added up."""

    asked: Asked
    keys: Keys
    by: Keys
    ask: Ask
    result: RoundResult

    def places(self, aggregate: GroupedSums) -> Floats:
        """The totals by the report's keys, then by what else the aggregate goes over."""
        i = self.position(aggregate)
        if not self.by.departments_apart:
            return np.asarray(self._summed(aggregate, self.result.total[i][0][None])[0])
        given = self.result.by_department or {}
        nothing = np.zeros_like(self.result.total[i][0])
        each = [given[name][i][0] if name in given else nothing for name in self.ask.departments]
        summed = self._summed(aggregate, np.stack(each))
        return np.asarray(np.moveaxis(summed, 0, self.by.expressions.index(None)))

    def band_noise(self) -> BandNoise:
        """How bands and wholes are joined: by the variances of one noise of each."""
        mechanism, scales = self.ask.loss.mechanism, self.result.scales
        band, whole = (
            noise_sd(mechanism, scales[self.position(each)][0], 1) ** 2
            for each in (self.asked.bands, self.asked.wholes)
        )
        return BandNoise.of(band, whole, self.first_band, self.bands)

    def position(self, aggregate: GroupedSums) -> int:
        """Which of the round's aggregates it is."""
        found = self.result.round.aggregates
        wanted = aggregate.normalised()
        if wanted not in found:
            raise InternalError("These totals do not belong to this question.")
        return found.index(wanted)

    @property
    def bands(self) -> int:
        """How many bands there are."""
        return len(self._cells(self.asked.bands)[-1])

    @property
    def first_band(self) -> int:
        """The least of them."""
        return int(self._cells(self.asked.bands)[-1][0] or 0)

    @property
    def ends(self) -> tuple[int, int]:
        """How many intervals of starts and of stops there are."""
        starts, stops = self._cells(self.asked.flow)[-2:] if self.asked.flow else ((), ())
        return len(starts), len(stops)

    def _cells(self, aggregate: GroupedSums) -> list[tuple[int | None, ...]]:
        return [cells_of(domain_of(key, self.ask.dataset)) for key in aggregate.keys]

    def _summed(self, aggregate: GroupedSums, vectors: Integers) -> Floats:
        """Vectors by the report's keys (but the department) in their order, the others added up.

        Shape: (vectors, numbers of each); what is returned has the vectors first as well.
        """
        kept = aggregate.normalised()
        shape = [len(cells_of(domain_of(key, self.ask.dataset))) for key in kept.keys]
        table = np.asarray(vectors, dtype=np.float64).reshape(-1, *shape)
        table = table.transpose([0, *(1 + kept.keys.index(key) for key in aggregate.keys)])
        grouped = self.keys.grouped
        left = tuple(1 + i for i, key in enumerate(grouped) if key not in self.by.expressions)
        remaining = [key for key in grouped if key in self.by.expressions]
        table = table.sum(axis=left)
        order = [0, *(1 + remaining.index(key) for key in self.by.grouped)]
        return np.asarray(table.transpose([*order, *range(len(order), table.ndim)]))


def _padded(bands: Floats, first: int) -> Floats:
    """All 105 bands, with zeros where the declared columns allow no wait."""
    after = BANDS - first - bands.shape[2]
    return np.pad(bands, ((0, 0), (0, 0), (first, after)))


def _labels(expression: Expression | None, ask: Ask) -> tuple[str | None, ...]:
    if expression is None:
        return ask.departments
    domain = domain_of(expression, ask.dataset)
    return tuple(None if code is None else domain.label(code) for code in cells_of(domain))


def _widths(ask: Ask, result: RoundResult, aggregate: int) -> Callable[[int], float]:
    scale = result.scales[aggregate][0]

    @cache
    def width(noises: int) -> float:
        return float(half_width_of(ask.loss.mechanism, scale, max(noises, 1)))

    return width
