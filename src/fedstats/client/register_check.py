"""Whether the public register is what it was, against every head that anybody signed or saw. Pure.

`transparency.check` names entries that differ from the hashes of leaves which this computer kept when it
verified all of them before. Here is what else departments and controllers signed that the register must agree
with: heads that they witnessed, logs that an outcome names, agreements, and withdrawals from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fedstats.client.authority import Authority
from fedstats.client.register_seen import Seen
from fedstats.core.log_head import LogHead, leaf_bytes
from fedstats.errors import FedstatsError
from fedstats.identity.keys import Context
from fedstats.transparency.check import Examined, Fault, Kept, Wrong, against, backdated_against, examine
from fedstats.transparency.entry import LogEntry
from fedstats.transparency.tree import leaf_hash
from fedstats.wire.codec import decode_cosignature, decode_log_head, signed_from
from fedstats.wire.v1 import agreements_pb2

Nodes = frozenset[tuple[str, bytes]]
"""(department, key) of every node that a controller appointed."""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A head of the register that `who` signed for, or saw; `at_s`: when, 0 where that says nothing."""

    who: str
    log: bytes
    size: int
    root: bytes
    at_s: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found: the faults in the order of entries, the tree, and which department witnessed what."""

    head: Seen
    examined: Examined
    faults: tuple[Fault, ...]
    cosigned: dict[str, int]
    leaves: tuple[bytes, ...]


def check_register(
    entries: Sequence[LogEntry],
    head: Seen,
    heads: agreements_pb2.HeadsReply,
    authority: Authority,
    *,
    saw: Sequence[Witnessed] = (),
    kept: Sequence[bytes] = (),
) -> Checked:
    """Check the entries of a head, whose signature was verified, against all that others signed.

    `saw` are heads that were seen before or come from files, `kept` the hashes of leaves of an earlier check.
    """
    leaves = tuple(_leaf(entry) for entry in entries)
    examined = examine(Kept(entries, (*kept, *leaves[len(kept) :])))
    nodes = authority.nodes()
    cosigned = list(_cosignatures(heads, nodes))
    own = Witnessed("the signed head", head.head.log, head.head.size, head.head.root, head.head.at_s)
    now = examine(Kept(entries, leaves))  # as it is shown, whatever was kept
    faults = [
        *examined.faults,
        *_witnessed(now, entries, head.head.log, [own, *saw, *cosigned]),
        *_logs(entries, heads, nodes),
        *_hidden(entries, authority),
    ]
    sizes = {claim.who: claim.size for claim in cosigned}
    in_order = sorted(dict.fromkeys(faults), key=lambda fault: (fault.number, fault.sentence))
    return Checked(head, now, tuple(in_order), {who: sizes[who] for who in sorted(sizes)}, leaves)


def _leaf(entry: LogEntry) -> bytes:
    return leaf_hash(leaf_bytes(entry.number, entry.at_s, entry.kind, entry.document))


def _witnessed(
    examined: Examined, entries: Sequence[LogEntry], log: bytes, claims: Iterable[Witnessed]
) -> Iterator[Fault]:
    """Where somebody signed for, or saw, another register than this one."""
    for claim in claims:
        whose = f"the head that {claim.who} witnessed" if claim.at_s else claim.who
        if claim.log != log:
            yield Fault(0, Wrong.FORKED, f"This is another log than the one of {whose}.")
            continue
        differing = list(against(examined, [(claim.size, claim.root)], whose))
        yield from differing
        if not differing and claim.at_s:
            yield from backdated_against(entries, [(claim.size, claim.at_s)], whose)


def _cosignatures(heads: agreements_pb2.HeadsReply, nodes: Nodes) -> Iterator[Witnessed]:
    """What appointed nodes signed for; what others signed counts nothing."""
    for message in heads.cosignatures:
        with suppress(FedstatsError, ValueError):
            signed = signed_from(message)
            said = decode_cosignature(signed.payload)
            if (said.department, signed.key.raw) in nodes:
                signed.verify(Context.COSIGNATURE)
                yield Witnessed(said.department, said.log, said.size, said.root, said.at_s)


def _logs(entries: Sequence[LogEntry], heads: agreements_pb2.HeadsReply, nodes: Nodes) -> Iterator[Fault]:
    """Logs of departments of which two roots of one size were told.

    What an entry says of a department's log nobody signed but the coordinator: alone it convicts nobody.
    """
    known: dict[tuple[str, str, int], tuple[str, int]] = {}
    told = [*((0, head) for head in _heads(heads, nodes)), *_told_in_outcomes(entries)]
    for number, (who, log, size, root) in told:
        first, where = known.setdefault((who, log, size), (root, number))
        if first != root:
            yield Fault(number, Wrong.FORKED, _two_logs(who, size, where, number))


def _two_logs(who: str, size: int, first: int, second: int) -> str:
    """The sentence about two roots; `first` and `second` are the entries that name them, 0 a signed head."""
    if not second:
        return f"{who} told two different logs of {size:,} entries: it changed its own log."
    other = f"entry {first}" if first else f"a head that {who} signed"
    return (
        f"Entry {second} and {other} name two different logs of {who} of {size:,} entries: {who} changed its"
        f" log, or the register says what {who} never told. Its own log shows which: fedstats audit verify"
    )


def _told_in_outcomes(entries: Sequence[LogEntry]) -> Iterator[tuple[int, tuple[str, str, int, str]]]:
    for entry in entries:
        if entry.kind != "outcome":
            continue
        with suppress(ValueError, TypeError, KeyError):
            logs = entry.read()["logs"]
            for who, place in logs.items() if isinstance(logs, dict) else ():
                log, size, root = place["log"], place["size"], place["root"]
                if isinstance(log, str) and isinstance(size, int) and isinstance(root, str):
                    yield entry.number, (who, log, size, root)


def _heads(heads: agreements_pb2.HeadsReply, nodes: Nodes) -> Iterator[tuple[str, str, int, str]]:
    for message in heads.heads:
        with suppress(FedstatsError, ValueError):
            signed = signed_from(message)
            head: LogHead = decode_log_head(signed.payload)
            if (head.keeper, signed.key.raw) in nodes:
                signed.verify(Context.LOG_HEAD)
                yield head.keeper, head.log.hex(), head.size, head.root.hex()


def _hidden(entries: Sequence[LogEntry], authority: Authority) -> Iterator[Fault]:
    """Agreements that departments are shown and the public is not, and withdrawals that it is not told of."""
    told: dict[str, set[tuple[str, str]]] = {"agreement-published": set(), "agreement-withdrawn": set()}
    for entry in entries:
        if entry.kind in told:
            with suppress(ValueError):
                said = entry.read()
                told[entry.kind].add((str(said.get("hash")), str(said.get("department", ""))))
    for record in authority.records:
        name = f"agreement {record.agreement.id} version {record.agreement.version}"
        digest = record.hash.hex()
        if (digest, "") not in told["agreement-published"]:
            yield Fault(0, Wrong.HIDDEN, f"The register does not have {name}, which departments are shown.")
        for department, decided in authority.decisions(record).items():
            if decided.withdrawn and (digest, department) not in told["agreement-withdrawn"]:
                sentence = f"{department} withdrew from {name}, and the register does not say so."
                yield Fault(0, Wrong.HIDDEN, sentence)
