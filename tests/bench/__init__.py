"""The benchmark: jvmdiag beside what people use today, on the same real parts, in one run. Never a test."""
