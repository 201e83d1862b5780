"""What a worker could do that somebody else controls: nothing beyond its own connections.

A debugger makes each kind of worker of a running appliance call what an attacker would.
Every try must fail, the worker must go on, and mail must flow afterwards; with a user of
its own and, where only the sandbox is left, as root.
"""
import ctypes
import os
import pathlib
import platform
import re
import shutil
import socket
import subprocess
import tempfile

import check
from world import message

ANN, PEER = "ann@home.example", "pat@peer.example"
WORKERS = ("smtp", "imap", "queue", "web")
SETUID = {"x86_64": 105, "aarch64": 146}[platform.machine()]
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_NET = 4  # the version that fences connections
PTRACE_ATTACH = 16
EACCES, EPERM = 13, 1
O_WRONLY, O_RDWR, O_CREAT = 1, 2, 0o100
POSTGRES = 5432

OPEN, TWO, ONE = "int (*)(const char *, int, int)", "int (*)(long, long)", "int (*)(long)"
MANY = "int (*)(long, long, long, long)"
SYSCALL = "long (*)(long, ...)"
# An address on this machine's loopback, as connect() and bind() take it.
ADDRESS = ["set $a = (unsigned char *) ((void *(*)(unsigned long)) malloc)(16)",
           "set *(unsigned long *) $a = 0", "set *(unsigned long *) ($a + 8) = 0",
           "set *(unsigned short *) $a = 2", "set $a[4] = 127", "set $a[7] = 1"]


def landlock_version():
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, 1)


def opening(path, flags=0):
    return f'(({OPEN}) open)("{path}", {flags}, 384)'


def tries(home, role, parent):
    """[(what, expression of the debugger that must give -1)]"""
    data, run = home.data, home.run_dir
    rows = [
        ("read /etc/shadow", opening("/etc/shadow")),
        ("write /etc/passwd", opening("/etc/passwd", O_WRONLY)),
        ("read the TLS key", opening(f"{data}/keys/tls.key")),
        ("write the TLS key", opening(f"{data}/keys/tls.key", O_WRONLY)),
        ("make a key", opening(f"{data}/keys/mine", O_WRONLY | O_CREAT)),
        ("read the configuration", opening(home.config)),
        ("write the configuration", opening(home.config, O_WRONLY)),
        ("write a program", opening("/usr/bin/env", O_WRONLY)),
        ("write the index", opening(f"{data}/index.db", O_RDWR)),
        ("write the index's log", opening(f"{data}/index.db-wal", O_RDWR)),
        ("remove the index", f'((int (*)(const char *)) unlink)("{data}/index.db")'),
        ("make a file in data", opening(f"{data}/mine", O_WRONLY | O_CREAT)),
        ("write in run", opening(f"{run}/processes", O_WRONLY)),
        ("open /proc/1/mem", opening("/proc/1/mem", O_RDWR)),
        ("open the supervisor's memory", opening(f"/proc/{parent}/mem", O_RDWR)),
        ("execve", '((int (*)(const char *, void *, void *)) execve)("/bin/true", 0, 0)'),
        ("fork", "((int (*)(void)) fork)()"),
        ("ptrace of the supervisor", f"(({MANY}) ptrace)({PTRACE_ATTACH}, {parent}, 0, 0)"),
        ("ptrace of init", f"(({MANY}) ptrace)({PTRACE_ATTACH}, 1, 0, 0)"),
        ("kill of the supervisor", f"(({TWO}) kill)({parent}, 0)"),
        ("kill of all", f"(({TWO}) kill)(-1, 0)"),
        ("setuid(0)", f"(({SYSCALL}) syscall)({SETUID}, 0)"),
        ("chroot", '((int (*)(const char *)) chroot)("/")'),
        ("raw socket", f"(({MANY}) socket)(2, 3, 1, 0)" if role != "queue"
         else f"(({MANY}) socket)(17, 3, 0, 0)"),
    ]
    if role in ("imap", "smtp", "queue"):
        rows.append(("write the delivery log", opening(f"{data}/trace/mine", O_WRONLY | O_CREAT)))
    if role == "web":
        rows.append(("make a body", opening(f"{data}/blobs/mine", O_WRONLY | O_CREAT)))
    if role != "queue":
        rows += [("IPv4 socket", f"(({MANY}) socket)(2, 1, 0, 0)"),
                 ("IPv6 socket", f"(({MANY}) socket)(10, 2, 0, 0)")]
    return rows


