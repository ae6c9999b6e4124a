# No shell, no cat, no tar: nothing but java can be executed.
FROM scratch
COPY --from=jvmdiag-test/shellless-parts /out /
COPY --from=jvmdiag-test/load /opt/load /opt/load
ENV PATH=/opt/java/bin
USER app
EXPOSE 8080
ENTRYPOINT ["/opt/java/bin/java"]
CMD ["-cp", "/opt/load", "Load"]
