"""The form of a guarantee report: a JSON Schema, of which docs/schemas and docs/guarantee.md are made.

The description of a field says what it means to somebody who has not met it before.
"""

from __future__ import annotations

from collections.abc import Mapping

from fedstats.core.json_form import (
    DIALECT,
    Schema,
    decimal,
    exact,
    list_of,
    one_of,
    or_null,
    table,
    text,
    texts,
    truth,
    whole,
)

SCHEMA_ID = "urn:fedstats:guarantee:1"


def _loss(words: str) -> Schema:
    return {"$ref": "#/$defs/loss", "description": words}


LOSS = table(
    "A privacy loss in figures. Decimals are rounded up; the exact fractions stand beside them.",
    epsilon=decimal("epsilon at this delta: the odds of anything about a person move by e^epsilon at most."),
    delta=decimal("delta: what the definition allows beside e^epsilon. A small probability."),
    pure=truth("Whether epsilon is pure: then delta is 0, but for the chance of naming a rare value."),
    rho=decimal("The same loss in zero-concentrated differential privacy: the currency of budgets."),
    rho_exact=exact("rho exactly, as numerator/denominator."),
    delta_add=decimal("The part of delta that adds up over queries: the chance of naming a rare value."),
    delta_add_exact=exact("The same exactly."),
    belief_percent=decimal("To where a belief of 50 % can move at most: 100 e^epsilon / (1 + e^epsilon)."),
    strict=table(
        "The strict reading: but for a chance of delta, no answer at all moves the odds by more than this.",
        epsilon=decimal("rho + 2 sqrt(rho ln(1/delta)); the same as epsilon where that is pure."),
        belief_percent=decimal("To where a belief of 50 % can move at most in this reading."),
    ),
)

SENSITIVITY = table(
    "How far one unit can move the numbers before the noise, and why.",
    d1=text("In the sum of absolute changes (L1), in whole steps.", r"^[1-9][0-9]*$"),
    d2_squared=text("The square of the same in L2.", r"^[1-9][0-9]*$"),
    derivation=text("Why it cannot be more, in words and numbers."),
)

_CLIPPING = table(
    "The limits at which values are cut off.",
    lo=text("Values below count as this."),
    hi=text("Values above count as this."),
    step=text("Values are added up in whole steps of this."),
    rounded=truth("Whether values are finer than the step, so that they are rounded to it first."),
    from_=text("Where the limits come from."),
)

_MEASURE = table(
    "One number per cell, with a noise of its own.",
    counts=one_of("What is counted or added up.", "rows", "people", "sum"),
    of=text("Of what; empty where all rows or people count."),
    weight=exact("Its share of the round's loss."),
    sensitivity={"$ref": "#/$defs/sensitivity", "description": "How far one unit can move it."},
    clipping=or_null(_CLIPPING),
    scale=decimal("The noise scale at one department, in steps: sigma, or b for Laplace. Rounded down."),
    scale_exact=exact("The scale exactly."),
    step=text("What one step of the noise is worth in the unit of the answer."),
    expected_error=table(
        "How far the noise reaches, in the unit of the answer.",
        level_percent=decimal("In how many of 100 answers it stays within."),
        one_department=decimal("In the numbers of one department."),
        total=or_null(decimal("In the sum over the departments that answered; null if none did.")),
        departments=whole("How many departments' noises the total holds."),
    ),
)

_THRESHOLD = table(
    "How values of a key without a public list were named.",
    key=text("The key."),
    least=whole("The least noisy number of units with which a value is named.", 1),
    scale=decimal("The scale of that number's noise, rounded down."),
    scale_exact=exact("The same exactly."),
    weight=exact("The share of the round's loss that choosing takes."),
    delta=decimal("The chance that a value is named which one unit alone has, at one department."),
    delta_exact=exact("The same exactly."),
    sensitivity={"$ref": "#/$defs/sensitivity", "description": "How far one unit can move that number."},
    words=text("The same in words."),
)

_ROUND = table(
    "One exchange with all departments.",
    number=whole("Its number, from 0."),
    share=exact("Its share of the query's loss."),
    loss=_loss("What it may lose over the federation."),
    aggregates=list_of(
        "What was computed.",
        table(
            "A table of cells.",
            kind=text("The kind of computation."),
            keys=texts("By which keys."),
            cells=whole("How many cells, empty ones included."),
            measures=list_of("The numbers of each cell.", _MEASURE),
            threshold=or_null(_THRESHOLD),
        ),
    ),
    releases=list_of(
        "What left the departments.",
        table(
            "One department's signed numbers.",
            department=text("Whose."),
            edition=text("The revision of the edition that it is about."),
            sha256=text("SHA-256 of the bytes that its node signed.", "^[0-9a-f]{64}$"),
        ),
    ),
    absent=list_of(
        "Who gave no numbers.",
        table("A department.", department=text("Which."), code=text("A stable code.", "^FS-[0-9]{3}$")),
    ),
)

