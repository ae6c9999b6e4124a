"""JMX without a JVM."""
