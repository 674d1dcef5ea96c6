"""Which revisions of an edition an answer is about: departments revise on days of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


def revision_notes(edition: str, rounds: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """What a reader must know where a department answered from a revision, or from several over the rounds.

    `rounds` holds for each round the revision that each department answered from.
    """
    departments: dict[str, list[str]] = {}
    for answered in rounds:
        for department, revision in answered.items():
            departments.setdefault(department, []).append(revision)
    groups: dict[str, list[str]] = {}
    for department, revisions in sorted(departments.items()):
        distinct = list(dict.fromkeys(revisions))
        if distinct != [edition]:
            groups.setdefault(", then ".join(distinct), []).append(department)
    for revisions_text, names in groups.items():
        yield f"Of edition {edition}, {', '.join(names)} answered from the revision {revisions_text}."
