"""Aggregates: the closed set of bounded computations that a node performs. One file is one kind.

Every aggregate is a sum of clipped integer vectors, one per unit; it knows its own sensitivity, so that no
author of a statistic ever writes one.
"""

from __future__ import annotations

from fedstats.core.aggregate.grouped_sums import GroupedSums

Aggregate = GroupedSums
"""The union of all kinds; `isinstance` and `match` go over it."""

KINDS = (GroupedSums.kind,)
"""The names of all kinds, as agreements list them."""
