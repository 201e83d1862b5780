"""Attacks that no row of the table names: X1, X2 and so on, as README.md lists them."""
import base64
import http.client
import json
import re
import socket
import threading
import time

import check
import rig
from receive import log_in
from rig import ANN, BOB, Attack, envelope, greeted, row
from wire import Wire

RETRY = "2s 4s"


def setup(world):
    rig.home(world, retry=RETRY, lifetime="1h", more="limits: {delivery_reply_timeout: 30s, delivery_connect_timeout: 30s, auth_failure_delay: 0s, auth_failures_ip: 10000}\n")
    home = world.home
    home.run("alias", "add", "*@home.example", "bob@home.example")
    home.run("alias", "add", "two@home.example", "ann@home.example", "x@peer.example")


def api(world, method, path, body=None, headers=None):
    if not hasattr(world, "token"):
        world.token = world.home.json("token", "create", "odd")["token"]
    c = http.client.HTTPConnection(world.home.address, 8080, timeout=30)
    c.request(method, "/api/v1" + path, json.dumps(body) if body is not None else None,
              {"Authorization": f"Bearer {world.token}", "Content-Type": "application/json", **(headers or {})})
    r = c.getresponse()
    data = r.read()
    c.close()
    return r.status, data


@row("X1", "XCLIENT and PROXY from strangers")
def stranger_proxy(world):
    for first in (b"PROXY TCP4 198.51.100.9 127.0.0.10 1 25\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x09\x7f\0\0\x0a\0\1\0\x19"):
        for port in (25, 143, 587, 8080):
            w = Wire(world.home.address, port)
            w.send(first + (b"EHLO x\r\n" if port in (25, 587) else b"a NOOP\r\n"))
            time.sleep(0.1)
            w.close()
    w = greeted(world)
    code = w.ask(b"XCLIENT ADDR=198.51.100.9 LOGIN=ann@home.example")[0]
    check.true(code >= 500, f"XCLIENT: {code}")
    w.ask(b"MAIL FROM:<a@sender.example>")
    w.close()
    check.true("198.51.100.9" not in re.sub(r"(?m)^.*(command|rejected|refused).*$", "", world.home.log()), "nobody believes it")
    return f"XCLIENT {code}, PROXY in 2 versions on 4 ports not believed"


@row("X2", "catch-all and plus addresses")
def catch_all(world):
    sent = 0
    for local in (b"ann+", b"ann++", b"ann+a+b", b"+", b"+x", b"nobody+x", b"\"ann+x\"", b"a" * 64, b"ANN+ShOp", b"*", b"\"*\"", b"ann+" + b"x" * 59):
        w = envelope(world, local.decode() + "@home.example")
        code = w.ask(b"DATA")[0]
        if code == 354:
            code = w.ask(b"Subject: plus\r\n\r\nx\r\n.")[0]
        check.true(code in (250, 503, 554, 550, 553), f"{local!r}: {code}")
        sent += code == 250
        w.close()
    boxes = len(world.home.find(ANN, "Subject: plus")) + len(world.home.find(BOB, "Subject: plus"))
    check.equal(boxes, sent, "each arrived once")
    return f"{sent} of 12 taken, {boxes} arrived"


@row("X3", "addresses in UTF-8 and of other writing systems, everywhere")
def utf8_addresses(world):
    odd = ["ö@home.example", "a@exämple.example", "a@xn--exmple-cua.example", "ａｎｎ@home.example", "ann@ｈome.example", "ann@home。example",
           "a\u0301nn@home.example", "\u202eann@home.example", "ann\u200b@home.example", "аnn@home.example", "用户@例子.example", "ann@\u0130.example",
           "ann@" + "ä" * 70 + ".example", "ß@straße.example", "\U0001f600@home.example", "ann@xn--a.example", "ann@xn--.example", "\ufeffann@home.example"]
    count, arrived = 0, len(world.home.inbox(ANN))
    for a in odd:
        raw = a.encode()
        for where in ("MAIL", "RCPT", "MAIL UTF8", "RCPT UTF8"):
            w = greeted(world)
            utf8 = b" SMTPUTF8" if "UTF8" in where else b""
            code = w.ask(b"MAIL FROM:<" + (raw if "MAIL" in where else b"a@b.example") + b">" + utf8)[0]
            check.true(code in (250, 501, 550, 553, 451), f"{where} {a!a}: {code}")
            if code == 250:
                code = w.ask(b"RCPT TO:<" + (raw if "RCPT" in where else ANN.encode()) + b">")[0]
                check.true(code in (250, 501, 550, 553, 451), f"{where} {a!a}: {code}")
            check.equal(w.ask(b"NOOP")[0], 250, f"{where} {a!a}: alive")
            w.close()
            count += 1
        for path, body in (("/accounts", {"address": a, "password": "long enough for all"}), ("/aliases", {"address": a, "targets": [ANN]}),
                           ("/aliases", {"address": "t%d@home.example" % count, "targets": [a]}), ("/domains", {"name": a.split("@")[1]})):
            status, data = api(world, "POST", path, body)
            check.true(status in (201, 400, 404, 409, 422), f"POST {path} {a!a}: {status} {data[:100]}")
            count += 1
        import urllib.parse
        status, data = api(world, "GET", "/resolve?address=" + urllib.parse.quote(a))
        check.true(status in (200, 400, 404, 422), f"resolve {a!a}: {status}")
        w = Wire(world.home.address, 143)
        w.line()
        w.send(b"a LOGIN {%d+}\r\n" % len(raw) + raw + b" x\r\n")
        line = w.tagged(b"a")
        check.true(not line or not line[-1].startswith(b"a OK"), f"LOGIN {a!a}")
        w.close()
    check.equal(world.home.workers(), world.pids, "processes")
    return f"{len(odd)} addresses in {count} places, none broke anything, {len(world.home.inbox(ANN)) - arrived} deliveries"


