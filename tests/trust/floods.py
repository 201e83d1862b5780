"""R52, R53 and floods without a number: many connections, slow ones, and ones that say odd things."""
import socket
import subprocess
import time

import check
import rig
from rig import Attack, at_once, envelope, greeted, hold, row
from wire import Wire

PORTS = (25, 587, 465, 143, 993, 110, 995, 8080, 443)


def setup(world):
    rig.home(world)


@row("R53", "silent: 300 for each port, and from many addresses")
def silent(world):
    figures = []
    for port in PORTS:
        with Attack(world, f"300 on {port}", more_mib=64) as attack:
            held = hold(world, port, 300)
            time.sleep(1)
            for w in held:
                w.close()
        figures.append(f"{port}: {attack.innocent.took and max(attack.innocent.took):.2f} s")
    return f"slowest innocent with 300 silent on {', '.join(figures)}"


@row("R53", "silent: 300 on all ports at once, by ten addresses")
def all_ports(world):
    with Attack(world, "all ports", more_mib=96) as attack:
        held = []
        for port in PORTS:
            for k in range(10):
                held += hold(world, port, 60, f"127.0.7.{k + 1}")
        time.sleep(6)
        for w in held:
            w.close()
    return f"{len(held)} connections on {len(PORTS)} ports, {attack.figure}"


@row("R53", "silent: more than there is room for, by very many addresses")
def full_house(world):
    """With limits of a tenth: it is the same with ten times as many, and takes as long to make."""
    was = world.home
    rig.another(world, "full", plaintext='["127.0.0.0/8"]',
                more="limits: {smtp_connections: 600, imap_connections: 600, web_connections: 200}\n")
    with Attack(world, "full house", more_mib=96) as attack:
        held = []
        for k in range(60):
            for port, first in ((25, b""), (25, b"EHLO x\r\nMAIL FROM:<a@sender.example>\r\n"), (587, b"EHL"), (143, b"a "), (993, b"\x16\x03"),
                                (110, b"USER x\r\n"), (443, b""), (8080, b"GET / HTTP/1.1\r\n")):
                held += hold(world, port, 10, f"127.0.9.{k + 1}", first)
        time.sleep(4)
        for w in held:
            w.close()
    world.home.stop()
    world.home = was
    was.start()
    world.pids = was.workers()
    return f"{len(held)} connections of 60 addresses, {attack.figure}"


@row("R53", "drip: one byte a second in commands, mail, literals and requests")
def drip(world):
    starts = {25: b"EHL", 587: b"EHL", 143: b"a LOGIN {10+}\r\n", 110: b"US", 8080: b"GET / HTTP/1.1\r\nHost: "}
    with Attack(world, "drip", more_mib=64) as attack:
        held = []
        for port, start in starts.items():
            for k in range(3):
                held += hold(world, port, 90, f"127.0.6.{k + 1}", start)
        for _ in range(60):
            held.append(envelope(world, source="127.0.6.9"))
            held[-1].send(b"DATA\r\nSubject: dri")
        for _ in range(8):
            for w in held:
                w.send(b"p")
            time.sleep(1)
        for w in held:
            w.close()
    return f"{len(held)} drips for 8 s, {attack.figure}"


@row("R53", "flood: connections made and dropped as fast as they can be")
def churn(world):
    made = [0]
    end = time.monotonic() + 10

    def work(port, k):
        while time.monotonic() < end:
            try:
                s = socket.create_connection((world.home.address, port), 5, source_address=(f"127.0.5.{k}", 0))
                if k % 2:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                s.close()
                made[0] += 1
            except OSError:
                pass

    with Attack(world, "churn", more_mib=64) as attack:
        at_once(work, [(p, k) for p in PORTS for k in (1, 2)])
    return f"{made[0]} connections in 10 s, {attack.figure}"


@row("R53", "flood: commands that are refused, as fast as they can be")
def refused(world):
    said = [0]
    end = time.monotonic() + 8

    def work(port, line):
        while time.monotonic() < end:
            try:
                w = Wire(world.home.address, port, source="127.0.0.66")
                w.line()
                w.send(line * 40)
                w.s.settimeout(5)
                while w.s.recv(65536):
                    said[0] += 1
                w.close()
            except OSError:
                pass

    with Attack(world, "refused", more_mib=64) as attack:
        lines = ((25, b"BOGUS x\r\n"), (25, b"RCPT TO:<x@y.example>\r\n"), (143, b"a BOGUS\r\n"), (110, b"BOGUS\r\n"),
                 (25, b"MAIL FROM:<" + b"a" * 500 + b"@b.example>\r\n"), (587, b"AUTH PLAIN x\r\n"))
        at_once(work, lines * 3)
    size = world.home.log_file.stat().st_size >> 20
    return f"{said[0]} answers in 8 s, log {size} MiB, {attack.figure}"


@row("R53", "pages: event streams, downloads and requests nobody reads on with")
def pages(world):
    token = world.home.json("token", "create", "slow")["token"]
    auth = b"Authorization: Bearer " + token.encode() + b"\r\n"
    host = b"Host: 127.0.0.10\r\n"
    with Attack(world, "pages", more_mib=96) as attack:
        held = []
        for k in range(4):
            held += hold(world, 8080, 60, f"127.0.4.{k + 1}", b"GET /api/v1/openapi.json HTTP/1.1\r\n" + host + b"\r\n" * 1 + b"")
        for w in held:
            w.send(b"GET /api/v1/openapi.json HTTP/1.1\r\n" + host + b"\r\n")
            w.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            w.s.settimeout(0.2)
            w.send((b"GET /api/v1/openapi.json HTTP/1.1\r\n" + host + b"\r\n") * 200)
        streams = hold(world, 8080, 70, "127.0.4.9", b"GET /api/v1/events HTTP/1.1\r\n" + host + auth + b"\r\n")
        for n in range(50):
            w = greeted(world)
            w.ask(b"MAIL FROM:<flood%d@sender.example>" % n)
            w.ask(b"RCPT TO:<nobody@elsewhere.example>")
            w.close()
        time.sleep(3)
        for w in held + streams:
            w.close()
    return f"{len(held)} slow downloads, {len(streams)} event streams, {attack.figure}"


