# The same SSH host on a full JDK, its tools on PATH as Debian's package has them.
FROM jvmdiag-test/ssh-jre
COPY --from=jvmdiag-test/jdk17 /usr/lib/jvm /usr/lib/jvm
RUN for tool in /usr/lib/jvm/*/bin/*; do [ -e "/usr/bin/${tool##*/}" ] || ln -s "$tool" /usr/bin/; done
CMD ["sh", "/opt/start-ssh.sh"]
