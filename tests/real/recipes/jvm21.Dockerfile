# JRE-only: no tool but java and keytool; the load program as PID 1, uid 1001. perl is there.
FROM jvmdiag-test/temurin21
RUN cd /opt/java/bin && find . -type f ! -name java ! -name keytool -delete
USER app
EXPOSE 8080
ENTRYPOINT ["java"]
CMD ["-cp", "/opt/load", "Load"]
