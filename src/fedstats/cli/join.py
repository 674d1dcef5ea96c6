"""`fedstats join`: keys and a certificate for an analyst or a controller."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fedstats.cli.network import network_options, network_with
from fedstats.cli.running import home_at, home_option, say
from fedstats.cli.tokens import token_text
from fedstats.identity.peer import Peer, Role


@click.command
@click.argument("token", required=False)
@network_options
@home_option
def join(
    *,
    token: str | None,
    proxy: str,
    proxy_credentials_file: Path | None,
    ca_file: Path | None,
    home: Path | None,
) -> None:
    """Join a federation with a token, as who it is for.

    Whoever runs the coordinator gives you a token, which works once. Type

      fedstats join -

    and paste it, or give it on standard input: what is typed as TOKEN is seen by everybody on this
    computer for as long as the command runs, and stays in the shell's history. Your keys are made on
    this computer and never leave it.

    Without a TOKEN, say how this computer has joined.
    """
    from fedstats.client.joining import join as join_federation

    found = home_at(home)
    if token is None:
        config = found.joined_config()
        peer = Peer(Role(config.role), config.name)
    else:
        network = network_with(
            found.config().coordinator,
            proxy=proxy,
            proxy_credentials_file=proxy_credentials_file,
            ca_file=ca_file,
        )
        peer = join_federation(found, token_text(token), now=time.time, network=network)
    say(f"Joined the federation at {found.config().address} as {peer.role.value} {peer.name}.")
    if peer.role is Role.ANALYST:
        _say_next_to_analyst(home, peer.name)
    elif peer.role is Role.AUDITOR:
        say("Check the public register against what departments witnessed:  fedstats register verify")
    else:
        say("Make the controller's key, if there is none yet:  fedstats controller init " + peer.name)


def _say_next_to_analyst(home: Path | None, name: str) -> None:
    from fedstats.client.joining import introduction, signing_key

    say()
    say("Give this line to the controller of your organisation, who appoints your key with it:")
    say(f"  {introduction(name, signing_key(home_at(home)).public)}")
    say()
    say("Then choose what you ask under:  fedstats use AGREEMENT")


@click.command("rotate-key")
@click.option(
    "--now", "at_once", is_flag=True, help="Sign with the new key at once: the old one may be stolen."
)
@home_option
def rotate_key(*, at_once: bool, home: Path | None) -> None:
    """Make a new key for this analyst; it signs as soon as your controller has appointed it.

    Until then the old key signs. Questions that it asked stay yours: they are followed and fetched as before.
    If the old key may be stolen, the controller revokes it: fedstats controller revoke
    """
    from fedstats.client.joining import introduction
    from fedstats.client.keyring import make_next_key, take_over

    found = home_at(home)
    name, old = found.joined_config().name, found.signing_key().public
    new = make_next_key(found).public
    if at_once:
        take_over(found)
    say(f"Made a new key: {new.fingerprint}")
    say("Give this line to the controller of your organisation, who appoints it:")
    say(f"  {introduction(name, new)}")
    say()
    if at_once:
        say("It signs from now on; until it is appointed, your questions are refused.")
    else:
        say("Until then your old key signs; the new one takes over by itself with the next question.")
    say(f"If the old key may be stolen:  fedstats controller revoke {old.raw.hex()} --reason 'key lost'")
