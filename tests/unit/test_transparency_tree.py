"""The Merkle tree against the published vectors, a naive reference, and every change of a proof."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedstats.transparency import stored
from fedstats.transparency.check import Kept, Wrong, examine
from fedstats.transparency.entry import LogEntry
from fedstats.transparency.tree import EMPTY_ROOT, Proof, continues, includes, leaf_hash

# Of the certificate-transparency project: eight leaves, and the root after each.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
SIZE_MAX = 300


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = naive_split(len(leaves))
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: Sequence[bytes]) -> Proof:
    """RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return ()
    k = naive_split(len(leaves))
    if m < k:
        return (*naive_path(m, leaves[:k]), naive_root(leaves[k:]))
    return (*naive_path(m - k, leaves[k:]), naive_root(leaves[:k]))


def naive_proof(m: int, leaves: Sequence[bytes], *, whole: bool = True) -> Proof:
    """RFC 6962, section 2.1.2."""
    if m == len(leaves):
        return () if whole else (naive_root(leaves),)
    k = naive_split(len(leaves))
    if m <= k:
        return (*naive_proof(m, leaves[:k], whole=whole), naive_root(leaves[k:]))
    return (*naive_proof(m - k, leaves[k:], whole=False), naive_root(leaves[:k]))


def naive_split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def tree_of(leaves: Sequence[bytes]) -> sqlite3.Connection:
    """A stored tree with these leaves."""
    sqlite = sqlite3.connect(":memory:")
    sqlite.executescript(stored.SCHEMA)
    for index, leaf in enumerate(leaves):
        assert stored.append(sqlite, leaf) == index
    return sqlite


@pytest.fixture(scope="module")
def leaves() -> list[bytes]:
    """Leaves, all different."""
    return [b"leaf %d" % number for number in range(SIZE_MAX)]


@pytest.fixture(scope="module")
def tree(leaves: list[bytes]) -> Iterator[sqlite3.Connection]:
    """A stored tree of all of them."""
    sqlite = tree_of(leaves)
    yield sqlite
    sqlite.close()


def test_the_published_vectors_come_out() -> None:
    """The tree is RFC 6962's: its roots are those that the certificate-transparency project publishes."""
    sqlite = tree_of(LEAVES)
    assert stored.root_at(sqlite, 0) == EMPTY_ROOT == sha256().digest()
    assert [stored.root_at(sqlite, size) for size in range(1, 9)] == ROOTS
    sqlite.close()


@given(sizes=st.tuples(*[st.integers(0, SIZE_MAX)] * 2), data=st.data())
def test_roots_and_proofs_are_the_reference_s(
    tree: sqlite3.Connection, leaves: list[bytes], sizes: tuple[int, int], data: st.DataObject
) -> None:
    """Root, inclusion and consistency of any size are those of the RFC's recursive definition, and hold."""
    first, second = sorted(sizes)
    root = stored.root_at(tree, second)
    assert root == naive_root(leaves[:second])
    path = stored.prove_consistency(tree, first, second)
    assert path == (naive_proof(first, leaves[:second]) if first else ())
    first_root = stored.root_at(tree, first)
    assert continues(first=first, first_root=first_root, second=second, second_root=root, path=path)
    if second:
        index = data.draw(st.integers(0, second - 1))
        way = stored.prove_inclusion(tree, index, second)
        assert way == naive_path(index, leaves[:second])
        assert includes(leaf=leaf_hash(leaves[index]), index=index, size=second, path=way, root=root)


@given(size=st.integers(1, SIZE_MAX), data=st.data())
def test_no_changed_inclusion_proof_holds(
    tree: sqlite3.Connection, leaves: list[bytes], size: int, data: st.DataObject
) -> None:
    """A flipped bit in leaf, root or path, another index, a hash more or less: none of it holds."""
    index = data.draw(st.integers(0, size - 1))
    path, root = stored.prove_inclusion(tree, index, size), stored.root_at(tree, size)
    leaf = leaf_hash(leaves[index])
    other = data.draw(st.integers(-2, SIZE_MAX).filter(lambda n: n != index))
    assert not includes(leaf=leaf, index=other, size=size, path=path, root=root)
    assert not includes(leaf=leaf, index=index, size=size, path=(*path, leaf), root=root)
    assert not path or not includes(leaf=leaf, index=index, size=size, path=path[:-1], root=root)
    for changed in one_bit_flipped((leaf, root, *path), data):
        assert not includes(leaf=changed[0], index=index, size=size, path=changed[2:], root=changed[1])


