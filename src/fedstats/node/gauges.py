"""What can be seen of a node at the moment, for its metrics: public facts and the state of its machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from fedstats.errors import FedstatsError
from fedstats.identity.certificates import validity_of
from fedstats.identity.key_files import read_certificate
from fedstats.journal.meters import (
    CERTIFICATE_LEFT,
    DISK_FREE,
    EDITION_AGE,
    LEDGER_USED,
    OPT_OUT_AGE,
    PAUSED,
    RUNNING,
    RUNNING_MAX,
    UNDECIDED,
    Sample,
)
from fedstats.node.caps import agreement_cap
from fedstats.node.service import Node

PARTS_PER_PERCENT = 10_000


def gauges(node: Node) -> Iterator[Sample]:
    """Every gauge of this node; a file that cannot be read has none."""
    yield Sample(RUNNING, node.running)
    yield Sample(RUNNING_MAX, node.config.tasks_max)
    yield Sample(DISK_FREE, shutil.disk_usage(node.home.path).free)
    yield from _certificate(node)
    yield Sample(PAUSED, node.policy.paused() is not None)
    listed = node.approvals.all(now_s=int(node.now()))
    yield Sample(UNDECIDED, sum(standing.undecided for standing in listed))
    yield from _editions(node)
    yield from _opt_outs(node)
    for agreement in node.in_force():
        (status,) = node.ledger.status([agreement_cap(agreement)])
        yield Sample(LEDGER_USED, status.used_ppm // PARTS_PER_PERCENT, (agreement.id,))


def _certificate(node: Node) -> Iterator[Sample]:
    try:
        end = validity_of(read_certificate(node.home.certificate)).not_after
    except FedstatsError:
        return
    yield Sample(CERTIFICATE_LEFT, end.timestamp() - node.now())


def _editions(node: Node) -> Iterator[Sample]:
    newest: dict[tuple[str, str], int] = {}
    for edition in node.editions.all():
        of = edition.agreement, edition.dataset
        newest[of] = max(edition.made_s, newest.get(of, 0))
    for labels, made_s in newest.items():
        yield Sample(EDITION_AGE, node.now() - made_s, labels)


def _opt_outs(node: Node) -> Iterator[Sample]:
    for mapping in node.config.datasets:
        if mapping.opt_out_list is not None and mapping.opt_out_list.is_file():
            written_s = mapping.opt_out_list.stat().st_mtime
            yield Sample(OPT_OUT_AGE, node.now() - written_s, (mapping.dataset,))
