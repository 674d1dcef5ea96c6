"""Every error that fedstats raises, as one tree.

    FedstatsError
    |-- UsageError            FS-1xx  what a person typed or configured
    |   |-- ConfigInvalid     FS-101
    |   |-- FileProblem       FS-102
    |   |-- NotJoined         FS-103
    |   |-- ExtraMissing      FS-104
    |   |-- AlreadyExists     FS-105
    |   |-- LossInvalid       FS-106
    |   |-- JobUnknown        FS-107
    |   |-- ValueInvalid      FS-108
    |   |-- NotAnswered       FS-109
    |   `-- StillWaiting      FS-110
    |-- Refused               FS-2xx  a node said no; travels as a typed refusal
    |   |-- NotAuthorised     FS-201
    |   |-- AgreementNotInForce FS-202
    |   |-- OutsideAgreement  FS-203
    |   |-- OutsideScope      FS-204
    |   |-- RoundConflict     FS-205
    |   |-- NodePaused        FS-206
    |   |-- Vetoed            FS-207
    |   |-- EditionMissing    FS-208
    |   |-- NotOffered        FS-209
    |   |-- BudgetExceeded    FS-214
    |   |-- LifetimeExceeded  FS-215
    |   |-- CapMissing        FS-216
    |   |-- DeadlinePassed    FS-217
    |   `-- NodeFailed        FS-299
    |-- NetworkError          FS-3xx  connections and certificates
    |   |-- CoordinatorUnreachable FS-301
    |   |-- CertificateProblem FS-302
    |   |-- NotPermitted      FS-303
    |   |-- TokenInvalid      FS-304
    |   |-- MessageInvalid    FS-305
    |   |-- NoReplyInTime     FS-306
    |   `-- NotFound          FS-307
    |-- LanguageError         FS-4xx  the question cannot be asked like this
    |   |-- SqlUnreadable     FS-401
    |   |-- SqlRefused        FS-402
    |   |-- ExpressionInvalid FS-403
    |   |-- TooLarge          FS-404
    |   `-- NameUnknown       FS-405
    |-- AuthorityError        FS-5xx  signatures, agreements, appointments
    |   |-- SignatureInvalid  FS-501
    |   |-- AgreementInvalid  FS-502
    |   |-- KeyUnknown        FS-503
    |   `-- AppointmentInvalid FS-504
    |-- DataError             FS-6xx  a department's own source and editions
    |   |-- SourceUnreadable  FS-601
    |   |-- MappingInvalid    FS-602
    |   |-- EditionExists     FS-603
    |   `-- OptOutListProblem FS-604
    |-- LedgerError           FS-7xx
    |   |-- LedgerCorrupt     FS-701
    |   `-- LedgerBusy        FS-702
    `-- InternalError         FS-901  a bug in fedstats

One class is a stable code, a title (what happened, in general) and a remedy (what to do). An instance adds
the sentence (what happened here), who said it, and whether privacy budget was spent. No sentence holds data.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Spent(Enum):
    """What an error did to the privacy budget."""

    NOTHING = "Nothing was spent."
    CHARGED = "The budget of this round was spent."
    UNKNOWN = "It is not known whether budget was spent; the ledger of the node knows."
    NOT_APPLICABLE = ""


class FedstatsError(Exception):
    """The root of all errors: catch this to catch everything that fedstats raises on purpose."""

    code: ClassVar[str] = "FS-000"
    title: ClassVar[str] = "fedstats could not do this."
    remedy: ClassVar[str] = ""
    spent_default: ClassVar[Spent] = Spent.NOT_APPLICABLE

    def __init__(
        self, sentence: str = "", *, where: str = "", remedy: str | None = None, spent: Spent | None = None
    ) -> None:
        """Say what happened (`sentence`), who says so (`where`), what to do and what it cost."""
        self.sentence = sentence or self.title
        self.where = where
        self.advice = self.remedy if remedy is None else remedy
        self.spent = self.spent_default if spent is None else spent
        super().__init__(self.sentence)

    def __str__(self) -> str:
        """Give one line, as in `FS-214 dvla: what happened. What to do. What was spent.`."""
        head = f"{self.code} {self.where}:" if self.where else self.code
        return " ".join(part for part in (head, self.sentence, self.advice, self.spent.value) if part)


class UsageError(FedstatsError):
    """What a person typed or configured cannot be used."""

    code = "FS-100"
    title = "This cannot be used as given."


class ConfigInvalid(UsageError):
    """A configuration file has an unknown key, a missing key or a value outside its range."""

    code = "FS-101"
    title = "The configuration cannot be used."
    remedy = "Correct the file and try again."


class FileProblem(UsageError):
    """A file is missing, unreadable, or readable by more people than it may be."""

    code = "FS-102"
    title = "A file cannot be used."


class NotJoined(UsageError):
    """This home folder has not joined a federation."""

    code = "FS-103"
    title = "This computer has not joined a federation yet."
    remedy = "Ask whoever runs the coordinator for a token, and paste it after typing: fedstats join -"


class ExtraMissing(UsageError):
    """A part of fedstats that is installed separately is missing."""

    code = "FS-104"
    title = "A part of fedstats is not installed."


class AlreadyExists(UsageError):
    """Something of this name is there already and is never overwritten."""

    code = "FS-105"
    title = "This exists already and is not overwritten."


class LossInvalid(UsageError):
    """The asked privacy loss is not a positive, finite number in range."""

    code = "FS-106"
    title = "The privacy loss must be a positive number."
    remedy = "Ask with --epsilon between 0.001 and 100, for example --epsilon 1."


class JobUnknown(UsageError):
    """No job of this name is known here."""

    code = "FS-107"
    title = "No such job."
    remedy = "See the jobs of this computer with: fedstats jobs"


class ValueInvalid(UsageError):
    """A value breaks the rules of its type."""

    code = "FS-108"
    title = "A value is out of its range."


class NotAnswered(UsageError):
    """The job ended without an answer, because departments refused or did not answer."""

    code = "FS-109"
    title = "The question was not answered."


class StillWaiting(UsageError):
    """The time to wait was up before every department answered; the job goes on."""

    code = "FS-110"
    title = "The question is not answered yet."


class Refused(FedstatsError):
    """A node decided not to answer. Travels to the analyst as a typed refusal with this code."""

    code = "FS-200"
    title = "The department refused."
    spent_default = Spent.NOTHING


class NotAuthorised(Refused):
    """A signature, key or appointment does not carry the authority it claims."""

    code = "FS-201"
    title = "The question is not signed by someone who may ask it."
    remedy = "Ask the controller of your organisation to appoint your key: fedstats controller appoint"


class AgreementNotInForce(Refused):
    """The agreement is not in force at this node: unsigned, not accepted, expired or withdrawn."""

    code = "FS-202"
    title = "The agreement is not in force at this department."
    remedy = "Ask the department's controller to accept it, or look at its dates: fedstats agreement show"


class OutsideAgreement(Refused):
    """A purpose, dataset, column, key, aggregate or loss that the agreement does not allow."""

    code = "FS-203"
    title = "The agreement does not allow this question."
    remedy = "See what it allows: fedstats agreement show. Only a new version, signed by all, widens it."


class OutsideScope(Refused):
    """A round asks for something that the signed query did not announce."""

    code = "FS-204"
    title = "This round goes beyond what its query announced."
    remedy = "Ask again as a new query."


class RoundConflict(Refused):
    """The same round was presented with other content, or out of order."""

    code = "FS-205"
    title = "This round contradicts an earlier message of the same query."
    remedy = "Ask again as a new query."


class NodePaused(Refused):
    """The department has paused its node."""

    code = "FS-206"
    title = "The department has paused answering."
    remedy = "Ask the department when it resumes; then ask again, or use fedstats resume."


class Vetoed(Refused):
    """The department decided against this question or this analyst."""

    code = "FS-207"
    title = "The department decided against this question."


class EditionMissing(Refused):
    """The node does not hold this edition of the dataset."""

    code = "FS-208"
    title = "The department does not hold this edition."
    remedy = "See which editions each department holds: fedstats datasets"


class NotOffered(Refused):
    """The node does not offer this mode, mechanism, phase or kind of aggregate."""

    code = "FS-209"
    title = "The department's software does not offer this."


class BudgetExceeded(Refused):
    """The agreement's budget at this node, or its limit for one query, does not allow this loss."""

    code = "FS-214"
    title = "This question would use more privacy budget than the agreement has left."
    remedy = "Ask with a smaller --epsilon."