def debugger(pid, rows):
    """-> {what: (result, errno)} of expressions that process pid computes."""
    args = ["gdb", "-nx", "-batch", "-iex", "set auto-load no", "-iex", "set debuginfod enabled off",
            "-iex", "set pagination off", "-p", str(pid), "-ex", "set unwindonsignal on"]
    for line in ADDRESS:
        args += ["-ex", line]
    for n, (_, expression) in enumerate(rows):
        args += ["-ex", f"set $r = {expression}", "-ex",
                 f'printf "TRY {n} %ld %d\\n", (long) $r, '
                 "*((int *(*)(void)) __errno_location)()", "-ex", "set $r = 4242"]
    done = subprocess.run(args, capture_output=True, text=True, timeout=90,
                          stdin=subprocess.DEVNULL)
    found = {rows[int(n)][0]: (int(r), int(e)) for n, r, e in
             re.findall(r"(?m)^TRY (\d+) (-?\d+) (\d+)$", done.stdout)}
    if len(found) != len(rows):
        check.fail(f"the debugger said: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return found


def try_connections(pid):
    """The queue makes connections: to the ports of mail, names and policies, and no others."""
    with socket.create_server(("127.0.0.1", POSTGRES)):
        rows = [("socket", f"$s = (({MANY}) socket)(2, 1, 0, 0)"),
                ("port", f"($a[2] = {POSTGRES >> 8}, $a[3] = {POSTGRES & 255})"),
                ("connect to the database", f"(({MANY}) connect)($s, (long) $a, 16, 0)"),
                ("bind", f"($a[2] = 99, $a[3] = 9, (({MANY}) bind)($s, (long) $a, 16, 0))"),
                ("close", f"(({ONE}) close)($s)")]
        found = debugger(pid, rows)
    check.true(found["socket"][0] >= 0, f"the queue may make sockets: {found['socket']}")
    check.equal(found["connect to the database"], (-1, EACCES), "queue: connect to 5432")
    check.equal(found["bind"], (-1, EACCES), "queue: bind")


def break_worker(home, role):
    pid = home.workers()[role][0]
    rows = [("its own number", "((int (*)(void)) getpid)()"),
            ("what it may", opening("/etc/hosts")),
            ("give that back", f"(({ONE}) close)($r)")] + tries(home, role, home.process.child.pid)
    rows[1] = ("what it may", "$f = " + opening("/etc/hosts"))
    rows[2] = ("give that back", f"(({ONE}) close)($f)")
    found = debugger(pid, rows)
    # Without these two every failure below would prove nothing.
    check.equal(found.get("its own number", (0,))[0], pid, f"{role}: the debugger's calls work")
    check.true(found.get("what it may", (-1,))[0] >= 0, f"{role}: may read /etc/hosts")
    for what, _ in rows[3:]:
        result, error = found.get(what, (0, 0))
        check.true(result == -1 and error in (EACCES, EPERM),
                   f"{role}: {what}: got {result}, errno {error}")
    print(f"  {role}: {len(rows) - 3} tries refused", flush=True)
    if role == "queue" and landlock_version() >= LANDLOCK_NET:
        try_connections(pid)
    check.true(pid in home.workers()[role], f"{role} lives on")


def break_all(world, home):
    for role in WORKERS:
        break_worker(home, role)
    home.wait_until_ready()
    with home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, "afterwards"))
    check.until(lambda: home.find(ANN, "Subject: afterwards"), "mail flows afterwards")
    check.true("listeners" in home.run("health", "--json", check=False).stdout
               or home.run("domain", "list").returncode == 0, "the dashboard's process answers")
    check.equal(home.log().count("role.restart"), 0, "nobody had to be started again")


def setup(world):
    world.names()
    # The parents of the folder must be open to the user, wherever the checkout lies.
    world.place = pathlib.Path(tempfile.mkdtemp(prefix="mailstead-57-"))
    world.place.chmod(0o755)


def begin(world, name, more):
    world.appliance_folder = world.place / name
    home = world.appliance_at(world.appliance_folder, plaintext='["127.0.0.0/8"]', more=more,
                              log=world.out / f"{name}.log")
    home.data, home.run_dir = home.folder / "data", home.folder / "run"
    check.true((home.data / "keys/tls.key").exists(), "there is a key to read")
    return home


def uids(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return [int(n) for n in re.search(r"(?m)^Uid:\s+(.*)$", status).group(1).split()]


def test_with_a_user_of_its_own(world):
    home = begin(world, "user", "user: nobody\n")
    for role, pids in home.workers().items():
        for pid in pids:
            check.true(0 not in uids(pid), f"{role} is not root: {uids(pid)}")
    break_all(world, home)
    home.stop()


def test_as_root(world):
    home = begin(world, "root", "")
    for pids in home.workers().values():
        check.equal(uids(pids[0])[0], os.getuid(), "user")
    break_all(world, home)
    home.stop()
    shutil.rmtree(world.place)
