"""Published waiting times, asked again under differential privacy.

    python examples/rtt_published.py --data FOLDER

NHS England publishes how long completed pathways took, by trust. This gives each of the 150 trusts its own
rows back, spreads the trusts over 20 nodes (processes of their own, with mutual TLS, under a signed
agreement), asks for the share within 18 weeks and for the weeks of the median and of the 92nd percentile, and
prints the private answers beside the published figures. The unit is one pathway: the published counts name no
person.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from time import monotonic

from rich.box import MARKDOWN, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rtt_bands import Band, Z, quantile_band
from rtt_counts import (
    BANDS,
    ENGLAND,
    FUNCTIONS,
    PARTS,
    QUANTILES,
    WEEKS_OF_THE_STANDARD,
    Counts,
    CountsUnusable,
    Published,
    groups_of,
)
from rtt_federation import DATASET, federation

from fedstats.client.answer import Answer
from fedstats.client.session import Session
from fedstats.core.accounting import epsilon_from_rho
from fedstats.core.estimate import Cell, Value
from fedstats.demo.processes import ending_on_signals
from fedstats.errors import FedstatsError

NODES_MIN, NODES_DEFAULT = 3, 20
EPSILON_MAX = 10
COLUMNS = (
    "pathways",
    "within 18 weeks",
    "published",
    "median week",
    "published",
    "92nd pc week",
    "published",
)
COUNTS_FILE = "rtt_completed_by_provider_tfc_week_*.parquet"
WHERE_TO_GET = (
    'NHS England publishes the counts as "RTT waiting times data" on its statistics pages. Needed is a '
    f"Parquet file {COUNTS_FILE} with the columns part, period, prov, tfc, w, n, and beside it providers.csv "
    "with the columns prov and region."
)
WITHIN = f"COUNT(*) AS n, SHARE(week < {WEEKS_OF_THE_STANDARD}) AS within_18 FROM {DATASET}"
QUESTIONS = {
    "england": f"SELECT part, {WITHIN} GROUP BY part",
    "functions": f"SELECT part, treatment_function, {WITHIN} GROUP BY part, treatment_function",
    "weeks": (
        f"SELECT part, treatment_function, week, COUNT(*) AS n FROM {DATASET} "  # noqa: S608 # the example's own
        "GROUP BY part, treatment_function, week"
    ),
}
PARTS_OF_EPSILON = {"england": Fraction("0.2"), "functions": Fraction("0.6"), "weeks": Fraction("0.75")}
"""Losses add up about in squares: together these cost about what one question of epsilon 1 does."""

Key = tuple[str, str]
"""A part and a treatment function, or England."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the result: private answers beside the published figures; None where noise hides one."""

    key: Key
    pathways: Value
    within_18: Value | None
    bands: tuple[Band | None, ...]
    published: Published

    @property
    def share_holds(self) -> bool:
        """Whether the interval of the share holds the published one."""
        if self.within_18 is None:
            return False
        interval = self.within_18.noise_interval
        return interval.lo <= self.published.within_18 <= interval.hi

    @property
    def held(self) -> tuple[int, int]:
        """How many of its intervals hold the published figure, and of how many."""
        pairs = zip(self.bands, self.published.bands, strict=True)
        bands = [week in band for band, week in pairs if band is not None]
        shares = [] if self.within_18 is None else [self.share_holds]
        return sum(bands) + sum(shares), len(bands) + len(shares)


