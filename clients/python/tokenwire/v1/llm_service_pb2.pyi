from tokenwire.v1 import chat_pb2 as _chat_pb2
from tokenwire.v1 import embed_pb2 as _embed_pb2
from tokenwire.v1 import health_pb2 as _health_pb2
from tokenwire.v1 import models_pb2 as _models_pb2
from tokenwire.v1 import tokens_pb2 as _tokens_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
