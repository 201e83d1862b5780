"""Two clients do the same at ours and at Dovecot, drawn at random: what they hear must be
the same, but for words, and the mailboxes must end alike. Same seed, same story."""
import random
import re

import check
from appliance import PATIENCE
from dovecot import Dovecot
from wire import Wire

SEED = 20261129
STORIES, STEPS = 4, 120
BOXES = ["INBOX", "work", "old/2025"]
FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Work", "NonJunk"]
WORDS = ["lunch", "Grüße", "invoice", "meeting", "nobody-has-this"]


def setup(world):
    world.names()
    users = {f"teller{n}@home.example": "a-secret-to-tell" for n in range(STORIES)}
    home = world.appliance(plaintext='["127.0.0.0/8"]')
    for user in users:
        home.add_account(user)
    world.dovecot = world.start(Dovecot(world.out / "dovecot", users=users))


def parse(data, at=0):
    """One value at data[at] (a list, bytes, None for NIL), and where it ends."""
    if data[at:at + 1] == b"(":
        items, at = [], at + 1
        while data[at:at + 1] != b")":
            item, at = parse(data, at + (data[at:at + 1] == b" "))
            items.append(item)
        return items, at + 1
    if data[at:at + 1] == b'"':
        end = at + 1
        while data[end:end + 1] != b'"':
            end += 1 + (data[end:end + 1] == b"\\")
        return re.sub(rb"\\(.)", rb"\1", data[at + 1:end]), end + 1
    if data[at:at + 1] == b"{":
        end = data.index(b"}\r\n", at)
        size = int(data[at + 1:end])
        return data[end + 3:end + 3 + size], end + 3 + size
    m = re.compile(rb"[^ ()\[]*(\[[^]]*\](<\d+>)?)?").match(data, at)
    return (None if m.group() == b"NIL" else m.group()), m.end()


class EndOfPeer(Exception):
    """Dovecot 2.3.19 panics at MOVE of messages that are gone: there the story ends."""


class Client(Wire):
    """Speaks, and keeps what it heard in a form that can be compared."""

    def __init__(self, server, user):
        super().__init__(server.address, 143, timeout=60)
        self.n, self.is_peer = 0, isinstance(server, Dovecot)
        self.line()
        self.ask(f'LOGIN {user} "{server.passwords[user]}"'.encode())

    def response(self):
        """One line, with its literals in it."""
        whole = b""
        while True:
            line = self.line(60 * PATIENCE)
            if line is None:
                raise EndOfPeer if self.is_peer else EOFError("closed")
            whole += line
            m = re.search(rb"\{(\d+)\}$", line)
            if not m:
                return whole
            size = int(m.group(1))
            while len(self.rest) < size:
                self.rest += self.s.recv(65536)
            whole += b"\r\n" + self.rest[:size]
            self.rest = self.rest[size:]

    def ask(self, command):
        """-> (OK, NO or BAD, what was told as a dictionary)"""
        self.n += 1
        tag = b"t%d" % self.n
        self.send(tag + b" " + command + b"\r\n")
        heard = {"fetch": {}, "search": None, "expunge": [], "exists": None, "status": {},
                 "list": {}, "copyuid": None}
        while True:
            line = self.response()
            if b"COPYUID" in line or b"APPENDUID" in line:
                heard["copyuid"] = sets_of(re.search(rb"UID \d+ ([^]]+)\]", line).group(1))
            if line.startswith(tag + b" "):
                return line.split()[1].decode(), heard
            self.take(line, heard)

    def take(self, line, heard):
        words = line.split(b" ", 3)
        if words[1] in (b"SEARCH", b"ESEARCH", b"STATUS", b"LIST"):
            getattr(self, "take_" + words[1].decode().lower())(line, heard)
        elif len(words) > 2 and words[2] == b"FETCH":
            values, _ = parse(words[3])
            # A part that is not there is NIL here and empty there.
            items = {k.upper(): v if v is not None else b"" for k, v in zip(values[::2], values[1::2])}
            if b"INTERNALDATE" in items:
                items[b"INTERNALDATE"] = items[b"INTERNALDATE"].strip().rjust(26, b"0")
            if b"FLAGS" in items:
                items[b"FLAGS"] = sorted(f.lower() for f in items[b"FLAGS"] if f != b"\\Recent")
            heard["fetch"].setdefault(int(words[1]), {}).update(items)
        elif len(words) > 2 and words[2] == b"EXPUNGE":
            heard["expunge"].append(int(words[1]))
        elif len(words) > 2 and words[2] == b"EXISTS":
            heard["exists"] = int(words[1])

    def take_search(self, line, heard):
        heard["search"] = sorted(int(n) for n in line.split()[2:])

    def take_esearch(self, line, heard):
        found = re.findall(rb" (MIN|MAX|COUNT|ALL) (\S+)", line)
        heard["search"] = {k: expand(v) if k == b"ALL" else v for k, v in found}

    def take_status(self, line, heard):
        name, at = parse(line, len(b"* STATUS "))
        values, _ = parse(line, at + 1)
        heard["status"][name] = dict(zip(values[::2], values[1::2]))

    def take_list(self, line, heard):
        flags, at = parse(line, len(b"* LIST "))
        _, at = parse(line, at + 1)
        name, _ = parse(line, at + 1)
        flags = {f.lower() for f in flags}
        # A level that is no mailbox must be told for "%" only, and may be for "*".
        if b"\\noselect" not in flags:
            heard["list"][name] = sorted(f for f in flags if b"child" in f)


