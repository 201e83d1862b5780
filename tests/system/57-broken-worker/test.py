"""What a worker could do that somebody else controls: nothing beyond its own connections.

Each kind of worker of a running appliance is made to call what an attacker would.
Every try must fail, the worker must go on, and mail must flow afterwards; with a user of
its own and, where only the sandbox is left, as root.
"""
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import tempfile

import check
import inject
from world import message

NOT_SANITIZED = "sanitizers cannot live in the sandbox that is tried here"
ANN, PEER = "ann@home.example", "pat@peer.example"
WORKERS = ("smtp", "imap", "queue", "dns", "web")
CONNECTING = ("queue", "dns")  # those that may make network sockets
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_NET = 4  # the version that fences connections
PTRACE_ATTACH = 16
EACCES, EPERM = 13, 1
O_WRONLY, O_RDWR, O_CREAT = 1, 2, 0o100
POSTGRES, SUBMISSION, BIND_PORT = 5432, 587, 25353
AF_UNIX, AF_INET, AF_INET6, AF_PACKET = 1, 2, 10, 17
SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, MSG_WAITALL = 1, 2, 3, 0x100
AT_FDCWD, SIGCHLD = -100, 17
HELLO_BYTES, ANSWER_BYTES = 14, 18  # the store's; an answer ends with its word of err.def
# What no such process has any business with, by its name in ops.def.
NOT_ITS_BUSINESS = {"smtp": ("account_password", "queue_claim", "expunge", "segment_drop"),
                    "imap": ("account_password", "accept", "settings_put", "session_create"),
                    "queue": ("account_password", "auth", "append", "token_create"),
                    "dns": ("account_password", "auth", "accept", "segment_seal"),
                    "web": ("append", "queue_claim", "accept", "segment_moved")}


def address(port):
    """One on this machine's loopback, as connect() and bind() take it."""
    return struct.pack("=H", AF_INET) + struct.pack(">H", port) + bytes((127, 0, 0, 1)) + bytes(8)


def landlock_version():
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, 1)


def opening(path, flags=0):
    return "openat", AT_FDCWD, path, flags, 0o600


def tries(home, role, parent):
    """[(what, system call that must be refused, its arguments...)]"""
    data, run = home.data, home.run_dir
    rows = [
        ("read /etc/shadow", *opening("/etc/shadow")),
        ("write /etc/passwd", *opening("/etc/passwd", O_WRONLY)),
        ("read the TLS key", *opening(f"{data}/keys/tls.key")),
        ("write the TLS key", *opening(f"{data}/keys/tls.key", O_WRONLY)),
        ("make a key", *opening(f"{data}/keys/mine", O_WRONLY | O_CREAT)),
        ("read the configuration", *opening(home.config)),
        ("write the configuration", *opening(home.config, O_WRONLY)),
        ("write a program", *opening("/usr/bin/env", O_WRONLY)),
        ("write the index", *opening(f"{data}/index.db", O_RDWR)),
        ("write the index's log", *opening(f"{data}/index.db-wal", O_RDWR)),
        ("remove the index", "unlinkat", AT_FDCWD, f"{data}/index.db", 0),
        ("make a file in data", *opening(f"{data}/mine", O_WRONLY | O_CREAT)),
        ("write in run", *opening(f"{run}/processes", O_WRONLY)),
        ("open /proc/1/mem", *opening("/proc/1/mem", O_RDWR)),
        ("open the supervisor's memory", *opening(f"/proc/{parent}/mem", O_RDWR)),
        ("execve", "execve", "/bin/true", 0, 0),
        ("fork", "clone", SIGCHLD, 0, 0, 0, 0),
        ("ptrace of the supervisor", "ptrace", PTRACE_ATTACH, parent, 0, 0),
        ("ptrace of init", "ptrace", PTRACE_ATTACH, 1, 0, 0),
        ("kill of the supervisor", "kill", parent, 0),
        ("kill of all", "kill", -1, 0),
        ("setuid(0)", "setuid", 0),
        ("chroot", "chroot", "/"),
        ("raw socket", "socket", *((AF_INET, SOCK_RAW, 1) if role not in CONNECTING
                                   else (AF_PACKET, SOCK_RAW, 0))),
    ]
    if role in ("imap", "smtp", "queue", "dns"):
        rows.append(("write the delivery log", *opening(f"{data}/trace/mine", O_WRONLY | O_CREAT)))
    if role in ("web", "dns"):
        rows.append(("make a body", *opening(f"{data}/blobs/mine", O_WRONLY | O_CREAT)))
    if role == "dns":
        rows.append(("read the index", *opening(f"{data}/index.db")))
    if role not in CONNECTING:
        rows += [("IPv4 socket", "socket", AF_INET, SOCK_STREAM, 0),
                 ("IPv6 socket", "socket", AF_INET6, SOCK_DGRAM, 0)]
    return rows


