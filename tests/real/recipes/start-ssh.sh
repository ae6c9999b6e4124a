#!/bin/sh
# The init of an SSH host: lets in who has $AUTHORIZED_KEY, then runs sshd and Tomcat until one of them ends.
set -e
for user in ops dev plain; do
    install -d -m 700 -o "$user" -g "$user" "/home/$user/.ssh"
    echo "$AUTHORIZED_KEY" | install -m 600 -o "$user" -g "$user" /dev/stdin "/home/$user/.ssh/authorized_keys"
done
/usr/sbin/sshd -D -e &
# Tomcat's stdout is a file here, as where catalina.sh start was used.
setpriv --reuid=tomcat --regid=tomcat --init-groups --reset-env \
    env CATALINA_HOME=/usr/share/tomcat10 CATALINA_BASE=/var/lib/tomcat10 CATALINA_TMPDIR=/tmp \
    sh -c 'exec /usr/share/tomcat10/bin/catalina.sh run >>/var/log/tomcat10/catalina.out 2>&1' &
trap 'kill $(jobs -p)' TERM INT
wait
