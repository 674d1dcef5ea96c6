"""`fedstats use`: the agreement and the purpose of later questions, and the keys that they rest on."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.meeting import meet, strangers
from fedstats.cli.running import home_option, say, say_sections, session_at
from fedstats.errors import FedstatsError

if TYPE_CHECKING:  # imported when the command runs
    from collections.abc import Mapping

    from fedstats.client.authority import Authority, Record
    from fedstats.client.session import Session
    from fedstats.core.agreement import Agreement


@click.command
@click.argument("agreement", required=False)
@click.argument("purpose", required=False)
@click.option(
    "--trust",
    is_flag=True,
    help="Trust the controllers' keys without asking. For scripts: the fingerprints are printed.",
)
@home_option
def use(*, agreement: str | None, purpose: str | None, trust: bool, home: Path | None) -> None:
    """Choose the agreement and the purpose that you ask under.

    Shows the agreement in plain English, and the fingerprints of the controllers' keys that this
    computer does not trust yet. Compare them over a channel that the coordinator's host does not
    control, such as the telephone: your answers are only as good as these keys.

    Without AGREEMENT, say what is in use and what there is.
    """
    from fedstats.client.agreement_words import summary
    from fedstats.client.asking import choose_purpose

    with session_at(home) as session:
        if agreement is None:
            _say_choice(session)
            return
        authority = session.authority()
        record = _meant(authority.versions(agreement), session.home.trust.all())
        if strangers(record.agreement, session.home.trust):
            say_sections(summary(record.agreement))
            meet(record.agreement, session.home.trust, trust=trust)
        found = session.directory().agreement(agreement)
        several = len(found.purposes) > 1 and not purpose
        chosen = "" if several else choose_purpose(found, purpose or "")
        session.home.write_config(replace(session.home.config(), agreement=found.id, purpose=chosen))
        say_sections(tuple(section for section in summary(found) if section[0] == "What for"))
        say(f"Questions are now asked under {found.id}" + (f", for {chosen}." if chosen else "."))
        if several:
            say("It has several purposes; say with each question which one: --purpose CODE")
        _say_appointment(session, authority, found)
        say(f"Read the whole agreement: fedstats agreement show {found.id}")


def _say_choice(session: Session) -> None:
    from fedstats.client.standing import doubts

    config = session.home.config()
    if config.agreement:
        say(f"In use: {config.agreement}" + (f", for {config.purpose}." if config.purpose else "."))
    else:
        say("No agreement is in use yet.")
    trusted = session.home.trust.all()
    for record in session.authority().records:
        agreement, doubt = record.agreement, doubts(record, trusted)
        say(f"  {agreement.id} version {agreement.version}: {agreement.title}")
        if doubt:
            say(f"    {doubt}")


def _meant(versions: tuple[Record, ...], trusted: Mapping[str, str]) -> Record:
    """The text that rests on the keys trusted here, as far as there are any; of these, one signed by all."""
    from fedstats.client.standing import best_first, doubts

    best = best_first(versions, trusted)
    alike = [record for record in best if doubts(record, trusted) == doubts(best[0], trusted)]
    return next((record for record in alike if not record.unsigned), best[0])


def _say_appointment(session: Session, authority: Authority, agreement: Agreement) -> None:
    """Tell an analyst whether anybody has appointed this key."""
    from fedstats.client.joining import introduction, signing_key
    from fedstats.wire.codec import decode_appointment

    config = session.home.config()
    if config.role != "analyst":
        return
    key = signing_key(session.home).public
    try:
        signed = authority.analyst(agreement, key, now_s=int(time.time()))
    except FedstatsError as problem:
        say(f"You cannot ask yet: {problem}")
        say("The line for your controller:")
        say(f"  {introduction(config.name, key)}")
        return
    appointment = decode_appointment(signed.payload)
    end = datetime.fromtimestamp(appointment.until_s, UTC)
    say(f"You may ask as {appointment.name}@{appointment.department} until {end:%Y-%m-%d %H:%M} UTC.")
