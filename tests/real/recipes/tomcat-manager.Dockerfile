# The same Tomcat with its manager, and a user who may see the manager's status page.
FROM jvmdiag-test/tomcat-jre
USER root
RUN apt-get update -q \
 && apt-get install -qy --no-install-recommends tomcat10-admin systemd-standalone-sysusers systemd-standalone-tmpfiles \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
RUN printf '<tomcat-users><user username="ops" password="it is:seen" roles="manager-status"/></tomcat-users>\n' >/etc/tomcat10/tomcat-users.xml \
 && chmod 644 /etc/tomcat10/tomcat-users.xml
COPY slow.jsp /var/lib/tomcat10/webapps/ROOT/slow.jsp
USER tomcat
CMD ["/usr/share/tomcat10/bin/catalina.sh", "run"]
