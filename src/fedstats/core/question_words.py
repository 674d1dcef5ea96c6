"""A question in plain English, from what its analyst signed and what the agreement defines alone.

Nothing of it is the analyst's own text: what a person at a department decides about, and what the public
register prints, is what will be computed, whoever words it elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from hashlib import sha256

from fedstats.core.aggregate import Aggregate
from fedstats.core.aggregate.grouped_sums import Measure, MeasureKind
from fedstats.core.aggregate.tree import Tree
from fedstats.core.bound import Bound, BoundKind
from fedstats.core.domain import Domain, Numbers, Truth
from fedstats.core.expression import Expression
from fedstats.core.expression_words import expression_words, number_words, operand_words
from fedstats.core.inference import domain_of
from fedstats.core.privacy import UnitKind
from fedstats.core.query import Query, RoundOrder, Scope
from fedstats.core.schema import Dataset
from fedstats.core.statistic import Mode
from fedstats.errors import InternalError

WORDS_CHARACTERS_MAX = 3_900
"""A text that every document takes; what is longer is cut, and names the hash of the whole."""

DEPARTMENTS_NAMED_MAX = 12


def question_words(query: Query, order: RoundOrder, dataset: Dataset) -> str:
    """The question in printable sentences, one a line, at most 3,900 characters.

    Different conditions, keys, measures, clips, editions and modes read differently. The privacy loss, the
    purpose and the people are said beside it, not in it.

    Raises
    ------
    LanguageError
        The round does not fit the definition of the dataset.

    """
    words = "\n".join(question_sentences(query, order, dataset))
    if len(words) <= WORDS_CHARACTERS_MAX:
        return words
    cut = f" ...\nThe whole has {len(words)} characters; its SHA-256 is {sha256(words.encode()).hexdigest()}."
    return words[: WORDS_CHARACTERS_MAX - len(cut)] + cut


def question_sentences(query: Query, order: RoundOrder, dataset: Dataset) -> tuple[str, ...]:
    """The same without a limit, for whoever decides; raises as `question_words`."""
    rows = "all rows" if query.where is None else f"rows where {expression_words(query.where)}"
    computed = (
        f"{_capital(_aggregate(aggregate, dataset))}, for {rows}." for aggregate in order.round.aggregates
    )
    return (
        *computed,
        f"Asked about dataset {query.dataset}, edition {query.edition}, of {_asked_of(order.participants)}.",
        _mode(query.mode),
        *_later(query, order),
    )


def _aggregate(aggregate: Aggregate, dataset: Dataset) -> str:
    opened = aggregate.open_key(dataset)
    keys = [
        f"those values of {operand_words(key)} that enough {_units(dataset)} have"
        if key == opened
        else operand_words(key)
        for key in aggregate.keys
        if aggregate.tree is None or key != aggregate.tree.key
    ]
    by = f" by {_and(keys)}" if keys else " in all"
    return (
        _and([_measure(measure, dataset) for measure in aggregate.measures])
        + ("" if aggregate.tree is None else tree_words(aggregate.tree))
        + by
        + bound_words(aggregate.bound)
    )


def tree_words(tree: Tree) -> str:
    """At which levels it counts, as quantiles need it."""
    sizes = [f"{size:,}" for size in tree.sizes[::-1]]
    above = f", and so on by {tree.branching} in a row ({_and(sizes)} nodes)" if len(sizes) > 1 else ""
    return f" in {tree.bins:,} bins of {operand_words(tree.key)}{above}"


def bound_words(bound: Bound) -> str:
    """How the rows of one person count, as the end of a sentence; nothing where each counts alike."""
    if bound.kind is BoundKind.PEOPLE:
        return ", where a person counts once in each cell, with the mean of their values there"
    if bound.kind is BoundKind.NORM:
        return (
            f", where the rows of a person have a weight, so that together they are no longer than "
            f"{bound.norm} row{'' if bound.norm == 1 else 's'} (in L2, over the cells)"
        )
    return ""


def _measure(measure: Measure, dataset: Dataset) -> str:
    if measure.expression is None:
        return "counts rows" if measure.kind is MeasureKind.ROWS else f"counts {_units(dataset)}"
    words = operand_words(measure.expression)
    if measure.grid is None:
        what = "rows" if measure.kind is MeasureKind.ROWS else _units(dataset)
        return f"counts {what} in which {words} is known"
    domain = domain_of(measure.expression, dataset)
    centre, reach = measure.grid.centre, measure.grid.half_width * measure.grid.step
    lo, hi, step = _ends(domain)
    clipped = lo < centre - reach or hi > centre + reach
    ends = f"{number_words(max(lo, centre - reach))} to {number_words(min(hi, centre + reach))}"
    rounded = f", rounded to steps of {number_words(measure.grid.step)}" if measure.grid.step > step else ""
    return f"adds up {words} ({'cut off at ' if clipped else ''}{ends}{rounded})"


def _ends(domain: Domain) -> tuple[Fraction, Fraction, Fraction]:
    """The least value, the greatest, and how far apart values are; a truth value is 0 or 1."""
    if isinstance(domain, Numbers):
        return domain.lo, domain.hi, domain.step
    if not isinstance(domain, Truth):
        raise InternalError("Only numbers and conditions have a grid.")
    return Fraction(0), Fraction(1), Fraction(1)


def _later(query: Query, order: RoundOrder) -> Iterable[str]:
    """What later rounds may ask beyond this one: an approval is for all of them."""
    if query.rounds_max == 1:
        return
    yield (
        f"May go on in up to {query.rounds_max} rounds, each chosen after the answers before it: by the keys "
        "and of the expressions that are named here, with other limits."
    )
    now = Scope.of(order.round.aggregates, query.where)
    for what, announced, used in (
        ("group by", query.scope.keys, now.keys),
        ("add up or count", query.scope.measures, now.measures),
    ):
        more = [expression for expression in announced if expression not in set(used)]
        if more:
            yield f"Later rounds may also {what} {_listed(more)}."


def _listed(expressions: Sequence[Expression]) -> str:
    return _and([operand_words(expression) for expression in expressions])


def _mode(mode: Mode) -> str:
    if mode is Mode.LOCAL:
        return "Every number carries noise; each department's numbers are seen apart."
    return "Every number carries noise; only totals over the departments are seen."


def _asked_of(names: Sequence[str]) -> str:
    more = len(names) - DEPARTMENTS_NAMED_MAX
    shown = ", ".join(names[:DEPARTMENTS_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
    return f"{len(names)} department{'' if len(names) == 1 else 's'} ({shown})"


def _units(dataset: Dataset) -> str:
    return "people" if dataset.unit.kind is UnitKind.PERSON else "records"


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
