# Tools of 25, which find a JVM of their own user by themselves, and no interpreter.
FROM jvmdiag-test/temurin25
RUN rm -rf /usr/bin/perl* /usr/lib/*/perl-base && ! command -v perl && ! command -v python3
CMD ["sh"]
