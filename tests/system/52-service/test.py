"""The service among those that run it: systemd's messages and sockets, certificates that
are renewed, and a process that cannot start while the others work."""
import hashlib
import itertools
import os
import pathlib
import pwd
import re
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import check
from appliance import BINARY, Appliance, insecure_tls
from process import Process
from world import message

ANN, PEER = "ann@home.example", "pat@peer.example"
WATCHDOG_MS = 600

# What systemd does: the sockets from 3 on, their number and names in the environment.
PASS_SOCKETS = """
import os, sys
n = int(sys.argv[1])
high = [os.dup2(int(f), 100 + i) for i, f in enumerate(sys.argv[2:2 + n])]
for i, f in enumerate(high):
    os.dup2(f, 3 + i)
    os.close(f)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2 + n], sys.argv[2 + n:])
"""


class Systemd:
    """The socket that services report to, and what they have said. It is read at all times:
    the kernel keeps few datagrams, and who reports waits for room."""
    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard, self.when = [], []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            said = self.socket.recv(65536).decode().split("\n")
            self.when.append(time.monotonic())
            self.heard.append(said)

    def has(self, line, since=0):
        return any(line in m for m in self.heard[since:])

    def times(self, line):
        return [t for m, t in zip(self.heard, self.when) if line in m]


def setup(world):
    world.names()


def send(world, subject):
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, subject))


def mail_flows(world, subject):
    send(world, subject)
    check.until(lambda: world.home.find(ANN, f"Subject: {subject}"), f"{subject}: mail flows")


def test_systemd_is_told(world):
    # The path of a unix socket is short.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mailstead-52-"))
    systemd = Systemd(folder / "notify")
    world.appliance(env={"NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": str(WATCHDOG_MS * 1000)},
                    plaintext='["127.0.0.0/8"]', more="user: nobody\n")
    home = world.home
    check.true(check.until(lambda: systemd.has("READY=1"), "READY"), "READY=1")
    check.true(re.search(r"(?m)^ok +Processes ", home.run("health").stdout), "all processes are seen")
    ready = next(m for m in systemd.heard if "READY=1" in m)
    check.true(any(re.fullmatch(r"STATUS=8 of 8 processes running", s) for s in ready),
               f"with all processes: {ready}")
    fed = check.until(lambda: (t := systemd.times("WATCHDOG=1"))[9:] and t, "the watchdog is fed")
    # Most of the pauses: a busy machine makes some of them long.
    pause_ms = 1000 * statistics.median(b - a for a, b in itertools.pairwise(fed))
    check.true(WATCHDOG_MS / 6 < pause_ms < WATCHDOG_MS, f"about every {WATCHDOG_MS / 2} ms: {pause_ms:.0f}")

    since = len(systemd.heard)
    os.kill(home.workers()["imap"][0], signal.SIGKILL)
    check.until(lambda: any(s.startswith("STATUS=7 of 8") for m in systemd.heard[since:]
                            for s in m), "STATUS says that one is missing")
    check.until(lambda: any(s.startswith("STATUS=8 of 8") for m in systemd.heard[since:]
                            for s in m), "and that it is back")

    since = len(systemd.heard)
    before = time.monotonic_ns() // 1000
    home.process.child.send_signal(signal.SIGHUP)
    check.until(lambda: systemd.has("READY=1", since), "READY after a reload")
    reload_at = [i for i, m in enumerate(systemd.heard) if i >= since and "RELOADING=1" in m]
    ready_at = [i for i, m in enumerate(systemd.heard) if i >= since and "READY=1" in m]
    check.true(reload_at and reload_at[0] < ready_at[0], "RELOADING before READY")
    stamp = [s for s in systemd.heard[reload_at[0]] if s.startswith("MONOTONIC_USEC=")]
    check.true(stamp and before <= int(stamp[0].split("=")[1]) <= time.monotonic_ns() // 1000,
               f"when: {stamp}")

    good = home.config.read_text()
    home.config.write_text(good + "nonsense: 1\n")
    since = len(systemd.heard)
    home.process.child.send_signal(signal.SIGHUP)
    check.until(lambda: systemd.has("READY=1", since), "READY also after a refused reload")
    home.config.write_text(good)

    since = len(systemd.heard)
    check.equal(home.stop(), 0, "exit status")
    check.until(lambda: systemd.has("STOPPING=1", since), "STOPPING=1")
    (folder / "notify").unlink()
    folder.rmdir()


