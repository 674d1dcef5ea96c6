"""Documents of data protection: complete, honest about what is not known, and inert whatever people wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from analyst_world import analyst_world, refusing
from full_agreement import full_agreement
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own
from markdown_it import MarkdownIt
from markdown_it.token import Token
from samples import sample_agreement

from fedstats.client.documents import PAGES
from fedstats.client.documents.dossier import (
    ACCEPTED,
    OUTCOME,
    QUERY,
    WITHDRAWN,
    Dossier,
    Entry,
    entries_over,
)
from fedstats.client.documents.page import FILL_IN, inert
from fedstats.client.documents.satre import record_of
from fedstats.client.documents.satre_form import SCHEMA
from fedstats.coordinator import register
from fedstats.core.agreement import Agreement, ListKind, PublicTerms
from fedstats.core.agreement_document import document_of
from fedstats.core.names import LABEL_CHARACTERS_MAX

DIGEST = "ab" * 32
FORM = Draft202012Validator(SCHEMA)
POISON = "# <b>x</b> | [l](http://e.vil) `c` **b** ~~s~~ &lt; www.e.vil ![i](x) - 1. \\"
T = TypeVar("T")
WORDS = re.compile(r"\w+")

HEADINGS = {
    "dpia": [
        "Controllers",
        "Step 1: Identify the need for a DPIA",
        "Step 2: Describe the processing",
        "Step 3: Consultation process",
        "Step 4: Assess necessity and proportionality",
        "Step 5: Identify and assess risks",
        "Step 6: Identify measures to reduce risk",
        "Step 7: Sign off and record outcomes",
        "Annex: questions that were asked",
    ],
    "atrs": [
        "Metadata",
        "Tier 1: Overview",
        "Tier 2: Owner and responsibility",
        "Tier 2: Description and rationale",
        "Tier 2: Decision making process",
        "Tier 2: Tool specification",
        "Tier 2: Data",
        "Tier 2: Risks, mitigations and impact assessments",
        "Annex: questions that were asked",
    ],
    "satre": [
        "Process of disclosure control",
        "Limits",
        "Who answers for it",
        "Intended outputs",
        "Outputs",
    ],
    "five-safes": [
        "Safe projects: is this use of the data appropriate?",
        "Safe people: can the users be trusted to use it appropriately?",
        "Safe settings: does the place of access limit unauthorised use?",
        "Safe data: what risk is in the data themselves?",
        "Safe outputs: are the results non-disclosive?",
    ],
}


def parsed(markdown: str) -> list[Token]:
    """The page as CommonMark with tables and crossed-out text; tags are let through, to be seen."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)


def structure(markdown: str) -> list[str]:
    """Every piece of markup on the page, in order, and no text."""
    plain = {"text", "text_special", "softbreak"}
    found = []
    for token in parsed(markdown):
        found += [token.type, *(child.type for child in token.children or () if child.type not in plain)]
    return found


def shown(markdown: str) -> str:
    """What a reader sees, without markup, in one line."""
    inline = (token.children or [] for token in parsed(markdown) if token.type == "inline")
    return " ".join("".join(child.content for child in children) for children in inline)


def with_texts(value: T, change: Callable[[str], str]) -> T:
    """The same with every free text changed: those that are no name of anything."""
    names = {"id", "code", "department", "name", "namespace", "column", "columns", "editions", "holders"}
    names |= {"analysts", "aggregates", "labels", "kind"}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed: dict[str, Any] = {}
    for one in fields(value):
        inner = getattr(value, one.name)
        if one.name in names and not (isinstance(inner, tuple) and inner and is_dataclass(inner[0])):
            continue
        changed[one.name] = _changed(inner, change)
    return replace(value, **changed)


def _changed(inner: Any, change: Callable[[str], str]) -> Any:
    if isinstance(inner, str):
        return change(inner) if inner else inner
    if isinstance(inner, tuple):
        return tuple(change(part) if isinstance(part, str) else with_texts(part, change) for part in inner)
    return with_texts(inner, change)


