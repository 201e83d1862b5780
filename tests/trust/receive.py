"""R1-R14: what a stranger does to the ports that take mail."""
import base64
import re
import time

import check
import rig
from rig import ANN, BOB, Attack, at_once, envelope, greeted, row
from wire import Wire, smtp

EVIL = b"MAIL FROM:<evil@evil.example>\r\nRCPT TO:<ann@home.example>\r\nDATA\r\nSubject: SMUGGLED\r\n\r\nx"
ENDS = [b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r", b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r",
        b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\r\n.\r\n"[:1] + b"\n.\r\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n",
        b"\x0b.\r\n", b"\xc2\x85.\r\n", b"\r\n. \r\n", b"\r\n..\r\n", b"\r\n.\x0b\r\n", b"\n\n.\r\n"]


def setup(world):
    rig.home(world, proxies="[]", relay="[]")
    world.home.run("alias", "add", "loop-a@home.example", "loop-b@home.example")
    world.home.run("alias", "add", "loop-b@home.example", "loop-a@home.example", check=False)
    world.home.run("alias", "add", "self@home.example", "self@home.example", check=False)


def log_in(world, port, user=ANN):
    w = Wire(world.home.address, port, tls=port == 465)
    w.reply()
    w.ask(b"EHLO laptop")
    if port == 587:
        w.ask(b"STARTTLS")
        w.starttls()
        w.ask(b"EHLO laptop")
    secret = base64.b64encode(f"\0{user}\0{world.home.passwords[user]}".encode())
    check.equal(w.ask(b"AUTH PLAIN " + secret)[0], 235, f"login on {port}")
    return w


@row("R1", "smuggling in")
def smuggling(world):
    before = len(world.home.inbox(ANN))
    refused = 0
    for end in ENDS:
        for port in (25, 587):
            w = greeted(world) if port == 25 else log_in(world, 587)
            w.ask(b"MAIL FROM:<" + (b"probe@sender.example" if port == 25 else ANN.encode()) + b">")
            w.ask(b"RCPT TO:<" + ANN.encode() + b">")
            check.equal(w.ask(b"DATA")[0], 354, "DATA")
            w.send(b"From: <" + ANN.encode() + b">\r\nSubject: outer\r\n\r\nouter" + end + EVIL +
                   b"\r\n.\r\nQUIT\r\n")
            first = w.reply()
            second = w.reply()
            check.true(first[0] in (250, 554, 550), f"{port} {end!r}: {first}")
            check.equal(second[0], 221, f"{port} {end!r}: one reply for the message, then QUIT's")
            check.equal(w.reply()[0], 0, f"{port} {end!r}: nothing behind QUIT's")
            refused += first[0] != 250
            w.close()
    mails = world.home.inbox(ANN)
    for _, m in mails:
        check.true(b"Return-Path: <evil@" not in m, "no smuggled mail")
        head, _, body = m.partition(b"\r\n\r\n")
        check.true(b"SMUGGLED" in body, "none was cut")
    check.equal(len(mails) - before, 2 * len(ENDS) - refused, "one for each 250")
    return f"{2 * len(ENDS)} tries on 2 ports, {refused} refused, 0 smuggled"


