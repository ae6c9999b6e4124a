# Tomcat on a JRE: java is PID 1, user tomcat (1001), the working directory is root's.
FROM jvmdiag-test/jre17
# The standalone parts keep apt from pulling in systemd.
RUN userdel --remove app \
 && useradd --uid 1001 --home-dir /var/lib/tomcat10 --shell /usr/sbin/nologin tomcat \
 && apt-get update -q \
 && apt-get install -qy --no-install-recommends tomcat10 systemd-standalone-sysusers systemd-standalone-tmpfiles \
 && apt-get clean && rm -rf /var/lib/apt/lists/* /var/lib/tomcat10/webapps/ROOT
COPY index.jsp /var/lib/tomcat10/webapps/ROOT/index.jsp
ENV CATALINA_HOME=/usr/share/tomcat10 CATALINA_BASE=/var/lib/tomcat10 CATALINA_TMPDIR=/tmp
WORKDIR /var/lib/tomcat10
USER tomcat
EXPOSE 8080
CMD ["/usr/share/tomcat10/bin/catalina.sh", "run"]