def poisoned(_text: str) -> str:
    """A text as hostile as the fields of an agreement admit."""
    return POISON[:LABEL_CHARACTERS_MAX]


def dossier(agreement: Agreement | None = None) -> Dossier:
    """Of an agreement that nothing was asked under yet."""
    return Dossier(agreement or full_agreement(), DIGEST).with_register([])


def leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a document with where it is."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    elif isinstance(value, str) and value:
        yield path, value


@pytest.mark.parametrize("name", PAGES)
def test_a_document_has_the_headings_of_its_template(name: str) -> None:
    """Whoever knows the template finds every section of it, in order."""
    page = PAGES[name](dossier())
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == HEADINGS[name]
    assert page.startswith("# ")


def test_every_term_of_the_agreement_is_in_the_dpia_annex() -> None:
    """Nothing that the controllers signed is left out of the document that they answer for.

    Keys appear as fingerprints, and words of the machine (kinds, types, modes) as sentences.
    """
    seen = " ".join(shown(PAGES["dpia"](dossier())).split())
    machine = re.compile(r"key$|type$|kind$|modes$|mechanisms$|profile$|disclosure$|\.(lo|hi)$")
    missing = [
        (path, text)
        for path, text in leaves(document_of(full_agreement()))
        if not machine.search(path) and " ".join(text.split()) not in seen
    ]
    assert missing == []


@pytest.mark.parametrize(
    "kind,said", [("deny", "People on the list are left out,"), ("allow", "are counted,")]
)
def test_what_an_opt_out_list_means_is_said_in_full(kind: str, said: str) -> None:
    """Whoever assesses the risk reads whether the list names those who are left out or those who stay."""
    agreement = full_agreement()
    terms = replace(agreement.opt_out, applies=True, reason="", list_kind=ListKind(kind))
    assert said in PAGES["dpia"](dossier(replace(agreement, opt_out=terms)))


@pytest.mark.parametrize("name", PAGES)
def test_what_people_wrote_is_text_and_nothing_else(name: str) -> None:
    """Headings, tables, links, tags and emphasis in an agreement change no markup of the page."""
    clean, hostile = full_agreement(), with_texts(full_agreement(), poisoned)
    page = PAGES[name](dossier(hostile))
    assert structure(page) == structure(PAGES[name](dossier(clean)))
    assert not {"html_inline", "html_block", "link_open", "image"} & set(structure(page))
    assert poisoned("") in shown(page)
    assert "http://" not in page
    assert "www." not in page


@pytest.mark.parametrize("name", PAGES)
def test_the_same_agreement_gives_the_same_document(name: str) -> None:
    """No time of writing, no order of a set: two people who make it compare their files."""
    assert PAGES[name](dossier()) == PAGES[name](dossier(full_agreement()))


@pytest.mark.parametrize("name", PAGES)
def test_what_is_not_known_is_left_to_be_filled_in(name: str) -> None:
    """An agreement that says less leaves more marked lines, and no word is put in anybody's mouth."""
    full = PAGES[name](dossier())
    bare = replace(sample_agreement(), public=PublicTerms("", "", "", ""))
    page = PAGES[name](dossier(bare))
    assert page.count(FILL_IN) > full.count(FILL_IN) > 1
    assert "None" not in page.replace("**Model:** None.", "")
    assert "| - |" not in page


@pytest.mark.parametrize(
    "text",
    ["", "#", "- a", "+ a", "1. a", "12) a", "===", "---", ": a", "> a", "a\n\n# b", "\u202ea", "x\t|y"],
)
def test_an_inert_text_is_one_paragraph(text: str) -> None:
    """Whatever begins a line, or hides in it, makes no list, heading, quotation or second line."""
    assert structure(inert(text)) == ["paragraph_open", "inline", "paragraph_close"]
    assert inert("2.275 %") == "2.275 %"
    assert "\u202e" not in inert(text)