@row("X4", "notifications: injection through ENVID, ORCPT and remote words")
def dsn_injection(world):
    keeper = rig.Sink(rcpt=b"550-5.1.1 no\x1b[31m\x00\r\n550-Subject: forged\r\n550 5.1.1 <script>\xff\xfe\r\n")
    injections = [(b"ENVID=a+0D+0AX-Forged:+20yes+0D+0A+0D+0Abody", b"ORCPT=rfc822;a+0D+0AX-Forged:+20yes@b.example"),
                  (b"ENVID=+00", b"ORCPT=rfc822;+00"), (b"ENVID=" + b"A" * 100, b"ORCPT=utf-8;a\\x{0D}\\x{0A}X-Forged:yes@b.example"),
                  (b"ENVID=--boundary+0D+0A--", b"ORCPT=x" + b"y" * 400 + b";z"), (b"ENVID=+3", b"ORCPT=rfc822"), (b"ENVID==", b"ORCPT=;x"),
                  (b"ENVID=a+1B[2J", b"ORCPT=rfc822;<ann@home.example>"), (b"ENVID=ok", b"ORCPT=rfc822;" + b"+41" * 160)]
    taken = 0
    for n, (envid, orcpt) in enumerate(injections):
        w = log_in(world, 465)
        code = w.ask(b"MAIL FROM:<ann@home.example> RET=HDRS " + envid)[0]
        if code == 250:
            code = w.ask(b"RCPT TO:<x%d@peer.example> NOTIFY=FAILURE,SUCCESS " % n + orcpt)[0]
        if code != 250:
            w.ask(b"RSET")
            w.ask(b"MAIL FROM:<ann@home.example>")
            code = w.ask(b"RCPT TO:<x%d@peer.example>" % n)[0]
        w.ask(b"DATA")
        code = w.ask(b"From: <ann@home.example>\r\nSubject: dsn %d\r\nX-Nasty: --boundary\r\n\r\nx\r\n." % n)[0]
        taken += code == 250
        w.close()
    check.until(lambda: not world.home.json("queue", "list")["items"], "all came back", 40)
    notes = world.home.find(ANN, "Action: failed")
    check.true(len(notes) >= taken, f"{len(notes)} notifications for {taken}")
    import email
    for raw in notes:
        head = raw.split(b"\r\n\r\n")[0]
        m = email.message_from_bytes(raw)
        kinds = [p.get_content_type() for p in m.walk()][:2]
        check.equal(kinds, ["multipart/report", "text/plain"], "its structure")
        check.equal(len(m.get_payload()), 3, "three parts")
        check.true(b"X-Forged" not in head and "X-Forged" not in m, "no forged field")
        for part in m.walk():
            check.true(part.get("X-Forged") is None, "no forged field in a part")
        for part in m.get_payload()[1].get_payload():
            check.true(part.get("X-Forged") is None and part.get("Subject") is None, f"no forged field in the report: {part.items()}")
        check.equal([c for c in raw if c < 32 and c not in (9, 10, 13)], [], "control bytes")
    check.equal([l for l in keeper.lines if l.startswith(b"X-Forged")], [], "nothing forged went out")
    keeper.stop()
    return f"{len(injections)} envelopes, {taken} taken, {len(notes)} notifications, no field or part injected"