def listen(address, port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(64)
    return s


def start_with_sockets(home, sockets, names):
    fds = [str(s.fileno()) for s in sockets]
    for s in sockets:
        s.set_inheritable(True)
    env = dict(home.env, LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=":".join(names))
    home.write_config()
    home.process = Process([sys.executable, "-c", PASS_SOCKETS, str(len(fds)), *fds, str(BINARY),
                            "serve", "--config", str(home.config)], home.log_file, env=env,
                           pass_fds=[s.fileno() for s in sockets])


def test_sockets_of_systemd_are_used(world):
    home = world.home
    # 25 is in the configuration: were it opened again, the start would fail. 2525 is not.
    sockets = [listen(home.address, 2525), listen(home.address, 25), listen(home.address, 993)]
    start_with_sockets(home, sockets, ["smtp", "smtp", "imaps"])
    home.wait_until_ready()
    with socket.create_connection((home.address, 2525), 10) as s:
        check.contains(s.recv(200), b"220 ", "the port that systemd alone knows")
    mail_flows(world, "over sockets of systemd")
    check.equal(home.stop(), 0, "exit status")
    # They are systemd's: who connects while we are away waits for our successor.
    waiting = socket.create_connection((home.address, 25), 10)
    start_with_sockets(home, sockets, ["smtp", "smtp", "imaps"])
    waiting.settimeout(15)
    check.contains(waiting.recv(200), b"220 ", "nobody was turned away")
    waiting.close()
    home.wait_until_ready()
    home.stop()
    start_with_sockets(home, sockets[:1], ["gopher"])
    check.equal(home.process.child.wait(60), 1, "a name that is no protocol")
    check.contains(home.log(), "gopher", "is named")
    home.stop()
    for s in sockets:
        s.close()


def make_certificate(folder, name):
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate.read_text(), key.read_text()


def shown(world, port):
    with socket.create_connection((world.home.address, port), 10) as s, \
            insecure_tls().wrap_socket(s) as t:
        return hashlib.sha256(t.getpeercert(binary_form=True)).hexdigest()


def digest(pem):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def test_a_new_certificate_is_used_at_once_and_a_bad_one_never(world):
    home = world.home
    folder = world.out / "certificates"
    folder.mkdir()
    one, two = make_certificate(folder, "one"), make_certificate(folder, "two")
    used = folder / "used.pem", folder / "used.key"

    def put(certificate, key):
        used[0].write_text(certificate)
        used[1].write_text(key)
        home.process.child.send_signal(signal.SIGHUP)

    used[0].write_text(one[0])
    used[1].write_text(one[1])
    home.values["more"] = f"tls: {{certificate: {used[0]}, key: {used[1]}}}\n"
    home.start()
    old = home.imap(ANN)
    old.select("INBOX")
    for port in (993, 465, 995, 443):
        check.equal(shown(world, port), digest(one[0]), f"{port}: the first")
    put(*two)
    for port in (993, 465, 995, 443):
        check.until(lambda port=port: shown(world, port) == digest(two[0]), f"{port}: the second")
    check.equal(old.noop()[0], "OK", "the old session lives")
    bad = {"a key of another": (one[0], two[1]), "no certificate": ("nothing\n", two[1]),
           "half a key": (two[0], two[1][:60])}
    for what, pair in bad.items():
        before = home.log().count("config.refused")
        put(*pair)
        check.until(lambda before=before: home.log().count("config.refused") > before,
                    f"{what}: refused and reported")
        check.equal(shown(world, 993), digest(two[0]), f"{what}: the old one stays")
        # Nor does a process that comes back now read the bad file.
        pid = home.workers()["imap"]
        os.kill(pid[0], signal.SIGKILL)
        check.until(lambda pid=pid: len(home.workers().get("imap", [])) == 2
                    and pid[0] not in home.workers()["imap"], f"{what}: imap is back")
        check.equal(shown(world, 993), digest(two[0]), f"{what}: and after a restart")
    put(*one)
    check.until(lambda: shown(world, 993) == digest(one[0]), "a good one again")
    home.stop()


def restarts(home, role):
    """(reason, ms until the next start) of each end of a process of the role, oldest first."""
    return [(m.group(1), int(m.group(2))) for m in
            re.finditer(rf'role\.restart .*role={role} .*reason="([^"]*)" ms=(\d+)',
                        home.log())]


def test_a_process_that_cannot_start_is_tried_ever_more_rarely(world):
    """The user is gone from /etc/passwd: what starts now ends before it is ready."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="mailstead-52-"))
    place.chmod(0o755)
    user = "mailtest"
    number = pwd.getpwnam("nobody").pw_uid
    with_user, passwd = world.out / "passwd", pathlib.Path("/etc/passwd")
    text = passwd.read_text()
    with_user.write_text(text + f"{user}:x:{number}:{number}::/:/bin/false\n")
    with_user.chmod(0o644)
    subprocess.run(["mount", "--bind", with_user, passwd], check=True)
    try:
        home = world.start(Appliance(place / "home", plaintext='["127.0.0.0/8"]',
                                     log=world.out / "loop.log",
                                     more=f"user: {user}\nlimits: {{restart_backoff_max: 4s}}\n"))
        world.home = home
        home.add_domain()
        home.add_account(ANN)
        others = home.workers()
        with_user.write_text(text)
        os.kill(others["queue"][0], signal.SIGKILL)
        check.until(lambda: len(restarts(home, "queue")) >= 7, "keeps trying")
        found = restarts(home, "queue")
        check.equal([ms for _, ms in found[:7]], [0, 0, 1000, 2000, 4000, 4000, 4000], "pauses")
        check.true(all(r == "exit 1" for r, _ in found[1:]), f"reasons: {found}")
        check.contains(home.log(), f"no user {user}", "the log says why")
        mail_flows(world, "while one is away")
        now = home.workers()
        for role in ("store", "smtp", "imap", "web"):
            check.equal(now.get(role), others[role], f"{role} was left alone")
        with_user.write_text(text + f"{user}:x:{number}:{number}::/:/bin/false\n")
        check.until(lambda: "queue" in home.workers()
                    and len(re.findall("role.start .*role=queue", home.log())) > 1, "it is back")
        home.stop()
    finally:
        subprocess.run(["umount", passwd], check=True)
        subprocess.run(["rm", "-r", "--", str(place)], check=True)
