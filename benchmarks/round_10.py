"""One round with ten node processes over mutual TLS, beyond the nodes' own work, in milliseconds.

From the analyst's Submit to the end of the Fetch that brings all ten signed releases. The nodes' own work
is left out by preparing it: each answer was signed before, and a node looks it up (`_federation.py`) and
sends it at once, without the reply deadline that hides how long a node computed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from _asking import ask
from _federation import ANALYST, Federation, Question, federation
from _measuring import Result

from fedstats.wire.channel import Channel

name = "round_10"
unit = "ms"
target = 50.0

NODES = 10
ROUNDS = 40
NODE = Path(__file__).with_name("_node_process.py")


def run() -> Result:
    """Ask forty rounds one after the other; the median."""
    with federation(NODES) as made:
        questions = [made.question() for _ in range(ROUNDS + 1)]
        with ExitStack() as stack:
            stack.enter_context(made.running())
            for department in made.departments:
                stack.enter_context(node(made, department, questions))
            analyst = stack.enter_context(Channel(made.address, made.tls(ANALYST.name)))
            taken_ms = sorted(1_000 * ask(analyst, made, question) for question in questions)
    return Result(median(taken_ms), {"a tenth of the rounds is slower than, ms": taken_ms[-ROUNDS // 10]})


@contextmanager
def node(made: Federation, department: str, questions: list[Question]) -> Iterator[None]:
    """A node's process, connected when the block begins."""
    tls = made.tls(department)
    reports = [question.reports[department] for question in questions]
    told = {
        "address": made.address,
        "authority": _text(tls.authority_der),
        "certificate": _text(tls.certificate_der),
        "key": tls.key.private_pem().decode(),
        "reports": {report.task: _text(report.SerializeToString()) for report in reports},
    }
    path = made.folder / f"{department}.json"
    path.write_text(json.dumps(told))
    process = subprocess.Popen([sys.executable, str(NODE), str(path)], stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own
    try:
        if process.stdout is None or not process.stdout.readline():
            raise ChildProcessError(f"the node of {department} did not connect")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()
