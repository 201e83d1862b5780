"""The fault story: one call of one process fails, or is the place to die, then the next one.

fault.c is preloaded into every process; this side of it arms one shot after another at a
running appliance, lets one operation run into it, and looks what its client was told.
"""
import functools
import imaplib
import mmap
import os
import pathlib
import random
import smtplib
import struct
import subprocess
import time

from appliance import BINARY
from load import IMAP_DIED
from operations import OPERATIONS

# As fault.c has them.
OFF, FAIL, SHORT, TORN, DIE, DIE_AFTER = range(6)
OPEN, WRITE, SYNC, RENAME, UNLINK, TRUNCATE, READ, MEMORY = (1 << n for n in range(8))
FILES = OPEN | WRITE | SYNC | RENAME | UNLINK | TRUNCATE
EIO, ENOMEM, ENOSPC, EMFILE = 5, 12, 28, 24

# name: (mode, calls, errno, whether every further call is hit as well)
WAYS = {
    "eio": (FAIL, FILES & ~SYNC, EIO, False),
    "sync": (FAIL, SYNC, EIO, False),
    "enospc": (FAIL, OPEN | WRITE | TRUNCATE, ENOSPC, False),
    "full": (FAIL, OPEN | WRITE | TRUNCATE, ENOSPC, True),
    "emfile": (FAIL, OPEN, EMFILE, False),
    "short": (SHORT, WRITE, 0, False),
    "torn": (TORN, WRITE, EIO, False),
    "read": (FAIL, READ, EIO, False),
    "die": (DIE, FILES, 0, False),
    "die-synced": (DIE_AFTER, SYNC, 0, False),
    "memory": (FAIL, MEMORY, ENOMEM, False),
}
BACK_S, BACK_MAX_S = 2.0, 10.0  # the second one on a machine that is busy with others
UNTOUCHED = 2


@functools.cache
def function_at(offset):
    done = subprocess.run(["addr2line", "-fe", str(BINARY), hex(offset)], capture_output=True,
                          text=True, check=True)
    return done.stdout.split("\n")[0]


class Control:
    """The page that fault.c maps."""
    SIZE = 4096
    HEAD = struct.Struct("<IIIIqII16s")
    WHAT, TRACE = 48, 48 + 512

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.write_bytes(b"\0" * self.SIZE)
        self.path.chmod(0o666)
        with open(self.path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), self.SIZE)

    def arm(self, role, way, n):
        mode, calls, error, stays = WAYS[way]
        self.page[4:] = b"\0" * (self.SIZE - 4)
        self.page[:self.HEAD.size] = self.HEAD.pack(OFF, error, calls, stays, n, 0, 0,
                                                    role.encode())
        self.page[:4] = struct.pack("<I", mode)

    def fired(self):
        return struct.unpack_from("<I", self.page, 24)[0] != 0

    def disarm(self):
        self.page[:4] = struct.pack("<I", OFF)

    def pid(self):
        return struct.unpack_from("<I", self.page, 28)[0]

    def left(self):
        return struct.unpack_from("<q", self.page, 16)[0]

    def text(self, at, end):
        return self.page[at:end].split(b"\0")[0].decode(errors="replace").strip()

    def what(self):
        return self.text(self.WHAT, self.TRACE)

    def trace(self):
        """Who made the call: functions of ours, innermost first."""
        lines = (line.rpartition(" ") for line in self.text(self.TRACE, self.SIZE).splitlines())
        return " < ".join(function_at(int(offset, 16) - 1) for name, _, offset in lines
                          if os.path.basename(name) == "mailstead")


# ── shots ──

