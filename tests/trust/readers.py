"""R17-R25: what strangers and people with a login do to IMAP and POP3."""
import os
import re
import time

import check
import rig
from rig import ANN, BOB, Attack, greeted, login, row
from wire import Wire

MANY_BOXES, MANY_MAILS = 3000, 100_000
SLOW = "slow@home.example"  # nobody else delivers there


def setup(world):
    rig.home(world, more="limits: {stalled_timeout: 4s, message_size: 50M}\n")
    for account in ("many@home.example", SLOW):
        world.home.add_account(account)


@row("R17", "IMAP before login")
def before_login(world):
    tries = 0
    with Attack(world, "before login", more_mib=32) as attack:
        for literal in (b"4294967296", b"9223372036854775808", b"1" + b"0" * 30, b"-1", b"100000", b"4294967295+",
                        b"9999999999999+", b"", b"+", b"0x10", b"1 "):
            for command in (b"a LOGIN ", b"a AUTHENTICATE PLAIN ", b"a NOOP ", b"a ID (", b"{"):
                w = Wire(world.home.address, 143)
                w.line()
                w.send(command + b"{" + literal + b"}\r\n")
                line = w.line()
                check.true(line is None or not line.startswith(b"+ "), f"{command!r}{literal!r}: {line!r}")
                w.close()
                tries += 1
        for flood in (b"a SEARCH " + b"(" * 100000 + b"\r\n", b"a ID " + b"(" * 60000 + b"\r\n", b"x" * (4 << 20),
                      b"a " + b"{1+}\r\nx" * 50000, b"a LOGIN \"" + b"\\\"" * 100000, b"\0" * 100000,
                      b"a CAPABILITY\r\n" * 30000, b"a ID (" + b'"k" "v" ' * 3000 + b")\r\n", b"\r\n" * 100000):
            w = Wire(world.home.address, 143)
            w.line()
            w.send(flood)
            w.send(b"z LOGOUT\r\n")
            check.true(w.is_closed(30), f"{flood[:20]!r}: closed")
            w.close()
            tries += 1
    return f"{tries} tries, no '+' for what is too large, {attack.figure}"


@row("R18", "200 open commands of 30 KB before login")
def open_commands(world):
    with Attack(world, "open commands", more_mib=96) as attack:
        held = []
        for n in range(800):
            w = Wire(world.home.address, 143 if n % 4 else 110, source="127.0.0.66")
            w.send(b"a LOGIN " + b"x" * 30000)
            held.append(w)
        time.sleep(2)
        figure = f"{rig.peak_mib(world) - attack.before:.0f} MiB for 800 connections"
        for w in held:
            w.close()
    return f"{figure}, {attack.figure}"


