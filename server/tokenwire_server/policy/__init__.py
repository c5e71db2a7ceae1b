"""One policy, one file: each is a Backend put before another one."""
