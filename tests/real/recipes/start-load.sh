#!/bin/sh
# Stays PID 1 and starts the JVM as a child, as many images do.
java -cp /opt/load Load "$@" &
trap 'kill $!' TERM INT
wait
