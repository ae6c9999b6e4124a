# Print what the cgroups of process $1 say, file by file; $2 is the prefix of its mount namespace. POSIX sh and cat.
pid=$1
prefix=$2
show() {
    for file in "$1"/memory.* "$1"/cpu.* "$1"/cpuacct.usage "$1"/pids.* "$1"/io.* "$1"/cgroup.*; do
        # What is written to, and what never ends.
        case ${file##*/} in *.event_control | *.force_empty | *.reclaim | cgroup.procs | cgroup.threads | *.kill) continue ;; esac
        [ -f "$file" ] && [ -r "$file" ] || continue
        text=$(cat "$file" 2>/dev/null) && [ -n "$text" ] && printf '== %s\n%s\n' "${file#"$prefix"}" "$text"
    done
}
printf '== /proc/PID/cgroup\n'
cat "/proc/$pid/cgroup" || exit 1
while IFS=: read -r _ controller path; do
    case $controller in
    "") base=$prefix/sys/fs/cgroup ;;
    cpu,* | *,cpu | *,cpu,* | cpu | cpuacct | memory | pids | blkio) base=$prefix/sys/fs/cgroup/$controller ;;
    *) continue ;;
    esac
    # A container has its own cgroup as the root of its mount, whatever the path is called outside.
    if [ -d "$base$path" ] && [ "$path" != / ]; then show "$base$path"; else show "$base"; fi
done <"/proc/$pid/cgroup"
exit 0
