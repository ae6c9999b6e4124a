"""Mirrors jvmdiag/report."""
