from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

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
    __slots__ = ("department", "agreement", "withdrawn", "at_s")
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    department: str
    agreement: bytes
    withdrawn: bool
    at_s: int
    def __init__(self, department: _Optional[str] = ..., agreement: _Optional[bytes] = ..., withdrawn: bool = ..., at_s: _Optional[int] = ...) -> None: ...

class JoinRequest(_message.Message):
    __slots__ = ("certificate_request", "signing_key")
    CERTIFICATE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    SIGNING_KEY_FIELD_NUMBER: _ClassVar[int]
    certificate_request: bytes
    signing_key: bytes
    def __init__(self, certificate_request: _Optional[bytes] = ..., signing_key: _Optional[bytes] = ...) -> None: ...

class JoinReply(_message.Message):
    __slots__ = ("certificate", "authority")
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    certificate: bytes
    authority: bytes
    def __init__(self, certificate: _Optional[bytes] = ..., authority: _Optional[bytes] = ...) -> None: ...
