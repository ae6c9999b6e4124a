# Hold the lock file $1 until a line comes or stdin ends: say held, busy, or none where no lock can be had. The lock goes with this
# process, however it ends; so does the file, unless it is killed.
umask 077
command -v flock >/dev/null 2>&1 || { echo none; exit 0; }
# /proc/PID/root goes with the JVM, and a working directory stays.
cd "${1%/*}" 2>/dev/null || { echo none; exit 0; }
name=${1##*/}
{ : >>"$name"; } 2>/dev/null || { echo none; exit 0; }
exec 9>>"$name"
flock -n 9 || { echo busy; exit 0; }
# Whoever held it before may have removed it between the opening and the lock.
[ "$(stat -c %i "$name" 2>/dev/null)" = "$(stat -L -c %i "/proc/$$/fd/9" 2>/dev/null)" ] || { echo busy; exit 0; }
echo held
# Over TLS the end of stdin does not get here while the connection lasts.
read -r _
rm -f -- "$name"