@row("R2", "smuggling out")
def smuggling_out(world):
    sink = rig.Sink()
    codes = []
    bodies = [b"a\rb", b"a\nb", b"a\n.\nb", b"a\r\n.\nQUIT\n", b"x\r\n.\r\nMAIL FROM:<e@e.example>\r\n", b".\r\n..\r\n",
              b"end\r", b"end\n", b"end", b"\0", b"a\r\r\n.\r\r\nb", b"x" * 4_000_000]
    for n, body in enumerate(bodies):
        w = log_in(world, 465)
        w.ask(b"MAIL FROM:<" + ANN.encode() + b">")
        w.ask(b"RCPT TO:<pat@peer.example>")
        text = b"From: <" + ANN.encode() + b">\r\nSubject: out %d\r\n\r\n" % n + body
        w.send(b"BDAT %d LAST\r\n" % len(text) + text)
        codes.append(w.reply(30)[0])
        w.close()
    good = codes.count(250)
    check.true(codes[5] == 250, f"dots are octets: {codes}")
    check.until(lambda: not world.home.json("queue", "list")["items"], "all out", 40)
    sink.stop()
    bare = re.findall(rb"[^\r]\n|\r[^\n]", sink.bytes)
    check.equal(bare, [], "bare CR or LF sent")
    check.equal(len(re.findall(rb"(?m)^DATA\r$", sink.bytes)), good, "one DATA for each 250")
    return f"{len(bodies)} bodies, {good} taken, {len(sink.bytes)} bytes out, {len(bare)} bare CR/LF"


@row("R3", "STARTTLS: injection, state, flood behind it")
def starttls(world):
    replies = 0
    for port, start, ask in ((25, b"STARTTLS", b"NOOP"), (587, b"STARTTLS", b"NOOP"), (143, b"a STARTTLS", b"b NOOP"),
                             (110, b"STLS", b"CAPA")):
        for extra in (b"NOOP\r\n", b"EHLO injected\r\nMAIL FROM:<i@evil.example>\r\n", b"x LOGIN a b\r\n",
                      b"NOOP\r\n" * 20000):
            w = Wire(world.home.address, port)
            w.line()
            if port in (25, 587):
                w.ask(b"EHLO x")
            w.send(start + b"\r\n" + extra)
            w.line()
            w.s.settimeout(10)
            try:
                w.starttls()
            except OSError:
                w.close()
                continue
            w.send(ask + b"\r\n")
            line = w.line() or b""
            check.true(b"injected" not in line and not line.startswith(b"x "), f"{port}: {line!r}")
            try:
                w.s.settimeout(0.3)
                while more := w.s.recv(65536):
                    if port in (25, 587, 143):
                        replies += more.count(b"\n")
            except OSError:
                pass
            w.close()
    check.equal(replies, 0, "answers inside TLS to what came before it")
    w = greeted(world)
    w.ask(b"MAIL FROM:<a@sender.example>")
    if w.ask(b"STARTTLS")[0] == 220:
        w.starttls()
        check.equal(w.ask(b"RCPT TO:<ann@home.example>")[0], 503, "state is reset")
        check.equal(w.ask(b"STARTTLS")[0], 503, "no TLS in TLS")
    check.equal(smtp(world.home).ask(b"STARTTLS now")[0], 501, "no argument")
    return f"4 ports, 16 injections, {replies} answered inside TLS"


