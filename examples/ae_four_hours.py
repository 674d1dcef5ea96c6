"""Four hours in A&E: performance by organisation, January to March 2019, asked under differential privacy.

    python examples/ae_four_hours.py --data FOLDER

NHS England publishes how many came to each A&E department and how many of them stayed longer than four hours
from arrival to admission, transfer or discharge. This makes one row of each attendance again, some six
million, spreads the organisations over five nodes (processes of their own, under a signed agreement), asks
one question and prints the private answer beside the published one. The unit is one attendance: the counts
name no person.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from time import monotonic

import duckdb
from local_federation import NODE, Plan, category, published_terms, running
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fedstats.client.answer import Answer
from fedstats.core.estimate import Value
from fedstats.demo.founding import Document, Member
from fedstats.demo.processes import ending_on_signals
from fedstats.errors import FedstatsError

AGREEMENT_ID, DATASET, PURPOSE, EDITION = "AE-PUBLISHED", "attendances", "four-hours", "2019-03"
MONTHS = ("2019-01", "2019-02", "2019-03")
TYPES = ("1", "2", "other")
NODES = 5
COUNTS_FILE = "ae_attendances.csv"
ALL = "all"
SHOWN = 12
QUESTION = (
    f"SELECT month, organisation, COUNT(*) AS attendances, SHARE(within_four_hours) AS within "  # noqa: S608 # our own
    f"FROM {DATASET} GROUP BY month, organisation"
)
WHERE_TO_GET = (
    f"Needed is {COUNTS_FILE} with the columns period, org_code, type, attendances, breaches. NHS England "
    "publishes the counts as A&E Attendances and Emergency Admissions; the R package NHSRdatasets has it."
)

_COUNTS = """CREATE TABLE counts AS
    SELECT strftime(period, '%Y-%m') AS month, org_code AS organisation, type,
        attendances::BIGINT AS attendances, breaches::BIGINT AS breaches
    FROM file WHERE strftime(period, '%Y-%m') IN ('2019-01', '2019-02', '2019-03')"""

Key = tuple[str, str]
"""A month and an organisation; `all` for England."""


@dataclass(frozen=True, slots=True)
class Group:
    """The organisations that one node serves."""

    department: str
    title: str
    organisations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """The exact figures."""

    attendances: int
    within: float


class Counts:
    """The published counts of the three months."""

    def __init__(self, path: Path) -> None:
        """Open the file; raises duckdb.Error where it is not as published."""
        self._database = duckdb.connect()
        self._database.read_csv(str(path)).create_view("file")
        self._database.execute(_COUNTS)

    def groups(self) -> tuple[Group, ...]:
        """All organisations, spread over the nodes so that each has about as many attendances."""
        rows = self._database.execute(
            "SELECT organisation FROM counts GROUP BY ALL ORDER BY sum(attendances) DESC, organisation"
        ).fetchall()
        names = [str(row[0]) for row in rows]
        return tuple(
            Group(f"ae-{n + 1}", f"A&E departments, part {n + 1}", tuple(names[n::NODES]))
            for n in range(NODES)
        )

    def write_rows(self, group: Group, folder: Path) -> None:
        """One row for each attendance, as the organisations' own databases would hold them."""
        folder.mkdir(parents=True)
        self._database.sql(
            "SELECT month, organisation, type, within_four_hours FROM (SELECT *, unnest(range(n)) FROM ("
            "SELECT *, breaches AS n, false AS within_four_hours FROM counts UNION ALL "
            "SELECT *, attendances - breaches, true FROM counts) WHERE list_contains($chosen, organisation))",
            params={"chosen": list(group.organisations)},
        ).write_parquet(str(folder / "attendances.parquet"))

    def published(self) -> dict[Key, Published]:
        """The exact figures, by month and organisation."""
        rows = self._database.execute(
            "SELECT month, coalesce(organisation, 'all'), sum(attendances), sum(breaches) FROM counts "
            "GROUP BY GROUPING SETS ((month, organisation), (month)) HAVING sum(attendances) > 0"
        ).fetchall()
        return {(m, o): Published(int(n), 1 - float(late) / float(n)) for m, o, n, late in rows}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the example; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help=WHERE_TO_GET)
    parser.add_argument("--epsilon", type=Decimal, default=Decimal(1), help="the loss of the question (1)")
    options = parser.parse_args(arguments)
    path = options.data / COUNTS_FILE
    if not path.is_file():
        print(f"There is no {COUNTS_FILE} in {options.data}. {WHERE_TO_GET}", file=sys.stderr)
        return 1
    try:
        with ending_on_signals(), tempfile.TemporaryDirectory(prefix="fedstats-ae-") as folder:
            _run(Counts(path), Path(folder), str(options.epsilon))
    except duckdb.Error:
        print(f"{path} is not as published. {WHERE_TO_GET}", file=sys.stderr)
        return 1
    except FedstatsError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _run(counts: Counts, folder: Path, epsilon: str) -> None:
    started_s, talk = monotonic(), Console(stderr=True, highlight=False)
    groups, published = counts.groups(), counts.published()
    organisations = sorted({name for group in groups for name in group.organisations})
    talk.print(f"{len(organisations)} organisations over {len(groups)} nodes")

    def write_rows(data: Path) -> None:
        for group in groups:
            counts.write_rows(group, data / group.department)

    def agreement(keys: Mapping[str, str]) -> Document:
        return _agreement(groups, organisations, keys, epsilon)

    plan = Plan(
        title="A&E four-hour performance",
        agreement_id=AGREEMENT_ID,
        purpose=PURPOSE,
        dataset=DATASET,
        edition=EDITION,
        members=groups,
        write_rows=write_rows,
        agreement=agreement,
        node=_node,
    )
    with running(plan, folder, talk) as session:
        talk.print(f'[bold cyan]$ fedstats query "{QUESTION}" --totals --epsilon {epsilon}', soft_wrap=True)
        with talk.status("The nodes answer"):
            answer = session.query(QUESTION, epsilon=epsilon, totals=True)
    _draw(answer, published)
    print(f"Took {monotonic() - started_s:.0f} s.")