class LifetimeExceeded(Refused):
    """The node's own lifetime cap for these persons does not allow this loss."""

    code = "FS-215"
    title = "This question would use more privacy budget than the department allows over all agreements."
    remedy = "Ask with a smaller --epsilon, or ask the department's IT to raise its lifetime cap."


class CapMissing(Refused):
    """The node has no lifetime cap for these persons, so it answers nothing about them."""

    code = "FS-216"
    title = "The department has set no lifetime cap for these persons."
    remedy = "Its IT sets one under [lifetime] in node.toml."


class DeadlinePassed(Refused):
    """The query's deadline has passed."""

    code = "FS-217"
    title = "The query's deadline has passed."
    remedy = "Ask again as a new query."


class NodeFailed(Refused):
    """The node failed after the charge; one fixed code, so that no error depends on the data."""

    code = "FS-299"
    title = "The department's node could not compute the answer."
    remedy = (
        "Its IT finds the reason in the node's own log; fedstats resume asks again under the same charge."
    )
    spent_default = Spent.CHARGED


class NetworkError(FedstatsError):
    """Something between two machines."""

    code = "FS-300"
    title = "The connection failed."


class CoordinatorUnreachable(NetworkError):
    """No connection to the coordinator could be opened, or it broke."""

    code = "FS-301"
    title = "The coordinator cannot be reached."
    remedy = "Check the address, the network and the proxy; work that was accepted goes on when it is back."