BOMBS = [
    b"FETCH 1:4294967295 (FLAGS)", b"FETCH 4294967296 FLAGS", b"FETCH 0 FLAGS", b"FETCH 1:* (" + b"(" * 20000 + b")",
    b"UID FETCH " + b",".join(b"%d:*" % n for n in range(1, 9000)) + b" FLAGS",
    b"UID FETCH " + b",".join(b"*:%d" % n for n in range(9000, 1, -1)) + b" BODY[]",
    b"SEARCH " + b"NOT " * 15000 + b"ALL", b"SEARCH " + b"(" * 15000 + b"ALL" + b")" * 15000,
    b"SEARCH " + b"OR ALL " * 9000 + b"ALL", b"SEARCH " + b"OR TEXT x " * 5000 + b"ALL",
    b"SEARCH " + b" ".join(b'HEADER X-%d ""' % n for n in range(3000)),
    b"FETCH 1 (" + b"BODY[] " * 9000 + b"FLAGS)", b"FETCH 1:* (" + b"BODY[HEADER] " * 4000 + b"FLAGS)",
    b"FETCH 1 BODY[" + b"1." * 30000 + b"1]", b"FETCH 1 BODY[]<4294967295.4294967295>", b"FETCH 1 BODY[]<0.0>",
    b"FETCH 1 BODY[99999999999999999999]", b"LIST \"\" " + b"*%" * 30000, b"LIST \"\" " + b"*" * 60000,
    b"LIST \"\" " + b"*a" * 20000, b"LSUB " + b"%" * 30000 + b" *", b"CREATE " + b"a/" * 20000,
    b"STORE 1 +FLAGS (" + b" ".join(b"k%d" % n for n in range(9000)) + b")", b"STORE 1 FLAGS (" + b"x" * 60000 + b")",
    b"SEARCH CHARSET X-NONE TEXT x", b"SEARCH CHARSET " + b"x" * 60000 + b" TEXT x",
    b"SEARCH CHARSET UTF-8 TEXT {3}\r\n\xff\xfe\xfd", b"APPEND INBOX {99999999999999}", b"STATUS INBOX ()",
    b"APPEND INBOX \"31-Feb-9999 99:99:99 +9999\" {3}\r\nabc", b"APPEND INBOX (" + b"\\Seen " * 9000 + b") {3}\r\nabc",
    b"FETCH 1 BODY[HEADER.FIELDS (" + b"X " * 30000 + b")]", b"COPY 1:* " + b"INBOX " * 3000, b"ENABLE " + b"X " * 30000,
    b"ID (" + b'"a" "b" ' * 7000 + b")", b"RENAME INBOX INBOX", b"RENAME a a/b/c", b"UID EXPUNGE 1:" + b"9" * 4000,
    b"SEARCH SENTSINCE 99-Feb-0000", b"SEARCH LARGER 99999999999999999999999", b"SEARCH UID " + b"1," * 30000 + b"1",
]


@row("R19", "IMAP bombs after login")
def bombs(world):
    w = login(world, ANN)
    for n in range(5):
        w.send(b"t%d APPEND INBOX {2000}\r\n" % n)
        w.line()
        w.send(b"Subject: s\r\nX-A: b\r\n\r\n".ljust(2000, b"x") + b"\r\n")
        w.tagged(b"t%d" % n)
    w.close()
    slowest = (0.0, b"")
    with Attack(world, "bombs", more_mib=96) as attack:
        for bomb in BOMBS:
            w = login(world)
            begin = time.monotonic()
            w.send(b"c " + bomb + b"\r\n")
            try:
                w.tagged(b"c", 3 if bomb.startswith((b"APPEND", b"SEARCH CHARSET UTF")) else 15)
            except TimeoutError:
                check.true(bomb.startswith((b"APPEND", b"SEARCH CHARSET UTF")), f"no answer to {bomb[:40]!r}")
                begin = time.monotonic()
            slowest = max(slowest, (time.monotonic() - begin, bomb[:24]))
            w.close()
    check.true(slowest[0] < 5, f"{slowest}")
    return f"{len(BOMBS)} bombs, slowest {slowest[0]:.2f} s {slowest[1].decode()!r}, {attack.figure}"


