"""What an overloaded gateway must say to those that it refuses."""

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status


def is_refusal(error: grpc.aio.AioRpcError) -> bool:
    """Whether a call was refused as OVERLOADED, with the time after which to come back."""
    found, info, retry = rpc_status.from_call(error), ErrorInfo(), RetryInfo()  # type: ignore[arg-type]  # has what it reads
    for detail in found.details if found else ():
        detail.Unpack(info)
        detail.Unpack(retry)
    return info.reason == "OVERLOADED" and retry.retry_delay.ToTimedelta().total_seconds() > 0
