"""What a new version of an agreement changes, in plain words: what it widens, changes and narrows. Pure.

The documents of both versions are compared term by term, so no term can be forgotten: one that has no name
in `agreement_terms` is told by its path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from fedstats.core.agreement import Agreement
from fedstats.core.agreement_document import document_of
from fedstats.core.agreement_terms import TERMS, Term, Wider
from fedstats.core.disclosure import DisclosureProfile

CHARACTERS_SHOWN = 160
_BEFORE = 20  # characters that two texts have in common and that are shown before the difference

Table = Mapping[str, object]


class Effect(Enum):
    """What a change does to what may happen with the data, the gravest first."""

    WIDENS = "widens"
    CHANGES = "changes"
    NARROWS = "narrows"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: the path of the term, what it does, and one sentence."""

    term: str
    effect: Effect
    sentence: str


def changes(old: Agreement, new: Agreement) -> tuple[Change, ...]:
    """Every difference: what widens first, then what changes, then what narrows; each by what matters."""
    found = _table("", "", document_of(old), document_of(new))
    effects, terms = list(Effect), list(TERMS)

    def rank(change: Change) -> tuple[int, int]:
        return effects.index(change.effect), terms.index(change.term) if change.term in TERMS else len(terms)

    return tuple(sorted(found, key=rank))


_NAMED_BY: Mapping[str, tuple[str, ...]] = {
    "purposes": ("code",),
    "controllers": ("department",),
    "datasets": ("name",),
    "datasets.columns": ("name",),
    "datasets.population": ("column",),
    "datasets.sources": ("department", "table"),
}
"""Which keys name an entry of a list of tables; entries of the same name are compared with each other."""

_DECIMALS = ("lo", "hi", "step", "epsilon", "delta", "epsilon_per_query", "pace_epsilon")
_DOMAIN = ("lo", "hi", "step", "labels", "characters_max", "values_max")
_ORDER: Mapping[str, Sequence[object]] = {
    "datasets.unit.kind": ("person", "row"),
    "opt_out.list": ("deny", "allow"),
    "disclosure.profile": tuple(profile.value for profile in DisclosureProfile),
}
"""Choices, in the order that `Wider` means for the term."""


def _table(path: str, of: str, old: Table, new: Table) -> Iterator[Change]:
    if path == "datasets.population" and old.keys() != new.keys():
        name = TERMS["datasets.population.truth"].name.replace("{}", of)
        yield Change(path, Effect.CHANGES, f"{name} is of another kind.")
        return
    retyped = old.get("type") != new.get("type")
    for key in {**old, **new}:
        inner = f"{path}.{key}" if path else key
        if inner == "privacy.pace_days" and _began_or_ended(old, new):
            continue  # told with pace_epsilon
        if inner == "privacy.pace_epsilon" and _began_or_ended(old, new):
            yield _pace(old, new)
        elif path == "datasets.columns" and retyped and key in _DOMAIN:
            continue  # told with the type
        else:
            yield from _value(inner, of, old.get(key), new.get(key))


def _value(path: str, of: str, old: object, new: object) -> Iterator[Change]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _table(path, of, old, new)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _tables(path, of, old, new) if path in _NAMED_BY else _entries(path, of, old, new)
    else:
        yield _scalar(path, of, old, new)


def _tables(path: str, of: str, old: list[Table], new: list[Table]) -> Iterator[Change]:
    before, after = _by_name(path, old), _by_name(path, new)
    yield from _entries(path, of, list(before), list(after))
    for name in before:
        if name in after:
            inside = f"{name} of {of}" if of else name
            yield from _table(path, inside, before[name], after[name])


def _by_name(path: str, tables: list[Table]) -> dict[str, Table]:
    return {": ".join(str(table[key]) for key in _NAMED_BY[path]): table for table in tables}


