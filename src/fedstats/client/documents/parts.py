"""What several documents say: an agreement's terms and its runs, as tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from fedstats.client.agreement_words import condition_words, values_words
from fedstats.client.documents.dossier import Dossier, RegisteredRun
from fedstats.client.documents.page import FILL_IN, Page
from fedstats.core.agreement import Agreement, ListKind
from fedstats.core.agreement_document import decimal_text
from fedstats.core.disclosure import rule_words
from fedstats.core.guarantee.figures import agreed_belief_words, chance_words
from fedstats.core.privacy import Mechanism, UnitKind
from fedstats.core.rules import budget_of, query_cap_of
from fedstats.core.schema import ColumnDefinition, Dataset
from fedstats.core.statistic import Mode
from fedstats.identity.keys import PublicKey

NOISE = {Mechanism.GAUSSIAN: "discrete Gaussian", Mechanism.LAPLACE: "discrete Laplace (pure epsilon)"}
MODES = {
    Mode.LOCAL: "local: each department adds noise to its own totals before they leave",
    Mode.SECURE: "secure: only the sum over the departments is ever visible",
}

CONTROLLER_HEAD = (
    "Department", "Organisation", "Role", "Senior owner", "Protection officer", "Contact", "Key", "State",
)  # fmt: skip
RUN_HEAD = (
    "Entry", "Day", "Query", "Asked by", "Purpose", "About", "Question", "Loss", "Budget", "Departments",
)  # fmt: skip


def begin(page: Page, title: str, dossier: Dossier) -> None:
    """The title, of what it is made, and how much of it is left to people."""
    agreement = dossier.agreement
    page.heading(1, f"{title}: {agreement.title}")
    page.say(
        f"Made by fedstats from agreement {agreement.id} version {agreement.version} (SHA-256 of the text "
        f"{dossier.digest}) and {_register_words(dossier)}."
    )
    page.lines += [
        (f"Lines that begin with {FILL_IN} hold what fedstats cannot know. Somebody has to write it."),
        "",
    ]
    if dossier.doubt:
        page.say(f"Be careful: this text is {dossier.doubt}.")


def _register_words(dossier: Dossier) -> str:
    if dossier.until is None:
        return "no register: runs are not in it"
    return (
        f"the public register up to entry {dossier.until}, as the coordinator relays it (fedstats register "
        "verify checks it)"
    )


def controllers(page: Page, dossier: Dossier) -> None:
    """Who is responsible, and who has signed and accepted."""
    page.table(
        CONTROLLER_HEAD,
        [
            (
                c.department,
                c.organisation,
                c.role or FILL_IN,
                c.senior_owner or FILL_IN,
                c.data_protection_officer or FILL_IN,
                c.contact or FILL_IN,
                PublicKey(c.key).fingerprint,
                _state(dossier, c.department),
            )
            for c in dossier.agreement.controllers
        ],
    )


def _state(dossier: Dossier, department: str) -> str:
    if dossier.until is None:
        return "not known here"
    left = [day for name, day in dossier.withdrawn if name == department]
    signed = "signed" if department in dossier.signed_by else "not signed"
    accepted = "accepted" if department in dossier.accepted_by else "not accepted"
    return f"{signed}, {accepted}" + (f"; withdrew on {', '.join(left)}" if left else "")


def purposes(page: Page, agreement: Agreement) -> None:
    """What for, and never for what."""
    page.table(
        ("Purpose", "What it is", "Never for"),
        [(p.code, p.text, " / ".join(p.prohibited)) for p in agreement.purposes],
    )


def data_items(page: Page, agreement: Agreement, depth: int) -> None:
    """Every dataset: whose data, from where, and each column with why it is needed."""
    for dataset in agreement.datasets:
        page.heading(depth, f"Dataset {dataset.name}")
        if dataset.description:
            page.say(dataset.description)
        page.items(_about(dataset))
        page.table(
            ("Data item", "What it is", "Values", "Classification", "Why it is needed", "Use"),
            [
                (
                    column.name,
                    column.description,
                    values_words(column.domain) + (", may be missing" if column.domain.nullable else ""),
                    column.classification or FILL_IN,
                    column.justification or FILL_IN,
                    _use(column),
                )
                for column in dataset.columns
            ],
        )


def _about(dataset: Dataset) -> Iterator[str]:
    if dataset.unit.kind is UnitKind.PERSON:
        yield (
            f"Protected is a person ({dataset.unit.namespace}, told apart by {dataset.unit.column}), with at "
            f"most {dataset.rows_max} rows at one department. Names and numbers of persons never leave a "
            "department."
        )
    else:
        yield f"Protected is one record ({dataset.unit.namespace}): someone with several is protected less."
    yield (
        f"About {dataset.people_about:,} in all, at most {dataset.people_max:,} at one department; held by "
        f"{', '.join(dataset.holders)}; snapshots: {', '.join(dataset.editions)}."
    )
    if dataset.population:
        conditions = "; ".join(condition_words(condition) for condition in dataset.population)
        yield f"Only rows where: {conditions}."
    yield from (f"Taken by {source.department} from {source.table}." for source in dataset.sources)


def _use(column: ColumnDefinition) -> str:
    uses = {"group by": column.as_key, "count or add up": column.as_measure, "filter": True}
    return ", ".join(use for use, may in uses.items() if may)


def privacy(agreement: Agreement) -> Iterator[str]:
    """The loss of privacy that is allowed, in figures and in words."""
    terms = agreement.privacy
    whole, one = Decimal(decimal_text(terms.epsilon)), Decimal(decimal_text(terms.epsilon_per_query))
    yield (
        f"All answers together, ever: epsilon {whole:f} at delta {decimal_text(terms.delta)}. Whatever the "
        f"data says about a person, someone's belief in it can move from 50 % to at most "
        f"{agreed_belief_words(agreement, budget_of(agreement))}, except with {chance_words(terms.delta)}."
    )
    most = agreed_belief_words(agreement, query_cap_of(agreement))
    yield f"One question: at most epsilon {one:f}, a belief from 50 % to at most {most}."
    if terms.pace is not None:
        yield f"In any {terms.pace.days} days: at most epsilon {decimal_text(terms.pace.epsilon)}."
    yield (
        f"It holds for everyone who is in at most {terms.max_departments} of the departments. Someone in "
        "more of them is protected less."
    )
    yield f"Noise: {', '.join(NOISE[mechanism] for mechanism in terms.mechanisms)}."
    yield "The budget never refills: not by new data, nor by a new version of the agreement."


def answering(agreement: Agreement) -> Iterator[str]:
    """Who may ask, what is computed, and by how many departments."""
    yield f"Analysts: {', '.join(agreement.analysts)}."
    yield f"Computations: {', '.join(agreement.aggregates)}: counts, sums and what is made of them, noisy."
    yield f"Modes: {'; '.join(MODES[mode] for mode in agreement.modes)}."
    partial = "may be answered without some of them" if agreement.partial else "needs all of them"
    yield f"A question is put to at least {agreement.nodes_min} departments, and {partial}."
    yield opt_outs(agreement)
    yield rule_words(agreement.disclosure)


def opt_outs(agreement: Agreement) -> str:
    """What is done about people who opted out."""
    terms = agreement.opt_out
    because = f" {terms.reason}" if terms.reason else ""
    if not terms.applies:
        return f"Opt-outs do not apply, because:{because}"
    allows = terms.list_kind is ListKind.ALLOW
    who = "Only people on the list are counted" if allows else "People on the list are left out"
    age = f"a list older than {terms.list_age_days_max} days stops the department's answers"
    return f"Opt-outs apply. {who}, when a snapshot is made; {age}.{because}"


def runs(page: Page, dossier: Dossier) -> None:
    """Every question that the register shows."""
    if dossier.until is None:
        page.fill_in("No register was read for this document: add the questions that were asked.")
        return
    if not dossier.runs:
        page.say("The register shows no question under this agreement.")
        return
    page.table(
        RUN_HEAD,
        [
            (
                str(run.number),
                run.day,
                run.name,
                run.asked_by,
                run.purpose,
                f"{run.dataset} {run.edition}, version {run.version}",
                run.question,
                loss_words(run),
                f"{run.budget_percent} %" if run.budget_percent else "",
                outcome_words(run),
            )
            for run in dossier.runs
        ],
    )


def loss_words(run: RegisteredRun) -> str:
    """The loss of a run as the register says it."""
    delta = f" at delta {run.delta}" if run.delta not in ("", "0") else ""
    return f"epsilon {run.epsilon}{delta}" if run.epsilon else ""


def outcome_words(run: RegisteredRun) -> str:
    """Who answered a run, and who did not."""
    ended = run.outcome
    said = {
        "answered": ", ".join(ended.released),
        "refused": ", ".join(f"{name} ({code})" for name, code in ended.refused),
        "no answer": ", ".join(ended.missing),
        "left out": ", ".join(ended.left_out),
    }
    return "; ".join(f"{how}: {who}" for how, who in said.items() if who) or "not ended yet"
