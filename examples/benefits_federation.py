"""Benefits across three departments whose people are known to several of them, and what that costs.

    python examples/benefits_federation.py

HMRC, DWP and the Home Office each run a node over their own made-up records (processes of their own, with
mutual TLS, under a signed agreement), and an analyst asks three questions. One person may have records at all
three, so the agreement says max_departments = 3 (c = 3): each department then adds noise for a third of the
loss. The last page shows what that costs: the same question where nobody could be in more than one.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import sqrt
from pathlib import Path
from statistics import median

from benefits_records import (
    AMOUNT_MAX,
    BENEFITS,
    COLUMNS,
    DEPARTMENTS,
    INCOME_MAX,
    TAX_YEARS,
    VISAS,
    Department,
    Record,
    records,
    write,
)

from fedstats.client.answer import Answer
from fedstats.client.home import Home
from fedstats.client.session import Session, connect
from fedstats.core.estimate import Estimate, Value
from fedstats.demo import founding
from fedstats.demo.founding import Document, Places
from fedstats.demo.processes import Processes, ending_on_signals
from fedstats.errors import FedstatsError
from fedstats.statistics.table import Table
from fedstats.testing.pool import Pool

AGREEMENT_ID, PURPOSE, DATASET, EDITION = "BENEFITS-2026", "overpayments", "payments", "2024-25"
DEPARTMENTS_MAX = 3
EPSILON = "1"
PEOPLE, SEED = 12_000, 2026
COLUMNS_OF_TEXT = 92
OVERPAID = """
SELECT benefit_type, COUNT(*) AS payments, 100 * SHARE(overpayment_flag) AS overpaid_percent
FROM payments GROUP BY benefit_type"""
INCOMES = """
SELECT BAND(declared_income, 10000, 20000, 40000) AS income, COUNT(*) AS payments,
  AVG(benefit_amount) AS average_pounds
