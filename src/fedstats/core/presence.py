"""Whether a node is there: what its coordinator last heard of it, in words."""

from __future__ import annotations

QUIET_S = 180  # a node asks at least once a minute; the coordinator writes that down once a minute
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


def presence(*, seen_s: int, paused: str, now_s: float) -> str:
    """`answering`, `paused (maintenance)`, `last seen 3 h ago` or `never seen`.

    `seen_s` is when the node last asked for work (seconds since 1970, 0 for never), `paused` the reason that
    it gave then, empty if it answers. A node that went silent while it was paused is both.
    """
    if not seen_s:
        return "never seen"
    silent_s = int(now_s) - seen_s
    pause = f"paused ({paused})" if paused else ""
    if silent_s <= QUIET_S:
        return pause or "answering"
    return ", ".join(part for part in (pause, f"last seen {_ago(silent_s)} ago") if part)


def _ago(silent_s: int) -> str:
    if silent_s < HOUR_S:
        return f"{silent_s // MINUTE_S} min"
    if silent_s < DAY_S:
        return f"{silent_s // HOUR_S} h"
    return f"{silent_s // DAY_S} days"
