# The files of shellless: a JRE, the libraries it needs, the loader, and nothing to run but java.
FROM jvmdiag-test/jvm21
USER root
# A jlinked JRE links to libz of the system where its own is not in lib/.
RUN mkdir -p /out/etc /out/opt && mkdir -m 1777 /out/tmp && cp -a /opt/java /out/opt/java \
 && find /opt/java -name '*.so' -o -name java -type f | xargs ldd | grep -oE '/[^ :)]+' | grep -v /opt/java | sort -u \
  | xargs cp --dereference --parents --target-directory=/out \
 && printf 'root:x:0:0::/:/none\napp:x:1001:1001::/:/none\n' >/out/etc/passwd \
 && printf 'root:x:0:\napp:x:1001:\n' >/out/etc/group
