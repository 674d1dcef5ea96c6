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
    |   |-- StillWaiting      FS-110
    |   |-- TargetOutOfReach  FS-111
    |   |-- QuestionUnknown   FS-115
    |   |-- ApprovalInvalid   FS-116
    |   |-- StatisticUnreadable FS-120
    |   |-- StatisticFailed   FS-121
    |   |-- StatisticStopped  FS-122
    |   |-- StatisticChanged  FS-123
    |   |-- ParameterInvalid  FS-124
    |   |-- PictureImpossible FS-125
    |   `-- TableUnclear      FS-126
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
    |   |-- PaceExceeded      FS-218
    |   |-- ApprovalsFull     FS-219
    |   |-- RegisterNotShown  FS-220
    |   |-- ReplyLate         FS-298
    |   `-- NodeFailed        FS-299
    |-- NetworkError          FS-3xx  connections and certificates
    |   |-- CoordinatorUnreachable FS-301
    |   |-- CertificateProblem FS-302
    |   |-- NotPermitted      FS-303
    |   |-- TokenInvalid      FS-304
    |   |-- MessageInvalid    FS-305
    |   |-- NoReplyInTime     FS-306
    |   |-- NotFound          FS-307
    |   `-- ProxyRefused      FS-308
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
    |   |-- OptOutListProblem FS-604
    |   `-- EditionTooLarge   FS-605
    |-- LedgerError           FS-7xx  the ledger of the budget, and the log
    |   |-- LedgerCorrupt     FS-701
    |   |-- LedgerBusy        FS-702
    |   |-- LedgerRestored    FS-703
    |   |-- LogDamaged        FS-704
    |   `-- RegisterForked    FS-705
    `-- InternalError         FS-901  a bug in fedstats

One class is a stable code, a title (what happened, in general), who can change it (`acts`) and a remedy
(what to do). An instance adds the sentence (what happened here), who said it, and whether privacy budget was
spent. No sentence holds data.

A family is a module, and beside it a TOML file with what the page of each code says besides (`page.py`).
"""

from __future__ import annotations

from fedstats.errors.authority import (
    AgreementInvalid,
    AppointmentInvalid,
    AuthorityError,
    KeyUnknown,
    SignatureInvalid,
)
from fedstats.errors.data import (
    DataError,
    EditionExists,
    EditionTooLarge,
    MappingInvalid,
    OptOutListProblem,
    SourceUnreadable,
)
from fedstats.errors.internal import (
    InternalError,
)
from fedstats.errors.language import (
    ExpressionInvalid,
    LanguageError,
    NameUnknown,
    SqlRefused,
    SqlUnreadable,
    TooLarge,
)
from fedstats.errors.ledger import (
    LedgerBusy,
    LedgerCorrupt,
    LedgerError,
    LedgerRestored,
    LogDamaged,
    RegisterForked,
)
from fedstats.errors.lookup import error_classes, error_from_code, who_acts
from fedstats.errors.network import (
    CertificateProblem,
    CoordinatorUnreachable,
    MessageInvalid,
    NetworkError,
    NoReplyInTime,
    NotFound,
    NotPermitted,
    ProxyRefused,
    TokenInvalid,
)
from fedstats.errors.refused import (
    AgreementNotInForce,
    ApprovalsFull,
    BudgetExceeded,
    CapMissing,
    DeadlinePassed,
    EditionMissing,
    LifetimeExceeded,
    NodeFailed,
    NodePaused,
    NotAuthorised,
    NotOffered,
    OutsideAgreement,
    OutsideScope,
    PaceExceeded,
    Refused,
    RegisterNotShown,
    ReplyLate,
    RoundConflict,
    Vetoed,
)
from fedstats.errors.root import Actor, FedstatsError, Spent
from fedstats.errors.usage import (
    AlreadyExists,
    ApprovalInvalid,
    ConfigInvalid,
    ExtraMissing,
    FileProblem,
    JobUnknown,
    LossInvalid,
    NotAnswered,
    NotJoined,
    ParameterInvalid,
    PictureImpossible,
    QuestionUnknown,
    StatisticChanged,
    StatisticFailed,
    StatisticStopped,
    StatisticUnreadable,
    StillWaiting,
    TableUnclear,
    TargetOutOfReach,
    UsageError,
    ValueInvalid,
)

__all__ = [
    "Actor",
    "AgreementInvalid",
    "AgreementNotInForce",
    "AlreadyExists",
    "AppointmentInvalid",
    "ApprovalInvalid",
    "ApprovalsFull",
    "AuthorityError",
    "BudgetExceeded",
    "CapMissing",
    "CertificateProblem",
    "ConfigInvalid",
    "CoordinatorUnreachable",
    "DataError",
    "DeadlinePassed",
    "EditionExists",
    "EditionMissing",
    "EditionTooLarge",
    "ExpressionInvalid",
    "ExtraMissing",
    "FedstatsError",
    "FileProblem",
    "InternalError",
    "JobUnknown",
    "KeyUnknown",
    "LanguageError",
    "LedgerBusy",
    "LedgerCorrupt",
    "LedgerError",
    "LedgerRestored",
    "LifetimeExceeded",
    "LogDamaged",
    "LossInvalid",
    "MappingInvalid",
    "MessageInvalid",
    "NameUnknown",
    "NetworkError",
    "NoReplyInTime",
    "NodeFailed",
    "NodePaused",
    "NotAnswered",
    "NotAuthorised",
    "NotFound",
    "NotJoined",
    "NotOffered",
    "NotPermitted",
    "OptOutListProblem",
    "OutsideAgreement",
    "OutsideScope",
    "PaceExceeded",
    "ParameterInvalid",
    "PictureImpossible",
    "ProxyRefused",
    "QuestionUnknown",
    "Refused",
    "RegisterForked",
    "RegisterNotShown",
    "ReplyLate",
    "RoundConflict",
    "SignatureInvalid",
    "SourceUnreadable",
    "Spent",
    "SqlRefused",
    "SqlUnreadable",
    "StatisticChanged",
    "StatisticFailed",
    "StatisticStopped",
    "StatisticUnreadable",
    "StillWaiting",
    "TableUnclear",
    "TargetOutOfReach",
    "TokenInvalid",
    "TooLarge",
    "UsageError",
    "ValueInvalid",
    "Vetoed",
    "error_classes",
    "error_from_code",
    "who_acts",
]
