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

class RegisterProof(_message.Message):
    __slots__ = ("entry", "inclusion", "head")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    INCLUSION_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    entry: RegisterEntry
    inclusion: _signed_pb2.InclusionProof
    head: _signed_pb2.Signed
    def __init__(self, entry: _Optional[_Union[RegisterEntry, _Mapping]] = ..., inclusion: _Optional[_Union[_signed_pb2.InclusionProof, _Mapping]] = ..., head: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ...) -> None: ...

class HeadsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HeadsReply(_message.Message):
    __slots__ = ("register_head", "cosignatures", "heads", "register_key")
    REGISTER_HEAD_FIELD_NUMBER: _ClassVar[int]
    COSIGNATURES_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    REGISTER_KEY_FIELD_NUMBER: _ClassVar[int]
    register_head: _signed_pb2.Signed
    cosignatures: _containers.RepeatedCompositeFieldContainer[_signed_pb2.Signed]
    heads: _containers.RepeatedCompositeFieldContainer[_signed_pb2.Signed]
    register_key: bytes
    def __init__(self, register_head: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., cosignatures: _Optional[_Iterable[_Union[_signed_pb2.Signed, _Mapping]]] = ..., heads: _Optional[_Iterable[_Union[_signed_pb2.Signed, _Mapping]]] = ..., register_key: _Optional[bytes] = ...) -> None: ...

class ProofRequest(_message.Message):
    __slots__ = ("number", "size", "first", "second")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    number: int
    size: int
    first: int
    second: int
    def __init__(self, number: _Optional[int] = ..., size: _Optional[int] = ..., first: _Optional[int] = ..., second: _Optional[int] = ...) -> None: ...

class ProofReply(_message.Message):
    __slots__ = ("entry", "inclusion", "consistency")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    INCLUSION_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    entry: RegisterEntry
    inclusion: _signed_pb2.InclusionProof
    consistency: _signed_pb2.ConsistencyProof
    def __init__(self, entry: _Optional[_Union[RegisterEntry, _Mapping]] = ..., inclusion: _Optional[_Union[_signed_pb2.InclusionProof, _Mapping]] = ..., consistency: _Optional[_Union[_signed_pb2.ConsistencyProof, _Mapping]] = ...) -> None: ...
