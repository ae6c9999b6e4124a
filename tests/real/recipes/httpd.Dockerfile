# Apache httpd as Debian has it, MPM event; its status page is for this machine alone, and /refused is for nobody.
FROM jvmdiag-test/base
RUN apt-get update -q \
 && apt-get install -qy --no-install-recommends apache2 \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
RUN printf 'ServerName localhost\n<Location /refused>\nRequire all denied\n</Location>\n' >/etc/apache2/conf-enabled/test.conf
EXPOSE 80
CMD ["/usr/sbin/apachectl", "-D", "FOREGROUND"]
