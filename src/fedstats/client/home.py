"""The folder of an analyst or a controller: configuration, keys, certificates, trusted keys, jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Self

from fedstats.client.private import make_private
from fedstats.client.register_seen import RegisterSeen
from fedstats.core.names import check_agreement, check_department
from fedstats.core.reading import Reader, toml_document
from fedstats.errors import ConfigInvalid, FileProblem, NotJoined
from fedstats.identity.address import check_host, split_address
from fedstats.identity.durable_file import PRIVATE_MODE, write_durably
from fedstats.identity.key_files import read_signing_key
from fedstats.identity.keys import SigningKey
from fedstats.identity.peer import Peer, Role
from fedstats.identity.trust import TrustStore
from fedstats.wire.network import Network

CONFIG_BYTES_MAX = 100_000
ROLES = frozenset({Role.ANALYST, Role.CONTROLLER, Role.AUDITOR})


@dataclass(frozen=True, slots=True)
class Config:
    """What `config.toml` holds. Every field may be empty: before joining there is little to say.

    `address` (HOST:PORT) and `server_name` say where the coordinator is, `coordinator` how to get there;
    `role`, `name` what the certificate opens; `department` whose controller's key is here; `agreement` and
    `purpose` are what a question is asked under when it does not say (`fedstats use`).
    """

    address: str = ""
    server_name: str = ""
    role: str = ""
    name: str = ""
    department: str = ""
    agreement: str = ""
    purpose: str = ""
    coordinator: Network = field(default_factory=Network)

    def __post_init__(self) -> None:
        """Every value that is there has its form."""
        if self.address:
            split_address(self.address)
        if self.server_name:
            check_host(self.server_name)
        if self.role or self.name:
            if self.role not in {role.value for role in ROLES}:
                raise ConfigInvalid("The role in config.toml must be analyst, controller or auditor.")
            Peer(Role(self.role), self.name)
        if self.department:
            check_department(self.department)
        if self.agreement:
            check_agreement(self.agreement)
        if self.purpose:
            check_agreement(self.purpose, what="purpose")

    @property
    def joined(self) -> bool:
        """Whether there is a coordinator to talk to."""
        return bool(self.address)


@dataclass(frozen=True, slots=True)
class Home:
    """Where things are. `folder` holds what must be kept safe, `state` what only this computer needs."""

    folder: Path
    state: Path

    @classmethod
    def at(cls, folder: Path) -> Self:
        """Everything in one folder."""
        return cls(folder, folder)

    @classmethod
    def find(cls, environment: Mapping[str, str]) -> Self:
        """Where `FEDSTATS_HOME` says, else the XDG folders `~/.config/` and `~/.local/state/fedstats`."""
        if told := environment.get("FEDSTATS_HOME"):
            return cls.at(Path(told).expanduser())
        config = _xdg(environment, "XDG_CONFIG_HOME", ".config")
        return cls(config / "fedstats", _xdg(environment, "XDG_STATE_HOME", ".local/state") / "fedstats")

    @property
    def config_file(self) -> Path:
        """The address, the name, the defaults."""
        return self.folder / "config.toml"

    @property
    def signing_key_file(self) -> Path:
        """The analyst's Ed25519 key."""
        return self.folder / "keys" / "signing.pem"

    @property
    def next_key_file(self) -> Path:
        """The analyst's key that takes over once it is appointed; there mostly is none."""
        return self.folder / "keys" / "signing.next.pem"

    @property
    def controller_key_file(self) -> Path:
        """The controller's Ed25519 key."""
        return self.folder / "keys" / "controller.pem"

    @property
    def tls_key_file(self) -> Path:
        """The key behind the certificate."""
        return self.folder / "keys" / "tls.pem"

    @property
    def certificate_file(self) -> Path:
        """What opens the connection."""
        return self.folder / "tls.crt"

    @property
    def authority_file(self) -> Path:
        """The federation's certificate authority."""
        return self.folder / "ca.crt"

    @property
    def jobs_file(self) -> Path:
        """The signed queries of this computer."""
        return self.state / "jobs.sqlite"

    @property
    def register_leaves_file(self) -> Path:
        """The hashes of all entries of the register, as they were when all of it was verified here."""
        return self.state / "register.leaves"

    @property
    def register_seen(self) -> RegisterSeen:
        """What this computer saw of the public register."""
        return RegisterSeen(self.state / "register.json")

    @property
    def trust(self) -> TrustStore:
        """The controllers' keys that were compared and are trusted here."""
        return TrustStore(self.folder / "trust.json")

    def signing_key(self) -> SigningKey:
        """The analyst's key; raises FileProblem where there is none."""
        if not self.signing_key_file.exists():
            raise FileProblem(
                f"There is no analyst's key in {self.signing_key_file.parent}.",
                remedy="Join as an analyst: fedstats join -",
            )
        return read_signing_key(self.signing_key_file)

    def prepare(self) -> None:
        """Make the folders, for their owner only; ones that are there are closed to others.

        Raises
        ------
        FileProblem
            A folder cannot be made, is shared by everybody, or belongs to somebody else.

        """
        for folder in (self.folder, self.folder / "keys", self.state):
            make_private(folder)

    def config(self) -> Config:
        """The configuration; an empty one where there is no file yet.

        Raises
        ------
        ConfigInvalid
            The file is no TOML, has unknown keys, or a value of another form.
        FileProblem
            It cannot be read.

        """
        try:
            content = self.config_file.read_bytes()
        except FileNotFoundError:
            return Config()
        except OSError as problem:
            raise FileProblem(f"{self.config_file} cannot be read: {problem.strerror}.") from None
        return _parse(content, self.config_file)

    def write_config(self, config: Config) -> None:
        """Keep the configuration; raises FileProblem."""
        self.prepare()
        lines = (f"{name} = {json.dumps(getattr(config, name))}\n" for name in _TEXTS)
        content = "".join(line for line in lines if not line.endswith('= ""\n'))
        if reaching := config.coordinator.toml():
            content += "".join(f"{line}\n" for line in ("", "[coordinator]", *reaching))
        write_durably(self.config_file, content.encode(), mode=PRIVATE_MODE, replace=True)

    def joined_config(self) -> Config:
        """The configuration of a home that has joined; raises NotJoined, and as `config`."""
        config = self.config()
        if not config.joined:
            raise NotJoined(f"{self.folder} has not joined a federation yet.")
        return config


def _xdg(environment: Mapping[str, str], variable: str, default: str) -> Path:
    """A base folder; relative ones are ignored, as the XDG specification says."""
    told = Path(environment.get(variable, ""))
    return told if told.is_absolute() else Path(environment.get("HOME") or Path.home()) / default


_TEXTS = tuple(f.name for f in fields(Config) if f.name != "coordinator")


def _parse(content: bytes, path: Path) -> Config:
    where = str(path)
    if len(content) > CONFIG_BYTES_MAX:
        raise ConfigInvalid(f"{where} is too large for a configuration.")
    try:
        document = toml_document(content.decode())
    except ValueError as problem:
        raise ConfigInvalid(f"{where} is not TOML: {problem}.") from None
    reader = Reader(document, where=where, error=ConfigInvalid)
    with reader, reader.building():
        network = Network.read(reader.table("coordinator", optional=True), folder=path.parent)
        return Config(**{name: reader.text(name, "") for name in _TEXTS}, coordinator=network)
