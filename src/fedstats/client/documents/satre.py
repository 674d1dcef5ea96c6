"""The record of disclosure control for evaluations against SATRE, section 3.3 (output management, 3.3.09).

SATRE (Standard Architecture for Trusted Research Environments) asks for a documented process of disclosure
control that every output goes through, and for who answers for it. Here the process is the same for every
output, and the record lists each with what was done. The same as JSON, for systems that collect such records.
"""

from __future__ import annotations

from fedstats.client.documents import parts
from fedstats.client.documents.dossier import Dossier, RegisteredRun
from fedstats.client.documents.page import Page
from fedstats.core.agreement_document import Document, decimal_text
from fedstats.core.disclosure import rule_words

FORM = 1
PROCESS = (
    "Every output is computed by a fixed program from a signed question; nobody copies data out by hand.",
    "The question must be one that the agreement allows: purpose, data, computation, keys and loss.",
    (
        "Noise that hides every single person is added in the department before anything leaves "
        "(differential privacy); the loss is charged to budgets that never refill."
    ),
    "The agreement's profile of disclosure control is applied to the noisy numbers.",
    (
        "The output is signed by the department's node and kept; the public register shows the question, the "
        "loss and who answered."
    ),
)


def record_of(dossier: Dossier) -> Document:
    """The record as JSON: texts, whole numbers, lists and tables; decimals are texts."""
    agreement = dossier.agreement
    return {
        "form": FORM,
        "standard": "SATRE, output management (3.3), record of disclosure control",
        "agreement": agreement.id,
        "agreement_version": agreement.version,
        "agreement_sha256": dossier.digest,
        "title": agreement.title,
        "register_until": dossier.until,
        "process": list(PROCESS),
        "disclosure_profile": agreement.disclosure.value,
        "disclosure_rule": rule_words(agreement.disclosure),
        "limits": {
            "epsilon": decimal_text(agreement.privacy.epsilon),
            "epsilon_per_query": decimal_text(agreement.privacy.epsilon_per_query),
            "delta": decimal_text(agreement.privacy.delta),
            "max_departments": agreement.privacy.max_departments,
        },
        "responsible": [
            {
                "department": c.department,
                "organisation": c.organisation,
                "senior_owner": c.senior_owner or None,
                "data_protection_officer": c.data_protection_officer or None,
                "contact": c.contact or None,
            }
            for c in agreement.controllers
        ],
        "output_checker": None,
        "outputs": [_output(run, dossier) for run in dossier.runs],
    }


def _output(run: RegisteredRun, dossier: Dossier) -> Document:
    return {
        "register_entry": run.number,
        "day": run.day,
        "query": run.query,
        "agreement_version": run.version,
        "requested_by": run.asked_by,
        "purpose": run.purpose,
        "dataset": run.dataset,
        "edition": run.edition,
        "output": run.question,
        "mode": run.mode,
        "epsilon": run.epsilon,
        "delta": run.delta,
        "rho": run.rho,
        "budget_percent": run.budget_percent,
        "disclosure_profile": dossier.agreement.disclosure.value,
        "decision": "released" if run.outcome.released else "not released",
        "released_by": list(run.outcome.released),
        "refused_by": dict(run.outcome.refused),
        "no_answer_from": [*run.outcome.missing, *run.outcome.left_out],
        "budget_used_percent": dict(run.outcome.used_percent),
    }


def page_of(dossier: Dossier) -> str:
    """The same record in Markdown."""
    page, agreement = Page(), dossier.agreement
    parts.begin(page, "Record of disclosure control (SATRE 3.3)", dossier)
    page.heading(2, "Process of disclosure control")
    page.items(PROCESS)
    page.heading(2, "Limits")
    page.items((*parts.privacy(agreement), *parts.answering(agreement)))
    page.heading(2, "Who answers for it")
    parts.controllers(page, dossier)
    page.fact("Output checker", "")
    page.fill_in("How outputs are checked that no person checks: the policy of the organisation.")
    page.heading(2, "Intended outputs")
    parts.purposes(page, agreement)
    page.heading(2, "Outputs")
    parts.runs(page, dossier)
    return page.text()
