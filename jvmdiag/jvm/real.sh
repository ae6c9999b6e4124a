# Sets $real to the path of $1 behind $prefix without links: one would lead out of that mount namespace, into ours.
real() {
    left=$1
    real=
    links=0
    while [ -n "$left" ]; do
        case $left in
        */*) part=${left%%/*}; left=${left#*/} ;;
        *) part=$left; left= ;;
        esac
        case $part in
        "" | .) ;;
        ..) real=${real%/*} ;;
        *)
            if [ -L "$prefix$real/$part" ]; then
                links=$((links + 1))
                [ "$links" -le 40 ] || return 1
                link=$(readlink "$prefix$real/$part") && [ -n "$link" ] || return 1
                case $link in /*) real= ;; esac
                left=$link/$left
            else
                real=$real/$part
            fi
            ;;
        esac
    done
}
# Opens $1 behind $prefix as descriptor 3, if what was opened has that path and no other: a directory on the way may have
# become a link since it was looked at.
open_real() {
    root=
    [ -z "$prefix" ] || root=$(readlink "$prefix") || root=$prefix
    [ -f "$prefix$1" ] || { echo "it is no regular file" >&2; return 1; }
    exec 3<"$prefix$1"
    name=$(readlink /proc/self/fd/3) && [ "${name%" (deleted)"}" = "${root%/}$1" ] && return 0
    echo "it was exchanged while it was opened" >&2
    return 1
}
