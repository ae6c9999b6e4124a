# An SSH host: Tomcat on a JRE under user tomcat; ops may sudo, dev may with a password, plain may not.
FROM jvmdiag-test/tomcat-jre
USER root
RUN apt-get update -q \
 && apt-get install -qy --no-install-recommends openssh-server sudo procps \
 && apt-get clean && rm -rf /var/lib/apt/lists/* \
 && for user in ops dev plain; do useradd --create-home --shell /bin/bash $user; done \
 && usermod --append --groups sudo dev && echo 'dev:s3cret pass' | chpasswd \
 && echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops && chmod 440 /etc/sudoers.d/ops \
 # loginuid of a container's process belongs to the kernel's first user namespace alone
 && sed -i 's/required\(.*pam_loginuid\)/optional\1/' /etc/pam.d/sshd && mkdir -p /run/sshd
COPY start-ssh.sh /opt/start-ssh.sh
EXPOSE 22 8080
CMD ["sh", "/opt/start-ssh.sh"]
