# The newest JDK's tools.
FROM jvmdiag-test/temurin25
CMD ["sh"]
