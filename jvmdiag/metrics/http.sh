# One GET from the network namespace of this shell, by whatever is here. Changes nothing.
#   $1 host  $2 port  $3 "", tls or unverified  $4 "" or credentials  $5 seconds  $6 bytes
# stdin: the URL, a line; then the head of its request in HTTP/1.0, to the empty line. With credentials both hold them:
# then neither stands in an argv or in the environment.
# stdout: the client, a line; then the answer as it came, of wget only the body. stderr: why there is none; wget's heads.
export LC_ALL=C
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
host=$1 port=$2 tls=$3 credentials=$4 seconds=$5 most=$6
cr=$(printf '\r') request= named=
IFS= read -r url
# Over TLS to an engine stdin has no end.
while IFS= read -r line; do
  request="$request$line
"
  case $line in Host:*) named=${line%"$cr"} ;; esac
  [ -n "${line%"$cr"}" ] || break
done

has() { command -v "$1" >/dev/null 2>&1; }
ask() { printf %s "$request"; }
cut_off() { if has head; then head -c "$most"; else cat; fi; }
# busybox had another timeout before 1.30.
bounded() { if has timeout && timeout 1 true 2>/dev/null; then timeout "$seconds" "$@"; else "$@"; fi; }
by() { printf '%s\n' "$1"; }

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

with_curl() {
  certain=
  [ "$tls" = unverified ] && certain=--insecure
  printf 'url = "%s"\n' "$url" |
    curl -K - -0 -s -S -i --noproxy '*' --max-time "$seconds" -H "$named" $certain | cut_off
}

with_gnu_wget() {
  certain=
  [ "$tls" = unverified ] && certain=--no-check-certificate
  printf '%s\n' "$url" |
    bounded wget -i - -nv -S -O - -T "$seconds" -t 1 --no-config --no-proxy --max-redirect=0 --auth-no-challenge \
      --header="$named" $certain | cut_off
}

# A static busybox 1.35 dies of wget's -T.
with_wget() { bounded wget -q -S -O - --header "$named" "$url" | cut_off; }

is_gnu() { case $(wget --version 2>&1) in *GNU*) return 0 ;; esac; return 1; }

if [ -z "$tls" ] && has perl; then by perl; with_perl
elif has python3; then by python3; with_python
elif [ -z "$tls" ] && has bash; then by bash; with_bash
elif has curl; then by curl; with_curl
elif [ -z "$tls" ] && has nc; then by nc; ask | bounded nc -w "$seconds" "$host" "$port" | cut_off
elif has wget && is_gnu; then by wget; with_gnu_wget
elif has wget && [ -z "$credentials" ] && [ "$tls" != tls ]; then by wget; with_wget
else by none
fi
