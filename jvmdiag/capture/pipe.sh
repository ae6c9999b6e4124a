# A FIFO that has its reader before its writer comes, and leaves no writer waiting whoever is killed.
#   copy LOOKS DIRECTORY FIFO [MADE]...    copies FIFO to stdout; where MADE are named, DIRECTORY is made first, and they in it
#   release DIRECTORY                      ends what is left of a copy that was killed
# What comes first is the line "ready". A line "done" on stdin says that the writer has closed it: what is left is copied.
# Anything else there, and its end, says that nobody listens any more.
# Exit codes: 65 there can be no FIFO, 75 nothing was taken for LOOKS looks, ten a second, 137 the reader was killed or nobody listens.
# Every child is waited for: PID 1 of the container may be a JVM, which reaps nobody.
umask 077

# The directory goes first, and at once: a JVM that comes later finds no place where it could make a file of that name.
# One that is in open() already goes on, for a moment's partner is enough for that.
leave() {
    mv "../$name" "../$name.gone"
    for fifo in ./*; do
        [ -p "$fifo" ] && true 4<>"$fifo"
    done
    rm -rf "../$name.gone"
} 2>/dev/null

# What the reader has read and written, and whether it is stopped; false where it has ended.
look() {
    state=Z got=0 gave=0
    read -r line <"/proc/$reader/stat" && state=${line##*) } && state=${state%% *}
    while read -r key value; do
        case $key in rchar:) got=$value ;; wchar:) gave=$value ;; esac
    done <"/proc/$reader/io"
    [ "$state" != Z ]
} 2>/dev/null

# Its first half comes from the listener: by then nothing of its start can swallow the signal of a release. When the reader
# has written that it waits for more: what it has read beyond what it wrote are its own libraries.
prepare() {
    idle='' tries=250
    while look && [ "$gave" -eq 0 ] && [ $((tries -= 1)) -gt 0 ]; do sleep 0.02; done
    # Where /proc does not say, that it is stopped is all that can be seen.
    [ "$gave" -eq 0 ] || idle=$((got - gave))
    echo dy
}

# Until the reader has ended; it is killed where it holds bytes that nobody takes, or is stopped, for too long.
attend() {
    still=0 last=''
    while look; do
        held=0
        [ -z "$idle" ] || held=$((got - gave - idle))
        if [ "$state" != T ] && { [ "$held" -le 0 ] || [ "$got $gave" != "$last" ]; }; then still=0; fi
        last="$got $gave"
        # Without its FIFO nobody waits for this reader: the JVM has answered.
        if [ $((still += 1)) -gt "$patience" ] && [ -p "$from" ]; then
            stalled=1
            kill -9 "$reader"
        fi
        sleep 0.1
    done
}

# A pipe of 1 MiB instead of 64 KiB lets both sides take turns less often: F_SETPIPE_SZ.
widen() {
    perl -e 'fcntl($_, 1031, 1048576) for *STDIN, *STDOUT' ||
        python3 -c 'import fcntl; [fcntl.fcntl(fd, 1031, 1048576) for fd in (0, 1)]'
} 2>/dev/null

copy() {
    patience=$1 directory=$2 from=$3 stalled=''
    shift 3
    name=${directory##*/} reader='' listener=''
    [ $# -eq 0 ] || mkdir "$directory" || exit 65
    cd "$directory" || exit 65
    trap 'kill -9 $reader $listener 2>/dev/null; wait; leave' EXIT
    trap 'exit 143' HUP INT TERM
    [ $# -eq 0 ] || mkfifo "$@" || exit 65
    [ -p "$from" ] || exit 65
    # Opened both ways it waits for nobody, and as long as that stands the reader sees no end.
    exec 5<&0 4<>"$from" 3<"$from"
    widen <&4
    JVMDIAG_PIPE=$name dd bs=131072 <&3 3<&- 4>&- 5<&- 2>/dev/null &
    reader=$!
    {
        exec 3<&-
        printf rea >&4
        read -r word <&5
        if [ "$word" = "done" ]; then rm -f "$from"; else kill -9 "$reader"; fi
    } 2>/dev/null &
    listener=$!
    prepare >&4
    exec 3<&- 4>&- 5<&-
    attend
    wait "$reader"
    code=$?
    [ -z "$stalled" ] || code=75
    exit "$code"
}

release() {
    name=${1##*/}
    # Whoever has that name in its words is ended: it has to be one that nobody has by chance.
    case $name in .jvmdiag-?*) ;; *) exit 1 ;; esac
    for file in $(grep -l -F -e "$name" /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null); do
        pid=${file#/proc/} pid=${pid%%/*}
        case $pid in "$$" | "$PPID") continue ;; esac
        # A reader may be stopped; a shell has to clean.
        case $file in */environ) kill -9 "$pid" ;; *) kill -TERM "$pid" ;; esac 2>/dev/null
    done
    [ -d "${1%/*}" ] || exit 1
    cd "$1" 2>/dev/null || cd "$1.gone" 2>/dev/null || exit 0
    leave
    [ ! -e "$1" ] && [ ! -e "$1.gone" ]
}

"$@"
