"""A conversation that ends in the draft of an agreement: what is answered wrongly is asked again.

Who asks and answers are parameters. An end of the answers (EOFError) keeps what was said; the rest of the
draft is the template's, which says FILL IN.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from fedstats.client.agreement_draft_rules import (
    above,
    day_from,
    key_text,
    loss_text,
    optional_prose,
    prose,
    whole,
    words_of,
    yes_or_no,
)
from fedstats.client.agreement_file import template
from fedstats.core.agreement import DEPARTMENTS_MAX
from fedstats.core.domain import CELLS_OF_ONE_KEY_MAX, TEXT_CHARACTERS_MAX
from fedstats.core.names import check_agreement, check_department, check_identifier, check_label
from fedstats.core.names import check_scheduled_edition as check_edition
from fedstats.core.schema import PEOPLE_MAX, ROWS_OF_ONE_PERSON_MAX
from fedstats.errors import FedstatsError, ValueInvalid

Table = MutableMapping[str, object]
Ask = Callable[[str, str], str]
"""Shows a question and a suggestion ("": none) and returns the answer; raises EOFError at the end."""

Tell = Callable[[str], None]
_T = TypeVar("_T")
Rule = Callable[[str], _T]
"""Reads an answer; raises FedstatsError with the reason where it is none."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Asks one thing at a time."""

    ask: Ask
    tell: Tell

    def answer(self, question: str, rule: Rule[_T], suggestion: str = "") -> _T:
        """The first answer that the rule accepts; what is wrong with another is said."""
        while True:
            said = self.ask(question, suggestion).strip() or suggestion
            try:
                return rule(said)
            except FedstatsError as problem:
                self.tell(f"  {problem.sentence}")

    def more(self, question: str) -> bool:
        """Whether there is another one."""
        return self.answer(f"{question} (yes or no)", yes_or_no, "no")


def drafted(ask: Ask, tell: Tell, today: date) -> tuple[dict[str, object], bool]:
    """The draft, and whether every question was answered."""
    document: dict[str, object] = {}
    talk = Conversation(ask, tell)
    try:
        _about(talk, document)
        _who(talk, document)
        _when(talk, document, today)
        _data(talk, document)
        _privacy(talk, document)
        _answering(talk, document)
        _told(talk, document)
    except EOFError:
        return completed(document), False
    return completed(document), True


def completed(document: Mapping[str, object]) -> dict[str, object]:
    """What was said, and for the rest what the template has."""
    return _over(document, tomllib.loads(template()))


def _over(said: Mapping[str, object], rest: Mapping[str, object]) -> dict[str, object]:
    """Tables are completed key by key; of a list, every entry by the template's first one."""
    whole_document = {**rest, **said}
    for key, value in said.items():
        known = rest.get(key)
        if isinstance(value, dict) and isinstance(known, dict):
            whole_document[key] = _over(value, known)
        elif key in ("purposes", "controllers", "datasets") and isinstance(value, list):
            first = known[0] if isinstance(known, list) and known else {}
            whole_document[key] = [_over(entry, first) for entry in value]
    return whole_document


def _table(document: Table, key: str) -> dict[str, object]:
    """A table inside, which is in the document from the first answer on."""
    inner: dict[str, object] = {}
    document[key] = inner
    return inner


def _about(talk: Conversation, document: Table) -> None:
    talk.tell("What it is about. Enter takes the suggestion; Ctrl-D ends, and keeps what was said.")
    document["id"] = talk.answer("A short name, such as RTT-2026", check_agreement)
    document["version"] = 1
    document["title"] = talk.answer("Title, in one line", lambda text: check_label(text, what="title"))
    public = _table(document, "public")
    public["summary"] = talk.answer("What is done with whose data, for the public", prose)
    public["public_benefit"] = talk.answer("What the public gains", prose)
    public["legal_gateway"] = talk.answer("The law that allows it (Act and section)", prose)
    public["contact"] = talk.answer("Where questions of the public go", prose)
    purposes: list[object] = []
    document["purposes"] = purposes
    while not purposes or talk.more("Another purpose?"):
        purpose: dict[str, object] = {"prohibited": ["Decisions about one person."]}
        purposes.append(purpose)
        purpose["code"] = talk.answer("A purpose: its code, such as waiting-times", _purpose_code)
        purpose["text"] = talk.answer("  What answers are used for", prose)
        never = talk.answer("  What they may never be used for", prose, "Decisions about one person.")
        purpose["prohibited"] = [never]