@row("R20", "60 hostile mailbox names")
def names(world):
    hostile = [b"../../escape", b"/etc/passwd", b"a\0b", b"a\r\nb", b"..", b".", b"", b"a//b", b"/", b"//", b"/a", b"a/",
               b"&", b"&-", b"&AAA-", b"&AAoADQ-", b"&AC8-", b"&AC4ALg-", b"a" * 5000, b"\xff\xfe", b"INBOX/../x", b"~root",
               b"%", b"*", b"&2D3-", b"&2AA-", b"&ZeVnLIqe", b"&ZeVnLIqe-&ZeVnLIqe-", b" ", b"\t", b"\x7f", b"\x1b[31m", b"\xc2\x9b",
               b"\xe2\x80\xae", b"inbox", b"InBoX/x", b"INBOX ", b"#news", b"#shared/x", b"user/bob", b"Trash/" * 40 + b"x", b"a/" * 31 + b"b",
               b"a/" * 33 + b"b", b"\\", b"\"", b"(", b")", b"{3}", b"a\\b", b"&AGE-", b"&YQ-", b"x" * 255, b"x" * 256, b"\xc3\xa9" * 127,
               b"\xc3\xa9" * 128, b"caf\xc3\xa9", b"cafe\xcc\x81", b"\xef\xbf\xbe", b"\xf0\x9f\x98\x80", b"\xed\xa0\x80", b"NIL", b"nil"]
    listed_before = set(os.listdir(world.home.folder.parent)) | {"escape"}
    for n, name in enumerate(hostile):
        w = login(world)
        for k, verb in enumerate((b"CREATE %s", b"RENAME Box%d %%s" % n, b"SUBSCRIBE %s", b"STATUS %s (MESSAGES)", b"SELECT %s",
                                  b"LIST %s *", b"LIST \"\" %s", b"DELETE %s")):
            tag = b"n%d" % k
            w.send(tag + b" " + verb % (b"{%d+}\r\n" % len(name) + name) + b"\r\n")
            if not w.tagged(tag):
                w.close()
                w = login(world)
        w.close()
    w = login(world)
    w.send(b"l LIST \"\" *\r\nm LSUB \"\" *\r\n")
    listed = w.tagged(b"m")
    check.true(listed and listed[-1].startswith(b"m OK"), "LIST answers")
    odd = [l for l in listed if re.search(rb"[\0\x01-\x1f\x7f]|\.\.|/etc", l)]
    check.equal(odd, [], "odd names")
    w.close()
    outside = set(os.listdir(world.home.folder.parent)) - listed_before
    check.equal(outside, set(), "new files beside the appliance")
    check.true(not (world.home.folder.parent / "escape").exists(), "nothing outside")
    return f"{len(hostile)} names x 8 commands, {len(listed)} lines listed, none odd"


@row("R21", "another user's mail")
def others(world):
    w = login(world, BOB)
    w.send(b"a CREATE Secret\r\n")
    w.tagged(b"a")
    w.close()
    w = login(world, ANN)
    w.send(b"a APPEND INBOX {10+}\r\nSubject: x\r\nb SELECT INBOX\r\n")
    w.tagged(b"b")
    count = 0
    for verb in (b"SELECT %s", b"EXAMINE %s", b"STATUS %s (MESSAGES)", b"COPY 1 %s", b"MOVE 1 %s", b"DELETE %s", b"RENAME %s Mine"):
        answers = {}
        for box in (b"Nowhere", b'"user/bob/Secret"', b'"bob@home.example/Secret"', b'"#user/bob/Secret"', b"Secret", b'"~bob/Secret"',
                    b'"../bob/Secret"', b'"/bob/Secret"'):
            w.send(b"q " + verb % box + b"\r\n")
            line = w.tagged(b"q")[-1]
            check.true(line.startswith((b"q NO", b"q BAD")), f"{verb % box}: {line!r}")
            answers[line] = box
            count += 1
            if verb.startswith((b"SELECT", b"EXAMINE")):
                w.send(b"b SELECT INBOX\r\n")
                w.tagged(b"b")
        check.equal(len([a for a in answers if b"NO" in a[:5]]), 1, f"one text for {verb!r}: {list(answers)}")
    for command in (b"GETACL INBOX", b"SETACL INBOX bob lr", b"GENURLAUTH \"imap://bob@home/Secret/;uid=1;urlauth=anonymous\" INTERNAL",
                    b"ESEARCH IN (mailboxes \"user/bob/Secret\") ALL", b"PROXYAUTH bob@home.example", b"UNAUTHENTICATE"):
        w.send(b"q " + command + b"\r\n")
        check.true(w.tagged(b"q")[-1].startswith((b"q BAD", b"q NO")), f"{command!r}")
        count += 1
    import base64
    v = Wire(world.home.address, 143)
    v.line()
    v.send(b"a AUTHENTICATE PLAIN " + base64.b64encode(f"{BOB}\0{ANN}\0{world.home.passwords[ANN]}".encode()) + b"\r\n")
    check.true(not v.tagged(b"a")[-1].startswith(b"a OK"), "as somebody else")
    return f"{count} tries, all refused in the words of what does not exist"


