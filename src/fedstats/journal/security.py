"""The security stream: what somebody who watches over the federation wants to hear of.

Ids are stable: they are only ever added to. No event names a person: an analyst is known by the serial number
of a certificate.
"""

from __future__ import annotations

from fedstats.errors import (
    AgreementNotInForce,
    AppointmentInvalid,
    AuthorityError,
    CertificateProblem,
    FedstatsError,
    FileProblem,
    KeyUnknown,
    LedgerError,
    LogDamaged,
    MessageInvalid,
    NotAuthorised,
    NotPermitted,
    OutsideAgreement,
    OutsideScope,
    RoundConflict,
    SignatureInvalid,
    TokenInvalid,
    TooLarge,
)
from fedstats.identity.peer import Peer, Role
from fedstats.journal.event import Event, Level
from fedstats.journal.fields import Kind

_ASKED = {"code": Kind.CODE, "task": Kind.TASK}
_CALLED = {
    "code": Kind.CODE,
    "method": Kind.METHOD,
    "role": Kind.WORD,
    "department": Kind.DEPARTMENT,
    "certificate": Kind.HASH,
}

# -------------------------------------------------------------------- what was presented and not believed
SIGNATURE_REFUSED = Event(
    "signature_refused",
    Level.WARNING,
    "Something came whose signature does not fit.",
    {**_ASKED, **_CALLED},
    "SEC-101",
)
KEY_REFUSED = Event(
    "key_refused",
    Level.WARNING,
    "Something came that is signed with a key that is not trusted for it.",
    {**_ASKED, **_CALLED},
    "SEC-102",
)
APPOINTMENT_REFUSED = Event(
    "appointment_refused",
    Level.WARNING,
    "Somebody asked whose appointment is expired, revoked, or made by nobody who may.",
    {**_ASKED, **_CALLED},
    "SEC-103",
)
AGREEMENT_MISMATCH = Event(
    "agreement_mismatch",
    Level.WARNING,
    "A question came that its agreement does not allow.",
    {**_ASKED, **_CALLED},
    "SEC-104",
)
ROUND_CONFLICTED = Event(
    "round_conflicted",
    Level.WARNING,
    "A round came again with other content, or out of order.",
    {**_ASKED, **_CALLED},
    "SEC-105",
)
OUTCOME_CONFLICTED = Event(
    "outcome_conflicted",
    Level.WARNING,
    "A node sent a second, different answer to a task; it was dropped.",
    {"task": Kind.TASK},
    "SEC-106",
)
# ------------------------------------------------------------------------------------------ connections
CERTIFICATE_FOREIGN = Event(
    "certificate_foreign",
    Level.WARNING,
    "The other end of a connection showed a certificate that is not the federation's.",
    {"code": Kind.CODE},
    "SEC-201",
)
TOKEN_REFUSED = Event(
    "token_refused",
    Level.WARNING,
    "A join token was shown that is used, expired, ended, or for another role.",
    _CALLED,
    "SEC-202",
)
CALL_REFUSED = Event(
    "call_refused",
    Level.WARNING,
    "A certificate was shown that does not open this, or does not count any more.",
    _CALLED,
    "SEC-203",
)
LIMIT_HIT = Event(
    "limit_hit",
    Level.WARNING,
    "Somebody sent more, or larger, or other things than are taken.",
    _CALLED,
    "SEC-204",
)
# ------------------------------------------------------------------------------------- what is kept here
LEDGER_REFUSED = Event(
    "ledger_refused",
    Level.ERROR,
    "The budget ledger cannot be relied on; nothing is answered from it.",
    {"code": Kind.CODE},
    "SEC-301",
)
KEY_FILE_REFUSED = Event(
    "key_file_refused",
    Level.ERROR,
    "A file that must be this account's alone is missing, damaged, or open to others.",
    {"code": Kind.CODE},
    "SEC-302",
)
LEDGER_CARRIED = Event(
    "ledger_carried",
    Level.WARNING,
    "The spending of another ledger of the department was carried forward into this one.",
    {"links": Kind.COUNT},
    "SEC-303",
)
NODE_KEY_CHANGED = Event(
    "node_key_changed",
    Level.INFO,
    "The node's new key was appointed, and signs from now on.",
    {},
    "SEC-304",
)
# --------------------------------------------------------------------------------- what people decided here
AGREEMENT_ACCEPTED = Event(
    "agreement_accepted",
    Level.INFO,
    "The department accepted a version of an agreement.",
    {"agreement": Kind.AGREEMENT, "agreement_version": Kind.COUNT},
    "SEC-401",
)
AGREEMENT_WITHDRAWN = Event(
    "agreement_withdrawn",
    Level.INFO,
    "The department left an agreement.",
    {"agreement": Kind.AGREEMENT, "reason": Kind.WORD},
    "SEC-402",
)
PAUSED = Event("paused", Level.INFO, "The department paused answering.", {"reason": Kind.WORD}, "SEC-403")
RESUMED = Event("resumed", Level.INFO, "The department answers again.", {}, "SEC-404")
MEMBER_INVITED = Event(
    "member_invited",
    Level.INFO,
    "A token was made that lets somebody join.",
    {"role": Kind.WORD, "department": Kind.DEPARTMENT, "again": Kind.TRUTH},
    "SEC-405",
)
MEMBER_JOINED = Event(
    "member_joined",
    Level.INFO,
    "Somebody joined with a token.",
    {"role": Kind.WORD, "department": Kind.DEPARTMENT, "certificate": Kind.HASH},
    "SEC-406",
)
MEMBER_REMOVED = Event(
    "member_removed",
    Level.INFO,
    "A member's certificates were ended.",
    {"role": Kind.WORD, "department": Kind.DEPARTMENT},
    "SEC-407",
)
KEY_UNBOUND = Event(
    "key_unbound",
    Level.INFO,
    "A department's controller may speak by a new key.",
    {"department": Kind.DEPARTMENT},
    "SEC-408",
)
DOCUMENT_PUBLISHED = Event(
    "document_published",
    Level.INFO,
    "A controller or a node published a signed document.",
    {"document": Kind.WORD, "role": Kind.WORD, "department": Kind.DEPARTMENT, "certificate": Kind.HASH},
    "SEC-409",
)
APPROVAL_ASKED = Event(
    "approval_asked",
    Level.INFO,
    "A question came that a person here decides about.",
    {"query": Kind.HASH, "agreement": Kind.AGREEMENT},
    "SEC-410",
)
QUESTION_APPROVED = Event(
    "question_approved",
    Level.INFO,
    "Somebody approved a question.",
    {"query": Kind.HASH, "agreement": Kind.AGREEMENT, "approvals": Kind.COUNT, "needed": Kind.COUNT},
    "SEC-411",
)
QUESTION_VETOED = Event(
    "question_vetoed",
    Level.INFO,
    "Somebody refused a question.",
    {"query": Kind.HASH, "agreement": Kind.AGREEMENT, "reason": Kind.WORD},
    "SEC-412",
)
# ------------------------------------------------------------------------------------------------- logs
REGISTER_CONTRADICTED = Event(
    "register_contradicted",
    Level.WARNING,
    "A department signed for a head of the register that this register does not have.",
    {"department": Kind.DEPARTMENT},
    "SEC-501",
)
REGISTER_FORKED = Event(
    "register_forked",
    Level.ERROR,
    "The coordinator showed a register that does not continue the one seen before; nothing new is answered.",
    {"code": Kind.CODE},
    "SEC-503",
)
REGISTER_FORGOTTEN = Event(
    "register_forgotten",
    Level.WARNING,
    "A person decided to go on with whatever register is shown next.",
    {},
    "SEC-504",
)
LOG_CONTRADICTED = Event(
    "log_contradicted",
    Level.ERROR,
    "The node signed for a log that the one here does not continue; nothing is answered.",
    {"code": Kind.CODE},
    "SEC-505",
)
LOG_RENEWED = Event(
    "log_renewed",
    Level.WARNING,
    "A person began a new log, which says how far the former one had come.",
    {"reason": Kind.WORD},
    "SEC-506",
)
LOG_REFUSED = Event(
    "log_refused",
    Level.ERROR,
    "The department's log cannot be relied on; nothing is answered.",
    {"code": Kind.CODE},
    "SEC-507",
)
DEPARTMENT_LOG_CONTRADICTED = Event(
    "department_log_contradicted",
    Level.WARNING,
    "A department signed for two logs of one size that are not the same.",
    {"department": Kind.DEPARTMENT},
    "SEC-502",
)