@given(sizes=st.sets(st.integers(1, SIZE_MAX), min_size=2, max_size=2), data=st.data())
def test_no_changed_consistency_proof_holds(
    tree: sqlite3.Connection, sizes: set[int], data: st.DataObject
) -> None:
    """A flipped bit in a root or the path, other sizes that differ, a hash more or less: none of it holds."""
    first, second = sorted(sizes)
    path = stored.prove_consistency(tree, first, second)
    roots = stored.root_at(tree, first), stored.root_at(tree, second)

    def holds(first: int, second: int, hashes: Sequence[bytes]) -> bool:
        return continues(
            first=first, first_root=hashes[0], second=second, second_root=hashes[1], path=hashes[2:]
        )

    assert holds(first, second, (*roots, *path))
    assert not holds(second, first, (*roots, *path))
    assert not holds(0, second, (*roots, *path))
    assert not holds(second, second, (*roots, *path))
    assert not holds(first, second, (*roots, *path, path[-1]))
    assert not holds(first, second, (*roots, *path[:-1]))
    for changed in one_bit_flipped((*roots, *path), data):
        assert not holds(first, second, changed)


def one_bit_flipped(hashes: tuple[bytes, ...], data: st.DataObject) -> Iterator[tuple[bytes, ...]]:
    """The same hashes, each in turn with one bit that is another, and each cut by a byte."""
    bit = data.draw(st.integers(0, 255))
    for place, found in enumerate(hashes):
        flipped = (int.from_bytes(found, "big") ^ (1 << bit)).to_bytes(32, "big")
        for other in (flipped, found[:-1]):
            yield (*hashes[:place], other, *hashes[place + 1 :])


def test_every_index_and_size_but_the_right_one_is_refused() -> None:
    """In a small tree, one by one: a path proves one index in one size of tree, and a leaf that is there."""
    sqlite = tree_of(LEAVES)
    for index in range(7):
        path, root = stored.prove_inclusion(sqlite, index, 7), stored.root_at(sqlite, 7)
        proved = {
            (leaf, other)
            for leaf in range(8)
            for other in range(-1, 9)
            if includes(leaf=leaf_hash(LEAVES[leaf]), index=other, size=7, path=path, root=root)
        }
        assert proved == {(index, index)}
    sqlite.close()


def test_what_is_not_there_cannot_be_proved(tree: sqlite3.Connection) -> None:
    """Asking for a proof of what is not in the tree is an error, not a proof."""
    for index, size in ((5, 5), (-1, 5), (0, 0), (SIZE_MAX, SIZE_MAX + 1)):
        with pytest.raises(ValueError, match=r"is not in a tree|has fewer"):
            stored.prove_inclusion(tree, index, size)
    for first, second in ((6, 5), (-1, 5), (5, SIZE_MAX + 1)):
        with pytest.raises(ValueError, match=r"does not continue|has fewer"):
            stored.prove_consistency(tree, first, second)


def test_the_stored_tree_only_grows(tree: sqlite3.Connection) -> None:
    """No hash that was stored is changed or taken away by any statement."""
    for statement in ("UPDATE log_hash SET hash = x'00'", "DELETE FROM log_hash WHERE level = 3"):
        with pytest.raises(sqlite3.IntegrityError, match="the log"):
            tree.execute(statement)


def test_an_entry_has_one_leaf() -> None:
    """A leaf is canonical JSON of all that an entry says; a document in any other form has none."""
    entry = LogEntry(2, 7, "paused", b'{"a":1,"b":"x"}')
    assert entry.leaf == b'{"at_s":7,"document":{"a":1,"b":"x"},"kind":"paused","number":2}'
    for document in (b'{"b":"x","a":1}', b'{"a": 1}', b"[]", b"{", b"\xff", b'{"a":1,"a":1}', b"[" * 9_999):
        with pytest.raises(ValueError, match=r"JSON|nested|Expecting|decode"):
            _ = LogEntry(2, 7, "paused", document).leaf


def test_a_log_in_which_everything_was_changed_is_read_in_the_time_of_its_length() -> None:
    """Of many changed entries no head is asked about each, which would be a whole tree for each of them."""
    many = 2_000
    written = [LogEntry(number, 1, "x", b'{"a":1}').hash for number in range(1, many + 1)]
    changed = [LogEntry(number, 1, "x", b'{"a":2}') for number in range(1, many + 1)]
    found = examine(Kept(changed, written), [(many, bytes(32))])
    assert {fault.wrong for fault in found.faults} == {Wrong.ENTRY_CHANGED}
    assert len(found.faults) == many