@dataclass(frozen=True, slots=True)
class Result:
    """All lines, and what they cost: the epsilon of all three questions together at `delta`."""

    lines: tuple[Line, ...]
    epsilon: Decimal
    delta: Fraction
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the example; the exit code."""
    options = _options(arguments)
    try:
        with ending_on_signals(), tempfile.TemporaryDirectory(prefix="fedstats-rtt-") as folder:
            result = _run(options, Path(folder))
    except (CountsUnusable, FedstatsError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Everything that was started has ended.", file=sys.stderr)
        return 130
    if options.format == "json":
        print(json.dumps(_document(result), indent=2))
    else:
        _draw(result, markdown=options.format == "markdown")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help=WHERE_TO_GET)
    parser.add_argument("--month", default="2025-09", help="the month of the clock stops (default: 2025-09)")
    parser.add_argument(
        "--nodes", type=int, default=NODES_DEFAULT, help="nodes to spread the trusts over (20)"
    )
    parser.add_argument("--epsilon", default="1", help="about the loss of all three questions together (1)")
    parser.add_argument("--format", choices=("table", "markdown", "json"), default="table")
    options = parser.parse_args(arguments)
    if options.nodes < NODES_MIN:
        parser.error(f"--nodes is at least {NODES_MIN}.")
    try:
        sound = 0 < Fraction(options.epsilon) <= EPSILON_MAX
    except (ValueError, ZeroDivisionError):
        sound = False
    if not sound:
        parser.error(f"--epsilon is a number above 0 and at most {EPSILON_MAX}.")
    return options


def _run(options: argparse.Namespace, folder: Path) -> Result:
    started_s, talk = monotonic(), Console(stderr=True, highlight=False)
    counts = Counts(_file(options.data, COUNTS_FILE), options.month)
    published = counts.published()
    groups = groups_of(counts.trusts(), options.data / "providers.csv", options.nodes)
    talk.print(f"{len(counts.trusts())} trusts over {len(groups)} nodes")
    budget = str(float(4 * Fraction(options.epsilon)))
    with federation(counts, groups, folder, month=options.month, epsilon=budget, talk=talk) as session:
        talk.print(f"The federation runs after {monotonic() - started_s:.0f} s")
        answers = {
            name: _asked(session, sql, PARTS_OF_EPSILON[name] * Fraction(options.epsilon), talk)
            for name, sql in QUESTIONS.items()
        }
    lines = tuple(_lines(answers, published))
    costs = [answer.cost for answer in answers.values() if answer.cost is not None]
    delta = costs[0].delta
    rho = sum((cost.loss.rho for cost in costs), Fraction(0))
    return Result(lines, epsilon_from_rho(rho, delta), delta, monotonic() - started_s)


def _asked(session: Session, sql: str, epsilon: Fraction, talk: Console) -> Answer:
    typed = f"{float(epsilon):g}"
    talk.print(f'[bold cyan]$ fedstats query "{sql}" --epsilon {typed}', soft_wrap=True)
    with talk.status("The nodes answer"):
        return session.query(sql, epsilon=typed)


def _file(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern)) if folder.is_dir() else []
    if not found:
        raise CountsUnusable(f"There is no {pattern} in {folder}. {WHERE_TO_GET}")
    return found[-1]


def _lines(answers: Mapping[str, Answer], published: Mapping[Key, Published]) -> list[Line]:
    """England and every function with published pathways, for each part."""
    cells = {
        tuple(map(str, row.key)): row.cells
        for name in ("england", "functions")
        for row in answers[name].table
    }
    weeks = _weeks(answers["weeks"])
    lines = []
    for part in PARTS:
        for function in (ENGLAND, *FUNCTIONS):
            key = (part, function)
            if key not in published:
                continue
            count, share = cells[(part,) if function == ENGLAND else key]
            n = _counted(count)
            within = share if isinstance(share, Value) else None
            lines.append(Line(key, n, within, _bands(weeks, key, n), published[key]))
    return lines


def _weeks(answer: Answer) -> dict[Key, list[Value]]:
    """The noisy counts by week of each part and function, in the order of weeks."""
    found: dict[Key, list[Value]] = {}
    for row in answer.table:
        part, function, week = map(str, row.key)
        cell = _counted(row.cells[0])
        found.setdefault((part, function), [cell] * BANDS)[int(week)] = cell
    return found


def _counted(cell: Cell) -> Value:
    """A count: it has a value unless everybody refused, and then there is no result to show."""
    if isinstance(cell, Value):
        return cell
    raise CountsUnusable(f"A count is missing: {cell.reason.value}. {cell.sentence}")


def _bands(weeks: Mapping[Key, list[Value]], key: Key, n: Value) -> tuple[Band | None, ...]:
    """The weeks of the quantiles; England's counts are the sums over its functions."""
    part, function = key
    functions = list(FUNCTIONS) if function == ENGLAND else [function]
    chosen = [weeks[(part, each)] for each in functions]
    every_sd = max(value.noise_interval.half_width for counts in chosen for value in counts) / Z
    return tuple(
        quantile_band(
            [sum(values) for values in zip(*([v.value for v in counts] for counts in chosen), strict=True)],
            count_sd=every_sd * len(chosen) ** 0.5,
            total=n.value,
            total_sd=n.noise_interval.half_width / Z,
            share=share,
        )
        for share in QUANTILES
    )


def _draw(result: Result, *, markdown: bool) -> None:
    console = Console(width=150 if markdown or not sys.stdout.isatty() else None, highlight=False)
    for part in PARTS:
        lines = [line for line in result.lines if line.key[0] == part]
        title, box = (None, MARKDOWN) if markdown else (f"Completed pathways, {part}", SIMPLE_HEAD)
        table = Table(title=title, box=box, show_edge=markdown, pad_edge=markdown)
        table.add_column(part, no_wrap=True)
        for name in COLUMNS:
            table.add_column(name, justify="right")
        for line in lines:
            table.add_row(*_row(line), style="bold" if line.key[1] == ENGLAND and not markdown else "")
        console.print(table)
    held, all_ = (sum(numbers) for numbers in zip(*(line.held for line in result.lines), strict=True))
    console.print(
        "Week 13: over 13 weeks and at most 14. ± and brackets: 95 % intervals for what the noise hides; "
        f"they hold the published figure {held} times in {all_}, and 95 in 100 are expected to.\n"
        f"Promise: epsilon {result.epsilon:.3g} at delta {float(result.delta):g} for one pathway, for all "
        f"figures together. Took {result.seconds:.0f} s.",
        soft_wrap=True,
    )


def _row(line: Line) -> list[str]:
    share, published = line.within_18, line.published
    within = "too few" if share is None else f"{share.value:.1%} ± {share.noise_interval.half_width:.1%}"
    row = [
        ENGLAND if line.key[1] == ENGLAND else FUNCTIONS[line.key[1]],
        f"{line.pathways.value:,.0f} ± {line.pathways.noise_interval.half_width:,.0f}",
        within,
        f"{published.within_18:.1%}",
    ]
    for band, week in zip(line.bands, published.bands, strict=True):
        row += [str(band or "too few"), str(week)]
    return row


def _document(result: Result) -> dict[str, object]:
    return {
        "epsilon": str(result.epsilon),
        "delta": float(result.delta),
        "unit": "pathway",
        "seconds": round(result.seconds, 1),
        "figures": [
            {
                "part": line.key[0],
                "treatment_function": line.key[1],
                "pathways": line.pathways.value,
                "within_18": None if line.within_18 is None else line.within_18.value,
                "within_18_interval": None
                if line.within_18 is None
                else [line.within_18.noise_interval.lo, line.within_18.noise_interval.hi],
                "within_18_published": line.published.within_18,
                "weeks": [
                    {"share": share, "published": week, **({} if band is None else asdict(band))}
                    for share, band, week in zip(QUANTILES, line.bands, line.published.bands, strict=True)
                ],
            }
            for line in result.lines
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
