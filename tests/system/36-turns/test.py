"""One client's huge command is not another's waiting: STORE and EXPUNGE of a large
mailbox, and SEARCH and FETCH of a huge message, while others write and ask. Counted in
what the others got done meanwhile, not in seconds."""
import os
import poplib
import re
import signal
import threading
import time

import check
from wire import Wire

ANN, BOB = "ann@home.example", "bob@home.example"
COUNT = 20000  # messages
TURNS = 20     # of the committer that they take (STORE_TURN_ROWS)
MANY = 2000    # messages in one APPEND: more than one operation of the store takes
HUGE_MIB = 40


def setup(world):
    world.names()
    world.home = world.appliance(plaintext='["127.0.0.0/8"]')


class Client(Wire):
    """IMAP, one command after the other."""

    def __init__(self, home, user):
        super().__init__(home.address, 143, timeout=120)
        self.n = 0
        self.line()
        self.ask_imap(b"LOGIN %s %s" % (user.encode(), home.passwords[user].encode()))

    def ask_imap(self, command, seconds=120):
        self.n += 1
        tag = b"t%d" % self.n
        self.send(tag + b" " + command + b"\r\n")
        lines = self.tagged(tag, seconds)
        check.true(lines and b" OK" in lines[-1], f"{command[:40]!r}: {lines[-1:]}")
        return lines

    def piece(self, command):
        """The one literal of the answer."""
        self.send(b"p " + command + b"\r\n")
        size = int(re.search(rb"\{(\d+)\}$", self.line(120)).group(1))
        while len(self.rest) < size:
            self.rest += self.s.recv(1 << 20)
        literal, self.rest = self.rest[:size], self.rest[size:]
        check.true(b" OK" in self.tagged(b"p")[-1], f"{command!r}")
        return literal


def append(client, mailbox, texts):
    """All of them in one command (RFC 3502)."""
    parts = b"".join(b" {%d+}\r\n%s" % (len(t), t) for t in texts)
    return client.ask_imap(b"APPEND " + mailbox + parts)


class Others:
    """Bob's clients, each asking the same again and again while something else runs."""

    def __init__(self, home, count, command):
        self.clients = [Client(home, BOB) for _ in range(count)]
        self.done, self.command, self.stop = [0] * count, command, False
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(count)]

    def run(self, i):
        while not self.stop:
            self.clients[i].ask_imap(self.command)
            self.done[i] += 1

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.stop = True
        for t in self.threads:
            t.join()

    def during(self, work):
        """work()'s result, and how much each of them got done meanwhile."""
        before = list(self.done)
        result = work()
        return result, [now - then for now, then in zip(self.done, before)]

    def served(self, least, work, what):
        """work()'s result, during which each of them is served so often at least. Where the
        machine is busy some sleep through it, so that it is done again until each was once
        awake: without turns it would be served once before and once behind, every time."""
        most, end = [0] * len(self.clients), time.monotonic() + 90
        while min(most) < least and time.monotonic() < end:
            result, done = self.during(work)
            most = list(map(max, most, done))
        check.true(min(most) >= least, f"others are served during {what}: {most}")
        return result


def go_on(done, turns, what):
    """Both write meanwhile, and together in so many of the turns: on a busy machine a client
    that is not awake misses some. Without turns each would be served once before and once
    behind."""
    check.true(min(done) >= 2 and sum(done) >= turns, f"others write during {what}: {done}")


def status(client, mailbox, item):
    line = b" ".join(client.ask_imap(b"STATUS %s (%s)" % (mailbox, item)))
    return int(re.search(item + rb" (\d+)", line).group(1))


