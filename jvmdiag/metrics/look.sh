# Print the kernel's figures about a machine and one process of it, in sections: "@@TOKEN name".
# $1 token, $2 pid (self: none in particular), $3 its pid as it knows itself, $4 the prefix of its mount namespace, $5 its
# performance data file or empty, $6 slow, for what is dear too, or empty, $7 what is wanted of its access log (below) or empty,
# $8 the directory of Tomcat's configuration or empty; then the mount points whose room is asked for.
# Needs a POSIX sh, with real.sh before it, and cat; what else is missing only leaves sections empty. Few commands: each costs the target a millisecond.
token=$1
pid=$2
prefix=$4
perfdata=$5
slow=$6
log=$7
conf=$8
own=$prefix/proc/$3
shift 8
unset LC_ALL LANG
section() { printf '\n@@%s %s\n' "$token" "$*"; }
cd /proc || exit 1
# Its threads as numbered in a thread dump: those of its own /proc, if that is the same process.
[ "$own/exe" -ef "$pid/exe" ] || own=$pid

section system; cat uptime loadavg stat meminfo vmstat diskstats 2>/dev/null
for kind in cpu memory io; do
    while read -r line; do printf 'pressure %s %s\n' "$kind" "$line"; done 2>/dev/null <"pressure/$kind"
done
section net; cat "$pid"/net/dev "$pid"/net/snmp "$pid"/net/netstat "$pid"/net/sockstat 2>/dev/null
section process; cat "$pid"/stat "$pid"/status "$pid"/limits 2>/dev/null
section tasks; [ "$pid" = self ] || cat "$own"/task/*/stat 2>/dev/null
section perfdata; [ -z "$perfdata" ] || cat "$prefix$perfdata" 2>/dev/null

# From the group of the process up to the root that can be seen: the machine's on the machine, its own in a container. Level 0 is
# its own.
section cgroup
group() { # directory, level
    for file in cpu.max cpu.cfs_quota_us cpu.cfs_period_us memory.max memory.current memory.limit_in_bytes memory.usage_in_bytes pids.max pids.current freezer.state; do
        read -r line <"$1/$file" && printf '%s %s %s\n' "$2" "$file" "$line"
    done
    # Of a group above only what of its memory can be dropped at once, and how it was held up.
    for file in cpu.stat memory.stat memory.events memory.oom_control cgroup.events; do
        [ -r "$1/$file" ] || continue
        while read -r line; do
            case $2:$line in 0:* | *inactive_file* | *:nr_periods* | *throttled*) printf '%s %s %s\n' "$2" "$file" "$line" ;; esac
        done <"$1/$file"
    done
} 2>/dev/null
while IFS=: read -r _ controller path; do
    case ",$controller," in
    *,cpu,* | *,memory,* | *,pids,* | *,freezer,*) hierarchy=/$controller ;;
    ,,) hierarchy= ;;
    *) continue ;;
    esac
    base=
    # By the machine's own mount first: a container's begins with its own group, and those above it bind it too.
    for dir in "/sys/fs/cgroup$hierarchy$path" "$prefix/sys/fs/cgroup$hierarchy$path" "$prefix/sys/fs/cgroup$hierarchy"; do
        [ -z "$base" ] && [ -e "$dir/cgroup.procs" ] && base=$dir
    done
    [ -n "$base" ] || continue
    level=0
    while :; do
        group "$base" $level
        level=$((level + 1))
        base=${base%/*}
        case $base in */sys/fs) break ;; esac
        [ -e "$base/cgroup.procs" ] || break
    done
done 2>/dev/null <"$pid/cgroup"

