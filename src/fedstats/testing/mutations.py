"""Every way of changing one field of a protobuf message: a forger would try each in turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


def mutations(message: M, path: str = "") -> Iterator[tuple[str, M]]:
    """(path of the field, a copy of `message` with that field changed, cleared, repeated or dropped)."""
    for field in message.DESCRIPTOR.fields:
        here = f"{path}.{field.name}" if path else field.name
        if field.is_repeated:
            yield from _repeated(message, field, here)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            if message.HasField(field.name):
                yield here, _without(message, field)
                for inner, changed in mutations(getattr(message, field.name), here):
                    copy = _copy(message)
                    getattr(copy, field.name).CopyFrom(changed)
                    yield inner, copy
        elif not field.containing_oneof or message.HasField(field.name):
            copy = _copy(message)
            setattr(copy, field.name, _other(field, getattr(message, field.name)))
            yield here, copy


def _repeated(message: M, field: FieldDescriptor, here: str) -> Iterator[tuple[str, M]]:
    items: Any = getattr(message, field.name)
    for i in range(len(items)):
        dropped = _copy(message)
        del getattr(dropped, field.name)[i]
        yield f"{here}[{i}] dropped", dropped
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner, changed in mutations(items[i], f"{here}[{i}]"):
                copy = _copy(message)
                getattr(copy, field.name)[i].CopyFrom(changed)
                yield inner, copy
        else:
            copy = _copy(message)
            getattr(copy, field.name)[i] = _other(field, items[i])
            yield f"{here}[{i}]", copy
    if items:
        twice = _copy(message)
        getattr(twice, field.name).append(items[0])
        yield f"{here} repeated", twice


def _copy(message: M) -> M:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _without(message: M, field: FieldDescriptor) -> M:
    copy = _copy(message)
    copy.ClearField(field.name)
    return copy


def _other(field: FieldDescriptor, value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:] if value else b"\x01" * 32
    if field.type == FieldDescriptor.TYPE_ENUM:
        numbers = [entry.number for entry in field.enum_type.values if entry.number]
        return next((number for number in numbers if number != value), 0)
    return value + 1 if isinstance(value, int) else value
