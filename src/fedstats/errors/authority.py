"""FS-5xx: signatures, agreements, appointments."""

from __future__ import annotations

from typing import ClassVar

from fedstats.errors.root import Actor, FedstatsError


class AuthorityError(FedstatsError):
    """A document does not carry the authority it claims."""

    code = "FS-500"
    title = "The authority is missing."
    acts: ClassVar[tuple[Actor, ...]] = (Actor.CONTROLLER,)


class SignatureInvalid(AuthorityError):
    """A signature does not fit its bytes, its key or its kind."""

    code = "FS-501"
    title = "The signature is not valid."
    acts = (Actor.CONTROLLER,)


class AgreementInvalid(AuthorityError):
    """An agreement's document is incomplete or contradicts itself."""

    code = "FS-502"
    title = "The agreement cannot be used."
    acts = (Actor.CONTROLLER,)


class KeyUnknown(AuthorityError):
    """A controller's key has not been compared and trusted here."""

    code = "FS-503"
    title = "This key is not trusted here."
    acts = (Actor.CALLER, Actor.CONTROLLER)
    remedy = "Compare its fingerprint by telephone, then: fedstats controller trust DEPARTMENT FINGERPRINT"


class AppointmentInvalid(AuthorityError):
    """An appointment is expired, revoked, or not made by the organisation it speaks for."""

    code = "FS-504"
    title = "The appointment is not valid."
    acts = (Actor.CONTROLLER,)