def test_large_sets(world):
    home = world.home
    ann = Client(home, ANN)
    ann.ask_imap(b"CREATE big")
    text = b"Subject: one of many\r\n\r\nx\r\n"
    for n in range(COUNT // 500):
        append(ann, b"big", [text] * 500)
        if n == 0:
            check.contains(ann.ask_imap(b"SELECT big"), b"* 500 RECENT", "the first ones")
            ann.ask_imap(b"UNSELECT")
    # More than one read of the index gives, and again with the few others counted instead.
    for command in (b"EXAMINE big", b"SELECT big"):
        check.contains(ann.ask_imap(command), b"* %d RECENT" % (COUNT - 500), "recent ones")
    check.contains(ann.ask_imap(b"EXAMINE big"), b"* 0 RECENT", "told once")
    ann.ask_imap(b"SELECT big")
    lines = ann.ask_imap(b"STORE 1:* +FLAGS (\\Flagged)")
    check.equal(sum(b"FETCH (FLAGS" in line for line in lines), COUNT, "told of each, once")
    # Nothing is written to ann below: what the others get done is done between turns.
    with Others(home, 2, b"APPEND INBOX {%d+}\r\n%s" % (len(text), text)) as others:
        _, done = others.during(lambda: ann.ask_imap(b"STORE 1:* +FLAGS.SILENT (\\Deleted)"))
        go_on(done, TURNS // 2, "STORE")
        ann.ask_imap(b"STORE 1:%d -FLAGS.SILENT (\\Deleted)" % (COUNT // 2))
        _, done = others.during(lambda: ann.ask_imap(b"CLOSE"))
        go_on(done, TURNS // 4, "CLOSE")
    check.equal(status(ann, b"big", b"MESSAGES"), COUNT // 2, "left")
    ann.ask_imap(b"SELECT big")
    ann.ask_imap(b"STORE 1:%d +FLAGS.SILENT (\\Deleted)" % (COUNT // 4))
    lines = ann.ask_imap(b"EXPUNGE")
    check.equal(sum(line.endswith(b"EXPUNGE") for line in lines), COUNT // 4, "told of each")
    check.equal(status(ann, b"big", b"MESSAGES"), COUNT // 4, "left")
    lines = ann.ask_imap(b"UID SEARCH RETURN (MIN MAX) ALL")
    check.contains(lines[0], b"MIN %d MAX %d" % (COUNT // 4 + 1, COUNT // 2), "those that are left")
    lines = ann.ask_imap(b"STORE 1:* +FLAGS.SILENT (\\Seen)")
    check.equal(sum(b"FETCH" in line for line in lines), 0, ".SILENT is silent over all turns")
    check.equal(status(ann, b"big", b"UNSEEN"), 0, "all are seen")


def count(client, mailbox):
    return status(client, mailbox, b"MESSAGES")


def uids(line, word):
    """How many UIDs the sets of COPYUID or APPENDUID hold, and whether they ascend."""
    sets = re.search(word + rb" \d+ ([0-9:, ]+)\]", line).group(1).split()
    result = []
    for one in sets:
        flat = [int(n) for part in one.split(b",") for n in (part.split(b":") * 2)[:2]]
        check.equal(flat, sorted(flat), "ascending")
        result.append(sum(b - a + 1 for a, b in zip(flat[::2], flat[1::2])))
    return result


def test_copies(world):
    """COPY, MOVE, RENAME of INBOX and DELETE of a large mailbox, one APPEND of very many."""
    home = world.home
    ann = Client(home, ANN)
    text = b"Subject: one of many\r\n\r\nx\r\n"
    for name in (b"all", b"copy", b"moved"):
        ann.ask_imap(b"CREATE " + name)
    lines = append(ann, b"all", [text] * MANY)
    check.equal(uids(lines[-1], b"APPENDUID"), [MANY], "each has its UID")
    for _ in range(COUNT // MANY - 1):
        append(ann, b"all", [text] * MANY)
    check.equal(count(ann, b"all"), COUNT, "all are there")
    ann.ask_imap(b"SELECT all")
    with Others(home, 2, b"APPEND INBOX {%d+}\r\n%s" % (len(text), text)) as others:
        lines, done = others.during(lambda: ann.ask_imap(b"COPY 1:* copy"))
        go_on(done, TURNS // 2, "COPY")
        check.equal(uids(lines[-1], b"COPYUID"), [COUNT, COUNT], "pairs")
        lines, done = others.during(lambda: ann.ask_imap(b"UID MOVE 1:* moved"))
        go_on(done, TURNS // 2, "MOVE")
        check.equal(uids(lines[0], b"COPYUID"), [COUNT, COUNT], "pairs")
        check.equal(sum(line.endswith(b"EXPUNGE") for line in lines), COUNT, "told of each")
        check.equal([count(ann, name) for name in (b"all", b"copy", b"moved")],
                    [0, COUNT, COUNT], "where they are")
        _, done = others.during(lambda: (ann.ask_imap(b"DELETE moved"), ann.ask_imap(b"CREATE moved")))
        check.equal(count(ann, b"moved"), 0, "a new one of this name")
        _, done = others.during(lambda: ann.ask_imap(b"UNSELECT"))
        ann.ask_imap(b"SELECT copy")
        ann.ask_imap(b"MOVE 1:* INBOX")
        _, done = others.during(lambda: ann.ask_imap(b"RENAME INBOX old"))
        go_on(done, TURNS // 4, "RENAME of INBOX")
    check.true(count(ann, b"old") >= COUNT, "what was in INBOX")
    check.equal(count(ann, b"INBOX"), 0, "and INBOX is empty")


def test_copies_undone(world):
    """What cannot be finished leaves the mailbox as it was."""
    home = world.home
    ann = Client(home, ANN)
    text = b"Subject: one of many\r\n\r\nx\r\n"
    there = count(ann, b"copy")
    head = b"".join(b" {%d+}\r\n%s" % (len(text), text) for _ in range(MANY))
    ann.send(b"w APPEND copy" + head + b" (\\Wrong) {1+}\r\nx\r\n")
    check.contains(ann.tagged(b"w", 120)[-1], b"w BAD", "a wrong flag")
    check.until(lambda: count(ann, b"copy") == there, "none of those before it")
    # Somebody who goes away in the middle of an APPEND, and one who does of a COPY.
    gone = Client(home, ANN)
    gone.send(b"x APPEND copy" + head)
    check.until(lambda: count(ann, b"copy") > there, "the first turns are there")
    gone.close()
    check.until(lambda: count(ann, b"copy") == there, "and taken back")
    gone = Client(home, ANN)
    gone.ask_imap(b"SELECT old")
    gone.send(b"x COPY 1:* copy\r\n")
    check.until(lambda: count(ann, b"copy") > there, "the first turns are there")
    gone.close()
    check.until(lambda: count(ann, b"copy") in (there, there + count(ann, b"old")),
                "all or none")
    # The process that copies is killed: the store takes back what it did.
    gone = Client(home, ANN)
    gone.send(b"x APPEND copy" + head)
    before = count(ann, b"copy")
    check.until(lambda: count(ann, b"copy") > before, "the first turns are there")
    for pid in home.workers()["imap"]:
        os.kill(pid, signal.SIGKILL)
    check.until(lambda: count(Client(home, ANN), b"copy") == before, "taken back")


def test_huge_message(world):
    """Its bytes are read and searched in turns; every process goes on serving."""
    home = world.home
    ann = Client(home, ANN)
    line = b"nothing of interest stands in this line, which is one of very many\r\n"
    body = line * (HUGE_MIB * 1024 * 1024 // len(line))
    huge = b"Subject: huge\r\n\r\n" + body + b"but here is the needle\r\n"
    append(ann, b"INBOX", [huge])
    append(ann, b"INBOX", [b"Subject: small\r\n\r\nneedle\r\n"])
    ann.ask_imap(b"SELECT INBOX")
    with Others(home, 4, b"NOOP") as others:
        for program, found in ((b"BODY needle", [b"1", b"2"]), (b"NOT BODY needle", []),
                               (b"BODY interest BODY needle", [b"1"]),
                               (b"OR BODY absent TEXT huge", [b"1"]),
                               (b"BODY absent", [])):
            lines = others.served(4, lambda p=program: ann.ask_imap(b"SEARCH " + p), program.decode())
            check.equal(lines[0].split()[2:], found, program.decode())
        lines = ann.ask_imap(b"FETCH 1 (BODY.PEEK[]<0.20> BODY.PEEK[HEADER])")
        check.true(b"Subject: huge" in b" ".join(lines), f"the beginning: {lines[:3]}")
        lines = others.served(10, lambda: ann.ask_imap(b"FETCH 1 BODY.PEEK[]"), "FETCH")
        check.equal(sum(part == line[:-2] for part in lines), len(body) // len(line), "its lines")


def io_of(home, word):
    """A counter of /proc/PID/io, of all IMAP processes."""
    return sum(int(re.search(rf"(?m)^{word}: (\d+)$", open(f"/proc/{pid}/io").read()).group(1))
               for pid in home.workers()["imap"])


def held_by(pid):
    """Unlinked files that a process has mapped."""
    return [line for line in open(f"/proc/{pid}/maps")
            if "(deleted)" in line and "/blobs/" in line]


def held(home):
    return [line for pid in home.workers()["imap"] for line in held_by(pid)]


def test_huge_message_in_pieces(world):
    """Programs ask for it so; it is unpacked once, and not kept for long."""
    home = world.home
    ann = Client(home, ANN)
    ann.ask_imap(b"SELECT INBOX")
    before = io_of(home, "wchar")
    whole = ann.piece(b"FETCH 1 BODY.PEEK[]<0.3000000>")
    pieces = [ann.piece(b"FETCH 1 BODY.PEEK[]<%d.100000>" % at) for at in range(0, 3000000, 100000)]
    check.true(b"".join(pieces) == whole and len(whole) == 3000000, "the same bytes")
    unpacked = (io_of(home, "wchar") - before) // (HUGE_MIB * 1024 * 1024)
    check.true(unpacked <= 2, f"unpacked {unpacked} times for 31 commands")
    check.true(held(home), "it is at hand")
    check.until(lambda: not held(home), "it is given back, though the client stays")
    ann.ask_imap(b"FETCH 1 BODY.PEEK[]<5.10>")
    ann.ask_imap(b"UNSELECT")
    check.equal(held(home), [], "it goes with the mailbox")


def test_few_large_messages_are_kept(world):
    """However many connections read one: eight of a process, the last ones."""
    home = world.home
    line = b"one of the lines of a large message\r\n"
    clients = [Client(home, BOB)]
    clients[0].ask_imap(b"CREATE large")
    append(clients[0], b"large", [b"Subject: large\r\n\r\n" + line * (3 * 512 * 1024 // len(line))])
    clients += [Client(home, BOB) for _ in range(17)]
    for c in clients:
        c.ask_imap(b"SELECT large")
        c.piece(b"FETCH 1 BODY.PEEK[]<100.10>")
    counts = sorted(len(held_by(pid)) for pid in home.workers()["imap"])
    check.equal(counts[-1], 8, f"up to the limit and not over it {counts}")
    check.equal(clients[0].piece(b"FETCH 1 BODY.PEEK[]<100.10>"),
                clients[-1].piece(b"FETCH 1 BODY.PEEK[]<100.10>"), "the first reads it again")
    for c in clients:
        c.close()
    check.until(lambda: not held(home), "all is given back")


def test_slow_readers_of_one_account(world):
    """Who takes minutes over a huge message keeps no other program of theirs from a large one."""
    home = world.home
    text = b"Subject: large\r\n\r\n" + b"one of the lines of a large message\r\n" * 20000
    slow = [Client(home, ANN) for _ in range(3)]
    for c in slow:
        c.ask_imap(b"SELECT INBOX")
        c.send(b"x FETCH 1 BODY.PEEK[]\r\n")
        c.line()  # it has begun
    desktop = [Client(home, ANN) for _ in range(4)]
    append(desktop[0], b"INBOX", [text])
    for c in desktop:
        c.ask_imap(b"SELECT INBOX")
        c.s.settimeout(20)  # they are cut off after a minute
        check.equal(len(c.piece(b"FETCH * BODY.PEEK[]")), len(text), "all of it")
    for c in slow + desktop:
        c.close()


def test_huge_message_by_pop3(world):
    home = world.home
    with Others(home, 4, b"NOOP") as others:
        m = poplib.POP3(home.address, 110, timeout=120)
        m.user(ANN)
        m.pass_(home.passwords[ANN])
        _, lines, size = others.served(10, lambda: m.retr(1), "RETR")
        check.true(size > HUGE_MIB * 1000000, f"all of it: {size}")
        check.equal(lines[-1], b"but here is the needle", "to the end")
        check.equal(m.retr(2)[1][-1], b"needle", "and a small one")
        m.quit()
