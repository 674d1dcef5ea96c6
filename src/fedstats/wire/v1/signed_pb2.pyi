from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_NODE: _ClassVar[Role]
    ROLE_ANALYST: _ClassVar[Role]
ROLE_UNSPECIFIED: Role
ROLE_NODE: Role
ROLE_ANALYST: Role

class Signed(_message.Message):
    __slots__ = ("payload", "key", "signature")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    key: bytes
    signature: bytes
    def __init__(self, payload: _Optional[bytes] = ..., key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Appointment(_message.Message):
    __slots__ = ("department", "role", "name", "key", "from_s", "until_s")
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    FROM_S_FIELD_NUMBER: _ClassVar[int]
    UNTIL_S_FIELD_NUMBER: _ClassVar[int]
    department: str
    role: Role
    name: str
    key: bytes
    from_s: int
    until_s: int
    def __init__(self, department: _Optional[str] = ..., role: _Optional[_Union[Role, str]] = ..., name: _Optional[str] = ..., key: _Optional[bytes] = ..., from_s: _Optional[int] = ..., until_s: _Optional[int] = ...) -> None: ...

class Revocation(_message.Message):
    __slots__ = ("department", "key", "at_s", "reason")
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    department: str
    key: bytes
    at_s: int
    reason: str
    def __init__(self, department: _Optional[str] = ..., key: _Optional[bytes] = ..., at_s: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Acceptance(_message.Message):
    __slots__ = ("department", "agreement", "withdrawn", "at_s", "reason")
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    department: str
    agreement: bytes
    withdrawn: bool
    at_s: int
    reason: str
    def __init__(self, department: _Optional[str] = ..., agreement: _Optional[bytes] = ..., withdrawn: bool = ..., at_s: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Approval(_message.Message):
    __slots__ = ("department", "query", "at_s")
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    department: str
    query: bytes
    at_s: int
    def __init__(self, department: _Optional[str] = ..., query: _Optional[bytes] = ..., at_s: _Optional[int] = ...) -> None: ...

class Witness(_message.Message):
    __slots__ = ("department", "ledger", "epoch", "tip", "marks", "carried", "totals", "at_s")
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    TIP_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    CARRIED_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    department: str
    ledger: bytes
    epoch: int
    tip: Mark
    marks: _containers.RepeatedCompositeFieldContainer[Mark]
    carried: _containers.RepeatedCompositeFieldContainer[Carried]
    totals: _containers.RepeatedCompositeFieldContainer[CapTotal]
    at_s: int
    def __init__(self, department: _Optional[str] = ..., ledger: _Optional[bytes] = ..., epoch: _Optional[int] = ..., tip: _Optional[_Union[Mark, _Mapping]] = ..., marks: _Optional[_Iterable[_Union[Mark, _Mapping]]] = ..., carried: _Optional[_Iterable[_Union[Carried, _Mapping]]] = ..., totals: _Optional[_Iterable[_Union[CapTotal, _Mapping]]] = ..., at_s: _Optional[int] = ...) -> None: ...

class Carried(_message.Message):
    __slots__ = ("ledger", "tip")
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    TIP_FIELD_NUMBER: _ClassVar[int]
    ledger: bytes
    tip: Mark
    def __init__(self, ledger: _Optional[bytes] = ..., tip: _Optional[_Union[Mark, _Mapping]] = ...) -> None: ...

class Mark(_message.Message):
    __slots__ = ("links", "head")
    LINKS_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    links: int
    head: bytes
    def __init__(self, links: _Optional[int] = ..., head: _Optional[bytes] = ...) -> None: ...

class CapTotal(_message.Message):
    __slots__ = ("kind", "name", "rho", "delta_add")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RHO_FIELD_NUMBER: _ClassVar[int]
    DELTA_ADD_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    rho: str
    delta_add: str
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., rho: _Optional[str] = ..., delta_add: _Optional[str] = ...) -> None: ...

class WitnessRecord(_message.Message):
    __slots__ = ("witness", "appointments")
    WITNESS_FIELD_NUMBER: _ClassVar[int]
    APPOINTMENTS_FIELD_NUMBER: _ClassVar[int]
    witness: Signed
    appointments: _containers.RepeatedCompositeFieldContainer[Signed]
    def __init__(self, witness: _Optional[_Union[Signed, _Mapping]] = ..., appointments: _Optional[_Iterable[_Union[Signed, _Mapping]]] = ...) -> None: ...

class LogHead(_message.Message):
    __slots__ = ("log", "keeper", "size", "root", "at_s")
    LOG_FIELD_NUMBER: _ClassVar[int]
    KEEPER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    log: bytes
    keeper: str
    size: int
    root: bytes
    at_s: int
    def __init__(self, log: _Optional[bytes] = ..., keeper: _Optional[str] = ..., size: _Optional[int] = ..., root: _Optional[bytes] = ..., at_s: _Optional[int] = ...) -> None: ...

class Cosignature(_message.Message):
    __slots__ = ("department", "log", "size", "root", "at_s")
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    department: str
    log: bytes
    size: int
    root: bytes
    at_s: int
    def __init__(self, department: _Optional[str] = ..., log: _Optional[bytes] = ..., size: _Optional[int] = ..., root: _Optional[bytes] = ..., at_s: _Optional[int] = ...) -> None: ...

class InclusionProof(_message.Message):
    __slots__ = ("index", "size", "path")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    index: int
    size: int
    path: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, index: _Optional[int] = ..., size: _Optional[int] = ..., path: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ConsistencyProof(_message.Message):
    __slots__ = ("first", "second", "path")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    first: int
    second: int
    path: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, first: _Optional[int] = ..., second: _Optional[int] = ..., path: _Optional[_Iterable[bytes]] = ...) -> None: ...

class JoinRequest(_message.Message):
    __slots__ = ("certificate_request", "signing_key")
    CERTIFICATE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    SIGNING_KEY_FIELD_NUMBER: _ClassVar[int]
    certificate_request: bytes
    signing_key: bytes
    def __init__(self, certificate_request: _Optional[bytes] = ..., signing_key: _Optional[bytes] = ...) -> None: ...

class JoinReply(_message.Message):
    __slots__ = ("certificate", "authority", "witnesses")
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    certificate: bytes
    authority: bytes
    witnesses: _containers.RepeatedCompositeFieldContainer[WitnessRecord]
    def __init__(self, certificate: _Optional[bytes] = ..., authority: _Optional[bytes] = ..., witnesses: _Optional[_Iterable[_Union[WitnessRecord, _Mapping]]] = ...) -> None: ...
