"""The coordinator's configuration: one frozen tree, read from coordinator.toml and printed as its example."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from fedstats.core.names import check_label
from fedstats.core.reading import Reader, toml_document
from fedstats.errors import ConfigInvalid, FileProblem, UsageError, ValueInvalid
from fedstats.identity.address import check_host, split_address
from fedstats.identity.certificates import TITLE_CHARACTERS_MAX
from fedstats.journal.settings import LogTerms, MetricsTerms, example
from fedstats.wire.network import KEEPALIVE_S_LEAST, KEEPALIVE_S_MOST

CONFIG_BYTES_MAX = 64_000
PORT_DEFAULT = 8443

Terms = TypeVar("Terms", LogTerms, MetricsTerms)


def _setting(default: Any, *, says: str) -> Any:  # noqa: ANN401 # as dataclasses.field itself
    """A setting with its default and what the example configuration says about it."""
    return field(default=default, metadata={"says": says})


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much. The defaults suit federations of thousands of nodes."""

    lease_s: int = _setting(
        60, says="Seconds after which a task is offered again to a node that did not answer."
    )
    request_bytes_max: int = _setting(
        34 * 2**20, says="The largest message that is accepted; a release of 2,000,000 cells needs 16 MB."
    )
    reply_bytes_max: int = _setting(
        48 * 2**20, says="The most that the releases of one query may take together: clients accept 64 MB."
    )
    open_queries_max: int = _setting(1_000, says="Queries of one analyst whose deadline is still to come.")
    queries_per_day_max: int = _setting(2_000, says="Queries of one analyst within 24 hours.")
    query_bytes_max: int = _setting(8 * 2**20, says="How large one query and all its rounds may be together.")
    deadline_days_max: int = _setting(366, says="The longest time until a query's deadline.")

    def __post_init__(self) -> None:
        """Numbers in their ranges."""
        for name, least, most in _RANGES:
            if not least <= getattr(self, name) <= most:
                raise ConfigInvalid(f"limits.{name} must lie between {least:,} and {most:,}.")


_RANGES = (
    ("lease_s", 1, 3_600),
    ("request_bytes_max", 2**20, 64 * 2**20),
    ("reply_bytes_max", 2**20, 60 * 2**20),
    ("open_queries_max", 1, 1_000_000),
    ("queries_per_day_max", 1, 1_000_000),
    ("query_bytes_max", 1_000, 64 * 2**20),
    ("deadline_days_max", 1, 3_660),
)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that coordinator.toml says."""

    address: str = _setting(
        f"stats.example.gov.uk:{PORT_DEFAULT}",
        says="Where nodes and analysts reach this coordinator, HOST:PORT. Tokens say so to those who join.",
    )
    listen: str = _setting(
        f"[::]:{PORT_DEFAULT}", says="The address and port of this machine on which it listens."
    )
    hosts: tuple[str, ...] = _setting(
        (),
        says="More names or addresses that its own certificate must carry; the host above is in it always.",
    )
    certificate_file: str = _setting(
        "",
        says="Certificates (PEM, the server's first) to show in place of one by the federation's authority: "
        "your organisation's, say; nodes and analysts then name that authority as ca_file.",
    )
    key_file: str = _setting(
        "", says="The private key (PEM, mode 600) of certificate_file. Both are read at the start."
    )
    keepalive_s: int = _setting(
        30, says="Seconds of silence after which a connection is tried, so that one that broke is noticed."
    )
    title: str = _setting(
        "fedstats federation", says="What people see as the issuer of certificates; used once, by `init`."
    )
    limits: Limits = field(default_factory=Limits)
    log: LogTerms = field(default_factory=LogTerms)
    metrics: MetricsTerms = field(default_factory=MetricsTerms)

    def __post_init__(self) -> None:
        """Addresses are addresses, names are names."""
        try:
            split_address(self.address)
            split_address(self.listen)
            for host in self.hosts:
                check_host(host)
            check_label(self.title, what="title")
        except ValueInvalid as problem:
            raise ConfigInvalid(problem.sentence) from None
        if bool(self.certificate_file) != bool(self.key_file):
            raise ConfigInvalid("certificate_file and key_file belong together.")
        if not KEEPALIVE_S_LEAST <= self.keepalive_s <= KEEPALIVE_S_MOST:
            raise ConfigInvalid(f"keepalive_s lies between {KEEPALIVE_S_LEAST} and {KEEPALIVE_S_MOST}.")
        if len(self.title) > TITLE_CHARACTERS_MAX or not self.title.strip():
            raise ConfigInvalid(f"The title has 1 to {TITLE_CHARACTERS_MAX} characters.")

    @property
    def certificate_hosts(self) -> tuple[str, ...]:
        """Every name that the server's certificate carries, the public one first."""
        host, _ = split_address(self.address)
        return tuple(dict.fromkeys((host, *self.hosts)))


