"""Reading the public register over the wire, and checking all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedstats.client.authority import authority_of
from fedstats.client.home import Home
from fedstats.client.register_check import Checked, Witnessed, check_register
from fedstats.client.register_seen import Seen, read_head
from fedstats.core.log_head import REGISTER_KEEPER, ROOT_BYTES, LogHead
from fedstats.errors import FileProblem, MessageInvalid, RegisterForked
from fedstats.identity.durable_file import PRIVATE_MODE, write_durably
from fedstats.identity.keys import PublicKey
from fedstats.transparency.entry import LogEntry
from fedstats.wire.method import Transport
from fedstats.wire.methods import FETCH_AUTHORITY, HEADS, REGISTER
from fedstats.wire.v1 import agreements_pb2

PAGE_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class Head:
    """A head of the register out of a file: `where` says which."""

    head: LogHead
    key: PublicKey
    where: str


def register_pages(transport: Transport, after: int = 0) -> Iterator[list[LogEntry]]:
    """The register page by page, behind a number; raises MessageInvalid where it does not go on."""
    while True:
        request = agreements_pb2.RegisterRequest(after=after, entries_max=PAGE_ENTRIES)
        found = transport.call(REGISTER, request).entries
        if not found:
            return
        if found[-1].number <= after:
            raise MessageInvalid("The coordinator shows pages of the register that do not go on.")
        yield [LogEntry(e.number, e.at_s, e.kind, e.document) for e in found]
        after = found[-1].number


def verify_register(home: Home, transport: Transport, against: Sequence[Head], *, anew: bool) -> Checked:
    """Fetch the whole register and check it against all that anybody signed; what is good is kept.

    `anew` forgets what this computer saw before: somebody decided so.

    Raises
    ------
    RegisterForked
        The register is signed by another key than the one that this computer knows.
    MessageInvalid, SignatureInvalid
        What is shown is malformed, or not signed.

    """
    if anew:
        home.register_seen.forget()
        home.register_leaves_file.unlink(missing_ok=True)
    before = home.register_seen.newest()
    heads = transport.call(HEADS, agreements_pb2.HeadsRequest())
    seen = read_head(heads.register_head)
    _check_key(seen, heads.register_key, before)
    authority = authority_of(transport.call(FETCH_AUTHORITY, agreements_pb2.AuthorityRequest()))
    checked = check_register(
        _entries(transport, seen.head.size),
        seen,
        heads,
        authority,
        saw=[*_saw(before), *_from_files(against, seen.key)],
        kept=_kept_leaves(home.register_leaves_file),
    )
    if not checked.faults:
        home.prepare()
        home.register_seen.keep(seen)
        leaves = b"".join(checked.leaves)
        write_durably(home.register_leaves_file, leaves, mode=PRIVATE_MODE, replace=True)
    return checked


def _check_key(seen: Seen, told: bytes, before: Seen | None) -> None:
    if seen.key.raw != told:
        raise MessageInvalid(
            "The register's head is signed by another key than the one that is told with it."
        )
    if before is not None and seen.key != before.key:
        raise RegisterForked(
            f"The register is signed by the key {seen.key.fingerprint} now, and this computer knows"
            f" {before.key.fingerprint}.",
            remedy="Ask whoever runs the coordinator why. To believe it: fedstats register verify --anew",
        )


def _entries(transport: Transport, size: int) -> list[LogEntry]:
    """The entries of a head; what was added since is looked at another time."""
    entries: list[LogEntry] = []
    for page in register_pages(transport):
        entries.extend(page)
        if len(entries) >= size:
            break
    return entries[:size]


def _saw(before: Seen | None) -> Iterator[Witnessed]:
    if before is not None:
        head = before.head
        yield Witnessed("the head that this computer saw", head.log, head.size, head.root)


def _from_files(heads: Sequence[Head], key: PublicKey) -> Iterator[Witnessed]:
    """Heads of the register that others kept; what another key signed as the register is a fork as well."""
    for found in heads:
        head = found.head
        if head.keeper != REGISTER_KEEPER:
            continue
        log = head.log if found.key == key else b""
        yield Witnessed(f"the head in {found.where}", log, head.size, head.root)


def _kept_leaves(path: Path) -> tuple[bytes, ...]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as problem:
        raise FileProblem(f"{path} cannot be read: {problem.strerror}.") from None
    whole = len(content) - len(content) % ROOT_BYTES
    return tuple(content[i : i + ROOT_BYTES] for i in range(0, whole, ROOT_BYTES))