FROM payments WHERE tax_year = 2024 GROUP BY BAND(declared_income, 10000, 20000, 40000)"""
PEOPLE_KNOWN = """
SELECT visa_status, COUNT(DISTINCT person_id) AS people
FROM payments WHERE tax_year = 2024 GROUP BY visa_status"""
_SAME_EACH_TIME = re.compile(r"^(?:Promise|Asked|Job):.*\n(?:  .*\n)*", flags=re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Widths:
    """How far noise reaches in the counts of one question, with c = 3 and with c = 1."""

    with_three: float
    with_one: float
    epsilon_for_one: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the example; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"made-up people (default: {PEOPLE:,})")
    options = parser.parse_args(arguments)
    if not 100 <= options.people <= 1_000_000:  # noqa: PLR2004 # what one computer draws in a minute
        parser.error("--people lies between 100 and 1,000,000.")
    held = records(options.people, SEED)
    try:
        with ending_on_signals(), tempfile.TemporaryDirectory(prefix="fedstats-benefits-") as folder:
            _page(held, Path(folder))
    except FedstatsError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Everything that was started has ended.", file=sys.stderr)
        return 130
    return 0


def _page(held: Mapping[str, list[Record]], folder: Path) -> None:
    """Ask, and print what an analyst would hand on."""
    print("Starting a coordinator and three departments' nodes ...", file=sys.stderr)
    with _federation(held, folder) as session:
        _section("1. Overpaid benefits", OVERPAID)
        first = session.query(OVERPAID, epsilon=EPSILON)
        _show(first)
        print(first.draw(column="overpaid_percent", columns=COLUMNS_OF_TEXT).rpartition("\n\n")[0])
        _section("2. Payments by declared income, tax year 2024", INCOMES)
        _show(session.query(INCOMES, epsilon=EPSILON))
        _section("3. People by visa status, tax year 2024", PEOPLE_KNOWN)
        _show(session.query(PEOPLE_KNOWN, epsilon=EPSILON))
        known = len({record["person_id"] for each in held.values() for record in each})
        counted = sum(len({record["person_id"] for record in each}) for each in held.values())
        _say(
            f"This counts each person once at every department that knows them: {counted:,} in these made-up "
            f"records, though they are {known:,} people. Which of them are the same is what departments "
            "do not tell each other."
        )
        _costs(first, _widths(session, first.estimate, held))


def _costs(answer: Answer, widths: Widths) -> None:
    """What it costs that one person may be in three departments."""
    _section("What c = 3 costs")
    _say(
        f"Someone may have records at all {DEPARTMENTS_MAX} departments, and epsilon {EPSILON} is promised "
        "to that person as a whole. So each department adds noise as for a third of the loss, which is wider "
        f"by sqrt({DEPARTMENTS_MAX}) = {sqrt(DEPARTMENTS_MAX):.2f}."
    )
    print()
    print(f"  noise in a count of question 1, c = 3, as asked        ± {widths.with_three:,.0f} payments")
    print(f"  the same question if nobody were in two (c = 1)        ± {widths.with_one:,.0f} payments")
    print(
        f"  ratio                                                  {widths.with_three / widths.with_one:.2f}"
    )
    print(f"  epsilon that buys the width of c = 1 back with c = 3   {widths.epsilon_for_one:.2f}")
    print()
    _say(
        "With c = 1 in the agreement the answer would look sharper, and its promise would be false for "
        "everybody who is known to two departments or three."
    )
    if answer.guarantee is not None:
        _say(f"What each answer promises: {answer.guarantee.sentence}")


def _widths(session: Session, asked: Estimate, held: Mapping[str, list[Record]]) -> Widths:
    """The half widths of the counts; those of c = 1 from the same rows, in this process, with real noise."""
    definition = session.dataset(DATASET).dataset
    rows = {name: {c: [_typed(r, c) for r in each] for c in COLUMNS} for name, each in held.items()}
    pool = Pool.of(definition, rows, departments_max=1)
    one = pool.estimate(Table.from_sql(OVERPAID, lambda _: definition), EPSILON)
    alone = _half_width(one)
    return Widths(_half_width(asked), alone, _epsilon_of(session, alone))


def _epsilon_of(session: Session, half_width: float) -> float:
    """The least epsilon, of two digits, whose counts in question 1 are as narrow as this."""
    for hundredths in range(100, 400, 2):
        explained = session.explain(OVERPAID, epsilon=f"{hundredths / 100:.2f}")
        width = explained.widths[0].half_width
        if width is not None and width <= half_width:
            return hundredths / 100
    return 4.0


def _half_width(estimate: Estimate) -> float:
    """That of the counts: the same in every row, and the middle one in any case."""
    cells = [row.cells[0] for row in estimate.tables[0]]
    return median(cell.noise_interval.half_width for cell in cells if isinstance(cell, Value))


def _typed(record: Record, column: str) -> object:
    value = record[column]
    return value == "true" if column == "overpayment_flag" else value


def _section(title: str, sql: str = "") -> None:
    print(f"\n{title}\n{'-' * len(title)}")
    if sql:
        print(f'$ fedstats query "{sql}" --epsilon {EPSILON}')
        print()


def _show(answer: Answer) -> None:
    """The table and what must be known of it; promise and purpose are the same each time."""
    print(_SAME_EACH_TIME.sub("", f"{answer}\n"))


def _say(text: str) -> None:
    print(textwrap.fill(text, COLUMNS_OF_TEXT, break_on_hyphens=False))


@contextmanager
def _federation(held: Mapping[str, list[Record]], folder: Path) -> Iterator[Session]:
    """Found it in `folder`, run it, and give the analyst's session; everything ends with the block."""
    places = Places(folder)
    with Processes(folder / "logs") as processes:
        for department in DEPARTMENTS:
            own = places.data / department.department
            own.mkdir(parents=True)
            write(department, held[department.department], own / "payments.csv")
        founding.found_coordinator(places, title="Benefits")
        founding.start_coordinator(places, processes)
        founding.join_everybody(places, DEPARTMENTS)
        people = len({record["person_id"] for each in held.values() for record in each})
        agreement = founding.sign_by_all(places, DEPARTMENTS, lambda keys: _agreement(keys, people))
        for department in DEPARTMENTS:
            config = _node(department, places.data / department.department)
            founding.open_with(places, department, agreement, config, edition=EDITION)
            founding.start_node(places, department, processes)
        home = Home.at(places.analyst)
        founding.trust_controllers(home.trust, agreement)
        founding.use_agreement(home, AGREEMENT_ID, PURPOSE)
        founding.wait_for_nodes(places, processes, DATASET)
        with connect(places.analyst) as session:
            yield session


