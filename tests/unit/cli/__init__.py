"""Mirrors jvmdiag/cli."""
