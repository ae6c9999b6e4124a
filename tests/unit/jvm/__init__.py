"""Mirrors jvmdiag/jvm."""
