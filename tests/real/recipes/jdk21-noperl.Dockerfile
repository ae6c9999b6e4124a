# JDK tools and no interpreter: what speaks the attach protocol by itself cannot run here.
FROM jvmdiag-test/temurin21
RUN rm -rf /usr/bin/perl* /usr/lib/*/perl-base && ! command -v perl && ! command -v python3
CMD ["sh"]
