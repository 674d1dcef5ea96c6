"""FS-9xx: a bug in fedstats."""

from __future__ import annotations

from fedstats.errors.root import Actor, FedstatsError


class InternalError(FedstatsError):
    """A promise inside fedstats was broken: a bug, not your mistake."""

    code = "FS-901"
    title = "fedstats contradicted itself; this is a bug."
    acts = (Actor.DEVELOPERS,)
    remedy = "Please report it with this text."