def test_runs_are_listed_as_the_register_shows_them(tmp_path: Path) -> None:
    """Every question, with its loss, who answered and who refused; those of other agreements are not."""
    world = analyst_world(tmp_path, west=refusing("FS-207"))
    with world.session() as session:
        for epsilon in (1, "0.5"):
            session.query("SELECT sex, COUNT(*) AS n FROM rtt GROUP BY sex", epsilon=epsilon)
        entries = list(entries_over(session.transport))
    made = Dossier(sample_agreement(), DIGEST).with_register(entries)
    assert [run.epsilon for run in made.runs] == ["1", "0.5"]
    assert made.until == len(entries)
    first = made.runs[0]
    assert (first.asked_by, first.purpose, first.departments) == (
        "a.smith@north",
        "waiting",
        ("north", "south", "west"),
    )
    for name in PAGES:
        page = PAGES[name](made)
        assert first.name in page
        assert "epsilon 1 at delta 0.0000005" in page
    other = Dossier(replace(sample_agreement(), id="OTHER"), DIGEST).with_register(entries)
    assert other.runs == ()
    assert "no question under this agreement" in PAGES["dpia"](other)


def outcome(number: int, query: str, **said: object) -> Entry:
    """How a round of this query ended."""
    return Entry(number, 0, OUTCOME, {"query": query, "round": 0, **said})


def test_outcomes_are_joined_to_their_questions() -> None:
    """Who released, refused or was missing stands beside the question, withdrawals beside the name."""
    asked = {"agreement": "RTT-2026", "query": "aa" * 32, "analyst": "a.smith", "department": "north"}
    entries = [
        Entry(1, 0, QUERY, asked),
        outcome(2, "aa" * 32, released=["north"], refused={"west": "FS-207"}, missing=["south"]),
        Entry(3, 86_400, WITHDRAWN, {"agreement": "RTT-2026", "department": "west"}),
    ]
    made = Dossier(sample_agreement(), DIGEST).with_register(entries)
    page = shown(PAGES["dpia"](made))
    assert "answered: north; refused: west (FS-207); no answer: south" in page
    assert "withdrew on 1970-01-02" in page
    record: Any = record_of(made)
    assert record["outputs"][0]["decision"] == "released"
    assert record["outputs"][0]["refused_by"] == {"west": "FS-207"}
    assert json.loads(json.dumps(record)) == record
    for one in (record, record_of(dossier()), record_of(Dossier(sample_agreement(), DIGEST))):
        assert [problem.message for problem in FORM.iter_errors(one)] == []
    assert not FORM.is_valid({**record, "outputs": [{}]})


def test_a_register_of_junk_ends_in_a_document() -> None:
    """Entries of any shape are read as far as they can be: nobody can stop a document, or mark it up."""
    junk: list[object] = [None, 1, -1, True, "x", [1], {"epsilon": [], "delta": {}}, POISON, {POISON: POISON}]
    junk += [{"epsilon": POISON, "delta": "-1", "budget_percent": 1, "rho": None}]
    names = ("query", "loss", "departments", "version", "released", "refused", "question_words", "analyst")
    entries = [
        Entry(i, 10**30 if i % 2 else -1, kind, {"agreement": "RTT-2026", "query": "q", name: value})
        for i, (kind, name, value) in enumerate(
            ((kind, name, value) for kind in (QUERY, OUTCOME, WITHDRAWN) for name in names for value in junk),
            1,
        )
    ]
    made = Dossier(sample_agreement(), DIGEST).with_register(entries)
    for name in PAGES:
        assert not {"html_inline", "html_block", "link_open", "image"} & set(structure(PAGES[name](made)))
    assert [problem.message for problem in FORM.iter_errors(record_of(made))] == []


def test_kinds_of_entries_are_the_registers() -> None:
    """What documents look for in the register is what the coordinator writes there."""
    assert (ACCEPTED, WITHDRAWN, QUERY, OUTCOME) == (
        register.AGREEMENT_ACCEPTED,
        register.AGREEMENT_WITHDRAWN,
        register.QUERY,
        register.OUTCOME,
    )
