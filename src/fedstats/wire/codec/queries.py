"""Queries, rounds and computations as signed and hashed bytes."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeVar

from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.privacy import Contribution, Mechanism, MechanismLoss
from fedstats.core.query import Computation, Proceeding, Query, RoundOrder, Scope, StatisticLabel
from fedstats.core.statistic import Mode, Round
from fedstats.errors import MessageInvalid
from fedstats.wire.codec.expressions import (
    aggregate_from,
    aggregate_to,
    expression_from,
    expression_to,
    optional_to,
    rational_from,
    rational_to,
)
from fedstats.wire.codec.strict import decode_strictly, sha256, to_bytes
from fedstats.wire.v1 import query_pb2

_T = TypeVar("_T")
_N = TypeVar("_N")

_MECHANISMS = {
    Mechanism.GAUSSIAN: query_pb2.MECHANISM_GAUSSIAN,
    Mechanism.LAPLACE: query_pb2.MECHANISM_LAPLACE,
}
_MECHANISMS_BACK = {number: mechanism for mechanism, number in _MECHANISMS.items()}
_MODES = {Mode.LOCAL: query_pb2.MODE_LOCAL, Mode.SECURE: query_pb2.MODE_SECURE}
_MODES_BACK = {number: mode for mode, number in _MODES.items()}
_DISCLOSURES = {
    DisclosureProfile.NONE: query_pb2.DISCLOSURE_NONE,
    DisclosureProfile.OPENSAFELY: query_pb2.DISCLOSURE_OPENSAFELY,
    DisclosureProfile.ACRO: query_pb2.DISCLOSURE_ACRO,
}
_DISCLOSURES_BACK = {number: profile for profile, number in _DISCLOSURES.items()}


def encode_query(query: Query) -> bytes:
    """The bytes that an analyst signs; their SHA-256 is the query's hash."""
    return to_bytes(_query_to(query))


def decode_query(payload: bytes) -> Query:
    """The query in signed bytes.

    Raises
    ------
    MessageInvalid
        The bytes are not the canonical encoding of a query.

    """
    return decode_strictly(payload, query_pb2.Query, _query_from, _query_to)


def encode_round(order: RoundOrder) -> bytes:
    """The bytes that an analyst signs for one round."""
    return to_bytes(_round_to(order))


def decode_round(payload: bytes) -> RoundOrder:
    """The round in signed bytes.

    Raises
    ------
    MessageInvalid
        The bytes are not the canonical encoding of a round.

    """
    return decode_strictly(payload, query_pb2.Round, _round_from, _round_to)


def encode_proceeding(proceeding: Proceeding) -> bytes:
    """The bytes that an analyst signs to go on without some departments."""
    return to_bytes(_proceeding_to(proceeding))


def decode_proceeding(payload: bytes) -> Proceeding:
    """The proceeding in signed bytes.

    Raises
    ------
    MessageInvalid
        The bytes are not the canonical encoding of a proceeding.

    """
    return decode_strictly(payload, query_pb2.Proceeding, _proceeding_from, _proceeding_to)


def computation_hash(computation: Computation) -> bytes:
    """SHA-256 of what is computed: the key of recorded answers."""
    amount, delta = computation.loss.amount, computation.loss.delta_add
    message = query_pb2.Computation(
        agreement=computation.agreement,
        agreement_version=computation.agreement_version,
        dataset=computation.dataset,
        edition=computation.edition,
        where=optional_to(computation.where),
        aggregates=[aggregate_to(aggregate) for aggregate in computation.aggregates],
        mechanism=_MECHANISMS[computation.loss.mechanism],
        amount=f"{amount.numerator}/{amount.denominator}",
        contribution=_contribution_to(computation.contribution),
        mode=_MODES[computation.mode],
        delta_add=f"{delta.numerator}/{delta.denominator}" if delta else "",
    )
    return sha256(to_bytes(message))


