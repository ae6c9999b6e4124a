# Debian's JRE: it has the module jdk.jcmd, and no tool beside java.
FROM jvmdiag-test/base
RUN apt-get update -q \
 && apt-get install -qy --no-install-recommends openjdk-17-jre-headless \
 && apt-get clean && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1001 --create-home app
CMD ["sh"]
