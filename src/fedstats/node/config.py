"""node.toml: what a department's IT decides. Agreements say what may be asked; here is where the data is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Self

from fedstats.core.accounting import rho_from_epsilon
from fedstats.core.names import check_identifier
from fedstats.core.privacy import Loss
from fedstats.core.reading import Reader, toml_document
from fedstats.engines import Resources
from fedstats.engines.mapping import DatasetMapping
from fedstats.errors import ConfigInvalid, FileProblem, MappingInvalid, ValueInvalid
from fedstats.journal.settings import LogTerms, MetricsTerms
from fedstats.node.approval_terms import PolicyTerms
from fedstats.node.caps import Cap, CapKind
from fedstats.wire.network import Network

CONFIG_BYTES_MAX = 1_000_000
TASKS_MAX = 64
REPLY_DEADLINE_S_MAX = 3_600
LIFETIME_EPSILON_MAX = 1_000


@dataclass(frozen=True, slots=True)
class LifetimeTerms:
    """The most that the answers of this node may ever reveal about one person of a namespace."""

    epsilon: Fraction = field(
        metadata={
            "about": "Over all agreements, datasets and editions together, for ever. Nothing refills it.",
            "example": '"20"',
        }
    )
    delta: Fraction = field(metadata={"about": "The probability that goes with it.", "example": '"0.00001"'})

    def __post_init__(self) -> None:
        """Both are in range."""
        if not 0 < self.epsilon <= LIFETIME_EPSILON_MAX or not 0 < self.delta < Fraction(1, 100):
            raise ValueInvalid(
                f"A lifetime cap needs an epsilon up to {LIFETIME_EPSILON_MAX} and a delta below 0.01."
            )

    def cap(self, namespace: str) -> Cap:
        """The limit that the ledger charges: half of delta converts, the other half caps additive delta."""
        half = self.delta / 2
        return Cap(CapKind.LIFETIME, namespace, Loss(rho_from_epsilon(self.epsilon, half), half), half)


@dataclass(frozen=True, slots=True)
class WitnessTerms:
    """Who besides the coordinator remembers how far the ledger has come."""

    file: Path | None = field(
        default=None,
        metadata={
            "about": "A file on another disk, written before each answer leaves. With it, a ledger that was "
            "restored from a backup is recognised even if the coordinator keeps silent.",
            "example": '"/mnt/other-disk/fedstats.witness"',
        },
    )

    @classmethod
    def read(cls, reader: Reader, folder: Path) -> Self:
        """Read the table [witness]; a relative path starts at `folder`."""
        with reader:
            file = reader.text("file", "")
        return cls(folder / file if file else None)


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """All of node.toml."""

    tasks_max: int = field(default=2, metadata={"about": "How many questions are computed at the same time."})
    threads: int = field(default=2, metadata={"about": "Processor cores for one computation."})
    memory_mb: int = field(
        default=1024,
        metadata={"about": "Memory in MB for one computation; what needs more goes to disk."},
    )
    reply_deadline_s: int = field(
        default=2,
        metadata={
            "about": "Seconds after which a computed answer leaves, so that its time tells nothing about the "
            "data: once for each ten million rows that a dataset can have here, and once more for each half "
            "a million numbers in an answer. What takes longer is answered one such time later. 0: at once."
        },
    )
    log: LogTerms = field(
        default_factory=LogTerms,
        metadata={"about": "What the node writes about itself to standard output: events, never data."},
    )
    metrics: MetricsTerms = field(
        default_factory=MetricsTerms, metadata={"about": "Metrics for Prometheus, over HTTP."}
    )
    coordinator: Network = field(
        default_factory=Network,
        metadata={"about": "How the coordinator is reached. Where it is was in the token."},
    )
    policy: PolicyTerms = field(
        default_factory=PolicyTerms,
        metadata={"about": "Which questions a person here decides about, and whose word counts."},
    )
    lifetime: Mapping[str, LifetimeTerms] = field(
        default_factory=dict,
        metadata={
            "about": "One table for each namespace of persons that the agreements name. Without it the node "
            "answers nothing about them."
        },
    )
    witness: WitnessTerms = field(
        default_factory=WitnessTerms,
        metadata={"about": "A second witness of the ledger, besides the coordinator: recommended."},
    )
    datasets: tuple[DatasetMapping, ...] = field(
        default=(), metadata={"about": "Where the data is, and what its columns and codes mean."}
    )

    def __post_init__(self) -> None:
        """Counts are in range, names are names, each dataset is mapped once."""
        if not 1 <= self.tasks_max <= TASKS_MAX:
            raise ValueInvalid(f"tasks_max lies between 1 and {TASKS_MAX}.")
        if not 0 <= self.reply_deadline_s <= REPLY_DEADLINE_S_MAX:
            raise ValueInvalid(f"reply_deadline_s lies between 0 and {REPLY_DEADLINE_S_MAX:,}.")
        Resources(self.memory_mb, self.threads)
        for namespace in self.lifetime:
            check_identifier(namespace, what="namespace of persons")
        names = [mapping.dataset for mapping in self.datasets]
        if len(set(names)) != len(names):
            raise ValueInvalid("A dataset is mapped twice.")

    @property
    def resources(self) -> Resources:
        """What one computation may use of the machine."""
        return Resources(self.memory_mb, self.threads)

    @property
    def lifetime_caps(self) -> Mapping[str, Cap]:
        """The lifetime caps as the ledger charges them, by namespace."""
        return {namespace: terms.cap(namespace) for namespace, terms in self.lifetime.items()}

    def mapping(self, dataset: str) -> DatasetMapping:
        """Where this dataset is.

        Raises
        ------
        MappingInvalid
            node.toml does not say.

        """
        for mapping in self.datasets:
            if mapping.dataset == dataset:
                return mapping
        raise MappingInvalid(
            f"node.toml does not say where {dataset} is.",
            remedy=f'Add [[datasets]] with dataset = "{dataset}": fedstats node config --example shows one.',
        )


def read_config(path: Path) -> NodeConfig:
    """Read node.toml; relative paths in it are relative to its folder.

    Raises
    ------
    FileProblem
        The file cannot be read.
    ConfigInvalid
        It is no TOML, or a key is unknown, missing or out of range.

    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise FileProblem(
            f"{path} cannot be read: {problem.strerror}.",
            remedy="One is written by: fedstats node init",
        ) from None
    if len(content) > CONFIG_BYTES_MAX:
        raise ConfigInvalid(f"{path} is too large for a configuration.")
    try:
        return config_of(toml_document(content.decode()), folder=path.parent)
    except ValueError as problem:
        raise ConfigInvalid(f"{path} is not TOML: {problem}.") from None
    except ConfigInvalid as problem:
        raise ConfigInvalid(f"{path}: {problem.sentence}", remedy=problem.advice) from None


