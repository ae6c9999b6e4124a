# Tools of 17.0.21, which look for the JVM in their own /tmp, and no interpreter.
FROM jvmdiag-test/jdk17
RUN rm -rf /usr/bin/perl* /usr/lib/*/perl-base && ! command -v perl && ! command -v python3
CMD ["sh"]