def call(process, name, *args):
    return process.call(name, *(process.text(str(a)) if isinstance(a, (str, pathlib.Path)) else a
                                for a in args))


def try_connections(role, pid, port):
    """Who makes connections does to the ports of its duty, and no others."""
    with socket.create_server(("127.0.0.1", port)), inject.taken(pid) as process:
        s = process.call("socket", AF_INET, SOCK_STREAM, 0)
        check.true(s >= 0, f"{role} may make sockets: {s}")
        there, here = (process.bytes(address(n)) for n in (port, BIND_PORT))
        check.equal(process.call("connect", s, there, 16), -EACCES, f"{role}: connect to {port}")
        check.equal(process.call("bind", s, here, 16), -EACCES, f"{role}: bind")
        process.call("close", s)


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

    head = struct.pack("<Q", 0) + text(b"") + text(b"") + struct.pack("<I", 0)  # no events, no deed
    args = head + text(b"") * 2 + text(ANN.encode()) + text(b"taken over by me")
    return frame(1, epoch, b"") + frame(16 + table("store/ops.def", "OP").index(operation), 1, args)


def ask_store(home, pid, operation):
    """The word of err.def that the store answers when process pid asks for this."""
    store = struct.pack("=H", AF_UNIX) + str(home.run_dir / "store.sock").encode() + b"\0"
    asked = frames(operation)
    with inject.taken(pid) as process:
        s = process.call("socket", AF_UNIX, SOCK_STREAM, 0)
        got = process.call("connect", s, process.bytes(store), len(store))
        check.equal(got, 0, f"{operation}: connect to the store")
        got = process.call("write", s, process.bytes(asked), len(asked))
        check.equal(got, len(asked), f"{operation}: written")
        answer = process.bytes(bytes(HELLO_BYTES + ANSWER_BYTES))
        got = process.call("recvfrom", s, answer, HELLO_BYTES + ANSWER_BYTES, MSG_WAITALL, 0, 0)
        check.equal(got, HELLO_BYTES + ANSWER_BYTES, f"{operation} is answered")
        error = struct.unpack("<I", process.peek(answer + HELLO_BYTES + ANSWER_BYTES - 4, 4))[0]
        process.call("close", s)
    return ["OK", *table("base/err.def", "ERR")][error]


def try_store(home, role, pid):
    # The last one shows that the way there works: it is the role's own business, and the
    # arguments are another's, so the answer is that they are damaged.
    own = {"web": "alias_remove", "dns": None}.get(role, "segment_seal")
    for operation in NOT_ITS_BUSINESS[role]:
        check.equal(ask_store(home, pid, operation), "FORBIDDEN",
                    f"{role} asks the store for {operation}")
    if own:
        check.equal(ask_store(home, pid, own), "MALFORMED", f"{role} asks the store for {own}")


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
    rows = tries(home, role, home.process.child.pid)
    with inject.taken(pid) as process:
        # Without these two every refusal below would prove nothing.
        check.equal(process.call("getpid"), pid, f"{role}: calls work")
        f = call(process, *opening("/etc/hosts"))
        check.true(f >= 0, f"{role}: may read /etc/hosts: {f}")
        process.call("close", f)
        for what, *one in rows:
            result = call(process, *one)
            check.true(result in (-EACCES, -EPERM), f"{role}: {what}: got {result}")
    print(f"  {role}: {len(rows)} tries refused", flush=True)
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


def test_an_index_of_another_user_is_named(world):
    home = begin(world, "owner", "user: nobody\n")
    index, log = home.data / "index.db", len(home.log())
    owner = index.stat()
    os.chown(index, 0, 0)
    index.chmod(0o600)
    os.kill(home.workers()["store"][0], signal.SIGKILL)
    why = f"{index}: Permission denied: it belongs to user 0, and not to {owner.st_uid}"
    check.until(lambda: why in home.log()[log:], "the log says which file, and whose it is")
    told = check.until(lambda: (t := [i for i in json.loads(home.run("health", "--json", check=False).stdout or "{}")
                                      .get("items", []) if i["cause"] == "store_files"]) and t[0], "health as well")
    check.contains(told["text"], why, "with the same words")
    os.chown(index, owner.st_uid, owner.st_gid)
    check.until(lambda: home.run("domain", "list", check=False).returncode == 0, "and it is back")
    home.stop()


def test_as_root(world):
    home = begin(world, "root", "")
    for pids in home.workers().values():
        check.equal(uids(pids[0])[0], os.getuid(), "user")
    break_all(world, home)
    home.stop()
    shutil.rmtree(world.place)
