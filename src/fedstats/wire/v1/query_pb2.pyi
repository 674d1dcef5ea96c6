from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Op(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OP_UNSPECIFIED: _ClassVar[Op]
    OP_ADD: _ClassVar[Op]
    OP_SUBTRACT: _ClassVar[Op]
    OP_MULTIPLY: _ClassVar[Op]
    OP_DIVIDE: _ClassVar[Op]
    OP_NEGATE: _ClassVar[Op]
    OP_ABS: _ClassVar[Op]
    OP_FLOOR: _ClassVar[Op]
    OP_LEAST: _ClassVar[Op]
    OP_GREATEST: _ClassVar[Op]
    OP_CLAMP: _ClassVar[Op]
    OP_BAND: _ClassVar[Op]
    OP_EQUAL: _ClassVar[Op]
    OP_LESS: _ClassVar[Op]
    OP_LESS_EQUAL: _ClassVar[Op]
    OP_AND: _ClassVar[Op]
    OP_OR: _ClassVar[Op]
    OP_NOT: _ClassVar[Op]
    OP_IN: _ClassVar[Op]
    OP_IS_NULL: _ClassVar[Op]
    OP_COALESCE: _ClassVar[Op]
    OP_CASE: _ClassVar[Op]
    OP_TRUNCATE_WEEK: _ClassVar[Op]
    OP_TRUNCATE_MONTH: _ClassVar[Op]
    OP_TRUNCATE_YEAR: _ClassVar[Op]
    OP_TRUNCATE_QUARTER: _ClassVar[Op]
    OP_YEAR_OF: _ClassVar[Op]
    OP_MONTH_OF: _ClassVar[Op]
    OP_WEEKDAY_OF: _ClassVar[Op]

class MeasureKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEASURE_KIND_UNSPECIFIED: _ClassVar[MeasureKind]
    MEASURE_KIND_ROWS: _ClassVar[MeasureKind]
    MEASURE_KIND_PEOPLE: _ClassVar[MeasureKind]
    MEASURE_KIND_SUM: _ClassVar[MeasureKind]

class BoundKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BOUND_KIND_UNSPECIFIED: _ClassVar[BoundKind]
    BOUND_KIND_PEOPLE: _ClassVar[BoundKind]
    BOUND_KIND_NORM: _ClassVar[BoundKind]

class Mechanism(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MECHANISM_UNSPECIFIED: _ClassVar[Mechanism]
    MECHANISM_GAUSSIAN: _ClassVar[Mechanism]
    MECHANISM_LAPLACE: _ClassVar[Mechanism]

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_LOCAL: _ClassVar[Mode]
    MODE_SECURE: _ClassVar[Mode]

class Disclosure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISCLOSURE_UNSPECIFIED: _ClassVar[Disclosure]
    DISCLOSURE_NONE: _ClassVar[Disclosure]
    DISCLOSURE_OPENSAFELY: _ClassVar[Disclosure]
    DISCLOSURE_ACRO: _ClassVar[Disclosure]
OP_UNSPECIFIED: Op
OP_ADD: Op
OP_SUBTRACT: Op
OP_MULTIPLY: Op
OP_DIVIDE: Op
OP_NEGATE: Op
OP_ABS: Op
OP_FLOOR: Op
OP_LEAST: Op
OP_GREATEST: Op
OP_CLAMP: Op
OP_BAND: Op
OP_EQUAL: Op
OP_LESS: Op
OP_LESS_EQUAL: Op
OP_AND: Op
OP_OR: Op
OP_NOT: Op
OP_IN: Op
OP_IS_NULL: Op
OP_COALESCE: Op
OP_CASE: Op
OP_TRUNCATE_WEEK: Op
OP_TRUNCATE_MONTH: Op
OP_TRUNCATE_YEAR: Op
OP_TRUNCATE_QUARTER: Op
OP_YEAR_OF: Op
OP_MONTH_OF: Op
OP_WEEKDAY_OF: Op
MEASURE_KIND_UNSPECIFIED: MeasureKind
MEASURE_KIND_ROWS: MeasureKind
MEASURE_KIND_PEOPLE: MeasureKind
MEASURE_KIND_SUM: MeasureKind
BOUND_KIND_UNSPECIFIED: BoundKind
BOUND_KIND_PEOPLE: BoundKind
BOUND_KIND_NORM: BoundKind
MECHANISM_UNSPECIFIED: Mechanism
MECHANISM_GAUSSIAN: Mechanism
MECHANISM_LAPLACE: Mechanism
MODE_UNSPECIFIED: Mode
MODE_LOCAL: Mode
MODE_SECURE: Mode
DISCLOSURE_UNSPECIFIED: Disclosure
DISCLOSURE_NONE: Disclosure
DISCLOSURE_OPENSAFELY: Disclosure
DISCLOSURE_ACRO: Disclosure

class Rational(_message.Message):
    __slots__ = ("numerator", "denominator")
    NUMERATOR_FIELD_NUMBER: _ClassVar[int]
    DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    numerator: int
    denominator: int
    def __init__(self, numerator: _Optional[int] = ..., denominator: _Optional[int] = ...) -> None: ...

class Expression(_message.Message):
    __slots__ = ("column", "number", "category", "day", "call")
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    column: str
    number: Rational
    category: str
    day: Day
    call: Call
    def __init__(self, column: _Optional[str] = ..., number: _Optional[_Union[Rational, _Mapping]] = ..., category: _Optional[str] = ..., day: _Optional[_Union[Day, _Mapping]] = ..., call: _Optional[_Union[Call, _Mapping]] = ...) -> None: ...

class Day(_message.Message):
    __slots__ = ("days",)
    DAYS_FIELD_NUMBER: _ClassVar[int]
    days: int
    def __init__(self, days: _Optional[int] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("op", "args")
    OP_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    op: Op
    args: _containers.RepeatedCompositeFieldContainer[Expression]
    def __init__(self, op: _Optional[_Union[Op, str]] = ..., args: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ...) -> None: ...

class Grid(_message.Message):
    __slots__ = ("centre", "step", "half_width")
    CENTRE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    HALF_WIDTH_FIELD_NUMBER: _ClassVar[int]
    centre: Rational
    step: Rational
    half_width: int
    def __init__(self, centre: _Optional[_Union[Rational, _Mapping]] = ..., step: _Optional[_Union[Rational, _Mapping]] = ..., half_width: _Optional[int] = ...) -> None: ...

class Measure(_message.Message):
    __slots__ = ("kind", "expression", "grid", "weight")
    KIND_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    GRID_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    kind: MeasureKind
    expression: Expression
    grid: Grid
    weight: Rational
    def __init__(self, kind: _Optional[_Union[MeasureKind, str]] = ..., expression: _Optional[_Union[Expression, _Mapping]] = ..., grid: _Optional[_Union[Grid, _Mapping]] = ..., weight: _Optional[_Union[Rational, _Mapping]] = ...) -> None: ...

class Bound(_message.Message):
    __slots__ = ("kind", "norm")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NORM_FIELD_NUMBER: _ClassVar[int]
    kind: BoundKind
    norm: int
    def __init__(self, kind: _Optional[_Union[BoundKind, str]] = ..., norm: _Optional[int] = ...) -> None: ...

class Tree(_message.Message):
    __slots__ = ("key", "bins", "branching")
    KEY_FIELD_NUMBER: _ClassVar[int]
    BINS_FIELD_NUMBER: _ClassVar[int]
    BRANCHING_FIELD_NUMBER: _ClassVar[int]
    key: Expression
    bins: int
    branching: int
    def __init__(self, key: _Optional[_Union[Expression, _Mapping]] = ..., bins: _Optional[int] = ..., branching: _Optional[int] = ...) -> None: ...

class GroupedSums(_message.Message):
    __slots__ = ("keys", "measures", "threshold_weight", "bound", "tree")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    TREE_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[Expression]
    measures: _containers.RepeatedCompositeFieldContainer[Measure]
    threshold_weight: Rational
    bound: Bound
    tree: Tree
    def __init__(self, keys: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ..., measures: _Optional[_Iterable[_Union[Measure, _Mapping]]] = ..., threshold_weight: _Optional[_Union[Rational, _Mapping]] = ..., bound: _Optional[_Union[Bound, _Mapping]] = ..., tree: _Optional[_Union[Tree, _Mapping]] = ...) -> None: ...

class Aggregate(_message.Message):
    __slots__ = ("grouped_sums",)
    GROUPED_SUMS_FIELD_NUMBER: _ClassVar[int]
    grouped_sums: GroupedSums
    def __init__(self, grouped_sums: _Optional[_Union[GroupedSums, _Mapping]] = ...) -> None: ...

class Loss(_message.Message):
    __slots__ = ("mechanism", "amount", "delta_add")
    MECHANISM_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    DELTA_ADD_FIELD_NUMBER: _ClassVar[int]
    mechanism: Mechanism
    amount: Rational
    delta_add: Rational
    def __init__(self, mechanism: _Optional[_Union[Mechanism, str]] = ..., amount: _Optional[_Union[Rational, _Mapping]] = ..., delta_add: _Optional[_Union[Rational, _Mapping]] = ...) -> None: ...

class Contribution(_message.Message):
    __slots__ = ("rows_max", "cells_max", "departments_max")
    ROWS_MAX_FIELD_NUMBER: _ClassVar[int]
    CELLS_MAX_FIELD_NUMBER: _ClassVar[int]
    DEPARTMENTS_MAX_FIELD_NUMBER: _ClassVar[int]
    rows_max: int
    cells_max: int
    departments_max: int
    def __init__(self, rows_max: _Optional[int] = ..., cells_max: _Optional[int] = ..., departments_max: _Optional[int] = ...) -> None: ...

class Scope(_message.Message):
    __slots__ = ("columns", "keys", "aggregates", "measures")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATES_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.RepeatedScalarFieldContainer[str]
    keys: _containers.RepeatedCompositeFieldContainer[Expression]
    aggregates: _containers.RepeatedScalarFieldContainer[str]
    measures: _containers.RepeatedCompositeFieldContainer[Expression]
    def __init__(self, columns: _Optional[_Iterable[str]] = ..., keys: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ..., aggregates: _Optional[_Iterable[str]] = ..., measures: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ...) -> None: ...

class StatisticLabel(_message.Message):
    __slots__ = ("name", "version", "parameters")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    parameters: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., parameters: _Optional[str] = ...) -> None: ...

class Query(_message.Message):
    __slots__ = ("agreement", "agreement_version", "purpose", "dataset", "edition", "where", "scope", "loss", "contribution", "mode", "rounds_max", "deadline_s", "statistic", "nonce", "disclosure")
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    EDITION_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_MAX_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    STATISTIC_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURE_FIELD_NUMBER: _ClassVar[int]
    agreement: str
    agreement_version: int
    purpose: str
    dataset: str
    edition: str
    where: Expression
    scope: Scope
    loss: Loss
    contribution: Contribution
    mode: Mode
    rounds_max: int
    deadline_s: int
    statistic: StatisticLabel
    nonce: bytes
    disclosure: Disclosure
    def __init__(self, agreement: _Optional[str] = ..., agreement_version: _Optional[int] = ..., purpose: _Optional[str] = ..., dataset: _Optional[str] = ..., edition: _Optional[str] = ..., where: _Optional[_Union[Expression, _Mapping]] = ..., scope: _Optional[_Union[Scope, _Mapping]] = ..., loss: _Optional[_Union[Loss, _Mapping]] = ..., contribution: _Optional[_Union[Contribution, _Mapping]] = ..., mode: _Optional[_Union[Mode, str]] = ..., rounds_max: _Optional[int] = ..., deadline_s: _Optional[int] = ..., statistic: _Optional[_Union[StatisticLabel, _Mapping]] = ..., nonce: _Optional[bytes] = ..., disclosure: _Optional[_Union[Disclosure, str]] = ...) -> None: ...

class Round(_message.Message):
    __slots__ = ("query", "number", "aggregates", "share", "participants", "totals_before")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AGGREGATES_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    TOTALS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    query: bytes
    number: int
    aggregates: _containers.RepeatedCompositeFieldContainer[Aggregate]
    share: Rational
    participants: _containers.RepeatedScalarFieldContainer[str]
    totals_before: bytes
    def __init__(self, query: _Optional[bytes] = ..., number: _Optional[int] = ..., aggregates: _Optional[_Iterable[_Union[Aggregate, _Mapping]]] = ..., share: _Optional[_Union[Rational, _Mapping]] = ..., participants: _Optional[_Iterable[str]] = ..., totals_before: _Optional[bytes] = ...) -> None: ...

class Proceeding(_message.Message):
    __slots__ = ("query", "number", "participants", "left_out")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    query: bytes
    number: int
    participants: _containers.RepeatedScalarFieldContainer[str]
    left_out: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, query: _Optional[bytes] = ..., number: _Optional[int] = ..., participants: _Optional[_Iterable[str]] = ..., left_out: _Optional[_Iterable[str]] = ...) -> None: ...

class Computation(_message.Message):
    __slots__ = ("agreement", "agreement_version", "dataset", "edition", "where", "aggregates", "mechanism", "amount", "contribution", "mode", "delta_add")
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    EDITION_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATES_FIELD_NUMBER: _ClassVar[int]
    MECHANISM_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    DELTA_ADD_FIELD_NUMBER: _ClassVar[int]
    agreement: str
    agreement_version: int
    dataset: str
    edition: str
    where: Expression
    aggregates: _containers.RepeatedCompositeFieldContainer[Aggregate]
    mechanism: Mechanism
    amount: str
    contribution: Contribution
    mode: Mode
    delta_add: str
    def __init__(self, agreement: _Optional[str] = ..., agreement_version: _Optional[int] = ..., dataset: _Optional[str] = ..., edition: _Optional[str] = ..., where: _Optional[_Union[Expression, _Mapping]] = ..., aggregates: _Optional[_Iterable[_Union[Aggregate, _Mapping]]] = ..., mechanism: _Optional[_Union[Mechanism, str]] = ..., amount: _Optional[str] = ..., contribution: _Optional[_Union[Contribution, _Mapping]] = ..., mode: _Optional[_Union[Mode, str]] = ..., delta_add: _Optional[str] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ("department", "computation", "aggregates", "values", "salt", "edition")
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    COMPUTATION_FIELD_NUMBER: _ClassVar[int]
    AGGREGATES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    EDITION_FIELD_NUMBER: _ClassVar[int]
    department: str
    computation: bytes
    aggregates: _containers.RepeatedCompositeFieldContainer[AggregateRelease]
    values: _containers.RepeatedScalarFieldContainer[str]
    salt: bytes
    edition: str
    def __init__(self, department: _Optional[str] = ..., computation: _Optional[bytes] = ..., aggregates: _Optional[_Iterable[_Union[AggregateRelease, _Mapping]]] = ..., values: _Optional[_Iterable[str]] = ..., salt: _Optional[bytes] = ..., edition: _Optional[str] = ...) -> None: ...

class AggregateRelease(_message.Message):
    __slots__ = ("measures",)
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    measures: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, measures: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("department", "query", "number", "code", "sentence", "charged", "presented", "reason")
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    CHARGED_FIELD_NUMBER: _ClassVar[int]
    PRESENTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    department: str
    query: bytes
    number: int
    code: str
    sentence: str
    charged: bool
    presented: bytes
    reason: str
    def __init__(self, department: _Optional[str] = ..., query: _Optional[bytes] = ..., number: _Optional[int] = ..., code: _Optional[str] = ..., sentence: _Optional[str] = ..., charged: bool = ..., presented: _Optional[bytes] = ..., reason: _Optional[str] = ...) -> None: ...

class Budget(_message.Message):
    __slots__ = ("used_ppm", "left_ppm", "free")
    USED_PPM_FIELD_NUMBER: _ClassVar[int]
    LEFT_PPM_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    used_ppm: int
    left_ppm: int
    free: bool
    def __init__(self, used_ppm: _Optional[int] = ..., left_ppm: _Optional[int] = ..., free: bool = ...) -> None: ...
