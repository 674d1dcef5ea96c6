"""The form of a guarantee report: a JSON Schema, of which docs/schemas and docs/guarantee.md are made.

The description of a field says what it means to somebody who has not met it before.
"""

from __future__ import annotations

from collections.abc import Mapping

Schema = dict[str, object]

SCHEMA_ID = "urn:fedstats:guarantee:1"


def _text(words: str, pattern: str = "") -> Schema:
    return {"type": "string", "description": words, **({"pattern": pattern} if pattern else {})}


def _decimal(words: str) -> Schema:
    return _text(words, r"^[0-9]+(\.[0-9]+)?$")


def _exact(words: str) -> Schema:
    return _text(words, r"^[0-9]+/[1-9][0-9]*$")


def _whole(words: str, least: int = 0) -> Schema:
    return {"type": "integer", "minimum": least, "description": words}


def _truth(words: str) -> Schema:
    return {"type": "boolean", "description": words}


def _one_of(words: str, *values: str) -> Schema:
    return {"enum": list(values), "description": words}


def _list(words: str, items: Mapping[str, object]) -> Schema:
    return {"type": "array", "items": items, "description": words}


def _texts(words: str) -> Schema:
    return _list(words, {"type": "string"})


def _table(words: str, /, **fields: Mapping[str, object]) -> Schema:
    """Every field is there, in this order, and no other; `from_` stands for the word that Python keeps."""
    named = {name.rstrip("_"): field for name, field in fields.items()}
    return {
        "type": "object",
        "description": words,
        "properties": named,
        "required": list(named),
        "additionalProperties": False,
    }


def _or_null(schema: Schema) -> Schema:
    words = schema.get("description", "")
    return {"anyOf": [schema, {"type": "null"}], "description": words}


def _loss(words: str) -> Schema:
    return {"$ref": "#/$defs/loss", "description": words}


LOSS = _table(
    "A privacy loss in figures. Decimals are rounded up; the exact fractions stand beside them.",
    epsilon=_decimal("epsilon at this delta: the odds of anything about a person move by e^epsilon at most."),
    delta=_decimal("delta: what the definition allows beside e^epsilon. A small probability."),
    pure=_truth("Whether epsilon is pure: then delta is 0, but for the chance of naming a rare value."),
    rho=_decimal("The same loss in zero-concentrated differential privacy: the currency of budgets."),
    rho_exact=_exact("rho exactly, as numerator/denominator."),
    delta_add=_decimal("The part of delta that adds up over queries: the chance of naming a rare value."),
    delta_add_exact=_exact("The same exactly."),
    belief_percent=_decimal("To where a belief of 50 % can move at most: 100 e^epsilon / (1 + e^epsilon)."),
    strict=_table(
        "The strict reading: but for a chance of delta, no answer at all moves the odds by more than this.",
        epsilon=_decimal("rho + 2 sqrt(rho ln(1/delta)); the same as epsilon where that is pure."),
        belief_percent=_decimal("To where a belief of 50 % can move at most in this reading."),
    ),
)

SENSITIVITY = _table(
    "How far one unit can move the numbers before the noise, and why.",
    d1=_text("In the sum of absolute changes (L1), in whole steps.", r"^[1-9][0-9]*$"),
    d2_squared=_text("The square of the same in L2.", r"^[1-9][0-9]*$"),
    derivation=_text("Why it cannot be more, in words and numbers."),
)

_CLIPPING = _table(
    "The limits at which values are cut off.",
    lo=_text("Values below count as this."),
    hi=_text("Values above count as this."),
    step=_text("Values are added up in whole steps of this."),
    rounded=_truth("Whether values are finer than the step, so that they are rounded to it first."),
    from_=_text("Where the limits come from."),
)