def _query_to(query: Query) -> query_pb2.Query:
    label = query.statistic
    return query_pb2.Query(
        agreement=query.agreement,
        agreement_version=query.agreement_version,
        purpose=query.purpose,
        dataset=query.dataset,
        edition=query.edition,
        where=optional_to(query.where),
        scope=query_pb2.Scope(
            columns=query.scope.columns,
            keys=[expression_to(key) for key in query.scope.keys],
            aggregates=query.scope.aggregates,
            measures=[expression_to(measure) for measure in query.scope.measures],
        ),
        loss=_loss_to(query.loss),
        contribution=_contribution_to(query.contribution),
        mode=_MODES[query.mode],
        rounds_max=query.rounds_max,
        deadline_s=query.deadline_s,
        statistic=query_pb2.StatisticLabel(
            name=label.name, version=label.version, parameters=label.parameters
        ),
        nonce=query.nonce,
        disclosure=_DISCLOSURES[query.disclosure],
    )


def _query_from(message: query_pb2.Query) -> Query:
    return Query(
        agreement=message.agreement,
        agreement_version=message.agreement_version,
        purpose=message.purpose,
        dataset=message.dataset,
        edition=message.edition,
        where=expression_from(message.where) if message.HasField("where") else None,
        scope=Scope(
            tuple(message.scope.columns),
            tuple(expression_from(key) for key in message.scope.keys),
            tuple(message.scope.aggregates),
            tuple(expression_from(measure) for measure in message.scope.measures),
        ),
        loss=_loss_from(message.loss),
        contribution=Contribution(
            message.contribution.rows_max,
            message.contribution.cells_max,
            message.contribution.departments_max,
        ),
        mode=_known(_MODES_BACK, message.mode),
        rounds_max=message.rounds_max,
        deadline_s=message.deadline_s,
        statistic=StatisticLabel(
            message.statistic.name, message.statistic.version, message.statistic.parameters
        ),
        nonce=message.nonce,
        disclosure=_known(_DISCLOSURES_BACK, message.disclosure),
    )


def _round_to(order: RoundOrder) -> query_pb2.Round:
    return query_pb2.Round(
        query=order.query,
        number=order.number,
        aggregates=[aggregate_to(aggregate) for aggregate in order.round.aggregates],
        share=rational_to(order.round.share),
        participants=order.participants,
        totals_before=order.totals_before,
    )


def _round_from(message: query_pb2.Round) -> RoundOrder:
    return RoundOrder(
        query=message.query,
        number=message.number,
        round=Round(
            tuple(aggregate_from(aggregate) for aggregate in message.aggregates), rational_from(message.share)
        ),
        participants=tuple(message.participants),
        totals_before=message.totals_before,
    )


def _proceeding_to(proceeding: Proceeding) -> query_pb2.Proceeding:
    return query_pb2.Proceeding(
        query=proceeding.query,
        number=proceeding.number,
        participants=proceeding.participants,
        left_out=proceeding.left_out,
    )


def _proceeding_from(message: query_pb2.Proceeding) -> Proceeding:
    return Proceeding(
        query=message.query,
        number=message.number,
        participants=tuple(message.participants),
        left_out=tuple(message.left_out),
    )


def _loss_to(loss: MechanismLoss) -> query_pb2.Loss:
    return query_pb2.Loss(
        mechanism=_MECHANISMS[loss.mechanism],
        amount=rational_to(loss.amount),
        delta_add=rational_to(loss.delta_add) if loss.delta_add else None,
    )


def _loss_from(message: query_pb2.Loss) -> MechanismLoss:
    delta_add = rational_from(message.delta_add) if message.HasField("delta_add") else Fraction(0)
    return MechanismLoss(
        _known(_MECHANISMS_BACK, message.mechanism), rational_from(message.amount), delta_add
    )


def _contribution_to(contribution: Contribution) -> query_pb2.Contribution:
    return query_pb2.Contribution(
        rows_max=contribution.rows_max,
        cells_max=contribution.cells_max,
        departments_max=contribution.departments_max,
    )


def _known(table: dict[_N, _T], number: _N) -> _T:
    if number not in table:
        raise MessageInvalid("A message has a choice that this version does not know.")
    return table[number]
