"""HTTP/1.1 as a client needs it here, on httptools' parser: connections, and a pool of them."""
