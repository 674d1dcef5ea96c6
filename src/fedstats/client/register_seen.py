"""What this computer saw of the public register: its key, and the newest head that was shown here.

A register that is shown later must continue it. So a coordinator that changes an entry, drops one, or shows
different people different registers, is found by the next question of anybody who saw the other one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from fedstats.core.log_head import REGISTER_KEEPER, LogHead
from fedstats.errors import FedstatsError, FileProblem, RegisterForked
from fedstats.identity.durable_file import PRIVATE_MODE, write_durably
from fedstats.identity.keys import Context, PublicKey
from fedstats.transparency.entry import LogEntry
from fedstats.transparency.tree import continues, includes
from fedstats.wire.codec import (
    consistency_from,
    decode_log_head,
    inclusion_from,
    signed_from,
)
from fedstats.wire.codec.strict import sha256
from fedstats.wire.method import Method, Reply, Request, Transport
from fedstats.wire.methods import SUBMIT
from fedstats.wire.v1 import agreements_pb2, analysts_pb2, signed_pb2

FILE_BYTES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A head of the register, and the key that signed it."""

    key: PublicKey
    head: LogHead


class RegisterSeen:
    """The file `register.json`. Without it, the first register that is shown is believed."""

    def __init__(self, path: Path) -> None:
        """Use this file, which need not exist yet."""
        self._path = path

    def newest(self) -> Seen | None:
        """The newest head that was shown here; raises FileProblem where the file is damaged."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise FileProblem(f"{self._path} cannot be read: {problem.strerror}.") from None
        try:
            return _read(content)
        except (ValueError, TypeError, KeyError, RecursionError, FedstatsError):
            raise FileProblem(
                f"{self._path} is damaged: it does not hold a head of the register.",
                remedy="Check the whole register, which writes it anew: fedstats register verify --anew",
            ) from None

    def keep(self, seen: Seen) -> None:
        """Keep a head that was verified, unless a later one is here; raises FileProblem."""
        known = self.newest()
        if known is not None and known.head.size >= seen.head.size and known.key == seen.key:
            return
        head = seen.head
        document = {
            "key": seen.key.raw.hex(),
            "log": head.log.hex(),
            "size": head.size,
            "root": head.root.hex(),
            "at_s": head.at_s,
        }
        write_durably(self._path, json.dumps(document).encode() + b"\n", mode=PRIVATE_MODE, replace=True)

    def forget(self) -> None:
        """Believe the next register that is shown: somebody decided so; raises FileProblem."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as problem:
            raise FileProblem(f"{self._path} cannot be removed: {problem.strerror}.") from None

    def shown(
        self, head: signed_pb2.Signed, consistency: signed_pb2.ConsistencyProof, before: Seen | None
    ) -> Seen:
        """The head, when the same key signed it and it continues the one `before`; it is kept.

        Raises
        ------
        RegisterForked
            It does not.
        MessageInvalid, SignatureInvalid
            It is malformed, or not signed.

        """
        seen = read_head(head)
        if before is not None:
            check_same_log(seen, before)
            path = consistency_from(consistency)
            sizes = (path.first, path.second) == (before.head.size, seen.head.size)
            whatever = before.head.size == 0  # every register continues an empty one, without a proof
            if not whatever and not (
                sizes
                and continues(
                    first=before.head.size,
                    first_root=before.head.root,
                    second=seen.head.size,
                    second_root=seen.head.root,
                    path=path.path,
                )
            ):
                raise RegisterForked(
                    f"The register of {seen.head.size:,} entries that is shown now does not continue the one"
                    f" of {before.head.size:,} entries that this computer saw: entries were changed, or there"
                    " are two registers."
                )
        self.keep(seen)
        return seen


def read_head(message: signed_pb2.Signed) -> Seen:
    """A head of the register, verified under the key that it names.

    Raises
    ------
    MessageInvalid, SignatureInvalid
        It is malformed, or not signed.
    RegisterForked
        It is the head of another log.

    """
    signed = signed_from(message)
    head = decode_log_head(signed.verify(Context.LOG_HEAD))
    if head.keeper != REGISTER_KEEPER:
        raise RegisterForked(f"What is shown as the register is the log of {head.keeper}.")
    return Seen(signed.key, head)


def check_same_log(seen: Seen, before: Seen) -> None:
    """Return if a head is of the log that was seen before, by the same key, and no shorter.

    Raises
    ------
    RegisterForked
        It is not.

    """
    if seen.key != before.key:
        raise RegisterForked(
            f"The register is signed by the key {seen.key.fingerprint} now, and this computer knows"
            f" {before.key.fingerprint}."
        )
    if seen.head.log != before.head.log:
        raise RegisterForked("The register that is shown now is another log than the one that was seen.")
    if seen.head.size < before.head.size:
        raise RegisterForked(
            f"The register that is shown now has {seen.head.size:,} entries, and this computer saw"
            f" {before.head.size:,}: entries were removed, or its coordinator went back to an older copy."
        )


class Continuing:
    """A transport that lets no question pass whose entry in the register is not proved."""

    def __init__(self, transport: Transport, register: RegisterSeen) -> None:
        """Carry calls through `transport`, and hold the register to what was seen."""
        self._transport = transport
        self._register = register

    def call(self, method: Method[Request, Reply], request: Request, timeout_s: float | None = None) -> Reply:
        """Call, and look at what is proved where a question was submitted; raises RegisterForked besides."""
        if not isinstance(request, analysts_pb2.SubmitRequest) or method.path != SUBMIT.path:
            return self._transport.call(method, request, timeout_s)
        before = self._register.newest()
        asked = analysts_pb2.SubmitRequest()
        asked.CopyFrom(request)
        asked.register_size = before.head.size if before else 0
        reply = self._transport.call(SUBMIT, asked, timeout_s)
        seen = self._register.shown(reply.registered.head, reply.register_consistency, before)
        check_registered(reply.registered, request.query.payload, seen)
        return cast("Reply", reply)  # the method is SUBMIT, and this is its reply


def check_registered(proof: agreements_pb2.RegisterProof, query: bytes, seen: Seen) -> None:
    """Return if the register of this head has the entry of the signed query (its payload), whatever it says.

    Raises
    ------
    RegisterForked
        It has not.

    """
    entry = LogEntry(proof.entry.number, proof.entry.at_s, proof.entry.kind, proof.entry.document)
    path = inclusion_from(proof.inclusion)
    try:
        document, leaf = entry.read(), entry.hash
    except ValueError:
        document, leaf = {}, b""
    placed = replace(seen.head, size=path.size) == seen.head and path.index == entry.number - 1
    if not placed or not includes(
        leaf=leaf, index=path.index, size=path.size, path=path.path, root=seen.head.root
    ):
        raise RegisterForked("The coordinator did not prove that your question is in the public register.")
    if entry.kind != "query" or document.get("query") != sha256(query).hex():
        raise RegisterForked(
            "The coordinator proved that another question is in the public register, not yours."
        )


def _read(content: bytes) -> Seen:
    if len(content) > FILE_BYTES_MAX:
        raise ValueError
    document = json.loads(content)
    head = LogHead(
        log=bytes.fromhex(document["log"]),
        keeper=REGISTER_KEEPER,
        size=int(document["size"]),
        root=bytes.fromhex(document["root"]),
        at_s=int(document["at_s"]),
    )
    return Seen(PublicKey(bytes.fromhex(document["key"])), head)