@row("R53", "half of a message, then nothing, from 500 connections")
def half_mails(world):
    with Attack(world, "half mails", more_mib=160) as attack:
        held = []
        for k in range(500):
            w = envelope(world, source=f"127.0.3.{k % 5 + 1}")
            w.ask(b"DATA")
            w.send(b"Subject: half\r\n\r\n" + (b"x" * 78 + b"\r\n") * 2500)
            held.append(w)
        time.sleep(2)
        for w in held:
            w.close()
    return f"{len(held)} x 200 KB held open, {attack.figure}"


ODD = b"\x1b[31mred\x07\x00\x0d\x0a\xc2\x9b31m\xe2\x80\xae\x7f\n level=panic event=forged role=store"


def control_bytes(data):
    return [c for c in data if c < 32 and c != 10 or c == 127]


@row("R52", "control bytes and forged lines in log and command line")
def log_injection(world):
    home = world.home
    odd = ODD.replace(b"\r\n", b"").replace(b"\0", b"").replace(b"\n", b"")
    for line in (b"EHLO " + odd, b"MAIL FROM:<\"" + odd + b"\"@b.example>", b"MAIL FROM:<a@" + odd + b">", b"RCPT TO:<" + odd + b"@home.example>",
                 b"AUTH PLAIN " + odd, odd, b"VRFY " + odd, b"XCLIENT NAME=" + odd + b" ADDR=1.2.3.4", b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2"):
        w = greeted(world, name=odd if line.startswith(b"EHLO") else b"x")
        w.ask(b"MAIL FROM:<a@sender.example>") if line.startswith(b"RCPT") else None
        w.ask(line)
        w.close()
    w = envelope(world)
    w.ask(b"DATA")
    w.ask(b"Subject: " + ODD.replace(b"\0", b"").replace(b"\r\n", b"") + b"\r\nMessage-ID: <" + odd + b"@x>\r\nFrom: \"" + odd + b"\" <a@b.example>\r\n"
          b"Received: from " + odd + b"\r\n\r\nx\r\n.")
    w.close()
    w = envelope(world)
    w.ask(b"DATA")
    w.ask(b"Subject: =?utf-8?b?GxszMW1yZWQHCgpsZXZlbD1wYW5pYyBldmVudD1mb3JnZWQKwps=?=\r\nFrom: =?utf-8?q?=1b[2J=0alevel=3dpanic?= <a@b.example>\r\n\r\nx\r\n.")
    w.close()
    for port in (143, 110):
        w = Wire(home.address, port)
        w.line()
        w.send(b"a LOGIN \"" + odd + b"\" x\r\n" if port == 143 else b"USER " + odd + b"\r\nPASS x\r\n")
        w.send(b"b AUTHENTICATE PLAIN\r\n" + odd + b"\r\nc ID (\"name\" \"" + odd + b"\")\r\n")
        time.sleep(0.1)
        w.close()
    for path in (b"/%1b%5b31m%0d%0alevel=panic", b"/" + odd.replace(b" ", b"+"), b"/api/v1/domains/%0alevel%3dpanic"):
        for head in (b"User-Agent: " + odd, b"Referer: " + odd, b"X-Request-Id: " + odd, b"Request-Id: " + odd, b"Cookie: " + odd):
            w = Wire(home.address, 8080)
            w.send(b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.10\r\n" + head + b"\r\nConnection: close\r\n\r\n")
            w.is_closed(3)
            w.close()
    time.sleep(2)
    log = home.log_file.read_bytes()
    check.equal(control_bytes(log), [], "control bytes in the log")
    for escape in (b"\xc2\x9b", b"\xe2\x80\xae"):
        check.true(escape not in log, f"{escape!r} in the log")
    check.equal([l for l in log.splitlines() if l.startswith(b"level=panic") or b" event=forged" in l and not b'"' in l], [], "forged lines")
    told = 0
    for args in (("trace", "to:ann@home.example"), ("trace", "red"), ("queue", "list"), ("trace", "verdict:refused")):
        out = subprocess.run([str(home.binary), *args, "--config", str(home.config)], capture_output=True, timeout=30).stdout
        told += len(out)
        check.equal(control_bytes(out), [], f"control bytes printed by {args}")
        check.true(b"\xc2\x9b" not in out and b"\xe2\x80\xae" not in out, f"C1 or bidi printed by {args}")
    listed = home.json("trace", "to:ann@home.example")["items"]
    for item in listed[:5]:
        out = subprocess.run([str(home.binary), "trace", "show", item["id"], "--config", str(home.config)], capture_output=True, timeout=30).stdout
        told += len(out)
        check.equal(control_bytes(out), [], "control bytes printed by trace show")
        check.true(b"\xc2\x9b" not in out and b"\xe2\x80\xae" not in out, "C1 or bidi printed by trace show")
    check.true(told > 500, "the command line printed something")
    return f"{len(log.splitlines())} lines of log, {told} bytes printed, 0 control bytes, 0 forged"
