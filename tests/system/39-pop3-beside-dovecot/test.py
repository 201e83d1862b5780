"""POP3: the same dialogue, drawn at random, with ours and with Dovecot; what they answer
must be the same, but for words and the form of unique ids. Then what only ours promises."""
import random
import re

import check
from dovecot import Dovecot
from wire import Wire

SEED = 20261129
STORIES, STEPS = 6, 90
ANN = "ann@home.example"


def setup(world):
    world.names()
    users = {f"popper{n}@home.example": "a-secret-to-tell" for n in range(STORIES)}
    home = world.appliance(plaintext='["127.0.0.0/8"]')
    for user in users:
        home.add_account(user)
    world.dovecot = world.start(Dovecot(world.out / "dovecot", users=users))


MULTI = re.compile(rb"(?i)(RETR\b|TOP\b|CAPA$|(LIST|UIDL) *$)")


class Pop(Wire):
    """One session; an answer is its first word and the lines behind it."""

    def __init__(self, server, user):
        super().__init__(server.address, 110, timeout=60)
        self.line()
        self.ask_pop(b"USER " + user.encode())
        self.login = self.ask_pop(b"PASS " + server.passwords[user].encode())

    def ask_pop(self, command):
        """-> (+OK or -ERR, the rest of that line, lines)"""
        self.send(command + b"\r\n")
        first = self.line(60)
        if first is None:
            return b"", b"", []
        status, _, rest = first.partition(b" ")
        lines = []
        while status == b"+OK" and MULTI.match(command):
            line = self.line(60)
            if line is None or line == b".":
                break
            lines.append(line)
        return status, rest, lines


class Imap(Wire):
    def __init__(self, server, user):
        super().__init__(server.address, 143, timeout=60)
        self.n = 0
        self.line()
        self.ask_imap(f"LOGIN {user} {server.passwords[user]}".encode())

    def ask_imap(self, command):
        self.n += 1
        tag = b"t%d" % self.n
        self.send(tag + b" " + command + b"\r\n")
        return self.tagged(tag, 60)


# --- what is asked ------------------------------------------------------------------------

def text_of(draw, n):
    """Messages with what POP3 must take care of."""
    body = b"".join(draw.choice([b"line %d\r\n" % n, b".\r\n", b"..\r\n", b".dot\r\n", b"\r\n",
                                 b"x" * draw.randint(1, 3000) + b"\r\n", "Grüße\r\n".encode(),
                                 b"From here\r\n", b"\ttab \r\n"])
                    for _ in range(draw.randint(0, 12)))
    header = (b"From: p@peer.example\r\nSubject: %d\r\n folded\r\nMessage-ID: <%d@peer.example>\r\n"
              % (n, n))
    whole = header + b"\r\n" + body
    how = draw.randrange(8)
    if how == 0:
        return header + b"\r\n" + body + b"no end"
    if how == 1:
        return header
    if how == 2:
        return header + b"\r\nbare\rcr\r\n"
    return whole


def a_command(draw, count):
    n = draw.choice([draw.randint(1, max(1, count))] * 6 +
                    [0, count + 1, 4294967295, 4294967297, 10 ** 30, -1])
    number = draw.choice([str(n)] * 8 + ["", "x", "1x", "+1", "1 2"])
    return draw.choice([
        "STAT", "STAT", "NOOP", "RSET", "LIST", "LIST", f"LIST {number}", f"RETR {number}",
        f"RETR {number}", f"retr {n}", f"DELE {number}", f"DELE {n}", f"TOP {n} {draw.randint(0, 15)}",
        f"TOP {n} {draw.randint(0, 15)}", f"TOP {n}", "TOP", f"TOP {n} -1", f"top {n} 4294967295",
        "UIDL", f"UIDL {n}", "FOO", "USER somebody", "PASS x", "STLS"]).encode()


def comparable(command, answer):
    status, rest, lines = answer
    verb = command.upper().split()[0]
    if verb == b"STAT" and status == b"+OK":
        return status, rest.split()[:2]
    if verb == b"LIST" and status == b"+OK" and not lines and len(command.split()) > 1:
        return status, rest.split()[:2]
    if verb == b"UIDL":
        # The ids are a server's own.
        return status, [line.split()[0] for line in lines]
    return status, lines


