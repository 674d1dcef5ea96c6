from fedstats.wire.v1 import agreements_pb2 as _agreements_pb2
from fedstats.wire.v1 import query_pb2 as _query_pb2
from fedstats.wire.v1 import signed_pb2 as _signed_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHASE_UNSPECIFIED: _ClassVar[Phase]
    PHASE_COMPUTE: _ClassVar[Phase]
PHASE_UNSPECIFIED: Phase
PHASE_COMPUTE: Phase

class RenewRequest(_message.Message):
    __slots__ = ("certificate_request",)
    CERTIFICATE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    certificate_request: bytes
    def __init__(self, certificate_request: _Optional[bytes] = ...) -> None: ...

class Holding(_message.Message):
    __slots__ = ("agreement", "agreement_version", "dataset", "edition")
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    EDITION_FIELD_NUMBER: _ClassVar[int]
    agreement: str
    agreement_version: int
    dataset: str
    edition: str
    def __init__(self, agreement: _Optional[str] = ..., agreement_version: _Optional[int] = ..., dataset: _Optional[str] = ..., edition: _Optional[str] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("task", "approved")
    TASK_FIELD_NUMBER: _ClassVar[int]
    APPROVED_FIELD_NUMBER: _ClassVar[int]
    task: str
    approved: bool
    def __init__(self, task: _Optional[str] = ..., approved: bool = ...) -> None: ...

class LeaseRequest(_message.Message):
    __slots__ = ("wait_s", "holdings", "decisions", "software", "paused", "witness", "instance", "running", "head", "cosignature", "register_size", "waiting")
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    HOLDINGS_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    WITNESS_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    COSIGNATURE_FIELD_NUMBER: _ClassVar[int]
    REGISTER_SIZE_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    wait_s: int
    holdings: _containers.RepeatedCompositeFieldContainer[Holding]
    decisions: _containers.RepeatedCompositeFieldContainer[Decision]
    software: str
    paused: str
    witness: _signed_pb2.Signed
    instance: bytes
    running: _containers.RepeatedScalarFieldContainer[str]
    head: _signed_pb2.Signed
    cosignature: _signed_pb2.Signed
    register_size: int
    waiting: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, wait_s: _Optional[int] = ..., holdings: _Optional[_Iterable[_Union[Holding, _Mapping]]] = ..., decisions: _Optional[_Iterable[_Union[Decision, _Mapping]]] = ..., software: _Optional[str] = ..., paused: _Optional[str] = ..., witness: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., instance: _Optional[bytes] = ..., running: _Optional[_Iterable[str]] = ..., head: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., cosignature: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., register_size: _Optional[int] = ..., waiting: _Optional[_Iterable[str]] = ...) -> None: ...

class LeaseReply(_message.Message):
    __slots__ = ("task", "authority_revision", "witnesses", "now_s", "register_head", "register_consistency")
    TASK_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_REVISION_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    NOW_S_FIELD_NUMBER: _ClassVar[int]
    REGISTER_HEAD_FIELD_NUMBER: _ClassVar[int]
    REGISTER_CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    task: Task
    authority_revision: int
    witnesses: _containers.RepeatedCompositeFieldContainer[_signed_pb2.WitnessRecord]
    now_s: int
    register_head: _signed_pb2.Signed
    register_consistency: _signed_pb2.ConsistencyProof
    def __init__(self, task: _Optional[_Union[Task, _Mapping]] = ..., authority_revision: _Optional[int] = ..., witnesses: _Optional[_Iterable[_Union[_signed_pb2.WitnessRecord, _Mapping]]] = ..., now_s: _Optional[int] = ..., register_head: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., register_consistency: _Optional[_Union[_signed_pb2.ConsistencyProof, _Mapping]] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("id", "query", "round", "appointment", "attempt", "phase", "lease_token", "expires_s", "body", "registered")
    ID_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    APPOINTMENT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_S_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    id: str
    query: _signed_pb2.Signed
    round: _signed_pb2.Signed
    appointment: _signed_pb2.Signed
    attempt: int
    phase: Phase
    lease_token: str
    expires_s: int
    body: bytes
    registered: _agreements_pb2.RegisterProof
    def __init__(self, id: _Optional[str] = ..., query: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., round: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., appointment: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., attempt: _Optional[int] = ..., phase: _Optional[_Union[Phase, str]] = ..., lease_token: _Optional[str] = ..., expires_s: _Optional[int] = ..., body: _Optional[bytes] = ..., registered: _Optional[_Union[_agreements_pb2.RegisterProof, _Mapping]] = ...) -> None: ...

class Waiting(_message.Message):
    __slots__ = ("sentence",)
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    sentence: str
    def __init__(self, sentence: _Optional[str] = ...) -> None: ...

class ReportRequest(_message.Message):
    __slots__ = ("task", "lease_token", "release", "secagg", "refusal", "waiting", "budget", "witness", "head")
    TASK_FIELD_NUMBER: _ClassVar[int]
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    SECAGG_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    WITNESS_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    task: str
    lease_token: str
    release: _signed_pb2.Signed
    secagg: bytes
    refusal: _signed_pb2.Signed
    waiting: Waiting
    budget: _query_pb2.Budget
    witness: _signed_pb2.Signed
    head: _signed_pb2.Signed
    def __init__(self, task: _Optional[str] = ..., lease_token: _Optional[str] = ..., release: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., secagg: _Optional[bytes] = ..., refusal: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., waiting: _Optional[_Union[Waiting, _Mapping]] = ..., budget: _Optional[_Union[_query_pb2.Budget, _Mapping]] = ..., witness: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., head: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ...) -> None: ...

class ReportReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
