"""The demo as a person sees it: what was typed, what came back, and the truth, which only it can know."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable

from fedstats.client.home import Home as PersonHome
from fedstats.client.session import Session, connect
from fedstats.core.agreement import Agreement
from fedstats.core.estimate import Estimate, Value
from fedstats.core.rules import budget_of
from fedstats.demo import founding
from fedstats.demo.agreement import AGREEMENT_ID, DATASET, PURPOSE
from fedstats.demo.founding import Places
from fedstats.demo.governance import BY_HAND, LEAVING, govern
from fedstats.demo.local_files import write
from fedstats.demo.processes import Processes
from fedstats.demo.telling import Telling
from fedstats.demo.trusts import TRUSTS
from fedstats.demo.truth import QUESTIONS, Question
from fedstats.demo.waiting_list import clean, generate
from fedstats.node.ledger import Ledger

EPSILON = "1"
SEED = 7
PERCENT = 100
EXPECTED = "95 in 100 are expected to"


def tell(folder: Path, console: Console, *, pathways_per_trust: int, keep: Callable[[], None] | None) -> None:
    """Run the whole demo in `folder`; `keep` waits, with everything running, until the person has enough.

    Raises
    ------
    FedstatsError
        Something did not work; the logs are in `folder`/logs.

    """
    telling, places = Telling(console, time.monotonic()), Places(folder)
    telling.heading("Five NHS trusts, a coordinator and an analyst, all on this computer")
    telling.line(
        "The patients are made up. Every part is real: separate processes, mutual TLS, signed messages,"
    )
    telling.line("differential-privacy noise from each trust, and a ledger of what was spent at each.")
    with Processes(folder / "logs") as processes:
        columns = _data(telling, places, pathways_per_trust)
        agreement = _found(telling, places, processes, pathways_per_trust)
        _ask_all(telling, places, agreement, columns)
        govern(telling, places, processes)
        if keep is not None:
            _say_what_next(telling, places)
            keep()
    telling.line("Everything that the demo started has ended.")


def _data(telling: Telling, places: Places, pathways_per_trust: int) -> Mapping[str, NDArray[Any]]:
    telling.heading("Data")
    with telling.doing(
        f"Making {pathways_per_trust:,} pathways for each of {len(TRUSTS)} trusts, with the usual dirt"
    ):
        waiting_list = generate(TRUSTS, pathways_per_trust, SEED)
        write(waiting_list, places.data)
        columns = clean(waiting_list)
    telling.line(
        "  Each trust has its own file, its own column names, codes and date formats: see " + str(places.data)
    )
    return columns


def _found(telling: Telling, places: Places, processes: Processes, pathways_per_trust: int) -> Agreement:
    telling.heading("A federation is founded")
    with telling.doing("Starting the coordinator"):
        founding.found_coordinator(places)
        founding.start_coordinator(places, processes)
    with telling.doing("Five nodes, five controllers and an analyst join with one-use tokens"):
        founding.join_everybody(places, TRUSTS)
    with telling.doing(
        "Five controllers sign the agreement and appoint their nodes; one appoints the analyst"
    ):
        agreement = founding.sign_agreement_by_all(places, TRUSTS, pathways_per_trust=pathways_per_trust)
    for trust in TRUSTS:
        with telling.doing(f"{trust.title} accepts the agreement and makes its edition"):
            founding.open_node(places, trust, agreement)
        founding.start_node(places, trust, processes)
    with telling.doing("The analyst compares the controllers' keys and chooses agreement and purpose"):
        home = PersonHome.at(places.analyst)
        founding.trust_controllers(home.trust, agreement)
        founding.use_agreement(home, AGREEMENT_ID, PURPOSE)
    with telling.doing("Waiting until all nodes have said what they hold"):
        founding.wait_for_nodes(places, processes, DATASET)
    return agreement


def _ask_all(
    telling: Telling, places: Places, agreement: Agreement, columns: Mapping[str, NDArray[Any]]
) -> None:
    with connect(places.analyst) as session:
        for number, question in enumerate(QUESTIONS, start=1):
            telling.heading(f"Question {number}: {question.title}")
            before = _spent(places, agreement)
            telling.run(["query", question.sql, "--epsilon", EPSILON], places.analyst)
            _compare(telling, session, question, columns)
            _say_ledgers(telling, before, _spent(places, agreement))


def _compare(
    telling: Telling, session: Session, question: Question, columns: Mapping[str, NDArray[Any]]
) -> None:
    """The recorded answer beside the truth; fetching it again costs nothing."""
    truth = question.truth(columns)
    estimate: Estimate = session.resume(session.jobs()[0].name).estimate
    (table,) = estimate.tables
    telling.line("\nWhat only the demo knows, the truth over all trusts:")
    drawn = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for key in table.keys:
        drawn.add_column(key)
    for name in ("answer", "95 % from", "to", "truth", ""):
        drawn.add_column(name, justify="right")
    inside = shown = 0
    for row in table:
        cell, exact = row.cells[0], truth.get(tuple(str(label) for label in row.key))
        if exact is None:
            continue
        if not isinstance(cell, Value):
            drawn.add_row(*map(str, row.key), "too few", "", "", _number(exact, exact), "")
            continue
        holds = cell.noise_interval.lo <= exact <= cell.noise_interval.hi
        inside, shown = inside + holds, shown + 1
        numbers = (cell.value, cell.noise_interval.lo, cell.noise_interval.hi, exact)
        drawn.add_row(*map(str, row.key), *(_number(n, exact) for n in numbers), "✓" if holds else "outside")
    telling.console.print(drawn)
    telling.line(f"The interval holds the truth in {inside} of {shown} rows ({EXPECTED}).")


def _number(value: float, like: float) -> str:
    if abs(like) < 1:
        return f"{value:,.3f}"
    return f"{value:,.0f}" if like.is_integer() else f"{value:,.1f}"


def _spent(places: Places, agreement: Agreement) -> dict[str, float]:
    """The percentage of the agreement's budget that each trust's ledger says was spent."""
    budget, spent = budget_of(agreement).rho, {}
    for trust in TRUSTS:
        with Ledger(founding.node_home(places, trust).ledger) as ledger:
            total = sum(entry.loss.rho for entry in ledger.entries() if entry.agreement == agreement.id)
            spent[trust.department] = float(PERCENT * total / budget)
    return spent


def _say_ledgers(telling: Telling, before: Mapping[str, float], after: Mapping[str, float]) -> None:
    telling.line("\nHow much of the agreement's budget was spent, by each trust's own ledger:")
    drawn = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("", *before):
        drawn.add_column(name, justify="right")
    drawn.add_row("before", *(f"{value:.2f} %" for value in before.values()))
    drawn.add_row("after", *(f"{value:.2f} %" for value in after.values()))
    telling.console.print(drawn)


def _say_what_next(telling: Telling, places: Places) -> None:
    telling.heading("Everything is still running. In another terminal you can type")
    home, node = f"--home {places.analyst}", places.node(TRUSTS[0])
    question = '"SELECT sex, COUNT(*) FROM rtt GROUP BY sex"'
    for line in (
        f"fedstats query {question} --epsilon 0.5 {home}",
        f"fedstats node approvals list --home {places.node(BY_HAND)}  # the question waits for this trust",
        f"fedstats datasets rtt {home}",
        f"fedstats jobs {home}",
        f"fedstats register list {home}",
        f"fedstats document dpia {AGREEMENT_ID} {home}",
        f"fedstats agreement show {AGREEMENT_ID} {home}",
        f"fedstats node ledger --home {node}",
        f"fedstats node pause --home {node}",
    ):
        telling.line(f"  {line}")
    telling.line(f"{LEAVING.title} has left the agreement, and is not asked.")
    telling.line("Ctrl-C ends the demo and the processes that it started.")
