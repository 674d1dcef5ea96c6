"""What an answer promises to the people whose data it used: figures, a report in JSON, a page. Pure.

One file is one part of the report; `form` says what every field means.
"""

from __future__ import annotations

from fedstats.core.guarantee.report import report_of
from fedstats.core.guarantee.run import AnsweredRound, Run

__all__ = ["AnsweredRound", "Run", "report_of"]