def _purpose_code(text: str) -> str:
    return check_agreement(text, what="purpose")


def _who(talk: Conversation, document: Table) -> None:
    talk.tell("The departments, each with its controller: who signs and answers for it.")
    controllers: list[dict[str, object]] = []
    document["controllers"] = controllers
    while not controllers or talk.more("Another department?"):
        taken = [controller.get("department") for controller in controllers]
        controller: dict[str, object] = {}
        name = talk.answer("A department, such as york", _new_name(taken))
        controllers.append(controller)
        controller["department"] = name
        controller["organisation"] = talk.answer(
            "  Its full name", lambda text: check_label(text, what="organisation")
        )
        talk.tell(
            "  Its key is printed there by: fedstats controller fingerprint. Enter leaves it for later."
        )
        key = talk.answer("  Its controller's key", key_text)
        if key:
            controller["key"] = key
        controller["data_protection_officer"] = talk.answer("  Its data protection officer", prose)
        controller["senior_owner"] = talk.answer("  Its senior owner", optional_prose)
        controller["contact"] = talk.answer("  Its contact", optional_prose)
    everybody = ", ".join(f"*@{controller['department']}" for controller in controllers)
    document["analysts"] = talk.answer(
        "Who may ask: name@department, or *@department for all whom it appoints", words_of, everybody
    )


def _new_name(taken: list[object]) -> Rule[str]:
    def rule(text: str) -> str:
        if text in taken:
            raise ValueInvalid(f"{text} is named already.")
        return check_department(text)

    return rule


def _when(talk: Conversation, document: Table, today: date) -> None:
    start = talk.answer("The first day", day_from(None), today.isoformat())
    end = talk.answer("The last day", day_from(start), (start + timedelta(days=364)).isoformat())
    middle = start + (end - start) / 2
    review = talk.answer("The day of review", day_from(start, end), middle.isoformat())
    document.update({"starts_on": start, "ends_on": end, "review_on": review})


def _data(talk: Conversation, document: Table) -> None:
    talk.tell(
        "The data: one table that the departments share the meaning of. Others can be added to the file."
    )
    dataset: dict[str, object] = {}
    document["datasets"] = [dataset]
    dataset["name"] = talk.answer(
        "Its name, such as pathways", lambda text: check_identifier(text, what="dataset")
    )
    dataset["description"] = talk.answer("  What it holds, in one line", prose)
    persons = talk.answer("  Does it name persons? (yes or no)", yes_or_no, "yes")
    unit = _table(dataset, "unit")
    unit.update({"kind": "person" if persons else "row", "namespace": dataset["name"], "column": ""})
    dataset["rows_max"] = 1
    if persons:
        column = talk.answer("  The column that names the person", _column_name, "nhs_number")
        unit.update({"namespace": column, "column": column})
        dataset["rows_max"] = talk.answer(
            "  How many rows of one person count at one department", whole(1, ROWS_OF_ONE_PERSON_MAX), "4"
        )
    about = talk.answer("  About how many people there are in all departments together", whole(1, PEOPLE_MAX))
    dataset["people_about"] = about
    dataset["people_max"] = talk.answer(
        "  No department has more than", whole(1, PEOPLE_MAX), str(min(PEOPLE_MAX, 10 * about))
    )
    dataset["editions"] = talk.answer(
        "  The named snapshots to make, such as 2026-03, 2026-06",
        lambda text: [check_edition(name) for name in words_of(text)],
    )
    columns: list[object] = []
    dataset["columns"] = columns
    while not columns or talk.more("  Another column?"):
        columns.append(_column(talk))


def _column_name(text: str) -> str:
    return check_identifier(text, what="column")


