import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from tokenwire.v1 import errors_pb2 as _errors_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UnsupportedParameters(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNSUPPORTED_PARAMETERS_UNSPECIFIED: _ClassVar[UnsupportedParameters]
    UNSUPPORTED_PARAMETERS_REJECT: _ClassVar[UnsupportedParameters]
    UNSUPPORTED_PARAMETERS_DROP: _ClassVar[UnsupportedParameters]
    UNSUPPORTED_PARAMETERS_DROP_SAMPLING: _ClassVar[UnsupportedParameters]

class TokenSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_SOURCE_UNSPECIFIED: _ClassVar[TokenSource]
    TOKEN_SOURCE_PROVIDER: _ClassVar[TokenSource]

class WarningCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WARNING_CODE_UNSPECIFIED: _ClassVar[WarningCode]
    WARNING_CODE_PARAMETER_DROPPED: _ClassVar[WarningCode]
    WARNING_CODE_PART_DROPPED: _ClassVar[WarningCode]
UNSUPPORTED_PARAMETERS_UNSPECIFIED: UnsupportedParameters
UNSUPPORTED_PARAMETERS_REJECT: UnsupportedParameters
UNSUPPORTED_PARAMETERS_DROP: UnsupportedParameters
UNSUPPORTED_PARAMETERS_DROP_SAMPLING: UnsupportedParameters
TOKEN_SOURCE_UNSPECIFIED: TokenSource
TOKEN_SOURCE_PROVIDER: TokenSource
WARNING_CODE_UNSPECIFIED: WarningCode
WARNING_CODE_PARAMETER_DROPPED: WarningCode
WARNING_CODE_PART_DROPPED: WarningCode

class Usage(_message.Message):
    __slots__ = ("input_tokens", "output_tokens", "total_tokens", "cached_input_tokens", "reasoning_tokens", "source", "cache_write_input_tokens")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REASONING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    source: TokenSource
    cache_write_input_tokens: int
    def __init__(self, input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., total_tokens: _Optional[int] = ..., cached_input_tokens: _Optional[int] = ..., reasoning_tokens: _Optional[int] = ..., source: _Optional[_Union[TokenSource, str]] = ..., cache_write_input_tokens: _Optional[int] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("provider", "model", "code", "reason", "duration", "upstream_status")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_STATUS_FIELD_NUMBER: _ClassVar[int]
    provider: str
    model: str
    code: int
    reason: _errors_pb2.ErrorReason
    duration: _duration_pb2.Duration
    upstream_status: int
    def __init__(self, provider: _Optional[str] = ..., model: _Optional[str] = ..., code: _Optional[int] = ..., reason: _Optional[_Union[_errors_pb2.ErrorReason, str]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., upstream_status: _Optional[int] = ...) -> None: ...

class Timing(_message.Message):
    __slots__ = ("first_token", "upstream", "total")
    FIRST_TOKEN_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    first_token: _duration_pb2.Duration
    upstream: _duration_pb2.Duration
    total: _duration_pb2.Duration
    def __init__(self, first_token: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., upstream: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., total: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CallWarning(_message.Message):
    __slots__ = ("code", "field", "text")
    CODE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    code: WarningCode
    field: str
    text: str
    def __init__(self, code: _Optional[_Union[WarningCode, str]] = ..., field: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...
