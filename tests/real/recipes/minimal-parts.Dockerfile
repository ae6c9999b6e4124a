# The files of jre-minimal: a JRE made by jlink without jdk.jcmd, the libraries it needs, and busybox.
FROM jvmdiag-test/jdk17
RUN apt-get update -q \
 && apt-get install -qy --no-install-recommends busybox-static \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
RUN mkdir -p /out/bin /out/etc /out/opt && mkdir -m 1777 /out/tmp \
 && jlink --add-modules java.base,java.logging,java.naming,java.xml,jdk.httpserver --output /out/opt/java \
 && find /out/opt/java -name '*.so' -o -name java -type f | xargs ldd | grep -oE '/[^ :)]+' | grep -v /opt/java | sort -u \
  | xargs cp --dereference --parents --target-directory=/out \
 && cp /bin/busybox /out/bin/ && for name in $(busybox --list | grep -vx busybox); do ln -sf busybox /out/bin/$name; done \
 && printf 'root:x:0:0::/:/bin/sh\napp:x:1001:1001::/:/bin/sh\n' >/out/etc/passwd \
 && printf 'root:x:0:\napp:x:1001:\n' >/out/etc/group
CMD ["sh"]