@row("X5", "header injection through names in the API")
def name_injection(world):
    odd = ["a\r\nBcc: evil@evil.example", "a\nX: y", "a\u2028b", "a\u0085b", "\x1b[31m", "a\0b", "\u202etxt", "=?utf-8?b?DQpCY2M6?=", "a" * 5000, "<script>alert(1)</script>",
           '";<x>', "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "%0d%0a", "{{7*7}}", "' OR 1=1 --", "../../x"]
    taken = 0
    for n, name in enumerate(odd):
        for path, body in (("/accounts", {"address": f"n{n}@home.example", "password": "long enough for all", "name": name}),
                           ("/accounts", {"address": name, "password": "long enough for all"}), ("/domains", {"name": name}),
                           ("/tokens", {"name": name, "scopes": ["domains:read"]}), ("/aliases", {"address": name, "targets": [ANN]}),
                           ("/aliases", {"address": f"al{n}@home.example", "targets": [name]}), ("/admins", {"name": name, "password": "long enough for all"})):
            status, data = api(world, "POST", path, body)
            taken += status == 201
            check.true(status in (201, 400, 404, 409, 422), f"POST {path} {name[:20]!a}: {status} {data[:200]}")
            check.true(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", data), f"raw control byte in the answer to {name[:20]!a}")
        for key in ("Idempotency-Key", "Request-Id"):
            try:
                status, data = api(world, "GET", "/domains", headers={key: name.replace("\r", "").replace("\n", "").encode("ascii", "ignore").decode()[:300]})
                check.true(status < 500, f"{key} {name[:20]!a}: {status}")
            except (ValueError, OSError):
                pass
    for path in ("/accounts", "/domains", "/tokens", "/aliases", "/admins"):
        status, data = api(world, "GET", path)
        check.equal(status, 200, path)
        check.true(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", data), f"raw control byte in {path}")
    check.equal(world.home.workers(), world.pids, "processes")
    return f"{len(odd)} names in 7 places, {taken} taken, none as a header, none raw"


@row("X6", "one account floods the queue; 30 dead domains; honest mail goes out")
def queue_flood(world):
    rows = "".join(f"d{n} IN MX 10 dead{n}\ndead{n} IN A 127.0.41.{n + 1}\n" for n in range(40))
    world.dns.change("odd.example", rows)
    silent = [socket.create_server((f"127.0.41.{n + 1}", 25), backlog=100) for n in range(40)]
    keeper = rig.Sink(offers=b"")
    with Attack(world, "queue flood", more_mib=128) as attack:
        begin = time.monotonic()
        w = log_in(world, 465)
        sent = 0
        for n in range(60):
            w.ask(b"MAIL FROM:<ann@home.example>")
            w.send(b"".join(b"RCPT TO:<x%d@d%d.odd.example>\r\n" % (k, k % 40) for k in range(200)))
            codes = [w.reply(30)[0] for _ in range(200)]
            w.ask(b"DATA")
            sent += codes.count(250) if w.ask(b"From: <ann@home.example>\r\nSubject: flood\r\n\r\nx\r\n.", 60)[0] == 250 else 0
        w.close()
        flood_s = time.monotonic() - begin
        time.sleep(2)
        took = []
        for n in range(3):
            begin = time.monotonic()
            v = log_in(world, 465, BOB)
            v.ask(b"MAIL FROM:<bob@home.example>")
            v.ask(b"RCPT TO:<pat@peer.example>")
            v.ask(b"DATA")
            check.equal(v.ask(b"From: <bob@home.example>\r\nSubject: honest %d\r\n\r\nx\r\n." % n)[0], 250, "honest")
            v.close()
            check.until(lambda n=n: any(b"Subject: honest %d" % n in l for l in keeper.lines), f"honest {n} out", 40)
            took.append(time.monotonic() - begin)
    for s in silent:
        s.close()
    keeper.stop()
    check.true(max(took) < 20, f"honest mail out after {max(took):.1f} s")
    return f"{sent} recipients to 40 silent hosts queued in {flood_s:.1f} s, honest out after {max(took):.2f} s, {attack.figure}"


@row("X7", "aliases that answer each other across two servers")
def alias_storm(world):
    """Forwarded out, and sent back to where it came from, twice: it would double for ever."""
    home = world.home
    world.dns.change("storm.example", "@ IN MX 10 mx\nmx IN A 127.0.0.20\n")
    home.run("alias", "add", "storm@home.example", "a@storm.example", "b@storm.example")
    returned = [0]
    stop = threading.Event()

    class Returner(rig.Sink):
        def keep(self, rcpts, text):
            for _ in range(rcpts):
                self.back(text)

        def back(self, text):
            if returned[0] > 600 or stop.is_set():
                return
            returned[0] += 1
            w = Wire(world.home.address, 25, source="127.0.0.20")
            w.reply()
            w.ask(b"EHLO returner.peer.example")
            w.ask(b"MAIL FROM:<pat@peer.example>")
            w.ask(b"RCPT TO:<storm@home.example>")
            if w.ask(b"DATA")[0] == 354:
                w.ask(b"Received: from home by peer; Mon, 23 Nov 2026 12:00:00 +0000\r\n" + text + b".")
            w.close()

    keeper = Returner()
    w = envelope(world, "storm@home.example", b"pat@peer.example")
    w.ask(b"DATA")
    check.equal(w.ask(b"From: <pat@peer.example>\r\nSubject: storm\r\n\r\nx\r\n.")[0], 250, "the first")
    w.close()
    end = time.monotonic() + 20
    while time.monotonic() < end and returned[0] <= 600:
        time.sleep(0.2)
    stop.set()
    keeper.stop()
    check.true(1 <= returned[0] <= 4, f"a message came back {returned[0]} times")
    return f"one message came back {returned[0]} times"


@row("X8", "mail to the address of reports: huge, endless, many, replies")
def report_mail(world):
    home = world.home
    out = home.run("domain", "dns", "home.example").stdout
    address = re.search(r"mailto:([^\s,;!\"]+@home\.example)", out)
    if not check.true(address, "the records name an address for reports"):
        return "none"
    rcpt = address[1]
    answers = []
    with Attack(world, "report mail", more_mib=128) as attack:
        block = base64.encodebytes(bytes(57 * 1000))
        for size in (1, 12 << 20, 48 << 20):
            w = envelope(world, rcpt)
            w.ask(b"DATA")
            w.send(b"From: <r@peer.example>\r\nSubject: Report Domain: home.example Submitter: x Report-ID: 1\r\nContent-Type: application/gzip\r\n"
                   b"Content-Transfer-Encoding: base64\r\n\r\n")
            for _ in range(size // len(block)):
                if not w.send(block.replace(b"\n", b"\r\n")):
                    break
            w.send(b"\r\n.\r\n")
            answers.append(w.reply(30)[0])
            w.close()
        for n in range(200):
            w = envelope(world, rcpt, b"victim@peer.example")
            w.ask(b"DATA")
            w.ask(b"From: <victim@peer.example>\r\nReply-To: <ann@home.example>\r\nDisposition-Notification-To: <victim@peer.example>\r\n"
                  b"Return-Receipt-To: <victim@peer.example>\r\nSubject: Report Domain: home.example; Report-ID: %d\r\nContent-Type: application/zip\r\n\r\nPK\3\4rubbish\r\n." % n)
            w.close()
    time.sleep(1)
    items = home.json("queue", "list")["items"]
    replies = [i for i in items if i["to"].startswith("victim@")]
    check.equal(replies, [], "no reply to a report")
    check.true(all(code in (250, 552, 550, 554) for code in answers), f"{answers}")
    return f"{rcpt}: answers {answers}, 200 broken ones, 0 replies, {attack.figure}"


@row("X9", "a stranger's mail that asks for notifications")
def stranger_dsn(world):
    """NOTIFY=SUCCESS from outside makes a mail back to a forged sender: backscatter. A few in a
    minute are allowed, unless the owner wants none."""
    world.home.run("settings", "set", "limits.smtp_receipts_ip", "0")
    time.sleep(2)  # every process hears of it
    before = len(world.home.json("queue", "list")["items"])
    for notify in (b"NOTIFY=SUCCESS", b"NOTIFY=SUCCESS,FAILURE,DELAY"):
        w = greeted(world)
        w.ask(b"MAIL FROM:<victim@down.example> RET=FULL ENVID=x")
        w.ask(b"RCPT TO:<ann@home.example> " + notify)
        w.ask(b"DATA")
        w.ask(b"From: <victim@down.example>\r\nSubject: bomb\r\n\r\n" + b"x" * 1000 + b"\r\n.")
        w.close()
    time.sleep(1)
    made = len(world.home.json("queue", "list")["items"]) - before
    world.home.run("settings", "reset", "limits.smtp_receipts_ip")
    check.equal(made, 0, "notifications to a sender nobody proved")
    return f"{made} notifications to a sender nobody proved"


@row("X10", "many domains and one that is nearly ours")
def domains(world):
    begin = time.monotonic()
    for n in range(300):
        status, data = api(world, "POST", "/domains", {"name": f"d{n}.many.example"})
        if status == 429:
            break
        check.equal(status, 201, f"domain {n}: {data[:100]}")
    took = time.monotonic() - begin
    w = greeted(world)
    w.ask(b"MAIL FROM:<a@sender.example>")
    for near in (b"ann@xhome.example", b"ann@home.example.com", b"ann@home.exampl", b"ann@.home.example", b"ann@many.example", b"ann@x.home.example", b"ann@home.example\xc2\xa0"):
        check.true(w.ask(b"RCPT TO:<" + near + b">")[0] >= 500, f"{near!r}")
    w.close()
    with Attack(world, "many domains", more_mib=48) as attack:
        time.sleep(3)
    return f"{n + 1} domains in {took:.1f} s, {attack.figure}"
