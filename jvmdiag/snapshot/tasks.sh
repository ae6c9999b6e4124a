# Print the CPU time that every thread of process $1 has had, by the kernel's count. With a second word the threads have
# another number in the JVM's own PID namespace, and it is printed as well. Needs a POSIX sh and cat.
cd "/proc/$1/task" || exit 1
echo "ticks $(getconf CLK_TCK 2>/dev/null)"
echo "clock $(cat /proc/uptime)"
cat [0-9]*/stat 2>/dev/null
[ -z "$2" ] && exit 0
if command -v grep >/dev/null; then
    cat [0-9]*/status 2>/dev/null | grep -E '^(Pid|NSpid):'
else
    cat [0-9]*/status 2>/dev/null
fi
exit 0
