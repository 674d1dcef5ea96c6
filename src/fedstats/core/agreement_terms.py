"""What a term of an agreement is called, and which way of changing it lets more happen. A table, for diffs.

A term is named by its path in the document of an agreement, without the places in lists: "privacy.epsilon",
"datasets.columns.lo". `{}` in a name stands for what it belongs to, such as "age of rtt".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Wider(Enum):
    """Which change of a term lets more happen with the data."""

    MORE = "more"  # a greater number, a later day, an entry more in a list, from false to true
    LESS = "less"  # the other way round
    NEITHER = "neither"  # words, which people have to read


@dataclass(frozen=True, slots=True)
class Term:
    """A term's name, the direction in which it widens, and what follows for people when it does."""

    name: str
    wider: Wider = Wider.NEITHER
    means: str = ""


_M, _L = Wider.MORE, Wider.LESS

TERMS: Mapping[str, Term] = {
    "privacy.epsilon": Term(
        "The whole budget (epsilon)", _M, "all answers together may reveal more about one person"
    ),
    "privacy.delta": Term("The chance that the promise fails (delta)", _M, "the promise is weaker"),
    "privacy.epsilon_per_query": Term(
        "The most for one question (epsilon_per_query)", _M, "one answer may reveal more"
    ),
    "privacy.max_departments": Term(
        "The number of departments that one person may be in (max_departments)",
        _L,
        "people who are in more departments are protected less",
    ),
    "privacy.mechanisms": Term("A kind of noise", _M),
    "privacy.pace_epsilon": Term(
        "The loss in a stretch of time (pace_epsilon)", _M, "it may be spent faster"
    ),
    "privacy.pace_days": Term("The number of days of the pace (pace_days)", _L, "it may be spent faster"),
    "controllers": Term("A department", _M, "its data is asked, and its controller may appoint people"),
    "controllers.key": Term("The key that speaks for {}", _M),
    "purposes": Term("A purpose", _M, "questions may be asked for more"),
    "purposes.prohibited": Term("A prohibited use of answers for {}", _L, "that use is no longer prohibited"),
    "purposes.text": Term("The text of purpose {}"),
    "analysts": Term("An analyst", _M, "more people may ask"),
    "datasets": Term("A dataset", _M, "more data may be asked about"),
    "datasets.columns": Term("A column of {}", _M, "more about each person may be asked"),
    "datasets.unit.kind": Term("What {} protects", _M, "someone with several records is protected less"),
    "datasets.unit.namespace": Term("Whose numbers name the people of {} (namespace)"),
    "datasets.unit.column": Term("The column that names the people of {}"),
    "datasets.population": Term("A condition on who is in {}", _L, "more people or records are in the data"),
    "datasets.population.lo": Term(
        "The lowest value of {} that is in the data", _L, "more people or records are in the data"
    ),
    "datasets.population.hi": Term(
        "The highest value of {} that is in the data", _M, "more people or records are in the data"
    ),
    "datasets.population.labels": Term(
        "A value of {} that is in the data", _M, "more people or records are in the data"
    ),
    "datasets.population.truth": Term("The condition on {}, and so who is in the data,"),
    "datasets.rows_max": Term(
        "The rows of one person in {} (rows_max)", _M, "more of each person is counted"
    ),
    "datasets.people_max": Term("The most people of one department in {} (people_max)"),
    "datasets.people_about": Term("The public number of people in {} (people_about)"),
    "datasets.editions": Term("An edition of {}", _M, "another snapshot of the data may be asked about"),
    "datasets.holders": Term("A holder of {}", _M, "another department's data may be asked about"),
    "datasets.description": Term("The description of {}"),
    "datasets.sources": Term("A source of {}"),
    "datasets.columns.type": Term("The type of {}"),
    "datasets.columns.lo": Term("The lowest value of {}", _L, "more extreme values are seen"),
    "datasets.columns.hi": Term("The highest value of {}", _M, "more extreme values are seen"),
    "datasets.columns.step": Term("The step of {}", _L, "values are seen in finer detail"),
    "datasets.columns.labels": Term("A category of {}", _M, "values are seen in finer detail"),
    "datasets.columns.characters_max": Term("The length of the texts of {}", _M, "longer texts are seen"),
    "datasets.columns.values_max": Term("The number of texts named of {}", _M, "more values are named"),
    "datasets.columns.missing": Term("Whether {} may be missing"),
    "datasets.columns.as_key": Term("Whether {} may be grouped by", _M, "results may be split by it"),
    "datasets.columns.as_measure": Term("Whether {} may be counted or added up", _M, "it may be measured"),
    "datasets.columns.classification": Term("The classification of {}"),
    "datasets.columns.justification": Term("Why {} is needed"),
    "datasets.columns.description": Term("The description of {}"),
    "aggregates": Term("A kind of aggregate", _M, "more kinds of questions may be asked"),
    "modes": Term("A mode", _M),
    "nodes_min": Term(
        "The least number of departments of a question (nodes_min)",
        _L,
        "answers may be about fewer departments",
    ),
    "partial": Term(
        "Whether answers of some departments are enough (partial)", _M, "the rest may be left out"
    ),
    "opt_out.applies": Term("Whether people who opted out are left out", _L, "their data is counted"),
    "opt_out.reason": Term("The reason of the opt-out terms"),
    "opt_out.list_age_days_max": Term(
        "The age of an opt-out list in days", _M, "people who opted out lately may be counted longer"
    ),
    "opt_out.list": Term("What the opt-out list names", _L, "people are counted unless they object"),
    "disclosure.profile": Term("The disclosure control", _L, "small noisy cells are shown"),
    "starts_on": Term("The first day", _L, "questions may be asked earlier"),
    "ends_on": Term("The last day", _M, "questions may be asked longer"),
    "review_on": Term("The day of review", _M, "it is looked at again later"),
    "public.processors": Term("A processor", _M, "somebody else handles data"),
    "public.recipients": Term("A recipient", _M, "somebody else receives answers"),
    "public.legal_gateway": Term("The legal basis"),
    "public.summary": Term("The summary"),
    "public.public_benefit": Term("The public benefit"),
    "public.contact": Term("The contact"),
    "public.retention": Term("The retention"),
    "public.sub_licensing": Term("The sub-licensing"),
    "public.commercial_use": Term("The commercial use"),
    "public.impact_assessment": Term("The impact assessment"),
    "public.transparency_record": Term("The transparency record"),
    "public.method": Term("How data is shared"),
    "public.areas": Term("The areas"),
    "controllers.organisation": Term("The organisation of {}"),
    "controllers.contact": Term("The contact of {}"),
    "controllers.role": Term("The role of {}"),
    "controllers.senior_owner": Term("The senior owner of {}"),
    "controllers.data_protection_officer": Term("The data protection officer of {}"),
    "title": Term("The title"),
    "id": Term("The id"),
    "version": Term("The version"),
}
"""Every term of an agreement, in the order in which changes of it matter to whoever signs."""
