"""Exact numbers: the type that never leaves a node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fedstats.errors import InternalError

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Exact:
    """The exact result of one aggregate: one int64 vector per measure, all of one length.

    `values` are the values of an open key to which the elements belong, where these are exact themselves:
    what is found in the data before a threshold was applied to it.

    It has no codec, no equality and a repr without values, and it refuses to be pickled: only a mechanism
    turns it into something that may leave.
    """

    vectors: tuple[Integers, ...]
    values: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Integers of one length, nothing else."""
        if any(vector.dtype != np.int64 or vector.ndim != 1 for vector in self.vectors):
            raise InternalError("An exact result holds vectors of 64-bit integers.")
        if len({len(vector) for vector in self.vectors}) > 1:
            raise InternalError("The vectors of an exact result differ in length.")
        if self.values is not None and any(len(vector) != len(self.values) for vector in self.vectors):
            raise InternalError("An exact result has one number for each value of its key.")

    def __repr__(self) -> str:
        """Say what it is, and no value and no size."""
        return "<exact numbers, which stay at the node>"

    def __reduce__(self) -> str | tuple[object, ...]:
        """Refuse to be written anywhere."""
        raise InternalError("Exact numbers stay in the process that computed them.")
