"""gRPC: the only code that imports it."""
