"""Namespaces of our own: every port is free, nothing leaves the machine, no two runs meet."""
import atexit
import os
import pathlib
import subprocess
import sys
import tempfile

KIND = "MAILSTEAD_IN_NAMESPACE"


def enter(script, arguments):
    """Starts the script over inside fresh namespaces; as another user, mapped to root."""
    if os.environ.get(KIND):
        return
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


def prepare(last_bytes, out):
    """Loopback up with an address for each, and name resolution through our resolver."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for last in last_bytes:
        subprocess.run(["ip", "addr", "add", f"127.0.0.{last}/8", "dev", "lo"], check=True)
    out.mkdir(parents=True, exist_ok=True)
    host = os.uname().nodename
    cover("/etc/resolv.conf", out / "resolv.conf",
          "nameserver 127.0.0.53\noptions timeout:2 attempts:2\n")
    # A bare machine has no such file, and programs that ask for their own name then wait.
    cover("/etc/hosts", out / "hosts",
          f"127.0.0.1 localhost\n::1 localhost\n127.0.0.1 {host}.localdomain {host}\n")


def reachable(out):
    """The folder under a name that every user may follow: Postfix works as one of its own, and
    a checkout may lie in /root."""
    out.mkdir(parents=True, exist_ok=True)
    if all(p.stat().st_mode & 0o001 for p in (out, *out.parents)):
        return out
    door = pathlib.Path(tempfile.mkdtemp(prefix="mailstead-tests-", dir="/tmp"))
    door.chmod(0o755)
    subprocess.run(["mount", "--bind", out, door], check=True)
    atexit.register(door.rmdir)
    atexit.register(subprocess.run, ["umount", "-l", door], check=False)
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
        atexit.register(subprocess.run, ["umount", target], check=False)
