"""Who is there: what an analyst and the coordinator's host see of paused and stopped nodes."""

from __future__ import annotations

from pathlib import Path

from waiting import federation

from fedstats.core.reason import Reason
from fedstats.testing.federation import Federation

HOUR_S = 3_600


def seen(fed: Federation) -> dict[str, str]:
    """What an analyst sees of each department's node."""
    with fed.session() as session:
        (entry,) = session.datasets()
    return dict(entry.presences)


def test_an_analyst_sees_who_answers_who_paused_and_who_is_gone(tmp_path: Path) -> None:
    """A pause is known from the node's next call on until it ends, and silence with its length."""
    with federation(tmp_path) as fed:
        assert set(seen(fed).values()) == {"answering"}
        fed.nodes["south"].policy.pause(Reason.MAINTENANCE, now_s=int(fed.clock()))
        fed.stop_node("west")
        fed.clock.pass_s(3 * HOUR_S)
        fed.work()
        assert seen(fed) == {
            "north": "answering",
            "south": "paused (maintenance)",
            "west": "last seen 3 h ago",
        }
        fed.nodes["south"].policy.resume(now_s=int(fed.clock()))
        fed.start_node("west")
        fed.work()
        assert set(seen(fed).values()) == {"answering"}
