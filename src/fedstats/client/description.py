"""What there is to know of a statistic before it is asked: name, rounds, parameters, words."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from fedstats.client.parameters import Parameter, ValueKind, parameters_of
from fedstats.core.names import check_identifier, check_text
from fedstats.core.query import ROUNDS_MAX
from fedstats.errors import StatisticUnreadable, ValueInvalid

OFFERED = ("later", "foresee", "support_share")
"""What a statistic may offer besides `condition` and `step`."""


@dataclass(frozen=True, slots=True)
class Description:
    """A statistic's class, described; `offers` are those of OFFERED that it has, `doc` is its docstring."""

    name: str
    version: str
    rounds_max: int
    discloses: bool
    doc: str
    parameters: tuple[Parameter, ...]
    offers: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return self.doc.partition("\n")[0]

    @property
    def free(self) -> tuple[str, ...]:
        """The parameters that change only what is shown."""
        return tuple(parameter.name for parameter in self.parameters if parameter.free)

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        fields = [{**asdict(parameter), "kind": parameter.kind.name} for parameter in self.parameters]
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "offers": list(self.offers),
            "parameters": fields,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The description in a document; KeyError, TypeError or ValueError where it is none."""
        parameters = tuple(
            Parameter(**{**fields, "kind": ValueKind[fields["kind"]]}) for fields in document["parameters"]
        )
        plain = {name: document[name] for name in _PLAIN}
        return cls(**plain, parameters=parameters, offers=tuple(document["offers"]))


_PLAIN = ("name", "version", "rounds_max", "discloses", "doc")


def describe(kind: type) -> Description:
    """Describe a statistic's class.

    Raises
    ------
    StatisticUnreadable
        Something of the contract is missing or out of range; the sentence says what.

    """
    missing = [name for name in ("condition", "step") if not callable(getattr(kind, name, None))]
    missing += [name for name in ("name", "version", "rounds_max") if not hasattr(kind, name)]
    if missing:
        raise StatisticUnreadable(
            f"{kind.__name__} has no {' and no '.join(missing)}.",
            remedy="A statistic is a frozen dataclass with the class variables name, version and rounds_max, "
            "a field dataset, and the methods condition(dataset) and step(ask, history).",
        )
    parameters = parameters_of(kind)
    if "dataset" not in {parameter.name for parameter in parameters} and not hasattr(kind, "dataset"):
        raise StatisticUnreadable(
            f"{kind.__name__} says of no dataset that it asks about it.",
            remedy="Give it a field: dataset: str",
        )
    statistic: Any = kind
    _check_named(statistic)
    offers = tuple(name for name in OFFERED if callable(getattr(kind, name, None)))
    return Description(
        name=statistic.name,
        version=statistic.version,
        rounds_max=statistic.rounds_max,
        discloses=getattr(kind, "discloses", False) is True,
        doc=inspect.cleandoc(kind.__doc__ or ""),
        parameters=parameters,
        offers=offers,
    )


def _check_named(statistic: Any) -> None:  # noqa: ANN401 # what a file says of itself may be anything
    """A printable name and version, and a number of rounds that a query may announce."""
    name, version, rounds_max = statistic.name, statistic.version, statistic.rounds_max
    if not isinstance(name, str) or not isinstance(version, str):
        raise StatisticUnreadable(f"The name and the version of {statistic.__name__} are texts.")
    if type(rounds_max) is not int or not 1 <= rounds_max <= ROUNDS_MAX:
        raise StatisticUnreadable(f"rounds_max of {statistic.__name__} is a number from 1 to {ROUNDS_MAX}.")
    try:
        check_identifier(name, what="statistic")
        check_text(version, what="version of a statistic")
    except ValueInvalid as problem:
        raise StatisticUnreadable(problem.sentence) from None
