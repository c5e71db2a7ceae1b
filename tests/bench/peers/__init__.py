"""`make bench-peers`: the same work through other gateways. docs/peers.md."""
