# Busybox and a JRE without jdk.jcmd: neither JDK tools nor an interpreter can run inside.
FROM scratch
COPY --from=jvmdiag-test/minimal-parts /out /
COPY --from=jvmdiag-test/load /opt/load /opt/load
ENV PATH=/opt/java/bin:/bin
USER app
EXPOSE 8080
ENTRYPOINT ["/opt/java/bin/java"]
CMD ["-cp", "/opt/load", "Load"]
