"""What a failed call says, unpacked."""

from collections.abc import AsyncIterable, Awaitable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    QuotaFailure,
    RequestInfo,
    ResourceInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status
from grpc import aio
from grpc_status import rpc_status

M = TypeVar("M", bound=Message)
T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """How a call failed. A detail that is not there is None."""

    code: str
    message: str
    trailers: Mapping[str, str | bytes]
    status: Status | None

    def detail(self, kind: type[M]) -> M | None:
        found = kind()
        for packed in self.status.details if self.status else ():
            if packed.Unpack(found):
                return found
        return None

    @property
    def info(self) -> ErrorInfo:
        info = self.detail(ErrorInfo)
        assert info is not None, f"no ErrorInfo: {self.code} {self.message}"
        return info

    @property
    def reason(self) -> str:
        return self.info.reason

    @property
    def fields(self) -> list[str]:
        """Paths of the fields that were refused."""
        bad = self.detail(BadRequest)
        return [violation.field for violation in bad.field_violations] if bad else []

    @property
    def request_id(self) -> str:
        request = self.detail(RequestInfo)
        return request.request_id if request else ""

    @property
    def retry_after(self) -> float | None:
        retry = self.detail(RetryInfo)
        return retry.retry_delay.ToTimedelta().total_seconds() if retry else None

    @property
    def quota(self) -> QuotaFailure | None:
        return self.detail(QuotaFailure)

    @property
    def resource(self) -> ResourceInfo | None:
        return self.detail(ResourceInfo)

    @property
    def everything(self) -> str:
        """All that the caller can see of it."""
        return f"{self.message}\n{self.trailers}\n{self.status}"


def trailers_of(metadata: object) -> dict[str, Any]:
    """Metadata as a dict: the stubs do not know that it is iterable."""
    return dict(cast("Iterable[tuple[str, Any]]", metadata or ()))


def failure_of(error: aio.AioRpcError) -> Failure:
    """A caught error, unpacked."""
    status = rpc_status.from_call(cast("Any", error))
    return Failure(error.code().name, error.details() or "", trailers_of(error.trailing_metadata()), status)


async def failure(call: Awaitable[object]) -> Failure:
    """The failure of a call that must fail."""
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    return failure_of(caught.value)


async def collect(stream: AsyncIterable[T]) -> list[T]:
    """All messages of a stream; raises what ends it."""
    return [message async for message in stream]
