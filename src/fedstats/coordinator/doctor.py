"""What can be checked about a coordinator on its own machine: check, problem, how to fix.

It may run beside the coordinator: nothing is changed, and its own port is asked for a certificate only.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

from fedstats.coordinator.authority import CERTIFICATE_FILE, KEY_FILE
from fedstats.coordinator.config import Config
from fedstats.coordinator.home import DEFAULT_HOME, Home
from fedstats.coordinator.register_audit import contradicting, register_faults
from fedstats.coordinator.store import Store
from fedstats.coordinator.store_members import Member
from fedstats.core.checks import Check, Health, examined, failed, ok, problem, warning
from fedstats.core.presence import presence
from fedstats.errors import FedstatsError
from fedstats.identity import computer
from fedstats.identity.address import split_address
from fedstats.identity.peer import Role
from fedstats.wire.reach import Way

AUTHORITY_WARNING = timedelta(days=365)
UNSEEN_S_MAX = 3 * 86_400
STORE_BYTES_WARNING = 20 * 10**9
CLOCK_S_MAX = 60
FILES_BESIDE_CALLS = 200  # store, log, libraries, and calls that are just being opened
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 # where such a listener is asked from here


@dataclass(frozen=True, slots=True)
class Doctor:
    """Examines the coordinator in `home`; `tell` hears of what takes long before it begins."""

    home: Home
    now: Callable[[], float]
    offline: bool = False
    tell: Callable[[str], None] = lambda _: None

    def examine(self) -> Iterator[Check]:
        """Every check that is possible, as it is made; none ends the others."""
        home = self.home
        key = home.authority_folder / KEY_FILE
        yield from examined("account", lambda: computer.account(home.folder))
        keys = (home.authority_folder, key, home.register_key_file.parent, home.register_key_file)
        kept = (home.folder, *keys, home.config_file, home.store_file)
        yield from examined("private", lambda: computer.private(kept))
        yield from computer.disk("disk", home.folder)
        yield from examined("authority", self._authority)
        yield from examined("store", self._store)
        config = yield from self._config()
        if config is not None:
            yield from self._serving(config)

    def _config(self) -> Generator[Check, None, Config | None]:
        try:
            config = self.home.config()
        except FedstatsError as error:
            yield failed("configuration", error)
            return None
        yield ok("configuration", f"{self.home.config_file} is valid")
        return config

    def _authority(self) -> Iterator[Check]:
        self.home.authority()  # the key fits its certificate
        anew = "Make a coordinator in another folder, and let everybody join it before that day."
        path, now = self.home.authority_folder / CERTIFICATE_FILE, computer.at(self.now())
        yield from computer.certificate("authority", path, now, warn_before=AUTHORITY_WARNING, renewing=anew)

    def _store(self) -> Iterator[Check]:
        store = self.home.store()
        try:
            self.tell(f"reading all of {self.home.store_file}")
            damage = store.file.damage()
            if damage:
                fix = "Stop the coordinator, keep a copy of the file, and restore the last good backup."
                yield problem("store", f"{self.home.store_file} is damaged: {damage}.", fix)
                return
            yield self._sized()
            yield from examined("register", lambda: self._register(store))
            yield from examined("register-log", lambda: self._register_log(store))
            members = store.members.all()
            yield from self._certificates(members)
            yield from self._unseen(members)
            yield self._open_files(members)
        finally:
            store.close()

    def _sized(self) -> Check:
        size = self.home.store_file.stat().st_size
        words = f"{self.home.store_file} is sound, {size / 1e6:.1f} MB"
        if size > STORE_BYTES_WARNING:
            return warning("store", words, "Lower limits.queries_per_day_max, or plan a larger disk.")
        return ok("store", words)

    def _register(self, store: Store) -> Iterator[Check]:
        """Every entry is there, in order, and none is from the future."""
        number, newest_s, gap = 0, 0, 0
        while not gap and (page := store.register.entries(after=number)):
            gap = next((n for n, entry in enumerate(page, number + 1) if entry.number != n), 0)
            number, newest_s = page[-1].number, page[-1].at_s
        if gap:
            fix = "Stop the coordinator, keep a copy of the store, and restore the last good backup."
            yield problem("register", f"Entry {gap} of the register is missing.", fix)
        else:
            yield ok("register", f"{number:,} entries, none missing")
        ahead_s = round(newest_s - self.now())
        if ahead_s > CLOCK_S_MAX:
            fix = "Set this computer's clock, and let it be kept: timedatectl set-ntp true"
            words = f"This computer's clock is {ahead_s:,} s behind the newest entry of the register."
            yield problem("clock", words, fix)
        else:
            yield ok("clock", "not behind what the register says")

    def _register_log(self, store: Store) -> Iterator[Check]:
        """Every entry is what its hash says, the key that signs heads is there, and departments agree."""
        key = self.home.register_key().public
        faults, others = register_faults(store), contradicting(store)
        if faults:
            more = f" ({len(faults)} things are wrong.)" if len(faults) > 1 else ""
            fix = "Keep a copy of the store: it is evidence. Tell the controllers what happened."
            yield problem("register-log", f"{faults[0].sentence}{more}", fix)
        elif others:
            words = f"{', '.join(others)} signed for a register that has other or more entries than this one."
            fix = "Was an older copy restored? coordinator/README.md, Backup, says what to do then."
            yield problem("register-log", words, fix)
        else:
            yield ok(
                "register-log", f"every entry is what was written; heads are signed by {key.fingerprint}"
            )

    def _certificates(self, members: list[Member]) -> Iterator[Check]:
        expired = [m for m in members if m.certificate_until_s <= self.now()]
        for member in expired:
            until = f"{computer.at(member.certificate_until_s):%Y-%m-%d}"
            words = f"The certificate of the {member.role.value} {member.name} expired on {until}."
            fix = "It was away too long to renew it. Invite it again: " + self._command(
                f"fedstats coordinator invite {member.role.value} {member.name} --again"
            )
            yield warning("member-certificate", words, fix, subject=member.name)
        if not expired:
            yield ok("member-certificate", f"all {len(members)} members have one that counts")

    def _unseen(self, members: list[Member]) -> Iterator[Check]:
        nodes = [member for member in members if member.role is Role.NODE]
        gone = [m for m in nodes if self.now() - max(m.seen_s, m.joined_s) > UNSEEN_S_MAX]
        for node in gone:
            said = presence(seen_s=node.seen_s, paused=node.paused, now_s=self.now())
            fix = f"Ask the IT of {node.name} whether its node runs: fedstats node doctor"
            yield warning("node-seen", f"The node of {node.name}: {said}.", fix, subject=node.name)
        if not gone:
            yield ok("node-seen", f"all {len(nodes)} nodes were here within three days")

    def _open_files(self, members: list[Member]) -> Check:
        """Each waiting call holds a connection open, which is a file to the system."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = 2 * len(members) + FILES_BESIDE_CALLS
        words = f"an account's process may open {limit:,} files, and {len(members)} members need {needed:,}"
        if limit != resource.RLIM_INFINITY and limit < needed:
            return problem("open-files", words, "Raise LimitNOFILE of its service, or: ulimit -n 65536")
        return ok("open-files", words)

    def _serving(self, config: Config) -> Iterator[Check]:
        """Its port on this machine, and then the address that everybody was told."""
        host, port = split_address(config.listen)
        here = ANYWHERE.get(host, host)
        name, _ = split_address(config.address)
        try:
            authority_der = self.home.authority().certificate_der
        except FedstatsError:
            return  # which has been said
        near = f"[{here}]:{port}" if ":" in here else f"{here}:{port}"
        steps = tuple(Way(near, authority_der, name).opened())
        if all(step.health is Health.OK for step in steps):
            yield ok("running", f"it serves at {config.listen}, with a certificate for {name}")
            if not self.offline:
                yield from self._told(Way(config.address, authority_der))
        elif steps[-1].id == "tls":
            yield problem("running", steps[-1].found, steps[-1].fix)
        else:
            yield _free(host, port, self._command("fedstats coordinator run"))

    def _told(self, way: Way) -> Iterator[Check]:
        """Whether the address in tokens leads here, from this machine: others may go another way."""
        wrong = [step for step in way.opened() if step.health is not Health.OK]
        if wrong:
            words = f"From this machine: {wrong[0].found}"
            yield warning("address", words, f"Try it from another machine. {wrong[0].fix}")
        else:
            yield ok("address", f"{way.address} leads here")

    def _command(self, command: str) -> str:
        """A command as it must be typed for this coordinator."""
        return command if self.home.folder == DEFAULT_HOME else f"{command} --home {self.home.folder}"


def _free(host: str, port: int, start: str) -> Check:
    """Why nothing answers: it was not started, or cannot listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family)) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            fix = "Look who has the port (ss -ltnp), or change listen in coordinator.toml."
            return problem("running", f"It cannot listen at {host}, port {port}: {error.strerror}.", fix)
    return problem("running", f"Nothing answers at port {port}, which is free.", f"Start it: {start}")
