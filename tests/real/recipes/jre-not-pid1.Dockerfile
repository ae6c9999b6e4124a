# JRE-only, and PID 1 is a shell.
FROM jvmdiag-test/jre17
COPY --from=jvmdiag-test/load /opt/load /opt/load
COPY start-load.sh /opt/start-load.sh
USER app
EXPOSE 8080
CMD ["sh", "/opt/start-load.sh"]
