"""The pace of an agreement as an analyst meets it: refused with a date, and answered when it has come."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from samples import DEPARTMENTS, sample_agreement
from waiting import federation

from fedstats.core.agreement import Pace
from fedstats.errors import NotAnswered

DAY_S = 86_400


def test_a_question_that_came_too_early_is_answered_later_under_one_charge(tmp_path: Path) -> None:
    """FS-218 names the time; asked on from then, without a new question, every department answers it once."""
    terms = replace(sample_agreement().privacy, pace=Pace(Fraction(1), 1))
    with federation(tmp_path, privacy=terms) as fed, fed.session() as session:
        session.query("SELECT COUNT(*) AS n FROM rtt", epsilon="0.9", wait_s=60)
        fed.clock.pass_s(DAY_S // 4)
        with pytest.raises(NotAnswered) as early:
            session.query("SELECT AVG(age) AS a FROM rtt", epsilon="0.9", wait_s=60)
        assert "FS-218" in str(early.value)
        assert "of what agreement RTT-2026 allows in any day, and" in str(early.value)
        assert "Nothing was spent" in str(early.value)
        (job,) = (job for job in session.jobs() if "AVG" in job.sql)
        free_s = max(node.ledger.entries()[0].at_s for node in fed.nodes.values()) + DAY_S
        fed.clock.pass_s(free_s - fed.clock())
        later = session.resume(job.query_hash.hex(), wait_s=60)
        assert [p.department for p in later.participants if p.refusal is None] == list(DEPARTMENTS)
        assert [len(node.ledger.entries()) for node in fed.nodes.values()] == [2, 2, 2]
