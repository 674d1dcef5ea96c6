"""Where a node keeps what: one folder, readable by its own account only."""

from __future__ import annotations

import json
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from fedstats.errors import FileProblem, NotJoined
from fedstats.identity.durable_file import PRIVATE_MODE, write_durably
from fedstats.identity.key_files import read_signing_key, write_key
from fedstats.identity.keys import SigningKey
from fedstats.identity.trust import TrustStore
from fedstats.node.ledger import Ledger
from fedstats.node.state import State

DEFAULT_HOME = Path("/var/lib/fedstats")
DEFAULT_CONFIG = Path("/etc/fedstats/node.toml")
FOLDER_MODE = 0o700
EDITION_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Home:
    """The folder, and the name of everything in it."""

    path: Path

    @property
    def config(self) -> Path:
        """The configuration: the one in the folder, or else the machine's."""
        own = self.path / "node.toml"
        return own if own.exists() or not DEFAULT_CONFIG.exists() else DEFAULT_CONFIG

    @property
    def node_key(self) -> Path:
        """The Ed25519 key that signs releases."""
        return self.path / "keys" / "node.pem"

    @property
    def next_node_key(self) -> Path:
        """The key that takes over as soon as the controller has appointed it; there mostly is none."""
        return self.path / "keys" / "node.next.pem"

    @property
    def tls_key(self) -> Path:
        """The key that opens connections."""
        return self.path / "keys" / "tls.pem"

    @property
    def edition_key(self) -> Path:
        """The secret behind the keyed hashes of rows: 32 bytes."""
        return self.path / "keys" / "edition.key"

    @property
    def certificate(self) -> Path:
        """The certificate that opens connections."""
        return self.path / "certs" / "tls.crt"

    @property
    def authority(self) -> Path:
        """The certificate of the federation's authority."""
        return self.path / "certs" / "ca.crt"

    @property
    def coordinator(self) -> Path:
        """Where the coordinator is, as the token said."""
        return self.path / "coordinator.json"

    @property
    def ledger(self) -> Path:
        """What was spent."""
        return self.path / "ledger.sqlite"

    @property
    def state(self) -> Path:
        """Agreements, editions, pause."""
        return self.path / "state.sqlite"

    @property
    def log(self) -> Path:
        """What was decided, answered and refused: a file that only grows."""
        return self.path / "log.sqlite"

    @property
    def editions(self) -> Path:
        """The folder of the editions."""
        return self.path / "editions"

    @property
    def logs(self) -> Path:
        """The folder of the security log."""
        return self.path / "logs"

    @property
    def trust(self) -> TrustStore:
        """The controllers' keys that were compared."""
        return TrustStore(self.path / "trust.json")

    def create(self, department: str, *, key: SigningKey | None = None) -> None:
        """Make whatever of the folder is not there: keys, an empty ledger, an empty state.

        Nothing that exists is touched, so a sitting that was broken off can be repeated; only a folder that
        others may enter is closed to them.

        Raises
        ------
        FileProblem
            The folder cannot be written, or belongs to another department's node.

        """
        for folder in (self.path, self.node_key.parent, self.certificate.parent, self.editions):
            make_private(folder)
        # The key last: a folder with a key has everything else, so a ledger that is missing later was lost.
        if not self.node_key.exists():
            State.make(self.state, department)
            Ledger.create(self.ledger)
            if not self.edition_key.exists():
                secret = secrets.token_bytes(EDITION_KEY_BYTES)
                write_durably(self.edition_key, secret, mode=PRIVATE_MODE, replace=False)
            write_key(self.node_key, key or SigningKey.generate())
        with State(self.state) as state:
            if state.department != department:
                raise FileProblem(f"{self.path} belongs to the node of {state.department}.")

    def read_node_key(self) -> SigningKey:
        """The key that signs releases; raises NotJoined where there is none, and FileProblem."""
        self.check_exists()
        return read_signing_key(self.node_key)

    def read_edition_key(self) -> bytes:
        """The secret behind the keyed hashes; raises FileProblem."""
        try:
            key = self.edition_key.read_bytes()
        except OSError as problem:
            raise FileProblem(f"{self.edition_key} cannot be read: {problem.strerror}.") from None
        if len(key) != EDITION_KEY_BYTES:
            raise FileProblem(f"{self.edition_key} is damaged.")
        return key

    def write_coordinator(self, address: str, server_name: str) -> None:
        """Remember where the coordinator is."""
        content = json.dumps({"address": address, "server_name": server_name}).encode() + b"\n"
        write_durably(self.coordinator, content, mode=PRIVATE_MODE, replace=True)

    def read_coordinator(self) -> tuple[str, str]:
        """Address and server name of the coordinator; raises NotJoined, FileProblem."""
        self.check_exists()
        try:
            known = json.loads(self.coordinator.read_bytes())
            return str(known["address"]), str(known["server_name"])
        except FileNotFoundError:
            raise NotJoined(
                f"The node in {self.path} has not joined a federation yet.", remedy=_JOIN
            ) from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise FileProblem(f"{self.coordinator} is damaged.", remedy=_JOIN) from None

    def check_exists(self) -> None:
        """Return if there is a node in this folder; raises NotJoined."""
        if not self.node_key.exists():
            raise NotJoined(f"There is no node in {self.path}.", remedy=_JOIN)


def make_private(folder: Path) -> None:
    """Make a folder that its own account only can enter, or close one that others could enter.

    Raises
    ------
    FileProblem
        It cannot be made, or belongs to another account.

    """
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) & ~FOLDER_MODE:
            folder.chmod(FOLDER_MODE)
    except OSError as problem:
        raise FileProblem(
            f"{problem.filename} cannot be made for this account only: {problem.strerror}.",
            remedy="Run as the account of the node, or name another folder with --home.",
        ) from None


_JOIN = "Ask whoever runs the coordinator for a token, and paste it after typing: fedstats node join -"
