# Print the kernel's own figures about one process each time that a line on stdin asks for it. $1 token, $2 pid.
# Lines: `follow N` opens descriptor N of the process as the log; `sample [slow] [log]` prints; `end` ends, and
# so does the end of stdin. Who sends the lines keeps the time: nothing sleeps here, and a sample is one cat.
token=$1
section() { printf '\n@@%s %s\n' "$token" "$1"; }
unset LC_ALL LANG
cd "/proc/$2" || exit 1

stat=
while IFS=: read -r _ controller path; do
    case ",$controller," in
    *,cpu,*) set -- "/$controller" /cpu ;;
    ,,) set -- "" ;;
    *) continue ;;
    esac
    for hierarchy; do
        # A container has its own cgroup as the root of its mount, whatever the path is called outside.
        for dir in "/sys/fs/cgroup$hierarchy$path" "root/sys/fs/cgroup$hierarchy"; do
            [ -z "$stat" ] && [ -r "$dir/cpu.stat" ] && stat=$dir/cpu.stat
        done
    done
done <cgroup

section clock; date +%s.%N; cat /proc/uptime
section netns; readlink /proc/self/ns/net; readlink ns/net 2>/dev/null
section logs
ls -l fd 2>/dev/null | grep -i '/[^/]*access[^/]*log[^/]*$' | while read -r line; do
    number=${line%% -> *}; number=${number##* }
    # A pipe has a reader already, from whom nothing may be taken.
    [ -f "fd/$number" ] && echo "$(stat -L -c %Y "fd/$number") $number -> ${line#* -> }"
done
section end

follows=
while read -r what rest; do
    case $what in
    end) section cost; times; section end; exit 0 ;;
    follow)
        # From shortly before its end, which tells of the time before. One that cannot be sought is left alone.
        size=$(stat -L -c %s "fd/$rest" 2>/dev/null)
        [ -n "$size" ] && [ -f "fd/$rest" ] && [ -r "fd/$rest" ] && exec 5<"fd/$rest" && follows=yes
        skip=$((${size:-0} / 65536 - 2))
        [ $skip -le 0 ] || dd bs=65536 "skip=$skip" count=0 <&5 >/dev/null 2>&1 || follows=
        ;;
    sample)
        disks=
        case $rest in *slow*) disks=/proc/diskstats ;; esac
        section sample
        cat /proc/uptime stat net/dev net/snmp net/netstat /proc/loadavg $stat $disks 2>/dev/null
        case $rest in *log*) section log; [ -z "$follows" ] || head -c 4194304 <&5 ;; esac
        section end
        ;;
    esac
done
