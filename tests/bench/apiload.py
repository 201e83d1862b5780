"""What the lists of the API cost over a full queue and a full delivery log."""
import http.client
import json
import random
import socket
import sqlite3
import struct
import time

from measure import cpu_by_role

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
HOUR = 3_600_000
STATES = {"deferred": 2, "held": 3}
REASONS = [("rate_limited", 421, "4.7.28", "Try again later"),
           ("connect_timeout", 0, "", "no answer"),
           ("greylisted", 451, "4.7.1", "Greylisted, come back in five minutes")]


def trace_id(ms, number):
    """As daemon/base/ids.c makes them."""
    text = ""
    for value, digits in ((ms, 10), (number, 6)):
        text += "".join(ALPHABET[value >> 5 * i & 31] for i in reversed(range(digits)))
    return "mtr_" + text


def packed(*strings):
    return b"".join(struct.pack("<I", len(s)) + s for s in (x.encode() for x in strings))


def fill_queue(data_dir, count):
    """That many messages to 500 destinations, none of them due for a day."""
    now, chance = int(time.time() * 1000), random.Random(1)
    db = sqlite3.connect(data_dir / "index.db")
    first = db.execute("SELECT value FROM meta WHERE name = 'next_id'").fetchone()[0]
    for i in range(count):
        made = now - (count - i) * 40
        ident, trace = first + i, trace_id(made, i)
        fields = packed("Ann", "Kim", "", f"Invoice {i}", "", "ann@home.example",
                        f"invoice {i}", f"<{i}@home.example>", "", "")
        db.execute("INSERT INTO message (id, refs, size, received_ms, trace_id, fields)"
                   " VALUES (?, 1, ?, ?, ?, ?)",
                   (ident, chance.randrange(500, 2_000_000), made, trace, fields))
        reason = chance.choice(REASONS)
        domain = f"d{i % 500}.example"
        db.execute("INSERT INTO queue (id, message_id, state, due_ms, attempts, created_ms,"
                   " expires_ms, trace_id, sender, rcpt, domain, last_class, last_code,"
                   " last_enhanced, last_text, last_host, last_ip, version) VALUES"
                   " (?, ?, ?, ?, ?, ?, ?, ?, 'ann@home.example', ?, ?, ?, ?, ?, ?, ?, ?, 1)",
                   (ident, ident, STATES["held" if i % 20 == 0 else "deferred"],
                    now + chance.randrange(24 * HOUR, 48 * HOUR), chance.randrange(1, 12),
                    made, now + 120 * HOUR, trace, f"kim{i}@{domain}", domain, *reason,
                    f"mx.{domain}", "203.0.113.9"))
    db.execute("UPDATE meta SET value = ? WHERE name = 'next_id'", (first + count + 4096,))
    db.commit()
    db.close()


def like(day, other):
    """A day of the log, empty, in the shape of the one that is there."""
    db = sqlite3.connect(day)
    db.execute("ATTACH ? AS other", (str(other),))
    for sql, in db.execute("SELECT sql FROM other.sqlite_schema WHERE sql IS NOT NULL").fetchall():
        db.execute(sql)
    db.execute("INSERT INTO meta SELECT * FROM other.meta")
    db.commit()
    db.execute("DETACH other")
    return db


def fill_log(data_dir, count):
    """That many messages of the last 24 hours, in the days they belong to. One day is there."""
    model = next((data_dir / "trace").glob("*.db"))
    now, chance = int(time.time() * 1000), random.Random(2)
    open_days = {}
    for i in range(count):
        at = now - int((count - i) * 24 * HOUR / count) - 1
        day = time.strftime("%Y-%m-%d", time.gmtime(at / 1000))
        db = open_days.get(day)
        if not db:
            path = data_dir / "trace" / f"{day}.db"
            db = open_days[day] = (sqlite3.connect(path) if path == model
                                   else like(path, model))
        ident = trace_id(at, i)
        rcpt = f"kim{i % 5000}@d{i % 500}.example"
        db.execute("INSERT INTO trace (id, at_ms, updated_ms, direction, verdict, session_id,"
                   " sender, rcpts, rcpt_count, subject, message_id, ip, size)"
                   " VALUES (?, ?, ?, ?, ?, '', ?, ?, 1, ?, ?, '192.0.2.1', ?)",
                   (ident, at, at, 1 + i % 2, chance.choice((2, 2, 2, 2, 3, 4)),
                    f"ann{i % 1000}@home.example", rcpt, f"Invoice {i}", f"<{i}@home.example>",
                    chance.randrange(500, 2_000_000)))
        db.execute("INSERT INTO rcpt (trace_id, rcpt, verdict, at_ms) VALUES (?, ?, 2, ?)",
                   (ident, rcpt, at))
    for db in open_days.values():
        db.commit()
        db.close()


class LocalConnection(http.client.HTTPConnection):
    """The socket of the command line, which stays open."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


QUESTIONS = [
    ("queue", "/queue"),
    ("queue by next", "/queue?sort=next"),
    ("queue by -next", "/queue?sort=-next"),
    ("queue by size", "/queue?sort=size"),
    ("queue by -size", "/queue?sort=-size"),
    ("queue by attempts", "/queue?sort=attempts"),
    ("queue by -attempts", "/queue?sort=-attempts"),
    ("queue by to_domain", "/queue?sort=to_domain"),
    ("queue of a state by next", "/queue?state=held&sort=next"),
    ("queue, one address", "/queue?q=to:kim77777@d277.example"),
    ("queue, part of an address", "/queue?q=to:kim77777"),
    ("queue, a word", "/queue?q=kim77777"),
    ("queue, a word and count", "/queue?q=kim77777&count=true"),
    ("queue, a word by size", "/queue?q=kim77777&sort=size"),
    ("queue, a domain", "/queue?q=to_domain:d277.example&sort=-size"),
    ("queue, large ones", "/queue?q=size%3E1M&count=true"),
    ("queue, count", "/queue?count=true"),
    ("traces", "/traces"),
    ("traces of an address", "/traces?q=to:kim77@d77.example"),
    ("traces, a word", "/traces?q=invoice"),
    ("stats", "/stats"),
]


def ask(server, path, rounds):
    """-> (milliseconds of each, CPU milliseconds of the web process for each)"""
    wire = LocalConnection(server.folder / "run" / "api.sock")
    before, took = sum(cpu_by_role(server)["web"]), []
    for _ in range(rounds):
        begin = time.perf_counter()
        wire.request("GET", "/api/v1" + path)
        answer = wire.getresponse()
        body = answer.read()
        took.append((time.perf_counter() - begin) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]}")
        json.loads(body)
    wire.close()
    return took, (sum(cpu_by_role(server)["web"]) - before) * 1000 / rounds


def walk(server, path):
    """All pages: every row once. -> (rows, the slowest page in milliseconds)"""
    wire = LocalConnection(server.folder / "run" / "api.sock")
    seen, cursor, slowest = set(), "", 0.0
    while cursor is not None:
        begin = time.perf_counter()
        wire.request("GET", f"/api/v1{path}&limit=500" + (cursor and f"&cursor={cursor}"))
        page = json.loads(wire.getresponse().read())
        slowest = max(slowest, (time.perf_counter() - begin) * 1000)
        for item in page["items"]:
            if item["id"] in seen:
                raise RuntimeError(f"{path}: {item['id']} twice")
            seen.add(item["id"])
        cursor = page["next"]
    wire.close()
    return len(seen), slowest
