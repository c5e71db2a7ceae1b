"""`make bench`: the server's CPU per call and per token beside a bare gRPC server. docs/performance.md."""