class CertificateProblem(NetworkError):
    """TLS was refused: a foreign issuer, an expired certificate, or a wrong name."""

    code = "FS-302"
    title = "The TLS certificates do not fit."
    remedy = "If a proxy inspects TLS here, it must exempt the coordinator's host. Check the clock."


class NotPermitted(NetworkError):
    """This certificate may not call this service."""

    code = "FS-303"
    title = "Your certificate does not open this."


class TokenInvalid(NetworkError):
    """A join token is damaged, expired, used, or meant for something else."""

    code = "FS-304"
    title = "The token cannot be used."
    remedy = "Ask whoever runs the coordinator for a new one: fedstats coordinator invite"


class MessageInvalid(NetworkError):
    """A message is malformed, too large, or not in its canonical form."""

    code = "FS-305"
    title = "A message is malformed."


class NoReplyInTime(NetworkError):
    """The other side did not answer in time."""

    code = "FS-306"
    title = "No reply came in time."


class NotFound(NetworkError):
    """The coordinator has nothing of this name."""

    code = "FS-307"
    title = "The coordinator has nothing of this name."


class LanguageError(FedstatsError):
    """The question cannot be asked in this form."""

    code = "FS-400"
    title = "The question cannot be asked like this."
    spent_default = Spent.NOTHING


class SqlUnreadable(LanguageError):
    """The text is not SQL."""

    code = "FS-401"
    title = "The SQL cannot be read."


class SqlRefused(LanguageError):
    """The SQL is outside the language that can be answered privately."""

    code = "FS-402"
    title = "This SQL cannot be answered privately."


