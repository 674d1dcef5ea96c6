"""What would leave the node, tried out locally: the same computation with noise of its own, recorded nowhere.

The noise is fresh at every trial, so many trials show the truth behind it. That is the department's own truth
on the department's own machine; nothing of it may be passed on.
"""

from __future__ import annotations

from fedstats.core.expression import Expression
from fedstats.core.privacy import MechanismLoss
from fedstats.core.query import Computation
from fedstats.core.statistic import Mode, Round, RoundResult
from fedstats.errors import EditionMissing
from fedstats.node.computing import Noise
from fedstats.node.datasets import Held
from fedstats.node.editions import Edition
from fedstats.node.service import Node


def newest_edition(node: Node, held: Held, name: str = "") -> Edition:
    """The edition of this name, or else the newest by the agreement's schedule.

    Raises
    ------
    EditionMissing
        There is none here.

    """
    agreement, dataset = held.standing.agreement, held.dataset
    if name:
        return node.editions.find(agreement, dataset, name)
    here = {edition.base: edition for edition in node.editions.all() if edition.is_of(agreement, dataset)}
    for base in reversed(dataset.editions):
        if base in here:
            return node.editions.find(agreement, dataset, here[base].name)
    raise EditionMissing(
        f"This node holds no edition of {dataset.name} yet.",
        remedy=f"Make one: fedstats node refresh --dataset {dataset.name} --edition NAME",
    )


def try_round(
    node: Node, held: Held, edition: Edition, asked: Round, where: Expression | None, loss: MechanismLoss
) -> RoundResult:
    """One round as this node alone would answer it; spends nothing and records nothing.

    Raises
    ------
    FedstatsError
        The edition cannot be computed on, or the loss does not suit the question.

    """
    agreement, dataset = held.standing.agreement, held.dataset
    computation = Computation(
        agreement=agreement.id,
        agreement_version=agreement.version,
        dataset=dataset.name,
        edition=edition.name,
        where=where,
        aggregates=asked.aggregates,
        loss=loss.share(asked.share),
        contribution=dataset.contribution(departments_max=agreement.privacy.max_departments),
        mode=Mode.LOCAL,
    )
    noise = Noise.of(computation)
    noisy = node.bench.compute(edition.path, computation, dataset, noise)
    return RoundResult(
        round=asked,
        total=noisy.vectors,
        scales=noise.scales,
        noises=1,
        by_department={node.department: noisy.vectors},
        values=noisy.values,
        named_by=(frozenset({node.department}),) * len(noisy.values),
    )
