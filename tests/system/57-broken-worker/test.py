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
import struct
import subprocess
import tempfile

import check
from world import message

NOT_SANITIZED = "sanitizers cannot live in the sandbox that is tried here"
ANN, PEER = "ann@home.example", "pat@peer.example"
WORKERS = ("smtp", "imap", "queue", "dns", "web")
CONNECTING = ("queue", "dns")  # those that may make network sockets
SETUID = {"x86_64": 105, "aarch64": 146}[platform.machine()]
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_NET = 4  # the version that fences connections
PTRACE_ATTACH = 16
EACCES, EPERM = 13, 1
O_WRONLY, O_RDWR, O_CREAT = 1, 2, 0o100
POSTGRES, SUBMISSION = 5432, 587
AF_UNIX, SOCK_STREAM, MSG_WAITALL = 1, 1, 0x100
# What no such process has any business with, by its name in ops.def.
NOT_ITS_BUSINESS = {"smtp": ("account_password", "queue_claim", "expunge", "segment_drop"),
                    "imap": ("account_password", "accept", "settings_put", "session_create"),
                    "queue": ("account_password", "auth", "append", "token_create"),
                    "dns": ("account_password", "auth", "accept", "segment_seal"),
                    "web": ("append", "queue_claim", "accept", "segment_moved")}

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
        ("raw socket", f"(({MANY}) socket)(2, 3, 1, 0)" if role not in CONNECTING
         else f"(({MANY}) socket)(17, 3, 0, 0)"),
    ]
    if role in ("imap", "smtp", "queue", "dns"):
        rows.append(("write the delivery log", opening(f"{data}/trace/mine", O_WRONLY | O_CREAT)))
    if role in ("web", "dns"):
        rows.append(("make a body", opening(f"{data}/blobs/mine", O_WRONLY | O_CREAT)))
    if role == "dns":
        rows.append(("read the index", opening(f"{data}/index.db")))
    if role not in CONNECTING:
        rows += [("IPv4 socket", f"(({MANY}) socket)(2, 1, 0, 0)"),
                 ("IPv6 socket", f"(({MANY}) socket)(10, 2, 0, 0)")]
    return rows


def debugger(pid, rows, before=()):
    """-> {what: (result, errno)} of expressions that process pid computes."""
    args = ["gdb", "-nx", "-batch", "-iex", "set auto-load no", "-iex", "set debuginfod enabled off",
            "-iex", "set pagination off", "-p", str(pid), "-ex", "set unwindonsignal on"]
    for line in [*ADDRESS, *before]:
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


def try_connections(role, pid, port):
    """Who makes connections does to the ports of its duty, and no others."""
    with socket.create_server(("127.0.0.1", port)):
        rows = [("socket", f"$s = (({MANY}) socket)(2, 1, 0, 0)"),
                ("port", f"($a[2] = {port >> 8}, $a[3] = {port & 255})"),
                ("connect", f"(({MANY}) connect)($s, (long) $a, 16, 0)"),
                ("bind", f"($a[2] = 99, $a[3] = 9, (({MANY}) bind)($s, (long) $a, 16, 0))"),
                ("close", f"(({ONE}) close)($s)")]
        found = debugger(pid, rows)
    check.true(found["socket"][0] >= 0, f"{role} may make sockets: {found['socket']}")
    check.equal(found["connect"], (-1, EACCES), f"{role}: connect to {port}")
    check.equal(found["bind"], (-1, EACCES), f"{role}: bind")


def table(path, macro):
    """The names in a table of the source, in their order."""
    text = (pathlib.Path(os.environ["MAILSTEAD_ROOT"]) / "daemon" / path).read_text()
    return re.findall(rf"(?m)^{macro}\((\w+),", text)


def frames(operation, epoch=77):
    """HELLO and one operation as store/wire.h has them. Every payload is a well-formed
    account_password: who is not asked for rights would do it."""
    def text(s):
        return struct.pack("<I", len(s)) + s

    def frame(kind, number, payload):
        return struct.pack("<IHQ", 10 + len(payload), kind, number) + payload

    args = struct.pack("<Q", 0) + text(b"") * 3 + text(ANN.encode()) + text(b"taken over by me")
    return frame(1, epoch, b"") + frame(16 + table("store/ops.def", "OP").index(operation), 1, args)


def words(name, data):
    """Lines of the debugger that put data into new memory at $name."""
    data += b"\0" * (-len(data) % 8)
    lines = [f"set ${name} = (unsigned char *) ((void *(*)(unsigned long)) malloc)({len(data)})"]
    return lines + [f"set *(unsigned long *) (${name} + {at}) = {word}"
                    for at, word in zip(range(0, len(data), 8),
                                        (w for (w,) in struct.iter_unpack("<Q", data)))]


def ask_store(home, pid, operations):
    """What the store says when process pid asks for these, each over its own connection:
    {operation: word of err.def}"""
    path = str(home.run_dir / "store.sock").encode()
    address = struct.pack("<H", AF_UNIX) + path + b"\0"
    before = words("u", address) + words("v", b"\0" * 32)
    rows = []
    for n, operation in enumerate(operations):
        asked = frames(operation)
        before += words(f"q{n}", asked)
        rows += [(f"{operation} socket", f"$s = (({MANY}) socket)({AF_UNIX}, {SOCK_STREAM}, 0, 0)"),
                 (f"{operation} connect", f"(({MANY}) connect)($s, (long) $u, {len(address)}, 0)"),
                 (f"{operation} write", f"(({MANY}) write)($s, (long) $q{n}, {len(asked)}, 0)"),
                 (f"{operation} read", f"(({MANY}) recv)($s, (long) $v, 18, {MSG_WAITALL})"),
                 (operation, "*(unsigned int *) ($v + 14)"),
                 (f"{operation} close", f"(({ONE}) close)($s)")]
    found = debugger(pid, rows, before)
    for operation in operations:
        check.equal(found[f"{operation} read"][0], 18, f"{operation} is answered: {found}")
    errors = ["OK", *table("base/err.def", "ERR")]
    return {operation: errors[found[operation][0]] for operation in operations}


def try_store(home, role, pid):
    # The last one shows that the way there works: it is the role's own business, and the
    # arguments are another's, so the answer is that they are damaged.
    own = {"web": "alias_remove", "dns": None}.get(role, "segment_seal")
    answers = ask_store(home, pid, [*NOT_ITS_BUSINESS[role], *([own] if own else [])])
    for operation in NOT_ITS_BUSINESS[role]:
        check.equal(answers[operation], "FORBIDDEN", f"{role} asks the store for {operation}")
    if own:
        check.equal(answers[own], "MALFORMED", f"{role} asks the store for {own}")


def try_stranger(home):
    """Root is none of ours either."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(home.run_dir / "store.sock"))
        s.sendall(frames("account_password"))
        try:
            check.equal(s.recv(64), b"", "a stranger is not answered")
        except ConnectionResetError:
            pass
    check.until(lambda: "store.stranger" in home.log(), "and is told of")


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
    if role in CONNECTING and landlock_version() >= LANDLOCK_NET:
        try_connections(role, pid, POSTGRES)
        if role == "dns":
            try_connections(role, pid, SUBMISSION)
    try_store(home, role, pid)
    check.true(pid in home.workers()[role], f"{role} lives on")


def break_all(world, home):
    for role in WORKERS:
        break_worker(home, role)
        check.until(lambda: any("store.refused" in line and f"role={role}" in line
                                for line in home.log().splitlines()), f"{role}: an event")
    try_stranger(home)
    check.equal(home.imap(ANN).logout()[0], "BYE", "the password is still the old one")
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
