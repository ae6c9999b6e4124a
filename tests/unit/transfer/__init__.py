"""Tests of jvmdiag.transfer."""
