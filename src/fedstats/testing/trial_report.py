"""The report of a simulation: what it prints, what a notebook shows, what a program reads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from html import escape
from typing import Self

from fedstats.client.printable import printable
from fedstats.client.words import filled
from fedstats.testing.trial import Key, Trial

CELLS_SHOWN_MAX = 24
_HEADS = ("exact", "bias", "RMSE", "covered", "± mean", "absent")
_MISSING = "-"


@dataclass(frozen=True, slots=True)
class Least:
    """The least epsilon that is enough, with what was found at it; None where none was found.

    `columns` are what a full run at it gave, or, where even the greatest is not enough, a short run at that.
    """

    epsilon: Fraction | None
    sentence: str
    columns: tuple[Trial, ...] = ()

    @classmethod
    def found(cls, limits: Mapping[str, float] | None, epsilon: Fraction, columns: tuple[Trial, ...]) -> Self:
        """At this epsilon the limits hold, and at less they do not."""
        return cls(epsilon, f"{_wanted(limits)}, the least epsilon is about {float(epsilon):g}.", columns)

    @classmethod
    def out_of_reach(cls, limits: Mapping[str, float] | None, columns: tuple[Trial, ...]) -> Self:
        """Not even the greatest epsilon is enough."""
        reached = "; ".join(
            f"{c.column} reaches ± {_number(c.half_width)}" for c in columns if c.half_width is not None
        )
        said = reached or "most numbers are absent"
        return cls(None, f"{_wanted(limits)}, not even epsilon 100 is enough: {said}.", columns)

    @classmethod
    def unknown(cls, limits: Mapping[str, float] | None) -> Self:
        """There is nothing to compare the noise with."""
        why = (
            "the statistic has no interval for the population to compare the noise with. Give a target."
            if limits is None
            else "no cell with a target has an exact answer."
        )
        return cls(None, f"The least epsilon is not known: {why}")


def _wanted(limits: Mapping[str, float] | None) -> str:
    if limits is None:
        return "For noise no wider than sampling (in a cell of middling size)"
    wanted = ", ".join(f"± {limit:,.10g} for {column}" for column, limit in sorted(limits.items()))
    return f"For {wanted} (in a cell of middling size)"


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What `fedstats.simulate` found. It holds exact numbers: it is as confidential as the data.

    `cells` has one `Trial` for each number of the answer, `columns` one for each column over its cells.
    """

    question: str
    departments: int
    rows: int
    people: int
    repeats: int
    epsilon: Fraction
    delta: Fraction
    rho: Fraction
    cells: tuple[Trial, ...]
    columns: tuple[Trial, ...]
    least: Least
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """A table of columns, one of cells where these are few, and sentences."""
        parts = [printable(self._title), *_lines(self._shown), "", *map(filled, self._sentences)]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        """The same for a notebook, every text escaped."""
        head, *rows = [list(row) for row in _texts(self._shown)]
        said = "".join(f"<div>{escape(printable(sentence))}</div>" for sentence in self._sentences)
        return (
            f"<div><b>{escape(printable(self._title))}</b><table><thead>{_row('th', head)}</thead>"
            f"<tbody>{''.join(_row('td', row) for row in rows)}</tbody></table>{said}</div>"
        )

    def to_json(self) -> str:
        """Everything, for a program; losses are texts of exact fractions or decimals."""
        return json.dumps(
            {
                "question": self.question,
                "departments": self.departments,
                "rows": self.rows,
                "people": self.people,
                "repeats": self.repeats,
                "epsilon": float(self.epsilon),
                "delta": float(self.delta),
                "rho": str(self.rho),
                "columns": [asdict(trial) for trial in self.columns],
                "cells": [asdict(trial) for trial in self.cells],
                "least_epsilon": None if self.least.epsilon is None else float(self.least.epsilon),
                "least": self.least.sentence,
                "at_least_epsilon": [asdict(trial) for trial in self.least.columns],
                "notes": list(self.notes),
            },
            indent=2,
            allow_nan=False,
        )

    @property
    def _title(self) -> str:
        return " ".join(self.question.split())

    @property
    def _shown(self) -> Sequence[Trial]:
        """Cells where these are few; else columns."""
        return self.cells if len(self.cells) <= CELLS_SHOWN_MAX else self.columns

    @property
    def _sentences(self) -> Iterator[str]:
        people = "" if self.people == self.rows else f" of {self.people:,} people"
        yield (
            f"{self.repeats:,} repeats over {self.departments:,} departments "
            f"with {self.rows:,} rows{people}. "
            f"Loss: epsilon {float(self.epsilon):g} at delta {float(self.delta):g} over the whole "
            f"federation (rho {float(self.rho):.4g})."
        )
        if self._shown is not self.cells:
            yield (
                f"{len(self.cells):,} numbers are summed up by column: exact is that of the middle cell, "
                "all else over all cells. `cells` has each."
            )
        yield (
            "covered: how often the noise interval, which promises 95 %, held the exact answer, with a 95 % "
            "interval for these repeats."
        )
        yield self.least.sentence
        for note in self.notes:
            yield f"Note: {note}"


def _lines(trials: Sequence[Trial]) -> Iterator[str]:
    rows = [list(row) for row in _texts(trials)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        first, *others = zip(row, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
        yield "  ".join(padded).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)


def _texts(trials: Sequence[Trial]) -> Iterator[Sequence[str]]:
    several = len({trial.table for trial in trials}) > 1
    yield ("", *_HEADS)
    for trial in trials:
        yield (
            printable(_name(trial, several=several)),
            _number(trial.exact),
            _with_error(trial.bias, trial.bias_error),
            _number(trial.rmse),
            _share(trial),
            _number(trial.half_width),
            f"{100 * trial.absent:.3g} %",
        )


def _name(trial: Trial, *, several: bool) -> str:
    of_cells = f" ({trial.cells:,} cells)" if trial.cells > 1 else ""
    table = f"{trial.table}: " if several else ""
    return f"{table}{_key(trial.key)}{trial.column}{of_cells}"


def _key(key: Key) -> str:
    return "".join(f"{'(missing)' if label is None else label} / " for label in key)


def _number(number: float | None) -> str:
    return _MISSING if number is None else f"{number:,.4g}" if abs(number) < 10**4 else f"{number:,.0f}"


def _with_error(bias: float | None, error: float | None) -> str:
    if bias is None or error is None or not math.isfinite(error):
        return _number(bias)
    return f"{bias:,.2g} ± {error:,.2g}"


def _share(trial: Trial) -> str:
    if trial.covered is None or trial.covered_from is None or trial.covered_to is None:
        return _MISSING
    share, least, most = (100 * s for s in (trial.covered, trial.covered_from, trial.covered_to))
    return f"{share:.1f} % ({least:.0f}-{most:.0f})"


def _row(tag: str, texts: Sequence[str]) -> str:
    first, *others = texts
    numbers = "".join(f'<{tag} style="text-align: right">{escape(text)}</{tag}>' for text in others)
    return f'<tr><{tag} style="text-align: left">{escape(first)}</{tag}>{numbers}</tr>'
