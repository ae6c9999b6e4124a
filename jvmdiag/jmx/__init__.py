"""JMX over RMI, bytes to values and back: pure, and without a JVM."""
