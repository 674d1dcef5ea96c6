"""What a department's controller does: keep a key, sign agreements, appoint and revoke. Sends nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from fedstats.client.home import Home
from fedstats.core.agreement import Agreement
from fedstats.core.appointment import AppointedRole, Appointment, Revocation
from fedstats.core.names import check_department
from fedstats.errors import AlreadyExists, AppointmentInvalid, FileProblem, KeyUnknown, ValueInvalid
from fedstats.identity.key_files import is_locked, read_signing_key, write_key
from fedstats.identity.keys import PUBLIC_KEY_BYTES, Context, PublicKey, Signed, SigningKey
from fedstats.wire.codec import encode_appointment, encode_revocation

DAYS_MAX = 3_660


def make_key(home: Home, department: str, *, passphrase: str | None) -> PublicKey:
    """Make the controller's key of a department, and trust it here.

    Raises
    ------
    AlreadyExists
        There is a controller's key in this home: it is never overwritten.
    ValueInvalid
        The department cannot be called so, or the passphrase is empty.

    """
    check_department(department)
    if home.controller_key_file.exists():
        raise AlreadyExists(f"There is a controller's key in {home.controller_key_file} already.")
    home.prepare()
    key = SigningKey.generate()
    home.trust.trust(department, key.public.fingerprint)
    write_key(home.controller_key_file, key, passphrase=passphrase)
    home.write_config(replace(home.config(), department=department))
    return key.public


def department_of(home: Home) -> str:
    """The department whose controller's key is here; raises FileProblem where there is none."""
    department = home.config().department
    if not department or not home.controller_key_file.exists():
        raise FileProblem(
            f"There is no controller's key in {home.folder}.",
            remedy="Make one: fedstats controller init DEPARTMENT",
        )
    return department


def needs_passphrase(home: Home) -> bool:
    """Whether the key is encrypted; raises FileProblem where there is none."""
    department_of(home)
    return is_locked(home.controller_key_file)


def read_key(home: Home, *, passphrase: str | None = None) -> SigningKey:
    """The controller's key; raises FileProblem, also where the passphrase does not open it."""
    department_of(home)
    return read_signing_key(home.controller_key_file, passphrase=passphrase)


def parse_key(text: str) -> PublicKey:
    """A public key as `fedstats join` and `fedstats node join` print it: 64 hexadecimal digits.

    Raises
    ------
    ValueInvalid
        The text is something else, such as a fingerprint.

    """
    try:
        raw = bytes.fromhex(text.strip())
    except ValueError:
        raw = b""
    if len(raw) != PUBLIC_KEY_BYTES:
        raise ValueInvalid(
            "This is not a public key: it has 64 digits and letters from a to f.",
            remedy="Copy the whole line that fedstats join printed there; a fingerprint is not enough.",
        )
    return PublicKey(raw)


def appoint(
    key: SigningKey,
    department: str,
    role: AppointedRole,
    name: str,
    appointed: PublicKey,
    *,
    until: date,
    now_s: int,
) -> Signed:
    """Say that a key is the department's node, or its analyst `name`, until the end of a day (UTC).

    Raises
    ------
    AppointmentInvalid
        The day lies in the past, or more than ten years ahead.

    """
    today = datetime.fromtimestamp(now_s, UTC).date()
    if not today <= until <= today + timedelta(days=DAYS_MAX):
        raise AppointmentInvalid("An appointment ends today or later, and within ten years.")
    if appointed == key.public:
        raise AppointmentInvalid("This is the controller's own key, which is never appointed.")
    end = datetime.combine(until + timedelta(days=1), time(), UTC)
    appointment = Appointment(department, role, name, appointed.raw, now_s, int(end.timestamp()))
    return Signed.make(Context.APPOINTMENT, encode_appointment(appointment), key)


def revoke(key: SigningKey, department: str, revoked: PublicKey, *, reason: str, now_s: int) -> Signed:
    """Say that the department no longer stands behind a key, whatever it was appointed as."""
    revocation = Revocation(department, revoked.raw, now_s, reason)
    return Signed.make(Context.REVOCATION, encode_revocation(revocation), key)


def sign_agreement(key: SigningKey, department: str, agreement: Agreement, document: bytes) -> Signed:
    """Sign the canonical bytes of an agreement.

    Raises
    ------
    KeyUnknown
        The agreement names another key, or no controller, for this department.

    """
    controller = agreement.controller(department)
    if controller is None or controller.key != key.public.raw:
        named = "another key" if controller else "no controller"
        raise KeyUnknown(
            f"Agreement {agreement.id} names {named} for {department}.",
            remedy="The line for it is printed by: fedstats controller fingerprint",
        )
    return Signed.make(Context.AGREEMENT, document, key)
