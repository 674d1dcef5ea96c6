"""A coordinator that somebody has captured: it relays whatever it is given, whatever the agreement says.

Run as a process of the demo in place of the honest one, over the same store and with the same certificates:
`python -m fedstats.demo.captured coordinator run --home FOLDER`. It shows that nodes do not lean on the
coordinator's checks: an honest coordinator refuses such a question before any node sees it.
"""

from __future__ import annotations

import runpy
from datetime import date

from fedstats.coordinator import analysts
from fedstats.core.agreement import Agreement
from fedstats.core.query import Query


def _let_pass(_agreement: Agreement, _query: Query, _today: date) -> None:
    """The check that an honest coordinator makes, taken out."""


if __name__ == "__main__":
    vars(analysts)["check_query"] = _let_pass
    runpy.run_module("fedstats", run_name="__main__")