_FIELDS: dict[str, Mapping[str, object]] = {
    "form": {"const": 1, "description": "The version of this form. Fields are only ever added."},
    "sentence": text("The promise in plain words."),
    "query": table(
        "What was asked.",
        query=text("SHA-256 of the signed query: its name in the register.", "^[0-9a-f]{64}$"),
        asked_by=text("The analyst, as name@department."),
        asked_at=text("When, in UTC."),
        question=text("The question as the analyst wrote it."),
        question_words=text("What was computed, in words that are made of the signed question alone."),
        agreement=text("Under which agreement."),
        agreement_version=whole("Its version.", 1),
        agreement_sha256=text("SHA-256 of the text that all controllers signed.", "^[0-9a-f]{64}$"),
        purpose=text("The code of the purpose."),
        purpose_text=text("What the purpose is."),
        dataset=text("About which dataset."),
        edition=text("Which snapshot of it."),
        mode=one_of("Who sees a department's numbers: everybody, noisy, or nobody.", "local", "secure"),
        participants=texts("The departments that were asked."),
    ),
    "definition": table(
        "What is promised, as mathematics.",
        name=text("The definition of privacy."),
        formal=text("Its inequality, for the epsilon and delta below."),
        source=text("Where it is from."),
        neighbours=text("Which two databases it compares."),
    ),
    "unit": table(
        "Who is protected.",
        kind=one_of("A person with all their rows, or one record.", "person", "row"),
        namespace=text("By what persons are told apart."),
        words=text("The same in words."),
        across_departments=truth("Whether it counts as one unit what several departments hold of a person."),
        beyond=text("What groups of units have."),
    ),
    "contribution": table(
        "How much one unit can contribute at most.",
        rows_max=whole("Rows at one department.", 1),
        cells_max=whole("Cells of a table.", 1),
        departments_max=whole("Departments that hold the same person.", 1),
        from_=text("Where these bounds come from."),
        enforced=text("How they are enforced."),
    ),
    "guarantees": list_of(
        "The promises of this query, one for each party that somebody may want to be protected from.",
        table(
            "A promise.",
            of=one_of("Of all answers, or of one department's.", "federation", "department"),
            against=text("Against whom it holds."),
            holds_for=text("For whom it holds."),
            departments=whole("How many departments of one person it covers.", 1),
            figures=_loss("How much."),
            words=text("Why."),
        ),
    ),
    "in_more_departments": list_of(
        "What somebody has who is in more departments than was agreed, as far as so many were asked.",
        table("So many departments.", departments=whole("How many.", 2), figures=_loss("The loss there.")),
    ),
    "cumulative": table(
        "This query together with all others.",
        agreement=table(
            "Everything that is asked under the same agreement.",
            agreement=text("Which."),
            budget=_loss("The most that all answers together can ever cost."),
            used_percent=or_null(decimal("How much of it is used; null if no department said.")),
            used=or_null(_loss("What that is as a loss.")),
            said_by=text("Who says so, and how it is to be read."),
            pace=text("How fast it may be used."),
            held_by=text("Who sees to it."),
        ),
        across_agreements=table(
            "Everything that is asked about the same persons, under any agreement.",
            figures=or_null(_loss("What it cost so far; null where it is not known here.")),
            known_to=text("Who knows it."),
            held_by=text("Who sees to it."),
        ),
    ),
    "mechanism": table(
        "The noise.",
        name=one_of("Its name.", "gaussian", "laplace"),
        law=text("Its law."),
        discrete=truth("Whether it is a whole number."),
        answered_from_record=texts("Departments that say they had answered before: free."),
    ),
    "rounds": list_of("What was computed, and with how much noise.", _ROUND),
    "public_information": texts("What the computation knew without looking at the data."),
    "trust": table(
        "Who has to be trusted.",
        mode=one_of("How answers are added up.", "local", "secure"),
        trusted=text("Whom a department has to trust."),
        colluders_max=or_null(whole("With how many parties working together it still holds; null: all.")),
        colluders=text("Who they are."),
        learns=table(
            "What each party learns.",
            analyst=text("The analyst."),
            coordinator=text("The coordinator."),
            departments=text("The other departments."),
            public=text("Everybody."),
        ),
    ),
    "randomness": texts("Where the noise comes from."),
    "numbers": texts("How numbers are handled, so that rounding tells nothing."),
    "side_channels": list_of(
        "What else could tell something.",
        table("A channel.", channel=text("Which."), done=text("What is done."), left=text("The rest.")),
    ),
    "post_processing": texts("What happens to the noisy numbers."),
    "small_groups": texts("How answers about small groups are distorted."),
    "tests": list_of(
        "What is tested of this, by every release of the software.",
        table("A promise.", promise=text("Which."), where=text("The test, in the source.")),
    ),
    "software": text("Which version made the report."),
    "unprotected": texts("What differential privacy does not cover: facts that are disclosed as they are."),
}  # fmt: skip

SCHEMA: Schema = {
    "$schema": DIALECT,
    "$id": SCHEMA_ID,
    "title": "fedstats guarantee report",
    **table("What one query promises to the people whose data it used.", **_FIELDS),
    "$defs": {"loss": LOSS, "sensitivity": SENSITIVITY},
}
