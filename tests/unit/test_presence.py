"""Whether a node is there, as coordinator's hosts and analysts see it."""

from __future__ import annotations

import pytest
from samples import NOW_S

from fedstats.core.presence import presence

HOUR_S = 3_600


@pytest.mark.parametrize(
    "seen_s,paused,said",
    [
        (0, "", "never seen"),
        (NOW_S - 60, "", "answering"),
        (NOW_S - 60, "maintenance", "paused (maintenance)"),
        (NOW_S - 600, "", "last seen 10 min ago"),
        (NOW_S - 3 * HOUR_S, "", "last seen 3 h ago"),
        (NOW_S - 50 * HOUR_S, "security", "paused (security), last seen 2 days ago"),
    ],
)
def test_a_node_is_answering_paused_or_gone(seen_s: int, paused: str, said: str) -> None:
    """Somebody who waits for an answer sees at once whether to wait, to ask the department, or to call it."""
    assert presence(seen_s=seen_s, paused=paused, now_s=NOW_S) == said
