from fedstats.wire.v1 import signed_pb2 as _signed_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PublishRequest(_message.Message):
    __slots__ = ("agreement", "appointment", "revocation", "acceptance")
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    APPOINTMENT_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_FIELD_NUMBER: _ClassVar[int]
    ACCEPTANCE_FIELD_NUMBER: _ClassVar[int]
    agreement: _signed_pb2.Signed
    appointment: _signed_pb2.Signed
    revocation: _signed_pb2.Signed
    acceptance: _signed_pb2.Signed
    def __init__(self, agreement: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., appointment: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., revocation: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., acceptance: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ...) -> None: ...

class PublishReply(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class SignRequest(_message.Message):
    __slots__ = ("agreement",)
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    agreement: _signed_pb2.Signed
    def __init__(self, agreement: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ...) -> None: ...

class AuthorityRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AgreementRecord(_message.Message):
    __slots__ = ("document", "signatures", "acceptances")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    ACCEPTANCES_FIELD_NUMBER: _ClassVar[int]
    document: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[_signed_pb2.Signed]
    acceptances: _containers.RepeatedCompositeFieldContainer[_signed_pb2.Signed]
    def __init__(self, document: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[_signed_pb2.Signed, _Mapping]]] = ..., acceptances: _Optional[_Iterable[_Union[_signed_pb2.Signed, _Mapping]]] = ...) -> None: ...

class AuthorityReply(_message.Message):
    __slots__ = ("revision", "agreements", "appointments", "revocations", "now_s", "software", "witnesses")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AGREEMENTS_FIELD_NUMBER: _ClassVar[int]
    APPOINTMENTS_FIELD_NUMBER: _ClassVar[int]
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    NOW_S_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    revision: int
    agreements: _containers.RepeatedCompositeFieldContainer[AgreementRecord]
    appointments: _containers.RepeatedCompositeFieldContainer[_signed_pb2.Signed]
    revocations: _containers.RepeatedCompositeFieldContainer[_signed_pb2.Signed]
    now_s: int
    software: str
    witnesses: _containers.RepeatedCompositeFieldContainer[_signed_pb2.WitnessRecord]
    def __init__(self, revision: _Optional[int] = ..., agreements: _Optional[_Iterable[_Union[AgreementRecord, _Mapping]]] = ..., appointments: _Optional[_Iterable[_Union[_signed_pb2.Signed, _Mapping]]] = ..., revocations: _Optional[_Iterable[_Union[_signed_pb2.Signed, _Mapping]]] = ..., now_s: _Optional[int] = ..., software: _Optional[str] = ..., witnesses: _Optional[_Iterable[_Union[_signed_pb2.WitnessRecord, _Mapping]]] = ...) -> None: ...

class RegisterRequest(_message.Message):
    __slots__ = ("after", "entries_max")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_MAX_FIELD_NUMBER: _ClassVar[int]
    after: int
    entries_max: int
    def __init__(self, after: _Optional[int] = ..., entries_max: _Optional[int] = ...) -> None: ...

class RegisterEntry(_message.Message):
    __slots__ = ("number", "at_s", "kind", "document")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    number: int
    at_s: int
    kind: str
    document: bytes
    def __init__(self, number: _Optional[int] = ..., at_s: _Optional[int] = ..., kind: _Optional[str] = ..., document: _Optional[bytes] = ...) -> None: ...

class RegisterReply(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[RegisterEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[RegisterEntry, _Mapping]]] = ...) -> None: ...
