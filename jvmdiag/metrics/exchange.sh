# Bytes to a port as seen from the network namespace of this shell, and what comes back up to its end.
#   $1 host  $2 port  $3 seconds  $4 most bytes of the answer  $5 how many bytes are sent
# stdin: those bytes. No variable of a shell holds a NUL, and over TLS to an engine stdin has no end: so they are counted.
# stdout: the client, a line; then the answer as it came. stderr: why there is none.
. ./client.sh
host=$1 port=$2 tls='' seconds=$3 most=$4 count=$5
ask() { if has head; then head -c "$count"; else dd bs=1 count="$count" 2>/dev/null; fi; }

if has perl; then by perl; with_perl
elif has python3; then by python3; with_python
elif has bash; then by bash; with_bash
elif has nc; then by nc; with_nc
else by none
fi
