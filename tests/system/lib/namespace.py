"""Namespaces of our own: every port is free, nothing leaves the machine, no two runs meet."""
import atexit
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

KIND = "MAILSTEAD_IN_NAMESPACE"
LANE = "MAILSTEAD_TEST_LANE"

# What of the environment holds inside. All else is a matter of who started us: locale and time
# zone, proxies, a folder for temporary files whose name may be too long for a socket.
KEPT = re.compile(r"(?:MAILSTEAD|SYSTEM|BENCH)_\w+|\w+SAN_OPTIONS|PATH|HOME|USER|LOGNAME|SHELL|TERM"
                  r"|BUILD|CC|CHROMIUM|LD_LIBRARY_PATH")
# Servers are not on everybody's path.
SERVERS = ":/usr/local/sbin:/usr/sbin:/sbin"


def settle():
    """The same everywhere, whoever starts us."""
    for name in [n for n in os.environ if not KEPT.fullmatch(n)]:
        del os.environ[name]
    os.environ.update(LC_ALL="C.UTF-8", TZ="UTC", PATH=os.environ.get("PATH", "/usr/bin:/bin") + SERVERS)
    os.umask(0o022)  # Postfix and Dovecot read as users of their own what we write


def enter(script, arguments):
    """Starts the script over inside fresh namespaces; as another user, mapped to root."""
    if os.environ.get(KIND):
        take_signals()
        return
    settle()
    who = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", *who, "--net", "--mount", "--pid", "--fork", "--mount-proc",
               "--kill-child"]
    kind = "private"
    # In a chroot the root is no mount point, so it cannot be made private.
    if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        command += ["--propagation", "unchanged"]
        kind = "unchanged"
    os.environ[KIND] = kind
    os.execvp("unshare", [*command, "--", sys.executable, script, *arguments])


UNDO = []  # what is to be done outside when we end, the last one first


def at_end(function, *arguments, **options):
    UNDO.append(lambda: function(*arguments, **options))


@atexit.register
def undo():
    while UNDO:
        UNDO.pop()()


def take_signals():
    """The first process of a namespace is not ended by a signal that it does not handle, and
    unshare waits for it: told to stop, we take all that we started along, threads or not."""
    def stop(number, _frame):
        if os.getpid() == 1:  # and not somebody who was forked off
            os.kill(-1, signal.SIGKILL)
            undo()
        os._exit(128 + number)

    if os.getpid() == 1:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
                signal.signal(number, stop)


def prepare(last_bytes, out):
    """Loopback up with an address for each, and name resolution through our resolver."""
    keep_pids_apart(int(os.environ.get(LANE, 0)))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for last in last_bytes:
        subprocess.run(["ip", "addr", "add", f"127.0.0.{last}/8", "dev", "lo"], check=True)
    out.mkdir(parents=True, exist_ok=True)
    if os.environ[KIND] == "private" and os.path.isdir("/dev/shm"):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], check=True)
    # Where a machine has more ways to resolve names, they lead outside.
    names = pathlib.Path("/etc/nsswitch.conf")
    if names.exists():
        cover(names, out / "nsswitch.conf",
              re.sub(r"(?m)^hosts:.*", "hosts: files dns", names.read_text()))
    host = os.uname().nodename
    cover("/etc/resolv.conf", out / "resolv.conf",
          "nameserver 127.0.0.53\noptions timeout:2 attempts:2\n")
    # A bare machine has no such file, and programs that ask for their own name then wait.
    cover("/etc/hosts", out / "hosts",
          f"127.0.0.1 localhost\n::1 localhost\n127.0.0.1 {host}.localdomain {host}\n")


def keep_pids_apart(lane):
    """Programs name files in /tmp and shared memory after their process ids (nsd, libfaketime).
    In namespaces of their own these are low, and at the same time the same in two of them."""
    try:
        pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(1000 + lane % 4 * 7000))
    except OSError:  # in a container that may not
        pass


def reachable(out):
    """The folder under a name that every user may follow, and every program can read: Postfix
    works as one of its own, and a checkout may lie in /root, or deep below a name with spaces."""
    out.mkdir(parents=True, exist_ok=True)
    if (re.fullmatch(r"[\w./-]{1,60}", str(out), re.ASCII)
            and all(p.stat().st_mode & 0o001 for p in (out, *out.parents))):
        return out
    door = pathlib.Path(tempfile.mkdtemp(prefix="mailstead-tests-", dir="/tmp"))
    door.chmod(0o755)
    subprocess.run(["mount", "--bind", out, door], check=True)
    at_end(door.rmdir)
    at_end(subprocess.run, ["umount", "-l", door], check=False)
    return door


def cover(path, ours, text):
    """Puts a file of ours over one of the system's, here inside."""
    ours.write_text(text)
    target = pathlib.Path(os.path.realpath(path))
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    subprocess.run(["mount", "--bind", ours, target], check=True)
    if os.environ[KIND] == "unchanged":
        at_end(subprocess.run, ["umount", target], check=False)
