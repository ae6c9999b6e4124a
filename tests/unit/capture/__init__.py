"""Mirrors jvmdiag/capture."""