class ExpressionInvalid(LanguageError):
    """An expression mixes types, has no bounds, may divide by zero, or uses an undeclared literal."""

    code = "FS-403"
    title = "The expression cannot be used."


class TooLarge(LanguageError):
    """The question has too many cells, keys, nodes or digits."""

    code = "FS-404"
    title = "The question is too large."


class NameUnknown(LanguageError):
    """No dataset, column, category, purpose or edition of this name."""

    code = "FS-405"
    title = "This name is not known."
    remedy = "See what there is: fedstats datasets"


class AuthorityError(FedstatsError):
    """A document does not carry the authority it claims."""

    code = "FS-500"
    title = "The authority is missing."


class SignatureInvalid(AuthorityError):
    """A signature does not fit its bytes, its key or its kind."""

    code = "FS-501"
    title = "The signature is not valid."


class AgreementInvalid(AuthorityError):
    """An agreement's document is incomplete or contradicts itself."""

    code = "FS-502"
    title = "The agreement cannot be used."


class KeyUnknown(AuthorityError):
    """A controller's key has not been compared and trusted here."""

    code = "FS-503"
    title = "This key is not trusted here."
    remedy = "Compare its fingerprint by telephone, then: fedstats controller trust DEPARTMENT FINGERPRINT"


class AppointmentInvalid(AuthorityError):
    """An appointment is expired, revoked, or not made by the organisation it speaks for."""

    code = "FS-504"
    title = "The appointment is not valid."


class DataError(FedstatsError):
    """The department's own source or editions; shown locally only."""

    code = "FS-600"
    title = "The department's data cannot be used."


class SourceUnreadable(DataError):
    """The source file or database cannot be read."""

    code = "FS-601"
    title = "The source cannot be read."


class MappingInvalid(DataError):
    """The mapping from local columns to the agreement's definition does not fit."""

    code = "FS-602"
    title = "The mapping of local columns does not fit the definition."


class EditionExists(DataError):
    """Editions are immutable: this one exists."""

    code = "FS-603"
    title = "This edition exists, and editions never change."
    remedy = "A repair makes a revision: fedstats node refresh --edition NAME --revise"


class OptOutListProblem(DataError):
    """The opt-out list is missing, stale or malformed."""

    code = "FS-604"
    title = "The opt-out list cannot be used."


class LedgerError(FedstatsError):
    """The budget ledger."""

    code = "FS-700"
    title = "The ledger cannot be used."


class LedgerCorrupt(LedgerError):
    """The ledger's entries and its totals do not agree, or the file is damaged."""

    code = "FS-701"
    title = "The ledger is damaged; the node answers nothing until it is repaired."


class LedgerBusy(LedgerError):
    """The ledger could not be written: the disk is full or another process holds it."""

    code = "FS-702"
    title = "The ledger cannot be written."


class InternalError(FedstatsError):
    """A promise inside fedstats was broken: a bug, not your mistake."""

    code = "FS-901"
    title = "fedstats contradicted itself; this is a bug."
    remedy = "Please report it with this text."


def error_classes() -> dict[str, type[FedstatsError]]:
    """Every error class by its code.

    Raises
    ------
    InternalError
        Two classes share one code.

    """
    found: dict[str, type[FedstatsError]] = {}
    waiting: list[type[FedstatsError]] = [FedstatsError]
    while waiting:
        error = waiting.pop()
        if error.code in found:
            sentence = f"{error.__name__} and {found[error.code].__name__} share {error.code}."
            raise InternalError(sentence)
        found[error.code] = error
        waiting.extend(error.__subclasses__())
    return dict(sorted(found.items()))


def error_from_code(
    code: str, sentence: str, *, where: str = "", spent: Spent | None = None
) -> FedstatsError:
    """Rebuild an error that travelled as code and sentence; an unknown code becomes the root class."""
    error = error_classes().get(code, FedstatsError)
    return error(sentence, where=where, spent=spent)