def expand(text):
    numbers = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        numbers += range(int(first), int(last or first) + 1)
    return sorted(numbers)


def sets_of(text):
    return [expand(part) for part in text.split()]


# --- what is asked ------------------------------------------------------------------------

def text_of(draw, n):
    word = draw.choice(WORDS[:-1])
    return (f"From: P{n % 5} <p{n % 5}@peer.example>\r\nTo: ann@home.example\r\n"
            f"Subject: =?utf-8?q?{''.join('=%02X' % b for b in word.encode())}?= {n}\r\n"
            f"Date: {1 + n % 28:02d} Nov 2025 10:00:00 +0000\r\nMessage-ID: <{n}@peer.example>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=xx\r\n\r\n"
            f"preamble\r\n--xx\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{draw.choice(WORDS)} {n}\r\n"
            f"--xx\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner {n}\r\n\r\ninner text\r\n--xx--\r\n"
            ).encode()


def a_set(draw, last):
    """Numbers that exist, as a set."""
    parts = []
    for _ in range(draw.randint(1, 3)):
        a, b = sorted((draw.randint(1, last), draw.randint(1, last)))
        parts.append(draw.choice([f"{a}", f"{a}:{b}", f"{b}:{a}", f"{a}:*", "*"]))
    return ",".join(parts)


def a_key(draw, last, depth=0):
    kind = draw.randrange(13 if depth < 2 else 10)
    day = f"{draw.randint(1, 28)}-Nov-2025"
    return [
        lambda: draw.choice(["ALL", "SEEN", "UNSEEN", "DELETED", "UNDELETED", "FLAGGED", "UNDRAFT"]),
        lambda: f"{draw.choice(['KEYWORD', 'UNKEYWORD'])} {draw.choice(['$Work', 'NonJunk', 'Unheard'])}",
        lambda: f"{draw.choice(['SINCE', 'BEFORE', 'ON'])} {day}",
        lambda: f"{draw.choice(['SENTSINCE', 'SENTBEFORE', 'SENTON'])} {day}",
        lambda: f"{draw.choice(['LARGER', 'SMALLER'])} {draw.randint(400, 600)}",
        lambda: f"SUBJECT {draw.choice(['lunch', 'INVOICE', 'meet', 'inner'])}",
        lambda: f"{draw.choice(['FROM', 'TO', 'CC'])} {draw.choice(['p1', 'ann@', 'peer.example'])}",
        lambda: f"{draw.choice(['BODY', 'TEXT'])} {draw.choice(['lunch', 'meeting', 'nobody-has-this', 'inner'])}",
        lambda: f"UID {a_set(draw, last + 5)}",
        lambda: f"HEADER Message-ID <{draw.randint(1, 40)}@",
        lambda: f"NOT {a_key(draw, last, depth + 1)}",
        lambda: f"OR {a_key(draw, last, depth + 1)} {a_key(draw, last, depth + 1)}",
        lambda: f"({a_key(draw, last, depth + 1)} {a_key(draw, last, depth + 1)})",
    ][kind]()