def _entries(path: str, of: str, old: list[str], new: list[str]) -> Iterator[Change]:
    """What a list has more, has no longer, or has in another order."""
    term = _term(path)
    name = term.name.replace("{}", of)
    for entry in dict.fromkeys(new):
        if entry not in old:
            effect = _effect(term, more=True)
            yield Change(path, effect, _sentence(f"{name} is added: {_shown(entry)}", term, effect))
    for entry in dict.fromkeys(old):
        if entry not in new:
            effect = _effect(term, more=False)
            yield Change(path, effect, _sentence(f"{name} is taken away: {_shown(entry)}", term, effect))
    if [entry for entry in old if entry in new] != [entry for entry in new if entry in old]:
        yield Change(path, Effect.CHANGES, f"The order of a list changes ({name[0].lower()}{name[1:]}).")


def _scalar(path: str, of: str, old: object, new: object) -> Change:
    term = _term(path)
    name = term.name.replace("{}", of)
    if path == "controllers.key":
        return Change(path, Effect.WIDENS, f"{name} is another one: whoever holds it signs and appoints.")
    more = _is_more(path, old, new)
    effect = Effect.CHANGES if more is None else _effect(term, more=more)
    verb = {None: "changes", True: "rises", False: "falls"}[more if _is_number(path, old) else None]
    before, after = _both_shown(old, new)
    return Change(path, effect, _sentence(f"{name} {verb} from {before} to {after}", term, effect))


def _is_more(path: str, old: object, new: object) -> bool | None:
    """Whether the new value is the greater, later or truer one; None for what has no order."""
    if path in _ORDER:
        order = _ORDER[path]
        return order.index(new) > order.index(old)
    if isinstance(old, bool) or isinstance(new, bool):
        return bool(new)
    if _is_number(path, old):
        return Fraction(str(new)) > Fraction(str(old))
    days = path.endswith("_on") or path.rpartition(".")[2] in ("lo", "hi")
    return str(new) > str(old) if days else None


def _is_number(path: str, value: object) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool)
    return path.rpartition(".")[2] in _DECIMALS and str(value).count("-", 1) == 0


def _began_or_ended(old: Table, new: Table) -> bool:
    return (old["pace_epsilon"] == "") != (new["pace_epsilon"] == "")


def _pace(old: Table, new: Table) -> Change:
    table, effect, verb = (
        (new, Effect.NARROWS, "begins") if old["pace_epsilon"] == "" else (old, Effect.WIDENS, "ends")
    )
    said = f"A pace {verb}: at most epsilon {table['pace_epsilon']} in any {table['pace_days']} days"
    means = ". Without it the whole budget may be spent at once." if effect is Effect.WIDENS else "."
    return Change("privacy.pace_epsilon", effect, said + means)


def _term(path: str) -> Term:
    return TERMS.get(path) or Term(path)


def _effect(term: Term, *, more: bool) -> Effect:
    if term.wider is Wider.NEITHER:
        return Effect.CHANGES
    return Effect.WIDENS if more == (term.wider is Wider.MORE) else Effect.NARROWS


def _sentence(said: str, term: Term, effect: Effect) -> str:
    """With its full stop, and with what follows for people where the change widens something."""
    ended = said if said.endswith('."') else f"{said}."
    return f"{ended} So {term.means}." if term.means and effect is Effect.WIDENS else ended


def _shown(text: str) -> str:
    """A value as it stands in a sentence: prose in quotation marks, on one line."""
    line = " ".join(text[:CHARACTERS_SHOWN].split()) + ("..." if len(text) > CHARACTERS_SHOWN else "")
    return f'"{line}"' if " " in line else line


def _both_shown(old: object, new: object) -> tuple[str, str]:
    """Both values; of long texts the part from where they differ."""
    before, after = _plain(old), _plain(new)
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    skip = max(0, same - _BEFORE) if max(len(before), len(after)) > CHARACTERS_SHOWN else 0
    dots = "..." if skip else ""
    return _shown(dots + before[skip:]), _shown(dots + after[skip:])


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value in ("", None) else str(value)
