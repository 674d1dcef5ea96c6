"""A file of signed heads, for people to hand on: by them, logs and registers are compared elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from fedstats.core.log_head import LogHead
from fedstats.errors import FedstatsError, FileProblem
from fedstats.identity.keys import Context, PublicKey, Signed
from fedstats.wire.codec import decode_log_head, encode_log_head

FORMAT = "fedstats-heads-1"
FILE_BYTES_MAX = 50_000_000


def heads_document(heads: Iterable[Signed]) -> dict[str, object]:
    """Signed heads of any logs as JSON; each was decoded before."""
    rows = []
    for signed in heads:
        head = decode_log_head(signed.payload)
        rows.append(
            {
                "keeper": head.keeper,
                "log": head.log.hex(),
                "size": head.size,
                "root": head.root.hex(),
                "at_s": head.at_s,
                "key": signed.key.raw.hex(),
                "signature": signed.signature.hex(),
            }
        )
    return {"format": FORMAT, "heads": rows}


def read_heads(path: Path) -> list[tuple[LogHead, PublicKey]]:
    """The heads in a file, each with the key that signed it; what is not signed is left out.

    Raises
    ------
    FileProblem
        It cannot be read, or is no such file.

    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise FileProblem(f"{path} cannot be read: {problem.strerror}.") from None
    try:
        document = json.loads(content) if len(content) <= FILE_BYTES_MAX else {}
        if document["format"] != FORMAT:
            raise ValueError(FORMAT)  # noqa: TRY301 # one more way of being no such file
        read = [_read(row) for row in document["heads"]]
    except (ValueError, KeyError, TypeError, RecursionError, FedstatsError):
        raise FileProblem(
            f"{path} is no file of heads.", remedy="One is written by: fedstats register heads --output FILE"
        ) from None
    return [(head, signed.key) for head, signed in read if _holds(signed)]


def _read(row: Mapping[str, object]) -> tuple[LogHead, Signed]:
    log, root, key, signature = (bytes.fromhex(str(row[n])) for n in ("log", "root", "key", "signature"))
    size, at_s = row["size"], row["at_s"]
    if not isinstance(size, int) or not isinstance(at_s, int):
        raise TypeError("a head's size and time are whole numbers")
    head = LogHead(log, str(row["keeper"]), size, root, at_s)
    return head, Signed(encode_log_head(head), PublicKey(key), signature)


def _holds(signed: Signed) -> bool:
    with suppress(FedstatsError):
        signed.verify(Context.LOG_HEAD)
        return True
    return False
