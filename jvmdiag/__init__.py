"""jvmdiag: a verified thread dump or heap dump from any JVM in a container or on an SSH host."""

__version__ = "0.1.0"