def _draw(answer: Answer, published: Mapping[Key, Published]) -> None:
    """England by month, the largest organisations in March, and how many intervals hold what is published."""
    found = {(str(row.key[0]), str(row.key[1])): row.cells for row in answer.table}
    drawn = Table(title="Within four hours", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("month", "organisation"):
        drawn.add_column(name)
    for name in ("attendances", "within four hours", "published"):
        drawn.add_column(name, justify="right")
    last = [key for key in published if key[0] == MONTHS[-1] and key[1] != ALL]
    march = sorted(last, key=lambda key: -published[key].attendances)
    for key in [*((month, ALL) for month in MONTHS), *march[:SHOWN]]:
        count, share = found[key]
        name, exact = "England" if key[1] == ALL else key[1], f"{100 * published[key].within:.1f} %"
        drawn.add_row(key[0], name, _words(count, 1), _words(share, 100), exact)
    console = Console(width=100, highlight=False)
    console.print(drawn)
    shares = [(found[key][1], exact.within) for key, exact in published.items() if key[1] != ALL]
    told = [(cell, exact) for cell, exact in shares if isinstance(cell, Value)]
    held = sum(cell.noise_interval.lo <= exact <= cell.noise_interval.hi for cell, exact in told)
    console.print(
        f"The intervals of organisations hold the published share {held} times in {len(told)}; 95 in 100 are "
        f"expected to. Of {len(shares) - len(told)} more the noise hides too much.",
        soft_wrap=True,
    )


def _words(cell: object, times: int) -> str:
    if not isinstance(cell, Value):
        return "too few"
    half = times * cell.noise_interval.half_width
    return f"{cell.value:,.0f} ± {half:,.0f}" if times == 1 else f"{times * cell.value:.1f} % ± {half:.2f}"


def _node(_: Member, folder: Path) -> Document:
    return {
        **NODE,
        "memory_mb": 512,
        "lifetime": {DATASET: {"epsilon": "20", "delta": "0.00001"}},
        "datasets": [{"dataset": DATASET, "source": {"kind": "parquet", "path": str(folder / "*.parquet")}}],
    }


def _agreement(
    groups: Sequence[Group], organisations: Sequence[str], keys: Mapping[str, str], epsilon: str
) -> Document:
    title = "Four-hour performance of A&E departments"
    return {
        **published_terms(AGREEMENT_ID, title, members=groups, keys=keys, epsilon=epsilon),
        "purposes": [
            {"code": PURPOSE, "text": "Compare private answers with published ones.", "prohibited": []}
        ],
        "datasets": [
            {
                "name": DATASET,
                "description": "Attendances at A&E departments, one row each.",
                "rows_max": 1,
                "people_max": 10_000_000,
                "people_about": 6_000_000,
                "editions": [EDITION],
                "unit": {"kind": "row", "namespace": DATASET},
                "columns": [
                    category("month", "month of the attendance", MONTHS),
                    category("organisation", "who runs the department", organisations),
                    category("type", "1: major, 2: single specialty, or other", TYPES),
                    {
                        "name": "within_four_hours",
                        "description": "admitted, transferred or discharged within four hours",
                        "type": "boolean",
                    },
                ],
            }
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
