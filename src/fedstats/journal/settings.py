"""What a daemon's configuration says about its log and its metrics; node.toml and coordinator.toml alike."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Self

from fedstats.core.reading import Reader
from fedstats.errors import ValueInvalid
from fedstats.identity.address import is_loopback, split_address

FORMATS = ("auto", "json", "text")
LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class LogTerms:
    """The table [log]."""

    format: str = field(
        default="auto",
        metadata={"about": '"json", "text", or "auto": text on a terminal and JSON lines anywhere else.'},
    )
    level: str = field(
        default="info",
        metadata={"about": 'The least that is written: "debug", "info", "warning" or "error".'},
    )

    def __post_init__(self) -> None:
        """Both are known words."""
        if self.format not in FORMATS:
            raise ValueInvalid(f"log.format is one of {', '.join(FORMATS)}.")
        if self.level not in LEVELS:
            raise ValueInvalid(f"log.level is one of {', '.join(LEVELS)}.")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the table; raises what the reader raises."""
        default = cls()
        with reader:
            return cls(reader.text("format", default.format), reader.text("level", default.level))


@dataclass(frozen=True, slots=True)
class MetricsTerms:
    """The table [metrics]."""

    listen: str = field(
        default="",
        metadata={"about": 'Where Prometheus reads metrics: "127.0.0.1:9464", say. Empty: nothing listens.'},
    )
    beyond_this_machine: bool = field(
        default=False,
        metadata={"about": "Allow an address that other machines reach; metrics have no password."},
    )

    def __post_init__(self) -> None:
        """The address is one, and of this machine only unless that was decided otherwise."""
        if not self.listen:
            return
        host, _ = split_address(self.listen)
        if not is_loopback(host) and not self.beyond_this_machine:
            raise ValueInvalid(
                f"metrics.listen = {self.listen!r} can be reached from other machines, and metrics have no"
                " password: use 127.0.0.1, or add beyond_this_machine = true."
            )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the table; raises what the reader raises."""
        default = cls()
        with reader:
            return cls(
                reader.text("listen", default.listen),
                reader.truth("beyond_this_machine", default=default.beyond_this_machine),
            )


def example(terms: LogTerms | MetricsTerms) -> list[tuple[str, str, str]]:
    """Each setting: what it is about, its name, its default as TOML."""
    shown = {True: "true", False: "false"}
    return [
        (
            setting.metadata["about"],
            setting.name,
            shown[value] if isinstance(value := getattr(terms, setting.name), bool) else f'"{value}"',
        )
        for setting in fields(terms)
    ]
