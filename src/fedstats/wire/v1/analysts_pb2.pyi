from fedstats.wire.v1 import agreements_pb2 as _agreements_pb2
from fedstats.wire.v1 import nodes_pb2 as _nodes_pb2
from fedstats.wire.v1 import query_pb2 as _query_pb2
from fedstats.wire.v1 import signed_pb2 as _signed_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TaskState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_STATE_UNSPECIFIED: _ClassVar[TaskState]
    TASK_STATE_OFFERED: _ClassVar[TaskState]
    TASK_STATE_LEASED: _ClassVar[TaskState]
    TASK_STATE_WAITING: _ClassVar[TaskState]
    TASK_STATE_RELEASED: _ClassVar[TaskState]
    TASK_STATE_REFUSED: _ClassVar[TaskState]
    TASK_STATE_LEFT_OUT: _ClassVar[TaskState]
TASK_STATE_UNSPECIFIED: TaskState
TASK_STATE_OFFERED: TaskState
TASK_STATE_LEASED: TaskState
TASK_STATE_WAITING: TaskState
TASK_STATE_RELEASED: TaskState
TASK_STATE_REFUSED: TaskState
TASK_STATE_LEFT_OUT: TaskState

class CatalogueRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NodeHoldings(_message.Message):
    __slots__ = ("department", "holdings", "seen_s", "paused")
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    HOLDINGS_FIELD_NUMBER: _ClassVar[int]
    SEEN_S_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    department: str
    holdings: _containers.RepeatedCompositeFieldContainer[_nodes_pb2.Holding]
    seen_s: int
    paused: str
    def __init__(self, department: _Optional[str] = ..., holdings: _Optional[_Iterable[_Union[_nodes_pb2.Holding, _Mapping]]] = ..., seen_s: _Optional[int] = ..., paused: _Optional[str] = ...) -> None: ...

class CatalogueReply(_message.Message):
    __slots__ = ("nodes",)
    NODES_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[NodeHoldings]
    def __init__(self, nodes: _Optional[_Iterable[_Union[NodeHoldings, _Mapping]]] = ...) -> None: ...

class SubmitRequest(_message.Message):
    __slots__ = ("query", "round", "appointment", "register_size")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    APPOINTMENT_FIELD_NUMBER: _ClassVar[int]
    REGISTER_SIZE_FIELD_NUMBER: _ClassVar[int]
    query: _signed_pb2.Signed
    round: _signed_pb2.Signed
    appointment: _signed_pb2.Signed
    register_size: int
    def __init__(self, query: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., round: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., appointment: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., register_size: _Optional[int] = ...) -> None: ...

class SubmitReply(_message.Message):
    __slots__ = ("query", "registered", "register_consistency")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    REGISTER_CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    query: bytes
    registered: _agreements_pb2.RegisterProof
    register_consistency: _signed_pb2.ConsistencyProof
    def __init__(self, query: _Optional[bytes] = ..., registered: _Optional[_Union[_agreements_pb2.RegisterProof, _Mapping]] = ..., register_consistency: _Optional[_Union[_signed_pb2.ConsistencyProof, _Mapping]] = ...) -> None: ...

class TaskStatus(_message.Message):
    __slots__ = ("department", "state", "sentence", "since_s", "node_seen_s")
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    SINCE_S_FIELD_NUMBER: _ClassVar[int]
    NODE_SEEN_S_FIELD_NUMBER: _ClassVar[int]
    department: str
    state: TaskState
    sentence: str
    since_s: int
    node_seen_s: int
    def __init__(self, department: _Optional[str] = ..., state: _Optional[_Union[TaskState, str]] = ..., sentence: _Optional[str] = ..., since_s: _Optional[int] = ..., node_seen_s: _Optional[int] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("query", "number", "seen", "wait_s")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    query: bytes
    number: int
    seen: int
    wait_s: int
    def __init__(self, query: _Optional[bytes] = ..., number: _Optional[int] = ..., seen: _Optional[int] = ..., wait_s: _Optional[int] = ...) -> None: ...

class WatchReply(_message.Message):
    __slots__ = ("version", "tasks")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    version: int
    tasks: _containers.RepeatedCompositeFieldContainer[TaskStatus]
    def __init__(self, version: _Optional[int] = ..., tasks: _Optional[_Iterable[_Union[TaskStatus, _Mapping]]] = ...) -> None: ...

class ProceedRequest(_message.Message):
    __slots__ = ("proceeding",)
    PROCEEDING_FIELD_NUMBER: _ClassVar[int]
    proceeding: _signed_pb2.Signed
    def __init__(self, proceeding: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ...) -> None: ...

class ProceedReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FetchRequest(_message.Message):
    __slots__ = ("query", "statements_only")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_ONLY_FIELD_NUMBER: _ClassVar[int]
    query: bytes
    statements_only: bool
    def __init__(self, query: _Optional[bytes] = ..., statements_only: bool = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("department", "release", "refusal", "budget")
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    department: str
    release: _signed_pb2.Signed
    refusal: _signed_pb2.Signed
    budget: _query_pb2.Budget
    def __init__(self, department: _Optional[str] = ..., release: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., refusal: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., budget: _Optional[_Union[_query_pb2.Budget, _Mapping]] = ...) -> None: ...

class RoundRecord(_message.Message):
    __slots__ = ("round", "outcomes", "proceeding")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    PROCEEDING_FIELD_NUMBER: _ClassVar[int]
    round: _signed_pb2.Signed
    outcomes: _containers.RepeatedCompositeFieldContainer[Outcome]
    proceeding: _signed_pb2.Signed
    def __init__(self, round: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., outcomes: _Optional[_Iterable[_Union[Outcome, _Mapping]]] = ..., proceeding: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ...) -> None: ...

class FetchReply(_message.Message):
    __slots__ = ("query", "appointment", "rounds")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    APPOINTMENT_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    query: _signed_pb2.Signed
    appointment: _signed_pb2.Signed
    rounds: _containers.RepeatedCompositeFieldContainer[RoundRecord]
    def __init__(self, query: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., appointment: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ..., rounds: _Optional[_Iterable[_Union[RoundRecord, _Mapping]]] = ...) -> None: ...

class PublishResultRequest(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _signed_pb2.Signed
    def __init__(self, result: _Optional[_Union[_signed_pb2.Signed, _Mapping]] = ...) -> None: ...

class PublishResultReply(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...