if [ -n "$slow" ]; then
    # A table that the kernel walks whole for whoever reads it; with very many sockets nobody should.
    section sockets
    many=0
    for file in sockstat sockstat6; do
        # Of both families in one line: those in TIME_WAIT, which stand in the tables too.
        while read -r name _ inuse _ _ _ waiting _; do
            case $name in TCP: | TCP6:) many=$((many + inuse + ${waiting:-0})) ;; esac
        done <"$pid/net/$file"
    done 2>/dev/null
    if [ "$many" -gt 20000 ]; then echo "many $many"; else cat "$pid"/net/tcp "$pid"/net/tcp6 2>/dev/null; fi
    section descriptors
    if [ "$pid" = self ]; then :
    elif command -v ls >/dev/null 2>&1; then ls -l "$pid/fd" 2>/dev/null
    else
        # They can be counted; what they lead to takes ls.
        for file in "$pid"/fd/*; do [ -L "$file" ] && echo "l $file -> ?"; done
    fi
    section threads
    [ "$pid" = self ] || for task in "$own"/task/*; do
        wchan=
        read -r wchan <"$task/wchan"
        printf '%s %s\n' "${task##*/}" "${wchan:--}"
    done 2>/dev/null
    section processes; cat "$prefix"/proc/[0-9]*/stat 2>/dev/null
    section waits
    httpd=
    for process in "$prefix"/proc/[0-9]*; do
        wchan=
        read -r wchan <"$process/wchan"
        printf '%s %s\n' "${process##*/}" "${wchan:--}"
        read -r name <"$process/comm"
        case $name in apache2 | httpd) httpd=${httpd:-$process} ;; esac
    done 2>/dev/null
    section httpd; [ -z "$httpd" ] || cat "$httpd/limits" 2>/dev/null
    section owners; stat -c '%u %n' "$prefix"/proc/[0-9]* 2>/dev/null
    section rooms
    for point; do
        # Of what is mounted over the network nobody asks here: an answer may never come.
        room=$(stat -f -c '%S %b %f %a %c %d' "$prefix$point/." 2>/dev/null) && printf '%s %s\n' "$room" "$point"
    done
fi

# What was written to Tomcat's access log since a look, 4 MiB at most: $log is the descriptor, inode and offset at which that ended,
# or `find`. A line says what it is now and where the bytes below begin: descriptor, inode, size, time of its last change, offset.
most=4194304
block=16384
written() { # the descriptor, inode and offset of $log, then inode, size and time of now
    [ -n "$6" ] || return 1
    [ "$2" = "$4" ] || [ "$2" = any ] || return 1
    from=$3
    # It was truncated, or is more than one look reads: its last part.
    if [ "$from" -gt "$5" ] || [ $(($5 - from)) -gt $most ]; then from=$(($5 - most)); fi
    [ "$from" -ge 0 ] || from=0
    echo "log $1 $4 $5 $6 $((from / block * block))"
    if [ ! -r "$pid/fd/$1" ]; then echo unreadable; return; fi
    echo data
    [ "$from" -ge "$5" ] || dd bs=$block skip=$((from / block)) count=$((most / block + 1)) 2>/dev/null <"$pid/fd/$1" || : # what came, came
}
look_at() { written "$@" $(stat -L -c '%i %s %Y' "$pid/fd/$1" 2>/dev/null); }
if [ -n "$log" ] && [ "$pid" != self ]; then
    section access
    [ -r "$pid/fd" ] || echo closed
    for tool in date stat ls dd; do command -v $tool >/dev/null 2>&1 || echo "missing $tool"; done
    printf 'now %s\n' "$(date +%s 2>/dev/null)"
    { [ "$log" != find ] && look_at $log; } || ls -l "$pid/fd" 2>/dev/null | {
        best= name= count=0
        while IFS= read -r line; do
            path=${line#* -> }
            file=${path##*/}
            # An archive of classes may be called like this as well.
            case $file in *.jar | *.class | *.so | *.conf | *.xml | *.properties) continue ;; esac
            case $file in *[Aa][Cc][Cc][Ee][Ss][Ss]*[Ll][Oo][Gg]*) ;; *) continue ;; esac
            number=${line%% -> *}
            number=${number##* }
            # A pipe has a reader already, from whom nothing may be taken.
            [ -f "$pid/fd/$number" ] || continue
            count=$((count + 1))
            if [ -z "$best" ] || [ "$pid/fd/$number" -nt "$pid/fd/$best" ]; then best=$number name=$path; fi
        done
        [ -z "$best" ] || {
            printf 'path %s %s\n' $count "$name"
            # What stands where in a line, and in which unit.
            [ -z "$conf" ] || for file in server.xml web.xml; do
                real "$conf/$file" && [ -f "$prefix$real" ] && sed -n -e '/<Valve/,/\/>/s/^/conf /p' -e '/<web-app/,/>/s/^/conf /p' "$prefix$real"
            done 2>/dev/null
            look_at "$best" any 0
        }
    }
fi
section end
