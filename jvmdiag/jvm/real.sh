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
