"""Mirrors jvmdiag/attach."""
