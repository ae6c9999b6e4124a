# HotSpot's attach protocol, client side, in the Perl that every Debian and Ubuntu image has (perl-base).
#   perl - PID START_TICKS TIMEOUT_S OPERATION [ARGUMENT]...
# The same as speak.py: reply on stdout; exit codes 3 forbidden, 4 no writable /tmp, 5 silent, 6 hung, 7 gone, 8 unsafe.
use strict;
use IO::Socket::UNIX;
use Errno qw(EACCES EPERM);
use Fcntl;
my ($pid, $start, $timeout, $operation, @arguments) = @ARGV;
sub refuse { my ($code, $why) = @_; print STDERR "$why\n"; exit $code }
sub slurp { my $f; open($f, '<', $_[0]) or return ''; local $/; my $text = <$f>; return defined $text ? $text : '' }

my $stat = slurp("/proc/$pid/stat");
$stat =~ s/.*\)\s*//s or refuse(7, "there is no process $pid any more");
(split ' ', $stat)[19] == $start or refuse(7, "pid $pid is another process now");
my $status = slurp("/proc/$pid/status");
my $nspid = $status =~ /^NSpid:.*?(\d+)$/m ? $1 : $pid;
# A link on the way to the JVM's /tmp would lead out of its root, into ours: each is followed inside.
my ($root, $done, @left) = ("/proc/$pid/root", '', 'tmp');
for (1 .. 100) {
    last unless @left;
    my $part = shift @left;
    if ($part eq '..') { $done =~ s{/[^/]*$}{} }
    elsif (-l "$root$done/$part") {
        my $link = readlink "$root$done/$part";
        $done = '' if $link =~ m{^/};
        unshift @left, split m{/}, $link;
    }
    elsif ($part ne '' && $part ne '.') { $done .= "/$part" }
}
my $tmp = "$root$done";
my $path = "$tmp/.java_pid$nspid";

my $trigger;
sub wake {
    my $failed;
    for my $directory ($tmp, "/proc/$pid/cwd") {
        my $file = "$directory/.attach_pid$nspid";
        # Neither through a link nor into a FIFO, which would wait for its reader.
        if (sysopen(my $f, $file, O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0600)) { close $f; $trigger = $file; last }
        $failed ||= "$!";
        -d $directory or refuse(3, "the kernel refuses: $! ($directory)");
    }
    $trigger or refuse(4, "neither /tmp nor its working directory can be written: $failed");
    # Without a handler SIGQUIT ends the process; a JVM with -Xrs or one just starting has none.
    $status =~ /^SigCgt:\s*([0-9a-f]+)$/m && hex(substr($1, -8)) & 4
        or refuse(8, "SIGQUIT would not be caught by process $pid (-Xrs, or still starting)");
    kill('QUIT', $pid) or refuse(3, "the kernel refuses: $!");
    for (1 .. 500) { return if -S $path; select(undef, undef, undef, 0.01) }
    refuse(5, "the JVM did not open its socket within 5 s");
}
# END is run by exit, not by a signal.
$SIG{$_} = sub { exit 1 } for qw(TERM INT HUP PIPE);
END { unlink $trigger if $trigger }

sub ask {
    my ($words, $reply) = (join("\0", 1, (@_, '', '', '', '')[0 .. 3]) . "\0", '');
    my $client = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path)
        or refuse($! == EACCES || $! == EPERM ? 3 : 7, "the JVM no longer listens: $!");
    local $SIG{ALRM} = sub { refuse(6, "the JVM took the command and did not answer within $timeout s") };
    alarm($timeout < 1 ? 1 : $timeout);
    syswrite($client, $words);
    while (sysread($client, my $chunk, 65536)) { $reply .= $chunk }
    alarm(0);
    return $reply;
}

-S $path or wake();
# From 24 on a JVM may stream its reply from inside the safepoint; it says so when asked.
$operation .= ' streaming=0' if ask('getversion', 'options') =~ /streaming/;
my $reply = ask($operation, @arguments);
length $reply or refuse(7, 'the JVM closed the connection without an answer');
binmode STDOUT;
print $reply;
