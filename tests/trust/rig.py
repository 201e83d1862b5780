"""What all groups share: the table of rows, what an attack costs, and an innocent client."""
import pathlib
import re
import socket
import threading
import time

import check
from appliance import FREES_SOON, Appliance
from wire import Wire
from world import message

ANN, BOB, PEER = "ann@home.example", "bob@home.example", "pat@peer.example"
LATE_S = 5.0  # an innocent client is served within
LOGIN_MIB = 19  # what hashing its password takes (ext/password.c), once a minute
ROWS = []     # (name, what, function, peers), in the order they are written


def row(name, what):
    """Marks a test as (a part of) a row of the table; it returns its figure."""
    def add(function):
        ROWS.append((name, what, function))
        return function
    return add


def home(world, **options):
    """The appliance of a group, on its own."""
    options.setdefault("plaintext", '["127.0.0.0/8"]')
    options.setdefault("level", "info")
    options.setdefault("env", FREES_SOON)
    world.names()
    world.appliance(**options)
    world.pids = world.home.workers()


def another(world, name, **options):
    """An appliance with data of its own in the place of the one that runs, which is stopped."""
    options.setdefault("level", "info")
    world.home.stop()
    world.home = world.start(Appliance(world.out / name, **options))
    world.home.add_domain()
    for account in (ANN, BOB):
        world.home.add_account(account)
    world.pids = world.home.workers()
    return world.home


def pids_of(world):
    return [p for pids in world.home.workers().values() for p in pids]


def memory_mib(world, field="Pss"):
    """What the whole tree takes."""
    total = 0
    for pid in pids_of(world):
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(rf"(?m)^{field}: +(\d+)", text)[1])
        except OSError:
            pass
    return total / 1024


def peak_mib(world):
    """The most that its processes had, added up (VmHWM, since forget_peak)."""
    total = 0
    for pid in pids_of(world):
        try:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
            total += int(re.search(r"(?m)^VmHWM:\s+(\d+)", text)[1])
        except OSError:
            pass
    return total / 1024


def peaks(world):
    """{role: MiB} as peak_mib adds them up, for the log."""
    found = {}
    for role, pids in world.home.workers().items():
        for pid in pids:
            try:
                text = pathlib.Path(f"/proc/{pid}/status").read_text()
                found[role] = found.get(role, 0) + int(re.search(r"(?m)^VmHWM:\s+(\d+)", text)[1]) // 1024
            except OSError:
                pass
    return found


def forget_peak(world):
    for pid in pids_of(world):
        try:
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            pass


def login(world, user=ANN, port=143, source=None):
    """An IMAP connection, logged in, INBOX selected."""
    w = Wire(world.home.address, port, tls=port == 993, source=source)
    w.line()
    w.send(f"a LOGIN {user} {world.home.passwords[user]}\r\nb SELECT INBOX\r\n".encode())
    w.tagged(b"b")
    return w


def greeted(world, port=25, source=None, name=b"attacker.example"):
    w = Wire(world.home.address, port, tls=port == 465, source=source)
    w.reply()
    w.ask(b"EHLO " + name)
    return w


def envelope(world, rcpt=ANN, sender=b"probe@sender.example", **where):
    """A session up to the answer to RCPT."""
    w = greeted(world, **where)
    w.ask(b"MAIL FROM:<" + sender + b">")
    w.ask(b"RCPT TO:<" + rcpt.encode() + b">")
    return w


def hold(world, port, count, source="127.0.0.66", first=b""):
    """As many of `count` connections as can be had; each has said `first`."""
    held = []
    for _ in range(count):
        try:
            w = Wire(world.home.address, port, source=source)
            if first:
                w.send(first)
            held.append(w)
        except OSError:
            pass
    return held


def at_once(work, arguments):
    """Calls work with each of these tuples, all at one time; returns when the last is done."""
    threads = [threading.Thread(target=work, args=a) for a in arguments]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


