"""What a published text of an agreement is worth on this computer, and which of several is meant. Pure.

Anybody may try to publish a text that has another one's name and version. What tells them apart are the keys
that were compared and are trusted here: {department: fingerprint of its controller's key}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fedstats.client.authority import Record
from fedstats.core.agreement import Agreement
from fedstats.errors import AgreementInvalid, KeyUnknown
from fedstats.identity.keys import PublicKey

HASH_DIGITS = 12  # of a text's SHA-256, as people compare it

Trusted = Mapping[str, str]


def contradicted(agreement: Agreement, trusted: Trusted) -> tuple[str, ...]:
    """The departments for which the text lists another key than the one that is trusted here."""
    return tuple(
        c.department
        for c in agreement.controllers
        if c.department in trusted and not PublicKey(c.key).has_fingerprint(trusted[c.department])
    )


def vouchers(record: Record, trusted: Trusted) -> tuple[str, ...]:
    """The departments that signed the text with a key that is trusted here."""
    unsigned = record.unsigned
    return tuple(
        c.department
        for c in record.agreement.controllers
        if c.department not in unsigned
        and c.department in trusted
        and PublicKey(c.key).has_fingerprint(trusted[c.department])
    )


def doubts(record: Record, trusted: Trusted) -> str:
    """Why the text should not be relied on here, in a few words; empty where a trusted controller signed."""
    others = contradicted(record.agreement, trusted)
    if others:
        return f"not to be relied on: it lists another key for {', '.join(others)} than is trusted here"
    return "" if vouchers(record, trusted) else "not signed with any key that is trusted here"


def best_first(records: Sequence[Record], trusted: Trusted) -> tuple[Record, ...]:
    """Texts that contradict no trusted key, then those that a trusted controller signed, then newer ones."""

    def rank(record: Record) -> tuple[bool, bool, int]:
        known = bool(contradicted(record.agreement, trusted)), not vouchers(record, trusted)
        return (*known, -record.agreement.version)

    return tuple(sorted(records, key=rank))


def hash_words(document_hash: bytes) -> str:
    """The first digits of a text's SHA-256."""
    return document_hash.hex()[:HASH_DIGITS]


@dataclass(frozen=True, slots=True)
class Choice:
    """The text to sign, and newer ones that were passed over: no trusted controller signed them."""

    record: Record
    passed_over: tuple[Record, ...] = ()


def choose_to_sign(
    records: Sequence[Record], department: str, trusted: Trusted, *, hash_prefix: str = ""
) -> Choice:
    """The newest text for this department to sign: one that another trusted controller signed, if there is.

    Only texts count that contradict no key that is trusted here: the department's own is, since it was made.

    Raises
    ------
    KeyUnknown
        No text counts.
    AgreementInvalid
        Several texts remain and `hash_prefix` does not tell them apart, or none begins with it.

    """
    fitting = [
        record
        for record in records
        if record.agreement.controller(department) and not contradicted(record.agreement, trusted)
    ]
    if not fitting:
        raise KeyUnknown(
            f"No published text names {department} and only such keys as are trusted here, or unknown here.",
            remedy="Ask for the agreement's file and sign that, or compare the keys again by telephone.",
        )
    if hash_prefix:
        return Choice(
            _only(record for record in fitting if record.hash.hex().startswith(hash_prefix.lower()))
        )
    others = {name: fingerprint for name, fingerprint in trusted.items() if name != department}
    vouched = [record for record in fitting if vouchers(record, others)] or fitting
    newest = max(record.agreement.version for record in vouched)
    return Choice(
        _only(record for record in vouched if record.agreement.version == newest),
        tuple(record for record in fitting if record.agreement.version > newest),
    )


def _only(records: Iterable[Record]) -> Record:
    found = list(records)
    if len(found) == 1:
        return found[0]
    if not found:
        raise AgreementInvalid(
            "No text that counts here has a SHA-256 that begins so.",
            remedy="See them with: fedstats agreement show ID",
        )
    hashes = ", ".join(sorted(hash_words(record.hash) for record in found))
    raise AgreementInvalid(
        f"{len(found)} different texts of this version were published, with the SHA-256 {hashes}.",
        remedy="Ask the other controllers which one is meant, and name it: --hash PREFIX",
    )


@dataclass(frozen=True, slots=True)
class Earlier:
    """The version that a new one is compared with, and why it is that one."""

    agreement: Agreement
    words: str


def earlier(records: Sequence[Record], new: Agreement, department: str, trusted: Trusted) -> Earlier | None:
    """The last other text up to `new` that all signed with keys trusted here, else that `department` signed.

    A text with the same version number counts too: that it is called the same hides no change.

    Where there is neither, one that was published and that nothing here vouches for, which `words` say;
    None if there is none.
    """

    def key_trusted(name: str, key: PublicKey) -> bool:
        return name in trusted and key.has_fingerprint(trusted[name])

    def all_signed(record: Record) -> bool:
        return not record.unsigned and not record.strangers(key_trusted)

    def own_signed(record: Record) -> bool:
        return department in record.agreement.departments and department not in record.unsigned

    before = [r for r in records if r.agreement.version <= new.version and r.agreement != new]
    sound = [record for record in before if not contradicted(record.agreement, trusted)]
    for fitting, words in (
        ([record for record in sound if all_signed(record)], "all controllers signed"),
        ([record for record in sound if own_signed(record)], "you signed before"),
        (before, "was published, and does not count here: other keys are trusted, or it lacks signatures"),
    ):
        if fitting:
            return Earlier(max(fitting, key=lambda record: record.agreement.version).agreement, words)
    return None