ITEMS = ["FLAGS", "UID", "RFC822.SIZE", "INTERNALDATE", "ENVELOPE", "BODY.PEEK[]",
         "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]", "BODY.PEEK[1]", "BODY.PEEK[2.HEADER]",
         "BODY.PEEK[2.TEXT]", "BODY.PEEK[1.MIME]", "BODY.PEEK[9]", "BODY.PEEK[TEXT]<5.20>",
         "BODY.PEEK[HEADER.FIELDS (Subject X-None)]", "BODY.PEEK[HEADER.FIELDS.NOT (Subject Date)]",
         "BODY[1]", "RFC822.HEADER", "BODYSTRUCTURE", "BODY"]


class Story:
    """What a client may ask next, drawn from what it knows."""

    def __init__(self, draw):
        self.draw, self.n = draw, 0
        self.selected = [None, None]  # by client
        self.exists = [0, 0]
        self.readonly = [False, False]

    def append(self, who):
        self.n += 1
        text = text_of(self.draw, self.n)
        flags = " ".join(self.draw.sample(FLAGS, self.draw.randint(0, 3)))
        day = f"{self.draw.randint(1, 28):02d}-Nov-2025"
        box = self.draw.choice(BOXES + ["missing"])
        return f'APPEND {box} ({flags}) "{day} 12:00:00 +0000" {{{len(text)}+}}\r\n'.encode() + text

    def without_box(self, who):
        draw = self.draw
        name = draw.choice(["new", "new/below", "work", "old/2025", "old", "missing"])
        return draw.choice([
            f"CREATE {name}", "DELETE new", "DELETE new/below", "DELETE newest", "DELETE missing",
            f"RENAME {draw.choice(['new', 'missing'])} {draw.choice(['newer', 'work'])}",
            "RENAME newer newest", f"STATUS {name} (MESSAGES UIDNEXT UNSEEN)",
            'LIST "" *', 'LIST "" %', 'LIST "" "old/%"', 'LIST "old/" "*"', "NOOP"]).encode()

    def select(self, who):
        box = self.draw.choice(BOXES + ["nowhere"])
        return f"{self.draw.choice(['SELECT', 'SELECT', 'EXAMINE'])} {box}".encode()

    def with_box(self, who):
        draw, last = self.draw, max(1, self.exists[who])
        # Numbers of an empty mailbox are an error there, and nothing here.
        uid = draw.choice(["", "UID "]) if self.exists[who] else "UID "
        numbers = a_set(draw, last + 5 if uid else last)
        flags = " ".join(draw.sample(FLAGS, draw.randint(1, 2)))
        items = " ".join(draw.sample(ITEMS, draw.randint(1, 3)))
        box = draw.choice(BOXES + ["missing"])
        # Dovecot lets clients write where they said EXAMINE: nobody needs to hear what of it.
        writes = [] if self.readonly[who] else [
            f"{uid}STORE {numbers} {draw.choice(['+', '-', ''])}FLAGS ({flags})",
            f"{uid}STORE {numbers} {draw.choice(['+', '-', ''])}FLAGS.SILENT ({flags})",
            f"{uid}MOVE {numbers} {box}", "EXPUNGE", f"UID EXPUNGE {a_set(draw, last + 5)}"]
        return draw.choice(writes + [
            f"{uid}FETCH {numbers} ({items})", f"{uid}FETCH {numbers} {draw.choice(['ALL', 'FAST', 'FULL'])}",
            f"{uid}SEARCH {a_key(draw, last)} {a_key(draw, last)}", f"{uid}SEARCH {a_key(draw, last)}",
            f"{uid}SEARCH RETURN (MIN MAX COUNT ALL) {a_key(draw, last)}",
            f"{uid}COPY {numbers} {box}", "CHECK", "CLOSE", "UNSELECT", "NOOP"]).encode()

    def next(self, who):
        if self.selected[who] is None:
            ask = self.draw.choice([self.append, self.without_box, self.select, self.select])
        else:
            ask = self.draw.choice([self.append, self.without_box, self.select] + [self.with_box] * 9)
        return ask(who)