_MEASURE = _table(
    "One number per cell, with a noise of its own.",
    counts=_one_of("What is counted or added up.", "rows", "people", "sum"),
    of=_text("Of what; empty where all rows or people count."),
    weight=_exact("Its share of the round's loss."),
    sensitivity={"$ref": "#/$defs/sensitivity", "description": "How far one unit can move it."},
    clipping=_or_null(_CLIPPING),
    scale=_decimal("The noise scale at one department, in steps: sigma, or b for Laplace. Rounded down."),
    scale_exact=_exact("The scale exactly."),
    step=_text("What one step of the noise is worth in the unit of the answer."),
    expected_error=_table(
        "How far the noise reaches, in the unit of the answer.",
        level_percent=_decimal("In how many of 100 answers it stays within."),
        one_department=_decimal("In the numbers of one department."),
        total=_or_null(_decimal("In the sum over the departments that answered; null if none did.")),
        departments=_whole("How many departments' noises the total holds."),
    ),
)

_THRESHOLD = _table(
    "How values of a key without a public list were named.",
    key=_text("The key."),
    least=_whole("The least noisy number of units with which a value is named.", 1),
    scale=_decimal("The scale of that number's noise, rounded down."),
    scale_exact=_exact("The same exactly."),
    weight=_exact("The share of the round's loss that choosing takes."),
    delta=_decimal("The chance that a value is named which one unit alone has, at one department."),
    delta_exact=_exact("The same exactly."),
    sensitivity={"$ref": "#/$defs/sensitivity", "description": "How far one unit can move that number."},
    words=_text("The same in words."),
)

_ROUND = _table(
    "One exchange with all departments.",
    number=_whole("Its number, from 0."),
    share=_exact("Its share of the query's loss."),
    loss=_loss("What it may lose over the federation."),
    aggregates=_list(
        "What was computed.",
        _table(
            "A table of cells.",
            kind=_text("The kind of computation."),
            keys=_texts("By which keys."),
            cells=_whole("How many cells, empty ones included."),
            measures=_list("The numbers of each cell.", _MEASURE),
            threshold=_or_null(_THRESHOLD),
        ),
    ),
    releases=_list(
        "What left the departments.",
        _table(
            "One department's signed numbers.",
            department=_text("Whose."),
            sha256=_text("SHA-256 of the bytes that its node signed.", "^[0-9a-f]{64}$"),
        ),
    ),
    absent=_list(
        "Who gave no numbers.",
        _table("A department.", department=_text("Which."), code=_text("A stable code.", "^FS-[0-9]{3}$")),
    ),
)

