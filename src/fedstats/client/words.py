"""What an answer says besides its numbers: who took part, what it cost, what it promises. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from fedstats.client.figures import figures_of, percent
from fedstats.client.question import Question
from fedstats.core.agreement_document import decimal_text
from fedstats.core.estimate import Cost, Estimate, Participant, Value
from fedstats.core.guarantee.figures import plain
from fedstats.errors import who_acts

TEXT_COLUMNS = 100
NO_BREAK = "\u00a0"
_LAST_COMMAND = re.compile(r"(?<=: )fedstats [^\n]*$")


def filled(text: str, columns: int = TEXT_COLUMNS) -> str:
    """Wrapped, with every percent sign on the line of its number and a last command in one piece."""
    joined = _LAST_COMMAND.sub(lambda found: found[0].replace(" ", NO_BREAK), text)
    wrapped = textwrap.fill(
        joined.replace(" %", NO_BREAK + "%"),
        columns,
        subsequent_indent="  ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    return wrapped.replace(NO_BREAK, " ")


def notes_of(estimate: Estimate, question: Question) -> Iterator[tuple[str, str]]:
    """As pairs of a head and a sentence."""
    if any(isinstance(cell, Value) for table in estimate.tables for row in table for cell in row.cells):
        yield "±", "is what the privacy noise hides of the exact answer, 95 times in 100."
    derived = dict.fromkeys(name for table in estimate.tables for name in table.derived)
    if derived:
        names = ", ".join(derived)
        yield "Note:", f"Made of the released numbers, with the noise in them, and so without ±: {names}."
    absences = (sentence for table in estimate.tables for sentence in figures_of(table).absences)
    for sentence in dict.fromkeys(absences):  # once, in however many tables
        yield "-", sentence
    for note in estimate.notes:
        yield "Note:", note
    yield from _took_part(estimate.participants)
    if estimate.cost is not None:
        yield "Cost:", cost_sentence(estimate.cost, question.agreement)
    if estimate.guarantee is not None:
        yield "Promise:", estimate.guarantee.sentence
    asked = (
        f"{question.agreement} version {question.agreement_version}, {question.dataset} {question.edition}"
    )
    yield "Asked:", f"under {asked}, for {question.purpose}: {question.purpose_text}"
    yield "Job:", f"{estimate.job}; to see this answer again, free: fedstats resume {estimate.job}"


def cost_sentence(cost: Cost, agreement: str) -> str:
    """The loss, and what it is of the budget; of an answer that was recorded before, that it was free."""
    loss = f"epsilon {plain(cost.epsilon)}" + (f" at delta {decimal_text(cost.delta)}" if cost.delta else "")
    left = "" if cost.left_percent is None else f"{percent(cost.left_percent, up=False)} is left"
    if cost.free:
        now = f" Of the budget of {agreement}, {left}." if left else ""
        return (
            f"nothing. Every department had answered this before, at {loss}, and gave the same answer.{now}"
        )
    sentence = f"{loss} for one person over all departments"
    if cost.used_percent is not None:
        sentence += f"; uses {percent(cost.used_percent, up=True)} of the budget of {agreement}"
    sentence += f", and {left}" if left else ""
    if cost.delta_percent is not None:
        sentence += f"; naming values uses {percent(cost.delta_percent, up=True)} of its additive delta"
    again = f" Free at {', '.join(cost.free_at)}: answered before." if cost.free_at else ""
    return f"{sentence}.{again}"


def _took_part(participants: tuple[Participant, ...]) -> Iterator[tuple[str, str]]:
    answered = [participant.department for participant in participants if participant.refusal is None]
    yield "Answered:", (", ".join(answered) or "nobody") + "."
    for participant in participants:
        refusal = participant.refusal
        if refusal is not None:
            spent = " Its budget was charged." if refusal.charged else ""
            who = f" {who_acts(refusal.code)}".rstrip()
            yield "Absent:", f"{participant.department} ({refusal.code}): {refusal.sentence}{spent}{who}"