# The first class that fits counts.
ALARMS: tuple[tuple[type[FedstatsError], Event], ...] = (
    (SignatureInvalid, SIGNATURE_REFUSED),
    (KeyUnknown, KEY_REFUSED),
    (AppointmentInvalid, APPOINTMENT_REFUSED),
    (AuthorityError, KEY_REFUSED),
    (NotAuthorised, KEY_REFUSED),
    (RoundConflict, ROUND_CONFLICTED),
    (AgreementNotInForce, AGREEMENT_MISMATCH),
    (OutsideAgreement, AGREEMENT_MISMATCH),
    (OutsideScope, AGREEMENT_MISMATCH),
    (CertificateProblem, CERTIFICATE_FOREIGN),
    (TokenInvalid, TOKEN_REFUSED),
    (NotPermitted, CALL_REFUSED),
    (MessageInvalid, LIMIT_HIT),
    (TooLarge, LIMIT_HIT),
    (LogDamaged, LOG_REFUSED),
    (LedgerError, LEDGER_REFUSED),
    (FileProblem, KEY_FILE_REFUSED),
)


def said_of(peer: Peer) -> dict[str, object]:
    """What may be logged of a caller: an organisation's name; of a person, the certificate's serial only."""
    said: dict[str, object] = {"role": peer.role.value}
    if peer.serial:
        said["certificate"] = f"{peer.serial:x}"
    if peer.role in (Role.NODE, Role.CONTROLLER):
        said["department"] = peer.name
    return said


def alarm(problem: FedstatsError, **said: object) -> None:
    """Note the security event that an error means, if it means one, with the fields that it declares."""
    for kind, event in ALARMS:
        if isinstance(problem, kind):
            event(code=problem.code, **said)
            return
