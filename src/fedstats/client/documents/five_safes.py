"""A summary by the Five Safes: projects, people, settings, data, outputs.

Source of the five questions: the Five Safes framework of the Office for National Statistics (Desai, Ritchie
and Welpton 2016).
"""

from __future__ import annotations

from fedstats.client.documents import parts
from fedstats.client.documents.dossier import Dossier
from fedstats.client.documents.page import Page


def page_of(dossier: Dossier) -> str:
    """The summary in Markdown."""
    page = Page()
    parts.begin(page, "Five Safes summary", dossier)
    _projects(page, dossier)
    _people(page, dossier)
    _settings(page, dossier)
    _data(page, dossier)
    _outputs(page, dossier)
    return page.text()


def _projects(page: Page, dossier: Dossier) -> None:
    agreement, public = dossier.agreement, dossier.agreement.public
    page.heading(2, "Safe projects: is this use of the data appropriate?")
    page.say(public.summary)
    parts.purposes(page, agreement)
    page.fact("Public benefit", public.public_benefit)
    page.fact("Legal gateway", public.legal_gateway)
    page.fact("From, to", f"{agreement.starts_on} to {agreement.ends_on}, reviewed by {agreement.review_on}")
    page.fact("Impact assessment", public.impact_assessment)
    page.fact("Transparency record", public.transparency_record)
    page.say("A question for another purpose is refused by each department. All questions are public.")


def _people(page: Page, dossier: Dossier) -> None:
    agreement = dossier.agreement
    page.heading(2, "Safe people: can the users be trusted to use it appropriately?")
    page.fact("Analysts", ", ".join(agreement.analysts))
    page.fact("Recipients", ", ".join(agreement.public.recipients))
    page.say(
        "An analyst is appointed by a controller's signature, until a date, and can be revoked. Analysts "
        "never see rows, and each of their questions stands in the public register under their name."
    )
    parts.controllers(page, dossier)
    page.fill_in("Training and accreditation of the analysts.")


def _settings(page: Page, dossier: Dossier) -> None:
    public = dossier.agreement.public
    page.heading(2, "Safe settings: does the place of access limit unauthorised use?")
    page.say(
        "Data stay in the departments' own systems. A node asks for work by outbound connections only, "
        "checks every signature, and decides from its own copy of the agreement."
    )
    page.fact("How data are shared", public.method)
    page.fact("Areas and organisations", public.areas)
    page.fact("Processors", ", ".join(public.processors))
    page.fill_in("Security certifications of the departments' systems, and of the processors'.")


def _data(page: Page, dossier: Dossier) -> None:
    agreement, public = dossier.agreement, dossier.agreement.public
    page.heading(2, "Safe data: what risk is in the data themselves?")
    parts.data_items(page, agreement, 3)
    page.say(parts.opt_outs(agreement))
    page.fact("Retention", public.retention)


def _outputs(page: Page, dossier: Dossier) -> None:
    agreement, public = dossier.agreement, dossier.agreement.public
    page.heading(2, "Safe outputs: are the results non-disclosive?")
    page.items((*parts.privacy(agreement), *parts.answering(agreement)))
    page.fact("Sub-licensing", public.sub_licensing)
    page.fact("Commercial use", public.commercial_use)
    page.fact("Contact", public.contact)
    page.heading(3, "What left until now")
    parts.runs(page, dossier)