@row("R4", "order, pipelining, early talker")
def order(world):
    w = Wire(world.home.address, 25)
    w.send(b"EHLO early\r\n" + b"NOOP\r\n" * 100 + b"VRFY x\r\nBOGUS\r\nRSET\r\nQUIT\r\n")
    codes = []
    while (code := w.reply()[0]):
        codes.append(code)
    check.true(codes[:2] == [220, 250] and codes[2:102] == [250] * 100 and codes[-1] == 221
               or codes[0] == 554, f"in order: {codes}")
    for order in (b"RCPT TO:<ann@home.example>", b"DATA", b"BDAT 3 LAST\r\nabc"):
        w = greeted(world)
        check.equal(w.ask(order)[0], 503, f"{order!r} without MAIL")
        w.close()
    w = greeted(world)
    w.send(b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<ann@home.example>\r\nDATA\r\nSubject: early\r\n\r\nx\r\n.\r\n")
    last = [w.reply()[0] for _ in range(3)][2]
    check.true(last >= 500, f"text behind DATA: {last}")
    check.true(w.is_closed(), "and the end")
    check.true(not world.home.find(ANN, "Subject: early"), "nothing stored")
    return f"{len(codes)} replies in order, text behind DATA {last} and closed"


@row("R5", "command lines of 600 B to 32 MiB")
def long_lines(world):
    with Attack(world, "long lines", more_mib=24) as attack:
        for size, code in ((600, 250), (2000, 250), (3000, 500), (60000, 500)):
            w = greeted(world)
            check.equal(w.ask(b"NOOP " + b"a" * size)[0], code, f"{size} bytes")
            check.equal(w.ask(b"NOOP")[0], 250, f"alive after {size}")
            w.close()
        held = [greeted(world) for _ in range(100)]
        for w in held:
            w.send(b"NOOP " + b"a" * 60000)
        for _ in range(4):
            w = Wire(world.home.address, 25)
            for _ in range(32):
                if not w.send(b"a" * (1 << 20)):
                    break
            check.true(w.is_closed(), "an endless line is cut off")
        for w in held:
            w.close()
    return attack.figure


@row("R6", "header bombs")
def headers(world):
    bodies = {
        "1 MiB header": b"X-Long: " + b"a" * (1 << 20),
        "400 KiB folded": b"X: " + b"\r\n ".join(b"a" * 70 for _ in range(5500)),
        "100,000 fields": b"\r\n".join(b"X-%d: y" % n for n in range(100000)),
        "40,000 fields": b"\r\n".join(b"X-%d: y" % n for n in range(40000)),
        "100,000 addresses": b"To: " + b", ".join(b"a%d@b.example" % n for n in range(100000)),
        "20,000 addresses": b"To: " + b", ".join(b"a%d@b.example" % n for n in range(20000)),
        "20,000 in From": b"From: " + b", ".join(b"a%d@b.example" % n for n in range(20000)),
        "4 MiB line": b"Subject: x\r\n\r\n" + b"a" * (4 << 20),
        "NUL": b"Subject: a\0b\r\n\r\nx\0y", "8 bit": b"Subject: \xff\xfe\xc3\x28\r\n\r\n\xff" * 1000,
        "empty": b"", "no header": b"\r\nbody only", "colon": b":\r\n:\r\n\r\n", "only body": b"just words",
        "Received bomb": b"Received: x\r\n" * 90 + b"\r\n", "groups": b"To: " + b"a:" * 30000 + b"b@c.example" + b";" * 30000,
        "quotes": b'To: "' + b'\\"' * 100000, "routes": b"To: <" + b"@a.example," * 20000 + b":x@y.example>",
        "References": b"References: " + b"<a@b.example> " * 30000,
    }
    slowest, verdicts = 0.0, {}
    with Attack(world, "headers", more_mib=128) as attack:
        for name, text in bodies.items():
            w = envelope(world)
            w.ask(b"DATA")
            begin = time.monotonic()
            w.send(b"X-Bomb: " + name.encode() + b"\r\n" + text + b"\r\n.\r\n")
            code, reply = w.reply(30)
            slowest = max(slowest, time.monotonic() - begin)
            verdicts[code] = verdicts.get(code, 0) + 1
            check.true(code == 250 or code >= 500, f"{name}: {code} {reply}")
            if code == 250 and name == "4 MiB line":
                found = world.home.find(ANN, "X-Bomb: 4 MiB line")
                check.true(found and b"a" * (4 << 20) in found[0], "the long line is whole")
            w.close()
    check.true(slowest < 10, f"decided after {slowest:.1f} s")
    return f"{len(bodies)} bombs {verdicts}, slowest {slowest:.2f} s, {attack.figure}"


@row("R7", "100,000 recipients")
def recipients(world):
    with Attack(world, "recipients", more_mib=64) as attack:
        w = greeted(world)
        w.ask(b"MAIL FROM:<a@sender.example>")
        counts, closed_after = {}, None
        for block in range(100):
            w.send(b"".join(b"RCPT TO:<ann+%d@home.example>\r\n" % (block * 1000 + n) for n in range(1000)))
            for n in range(1000):
                code = w.reply(30)[0]
                counts[code] = counts.get(code, 0) + 1
                if code in (0, 421):
                    closed_after = block * 1000 + n
                    break
            if closed_after is not None:
                break
    check.true(100 <= counts.get(250, 0) <= 1000, f"accepted {counts}")
    check.true(counts.get(452, 0) > 0, f"452 over the limit: {counts}")
    check.true(closed_after is not None and closed_after < 5000, f"closed after {closed_after}")
    return f"{counts}, closed after {closed_after}, {attack.figure}"


@row("R8", "SIZE lies and garbage; the real size")
def sizes(world):
    w = greeted(world)
    check.equal(w.ask(b"MAIL FROM:<a@sender.example> SIZE=99999999999999")[0], 552, "too large")
    bad = (b"SIZE=1 SIZE=2", b"SIZE=-1", b"SIZE=x", b"SIZE=" + b"9" * 40, b"SIZE", b"SIZE=", b"SIZE=1e3", b"SIZE= 1",
           b"SIZE=+1", b"SIZE=0x10", b"BODY=9BITMIME", b"BODY=8BITMIME BODY=7BIT", b"AUTH=", b"RET=X", b"ENVID=",
           b"SMTPUTF8=1", b"XYZ=1")
    for b in bad:
        check.true(w.ask(b"MAIL FROM:<a@sender.example> " + b)[0] in (501, 552, 555), f"{b!r}")
        w.ask(b"RSET")
    w.close()
    with Attack(world, "60 MiB", more_mib=64) as attack:
        w = greeted(world)
        w.ask(b"MAIL FROM:<a@sender.example> SIZE=1000")
        w.ask(b"RCPT TO:<ann@home.example>")
        w.ask(b"DATA")
        sent = 0
        block = (b"y" * 78 + b"\r\n") * 13107
        for _ in range(70):
            if not w.send(block):
                break
            sent += len(block)
        w.send(b"\r\n.\r\n")
        code = w.reply(30)[0]
        check.true(code in (552, 0), f"60 MiB after SIZE=1000: {code}")
        w.close()
    return f"{len(bad)} lies refused, {sent >> 20} MiB answered {code}, {attack.figure}"


@row("R9", "BDAT games")
def bdat(world):
    for arg in (b"-1", b"18446744073709551616", b"18446744073709551615", b"1 LASTX", b"", b"0x10", b"1 2 3", b"1  LAST X"):
        w = envelope(world)
        check.true(w.ask(b"BDAT " + arg)[0] >= 500 or arg == b"18446744073709551615", f"BDAT {arg!r}")
        w.close()
    w = envelope(world)
    w.send(b"BDAT 9 LAST\r\nA: b\r\n\r\nx")
    check.equal(w.reply()[0], 250, "whole")
    w.send(b"BDAT 3 LAST\r\nabc")
    check.equal(w.reply()[0], 503, "after LAST")
    w.close()
    w = envelope(world)
    w.send(b"BDAT 4\r\nA: b")
    check.equal(w.reply()[0], 250, "first")
    check.equal(w.ask(b"DATA")[0], 503, "DATA after BDAT")
    w.close()
    with Attack(world, "20,000 chunks", more_mib=32) as attack:
        begin = time.monotonic()
        w = envelope(world)
        text = b"Subject: crumbs\r\n\r\n" + b".\r\n" * 6660
        w.send(b"".join(b"BDAT 1\r\n" + text[n:n + 1] for n in range(len(text))) + b"BDAT 0 LAST\r\n")
        codes = [w.reply(30)[0] for _ in range(len(text) + 1)]
        took = time.monotonic() - begin
        check.equal(set(codes), {250}, "every octet")
        check.true(world.home.find(ANN, "Subject: crumbs")[0].endswith(b".\r\n" * 6660), "dots are octets")
        w.close()
    return f"{len(text)} chunks of one octet in {took:.2f} s, {attack.figure}"


@row("R10", "relay and address games")
def relay(world):
    forms = [b"x@elsewhere.example", b"x%elsewhere.example@home.example", b"elsewhere.example!x@home.example",
             b"@home.example:x@elsewhere.example", b"@home.example,@b.example:x@elsewhere.example",
             b'"x@elsewhere.example"@home.example', b'"x%elsewhere.example"@home.example', b'"x@elsewhere.example"',
             b"x@elsewhere.example.", b"x@[127.0.0.20]", b"x@[IPv6:::1]", b"x@[home.example]", b"x@elsewhere.example@home.example",
             b"x@home.example@elsewhere.example", b"x@\xc3\xa9lsewhere.example", b"x@home.example%elsewhere.example",
             b"x@mail.home.example.elsewhere.example", b"postmaster%elsewhere.example@mail.home.example",
             b"x@127.0.0.20", b"x@#2130706452", b"<x@elsewhere.example>", b"|/bin/sh@home.example",
             b"../../etc/passwd@home.example", b"x@home.example\0@elsewhere.example", b"@", b"x@", b"@home.example", b"",
             b"x@-home.example", b"x@home..example", b"x y@home.example", b'""@home.example', b'"\\"@home.example',
             b";rm -rf /;@home.example", b"${run{/bin/true}}@home.example", b"x@home.example>\r\nRCPT TO:<x@elsewhere.example",
             b"x" * 65 + b"@home.example", b"x@" + b"a." * 130 + b"example", b"x@home.example\t", b"x@HOME.EXAMPLE.elsewhere.example",
             b"x@xn--home-.example", b"x@home\xe3\x80\x82example", b"x@home.example#", b"SRS0=aaaa=aa=elsewhere.example=x@home.example",
             b"SRS1=aaaa=elsewhere.example==bbbb=cc=e.example=x@home.example"]
    for form in forms:
        w = greeted(world)
        w.ask(b"MAIL FROM:<a@sender.example>" + (b" SMTPUTF8" if max(form, default=0) > 127 else b""))
        code, text = w.ask(b"RCPT TO:<" + form + b">")
        check.true(code >= 400, f"{form!r}: {code} {text}")
        # A NUL is no SMTP at all: that one ends the connection.
        check.true(b"\0" in form or w.ask(b"NOOP")[0] in (250, 550), f"{form!r}: the session lives")
        w.close()
    return f"0 of {len(forms)} accepted"


@row("R11", "local sender without a login; a sender that is not one's own")
def senders(world):
    w = greeted(world)
    code = w.ask(b"MAIL FROM:<ann@home.example>")[0]
    if code == 250:
        code = w.ask(b"RCPT TO:<bob@home.example>")[0]
    check.equal(code, 550, "a sender of ours from outside")
    w.close()
    for port in (587, 465):
        for sender in (BOB, "x@elsewhere.example", "ann@HOME.example.evil.example", "postmaster@home.example"):
            w = log_in(world, port)
            code, text = w.ask(f"MAIL FROM:<{sender}>".encode())
            check.equal(code, 553, f"{port} as {sender}: {text}")
            w.close()
        for field in (f"From: <{BOB}>", f"From: <{ANN}>, <{BOB}>", f"From: <{ANN}>\r\nFrom: <{BOB}>",
                      f"FROM : <{BOB}>", f"Sender: <{BOB}>\r\nFrom: <{BOB}>", "From: a:;", "From: <>",
                      f"From: =?utf-8?q?bob=40home.example?= <{BOB}>", f"From:\r\n <{BOB}>", "From: nobody"):
            w = log_in(world, port)
            w.ask(f"MAIL FROM:<{ANN}>".encode())
            w.ask(f"RCPT TO:<{BOB}>".encode())
            w.ask(b"DATA")
            code, text = w.ask(f"{field}\r\nSubject: forged\r\n\r\nx\r\n.".encode())
            check.true(code in (550, 553, 554), f"{port} {field!r}: {code} {text}")
            w.close()
    check.true(not world.home.find(BOB, "Subject: forged"), "nothing forged arrived")
    return "550 outside, 553 after a login, 20 forged From refused"


@row("R12", "enumeration over one connection and many")
def enumeration(world):
    w = greeted(world)
    check.equal(w.ask(b"VRFY ann@home.example")[0], w.ask(b"VRFY nobody@home.example")[0], "VRFY")
    check.true(w.ask(b"EXPN staff")[0] >= 500, "EXPN")
    w.close()
    tries, begin = [0], time.monotonic()

    def guess(k):
        while time.monotonic() < begin + 10:
            try:
                w = greeted(world, source="127.0.0.66")
                w.ask(b"MAIL FROM:<a@sender.example>")
                for n in range(3):
                    code = w.ask(b"RCPT TO:<guess%d-%d@home.example>" % (k, tries[0]))[0]
                    if code == 550:
                        tries[0] += 1
                    elif code != 250:
                        break
                w.close()
            except OSError:
                time.sleep(0.1)

    with Attack(world, "dictionary", more_mib=32) as attack:
        at_once(guess, [(k,) for k in range(20)])
    rate = tries[0] / (time.monotonic() - begin)
    check.true(rate < 20, f"{rate:.0f} guesses a second by one address")
    return f"{rate:.1f} guesses/s by one address over 20 connections, {attack.figure}"


@row("R13", "backscatter")
def backscatter(world):
    home = world.home
    before = len(home.json("queue", "list")["items"])
    answers = []
    for rcpt in (b"nobody@home.example", b"nobody+tag@home.example"):
        w = greeted(world)
        w.ask(b"MAIL FROM:<victim@peer.example>")
        answers.append(w.ask(b"RCPT TO:<" + rcpt + b">")[0])
        w.close()
    home.add_account("tiny@home.example")
    home.run("account", "set", "tiny@home.example", "--quota", "2048")
    w = envelope(world, "tiny@home.example", b"victim@peer.example")
    w.ask(b"DATA")
    w.send(b"Subject: fat\r\n\r\n" + (b"x" * 70 + b"\r\n") * 1000 + b".\r\n")
    answers.append(w.reply()[0])
    w.close()
    w = envelope(world, ANN, b"victim@peer.example")
    w.ask(b"DATA")
    answers.append(w.ask(b"From: <a@b.example>\r\nFrom: <c@d.example>\r\n\r\nx\r\n.")[0])
    w.close()
    time.sleep(1)
    check.equal(len(home.json("queue", "list")["items"]), before, "0 notifications")
    return f"answers {answers}, 0 notifications"


@row("R14", "loops")
def loops(world):
    w = envelope(world)
    w.ask(b"DATA")
    code = w.ask(b"Received: from a by b; Mon, 23 Nov 2026 12:00:00 +0000\r\n" * 150 + b"\r\nx\r\n.")[0]
    check.equal(code, 554, "150 Received")
    w.close()
    w = envelope(world)
    w.ask(b"DATA")
    mine = w.ask(b"Delivered-To: ann@home.example\r\nX-Loop: ann@home.example\r\nSubject: seen\r\n\r\nx\r\n.")[0]
    w.close()
    said = []
    for name in (b"loop-a@home.example", b"self@home.example"):
        w = greeted(world)
        w.ask(b"MAIL FROM:<a@sender.example>")
        said.append(w.ask(b"RCPT TO:<" + name + b">")[0])
        if said[-1] == 250:
            w.ask(b"DATA")
            said.append(w.ask(b"Subject: round\r\n\r\nx\r\n.")[0])
        w.close()
    check.true(all(c >= 400 for c in said[-1:]), f"alias loops: {said}")
    return f"150 Received {code}, our Delivered-To {mine}, alias loops {said}"