def config_of(document: Mapping[str, object], *, folder: Path) -> NodeConfig:
    """The configuration in a document; raises ConfigInvalid."""
    reader = Reader(document, where="", error=ConfigInvalid)
    with reader, reader.building():
        lifetime = reader.table("lifetime", optional=True)
        namespaces = lifetime.keys()
        return NodeConfig(
            tasks_max=reader.integer("tasks_max", 2),
            threads=reader.integer("threads", 2),
            memory_mb=reader.integer("memory_mb", 1024),
            reply_deadline_s=reader.integer("reply_deadline_s", 2),
            log=LogTerms.read(reader.table("log", optional=True)),
            metrics=MetricsTerms.read(reader.table("metrics", optional=True)),
            coordinator=Network.read(reader.table("coordinator", optional=True), folder=folder),
            policy=PolicyTerms.read(reader.table("policy", optional=True)),
            lifetime={name: _lifetime(lifetime.table(name)) for name in namespaces},
            witness=WitnessTerms.read(reader.table("witness", optional=True), folder),
            datasets=tuple(
                DatasetMapping.read(table, folder) for table in reader.tables("datasets", optional=True)
            ),
        )


def _lifetime(reader: Reader) -> LifetimeTerms:
    with reader, reader.building():
        return LifetimeTerms(reader.decimal("epsilon"), reader.decimal("delta"))
