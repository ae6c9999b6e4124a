"""Unit tests of jvmdiag.impact."""