@row("R22", "3,000 mailboxes, 100,000 messages")
def large(world):
    w = login(world, "many@home.example")
    for first in range(0, MANY_BOXES, 100):
        w.send(b"".join(b"m%d CREATE Box-%d/Sub-%d\r\n" % (n, n % 50, n) for n in range(first, first + 100)))
        w.tagged(b"m%d" % (first + 99), 60)
    begin = time.monotonic()
    w.send(b"l LIST \"\" *\r\n")
    listed = len(w.tagged(b"l", 30))
    list_s = time.monotonic() - begin
    check.true(listed > MANY_BOXES and list_s < 1, f"LIST of {listed} in {list_s:.2f} s")
    text = b"Subject: x\r\nMessage-ID: <%d@x.example>\r\n\r\nx\r\n"
    begin = time.monotonic()
    for first in range(0, MANY_MAILS, 1000):
        w.send(b"p APPEND INBOX" + b"".join(b" {%d+}\r\n" % len(text % n) + text % n for n in range(first, first + 1000)) + b"\r\n")
        check.true(w.tagged(b"p", 60)[-1].startswith(b"p OK"), "MULTIAPPEND")
    fill_s = time.monotonic() - begin
    begin = time.monotonic()
    w.send(b"s SELECT INBOX\r\n")
    w.tagged(b"s", 30)
    select_s = time.monotonic() - begin
    check.true(select_s < 0.2, f"SELECT {select_s:.2f} s")
    with Attack(world, "100,000", more_mib=96) as attack:
        begin = time.monotonic()
        w.send(b"f FETCH 1:* (UID FLAGS)\r\n")
        lines = len(w.tagged(b"f", 60))
        fetch_s = time.monotonic() - begin
        w.send(b"g STORE 1:* +FLAGS.SILENT (\\Deleted)\r\nh EXPUNGE\r\n")
        begin = time.monotonic()
        w.tagged(b"h", 120)
        gone_s = time.monotonic() - begin
    check.true(lines > MANY_MAILS, f"{lines} lines")
    w.close()
    return (f"LIST {list_s:.2f} s, SELECT {select_s * 1000:.0f} ms, filled in {fill_s:.0f} s, FETCH {fetch_s:.2f} s, "
            f"STORE and EXPUNGE {gone_s:.1f} s, {attack.figure}")


@row("R23", "clients that never read")
def never_read(world):
    w = login(world, SLOW)
    text = b"Subject: big\r\n\r\n" + (b"z" * 78 + b"\r\n") * 50000
    for n in range(3):
        w.send(b"p APPEND INBOX {%d+}\r\n" % len(text) + text + b"\r\n")
        w.tagged(b"p", 30)
    w.close()
    with Attack(world, "never read", more_mib=96) as attack:
        held = []
        for port in (143, 993):
            for _ in range(40):
                v = Wire(world.home.address, port, tls=port == 993)
                v.send(f"a LOGIN {SLOW} {world.home.passwords[SLOW]}\r\nb SELECT INBOX\r\n".encode() +
                       b"".join(b"c%d FETCH 1:* BODY[]\r\n" % n for n in range(200)))
                held.append(v)
        for _ in range(40):
            v = Wire(world.home.address, 110)
            v.send(f"USER {SLOW}\r\nPASS {world.home.passwords[SLOW]}\r\n".encode() + b"RETR 1\r\n" * 2000)
            held.append(v)
        for _ in range(40):
            v = Wire(world.home.address, 25)
            v.s.settimeout(1)
            v.send(b"EHLO x\r\n" * 100000)
            held.append(v)
        begin, left = time.monotonic(), list(held)
        # Those of one account stand in line for large bodies, and are cut off in turns.
        while left and time.monotonic() - begin < 90:
            time.sleep(2)
            left = [v for v in left if not is_cut(v)]
        took = time.monotonic() - begin
        for v in held:
            v.close()
    check.equal(len(left), 0, "were not cut off")
    return f"{len(held)} clients on 4 ports, all cut off after {took:.0f} s (time-out 4 s), {attack.figure}"


