# The load program, compiled once for every JVM from 11 on. Others copy it from here.
FROM jvmdiag-test/jdk17
COPY java/Load.java /src/Load.java
RUN javac -Xlint:all -Werror --release 11 -d /opt/load /src/Load.java
CMD ["java", "-cp", "/opt/load", "Load"]
