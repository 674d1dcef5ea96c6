"""The register for the public: one plain HTML page without scripts, and JSON. Pure: entries in, text out.

Every text of an entry is escaped, and the page forbids scripts and foreign content by itself, so that nothing
in a question or an agreement can act in a reader's browser.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from fedstats.coordinator import register
from fedstats.coordinator.register import (
    QUERY_DIGITS_SHOWN,
    Read,
    listed,
    loss_text,
    one_line,
    outcome_text,
    parsed,
    text,
    texts,
    used_text,
)
from fedstats.coordinator.register_result import note_of, promise_of, tables_of
from fedstats.transparency.entry import LogEntry


def json_of(entries: Iterable[LogEntry]) -> str:
    """The register as JSON: a list of {number, at, kind, document}, in order."""
    listing = [
        {"number": e.number, "at": time_of(e.at_s), "kind": e.kind, "document": parsed(e.document)}
        for e in entries
    ]
    return json.dumps(listing, ensure_ascii=False, indent=1) + "\n"


def page_of(entries: Sequence[LogEntry], *, made_s: float) -> str:
    """The register as one HTML page: agreements, questions, and every entry in order."""
    read = [(entry, parsed(entry.document)) for entry in entries]
    parts = [
        _HEAD,
        "<h1>Register of questions</h1>",
        _INTRODUCTION,
        f"<p>{len(entries):,} entries, as of {time_of(int(made_s))}.</p>",
        "<h2>Agreements</h2>",
        *(
            _agreement(document, read)
            for entry, document in read
            if entry.kind == register.AGREEMENT_PUBLISHED
        ),
        "<h2>Questions</h2>",
        _questions(read),
        *_results(read),
        "<h2>Every entry, in order</h2>",
        _table(
            ("Number", "When", "What happened"),
            [
                (f"{e.number}", _time(e.at_s), escape(register.sentence_of(e.kind, document)))
                for e, document in read
            ],
        ),
        "</main>\n</body>\n</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def time_of(at_s: int) -> str:
    """A time in UTC, to the second; of a time that no calendar has, the number."""
    try:
        return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at_s} s"


def _agreement(document: Read, read: Sequence[tuple[LogEntry, Read]]) -> str:
    """One agreement: what the public is told about it, and who signed, accepted and withdrew."""
    public = _inner(document, "public")
    rows = [
        ("Summary", _line(public, "summary")),
        ("Purposes", _purposes(document)),
        ("Public benefit", _line(public, "public_benefit")),
        ("Legal gateway", _line(public, "legal_gateway")),
        ("Controllers", "<br>".join(_controllers(document))),
        ("Processors", escape(one_line(listed(public, "processors")))),
        ("Recipients", escape(one_line(listed(public, "recipients")))),
        ("Information", "<br>".join(_datasets(document))),
        ("Method", _line(public, "method")),
        ("Areas", _line(public, "areas")),
        ("Retention", _line(public, "retention")),
        ("Opt-outs", _opt_outs(_inner(document, "opt_out"))),
        ("Sub-licensing", _line(public, "sub_licensing")),
        ("Commercial use", _line(public, "commercial_use")),
        ("Runs", escape(f"{text(document, 'starts_on')} to {text(document, 'ends_on')}")),
        ("Review", _line(document, "review_on")),
        ("Privacy budget", _budget(_inner(document, "privacy"))),
        ("Disclosure control", _line(_inner(document, "disclosure"), "profile")),
        ("Impact assessment", _line(public, "impact_assessment")),
        ("Transparency record", _line(public, "transparency_record")),
        ("Signed by", escape(_steps(register.AGREEMENT_SIGNED, document, read))),
        ("Accepted by", escape(_steps(register.AGREEMENT_ACCEPTED, document, read))),
        ("Withdrawn by", escape(_steps(register.AGREEMENT_WITHDRAWN, document, read))),
        ("Contact", _line(public, "contact")),
        ("SHA-256", f"<code>{_line(document, 'hash')}</code>"),
    ]
    title = f"{text(document, 'title')} ({text(document, 'id')} version {text(document, 'version')})"
    lines = (f"<tr><th scope='row'>{name}</th><td>{value}</td></tr>" for name, value in rows if value)
    shown = "\n".join(lines)
    return f"<h3>{escape(one_line(title))}</h3>\n<table>\n<tbody>\n{shown}\n</tbody>\n</table>"


def _purposes(document: Read) -> str:
    lines = []
    for purpose in _tables(document, "purposes"):
        never = " ".join(f"Never: {rule}" for rule in texts(purpose, "prohibited"))
        line = f"{text(purpose, 'code')}: {text(purpose, 'text')} {never}"
        lines.append(escape(one_line(line)))
    return "<br>".join(lines)


def _controllers(document: Read) -> list[str]:
    lines = []
    for controller in _tables(document, "controllers"):
        people = (
            ("", text(controller, "role")),
            ("senior owner: ", text(controller, "senior_owner")),
            ("data protection officer: ", text(controller, "data_protection_officer")),
        )
        said = "".join(f"; {what}{name}" for what, name in people if name)
        who = f"{text(controller, 'organisation')} ({text(controller, 'department')}){said}"
        lines.append(escape(one_line(who)))
    return lines


def _datasets(document: Read) -> list[str]:
    lines = []
    for dataset in _tables(document, "datasets"):
        lines.append(escape(one_line(f"{text(dataset, 'name')}: {text(dataset, 'description')}")))
        lines.extend(_column(column) for column in _tables(dataset, "columns"))
        sources = (f"{text(s, 'department')}: {text(s, 'table')}" for s in _tables(dataset, "sources"))
        if said := ", ".join(sources):
            lines.append(escape(one_line(f"From {said}.")))
    return lines


def _column(column: Read) -> str:
    """One item of information: what it is, of which class, and why it is needed."""
    more = "; ".join(
        said for key in ("description", "classification", "justification") if (said := text(column, key))
    )
    return escape(one_line(f"- {text(column, 'name')}" + (f": {more}" if more else "")))


def _opt_outs(terms: Read) -> str:
    """Whose wish to be left out counts."""
    if not terms:
        return ""
    if terms.get("applies") is not True:
        return escape(one_line(f"not applied: {text(terms, 'reason')}"))
    if text(terms, "list") == "allow":
        return "only people on the list of consents are counted"
    return "applied: people who opted out are in no answer"


def _budget(privacy: Read) -> str:
    if not privacy:
        return ""
    whole = f"epsilon {text(privacy, 'epsilon')}, delta {text(privacy, 'delta')}"
    return escape(f"{whole}; one question at most epsilon {text(privacy, 'epsilon_per_query')}")


def _steps(kind: str, agreement: Read, read: Sequence[tuple[LogEntry, Read]]) -> str:
    """The departments of which an entry of this kind is about this agreement."""
    digest = text(agreement, "hash")
    found = (text(d, "department") for e, d in read if e.kind == kind and text(d, "hash") == digest)
    return ", ".join(dict.fromkeys(one_line(name) for name in found))


def _questions(read: Sequence[tuple[LogEntry, Read]]) -> str:
    """All questions with how their rounds ended."""
    ended: dict[str, dict[str, str]] = {}
    for entry, document in read:
        if entry.kind == register.OUTCOME:  # a later entry about the same round takes the place of an earlier
            used = used_text(document)
            said = f"Round {text(document, 'round')}: {outcome_text(document)}"
            said += f". Budget used so far: {used}" if used else ""
            ended.setdefault(text(document, "query"), {})[text(document, "round")] = escape(one_line(said))
    rows = [
        _question(entry, document, ended.get(text(document, "query"), {}).values())
        for entry, document in read
        if entry.kind == register.QUERY
    ]
    heads = ("Question", "Who", "Purpose", "Asked", "Departments", "Privacy loss", "Outcome")
    return _table(heads, rows) if rows else "<p>No question was asked so far.</p>"


def _question(entry: LogEntry, document: Read, outcomes: Iterable[str]) -> tuple[str, ...]:
    purpose = text(document, "purpose_text") or text(document, "purpose")
    return (
        f"<code>{_line(document, 'query')[:QUERY_DIGITS_SHOWN]}</code><br>{_time(entry.at_s)}",
        f"{_line(document, 'analyst')} of {_line(document, 'department')}",
        escape(one_line(f"{purpose} ({text(document, 'agreement')})")),
        f"{_line(document, 'question_words')}<br><code>{_line(document, 'question')}</code>",
        escape(one_line(listed(document, "departments"))),
        escape(one_line(loss_text(document))),
        "<br>".join(outcomes) or "Not ended",
    )


def _results(read: Sequence[tuple[LogEntry, Read]]) -> list[str]:
    """All published results, with what they promise."""
    parts = ["<h2>Results</h2>"]
    for entry, document in read:
        if entry.kind != register.RESULT:
            continue
        parts.append(f"<h3>{escape(register.sentence_of(entry.kind, document))}</h3>")
        said = (
            note_of(document),
            promise_of(document),
            f"Entry {entry.number}. 95 % intervals are in brackets.",
        )
        parts += [f"<p>{escape(line)}</p>" for line in said if line]
        for shown in tables_of(document):
            rows = [[escape(cell) for cell in row] for row in shown.rows]
            parts.append(_table([escape(head) for head in shown.heads], rows))
    return parts if len(parts) > 1 else []


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th scope='col'>{name}</th>" for name in heads)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _time(at_s: int) -> str:
    return f"<time>{escape(time_of(at_s))}</time>"


def _line(document: Read, key: str) -> str:
    return escape(one_line(text(document, key)))


def _inner(document: Read, key: str) -> Read:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def _tables(document: Read, key: str) -> list[Read]:
    value = document.get(key)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Register of questions</title>
<style>
body { margin: 0; color: #0b0c0c; background: #fff; font: 16px/1.5 Arial, Helvetica, sans-serif; }
main { max-width: 75rem; margin: 0 auto; padding: 1rem 1rem 3rem; }
h1 { font-size: 2.25rem; line-height: 1.15; }
h2 { font-size: 1.5rem; margin-top: 3rem; border-top: 2px solid #0b0c0c; padding-top: 0.75rem; }
h3 { font-size: 1.2rem; }
p { max-width: 45rem; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 0.5rem 0.75rem 0.5rem 0; border-bottom: 1px solid #b1b4b6; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #0b0c0c; }
th { overflow-wrap: normal; }
tbody th { width: 12rem; }
time, td:first-child { white-space: nowrap; }
code { font: 0.9em/1.4 Consolas, "Liberation Mono", monospace; }
@media print { main { max-width: none; padding: 0; } body { font-size: 10pt; } tr { break-inside: avoid; } }
</style>
</head>
<body>
<main>"""

_INTRODUCTION = """<p>Departments answer statistical questions together, and each keeps its own data. What \
leaves a department is a total with random noise added, which hides each single person. This page lists \
every question before it was sent to them: who asked, for which purpose, of which departments, and how much \
privacy it could cost. Entries are added and never changed.</p>"""