def is_cut(w):
    """Whether the other side has ended it, seen without reading what it sent."""
    w.s.settimeout(0.2)
    try:
        for _ in range(3):
            w.s.send(b"x")
            time.sleep(0.02)
        return False
    except TimeoutError:
        return False
    except OSError:
        return True


@row("R24", "POP3")
def pop3(world):
    def enter(user=ANN):
        w = Wire(world.home.address, 110)
        w.line()
        for command in (f"USER {user}", f"PASS {world.home.passwords[user]}"):
            w.send(command.encode() + b"\r\n")
            w.line()
        return w

    def ask(w, command, seconds=15):
        w.send(command + b"\r\n")
        return w.line(seconds) or b""

    with Attack(world, "POP3", more_mib=48) as attack:
        w = enter()
        begin = ask(w, b"STAT")
        ask(w, b"DELE 1")
        w.close()
        w = enter()
        check.equal(ask(w, b"STAT"), begin, "no QUIT, no delete")
        for bad in (b"RETR 0", b"RETR -1", b"RETR 99999999999999999999", b"RETR", b"RETR x", b"TOP 1 -1", b"TOP 1", b"DELE 2 2", b"LIST 0",
                    b"UIDL 9999999", b"RETR 1\0", b"TOP 1 " + b"9" * 200, b"XYZ"):
            check.true(ask(w, bad).startswith(b"-ERR"), f"{bad!r}")
        line = ask(w, b"RETR " + b"1" * 5000)
        check.true(line == b"" or line.startswith(b"-ERR"), f"a long line: {line[:50]!r}")
        w.close()
        w = Wire(world.home.address, 110)
        w.send(b"USER " + b"x" * (4 << 20))
        check.true(w.is_closed(30), "an endless line is cut off")
        w.close()

        def uidl():
            w = enter()
            w.send(b"UIDL\r\n")
            lines = [w.line()]
            while lines[-1] != b".":
                lines.append(w.line())
            w.close()
            return lines
        check.equal(uidl(), uidl(), "UIDL is stable")
    return f"no QUIT no delete, 13 wrong numbers refused, UIDL stable, {attack.figure}"


def mime_bombs():
    nest = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3000))
    return {
        "nested parts": b"MIME-Version: 1.0\r\n" + nest,
        "nested and closed": nest + b"\r\nx" + b"".join(b"\r\n--b%d--" % n for n in reversed(range(3000))),
        "parts without end": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100000,
        "messages in messages": b"Content-Type: message/rfc822\r\n\r\n" * 20000,
        "encoded words": b"Subject: " + b"=?utf-8?q?=C3=A9?= " * 20000, "one encoded word": b"Subject: =?utf-8?b?" + b"w6k=" * 60000 + b"?=",
        "parameters": b"Content-Type: text/plain" + b"".join(b"; p*%d=x" % n for n in range(20000)),
        "parameters of one name": b"Content-Type: text/plain" + b"; name=x" * 30000,
        "continuations backwards": b"Content-Type: text/plain" + b"".join(b"; p*%d*=%%41" % n for n in reversed(range(20000))),
        "comments": b"From: " + b"(" * 100000 + b"a@b.example", "comments closed": b"From: " + b"(" * 50000 + b")" * 50000 + b" a@b.example",
        "boundary prefix": b"Content-Type: multipart/mixed; boundary=" + b"a" * 60 + b"\r\n\r\n" + (b"--" + b"a" * 59 + b"\r\n") * 50000,
        "same boundary": b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" +
                         b"--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n" * 20000,
        "digest": b"Content-Type: multipart/digest; boundary=d\r\n\r\n" + b"--d\r\n\r\nSubject: x\r\n\r\nx\r\n" * 20000,
        "long boundary": b"Content-Type: multipart/mixed; boundary=\"" + b"a" * 100000 + b"\"\r\n\r\n--" + b"a" * 100000,
        "dashes": b"Content-Type: multipart/mixed; boundary=\"-\"\r\n\r\n" + b"--" * 200000, "dash lines": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--\r\n" * 100000,
        "base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 500000, "broken base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"A=B\r\n" * 100000,
        "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\r\n" * 150000,
        "addresses": b"To: " + b", ".join(b"\"a\" <a%d@b.example>" % n for n in range(9000)), "groups": b"To: " + b"g:a@b.example;" * 9000,
        "in-reply-to": b"References: " + b"<x@y> " * 40000, "charset": b"Content-Type: text/plain; charset=" + b"x" * 9000 + b"\r\n\r\n\xff\xff",
        "UTF-7": b"Content-Type: text/plain; charset=utf-7\r\n\r\n" + b"+AAAA" * 50000, "long lines": b"\r\n\r\n" + b"needle" * 500000,
    }


