"""Reading a whole log anew: every leaf from what the entry says, every hash, every head. Pure.

Each entry is written down three times: as itself, as the hash of its leaf, and in every hash and head above.
Two of them tell which one was changed. What an owner of the file rewrote consistently, heads that others keep
tell: they commit to every entry before them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from itertools import accumulate

from fedstats.transparency.entry import LogEntry
from fedstats.transparency.tree import HashOf, leaf_hash, node_hash, root

CANDIDATES_MAX = 200
"""Of changed entries that are compared with each other and with heads; beyond, their hashes are believed."""

BACKDATED_S = 300  # clocks of those who keep and those who cosign may differ by so much


SizeAndRoot = tuple[int, bytes]
"""What a head says: so many entries, and the root over them."""


class Wrong(Enum):
    """What is wrong with a log."""

    ENTRY_CHANGED = "entry-changed"
    HASH_CHANGED = "hash-changed"
    BOTH_CHANGED = "entry-and-hash-changed"
    MOVED = "moved"
    REMOVED = "removed"
    ADDED = "added"
    BACKDATED = "backdated"
    TREE_CHANGED = "tree-changed"
    FORKED = "forked"
    HEAD_CHANGED = "head-changed"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: at which entry (the first, where it is about several), and in words."""

    number: int
    wrong: Wrong
    sentence: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A log as somebody kept it: its entries in the order of the file, and the hashes of leaves beside them.

    `inner` looks up the hash of a complete subtree above the leaves, None where there is none.
    """

    entries: Sequence[LogEntry]
    hashes: Sequence[bytes]
    inner: Callable[[int, int], bytes | None] = lambda _level, _position: None


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found, and the tree as it was before any of it, as far as can be known."""

    faults: tuple[Fault, ...]
    size: int
    hash_of: HashOf

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` entries, as they were written."""
        return root(size, self.hash_of)


def examine(kept: Kept, heads: Iterable[SizeAndRoot] = ()) -> Examined:
    """Everything that is wrong within a log; `heads` are those that lie beside it."""
    faults = list(_gaps(kept))
    entries, hashes = _aligned(kept)
    computed = [None if entry is None else _hash(entry) for entry in entries]
    written = list(hashes)
    differing = [i for i, (a, b) in enumerate(zip(computed, hashes, strict=True)) if a and a != b]
    moved = dict(_moved(entries, hashes, differing))
    known = dict(heads) if len(differing) <= CANDIDATES_MAX else {}  # each look at a head is a whole tree
    faults += _moves(moved)
    for index in differing:
        if index in moved:
            continue
        fault, truth = _judged(index, computed[index], written, kept, known)
        written[index] = truth
        faults.append(fault)
    faults += _backdated(entries, {fault.number for fault in faults})
    lost = {fault.number - 1 for fault in faults if fault.wrong is Wrong.BOTH_CHANGED}
    levels = _levels(written, lost=lost, inner=kept.inner)
    faults += _tree(levels, kept.inner)
    return Examined(tuple(sorted(faults, key=lambda f: f.number)), len(written), _look_up(levels))


def against(examined: Examined, heads: Iterable[SizeAndRoot], whose: str) -> Iterator[Fault]:
    """Where heads that were kept elsewhere (`whose`) contradict the log: the first that does, and how."""
    good = 0
    for size, expected in sorted(heads):
        if size > examined.size:
            first = examined.size + 1
            which = f"Entry {first} was" if first == size else f"Entries {first} to {size} were"
            sentence = f"{which} removed: {whose} commits to {size} entries."
            yield Fault(first, Wrong.REMOVED, sentence)
            return
        if examined.root_at(size) != expected:
            which = f"Entry {size}" if size == good + 1 else f"One of the entries {good + 1} to {size}"
            sentence = (
                f"{which} is not what {whose} of {size} entries commits to: it was changed together with "
                "its hashes, or this is another log."
            )
            yield Fault(good + 1, Wrong.FORKED, sentence)
            return
        good = size


def backdated_against(
    entries: Sequence[LogEntry], heads: Iterable[tuple[int, int]], whose: str
) -> Iterator[Fault]:
    """Entries that claim a time before a head of (size, at_s) that does not contain them."""
    earliest = list(accumulate((entry.at_s for entry in reversed(entries)), min))[::-1]  # from each on
    for size, at_s in sorted(heads):
        bound_s = at_s - BACKDATED_S
        if size < len(entries) and earliest[size] < bound_s:
            number = next(entry.number for entry in entries[size:] if entry.at_s < bound_s)
            sentence = f"Entry {number} claims a time before {whose} of {size} entries, which did not "
            yield Fault(number, Wrong.BACKDATED, sentence + "contain it.")
            return


def _hash(entry: LogEntry) -> bytes:
    """The hash of an entry's leaf; of what is no canonical JSON one that no leaf has."""
    try:
        return entry.hash
    except ValueError:
        return leaf_hash(b"not canonical" + entry.document)


def _hash_at(entry: LogEntry) -> Callable[[int], bytes]:
    """The hash that an entry would have at another number; what it says is read and hashed once."""
    try:
        leaf = entry.leaf
    except ValueError:
        return lambda _: b""
    said = sha256(b"\x00" + leaf[: -len(b"%d}" % entry.number)])  # the number stands last

    def at(number: int) -> bytes:
        own = said.copy()
        own.update(b"%d}" % number)
        return own.digest()

    return at


def _gaps(kept: Kept) -> Iterator[Fault]:
    """Entries whose hash is there and that are not, and the other way."""
    found = {entry.number for entry in kept.entries}
    for first, last in _runs(n for n in range(1, len(kept.hashes) + 1) if n not in found):
        which = f"Entry {first} was" if first == last else f"Entries {first} to {last} were"
        yield Fault(first, Wrong.REMOVED, f"{which} removed: the hash is there, the entry is not.")
    extra = sorted(n for n in found if not 1 <= n <= len(kept.hashes))
    for first, last in _runs(extra):
        which = f"Entry {first} was" if first == last else f"Entries {first} to {last} were"
        yield Fault(first, Wrong.ADDED, f"{which} put there by somebody: the log has no hash of it.")


def _aligned(kept: Kept) -> tuple[list[LogEntry | None], Sequence[bytes]]:
    """Entries and hashes side by side, by number."""
    entries: list[LogEntry | None] = [None] * len(kept.hashes)
    for entry in kept.entries:
        if 1 <= entry.number <= len(entries):
            entries[entry.number - 1] = entry
    return entries, kept.hashes


def _moved(
    entries: Sequence[LogEntry | None], hashes: Sequence[bytes], differing: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """For each entry that stands at another number than its own: (index, its own index)."""
    wanted = {hashes[index]: index for index in differing}
    few = differing if len(differing) <= CANDIDATES_MAX else ()
    for index in differing:
        entry = entries[index]
        if entry is None:
            continue
        hash_at = _hash_at(entry)
        for place in dict.fromkeys((index + 1, index - 1, *few)):
            own = hash_at(place + 1)
            if wanted.get(own) == place or (place < len(hashes) and own == hashes[place]):
                yield index, place
                break


def _moves(moved: Mapping[int, int]) -> Iterator[Fault]:
    """In words: exchanged, or all moved up or down because something was taken out or put between."""
    early = {index for index, own in moved.items() if own == index + 1 and moved.get(own) != index}
    for first, last in _runs(early):
        yield Fault(
            first + 1,
            Wrong.REMOVED,
            f"Entry {first + 1} was removed: entries {first + 2} to {last + 2} stand one place too early.",
        )
    for index, own in sorted(moved.items()):
        if index not in early:
            yield Fault(
                index + 1, Wrong.MOVED, f"At {index + 1} stands what was entered as {own + 1}: reordered."
            )


def _judged(
    index: int,
    computed: bytes | None,
    hashes: Sequence[bytes],
    kept: Kept,
    heads: Mapping[int, bytes],
) -> tuple[Fault, bytes]:
    """Which of an entry and its hash was changed, and the hash that was written."""
    number, stored = index + 1, hashes[index]
    if _fits(index, stored, hashes, kept, heads):
        sentence = f"Entry {number} was changed: it is not what its hash and those above it say."
        return Fault(number, Wrong.ENTRY_CHANGED, sentence), stored
    if computed is not None and _fits(index, computed, hashes, kept, heads):
        sentence = f"The hash of entry {number} was changed; the entry is what the hashes above it say."
        return Fault(number, Wrong.HASH_CHANGED, sentence), computed
    sentence = f"Entry {number} and its hash do not agree, and neither is what the hashes above them say."
    return Fault(number, Wrong.BOTH_CHANGED, sentence), stored


def _fits(
    index: int, candidate: bytes, hashes: Sequence[bytes], kept: Kept, heads: Mapping[int, bytes]
) -> bool:
    """Whether a leaf's hash is the one that the hash above it, or else the next head, commits to."""
    above = kept.inner(1, index // 2)
    if above is not None:
        beside = hashes[index ^ 1]
        pair = (beside, candidate) if index % 2 else (candidate, beside)
        return node_hash(*pair) == above
    size = min((size for size in heads if index < size <= len(hashes)), default=0)
    if not size:
        return True  # nothing above commits to it: then the hash is believed
    leaves = [*hashes[:index], candidate, *hashes[index + 1 : size]]
    return root(size, _look_up(_levels(leaves))) == heads[size]


def _backdated(entries: Sequence[LogEntry | None], known: set[int]) -> Iterator[Fault]:
    """Entries that claim an earlier time than one before them."""
    latest = 0
    for entry in entries:
        if entry is None or entry.number in known:
            continue
        if entry.at_s < latest:
            sentence = f"Entry {entry.number} claims an earlier time than the one before it."
            yield Fault(entry.number, Wrong.BACKDATED, sentence)
        latest = max(latest, entry.at_s)


def _levels(
    leaves: Sequence[bytes],
    *,
    lost: Iterable[int] = (),
    inner: Callable[[int, int], bytes | None] = lambda _level, _position: None,
) -> list[list[bytes]]:
    """All complete subtrees over these hashes of leaves, level by level.

    Above leaves that are `lost`, whose hash nobody knows any more, the hashes that are there are believed.
    """
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below, level = levels[-1], len(levels)
        pairs = range(0, len(below) - 1, 2)
        made = [node_hash(below[left], below[left + 1]) for left in pairs]
        for position in {index >> level for index in lost}:
            believed = inner(level, position)
            if position < len(made) and believed is not None:
                made[position] = believed
        levels.append(made)
    return levels


def _look_up(levels: Sequence[Sequence[bytes]]) -> HashOf:
    return lambda level, position: levels[level][position]


def _tree(levels: Sequence[Sequence[bytes]], inner: Callable[[int, int], bytes | None]) -> Iterator[Fault]:
    """Hashes above the leaves that are not those of what is below them; the first of each level."""
    for level, made in enumerate(levels[1:], start=1):
        for position, expected in enumerate(made):
            found = inner(level, position)
            if found is not None and found != expected:
                first, last = (position << level) + 1, (position + 1) << level
                sentence = f"The hash over entries {first} to {last} is not that of the entries below it."
                yield Fault(first, Wrong.TREE_CHANGED, sentence)
                break


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Consecutive numbers as (first, last)."""
    first = last = None
    for number in sorted(numbers):
        if last is not None and first is not None and number == last + 1:
            last = number
            continue
        if last is not None and first is not None:
            yield first, last
        first = last = number
    if last is not None and first is not None:
        yield first, last
