"""Mirrors jvmdiag/collect."""
