# What lies where runs left something, and what others left there. $1 is the prefix of the mount namespace; stdin has a line for each question:
#   look PATH            a file or a directory of FIFOs that a record names, and the parts beside it
#   dir PATH             a directory, for the dumps of others
#   remove INODE SIZE PATH   if it still is that file or directory, and nobody has it open
#   end
# Paths come on stdin, so that no command line of ours holds one: whoever names a dump there is asking a JVM for it.
# A file's name comes last on its line. Needs a POSIX sh with -ef, and stat.
prefix=$1
say() { printf '%s\n' "$*"; }

# Behind a prefix a link leads out of that mount namespace, into ours.
linked() {
    part=$1
    while [ -n "$prefix" ] && [ -n "$part" ]; do
        [ -L "$prefix$part" ] && return 0
        part=${part%/*}
    done
    return 1
}

# The pid of one who has $1 open, or something in it, or whose command line names $2; else nothing.
user_of() {
    name=$2
    if [ -d "$1" ]; then set -- "$1" "$1"/*; else set -- "$1"; fi
    for fd in /proc/[0-9]*/fd/*; do
        for file; do
            if [ "$fd" -ef "$file" ]; then
                fd=${fd#/proc/}
                say "${fd%%/*}"
                return
            fi
        done
    done
    for file in $(grep -l -F -e "$name" /proc/[0-9]*/cmdline 2>/dev/null </dev/null); do
        # grep names it too, and has ended.
        [ -e "$file" ] || continue
        file=${file#/proc/}
        say "${file%/cmdline}"
        return
    done
}

# HPROF begins with its name and ends with a record of tag 0x2C and no body.
ending_of() {
    [ "$(head -c 12 "$1" 2>/dev/null </dev/null)" = "JAVA PROFILE" ] || { say other; return; }
    command -v od >/dev/null 2>&1 || { say unknown; return; }
    case $(tail -c 9 "$1" 2>/dev/null </dev/null | od -An -tx1 | tr -d ' \n') in
    2c????????00000000) say whole ;;
    *) say cut ;;
    esac
}

kind_of() {
    if [ -L "$1" ]; then say link
    elif [ -f "$1" ]; then say file
    elif [ -p "$1" ]; then say fifo
    elif [ -d "$1" ]; then kind_of_directory "$1"
    else say other
    fi
}

# One with FIFOs in it and nothing else is what may be ours.
kind_of_directory() {
    if [ ! -r "$1" ] || [ ! -x "$1" ]; then say closed; return; fi
    for one in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ -L "$one" ] || { [ -e "$one" ] && [ ! -p "$one" ]; }; then say other; return; fi
    done
    say directory
}

look() {
    dir=${1%/*}
    while [ -n "$dir" ] && [ ! -e "$prefix$dir" ]; do dir=${dir%/*}; done
    if linked "$dir"; then say "own link 0 0 0 0 - - $1"; return; fi
    if [ ! -x "$prefix${dir:-/}" ]; then say "own closed 0 0 0 0 - - $1"; return; fi
    user=$(user_of "$prefix$1" "$1")
    if [ ! -e "$prefix$1" ] && [ ! -L "$prefix$1" ]; then say "own missing 0 0 0 0 - ${user:--} $1"; return; fi
    kind=$(kind_of "$prefix$1")
    ending=-
    [ "$kind" = file ] && case $1 in *.hprof) ending=$(ending_of "$prefix$1") ;; esac
    say "own $kind $(stat -c '%u %Y %s %i' "$prefix$1" 2>/dev/null </dev/null || echo 0 0 0 0) $ending ${user:--} $1"
}

others() {
    linked "$1" && return
    for file in "$prefix$1"/*.hprof* "$prefix$1"/.jvmdiag-* "$prefix$1"/.attach_pid* "$prefix$1"/core "$prefix$1"/core.*; do
        [ -L "$file" ] && continue
        case ${file##*/} in .jvmdiag-*) [ -d "$file" ] ;; *) false ;; esac || [ -f "$file" ] || [ -p "$file" ] || continue
        case ${file##*/} in core | core.*)
            [ -f "$file" ] || continue
            case $(head -c 4 "$file" 2>/dev/null </dev/null) in ?ELF) ;; *) continue ;; esac
            ;;
        esac
        say "other $(kind_of "$file") $(stat -c '%u %Y %s %i' "$file" 2>/dev/null </dev/null || echo 0 0 0 0) - - ${file#"$prefix"}"
    done
}

remove() {
    file=$prefix$3
    if [ ! -e "$file" ] && [ ! -L "$file" ]; then say "gone $3"; return; fi
    if linked "$3" || [ "$(stat -c '%i %s' "$file" 2>/dev/null </dev/null)" != "$1 $2" ]; then say "changed $3"; return; fi
    if [ -n "$(user_of "$file" "$3")" ]; then say "busy $3"; return; fi
    case $3 in *.lock)
        # Whoever took the lock keeps it: flock ends with 1. Where there is no flock nobody can have.
        flock -n "$file" true 2>/dev/null
        if [ $? = 1 ]; then say "busy $3"; return; fi
        ;;
    esac
    how=release
    if [ -d "$file" ]; then
        if [ "$(kind_of "$file")" != directory ]; then say "changed $3"; return; fi
        how=take_apart
    fi
    if "$how" "$file" "$1" 2>/dev/null </dev/null; then say "removed $3"; else say "refused $3"; fi
}

# A JVM that waits in open() for a reader of a FIFO has no descriptor yet: it gets one, and then "Broken pipe".
release() {
    if [ -p "$1" ]; then (exec 3<>"$1"); fi
    rm -f -- "$1"
}

# Renamed first, the path leads nowhere: a JVM that comes later can make no file of that name (capture/pipe.sh). From
# within, whoever puts another directory in its place changes nothing.
take_apart() (
    cd "$1" && [ "$(stat -c %i .)" = "$2" ] || exit 1
    name=${1##*/}
    case $name in
    *.gone) ;;
    *)
        [ ! -e "../$name.gone" ] && mv "../$name" "../$name.gone" || exit 1
        name=$name.gone
        ;;
    esac
    for fifo in ./* ./.[!.]* ./..?*; do
        if [ -p "$fifo" ]; then release "$fifo"; fi
    done
    rmdir "../$name"
)

say "now $(date +%s 2>/dev/null || echo 0)"
while IFS= read -r line; do
    rest=${line#* }
    case $line in
    "look "*)
        look "$rest"
        for part in "$prefix$rest".p[0-9] "$prefix$rest".p[0-9][0-9]; do
            [ -e "$part" ] && look "${part#"$prefix"}"
        done
        ;;
    "dir "*) others "$rest" ;;
    "remove "*)
        inode=${rest%% *}
        rest=${rest#* }
        remove "$inode" "${rest%% *}" "${rest#* }"
        ;;
    end) break ;;
    esac
done
say end
