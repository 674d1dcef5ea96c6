"""Whether a published answer keeps to its agreement's disclosure control, cell by cell. Pure.

It looks at an answer's JSON as its analyst signed it, so it finds mistakes and another tool's tables, and not
an analyst who hides what she counted under another name: that a column counts is her word. What she could
hide so is noisy and public as far as privacy goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fedstats.core.disclosure import DisclosureProfile, DisclosureRule, rule_of

BREACHES_MAX = 20
"""More are not named."""


def breaches(profile: DisclosureProfile, document: Mapping[str, object]) -> tuple[str, ...]:
    """What in an answer's JSON goes against the profile, in sentences; nothing where it keeps to it.

    The sentences name tables, columns and rows, and no number. A document of another form is a breach.
    """
    stated = _mapping(document.get("disclosure")).get("profile")
    if stated != profile.value:
        return (f"The answer does not say that it keeps to the profile {profile.value}.",)
    rule = rule_of(profile)
    if rule is None:
        return ()
    found = [line for table in _sequence(document.get("tables")) for line in _of_table(_mapping(table), rule)]
    return tuple(found[:BREACHES_MAX])


def _of_table(table: Mapping[str, object], rule: DisclosureRule) -> Iterator[str]:
    columns, counts = _sequence(table.get("columns")), _sequence(table.get("counts"))
    for number, row in enumerate(_sequence(table.get("rows")), start=1):
        cells = _sequence(_mapping(row).get("cells"))
        if len(cells) != len(columns):
            yield f"Row {number} has another number of cells than the table has columns."
            continue
        for column, cell in zip(columns, cells, strict=True):
            value = _mapping(cell).get("value")
            if column in counts and value is not None and not _fits(value, rule):
                yield f"Row {number} shows a count in {str(column)[:60]!r} that is to be withheld or rounded."


def _fits(value: object, rule: DisclosureRule) -> bool:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    return number is not None and not rule.withholds(number) and rule.rounded(number) == number


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []
