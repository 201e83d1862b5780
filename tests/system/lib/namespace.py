"""Namespaces of our own: every port is free, nothing leaves the machine, no two runs meet."""
import atexit
import os
import pathlib
import subprocess
import sys

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
    resolv = out / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.53\noptions timeout:2 attempts:2\n")
    target = pathlib.Path(os.path.realpath("/etc/resolv.conf"))
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    subprocess.run(["mount", "--bind", resolv, target], check=True)
    if os.environ[KIND] == "unchanged":
        atexit.register(subprocess.run, ["umount", target], check=False)
