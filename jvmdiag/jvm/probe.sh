# Print the raw facts of every JVM that is visible here, in sections: "@@TOKEN name [argument]".
# $1 token, $2 pid whose PID namespace is meant (empty: this one). Needs a POSIX sh and cat; what else
# is missing only leaves sections empty.
token=$1
pid1=$2
unset LC_ALL LANG
section() { printf '\n@@%s %s\n' "$token" "$*"; }
link() { readlink "$1" 2>/dev/null || printf '\n'; }
show() { cat "$1" 2>/dev/null; }
# The library of the VM in process $1, also without grep. OpenJ9 maps a libjvm.so of its own beside its VM.
library() {
    case $(show "$1/maps") in
    */libj9vm*) echo libj9vm.so ;;
    */libjvm.so*) echo libjvm.so ;;
    esac
}
cd /proc || exit 1

section self; link self/ns/mnt; link "${pid1:-1}/fd/1"
section uptime; show uptime
section interpreters; command -v python3; command -v perl
section user; id -u; id -g

if command -v grep >/dev/null; then
    mapped=$(grep -l -E '/lib(jvm\.so|j9vm)' [0-9]*/maps 2>/dev/null)
else
    mapped=$(for f in [0-9]*/maps; do [ -n "$(library "${f%/maps}")" ] && echo "$f"; done)
fi
seen=
for f in $mapped; do seen="$seen ${f%/maps}"; done
# A process whose maps are not for us to read is known by its name only: anybody can be called java.
for f in [0-9]*/comm; do
    read -r name <"$f" && [ "$name" = java ] || continue
    read -r name <"${f%/comm}/maps" || seen="$seen ${f%/comm}"
done 2>/dev/null
space=
if [ -n "$pid1" ]; then
    # Without it every JVM of the machine would pass for one of the container.
    space=$(readlink "$pid1/ns/pid") && [ -n "$space" ] || exit 1
fi

for p in $seen; do
    [ -n "$space" ] && [ "$(readlink "$p/ns/pid")" != "$space" ] && continue
    nspid=$p
    while read -r key value; do
        # The last number is the pid in the innermost namespace.
        if [ "$key" = NSpid: ]; then nspid=${value##*[!0-9]}; fi
    done <"$p/status"
    root=$p/root
    section status "$p"; show "$p/status"
    section stat "$p"; show "$p/stat"
    section cmdline "$p"; show "$p/cmdline"
    section links "$p"
    link "$p/exe"; link "$p/cwd"; link "$p/ns/mnt"; link "$p/fd/1"
    [ -n "$pid1" ] || { section passwd "$p"; show /etc/passwd; }
    [ -d "$root/." ] || continue
    section readable "$p"
    section shell "$p"; { [ -e "$root/bin/sh" ] || [ -L "$root/bin/sh" ]; } && echo yes
    section library "$p"; library "$p"
    section options "$p"
    tr '\0' '\n' <"$p/environ" 2>/dev/null | grep -E '^(JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS)='
    section passwd "$p"; show "$root/etc/passwd"
    section mounts "$p"; show "$p/mountinfo"
    section tmp "$p"; stat -c '%a %u %g' "$root/tmp/." 2>/dev/null
    section listening "$p"; [ -S "$root/tmp/.java_pid$nspid" ] && echo yes
    section trigger "$p"
    for f in "$root/tmp/.attach_pid$nspid" "$p/cwd/.attach_pid$nspid"; do [ -e "$f" ] && echo "${f##*/} in ${f%/*}"; done
    exe=$(link "$p/exe")
    home=${exe%/bin/*}
    section release "$p"; show "$root$home/release"
    section tools "$p"
    for tool in jcmd jstack jmap jps; do
        for bin in "$home/bin" "${home%/jre}/bin"; do
            [ -x "$root$bin/$tool" ] && echo "$bin/$tool" && break
        done
    done
    for f in "$root"/tmp/hsperfdata_*/"$nspid"; do
        [ -f "$f" ] && section perfdata "$p" "$f" && show "$f"
    done
    section memory "$p"
    while IFS=: read -r _ controller path; do
        case $controller in
        memory | *,memory | memory,*) base=$root/sys/fs/cgroup/memory ;;
        "") base=$root/sys/fs/cgroup ;;
        *) continue ;;
        esac
        for dir in "$base$path" "$base"; do
            for pair in "memory.max memory.current" "memory.limit_in_bytes memory.usage_in_bytes"; do
                [ -r "$dir/${pair% *}" ] || continue
                show "$dir/${pair% *}"; show "$dir/${pair#* }"
                grep -E '^(total_)?inactive_file ' "$dir/memory.stat" 2>/dev/null
                break 2
            done
        done
    done <"$p/cgroup"
done
section end
exit 0
