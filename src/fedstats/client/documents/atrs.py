"""A record in the fields of the Algorithmic Transparency Recording Standard (ATRS), tiers 1 and 2.

Source of the fields: the ATRS data standard and template on GOV.UK; numbers are left out, since they differ
between its versions.
"""

from __future__ import annotations

from fedstats.client.documents import parts
from fedstats.client.documents.dossier import Dossier
from fedstats.client.documents.page import Page

METHOD = (
    "Counts and sums over rows, computed by each department over its own data, with whole-number random "
    "noise that hides every single person (differential privacy), and then added up. No model is trained, "
    "nobody is scored, and no decision about a person is made or supported."
)


def page_of(dossier: Dossier) -> str:
    """The record in Markdown."""
    page = Page()
    parts.begin(page, "ATRS record", dossier)
    _metadata(page, dossier)
    _overview(page, dossier)
    _owner(page, dossier)
    _rationale(page, dossier)
    _process(page, dossier)
    _specification(page, dossier)
    _data(page, dossier)
    _impact(page, dossier)
    page.heading(2, "Annex: questions that were asked")
    parts.runs(page, dossier)
    return page.text()


def _metadata(page: Page, dossier: Dossier) -> None:
    agreement = dossier.agreement
    page.heading(2, "Metadata")
    page.fact("Published record", agreement.public.transparency_record)
    page.fact("Region", agreement.public.areas)
    page.fact("In use", f"{agreement.starts_on} to {agreement.ends_on}, reviewed by {agreement.review_on}")
    page.fill_in("Function, phase, and the dates of the record.")


def _overview(page: Page, dossier: Dossier) -> None:
    public = dossier.agreement.public
    page.heading(2, "Tier 1: Overview")
    page.fact("Name", dossier.agreement.title)
    page.fact("Description", public.summary)
    page.fact("Why it is used", public.public_benefit)
    page.fact("Website", "")
    page.fact("Contact", public.contact)


def _owner(page: Page, dossier: Dossier) -> None:
    page.heading(2, "Tier 2: Owner and responsibility")
    parts.controllers(page, dossier)
    page.fact("Team", "")
    page.fact("External suppliers", ", ".join(dossier.agreement.public.processors))
    page.fill_in("Of each supplier: Companies House number, role, procurement procedure.")
    page.fact("Suppliers' access to data", "")


def _rationale(page: Page, dossier: Dossier) -> None:
    agreement = dossier.agreement
    page.heading(2, "Tier 2: Description and rationale")
    page.fact("Detailed description", METHOD)
    page.fact("How data are shared", agreement.public.method)
    page.heading(3, "Scope")
    parts.purposes(page, agreement)
    page.fact("Benefit", agreement.public.public_benefit)
    page.fact("Previous process", "")
    page.fact("Alternatives considered", "")


def _process(page: Page, dossier: Dossier) -> None:
    agreement = dossier.agreement
    page.heading(2, "Tier 2: Decision making process")
    page.fill_in("Process integration: which decisions the figures inform, and how.")
    page.fact(
        "Provided information",
        "Tables of noisy numbers, each with an interval of 95 %, who took part, and what it cost in privacy.",
    )
    page.fact("Frequency and scale of usage", _usage(dossier))
    page.fact(
        "Human decisions and review",
        "A person asks each question. Each department decides by its own rules whether its node answers, and "
        "may ask a person to approve every question. It can pause or withdraw at any time.",
    )
    page.fact("Required training", "")
    page.fact("Appeals and review", "")
    page.fact("Recipients", ", ".join(agreement.public.recipients))


def _usage(dossier: Dossier) -> str:
    if dossier.until is None:
        return ""
    answered = sum(1 for run in dossier.runs if run.outcome.released)
    return (
        f"{len(dossier.runs)} questions until entry {dossier.until} of the public register, of which "
        f"{answered} were answered."
    )


def _specification(page: Page, dossier: Dossier) -> None:
    page.heading(2, "Tier 2: Tool specification")
    page.fact(
        "System architecture",
        "A program (node) at each department, beside its data; a coordinator that relays signed questions "
        "and answers and keeps the public register; a program of the analyst that adds up what departments "
        "sent.",
    )
    page.fill_in("Phase and maintenance: versions in use, who updates them and how often.")
    page.fact("Model", "None. Statistics are computed, nothing is learned.")
    page.items(parts.answering(dossier.agreement))
    page.fact("Performance", "Each number has an interval that says how far the noise reaches.")


def _data(page: Page, dossier: Dossier) -> None:
    public = dossier.agreement.public
    page.heading(2, "Tier 2: Data")
    parts.data_items(page, dossier.agreement, 3)
    page.fact("Data collection", "")
    page.fact("Data completeness and representativeness", "")
    page.fact("Data sharing agreement", f"{dossier.agreement.id} version {dossier.agreement.version}")
    page.fact("Legal gateway", public.legal_gateway)
    page.fact(
        "Data access and storage", "Rows stay at each department. Of the answers, noisy totals are kept."
    )
    page.fact("Retention", public.retention)
    page.fact("Sub-licensing", public.sub_licensing)
    page.fact("Commercial use", public.commercial_use)


def _impact(page: Page, dossier: Dossier) -> None:
    page.heading(2, "Tier 2: Risks, mitigations and impact assessments")
    page.fact("Impact assessment", dossier.agreement.public.impact_assessment)
    page.fill_in("Equality and other assessments, with their dates and links.")
    page.say("Risk: something is learned about a person from the figures. What limits it:")
    page.items(parts.privacy(dossier.agreement))
    page.say("Risk: figures about few people are taken for exact. What limits it: the interval of each.")
    page.fill_in("Risks of how the figures are used, and what is done about them.")