_FIELDS: dict[str, Mapping[str, object]] = {
    "form": {"const": 1, "description": "The version of this form. Fields are only ever added."},
    "sentence": _text("The promise in plain words."),
    "query": _table(
        "What was asked.",
        query=_text("SHA-256 of the signed query: its name in the register.", "^[0-9a-f]{64}$"),
        asked_by=_text("The analyst, as name@department."),
        asked_at=_text("When, in UTC."),
        question=_text("The question as the analyst wrote it."),
        question_words=_text("What was computed, in words that are made of the signed question alone."),
        agreement=_text("Under which agreement."),
        agreement_version=_whole("Its version.", 1),
        agreement_sha256=_text("SHA-256 of the text that all controllers signed.", "^[0-9a-f]{64}$"),
        purpose=_text("The code of the purpose."),
        purpose_text=_text("What the purpose is."),
        dataset=_text("About which dataset."),
        edition=_text("Which snapshot of it."),
        mode=_one_of("Who sees a department's numbers: everybody, noisy, or nobody.", "local", "secure"),
        participants=_texts("The departments that were asked."),
    ),
    "definition": _table(
        "What is promised, as mathematics.",
        name=_text("The definition of privacy."),
        formal=_text("Its inequality, for the epsilon and delta below."),
        source=_text("Where it is from."),
        neighbours=_text("Which two databases it compares."),
    ),
    "unit": _table(
        "Who is protected.",
        kind=_one_of("A person with all their rows, or one record.", "person", "row"),
        namespace=_text("By what persons are told apart."),
        words=_text("The same in words."),
        across_departments=_truth("Whether it counts as one unit what several departments hold of a person."),
        beyond=_text("What groups of units have."),
    ),
    "contribution": _table(
        "How much one unit can contribute at most.",
        rows_max=_whole("Rows at one department.", 1),
        cells_max=_whole("Cells of a table.", 1),
        departments_max=_whole("Departments that hold the same person.", 1),
        from_=_text("Where these bounds come from."),
        enforced=_text("How they are enforced."),
    ),
    "guarantees": _list(
        "The promises of this query, one for each party that somebody may want to be protected from.",
        _table(
            "A promise.",
            of=_one_of("Of all answers, or of one department's.", "federation", "department"),
            against=_text("Against whom it holds."),
            holds_for=_text("For whom it holds."),
            departments=_whole("How many departments of one person it covers.", 1),
            figures=_loss("How much."),
            words=_text("Why."),
        ),
    ),
    "in_more_departments": _list(
        "What somebody has who is in more departments than was agreed, as far as so many were asked.",
        _table("So many departments.", departments=_whole("How many.", 2), figures=_loss("The loss there.")),
    ),
    "cumulative": _table(
        "This query together with all others.",
        agreement=_table(
            "Everything that is asked under the same agreement.",
            agreement=_text("Which."),
            budget=_loss("The most that all answers together can ever cost."),
            used_percent=_or_null(_decimal("How much of it is used; null if no department said.")),
            used=_or_null(_loss("What that is as a loss.")),
            said_by=_text("Who says so, and how it is to be read."),
            pace=_text("How fast it may be used."),
            held_by=_text("Who sees to it."),
        ),
        across_agreements=_table(
            "Everything that is asked about the same persons, under any agreement.",
            figures=_or_null(_loss("What it cost so far; null where it is not known here.")),
            known_to=_text("Who knows it."),
            held_by=_text("Who sees to it."),
        ),
    ),
    "mechanism": _table(
        "The noise.",
        name=_one_of("Its name.", "gaussian", "laplace"),
        law=_text("Its law."),
        discrete=_truth("Whether it is a whole number."),
        answered_from_record=_texts("Departments that say they had answered before: free."),
    ),
    "rounds": _list("What was computed, and with how much noise.", _ROUND),
    "public_information": _texts("What the computation knew without looking at the data."),
    "trust": _table(
        "Who has to be trusted.",
        mode=_one_of("How answers are added up.", "local", "secure"),
        trusted=_text("Whom a department has to trust."),
        colluders_max=_or_null(_whole("With how many parties working together it still holds; null: all.")),
        colluders=_text("Who they are."),
        learns=_table(
            "What each party learns.",
            analyst=_text("The analyst."),
            coordinator=_text("The coordinator."),
            departments=_text("The other departments."),
            public=_text("Everybody."),
        ),
    ),
    "randomness": _texts("Where the noise comes from."),
    "numbers": _texts("How numbers are handled, so that rounding tells nothing."),
    "side_channels": _list(
        "What else could tell something.",
        _table("A channel.", channel=_text("Which."), done=_text("What is done."), left=_text("The rest.")),
    ),
    "post_processing": _texts("What happens to the noisy numbers."),
    "small_groups": _texts("How answers about small groups are distorted."),
    "tests": _list(
        "What is tested of this, by every release of the software.",
        _table("A promise.", promise=_text("Which."), where=_text("The test, in the source.")),
    ),
    "software": _text("Which version made the report."),
    "unprotected": _texts("What differential privacy does not cover: facts that are disclosed as they are."),
}  # fmt: skip

SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": SCHEMA_ID,
    "title": "fedstats guarantee report",
    **_table("What one query promises to the people whose data it used.", **_FIELDS),
    "$defs": {"loss": LOSS, "sensitivity": SENSITIVITY},
}
