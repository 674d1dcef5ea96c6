"""Whoever writes documents puts everything into their texts: paths, controls, look-alikes. None gets through.

Fields are found by reflection, so that a new one is tried without a new test.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from full_agreement import full_agreement
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from samples import NOW_S, sample_order, sample_query

from fedstats.core.appointment import Acceptance, AppointedRole, Appointment, Revocation
from fedstats.core.approval import Approval
from fedstats.core.log_head import Cosignature, LogHead
from fedstats.core.privacy import Loss
from fedstats.core.query import Computation, Proceeding
from fedstats.core.reason import Reason
from fedstats.core.statistic import Noisy
from fedstats.core.witness import CapTotal, Mark, Witness
from fedstats.errors import FedstatsError, MessageInvalid
from fedstats.wire import codec
from fedstats.wire.v1 import query_pb2, signed_pb2

CONTROLS = (
    "\x1b[2Jx",
    "x\x00",
    "x\ry",
    "\u202egnp.exe",
    "a\u200bb",
    "\U000e0041",
    "\x9b31m",
    "\u2066x\u2069",
)
PATHS = ("../../etc/passwd", "/etc/passwd", "a/b", "..", "C:\\x", "a\\b", "x/../y", ".", "~root", "-rf", "")

DOCUMENTS: dict[str, tuple[type[Message], object]] = {
    "decode_acceptance": (
        signed_pb2.Acceptance,
        Acceptance("north", bytes(32), withdrawn=True, at_s=NOW_S, reason=Reason.LEGAL),
    ),
    "decode_aggregate": (query_pb2.Aggregate, sample_order(bytes(32)).round.aggregates[0]),
    "decode_appointment": (
        signed_pb2.Appointment,
        Appointment("north", AppointedRole.ANALYST, "a.smith", bytes(32), 1, 2),
    ),
    "decode_approval": (signed_pb2.Approval, Approval("north", bytes(32), NOW_S)),
    "decode_cosignature": (signed_pb2.Cosignature, Cosignature("north", bytes(16), 3, bytes(32), NOW_S)),
    "decode_expression": (query_pb2.Expression, sample_query().where),
    "decode_log_head": (signed_pb2.LogHead, LogHead(bytes(16), "coordinator", 3, bytes(32), NOW_S)),
    "decode_proceeding": (query_pb2.Proceeding, Proceeding(bytes(32), 0, ("north",), ("west",))),
    "decode_query": (query_pb2.Query, sample_query()),
    "decode_refusal": (
        query_pb2.Refusal,
        codec.RefusalNote("north", bytes(32), 0, "FS-206", "It paused.", charged=False, presented=bytes(32)),
    ),
    "decode_release": (
        query_pb2.Release,
        codec.ReleaseNote("north", bytes(32), "2025-09", (), bytes(16), ("A81001", "A81002")),
    ),
    "decode_revocation": (signed_pb2.Revocation, Revocation("north", bytes(32), NOW_S, "left")),
    "decode_round": (query_pb2.Round, sample_order(bytes(32))),
    "decode_witness": (
        signed_pb2.Witness,
        Witness(
            "north",
            bytes(16),
            1,
            Mark(3, bytes(32)),
            (),
            (),
            (CapTotal("agreement", "RTT-2026", Loss(Fraction(1))),),
            NOW_S,
        ),
    ),
}
"""A good document for each decoder of what others signed."""

PROSE = {
    ("Agreement", "title"),
    ("Categories", "labels"),
    ("CategoryLiteral", "label"),
    ("ColumnDefinition", "classification"),
    ("ColumnDefinition", "description"),
    ("ColumnDefinition", "justification"),
    ("Controller", "contact"),
    ("Controller", "data_protection_officer"),
    ("Controller", "organisation"),
    ("Controller", "role"),
    ("Controller", "senior_owner"),
    ("Dataset", "description"),
    ("OptOutTerms", "reason"),
    ("Purpose", "prohibited"),
    ("Purpose", "text"),
    ("RefusalNote", "sentence"),
    ("ReleaseNote", "values"),
    ("Revocation", "reason"),
    ("Source", "table"),
    ("StatisticLabel", "parameters"),
    ("StatisticLabel", "version"),
    *(("PublicTerms", f.name) for f in dataclasses.fields(full_agreement().public)),
}
"""Texts that people read and nothing is named by: they may hold a slash, and still nothing that steers."""


def encode(name: str) -> bytes:
    """The good document's bytes."""
    encoder: Callable[[object], bytes] = getattr(codec, name.replace("decode_", "encode_"))
    return encoder(DOCUMENTS[name][1])


