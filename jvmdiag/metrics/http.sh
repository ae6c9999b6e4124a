# One GET from the network namespace of this shell, by whatever is here. Changes nothing.
#   $1 host  $2 port  $3 "", tls or unverified  $4 "" or credentials  $5 seconds  $6 bytes
# stdin: the URL, a line; then the head of its request in HTTP/1.0, to the empty line. With credentials both hold them:
# then neither stands in an argv or in the environment.
# stdout: the client, a line; then the answer as it came, of wget only the body. stderr: why there is none; wget's heads.
. ./client.sh
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

ask() { printf %s "$request"; }

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
elif [ -z "$tls" ] && has nc; then by nc; with_nc
elif has wget && is_gnu; then by wget; with_gnu_wget
elif has wget && [ -z "$credentials" ] && [ "$tls" != tls ]; then by wget; with_wget
else by none
fi
