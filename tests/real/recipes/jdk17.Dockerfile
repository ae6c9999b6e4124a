# A JDK image as people run it beside a JRE-only container; perl is there.
FROM jvmdiag-test/jre17
RUN apt-get update -q \
 && apt-get install -qy --no-install-recommends openjdk-17-jdk-headless \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
CMD ["sh"]