class Sink:
    """A next hop that keeps every byte. DATA ends at CRLF.CRLF and at nothing else."""

    def __init__(self, address="127.0.0.20", rcpt=b"250 fine\r\n", offers=b"250-SMTPUTF8\r\n250-DSN\r\n"):
        self.bytes, self.rcpt, self.offers = b"", rcpt, offers
        self.listener = socket.create_server((address, 25), backlog=50)
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def lines(self):
        return self.bytes.split(b"\n")

    def accept(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        rest, in_data, rcpts = b"", False, 0
        try:
            c.sendall(b"220 sink\r\n")
            while data := c.recv(65536):
                self.bytes += data
                rest += data
                while (end := rest.find(b"\r\n.\r\n" if in_data else b"\r\n")) >= 0:
                    line, verb = rest[:end], rest[:4].upper()
                    rest = rest[end + (5 if in_data else 2):]
                    if in_data:
                        c.sendall(b"250 kept\r\n")
                        self.keep(rcpts, line[2:] + b"\r\n")
                        in_data, rcpts = False, 0
                    elif verb == b"DATA":
                        c.sendall(b"354 go\r\n")
                        rest, in_data = b"\r\n" + rest, True
                    elif verb == b"EHLO":
                        c.sendall(b"250-sink\r\n" + self.offers + b"250 8BITMIME\r\n")
                    else:
                        rcpts += verb == b"RCPT"
                        c.sendall(self.rcpt if verb == b"RCPT" else b"250 fine\r\n")
        except OSError:
            pass

    def keep(self, rcpts, text):
        """A message, as it came, to so many."""

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Innocent(threading.Thread):
    """Delivers a message, reads mail, asks for a page: in turns, from an address of its own."""
    SOURCE = "127.0.0.77"

    def __init__(self, world, pause=0.2):
        super().__init__(daemon=True)
        self.world, self.pause = world, pause
        self.took, self.failures, self.is_over = [], [], threading.Event()

    def deliver(self):
        w = Wire(self.world.home.address, 25, timeout=15, source=self.SOURCE)
        if w.reply()[0] != 220 or w.ask(b"EHLO honest.example")[0] != 250:
            raise OSError("no greeting")
        w.ask(b"MAIL FROM:<pat@peer.example>")
        w.ask(f"RCPT TO:<{BOB}>".encode())
        w.ask(b"DATA")
        code, text = w.ask(message(PEER, BOB, "innocent").replace("\n", "\r\n").encode() + b".")
        w.close()
        if code != 250:
            raise OSError(f"DATA: {code} {text}")

    def read(self):
        w = login(self.world, BOB, 993, self.SOURCE)
        w.send(b"c FETCH 1 (FLAGS ENVELOPE)\r\n")
        if not w.tagged(b"c")[-1].startswith(b"c OK"):
            raise OSError("FETCH")
        w.close()

    def page(self):
        w = Wire(self.world.home.address, 443, tls=True, timeout=15, source=self.SOURCE)
        w.send(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.10\r\nConnection: close\r\n\r\n")
        if b" 200 " not in (w.line() or b""):
            raise OSError("no page")
        w.close()

    def run(self):
        turns = (self.deliver, self.read, self.page)
        while not self.is_over.is_set():
            turn = turns[(len(self.took) + len(self.failures)) % 3]
            begin = time.monotonic()
            try:
                turn()
                self.took.append(time.monotonic() - begin)
            except (OSError, IndexError, ValueError) as e:
                self.failures.append(f"{turn.__name__}: {e}")
            self.is_over.wait(self.pause)


class Attack:
    """With this around it, an attack may cost no more than `more_mib` beside what the innocent
    client's own login does, ends no process, and leaves that client served: nine times of
    ten, each time within five seconds."""

    def __init__(self, world, what, more_mib=96, innocent=True):
        self.world, self.what, self.more_mib = world, what, more_mib
        self.innocent = Innocent(world) if innocent else None
        if innocent:
            self.more_mib += LOGIN_MIB

    def __enter__(self):
        forget_peak(self.world)
        self.before, self.pids = peak_mib(self.world), self.world.home.workers()
        self.begin = time.monotonic()
        if self.innocent:
            self.innocent.start()
        return self

    def __exit__(self, kind, *exc):
        self.seconds = time.monotonic() - self.begin
        said = []
        if self.innocent:
            time.sleep(max(0, 1.5 - self.seconds))  # it has its chance, however short that was
            self.innocent.is_over.set()
            self.innocent.join(60)
            took, failed = self.innocent.took, self.innocent.failures
            said = [f"innocent {len(took)}/{len(took) + len(failed)}, "
                    f"slowest {max(took, default=0):.2f} s"]
            check.true(took and len(took) >= 0.9 * (len(took) + len(failed)),
                       f"{self.what}: innocent failed {failed[:3]}")
            check.true(max(took, default=0) < LATE_S, f"{self.what}: innocent waited {max(took, default=0):.1f} s")
        more = peak_mib(self.world) - self.before
        print(f"  {self.what}: peaks in MiB {peaks(self.world)}", flush=True)
        check.true(more < self.more_mib, f"{self.what}: memory +{more:.0f} MiB, at most {self.more_mib}")
        check.equal(self.world.home.workers(), self.pids, f"{self.what}: the same processes")
        self.figure = ", ".join([*said, f"memory +{more:.0f} MiB"])
        return False
