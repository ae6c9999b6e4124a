"""The machine around a JVM: figures of the kernel, the JVM, Tomcat and Apache, and what they say in words."""
