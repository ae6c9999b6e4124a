# Print what the kernel says of each thread of process $1: name, state, CPU time in ticks, and where it waits. POSIX sh; no command
# is run for a thread.
cd "/proc/$1/task" || exit 1
for task in *; do
    name= stat= wchan= syscall=
    read -r name <"$task/comm"
    read -r stat <"$task/stat"
    read -r wchan <"$task/wchan"
    read -r syscall <"$task/syscall"
    # What is before the last parenthesis is a name, and may hold anything.
    set -- ${stat##*) }
    printf '%s "%s" state %s, %s + %s ticks, waits in %s, system call %s\n' "$task" "$name" "${1-?}" "${12-?}" "${13-?}" \
        "${wchan:-?}" "${syscall:-?}"
    while read -r frame; do printf '    %s\n' "$frame"; done <"$task/stack"
done 2>/dev/null
exit 0