def texts(message: Message) -> Iterator[tuple[str, Callable[[Message, str], None]]]:
    """Every text in a message, with what puts another one in its place in a copy of the message."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING:
            for place in range(len(value)) if field.is_repeated else [None]:
                yield field.full_name, _setter(field.name, place)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for place, inner in enumerate(value) if field.is_repeated else [(None, value)]:
                for name, put in texts(inner):
                    yield name, _inside(field.name, place, put)


def _setter(name: str, place: int | None) -> Callable[[Any, str], None]:
    def put(message: Any, text: str) -> None:
        if place is None:
            setattr(message, name, text)
        else:
            getattr(message, name)[place] = text

    return put


def _inside(name: str, place: int | None, put: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    def apply(message: Any, text: str) -> None:
        inner = getattr(message, name)
        put(inner if place is None else inner[place], text)

    return apply


def refuses(make: Callable[[], object], error: type[Exception]) -> bool:
    """Whether making it ends in this error."""
    try:
        make()
    except error:
        return True
    return False


def test_a_good_document_is_known_of_every_kind() -> None:
    """Each decoder of signed bytes has a document here, so that a new one is attacked from its first day."""
    assert {name for name in codec.__all__ if name.startswith("decode_")} == set(DOCUMENTS)
    for name in DOCUMENTS:
        getattr(codec, name)(encode(name))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_text_of_a_signed_document_steers(name: str) -> None:
    """Escapes, overrides of direction, zero-width and null characters in any text: refused when decoded."""
    kind, _ = DOCUMENTS[name]
    good = encode(name)
    found = list(texts(kind.FromString(good)))
    assert found
    for field, put in found:
        for text in CONTROLS:
            message = kind.FromString(good)
            put(message, text)
            payload = message.SerializeToString(deterministic=True)
            assert refuses(partial(getattr(codec, name), payload), MessageInvalid), (field, text)


def values_inside(value: object) -> Iterator[Any]:
    """Every dataclass in a value, at any depth, itself included."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield value
        for field in dataclasses.fields(value):
            yield from values_inside(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from values_inside(item)


def met() -> dict[type, Any]:
    """One value of every type that documents are made of, with its texts filled in where one has them."""
    roots = [full_agreement(), *(document for _, document in DOCUMENTS.values())]
    found: dict[type, Any] = {}
    for root in roots:
        for value in values_inside(root):
            found.setdefault(type(value), value)
    return found


MET = met()


def text_fields(value: Any) -> list[tuple[str, Any]]:
    """Its fields that hold a text or several, with what makes the same shape of another text."""
    found: list[tuple[str, Any]] = []
    for field in dataclasses.fields(value):
        held = getattr(value, field.name)
        if isinstance(held, str):
            found.append((field.name, lambda text: text))
        elif isinstance(held, tuple) and held and all(isinstance(item, str) for item in held):
            found.append((field.name, lambda text, rest=held[1:]: tuple(sorted((text, *rest)))))
    return found


FIELDS = [(kind, name, shape) for kind, value in MET.items() for name, shape in text_fields(value)]


@pytest.mark.parametrize("kind, name, shape", FIELDS, ids=[f"{k.__name__}.{n}" for k, n, _ in FIELDS])
def test_no_text_of_a_value_steers_and_no_name_is_a_path(kind: type, name: str, shape: Any) -> None:
    """No field takes what steers a terminal; one that is not prose takes nothing that leaves a folder."""
    bad = CONTROLS if (kind.__name__, name) in PROSE else CONTROLS + PATHS
    for text in bad:
        changed = {name: shape(text)}
        assert refuses(partial(dataclasses.replace, MET[kind], **changed), FedstatsError), text


MADE_HERE = {Computation, Noisy}  # encoded, never decoded


def decoders() -> Iterator[str]:
    """The modules that read what others wrote."""
    yield from ("fedstats.core.agreement_document", "fedstats.core.dataset_document")
    for module in pkgutil.iter_modules(codec.__path__):
        yield f"{codec.__name__}.{module.name}"


def test_every_kind_of_value_was_met() -> None:
    """A dataclass that a decoder makes, and that holds a text, was tried above."""
    made = {
        kind
        for name in decoders()
        for kind in vars(importlib.import_module(name)).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    }
    with_texts = {kind for kind in made if any("str" in str(f.type) for f in dataclasses.fields(kind))}
    assert len(with_texts) > 20
    assert with_texts - set(MET) - MADE_HERE == set()