QUESTIONS = (b"FETCH 1:* (FLAGS ENVELOPE)", b"FETCH 1:* (BODYSTRUCTURE RFC822.SIZE)", b"FETCH 1:* BODY.PEEK[1.1.1.1.1.1]", b"FETCH 1:* BODY.PEEK[1.MIME]",
             b"FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT FROM X-NONE)]", b"FETCH 1:* BODY.PEEK[" + b"1." * 90 + b"1]",
             b"SEARCH TEXT needle-not-there", b"SEARCH HEADER Subject \xc3\xa9", b"SEARCH CHARSET UTF-8 BODY {2+}\r\n\xc3\xa9",
             b"SEARCH FROM x TO y CC z SUBJECT w", b"UID SEARCH SENTBEFORE 1-Jan-2000 OR BODY a TEXT b", b"FETCH 1:* (BODY[TEXT]<1000000.10>)")


@row("R25", "MIME bombs, then IMAP questions")
def mime(world):
    slowest, slowest_put = (0.0, ""), (0.0, "")
    world.home.add_account("bombs@home.example")
    with Attack(world, "MIME", more_mib=160) as attack:
        for name, text in mime_bombs().items():
            w = greeted(world)
            w.ask(b"MAIL FROM:<a@sender.example>")
            w.ask(b"RCPT TO:<bombs@home.example>")
            w.ask(b"DATA")
            begin = time.monotonic()
            w.send(b"X-Bomb: " + name.encode() + b"\r\n" + text + b"\r\n.\r\n")
            code = w.reply(30)[0]
            check.true(code == 250 or code >= 500, f"{name}: {code}")
            slowest_put = max(slowest_put, (time.monotonic() - begin, name))
            w.close()
        w = login(world, "bombs@home.example")
        w.send(b"n STATUS INBOX (MESSAGES)\r\n")
        kept = w.tagged(b"n")[0]
        for q in QUESTIONS:
            begin = time.monotonic()
            w.send(b"q " + q + b"\r\n")
            lines = w.tagged(b"q", 20)
            check.true(lines and lines[-1].startswith((b"q OK", b"q NO", b"q BAD")), f"{q[:30]!r}: {lines[-1:]!r}")
            slowest = max(slowest, (time.monotonic() - begin, q[:34].decode(errors="replace")))
        w.close()
    check.true(slowest[0] < 10 and slowest_put[0] < 10, f"{slowest} {slowest_put}")
    return (f"{len(mime_bombs())} bombs ({kept.decode()}), put {slowest_put[0]:.2f} s ({slowest_put[1]}), "
            f"asked {slowest[0]:.2f} s ({slowest[1]}), {attack.figure}")