class Shots:
    """What all shots share, and their sums."""

    def __init__(self, world, truth, control, is_talking):
        self.world, self.truth, self.control = world, truth, control
        self.is_talking = is_talking
        self.runs = self.hits = self.deaths = self.late = 0
        self.slowest = 0.0
        self.problems = []
        self.sites = {}  # who made a call that was hit -> how often
        truth.bounced, truth.aliases = {}, {}

    def problem(self, words):
        self.problems.append(words)
        print(f"     {words}", flush=True)

    def wait_until_whole(self, token, seconds=90):
        """Nobody is still coming back from the last shot: its start is not what is meant."""
        end = time.monotonic() + seconds
        processes = self.world.home.folder / "run" / "processes"
        while not all(line.endswith(" running") for line in processes.read_text().splitlines()):
            if time.monotonic() > end:
                raise RuntimeError(f"{token}: not whole: {processes.read_text()}")
            time.sleep(0.01)

    def prepare(self, op, token, seconds=120):
        """Until it works: a process may still be coming back."""
        begin, n = time.monotonic(), 0
        while True:
            n += 1
            try:
                op.prepare(f"{token}.{n}")
                return
            except (imaplib.IMAP4.error, smtplib.SMTPException, RuntimeError, *IMAP_DIED) as e:
                op.close()
                if time.monotonic() - begin > seconds:
                    raise RuntimeError(f"{token}: no service within {seconds} s: {e}") from e
                time.sleep(0.02)

    def one(self, name, op, role, way, n):
        """Fires at the n-th call; -> whether the run came that far."""
        home, control = self.world.home, self.control
        token = f"{name}.{role}.{way}.{n}"
        self.wait_until_whole(token)
        self.prepare(op, token)
        pids = home.workers().get(role, [])
        control.arm(role, way, n)
        fate, words = op.run()
        end = time.monotonic() + 30
        while fate == "acked" and not control.fired() and time.monotonic() < end and \
                not op.is_over():
            time.sleep(0.05)
        control.disarm()
        self.runs += 1
        if control.fired():
            self.hits += 1
            self.after(token, op, role, way, pids, fate, words)
        elif fate != "acked":
            self.problem(f"{token}: {fate} without a fault: {words}")
        return control.fired()

    def after(self, token, op, role, way, pids, fate, words):
        """The answer, the service, the supervisor."""
        home, control = self.world.home, self.control
        site = control.trace()
        where = f"{token}: {control.what()} ({site})"
        if self.is_talking:
            print(f"     {where}: {fate} {words}", flush=True)
        self.sites[site] = self.sites.get(site, 0) + 1
        if fate == "refused" and not op.is_temporary(words):
            self.problem(f"{where}: the answer is {words}")
        if not home.process.is_running():
            raise RuntimeError(f"{where}: the supervisor died")
        took, answer = self.probe(op, token)
        if answer[0] != "acked":
            self.problem(f"{where}: no service afterwards: {answer}")
        self.slowest, self.late = max(self.slowest, took), self.late + (took > BACK_S)
        # On a machine that is busy with others it is as slow without a fault.
        if took > BACK_MAX_S and self.probe(op, token + ".calm")[0] < took / 2:
            self.problem(f"{where}: back after {took:.2f} s")
        is_dead = control.pid() in pids and control.pid() not in home.workers().get(role, [])
        self.deaths += is_dead
        # SQLite itself passes over a directory that cannot be synced.
        call, path = (control.what() + " ").split(" ", 1)
        if not is_dead and (way.startswith("die") or
                            way == "sync" and not path.strip().endswith("/trace")):
            self.problem(f"{where}: the process lives on after {call}")

    def probe(self, op, token, seconds=60):
        """The same operation from a client of its own, until it works. -> seconds, answer"""
        begin, n = time.monotonic(), 0
        probe = type(op)(self.world, self.truth, token)
        while True:
            n += 1
            self.prepare(probe, f"{token}.again{n}")
            answer = probe.run()
            took = time.monotonic() - begin
            if answer[0] == "acked" or took > seconds:
                probe.close()
                return took, answer
            time.sleep(0.02)

    def series(self, name, role, way, steps):
        """n as `steps` gives them, until a run ends untouched."""
        op = OPERATIONS[name](self.world, self.truth, f"{name} {role} {way}")
        untouched = 0  # in a row: the same operation has now a call more, now one less
        try:
            for n in steps:
                untouched = 0 if self.one(name, op, role, way, n) else untouched + 1
                if untouched == UNTOUCHED:
                    break
        finally:
            self.control.disarm()
            op.close()


def steps_from(n, factor):
    """The first dozen one by one, then ever wider: the pages of one commit are many and alike."""
    while True:
        yield n
        n = n + 1 if n < 12 else int(n * factor) + 1


def plan_long(seed):
    """Every operation, process and way. The first n beyond the dozen depend on the seed."""
    rng = random.Random(seed)
    for name, op in OPERATIONS.items():
        for role in op.roles:
            for way in WAYS:
                yield name, role, way, steps_from(1, rng.uniform(1.1, 1.3))


def plan_short(seed, count):
    """A call or two of each operation and process, in a way that the seed chooses; and all
    reads of a change by the API, of which the last ones come after it is done."""
    rng = random.Random(seed)
    yield "administer", "web", "read", range(1, 13)
    for name, op in OPERATIONS.items():
        for role in op.roles:
            ways = ("eio", "sync", "die", "torn", "memory") if role == "store" else \
                ("memory", "read") if role in ("smtp", "queue") else ("memory",)
            for way in rng.sample(ways, min(count, len(ways))):
                yield name, role, way, (rng.randint(1, 40 if way == "memory" else 2),)


def judge_bounces(shots, found):
    """Each message that was taken and then refused for good: told of once."""
    home = shots.world.home
    texts = [m for _, m in home.inbox(home.accounts[1])]
    found["bounced"] = []
    for token, fate in shots.truth.bounced.items():
        times = sum(f"gone-{token}@".encode() in m for m in texts)
        if times > 1 or fate != "unknown" and times != (fate == "acked"):
            found["bounced"].append(f"{token} {fate}: told {times} times")


def judge_aliases(shots, found):
    """What the API said was made is there, and what it refused is not."""
    there = {a["address"].split("@")[0] for a in
             shots.world.home.json("alias", "list")["items"]}
    found["aliases"] = [f"{token} {fate}" for token, fate in shots.truth.aliases.items()
                        if fate != "unknown" and (fate == "acked") != (token in there)]
