"""How a running JVM is spoken to: direct (the protocol), tools, jdk-image, quit. Each is a rung of the ladder."""