def _column(talk: Conversation) -> dict[str, object]:
    """A column, whole: half of one would not be a column of the template's either."""
    name = talk.answer("  A column that questions may use: its name", _column_name)
    kind = talk.answer("    Its type: number, category, date, boolean or text", _one_of(*_TYPES), "category")
    column: dict[str, object] = {"name": name, "type": kind}
    if kind == "number":
        talk.tell("    Bounds come from what the column means, never from looking at the data.")
        column["lo"] = talk.answer("    The lowest value that it can mean", loss_text, "0")
        column["hi"] = talk.answer("    The highest", above(column["lo"]))
    elif kind == "category":
        column["labels"] = talk.answer("    Its values, with commas between", words_of)
    elif kind == "date":
        column["lo"] = talk.answer("    The first day", day_from(None))
        column["hi"] = talk.answer("    The last day", day_from(column["lo"]))
    elif kind == "text":
        column["characters_max"] = talk.answer("    Its longest value", whole(1, TEXT_CHARACTERS_MAX), "20")
        column["values_max"] = talk.answer(
            "    Values to name at most", whole(1, CELLS_OF_ONE_KEY_MAX), "200"
        )
        column["as_measure"] = False
    column["missing"] = talk.answer("    May it be missing? (yes or no)", yes_or_no, "no")
    column["classification"] = talk.answer(
        '    How sensitive it is, such as "special category: health"', prose, "personal data"
    )
    column["justification"] = talk.answer("    Why the purposes need it", prose)
    return column


_TYPES = ("number", "category", "date", "boolean", "text")


def _one_of(*known: str) -> Rule[str]:
    def rule(text: str) -> str:
        if text not in known:
            raise ValueInvalid(f"{text[:40]!r} is none of: {', '.join(known)}.")
        return text

    return rule


def _privacy(talk: Conversation, document: Table) -> None:
    talk.tell("Privacy: what all answers together, and one answer, may reveal about one person.")
    privacy = _table(document, "privacy")
    departments = len(_listed(document, "controllers"))
    privacy["epsilon"] = talk.answer("The whole budget (epsilon)", above("0", most="1000"), "4")
    privacy["epsilon_per_query"] = talk.answer(
        "The most for one question",
        above("0", most=str(privacy["epsilon"])),
        "1" if privacy["epsilon"] == "4" else "",
    )
    privacy["delta"] = talk.answer(
        "The chance that the promise fails (delta)", above("0", most="0.0099"), _delta(document)
    )
    privacy["max_departments"] = talk.answer(
        "In how many of the departments one person may be", whole(1, DEPARTMENTS_MAX), str(departments)
    )
    privacy["mechanisms"] = ["gaussian"]


def _delta(document: Table) -> str:
    """A power of ten, at least ten times below one in the number of people."""
    people = max(int(str(dataset["people_about"])) for dataset in _listed(document, "datasets"))
    return f"0.{'0' * max(len(str(people)), 5)}1"


def _answering(talk: Conversation, document: Table) -> None:
    departments = len(_listed(document, "controllers"))
    document["nodes_min"] = talk.answer(
        "At how many departments a question is put at least", whole(1, departments), str(min(2, departments))
    )
    document["partial"] = talk.answer(
        "May an answer do without departments that are away? (yes or no)", yes_or_no, "yes"
    )
    opt_out = _table(document, "opt_out")
    applies = talk.answer("Are people who opted out left out? (yes or no)", yes_or_no, "yes")
    opt_out["applies"] = applies
    if applies:
        opt_out["list_age_days_max"] = talk.answer(
            "  How old may the list be, in days", whole(1, 3_660), "30"
        )
    else:
        opt_out["reason"] = talk.answer("  Why not: the law that says so", prose)


def _told(talk: Conversation, document: Table) -> None:
    talk.tell("What the public register says besides. Enter leaves a line out.")
    public = document["public"]
    if isinstance(public, dict):
        for key, question in (
            ("retention", "How long answers are kept"),
            ("recipients", "Who gets answers, with commas between"),
            ("commercial_use", "Whether answers may be sold"),
            ("impact_assessment", "Where the data protection impact assessment is"),
            ("transparency_record", "Where the algorithmic transparency record is"),
        ):
            said = talk.answer(question, optional_prose)
            if said:
                public[key] = words_of(said) if key == "recipients" else said


def _listed(document: Table, key: str) -> list[dict[str, object]]:
    value = document[key]
    return value if isinstance(value, list) else []
