# Print which files lie around process $1, whose mount namespace is behind the prefix $2. Then words: `dump:DIR` is looked through
# for what JVMs leave, `log:DIR` for logs. POSIX sh with real.sh, stat, ls, readlink. A line: what, mode, time, size, path; of what
# it has open `fd`, descriptor, path, and in another line `at`, descriptor, mode, time, size.
pid=$1
prefix=$2
shift 2
LC_ALL=C
export LC_ALL
say() { printf '%s\n' "$*"; }

seconds() { date +%s 2>/dev/null || echo 0; }
say "now $(seconds)"
# A JVM may have ten thousand files open, and each command takes a millisecond: one for five hundred, and only for what may be
# known by its name.
most=10000
listed() {
    [ $# -eq 0 ] || stat -L -c "at %n %f %Y %s" "$@" 2>/dev/null
}
cd "/proc/$pid/fd" 2>/dev/null && ls -l 2>/dev/null | {
    seen=0
    set --
    while read -r line; do
        case $line in *" -> /"*) ;; *) continue ;; esac
        number=${line%% -> *}
        number=${number##* }
        path=${line#* -> }
        case $path in
        /dev/* | /proc/* | /sys/* | /memfd:*) continue ;;
        esac
        case ${path%" (deleted)"} in
        */hs_err_pid* | */replay_pid* | */javacore* | */core | */core.* | *.hprof | *.hprof.* | *.jfr | *.[lL][oO][gG]* | *_log | *.out | *.txt) ;;
        *) continue ;;
        esac
        # A pipe has a reader already, from whom nothing may be taken.
        [ -f "$number" ] || continue
        seen=$((seen + 1))
        [ "$seen" -le "$most" ] || continue
        say "fd $number $path"
        set -- "$@" "$number"
        [ $# -lt 500 ] || { listed "$@"; set --; }
    done
    listed "$@"
    [ "$seen" -le "$most" ] || say "more $((seen - most))"
}
# A shell holds as many names as there are, a command line does not: two hundred for each command. Over a network each name may
# take a millisecond, and what is not listed in time would cost the whole list.
most=100000
until=$(($(seconds) + 10))
batch=
number=1
while [ "$number" -le 200 ]; do
    batch="$batch \"\${$number}\""
    number=$((number + 1))
done
lying() { # the format of a line, then names; a pattern that nothing matches is no file
    format=$1
    seen=0
    shift
    while [ $# -gt 200 ] && [ "$seen" -lt "$most" ] && [ "$(seconds)" -le "$until" ]; do
        eval "stat -c \"\$format\" $batch" 2>/dev/null
        shift 200
        seen=$((seen + 200))
    done
    if [ $# -gt 200 ]; then say "more $#"; else stat -c "$format" "$@" 2>/dev/null; fi
}
cd /
for word; do
    dir=${word#*:}
    real "$dir" || continue
    dir=$prefix$real
    [ -d "$dir" ] || continue
    if ! { [ -r "$dir" ] && [ -x "$dir" ]; }; then
        say "closed 0 0 0 $real"
        continue
    fi
    case $word in
    dump:*)
        lying "there %f %Y %s %n" "$dir"/hs_err_pid* "$dir"/replay_pid* "$dir"/*.hprof "$dir"/*.hprof.* "$dir"/*.jfr "$dir"/core \
            "$dir"/core.* "$dir"/*gc*.log "$dir"/*gc*.log.* "$dir"/*GC*.log "$dir"/javacore*
        ;;
    log:*)
        lying "log %f %Y %s %n" "$dir"/*.log "$dir"/*_log "$dir"/*.txt "$dir"/*.out
        ;;
    esac
done
say end
