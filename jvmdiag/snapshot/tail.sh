# Print the last $3 bytes of the file $2 behind the prefix $1. Descriptors of /proc are paths as well. POSIX sh with real.sh, tail.
prefix=$1
bytes=$3
case $2 in
/proc/*)
    # The link of a descriptor leads to what the process has open, whatever its name.
    [ -f "$2" ] || { echo "it is no regular file" >&2; exit 1; }
    exec 3<"$2"
    ;;
*)
    real "$2" || exit 1
    open_real "$real" || exit 1
    ;;
esac
tail -c "$bytes" <&3
