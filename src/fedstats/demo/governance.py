"""The demo's second half: who decides, and what the logs tell.

One trust approves by hand, all refuse another purpose, one withdraws; and a log that somebody edits tells it.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from fedstats.client.session import connect
from fedstats.demo import founding
from fedstats.demo.agreement import AGREEMENT_ID
from fedstats.demo.founding import Places, node_home
from fedstats.demo.misuse import ask_for
from fedstats.demo.node_files import node_document
from fedstats.demo.processes import Processes, command, environment
from fedstats.demo.telling import Telling, quoted
from fedstats.demo.toml_text import toml_text
from fedstats.demo.trusts import TRUSTS, Trust
from fedstats.errors import InternalError
from fedstats.node.approval_terms import PolicyTerms
from fedstats.node.approvals import Approvals
from fedstats.node.state import State

BY_HAND, LEAVING, EDITED = TRUSTS[1], TRUSTS[4], TRUSTS[0]
ASKED_BY_HAND = "SELECT priority, COUNT(*) AS pathways FROM rtt GROUP BY priority"
ASKED_AFTER = "SELECT sex, COUNT(*) AS pathways FROM rtt GROUP BY sex"
OTHER_PURPOSE = "debt-recovery"
EPSILON = "0.5"
WAIT_S_MAX = 60.0
POLL_S = 0.1
CAPTURED = "fedstats.demo.captured"
EDIT = (b'"purpose":"waiting-times"', b'"purpose":"waiting-dimes"')  # one byte


def govern(telling: Telling, places: Places, processes: Processes) -> None:
    """Tell all of it, over the federation that runs."""
    _by_hand(telling, places, processes)
    _another_purpose(telling, places, processes)
    _withdrawal(telling, places)
    _logs(telling, places, processes)


def _by_hand(telling: Telling, places: Places, processes: Processes) -> None:
    telling.heading(f"{BY_HAND.title} decides about each question by hand")
    config = node_document(BY_HAND, places.data / BY_HAND.department)
    with telling.doing('Its IT writes decide = "each" into node.toml and starts the node anew'):
        processes.stop_one(f"node-{BY_HAND.department}")
        text = toml_text({**config, "policy": {"decide": "each"}})
        (places.node(BY_HAND) / "node.toml").write_text(text, encoding="utf-8")
        founding.start_node(places, BY_HAND, processes)
    telling.line("Four trusts answer, and the analyst waits for the fifth.")
    _ask_and_approve(telling, places, ASKED_BY_HAND, shown=True)


def _ask_and_approve(telling: Telling, places: Places, sql: str, *, shown: bool) -> None:
    """The analyst asks, a person at the trust decides, the analyst reads.

    `shown`: with what the person at the trust sees.
    """
    typed = ["query", sql, "--epsilon", EPSILON]
    telling.typed(f"fedstats {' '.join(map(quoted, typed))}")
    asking = subprocess.Popen(  # noqa: S603 # this program, with arguments of the demo's own
        command([*typed, "--home", str(places.analyst)]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    with asking:
        try:
            question = _waiting_question(places, BY_HAND, asking)
            telling.line(f"\nMeanwhile at {BY_HAND.title}:")
            for arguments in (["list"], ["show", question]) if shown else ():
                telling.run(["node", "approvals", *arguments], places.node(BY_HAND))
            telling.run(["node", "approvals", "approve", question, "--yes"], places.node(BY_HAND))
            output, _ = asking.communicate(timeout=WAIT_S_MAX)
        finally:
            asking.kill()  # nothing, where it has ended
    telling.line(f"\nAnd the analyst reads:\n\n{output.rstrip()}")
    if asking.returncode:
        raise InternalError(f"The demo's question ended with code {asking.returncode}.")


def _waiting_question(places: Places, trust: Trust, asking: subprocess.Popen[str]) -> str:
    """The id of the question that waits for a person at this trust."""
    until_s, pause = time.monotonic() + WAIT_S_MAX, threading.Event()
    while time.monotonic() < until_s and asking.poll() is None:
        found = _undecided(node_home(places, trust).state)
        if found:
            return found[0]
        pause.wait(POLL_S)
    raise InternalError(f"No question came to {trust.department}: see {places.folder / 'logs'}.")


def _another_purpose(telling: Telling, places: Places, processes: Processes) -> None:
    telling.heading(f"Somebody asks for another purpose: {OTHER_PURPOSE}")
    telling.line(
        "The analyst's own fedstats refuses to sign that, and the coordinator to relay it. So here is"
    )
    telling.line(
        "the worst case: a client that was changed, and a coordinator that relays whatever it is given."
    )
    with telling.doing("A captured coordinator takes the place of the honest one"):
        _replace_coordinator(places, processes, module=CAPTURED)
    with connect(places.analyst) as session, telling.doing(f'Asking for "{OTHER_PURPOSE}", properly signed'):
        said = ask_for(session, ASKED_AFTER, epsilon=EPSILON, purpose=OTHER_PURPOSE)
    for department, refusal in sorted(said.items()):
        words = "ANSWERED" if refusal is None else f"{refusal.code} {refusal.sentence}"
        telling.line(f"  {department}: {words}")
    if len(said) != len(TRUSTS) or None in said.values():
        raise InternalError("A question for another purpose was not refused by all.")
    telling.line("Each trust refused from its own copy of the agreement. Nothing was spent.")
    with telling.doing("The honest coordinator is back"):
        _replace_coordinator(places, processes)


def _withdrawal(telling: Telling, places: Places) -> None:
    telling.heading(f"{LEAVING.title} withdraws")
    withdraw = ["node", "withdraw", AGREEMENT_ID, "--reason", "governance", "--yes"]
    telling.run(withdraw, places.node(LEAVING))
    _ask_and_approve(telling, places, ASKED_AFTER, shown=False)


def _logs(telling: Telling, places: Places, processes: Processes) -> None:
    telling.heading("What happened is in logs that nobody can rewrite")
    telling.run(["register", "verify"], places.analyst)
    telling.run(["audit", "verify"], places.node(EDITED))
    with telling.doing(f"Now somebody at {EDITED.title} stops the node and edits one byte of its log"):
        processes.stop_one(f"node-{EDITED.department}")
        true = _edit_one_byte(node_home(places, EDITED).log)
    telling.run(["audit", "verify"], places.node(EDITED), fails=True)
    with telling.doing("For the demo's sake the byte is put back, and the node is started again"):
        node_home(places, EDITED).log.write_bytes(true)
        founding.start_node(places, EDITED, processes)


def _replace_coordinator(places: Places, processes: Processes, *, module: str = "fedstats") -> None:
    processes.stop_one("coordinator")
    founding.start_coordinator(places, processes, module=module)


def _undecided(state: Path) -> Sequence[str]:
    """The questions that wait for a person at a node, by the names that people type."""
    with State(state) as known:
        everything = Approvals(known, PolicyTerms()).all(now_s=int(time.time()))
    return [standing.id for standing in everything if standing.undecided]


def _edit_one_byte(log: Path) -> bytes:
    """What an intruder with write access would do: another purpose in the place of the true one.

    Returns what was there before.
    """
    content = log.read_bytes()
    edited = content.replace(*EDIT, 1)
    if edited == content:
        raise InternalError("The log holds nothing to edit.")
    log.write_bytes(edited)
    return content
