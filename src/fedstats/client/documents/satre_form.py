"""The form of the SATRE record: a JSON Schema, of which docs/schemas is made."""

from __future__ import annotations

from fedstats.core.json_form import (
    DIALECT,
    Schema,
    list_of,
    one_of,
    or_null,
    table,
    text,
    texts,
    whole,
)

_DIGEST = "^[0-9a-f]{64}$"
_DECIMAL = r"^([0-9]+(\.[0-9]+)?)?$"


def _by_department(words: str) -> Schema:
    return {"type": "object", "additionalProperties": {"type": "string"}, "description": words}


_OUTPUT = table(
    "One output that was asked for.",
    register_entry=whole("Its entry in the public register.", 1),
    day=text("When it was registered."),
    query=text("SHA-256 of the signed question."),
    agreement_version=whole("Under which version of the agreement."),
    requested_by=text("By whom, as name@department."),
    purpose=text("The code of the purpose."),
    dataset=text("About which dataset."),
    edition=text("Which snapshot of it."),
    output=text("What was computed, in words."),
    mode=text("Who sees one department's numbers."),
    epsilon=text("The loss as epsilon, rounded up; empty where the register does not say.", _DECIMAL),
    delta=text("At which delta.", _DECIMAL),
    rho=text("The same loss exactly, in zero-concentrated differential privacy."),
    budget_percent=text("Which part of the agreement's budget that is.", _DECIMAL),
    disclosure_profile=text("The profile of disclosure control that was applied to the noisy numbers."),
    decision=one_of("Whether any department released it.", "released", "not released"),
    released_by=texts("The departments that did."),
    refused_by=_by_department("Those that refused, with the code of the reason."),
    no_answer_from=texts("Those that did not answer."),
    budget_used_percent=_by_department("What departments said was used of their budgets afterwards."),
)

SCHEMA: Schema = {
    "$schema": DIALECT,
    "$id": "urn:fedstats:satre:1",
    "title": "fedstats record of disclosure control",
    **table(
        "Every output under an agreement, and the disclosure control that it went through.",
        form={"const": 1, "description": "The version of this form. Fields are only ever added."},
        standard=text("For which standard."),
        agreement=text("The agreement's id."),
        agreement_version=whole("Its version.", 1),
        agreement_sha256=text("SHA-256 of its text.", _DIGEST),
        title=text("Its title."),
        register_until=or_null(whole("The newest entry of the register that was read; null: none was.")),
        process=texts("What every output goes through, in order."),
        disclosure_profile=one_of("The agreement's profile.", "none", "opensafely", "acro"),
        disclosure_rule=text("What it does."),
        limits=table(
            "The loss of privacy that the agreement allows.",
            epsilon=text("All outputs together, ever.", _DECIMAL),
            epsilon_per_query=text("One output.", _DECIMAL),
            delta=text("At which delta.", _DECIMAL),
            max_departments=whole("It holds for everyone in at most so many departments.", 1),
        ),
        responsible=list_of(
            "Who answers for it.",
            table(
                "A controller.",
                department=text("The department."),
                organisation=text("Its organisation."),
                senior_owner=or_null(text("The senior owner; null: to be filled in.")),
                data_protection_officer=or_null(text("The officer; null: to be filled in.")),
                contact=or_null(text("Whom to write to; null: to be filled in.")),
            ),
        ),
        output_checker=or_null(text("Who checks outputs; null: to be filled in.")),
        outputs=list_of("Every output.", _OUTPUT),
    ),
}
