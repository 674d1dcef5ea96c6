"""The coordinator's folder: configuration, certificate authority, store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fedstats.coordinator.authority import CERTIFICATE_FILE, create_authority, read_authority
from fedstats.coordinator.config import Config, read_config, toml_of
from fedstats.coordinator.store import Store
from fedstats.errors import AlreadyExists, FileProblem
from fedstats.identity.certificates import Authority
from fedstats.identity.durable_file import PRIVATE_MODE, write_durably
from fedstats.identity.key_files import read_signing_key, write_key
from fedstats.identity.keys import SigningKey

DEFAULT_HOME = Path("/var/lib/fedstats-coordinator")
FOLDER_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Home:
    """Where one coordinator keeps everything."""

    folder: Path

    @property
    def config_file(self) -> Path:
        """The configuration; written last by `init`, so that where it is everything is."""
        return self.folder / "coordinator.toml"

    @property
    def authority_folder(self) -> Path:
        """The certificate authority's key and certificate."""
        return self.folder / "ca"

    @property
    def register_key_file(self) -> Path:
        """The key that signs heads of the register, and nothing else."""
        return self.folder / "keys" / "register.pem"

    @property
    def store_file(self) -> Path:
        """Members, documents, questions, answers, register."""
        return self.folder / "store.sqlite"

    @property
    def logs(self) -> Path:
        """The folder of the security log."""
        return self.folder / "logs"

    def config(self) -> Config:
        """The configuration; raises FileProblem, ConfigInvalid."""
        return read_config(self.config_file)

    def authority(self) -> Authority:
        """The certificate authority; raises FileProblem, CertificateProblem."""
        return read_authority(self.authority_folder)

    def register_key(self) -> SigningKey:
        """The key that signs heads of the register; raises FileProblem."""
        return read_signing_key(self.register_key_file)

    def store(self) -> Store:
        """The open store; raises FileProblem."""
        return Store.open(self.store_file)


def init(home: Home, config: Config, *, now: datetime) -> Authority:
    """Make everything that a coordinator needs. After a crash it may be repeated, and keeps what is complete.

    Raises
    ------
    AlreadyExists
        The folder is a coordinator's already.
    FileProblem
        It cannot be written.

    """
    if home.config_file.exists():
        raise AlreadyExists(f"{home.folder} is the folder of a coordinator already.")
    for folder in (home.folder, home.authority_folder, home.register_key_file.parent):
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as problem:
            raise FileProblem(f"{folder} cannot be made: {problem.strerror}.") from None
    if (home.authority_folder / CERTIFICATE_FILE).exists():
        authority = home.authority()
    else:
        authority = create_authority(home.authority_folder, config.title, now=now)
    if not home.register_key_file.exists():
        write_key(home.register_key_file, SigningKey.generate())
    if not home.store_file.exists():
        Store.create(home.store_file).close()
    write_durably(home.config_file, toml_of(config).encode(), mode=PRIVATE_MODE, replace=False)
    return authority
