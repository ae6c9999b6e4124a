"""Bytes to a file we vouch for. Knows nothing of hosts."""
