# The same Tomcat on a full JDK, its tools on PATH as Debian's package has them.
FROM jvmdiag-test/tomcat-jre
COPY --from=jvmdiag-test/jdk17 /usr/lib/jvm /usr/lib/jvm
USER root
RUN for tool in /usr/lib/jvm/*/bin/*; do [ -e "/usr/bin/${tool##*/}" ] || ln -s "$tool" /usr/bin/; done
USER tomcat
CMD ["/usr/share/tomcat10/bin/catalina.sh", "run"]
