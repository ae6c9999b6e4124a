# By what of this machine bytes go to a port and its answer comes back. Of http.sh and exchange.sh, which set
# $host $port $tls $seconds $most, and ask, which prints what is sent.
export LC_ALL=C
has() { command -v "$1" >/dev/null 2>&1; }
cut_off() { if has head; then head -c "$most"; else cat; fi; }
# busybox had another timeout before 1.30.
bounded() { if has timeout && timeout 1 true 2>/dev/null; then timeout "$seconds" "$@"; else "$@"; fi; }
by() { printf '%s\n' "$1"; }

with_nc() { ask | bounded nc -w "$seconds" "$host" "$port" | cut_off; }

with_perl() {
  ask | perl -e '
    use strict; use Socket qw(:DEFAULT getaddrinfo);
    my ($host, $port, $seconds, $most) = @ARGV;
    $SIG{ALRM} = sub { die "no answer within $seconds s\n" };
    alarm $seconds;
    local $/;
    my $request = <STDIN>;
    my ($why, @found) = getaddrinfo($host, $port, { socktype => SOCK_STREAM });
    for my $one (@found) {
      socket(my $s, $one->{family}, $one->{socktype}, $one->{protocol}) or next;
      connect($s, $one->{addr}) or do { $why = $!; next };
      syswrite $s, $request;
      while ($most > 0 and my $n = sysread $s, my $piece, $most) { $most -= $n; syswrite STDOUT, $piece }
      exit 0;
    }
    die "$why\n";' "$host" "$port" "$seconds" "$most"
}

with_python() {
  ask | python3 -I -S -c '
import signal, socket, sys
host, port, tls, seconds, most = sys.argv[1:6]
signal.alarm(int(seconds) + 1)
try:
    s = socket.create_connection((host, int(port)), float(seconds))
    if tls:
        import ssl
        context = ssl.create_default_context()
        if tls == "unverified":
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        s = context.wrap_socket(s, server_hostname=host)
    s.sendall(sys.stdin.buffer.read())
    left = int(most)
    while left > 0:
        piece = s.recv(left)
        if not piece:
            break
        left -= len(piece)
        sys.stdout.buffer.write(piece)
except OSError as error:
    sys.exit(str(error.strerror or error))' "$host" "$port" "$tls" "$seconds" "$most"
}

with_bash() {
  ask | bounded bash -c 'exec 3<>"/dev/tcp/$1/$2" && cat >&3 && cat <&3' bash "$host" "$port" | cut_off
}
