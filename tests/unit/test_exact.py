"""Promise 1: the type that holds exact numbers does not leave."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

from fedstats.core.aggregate.exact import Exact
from fedstats.errors import InternalError
from fedstats.wire.codec.releases import ReleaseNote, encode_release

SECRET = 424_242
EXACT = Exact((np.array([SECRET, 7], dtype=np.int64),))


def test_it_shows_no_value() -> None:
    """Neither repr, str, formatting nor an exception about it holds a value or a size."""
    for text in (repr(EXACT), str(EXACT), f"{EXACT}", repr([EXACT]), repr({"answer": EXACT})):
        assert str(SECRET) not in text
        assert "2" not in text


def test_it_cannot_be_written() -> None:
    """Pickle, copy (which pickles) and JSON all refuse."""
    for write in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(InternalError):
            write(EXACT)
    with pytest.raises(TypeError):
        json.dumps(EXACT)


def test_it_has_no_codec() -> None:
    """The encoder of releases takes vectors, and an Exact is none."""
    with pytest.raises((TypeError, AttributeError)):
        encode_release(ReleaseNote("north", bytes(32), "2025-09", (EXACT,), bytes(16)))  # type: ignore[arg-type]  # the mistake


def test_it_is_compared_by_identity_only() -> None:
    """Equality of two exact results would answer questions about them."""
    assert Exact((np.array([1], dtype=np.int64),)) != Exact((np.array([1], dtype=np.int64),))


def test_it_holds_integers_of_one_length() -> None:
    """Floats, other widths and ragged vectors are refused where they would be made."""
    for vectors in (
        (np.array([1.0]),),
        (np.array([1], dtype=np.int32),),
        (np.zeros((2, 2), dtype=np.int64),),
        (np.zeros(2, dtype=np.int64), np.zeros(3, dtype=np.int64)),
    ):
        with pytest.raises(InternalError):
            Exact(vectors)  # type: ignore[arg-type]  # the mistakes