def step(clients, command, log):
    log(command)
    answers = [c.ask_pop(command) for c in clients]
    said = [comparable(command, a) for a in answers]
    if said[0] != said[1]:
        check.fail(f"{command!r}: {said[0]!r}, Dovecot {said[1]!r}\n{log()}")
        return False
    return True


def tell(draw, servers, user):
    """Sessions one after the other on one maildrop; False: they differed, and it was said."""
    said, ids, n = [], {}, 0

    def log(command=None):
        if command is not None:
            said.append(command)
        return b"\n".join(said[-12:]).decode(errors="replace")

    for _ in range(4):
        texts = [text_of(draw, n + i) for i in range(draw.randint(1, 6))]
        n += len(texts)
        for server in servers:
            m = Imap(server, user)
            for text in texts:
                m.ask_imap(b"APPEND INBOX {%d+}\r\n%s" % (len(text), text))
            m.ask_imap(b"LOGOUT")
            m.close()
        clients = [Pop(server, user) for server in servers]
        check.equal([c.login[0] for c in clients], [b"+OK"] * 2, f"logins {clients[0].login}")
        stats = [c.ask_pop(b"STAT")[1].split()[:2] for c in clients]
        if not check.equal(stats[0], stats[1], f"maildrop\n{log()}"):
            return False
        count = int(stats[0][0])
        for line in clients[0].ask_pop(b"UIDL")[2]:
            number, uid = line.split()
            subject = re.search(rb"Subject: (\d+)", b"\n".join(
                clients[0].ask_pop(b"TOP %s 0" % number)[2])).group(1)
            check.equal(ids.setdefault(subject, uid), uid, "a unique id stays")
        check.equal(len(set(ids.values())), len(ids), "and is unique")
        for _ in range(STEPS // 4):
            if not step(clients, a_command(draw, count), log):
                return False
        ends = draw.choice([b"QUIT", b"QUIT", b"RSET", b""])
        if ends and not step(clients, ends, log):
            return False
        log(b"QUIT" if ends == b"QUIT" else b"(gone without QUIT)")
        for c in clients:
            c.close()
    return True


def test_the_same_dialogue(world):
    for n in range(STORIES):
        check.true(tell(random.Random(SEED + n), (world.home, world.dovecot),
                        f"popper{n}@home.example"), f"seed {SEED + n}")


def fill(home, count):
    m = Imap(home, ANN)
    for n in range(count):
        text = b"Subject: %d\r\n\r\n%d\r\n" % (n, n)
        m.ask_imap(b"APPEND INBOX {%d+}\r\n%s" % (len(text), text))
    m.ask_imap(b"SELECT INBOX")
    return m


def test_two_sessions_and_imap(world):
    """No lock: each sees what was there at its login, and only QUIT removes."""
    home = world.home
    m = fill(home, 4)
    one, two = Pop(home, ANN), Pop(home, ANN)
    check.equal([p.ask_pop(b"STAT")[1].split()[0] for p in (one, two)], [b"4", b"4"], "both")
    one.ask_pop(b"DELE 1")
    one.ask_pop(b"DELE 2")
    check.equal(two.ask_pop(b"RETR 1")[0], b"+OK", "a mark is one session's own")
    m.ask_imap(b"STORE 3 +FLAGS.SILENT (\\Deleted)")
    m.ask_imap(b"EXPUNGE")
    for command in (b"RETR 3", b"TOP 3 0"):
        check.equal(two.ask_pop(command)[0], b"-ERR", "gone by IMAP")
    check.equal(two.ask_pop(b"RETR 4")[2], [b"Subject: 3", b"", b"3"], "the number of another stays")
    text = b"Subject: late\r\n\r\nlate\r\n"
    m.ask_imap(b"APPEND INBOX {%d+}\r\n%s" % (len(text), text))
    check.equal(two.ask_pop(b"STAT")[1].split()[0], b"4", "what comes later is not seen")
    two.ask_pop(b"DELE 3")
    two.ask_pop(b"DELE 4")
    two.close()
    check.equal(one.ask_pop(b"QUIT")[0], b"+OK", "QUIT")
    check.true(any(b"2 EXISTS" in line for line in m.ask_imap(b"EXAMINE INBOX")), "two are left")
    three = Pop(home, ANN)
    check.equal([three.ask_pop(b"TOP %d 0" % n)[2][0] for n in (1, 2)],
                [b"Subject: 3", b"Subject: late"], "without QUIT nothing went")
    # All that was asked for is done, though nobody waits for the answer.
    three.send(b"DELE 1\r\nDELE 2\r\nQUIT\r\n")
    three.close()
    check.until(lambda: any(b" 0 EXISTS" in line for line in m.ask_imap(b"EXAMINE INBOX")),
                "QUIT and gone")
    m.close()


def test_bare_newlines(world):
    """Both end each line in CRLF, whatever was stored; ours counts what was stored."""
    bare = b"Subject: bare\r\n\r\nend of\n.\n..\r\nmixed\n" + b"x" * 70000 + b"\n\r\n"
    heard = []
    for server in (world.home, world.dovecot):
        user = "popper0@home.example"
        m = Imap(server, user)
        m.ask_imap(b"APPEND INBOX {%d+}\r\n%s" % (len(bare), bare))
        p = Pop(server, user)
        count = p.ask_pop(b"STAT")[1].split()[0]
        p.ask_pop(b"NOOP")
        p.send(b"RETR %s\r\nNOOP\r\n" % count)
        raw = b""
        while b"\r\n.\r\n" not in raw:
            raw += p.s.recv(65536)
        heard.append(raw[raw.index(b"\r\n"):raw.index(b"\r\n.\r\n")])
        p.close()
        m.close()
    check.equal(heard[0], heard[1], "byte by byte")


def test_pipelined(world):
    """One packet with everything, answers in order (RFC 2449 6.6)."""
    home = world.home
    m = fill(home, 2)
    w = Wire(home.address, 110)
    w.send(b"CAPA\r\nUSER %s\r\nPASS %s\r\nSTAT\r\nRETR 1\r\nTOP 2 0\r\nDELE 1\r\nNOOP\r\n"
           b"RSET\r\nDELE 2\r\nQUIT\r\nNOOP\r\n" % (ANN.encode(), home.passwords[ANN].encode()))
    lines = []
    while (line := w.line()) is not None:
        lines.append(line)
    text = b"\n".join(lines)
    check.equal(text.count(b"-ERR"), 0, f"all are good: {text!r}")
    check.equal([line[:3] for line in lines].count(b"+OK"), 12, f"each is answered: {text!r}")
    check.true(text.index(b"Subject: 0") < text.index(b"Subject: 1"), "in order")
    check.true(any(b" 1 EXISTS" in line for line in m.ask_imap(b"EXAMINE INBOX")), "one is left")
    m.close()


def test_sessions_are_counted_with_imap(world):
    home = world.home
    home.stop()
    home.write_config(more="limits: {imap_connections_account: 1}\n")
    home.start()
    # One in each of two processes; which one takes a connection is chance.
    held = []
    for _ in range(200):
        w = Imap(home, ANN)
        if any(b" OK " in line for line in w.ask_imap(b"STATUS INBOX (MESSAGES)")):
            held.append(w)
        else:
            w.close()
        if len(held) == 2:
            break
    check.equal(len(held), 2, "IMAP sessions")
    p = Pop(home, ANN)
    check.equal((p.login[0], p.login[1][:8]), (b"-ERR", b"[IN-USE]"), "one more by POP3")
    check.equal(p.ask_pop(b"NOOP")[0], b"-ERR", "it is not logged in")
    p.close()
    for w in held:
        w.ask_imap(b"LOGOUT")
        w.close()
    check.until(lambda: Pop(home, ANN).login[0] == b"+OK", "a place is free again")
