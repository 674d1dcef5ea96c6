"""What the public register says: the document of each kind of entry, and one sentence about each. Pure.

Entries outlive programs, so keys are only ever added. Readers meet entries of later kinds and must not fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import Document, document_of
from fedstats.core.appointment import Appointment
from fedstats.core.guarantee.figures import decimal_up
from fedstats.core.query import Proceeding, RoundOrder
from fedstats.core.reason import Reason
from fedstats.identity.keys import Signed

AGREEMENT_PUBLISHED = "agreement-published"
AGREEMENT_SIGNED = "agreement-signed"
AGREEMENT_ACCEPTED = "agreement-accepted"
AGREEMENT_WITHDRAWN = "agreement-withdrawn"
PAUSED = "paused"
RESUMED = "resumed"
CONTROLLER_BOUND = "controller-bound"
CONTROLLER_UNBOUND = "controller-unbound"
QUERY = "query"
ROUND = "round"
PROCEEDED = "proceeded"
OUTCOME = "outcome"
RESULT = "result"

QUERY_DIGITS_SHOWN = 12

Read = Mapping[str, object]
"""An entry's document as it is read: made by any coordinator, so nothing of it is taken for granted."""


def agreement_entry(agreement: Agreement, digest: bytes) -> Document:
    """A new agreement, whole: every field that its controllers sign, and the SHA-256 of the document.

    Whoever takes the hash away and writes the rest in canonical JSON has what was signed.
    """
    return {**document_of(agreement), "hash": digest.hex()}


def agreement_step(identifier: str, version: int, digest: bytes, department: str, **said: str) -> Document:
    """A department signed, accepted or withdrew from an agreement, and what more it `said`."""
    return {
        "agreement": identifier,
        "version": version,
        "hash": digest.hex(),
        "department": department,
        **said,
    }


def pause_entry(department: str, reason: str) -> Document:
    """A department answers nothing for now, for this reason; without one it answers again."""
    return {"department": department, "reason": reason}


def key_entry(department: str, fingerprint: str) -> Document:
    """By which key a department's controller is known from now on, or no longer."""
    return {"department": department, "fingerprint": fingerprint}


def round_entry(order: RoundOrder) -> Document:
    """A later round of a question that is registered."""
    return {"query": order.query.hex(), "round": order.number, "departments": list(order.participants)}


def proceeding_entry(proceeding: Proceeding) -> Document:
    """The analyst goes on without some departments."""
    return {
        "query": proceeding.query.hex(),
        "round": proceeding.number,
        "departments": list(proceeding.participants),
        "left_out": list(proceeding.left_out),
    }


