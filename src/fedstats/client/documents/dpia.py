"""The annex of a data protection impact assessment (DPIA), in the steps of the ICO's sample template.

Source of the steps and what each asks: the ICO's sample DPIA template and "How do we do a DPIA?".
"""

from __future__ import annotations

from fedstats.client.documents import parts
from fedstats.client.documents.dossier import Dossier
from fedstats.client.documents.page import FILL_IN, Page

RISKS = (
    (
        "Somebody is recognised in an answer, or learns something about a person from one",
        (
            "Every number carries noise that hides each person (differential privacy). The loss is bounded "
            "for one question and for all together, and each department counts it in its own ledger."
        ),
    ),
    (
        "Many answers together tell what one does not",
        (
            "Losses add up in the ledger; what the budget does not allow is refused. A repeated question "
            "gets the recorded answer."
        ),
    ),
    (
        "Data are used for another purpose",
        (
            "Each question names a purpose of the agreement. A department's node refuses others from its own "
            "copy, and the public register shows every question before it runs."
        ),
    ),
    (
        "Whoever runs the coordinator, or breaks into it, reads or changes what passes through",
        (
            "It holds no rows and no key that matters. Questions, agreements and answers are signed, and "
            "noise is added before anything leaves a department."
        ),
    ),
    (
        "People are counted who opted out",
        "They are left out when a snapshot is made, and a list that is too old stops the answers.",
    ),
    (
        "A department's own computer or staff are the way in",
        (
            "The node needs no privileges, opens no port unasked and has only to read its source. Whoever "
            "administers it can see the data of that department, as before."
        ),
    ),
    (
        "Groups of few people are misrepresented by the noise and decisions follow from it",
        "Every number has its interval, and a missing number says why. What readers make of them is outside.",
    ),
)


def page_of(dossier: Dossier) -> str:
    """The annex in Markdown."""
    page = Page()
    parts.begin(page, "DPIA annex", dossier)
    _need(page, dossier)
    _nature(page, dossier)
    _scope(page, dossier)
    _context(page, dossier)
    _aims(page, dossier)
    _necessity(page, dossier)
    _risks(page)
    _sign_off(page, dossier)
    page.heading(2, "Annex: questions that were asked")
    parts.runs(page, dossier)
    return page.text()


def _need(page: Page, dossier: Dossier) -> None:
    page.heading(2, "Controllers")
    parts.controllers(page, dossier)
    page.heading(2, "Step 1: Identify the need for a DPIA")
    page.say(dossier.agreement.public.summary)
    page.fact("Existing assessment", dossier.agreement.public.impact_assessment)
    page.fill_in("Why a DPIA is needed: which of the ICO's criteria for likely high risk apply.")


def _nature(page: Page, dossier: Dossier) -> None:
    public = dossier.agreement.public
    page.heading(2, "Step 2: Describe the processing")
    page.heading(3, "Nature of the processing")
    page.fact("How data are shared", public.method)
    page.items(
        (
            (
                "Rows stay in the department that holds them. A department computes totals over its own "
                "rows, adds noise, signs and sends them; an analyst adds up what the departments sent."
            ),
            (
                "Of each dataset a department makes a snapshot: persons are replaced by codes, duplicates "
                "and rows beyond the agreed number are left out, values are put on the agreed scales."
            ),
            "A snapshot is deleted when the department withdraws from the agreement.",
        )
    )
    page.fact("Processors", ", ".join(public.processors))
    page.fact("Recipients", ", ".join(public.recipients))
    page.fact("Sub-licensing", public.sub_licensing)
    page.fact("Commercial use", public.commercial_use)


def _scope(page: Page, dossier: Dossier) -> None:
    agreement = dossier.agreement
    page.heading(3, "Scope of the processing")
    page.fact("Areas and organisations", agreement.public.areas)
    page.fact("From, to", f"{agreement.starts_on} to {agreement.ends_on}")
    page.fact("Retention", agreement.public.retention)
    parts.data_items(page, agreement, 4)


def _context(page: Page, dossier: Dossier) -> None:
    page.heading(3, "Context of the processing")
    page.say(parts.opt_outs(dossier.agreement))
    page.fact("Where people can read about it", dossier.agreement.public.transparency_record)
    page.fact("Contact", dossier.agreement.public.contact)
    for hint in (
        (
            "The relationship with the people concerned; whether children or other vulnerable groups are "
            "among them."
        ),
        "How much control they have beyond opting out, and whether they would expect this use.",
        "Concerns that were raised before, security flaws, and issues of public concern.",
        "Codes of conduct or certification schemes.",
    ):
        page.fill_in(hint)


def _aims(page: Page, dossier: Dossier) -> None:
    page.heading(3, "Purposes of the processing")
    parts.purposes(page, dossier.agreement)
    page.fact("Public benefit", dossier.agreement.public.public_benefit)
    page.heading(2, "Step 3: Consultation process")
    page.fill_in("When and how people's views were sought, or why that was not appropriate.")
    page.fill_in("Who else was involved: processors, information security, other experts.")


def _necessity(page: Page, dossier: Dossier) -> None:
    agreement = dossier.agreement
    page.heading(2, "Step 4: Assess necessity and proportionality")
    page.fact("Legal gateway", agreement.public.legal_gateway)
    page.fill_in("The lawful basis under UK GDPR, and the condition for special category data.")
    page.fill_in("Whether there is another way to the same outcome, and how people's rights are supported.")
    page.say("What keeps the processing to what is needed:")
    page.items((*parts.privacy(agreement), *parts.answering(agreement)))
    page.say(f"The agreement is reviewed by {agreement.review_on}.")


def _risks(page: Page) -> None:
    page.heading(2, "Step 5: Identify and assess risks")
    page.table(
        ("No.", "Risk and its possible effect on people", "Likelihood", "Severity", "Overall"),
        [(str(i), risk, FILL_IN, FILL_IN, FILL_IN) for i, (risk, _) in enumerate(RISKS, start=1)],
    )
    page.fill_in("Risks of this project that fedstats does not know.")
    page.heading(2, "Step 6: Identify measures to reduce risk")
    page.table(
        ("No.", "Measure in place", "Effect on the risk", "Residual risk", "Approved"),
        [(str(i), measure, FILL_IN, FILL_IN, FILL_IN) for i, (_, measure) in enumerate(RISKS, start=1)],
    )


def _sign_off(page: Page, dossier: Dossier) -> None:
    page.heading(2, "Step 7: Sign off and record outcomes")
    items = (
        "Measures approved by",
        "Residual risks approved by",
        "DPO advice provided",
        "Summary of DPO advice",
        "DPO advice accepted or overruled by",
        "Consultation responses reviewed by",
        "This DPIA will be kept under review by",
    )
    page.table(("Item", "Name, position, date", "Notes"), [(item, FILL_IN, FILL_IN) for item in items])
    page.say(f"fedstats signs nothing off. Review of the agreement: {dossier.agreement.review_on}.")