def _node(department: Department, folder: Path) -> Document:
    """A node's configuration: where its file is, and what its own names mean."""
    columns = {name: {"from": department.names[name]} for name in COLUMNS if name != "person_id"}
    return {
        "tasks_max": 1,
        "threads": 1,
        "memory_mb": 256,
        "reply_deadline_s": 0,  # these records are made up: their timing hides nothing
        "lifetime": {"person_id": {"epsilon": "20", "delta": "0.00001"}},
        "datasets": [
            {
                "dataset": DATASET,
                "person": department.names["person_id"],
                "source": {"kind": "csv", "path": str(folder / "payments.csv")},
                "columns": columns,
            }
        ],
    }


def _agreement(keys: Mapping[str, str], people: int) -> Document:
    today = datetime.now(UTC).date()
    return {
        "id": AGREEMENT_ID,
        "version": 1,
        "title": "Overpaid benefits across three departments",
        "starts_on": today.isoformat(),
        "review_on": (today + timedelta(days=182)).isoformat(),
        "ends_on": (today + timedelta(days=365)).isoformat(),
        "analysts": [f"{founding.ANALYST}@{DEPARTMENTS[0].department}"],
        "modes": ["local"],
        "aggregates": ["grouped_sums"],
        "nodes_min": len(DEPARTMENTS),
        "partial": False,
        "public": {
            "summary": "How often benefits are overpaid, and to whom, without joining anybody's records.",
            "public_benefit": "Shows which benefits are overpaid often enough to change how they are paid.",
            "legal_gateway": "None: these records are made up.",
            "contact": "analyst@example.org",
        },
        "purposes": [{"code": PURPOSE, "text": "See how often benefits are overpaid.", "prohibited": []}],
        "controllers": [
            {"department": d.department, "organisation": d.title, "key": keys[d.department]}
            for d in DEPARTMENTS
        ],
        "privacy": {
            "epsilon": "6",
            "delta": "0.000001",
            "epsilon_per_query": "4",
            "max_departments": DEPARTMENTS_MAX,
            "mechanisms": ["gaussian"],
        },
        "opt_out": {"applies": False, "reason": "Made-up records are about nobody."},
        "datasets": [_dataset(people)],
    }


def _dataset(people: int) -> Document:
    return {
        "name": DATASET,
        "description": "Benefits that a department paid to a person in a tax year.",
        "rows_max": len(TAX_YEARS),
        "people_max": 10_000_000,
        "people_about": people,
        "editions": [EDITION],
        "unit": {"kind": "person", "namespace": "person_id", "column": "person_id"},
        "columns": [
            _number("tax_year", "the tax year that begins in April", TAX_YEARS[0], TAX_YEARS[-1]),
            _number("declared_income", "pounds a year, as declared to this department", 0, INCOME_MAX),
            _category("benefit_type", "what is paid", BENEFITS),
            _number("benefit_amount", "pounds a year", 0, AMOUNT_MAX),
            _category("visa_status", "as known to this department", VISAS),
            {"name": "overpayment_flag", "description": "whether too much was paid", "type": "boolean"},
        ],
    }


def _number(name: str, description: str, lo: int, hi: int) -> Document:
    return {"name": name, "description": description, "type": "number", "lo": str(lo), "hi": str(hi)}


def _category(name: str, description: str, labels: Sequence[str]) -> Document:
    return {"name": name, "description": description, "type": "category", "labels": list(labels)}


if __name__ == "__main__":
    sys.exit(main())
