# Print what a dump of a JVM would meet: room, dumps that lie there, limits, whoever watches over it.
# $1 the JVM's pid here, $2 the prefix of its mount namespace, $3 its lock file, then the directories. Needs a
# POSIX sh, stat and cat; what else is missing only leaves lines out. A file's name comes last on its line.
pid=$1
prefix=$2
lock=$prefix$3
shift 3
say() { printf '%s\n' "$*"; }
value() { cat "$1" 2>/dev/null; }

now=$(date +%s 2>/dev/null)
say "now ${now:-0}"
for dir; do
    writable=no
    # The kernel is asked, so a read-only file system counts.
    [ -d "$prefix$dir" ] && [ -w "$prefix$dir" ] && writable=yes
    # Behind a prefix a link leads out of the JVM's mount namespace, into ours.
    part=$dir
    while [ -n "$prefix" ] && [ -n "$part" ]; do
        [ -L "$prefix$part" ] && writable=link
        part=${part%/*}
    done
    say "dir $writable $(stat -f -c '%S %a' "$prefix$dir/." 2>/dev/null || echo 0 0) $dir"
    [ "$writable" = link ] && continue
    for file in "$prefix$dir"/*.hprof* "$prefix$dir"/.jvmdiag-*.hprof*; do
        [ -f "$file" ] && say "dump $(stat -c '%s %Y' "$file" 2>/dev/null || echo 0 0) ${file#"$prefix"}"
    done
done

read -r load _ 2>/dev/null </proc/loadavg && say "load $load $(grep -c '^cpu[0-9]' /proc/stat 2>/dev/null)"
limit=
while read -r line; do
    case $line in "Max file size "*) limit=${line#Max file size } ;; esac
done 2>/dev/null <"/proc/$pid/limits"
say "filesize ${limit%%[!0-9]*}"
while read -r key mask; do
    case $key in Cpus_allowed:) say "cpus $mask" ;; esac
done 2>/dev/null <"/proc/$pid/status"

# The tightest quota from the JVM's own group up to the root that can be seen.
unit=
while IFS=: read -r _ controller path; do
    case $path in *.service) unit=${path##*/} ;; esac
    case $controller in
    cpu | *,cpu | cpu,* | *,cpu,*) base=$prefix/sys/fs/cgroup/cpu ;;
    "") base=$prefix/sys/fs/cgroup ;;
    *) continue ;;
    esac
    while :; do
        [ -r "$base$path/cpu.max" ] && say "quota $(value "$base$path/cpu.max")"
        [ -r "$base$path/cpu.cfs_quota_us" ] &&
            say "quota $(value "$base$path/cpu.cfs_quota_us") $(value "$base$path/cpu.cfs_period_us")"
        [ -n "$path" ] || break
        path=${path%/*}
    done
done 2>/dev/null <"/proc/$pid/cgroup"
if [ -n "$unit" ] && command -v systemctl >/dev/null 2>&1; then
    say "watchdog $(systemctl show --property=WatchdogUSec --value "$unit" 2>/dev/null) $unit"
fi
if [ -e "$lock" ] && command -v flock >/dev/null 2>&1; then
    flock -n "$lock" true 2>/dev/null || say locked
fi
say end