_TABLES = ("limits", "log", "metrics")
_DEFAULT = Config()


def read_config(path: Path) -> Config:
    """The configuration in a file.

    Raises
    ------
    FileProblem
        The file cannot be read.
    ConfigInvalid
        It is no TOML, or has an unknown key or a value out of range.

    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise FileProblem(
            f"{path} cannot be read: {problem.strerror}.",
            remedy="Type: fedstats coordinator init --host NAME:PORT",
        ) from None
    if len(content) > CONFIG_BYTES_MAX:
        raise ConfigInvalid(f"{path} is too large for a configuration.")
    try:
        return config_of(toml_document(content.decode("utf-8")))
    except ValueError as problem:
        raise ConfigInvalid(f"{path} is not TOML: {problem}.") from None
    except UsageError as problem:
        raise ConfigInvalid(f"{path}: {problem.sentence}") from None


def config_of(document: object) -> Config:
    """The configuration in a parsed document; raises ConfigInvalid."""
    with Reader(document, where="", error=ConfigInvalid) as reader:
        limits = reader.table("limits", optional=True)
        with limits:
            numbers = {
                f.name: limits.integer(f.name, getattr(_DEFAULT.limits, f.name)) for f in fields(Limits)
            }
        return Config(
            address=reader.text("address"),
            listen=reader.text("listen", _DEFAULT.listen),
            hosts=reader.texts("hosts", _DEFAULT.hosts),
            certificate_file=reader.text("certificate_file", _DEFAULT.certificate_file),
            key_file=reader.text("key_file", _DEFAULT.key_file),
            keepalive_s=reader.integer("keepalive_s", _DEFAULT.keepalive_s),
            title=reader.text("title", _DEFAULT.title),
            limits=Limits(**numbers),
            log=_terms(LogTerms, reader.table("log", optional=True)),
            metrics=_terms(MetricsTerms, reader.table("metrics", optional=True)),
        )


def _terms(kind: type[Terms], reader: Reader) -> Terms:
    with reader.building():
        return kind.read(reader)


def toml_of(config: Config) -> str:
    """The configuration as a commented file; what has its default stands in a comment."""
    lines = ["# The configuration of a fedstats coordinator. A line that starts with # shows a default."]
    for setting in fields(Config):
        if setting.name not in _TABLES:
            lines += _commented(setting, getattr(config, setting.name), required=setting.name == "address")
    lines += ["", "[limits]"]
    for setting in fields(Limits):
        lines += _commented(setting, getattr(config.limits, setting.name), required=False)
    for name, terms, usual in (
        ("log", config.log, _DEFAULT.log),
        ("metrics", config.metrics, _DEFAULT.metrics),
    ):
        lines += ["", f"[{name}]"]
        for (about, key, value), (*_, default) in zip(example(terms), example(usual), strict=True):
            lines += ["", f"# {about}", f"{'# ' if value == default else ''}{key} = {value}"]
    return "\n".join(lines) + "\n"


def _commented(setting: Field[Any], value: object, *, required: bool) -> Iterator[str]:
    yield ""
    yield f"# {setting.metadata['says']}"
    shown = list(value) if isinstance(value, tuple) else value
    mark = "# " if value == setting.default and not required else ""
    yield f"{mark}{setting.name} = {json.dumps(shown, ensure_ascii=False)}"
