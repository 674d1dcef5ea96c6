"""`fedstats controller`: the key of a department's controller, and what it says about other keys."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.passphrase import new_passphrase, open_key, passphrase_option
from fedstats.cli.publishing import output_option, put_out_signed
from fedstats.cli.running import home_at, home_option, say
from fedstats.errors import AppointmentInvalid, ValueInvalid

if TYPE_CHECKING:  # imported when a command runs
    from fedstats.identity.keys import PublicKey

DAYS_DEFAULT = 365


@click.group
def controller() -> None:
    """Sign for a department: keys and appointments.

    A controller's key signs agreements, and appoints the department's node and its analysts. Keep it on
    a machine that is usually off; nothing else needs it.
    """


@controller.command
@click.argument("department")
@click.option("--no-passphrase", is_flag=True, help="Keep the key unencrypted: for demonstrations and tests.")
@passphrase_option
@home_option
def init(*, department: str, no_passphrase: bool, passphrase_file: Path | None, home: Path | None) -> None:
    """Make the controller's key of DEPARTMENT on this computer."""
    from fedstats.client.controller import make_key

    passphrase = new_passphrase(none=no_passphrase, file=passphrase_file)
    key = make_key(home_at(home), department, passphrase=passphrase)
    say(f"Made the controller's key of {department}. Back it up: nobody can make it again.")
    _say_key(department, key)


@controller.command(short_help="Show the key, for people and for agreements.")
@passphrase_option
@home_option
def fingerprint(*, passphrase_file: Path | None, home: Path | None) -> None:
    """Show the key: its fingerprint to read out, and the line for an agreement."""
    from fedstats.client.controller import department_of

    found = home_at(home)
    department = department_of(found)
    _say_key(department, open_key(found, passphrase_file).public)


@controller.command
@click.argument("department")
@click.argument("fingerprint")
@click.option("--replace", is_flag=True, help="Take the place of another key that is trusted for DEPARTMENT.")
@home_option
def trust(*, department: str, fingerprint: str, replace: bool, home: Path | None) -> None:
    """Trust a controller's key on this computer.

    Compare the FINGERPRINT with the controller of DEPARTMENT first, over a channel that the
    coordinator's host does not control, such as the telephone. At a node, name its folder with --home.
    """
    found = home_at(home)
    found.prepare()
    found.trust.trust(department, fingerprint, replace=replace)
    say(f"The key {found.trust.all()[department]} is now trusted as the controller's of {department}.")


@controller.command(short_help="Say that a key is your analyst's, or your node's.")
@click.argument("role", type=click.Choice(("analyst", "node")))
@click.argument("name")
@click.option(
    "--key",
    required=True,
    metavar="KEY",
    help="The public key, 64 digits, as the analyst or IT gave it to you.",
)
@click.option(
    "--until",
    type=click.DateTime(("%Y-%m-%d",)),
    metavar="DATE",
    help="The last day, such as 2027-03-31. Default: a year from now.",
)
@output_option
@passphrase_option
@home_option
def appoint(
    *,
    role: str,
    name: str,
    key: str,
    until: datetime | None,
    output: Path | None,
    passphrase_file: Path | None,
    home: Path | None,
) -> None:
    """Say that a key is your department's analyst NAME, or its node.

    For a node, NAME is your department. The analyst or your IT gives you the line to type; make sure
    that it is from them. An appointment counts under every agreement that names your key and allows the
    analyst.
    """
    from datetime import timedelta

    from fedstats.client.agreement_file import SignedFile
    from fedstats.client.controller import appoint as sign_appointment
    from fedstats.client.controller import department_of, parse_key
    from fedstats.core.appointment import AppointedRole

    found, now_s = home_at(home), int(time.time())
    department, appointed = department_of(found), parse_key(key)
    if role == "node" and name != department:
        raise AppointmentInvalid(f"You sign for {department}, so its node is {department}, not {name}.")
    last = until.date() if until else datetime.fromtimestamp(now_s, UTC).date() + timedelta(days=DAYS_DEFAULT)
    signed = sign_appointment(
        open_key(found, passphrase_file),
        department,
        AppointedRole(role),
        name,
        appointed,
        until=last,
        now_s=now_s,
    )
    say(f"{department} appoints {role} {name} until {last}: key {appointed.fingerprint}")
    put_out_signed(SignedFile("appointment", signed), output, home)


@controller.command
@click.argument("key")
@click.option("--reason", required=True, help="Why, in a few public words: left the department, laptop lost.")
@output_option
@passphrase_option
@home_option
def revoke(
    *, key: str, reason: str, output: Path | None, passphrase_file: Path | None, home: Path | None
) -> None:
    """Say that your department no longer stands behind a key.

    KEY is the public key, 64 digits, or the fingerprint of one that you appointed. It cannot be undone:
    appoint a new key afterwards.
    """
    from fedstats.client.agreement_file import SignedFile
    from fedstats.client.controller import department_of
    from fedstats.client.controller import revoke as sign_revocation

    found = home_at(home)
    department, revoked = department_of(found), _key_named(key, home)
    signing = open_key(found, passphrase_file)
    signed = sign_revocation(signing, department, revoked, reason=reason, now_s=int(time.time()))
    say(f"{department} revokes the key {revoked.fingerprint}: {reason}")
    put_out_signed(SignedFile("revocation", signed), output, home)


def _key_named(text: str, home: Path | None) -> PublicKey:
    """A key as its digits, or found by fingerprint among the appointments that the coordinator relays."""
    from fedstats.cli.running import session_at
    from fedstats.client.controller import parse_key

    try:
        return parse_key(text)
    except ValueInvalid:
        with session_at(home) as session:
            found = session.authority().appointed_key(text)
    if found is None:
        raise ValueInvalid(
            "No appointed key has this fingerprint.", remedy="Give the key itself: 64 digits and letters."
        )
    return found


def _say_key(department: str, key: PublicKey) -> None:
    say("Fingerprint, for others to compare by telephone:")
    say(f"  {key.fingerprint}")
    say(f"For the agreement, under the controller of {department}:")
    say(f'  key = "{key.raw.hex()}"')
