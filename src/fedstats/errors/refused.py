"""FS-2xx: a node said no; travels to the analyst as a typed refusal."""

from __future__ import annotations

from typing import ClassVar

from fedstats.errors.root import Actor, FedstatsError, Spent


class Refused(FedstatsError):
    """A node decided not to answer. Travels to the analyst as a typed refusal with this code."""

    code = "FS-200"
    title = "The department refused."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.DEPARTMENT_IT, Actor.CONTROLLER)
    spent_default = Spent.NOTHING

    def __init__(
        self,
        sentence: str = "",
        *,
        where: str = "",
        remedy: str | None = None,
        spent: Spent | None = None,
        reason: str = "",
    ) -> None:
        """As every error; `reason` is the public category where people at the department decided."""
        super().__init__(sentence, where=where, remedy=remedy, spent=spent)
        self.reason = reason

    def _who(self) -> str:
        """A refusal reaches somebody who often cannot change it, so it names who can."""
        return f"Who can change it: {' or '.join(actor.value for actor in self.acts)}."


class NotAuthorised(Refused):
    """A signature, key or appointment does not carry the authority it claims."""

    code = "FS-201"
    title = "The question is not signed by someone who may ask it."
    acts = (Actor.CONTROLLER_OF_ANALYST,)
    remedy = "Ask the controller of your organisation to appoint your key: fedstats controller appoint"


class AgreementNotInForce(Refused):
    """The agreement is not in force at this node: unsigned, not accepted, expired or withdrawn."""

    code = "FS-202"
    title = "The agreement is not in force at this department."
    acts = (Actor.CONTROLLER, Actor.DEPARTMENT_IT)
    remedy = "See which agreements are in force, and their dates: fedstats agreement status ID"


class OutsideAgreement(Refused):
    """A purpose, dataset, column, key, aggregate or loss that the agreement does not allow."""

    code = "FS-203"
    title = "The agreement does not allow this question."
    acts = (Actor.ANALYST, Actor.CONTROLLER)
    remedy = "Only a new version, signed by all, widens it. See what it allows: fedstats agreement status ID"


class OutsideScope(Refused):
    """A round asks for something that the signed query did not announce."""

    code = "FS-204"
    title = "This round goes beyond what its query announced."
    acts = (Actor.ANALYST,)
    remedy = "Ask again as a new query."


class RoundConflict(Refused):
    """The same round was presented with other content, or out of order."""

    code = "FS-205"
    title = "This round contradicts an earlier message of the same query."
    acts = (Actor.ANALYST,)
    remedy = "Ask again as a new query."


class NodePaused(Refused):
    """The department has paused its node."""

    code = "FS-206"
    title = "The department has paused answering."
    acts = (Actor.DEPARTMENT_IT,)
    remedy = "Ask the department when it resumes. Then ask on, free of charge: fedstats resume JOB"


class Vetoed(Refused):
    """The department decided against this question or this analyst."""

    code = "FS-207"
    title = "The department decided against this question."
    acts = (Actor.DEPARTMENT_IT, Actor.CONTROLLER)
    remedy = "Ask the department for its reason."


class EditionMissing(Refused):
    """The node does not hold this edition of the dataset."""

    code = "FS-208"
    title = "The department does not hold this edition."
    acts = (Actor.ANALYST, Actor.DEPARTMENT_IT)
    remedy = "See which editions each department holds: fedstats datasets"


class NotOffered(Refused):
    """The node does not offer this mode, mechanism, phase or kind of aggregate."""

    code = "FS-209"
    title = "The department's software does not offer this."
    acts = (Actor.ANALYST, Actor.DEPARTMENT_IT)
    remedy = "Ask in another form, or ask the department which version of fedstats it runs."


class BudgetExceeded(Refused):
    """The agreement's budget at this node, or its limit for one query, does not allow this loss."""

    code = "FS-214"
    title = "This question would use more privacy budget than the agreement has left."
    acts = (Actor.ANALYST, Actor.CONTROLLER)
    remedy = "Ask with a smaller --epsilon, or ask the controllers for a new version with more budget."


class LifetimeExceeded(Refused):
    """The node's own lifetime cap for these persons does not allow this loss."""

    code = "FS-215"
    title = "This question would use more privacy budget than the department allows over all agreements."
    acts = (Actor.ANALYST, Actor.DEPARTMENT_IT)
    remedy = "Ask with a smaller --epsilon, or ask the department's IT to raise its lifetime cap."


class CapMissing(Refused):
    """The node has no lifetime cap for these persons, so it answers nothing about them."""

    code = "FS-216"
    title = "The department has set no lifetime cap for these persons."
    acts = (Actor.DEPARTMENT_IT,)
    remedy = "Its IT sets one under [lifetime] in node.toml."


class DeadlinePassed(Refused):
    """The query's deadline has passed."""

    code = "FS-217"
    title = "The query's deadline has passed."
    acts = (Actor.ANALYST,)
    remedy = "Ask again as a new query."


class PaceExceeded(Refused):
    """The agreement limits what may be spent in so many days, and this is too fast."""

    code = "FS-218"
    title = "This question would use the agreement's budget faster than agreed."
    acts = (Actor.ANALYST, Actor.CONTROLLER)
    remedy = "Ask again from then on, or now with a smaller --epsilon."


class ApprovalsFull(Refused):
    """A person decides about each question here, and the list is full, or the question too long for it."""

    code = "FS-219"
    title = "The department cannot put this question before a person now."
    acts = (Actor.ANALYST, Actor.DEPARTMENT_IT)
    remedy = "Once the department has decided some that wait, ask on: fedstats resume JOB"


class RegisterNotShown(Refused):
    """The node was not shown that the question is in the public register, or was shown two registers."""

    code = "FS-220"
    title = "The department was not shown that this question is in the public register."
    acts = (Actor.OPERATOR, Actor.DEPARTMENT_IT)
    remedy = "Once the register is in order, ask on: fedstats resume JOB"


class ReplyLate(Refused):
    """The work did not end by the reply's deadline; one fixed code, sent at the deadline."""

    code = "FS-298"
    title = "The department is still computing: replies leave at fixed times, and this one was not ready."
    acts = (Actor.DEPARTMENT_IT,)
    remedy = "Its answer is kept once it is there. Ask again under the same charge: fedstats resume JOB"
    spent_default = Spent.CHARGED


class NodeFailed(Refused):
    """The node failed after the charge; one fixed code, so that no error depends on the data."""

    code = "FS-299"
    title = "The department's node could not compute the answer."
    acts = (Actor.DEPARTMENT_IT,)
    remedy = (
        "Its IT finds the reason in the node's own log. "
        "Then ask again under the same charge: fedstats resume JOB"
    )
    spent_default = Spent.CHARGED
