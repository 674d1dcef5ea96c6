"""The Merkle tree of RFC 6962: its root, its proofs, and the verification of both.

    leaf hash = SHA-256(0x00 || leaf)        node hash = SHA-256(0x01 || left || right)

A tree of n leaves splits at the greatest power of two below n. All but its right edge are complete subtrees,
whose hashes never change again: they are what is stored, and a root or a proof looks up O(log n) of them.
The subtree (level, position) holds the leaves from position * 2^level on, 2^level of them.

Whoever verifies needs no tree: hashes and proofs only (RFC 9162, sections 2.1.3.2 and 2.1.4.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""

HashOf = Callable[[int, int], bytes]
"""Looks up the hash of the complete subtree (level, position)."""

Proof = tuple[bytes, ...]
"""The hashes that a proof consists of, in the order in which they are used."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one leaf."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return sha256(b"\x01" + left + right).digest()


def completed(size: int, leaf: bytes, hash_of: HashOf) -> Iterator[tuple[int, int, bytes]]:
    """The (level, position, hash) of every subtree that a leaf of this hash completes after `size` others."""
    level, position, made = 0, size, leaf
    yield level, position, made
    while position % 2:
        made = node_hash(hash_of(level, position - 1), made)
        level, position = level + 1, position // 2
        yield level, position, made


def root(size: int, hash_of: HashOf) -> bytes:
    """The root of the first `size` leaves."""
    made, begin = EMPTY_ROOT, size
    for level in range(size.bit_length()):  # complete subtrees from the right, where the smallest is
        if size >> level & 1:
            begin -= 1 << level
            found = hash_of(level, begin >> level)
            made = node_hash(found, made) if begin + (1 << level) < size else found
    return made


def inclusion(index: int, size: int, hash_of: HashOf) -> Proof:
    """Proof that the leaf `index` (from 0) is in the tree of the first `size` leaves.

    Raises
    ------
    ValueError
        There is no such leaf in that tree.

    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    path, begin, end = [], 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_subtree(middle, end, hash_of))
            end = middle
        else:
            path.append(_subtree(begin, middle, hash_of))
            begin = middle
    return tuple(reversed(path))


def consistency(first: int, second: int, hash_of: HashOf) -> Proof:
    """Proof that the tree of `second` leaves begins with the tree of `first`.

    Raises
    ------
    ValueError
        The second is smaller than the first.

    """
    if not 0 <= first <= second:
        raise ValueError(f"a tree of {second} does not continue one of {first}")
    if first in (0, second):
        return ()
    path, begin, end = [], 0, second
    while end != first:
        middle = begin + _split(end - begin)
        if first <= middle:
            path.append(_subtree(middle, end, hash_of))
            end = middle
        else:
            path.append(_subtree(begin, middle, hash_of))
            begin = middle
    if begin:  # else the reader has this hash: it is the first root
        path.append(_subtree(begin, end, hash_of))
    return tuple(reversed(path))


def includes(*, leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path proves that the leaf of this hash is number `index` (from 0) below this root."""
    if not 0 <= index < size or not _are_hashes(leaf, root, *path):
        return False
    made, place, last = leaf, index, size - 1
    for beside in path:
        if last == 0:
            return False
        if place % 2 or place == last:
            made = node_hash(beside, made)
            place, last = _past_left_edges(place, last)
        else:
            made = node_hash(made, beside)
        place, last = place // 2, last // 2
    return last == 0 and made == root


def continues(
    *, first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether the path proves that the tree of `second` leaves begins with that of `first`."""
    if not 0 <= first <= second or not _are_hashes(first_root, second_root, *path):
        return False
    if first in (0, second):
        return not path and first_root == (second_root if first == second else EMPTY_ROOT)
    whole = (first_root,) if first & (first - 1) == 0 else ()  # a complete tree is a subtree of the second
    hashes = (*whole, *path)
    if not hashes or not path:
        return False
    place, last = first - 1, second - 1
    while place % 2:  # up to the subtree that the proof begins with
        place, last = place // 2, last // 2
    made_first = made_second = hashes[0]
    for beside in hashes[1:]:
        if last == 0:
            return False
        if place % 2 or place == last:
            made_first, made_second = node_hash(beside, made_first), node_hash(beside, made_second)
            place, last = _past_left_edges(place, last)
        else:
            made_second = node_hash(made_second, beside)
        place, last = place // 2, last // 2
    return last == 0 and made_first == first_root and made_second == second_root


def _subtree(begin: int, end: int, hash_of: HashOf) -> bytes:
    """The root of the leaves from `begin` up to `end`, where `begin` is where such a subtree may begin."""
    width = end - begin
    level = width.bit_length() - 1
    if width == 1 << level:
        return hash_of(level, begin >> level)
    return node_hash(hash_of(level, begin >> level), _subtree(begin + (1 << level), end, hash_of))


def _split(width: int) -> int:
    """The greatest power of two below a width of 2 or more."""
    return 1 << ((width - 1).bit_length() - 1)


def _past_left_edges(place: int, last: int) -> tuple[int, int]:
    """Up past the levels at which a node has no right neighbour, and so is its own parent."""
    while place and not place % 2:
        place, last = place // 2, last // 2
    return place, last


def _are_hashes(*hashes: bytes) -> bool:
    return all(len(found) == HASH_BYTES for found in hashes)