def known(heard, exists):
    """How many messages a client knows of after this."""
    if heard["exists"] is not None:
        return heard["exists"]
    return exists - len(heard["expunge"])


def comparable(command, heard, exists):
    """What both must say alike. Flags of messages that others changed come when they come."""
    said = {k: heard[k] for k in ("search", "status", "list", "copyuid")}
    said["exists"] = known(heard, exists)
    # The order of the EXPUNGEs is a server's own: which messages they name is not.
    left = list(range(1, exists + 1))
    for n in heard["expunge"]:
        left.pop(n - 1)
    said["left"] = left
    if b"FETCH" in command or b"STORE" in command:
        said["fetch"] = heard["fetch"]
    return said


def differences(ours, theirs):
    if ours[0] != theirs[0]:
        return f"{ours[0]}, Dovecot {theirs[0]}"
    found = []
    for k, v in ours[1].items():
        w = theirs[1].get(k)
        if k == "fetch" and v.keys() == w.keys():
            found += [f"FETCH {n}: {v[n]!r}, Dovecot {w[n]!r}" for n in v if v[n] != w[n]][:1]
        elif v != w:
            found.append(f"{k}: {v!r}, Dovecot {w!r}")
    return "; ".join(found)


def step(story, clients, who, log):
    """The same to both; False: they differ."""
    noops = [server[who].ask(b"NOOP") for server in clients]
    counts = [known(heard, story.exists[who]) for _, heard in noops]
    if story.selected[who] is not None:
        check.equal(counts[0], counts[1], f"messages known\n{log()}")
        story.exists[who] = counts[0]
    command = story.next(who)
    answers = [server[who].ask(command) for server in clients]
    log(command)
    before = story.exists[who] if story.selected[who] is not None else 0
    selects = command.split()[0] in (b"SELECT", b"EXAMINE")
    said = [(status, comparable(command, heard, before if not selects else 0))
            for status, heard in answers]
    # Dovecot tells what STORE has changed, RFC 3501 6.4.6 all that it names.
    if b"STORE" in command:
        said[0][1]["fetch"] = {n: v for n, v in said[0][1]["fetch"].items() if n in said[1][1]["fetch"]}
    if said[0] != said[1]:
        check.fail(f"they differ: {differences(*said)}\n{log()}")
        return False
    if selects or command in (b"CLOSE", b"UNSELECT"):
        story.selected[who] = command.split()[1] if selects and said[0][0] == "OK" else None
        story.exists[who] = 0
        story.readonly[who] = command.startswith(b"EXAMINE")
    if story.selected[who] is not None:
        story.exists[who] = said[0][1]["exists"]
    return said


def whole(client):
    """Every mailbox with every message."""
    found = {}
    for box in BOXES:
        _, heard = client.ask(f"EXAMINE {box}".encode())
        if heard["exists"]:
            _, heard = client.ask(b"FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)")
        found[box] = heard["fetch"]
    client.ask(b"UNSELECT")
    return found


def tell(draw, clients):
    """One story. False: they differed, and it was said how."""
    said = []

    def log(command=None):
        if command is not None:
            said.append(command.split(b"\r\n")[0])
        return b"\n".join(said[-12:]).decode(errors="replace")

    for name in ("Drafts", "Sent", "Junk", "Trash", "Archive"):
        clients[1][0].ask(b"CREATE " + name.encode())
    for server in clients:
        for box in BOXES[1:]:
            server[0].ask(f"CREATE {box}".encode())
    story = Story(draw)
    for _ in range(STEPS):
        if not step(story, clients, draw.randrange(2), log):
            return False
    for server in clients:
        for client in server:
            client.ask(b"UNSELECT")
    check.equal(whole(clients[0][0]), whole(clients[1][0]), "all mailboxes")
    return True


def test_the_same_story(world):
    told = 0
    for n in range(STORIES):
        user = f"teller{n}@home.example"
        clients = [[Client(server, user), Client(server, user)] for server in (world.home, world.dovecot)]
        try:
            check.true(tell(random.Random(SEED + n), clients), f"seed {SEED + n}")
            told += 1
        except EndOfPeer:
            pass
        for server in clients:
            for client in server:
                client.close()
    check.true(told > STORIES // 2, f"told to their end: {told}")
