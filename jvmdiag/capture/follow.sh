# Copy a file to stdout while it grows. $1 path, $2 bytes to leave out at its start.
# A line on stdin says that the writer is done: what is left is copied, and that is the end. The end of
# stdin without one says that nobody listens any more.
# Exit codes: 66 there was no such file, 67 it cannot be read, 68 a read failed, 143 nobody listens.
# Every child is waited for: PID 1 of the container may be a JVM, which reaps nobody.
done=
trap 'done=1' USR1
trap 'exit 143' TERM
exec 4<&0
(
    if read -r _ <&4; then kill -USR1 $$; else kill -TERM $$; fi
) &
# A child that is just starting has our traps still, and would take a TERM for itself.
trap 'kill -9 $! 2>/dev/null; wait' EXIT
until [ -e "$1" ]; do
    # It may have come between the two looks.
    [ -z "$done" ] || [ -e "$1" ] || exit 66
    sleep 0.05
done
[ -r "$1" ] || exit 67
# Behind /proc/PID/root a link leads out of there: what was opened has to be called so itself. Its name is of chance.
exec 3<"$1"
name=${1##*/}
case $(readlink /proc/self/fd/3 2>/dev/null) in "" | */"$name" | */"$name (deleted)") ;; *) exit 67 ;; esac
if [ "$2" -gt 0 ]; then
    until [ -n "$done" ]; do sleep 0.05; done
    tail -c "+$(($2 + 1))" <&3 || exit 68
    exit 0
fi
# One cat reads to the end that the file has now; the next goes on from there.
while [ -z "$done" ]; do
    cat <&3 || exit 68
    sleep 0.1
done
cat <&3 || exit 68
exit 0
