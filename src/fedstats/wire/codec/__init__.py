"""Between core and bytes: one canonical encoding of everything that is signed or hashed.

`encode_*` gives the bytes, `decode_*` gives the value back and refuses bytes that are not exactly those which
`encode_*` gives, so that nothing can hide in an unknown field or in a second spelling of the same thing.
"""

from __future__ import annotations

from fedstats.wire.codec.authority import (
    decode_acceptance,
    decode_appointment,
    decode_approval,
    decode_revocation,
    encode_acceptance,
    encode_appointment,
    encode_approval,
    encode_revocation,
)
from fedstats.wire.codec.envelope import signed_from, signed_to
from fedstats.wire.codec.expressions import (
    decode_aggregate,
    decode_expression,
    encode_aggregate,
    encode_expression,
)
from fedstats.wire.codec.logs import (
    consistency_from,
    consistency_to,
    decode_cosignature,
    decode_log_head,
    encode_cosignature,
    encode_log_head,
    inclusion_from,
    inclusion_to,
)
from fedstats.wire.codec.queries import (
    computation_hash,
    decode_proceeding,
    decode_query,
    decode_round,
    encode_proceeding,
    encode_query,
    encode_round,
)
from fedstats.wire.codec.releases import (
    RefusalNote,
    ReleaseNote,
    decode_refusal,
    decode_release,
    encode_refusal,
    encode_release,
    record_key,
    releases_hash,
    task_hash,
)
from fedstats.wire.codec.witnesses import decode_witness, encode_witness

__all__ = [
    "RefusalNote",
    "ReleaseNote",
    "computation_hash",
    "consistency_from",
    "consistency_to",
    "decode_acceptance",
    "decode_aggregate",
    "decode_appointment",
    "decode_approval",
    "decode_cosignature",
    "decode_expression",
    "decode_log_head",
    "decode_proceeding",
    "decode_query",
    "decode_refusal",
    "decode_release",
    "decode_revocation",
    "decode_round",
    "decode_witness",
    "encode_acceptance",
    "encode_aggregate",
    "encode_appointment",
    "encode_approval",
    "encode_cosignature",
    "encode_expression",
    "encode_log_head",
    "encode_proceeding",
    "encode_query",
    "encode_refusal",
    "encode_release",
    "encode_revocation",
    "encode_round",
    "encode_witness",
    "inclusion_from",
    "inclusion_to",
    "record_key",
    "releases_hash",
    "signed_from",
    "signed_to",
    "task_hash",
]