def outcome_entry(  # noqa: PLR0913 # one parameter for each way in which a department ends
    query: bytes,
    number: int,
    *,
    released: Iterable[str],
    refused: Mapping[str, str],
    missing: Iterable[str],
    left_out: Iterable[str],
    free: Iterable[str] = (),
    reasons: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """How a round ended: who answered, who refused with which code, whom the analyst went on without.

    `reasons` are the categories where people at a department refused or paused;
    `missing` had not answered at the deadline; `free` answered from their record and charged nothing.
    """
    return {
        "query": query.hex(),
        "round": number,
        "released": sorted(released),
        "refused": dict(sorted(refused.items())),
        "reasons": dict(sorted((reasons or {}).items())),
        "missing": sorted(missing),
        "left_out": sorted(left_out),
        "free": sorted(free),
    }


def standing_entry(used_ppm: Mapping[str, int], logs: Mapping[str, Document]) -> dict[str, object]:
    """How departments stood when they had answered, as further keys of how a round ended.

    `used_ppm` is the part of the agreement's budget that each says is used, `logs` how far each one's own log
    had come: whoever witnesses the register witnesses them with it.
    """
    return {
        "budget_used_percent": {name: _percent(part) for name, part in sorted(used_ppm.items())},
        "logs": dict(sorted(logs.items())),
    }


def result_entry(signed: Signed, appointment: Appointment) -> Document:
    """What an analyst published: `result` in canonical JSON is what the signature covers."""
    document = json.loads(signed.payload)
    return {
        "query": document["query"],
        "analyst": appointment.name,
        "department": appointment.department,
        "key": signed.key.raw.hex(),
        "signature": signed.signature.hex(),
        "result": document,
    }


def parsed(document: bytes) -> Read:
    """The document of an entry; one that cannot be read is empty."""
    try:
        read = json.loads(document)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def sentence_of(kind: str, document: Read) -> str:
    """The entry in one sentence: one line without control characters, whatever the entry holds."""
    return one_line(_sentence(kind, document))


def _sentence(kind: str, document: Read) -> str:
    write = _SENTENCES.get(kind)
    return write(document) if write else f"An entry of the kind {kind}, which this version does not know."


def _published(document: Read) -> str:
    return f"Agreement {text(document, 'id')} version {text(document, 'version')}: {text(document, 'title')}."


def _signed(document: Read) -> str:
    return f"The controller of {text(document, 'department')} signed agreement {_agreement(document)}."


def _accepted(document: Read) -> str:
    return f"The node of {text(document, 'department')} accepted agreement {_agreement(document)}."


def _withdrawn(document: Read) -> str:
    why = text(document, "reason")
    said = f"{text(document, 'department')} withdrew from agreement {_agreement(document)}"
    return f"{said}: {_reason_words(why)}." if why else f"{said}."


def _paused(document: Read) -> str:
    why = text(document, "reason")
    who = text(document, "department")
    return f"{who} answers nothing for now: {_reason_words(why)}." if why else f"{who} answers again."


def _bound(document: Read) -> str:
    return f"The controller of {text(document, 'department')} speaks by the key {_fingerprint(document)}."


def _unbound(document: Read) -> str:
    return (
        f"The key {_fingerprint(document)} of {text(document, 'department')}'s controller serves no longer."
    )


def _asked(document: Read) -> str:
    who = f"{text(document, 'analyst')} of {text(document, 'department')}"
    why = f"for the purpose {text(document, 'purpose')} under {_agreement(document)}"
    what = text(document, "question_words") or text(document, "question")
    return f"{who} asked, {why}: {what}"


def _round(document: Read) -> str:
    whom = listed(document, "departments")
    return f"Question {_question(document)}: round {text(document, 'round')} was asked of {whom}."


def _proceeded(document: Read) -> str:
    whom = f"the analyst went on without {listed(document, 'left_out')}"
    return f"Question {_question(document)}, round {text(document, 'round')}: {whom}."


def _ended(document: Read) -> str:
    return f"Question {_question(document)}, round {text(document, 'round')}: {outcome_text(document)}."


def _result(document: Read) -> str:
    who = f"{text(document, 'analyst')} of {text(document, 'department')}"
    result = document.get("result")
    replaces = text(result, "replaces") if isinstance(result, dict) else ""
    instead = f", in the place of entry {replaces}" if replaces not in ("", "0") else ""
    return f"{who} published a result of question {_question(document)}{instead}."


_SENTENCES: Mapping[str, Callable[[Read], str]] = {
    AGREEMENT_PUBLISHED: _published,
    AGREEMENT_SIGNED: _signed,
    AGREEMENT_ACCEPTED: _accepted,
    AGREEMENT_WITHDRAWN: _withdrawn,
    PAUSED: _paused,
    RESUMED: _paused,
    CONTROLLER_BOUND: _bound,
    CONTROLLER_UNBOUND: _unbound,
    QUERY: _asked,
    ROUND: _round,
    PROCEEDED: _proceeded,
    OUTCOME: _ended,
    RESULT: _result,
}


def _agreement(document: Read) -> str:
    return f"{text(document, 'agreement')} version {text(document, 'version')}"


def _reason_words(word: str) -> str:
    """A category of reasons in words; what is none, as it stands."""
    known = {reason.value: reason.words for reason in Reason}
    return known.get(word, word)


def _fingerprint(document: Read) -> str:
    return text(document, "fingerprint")


def _question(document: Read) -> str:
    return text(document, "query")[:QUERY_DIGITS_SHOWN]


def outcome_text(document: Read) -> str:
    """Who answered, refused or was missing."""
    refused, why = document.get("refused"), document.get("reasons")
    words = {who: f": {reason}" for who, reason in why.items()} if isinstance(why, dict) else {}
    said_no = refused.items() if isinstance(refused, dict) else ()
    codes = [f"{who} ({code}{words.get(who, '')})" for who, code in said_no]
    said = {
        "answered by": listed(document, "released"),
        "from the record, which is free,": _free(document),
        "refused by": ", ".join(codes),
        "no answer by the deadline from": listed(document, "missing"),
        "left out by the analyst:": listed(document, "left_out"),
    }
    return "; ".join(f"{how} {who}" for how, who in said.items() if who) or "nobody answered"


def used_text(document: Read) -> str:
    """Which part of their budgets departments had used after a round."""
    used = document.get("budget_used_percent")
    return ", ".join(f"{who} {part} %" for who, part in used.items()) if isinstance(used, dict) else ""


def _free(document: Read) -> str:
    """Which of those that answered charged nothing, because they had recorded the answer before."""
    free = listed(document, "free")
    return "by all of them" if free and free == listed(document, "released") else f"by {free}" if free else ""


def loss_text(document: Read) -> str:
    """The loss of a question, as people write it."""
    loss = document.get("loss")
    if not isinstance(loss, dict):
        return ""
    delta, share, belief = (text(loss, key) for key in ("delta", "budget_percent", "belief_percent_max"))
    said = f"epsilon {text(loss, 'epsilon')}" + (f", delta {delta}" if delta not in ("", "0") else "")
    said += f", {share} % of the budget" if share else ""
    return f"{said}; belief moves from 50 % to at most {belief} %" if belief else said


def text(document: Read, key: str) -> str:
    """A text or a number of an entry; empty if it is missing or something else."""
    value = document.get(key, "")
    return str(value) if isinstance(value, str | int) else ""


def listed(document: Read, key: str) -> str:
    """A list of texts of an entry, in one line."""
    return ", ".join(texts(document, key))


def texts(document: Read, key: str) -> list[str]:
    """A list of texts of an entry."""
    value = document.get(key)
    return [str(item) for item in value] if isinstance(value, list) else []


LINE_CHARACTERS_MAX = 20_000  # a thousand departments by name


def one_line(said: str) -> str:
    """What came from another machine as one printable line of bounded length, for terminals and pages."""
    line = "".join(c for c in " ".join(said[: 2 * LINE_CHARACTERS_MAX].split()) if c.isprintable())
    return line if len(line) <= LINE_CHARACTERS_MAX else f"{line[: LINE_CHARACTERS_MAX - 1]}…"


def _percent(parts_per_million: int) -> str:
    """Parts per million as a percentage, rounded up to four digits."""
    return decimal_up(Fraction(parts_per_million, 10_000))
