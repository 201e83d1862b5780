"""What strangers send: each story ends with an answer, a living server and nobody harmed."""
import pathlib
import time

import check
from appliance import FREES_SOON, PATIENCE, insecure_tls
from wire import Wire, smtp
from world import message

ANN, BOB = "ann@home.example", "bob@home.example"
TREE_MAX_MIB = 128


def setup(world):
    world.names()
    world.appliance(plaintext='["127.0.0.0/8"]', level="info", env=FREES_SOON)
    world.pids = world.home.workers()


def memory_mib(world):
    total = 0
    for pids in world.home.workers().values():
        for pid in pids:
            try:
                for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
            except OSError:
                pass
    return total / 1024


def innocent(world, what):
    """An ordinary client is served, soon, and no process has died."""
    begin = time.monotonic()
    with world.home.smtp() as s:
        s.sendmail("pat@peer.example", [BOB], message("pat@peer.example", BOB, what))
    m = world.home.imap(BOB)
    m.select("INBOX")
    m.logout()
    took = time.monotonic() - begin
    check.true(took < 20 * PATIENCE, f"innocent after {what}: {took:.1f} s")
    check.equal(world.home.workers(), world.pids, f"processes after {what}")


def begin_data(world):
    w = smtp(world.home)
    w.ask(b"MAIL FROM:<probe@sender.example>")
    w.ask(b"RCPT TO:<" + ANN.encode() + b">")
    check.equal(w.ask(b"DATA")[0], 354, "DATA")
    return w


def test_smuggling_leaves_one_reply_and_no_second_mail(world):
    ends = [b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r", b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r",
            b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\r\n.\r\n"[:-5] + b".\r\n", b"\r\n.\r\r\n",
            b"\r\r\n.\r\r\n", b"\x0b.\r\n", b"\xc2\x85.\r\n", b"\r\n. \r\n"]
    for end in ends:
        w = begin_data(world)
        w.send(b"Subject: outer\r\n\r\nouter" + end + b"MAIL FROM:<evil@evil.example>\r\n"
               b"RCPT TO:<" + ANN.encode() + b">\r\nDATA\r\nSubject: SMUGGLED\r\n\r\nx\r\n.\r\n")
        code, text = w.reply()
        check.true(code in (0, 250) or code >= 400, f"{end!r}: {text}")
        if code == 250:
            w.send(b"QUIT\r\n")
            check.equal(w.reply()[0], 221, f"{end!r}: nothing between the reply and QUIT's")
        w.close()
    check.true(not [m for _, m in world.home.inbox(ANN) if b"Return-Path: <evil@" in m],
               "no smuggled mail")


def test_starttls_drops_what_came_in_plain(world):
    w = smtp(world.home)
    w.send(b"STARTTLS\r\nMAIL FROM:<injected@evil.example>\r\n")
    code, _ = w.reply()
    if code == 220:
        try:
            w.starttls()
            w.send(b"NOOP\r\n")
            check.true("injected" not in w.reply()[1], "not answered inside TLS")
        except OSError:
            pass
    w.close()
    w = smtp(world.home)
    w.ask(b"MAIL FROM:<a@sender.example>")
    code, text = w.ask(b"STARTTLS")
    if code == 220:
        w.starttls()
        check.equal(w.ask(b"RCPT TO:<" + ANN.encode() + b">")[0], 503, "state is reset")
    else:
        check.equal(code, 503, f"STARTTLS inside a transaction: {text}")
    check.equal(smtp(world.home).ask(b"STARTTLS now")[0], 501, "STARTTLS takes no argument")


def test_text_pipelined_behind_data_is_refused(world):
    w = smtp(world.home)
    w.send(b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<" + ANN.encode() +
           b">\r\nDATA\r\nSubject: early\r\n\r\nx\r\n.\r\n")
    codes = [w.reply()[0] for _ in range(3)]
    check.true(codes[2] >= 500 or codes[2] == 0, f"DATA with text behind it: {codes}")
    check.true(not world.home.find(ANN, "Subject: early"), "nothing stored")


def test_long_lines_are_refused_and_cost_nothing(world):
    before = memory_mib(world)
    for size in (3000, 30000):
        w = smtp(world.home)
        check.equal(w.ask(b"NOOP " + b"a" * size)[0], 500, f"{size} bytes")
        check.equal(w.ask(b"NOOP")[0], 250, "the session lives")
        w.close()
    w = smtp(world.home)
    for _ in range(32):
        if not w.send(b"a" * (1 << 20)):
            break
    check.true(w.is_closed(), "an endless line is cut off")
    check.true(memory_mib(world) - before < 16, "memory stays")


def test_size_lies(world):
    w = smtp(world.home)
    check.equal(w.ask(b"MAIL FROM:<a@sender.example> SIZE=99999999999999")[0], 552, "too large")
    for bad in (b"SIZE=1 SIZE=2", b"SIZE=-1", b"SIZE=x", b"SIZE=99999999999999999999999", b"SIZE"):
        code = w.ask(b"MAIL FROM:<a@sender.example> " + bad)[0]
        check.true(code in (501, 552, 555), f"{bad!r}: {code}")
    w.close()


def test_bdat_games(world):
    for arg in (b"-1", b"18446744073709551616", b"1 LASTX", b"", b"0x10", b"1 2 3"):
        w = smtp(world.home)
        w.ask(b"MAIL FROM:<a@sender.example>")
        w.ask(b"RCPT TO:<" + ANN.encode() + b">")
        check.true(w.ask(b"BDAT " + arg)[0] >= 500, f"BDAT {arg!r}")
        w.close()
    w = smtp(world.home)
    w.ask(b"MAIL FROM:<a@sender.example>")
    w.ask(b"RCPT TO:<" + ANN.encode() + b">")
    body = b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n"
    w.send(b"BDAT %d\r\n" % 10 + body[:10])
    check.equal(w.reply()[0], 250, "first chunk")
    check.equal(w.ask(b"DATA")[0], 503, "no DATA after BDAT")
    w.send(b"BDAT %d LAST\r\n" % (len(body) - 10) + body[10:])
    code, text = w.reply()
    if code == 250:
        found = world.home.find(ANN, "Subject: dots")
        check.true(found and found[0].endswith(b"\r\n.\r\n..\r\n.x\r\n"), "dots are octets in BDAT")
    else:
        check.true(code == 503, f"BDAT after the refused DATA: {text}")
    w.close()


def test_the_relay_is_closed_in_every_spelling(world):
    forms = [b"x@elsewhere.example", b"x%elsewhere.example@home.example", b"elsewhere.example!x@home.example",
             b"@home.example:x@elsewhere.example", b'"x@elsewhere.example"@home.example',
             b'"x@elsewhere.example"', b"x@elsewhere.example.", b"x@[127.0.0.20]", b"x@[IPv6:::1]",
             b"x@elsewhere.example@home.example", b"x@home.example@elsewhere.example",
             b"x@\xc3\xa9lsewhere.example", b"x@home.example%elsewhere.example",
             b"x@mail.home.example.elsewhere.example", b"postmaster%elsewhere.example@mail.home.example",
             b"x@127.0.0.20", b"x@#2130706452", b"<x@elsewhere.example>", b"|/bin/sh@home.example",
             b"../../etc/passwd@home.example", b"x@home.example\0@elsewhere.example", b"@", b"x@", b"",
             b"x@-home.example", b"x@home..example", b"x y@home.example"]
    for form in forms:
        w = smtp(world.home)
        w.ask(b"MAIL FROM:<a@sender.example>")
        code, text = w.ask(b"RCPT TO:<" + form + b">")
        check.true(code >= 400 or code == 0, f"{form!r}: {code} {text}")
        w.close()


def test_vrfy_expn_tell_nothing_and_guessing_is_cut_off(world):
    w = smtp(world.home)
    check.equal(w.ask(b"VRFY " + ANN.encode())[0], w.ask(b"VRFY nobody@home.example")[0], "VRFY")
    check.true(w.ask(b"EXPN staff")[0] >= 500, "EXPN")
    w.ask(b"MAIL FROM:<a@sender.example>")
    codes = []
    for n in range(200):
        codes.append(w.ask(b"RCPT TO:<guess%d@home.example>" % n)[0])
        if codes[-1] in (0, 421):
            break
    check.true(codes[-1] in (0, 421), f"{len(codes)} guesses, the last answered {codes[-1]}")
    w.close()


def test_many_recipients(world):
    w = smtp(world.home)
    w.ask(b"MAIL FROM:<a@sender.example>")
    first = None
    for n in range(1200):
        code, _ = w.ask(b"RCPT TO:<ann+%d@home.example>" % n)
        if code != 250:
            first = (n, code)
            break
    check.true(first and first[0] >= 100 and first[1] == 452, f"limit {first}")
    w.close()


def test_wrong_protocols_are_closed_without_echo(world):
    http = b"GET /secret-path HTTP/1.1\r\nHost: home.example\r\n\r\n"
    for port in (25, 587, 143, 110):
        w = Wire(world.home.address, port)
        w.send(http)
        w.s.settimeout(20)
        got = b""
        try:
            while len(got) < 65536:
                data = w.s.recv(4096)
                if not data:
                    break
                got += data
                w.send(http) if b"secret" not in got else None
        except OSError:
            pass
        check.true(b"secret-path" not in got, f"port {port} does not reflect")
        check.true(got.count(b"\n") <= 2, f"port {port} answers once: {got!r}")
        w.close()
    for protocol in ("imap", "pop3"):
        check.until(lambda p=protocol: f"protocol={p} ip=127.0.0.1 reason=method_not_allowed"
                    in world.home.log(), f"an event of {protocol}")
    for port in (465, 993, 995, 443):
        w = Wire(world.home.address, port)
        w.send(http * 3)
        check.true(w.is_closed(), f"plain text on {port} is closed")
    for protocol in ("imap", "pop3"):
        check.until(lambda p=protocol: f"protocol={p} ip=127.0.0.1 reason=tls" in world.home.log(),
                    f"failed TLS is an event of {protocol}")


def test_alpn_of_another_protocol_is_refused(world):
    import socket
    import ssl
    context = insecure_tls()
    context.set_alpn_protocols(["http/1.1"])
    try:
        s = context.wrap_socket(socket.create_connection((world.home.address, 993), 10))
        check.fail(f"ALPN http/1.1 accepted on 993 ({s.selected_alpn_protocol()})")
    except ssl.SSLError:
        pass
    old = insecure_tls()
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    try:
        old.wrap_socket(socket.create_connection((world.home.address, 993), 10))
        check.fail("TLS 1.1 accepted")
    except (ssl.SSLError, OSError):
        pass


def test_imap_before_login(world):
    before = memory_mib(world)
    for literal in (b"4294967296", b"9223372036854775808", b"1" + b"0" * 30, b"-1", b"100000"):
        w = Wire(world.home.address, 143)
        w.line()
        w.send(b"a LOGIN {" + literal + b"}\r\n")
        line = w.line()
        check.true(line is None or not line.startswith(b"+"), f"literal {literal!r}: {line!r}")
        w.close()
    w = Wire(world.home.address, 143)
    w.line()
    w.send(b"a SEARCH " + b"(" * 100000 + b"\r\n")
    check.true(w.line() is not None or True, "parentheses")
    w.close()
    held = []
    for _ in range(200):
        w = Wire(world.home.address, 143)
        w.send(b"a LOGIN " + b"x" * 30000)
        held.append(w)
    time.sleep(1)
    check.true(memory_mib(world) - before < TREE_MAX_MIB, "200 open commands of 30 KB")
    for w in held:
        w.close()
    innocent(world, "IMAP before login")


def test_imap_after_login(world):
    def login():
        w = Wire(world.home.address, 143)
        w.line()
        w.send(f'a LOGIN {ANN} {world.home.passwords[ANN]}\r\nb SELECT INBOX\r\n'.encode())
        w.tagged(b"b")
        return w
    bombs = [b"FETCH 1:4294967295 (FLAGS)", b"FETCH 4294967296 FLAGS", b"FETCH 0 FLAGS",
             b"UID FETCH " + b",".join(b"%d:*" % n for n in range(1, 5000)) + b" FLAGS",
             b"SEARCH " + b"NOT " * 5000 + b"ALL", b"SEARCH " + b"(" * 5000 + b"ALL" + b")" * 5000,
             b"SEARCH " + b"OR ALL " * 5000 + b"ALL", b"FETCH 1 (" + b"BODY[] " * 5000 + b"FLAGS)",
             b"FETCH 1 BODY[" + b"1." * 5000 + b"1]", b"FETCH 1 BODY[]<4294967295.4294967295>",
             b"LIST \"\" " + b"*%" * 5000, b"LIST \"\" " + b"*" * 20000, b"CREATE " + b"a/" * 5000,
             b"STORE 1 +FLAGS (" + b" ".join(b"k%d" % n for n in range(5000)) + b")",
             b"SEARCH CHARSET X-NONE TEXT x", b"SEARCH CHARSET UTF-8 TEXT {3}\r\n\xff\xfe\xfd",
             b"APPEND INBOX {99999999999999}", b"STATUS INBOX ()", b"FETCH 1 BODY[HEADER.FIELDS (" +
             b"X " * 5000 + b")]"]
    for bomb in bombs:
        w = login()
        begin = time.monotonic()
        w.send(b"c " + bomb + b"\r\n")
        try:
            lines = w.tagged(b"c", 30)
        except TimeoutError:
            lines = []
            check.true(bomb.startswith((b"APPEND", b"SEARCH CHARSET UTF-8")), f"no answer to {bomb[:40]!r}")
        check.true(time.monotonic() - begin < 31, f"{bomb[:40]!r} took {time.monotonic() - begin:.1f} s")
        if bomb.startswith(b"APPEND"):
            check.true(not lines or not lines[0].startswith(b"+"), "no + for a giant literal")
        w.close()
    innocent(world, "IMAP bombs")


def test_hostile_mailbox_names_stay_inside(world):
    w = Wire(world.home.address, 143)
    w.line()
    w.send(f'a LOGIN {ANN} {world.home.passwords[ANN]}\r\n'.encode())
    w.tagged(b"a")
    names = [b"../../escape", b"/etc/passwd", b"a\0b", b"a\r\nb", b"..", b".", b"", b"a//b", b"&", b"&AAA-",
             b"&AAoADQ-", b"a" * 5000, b"\xff\xfe", b"INBOX/../x", b"~root", b"%", b"*", b"&2D3-", b" "]
    for n, name in enumerate(names):
        tag = b"n%d" % n
        w.send(tag + b" CREATE {%d+}\r\n" % len(name) + name + b"\r\n")
        lines = w.tagged(tag)
        if not lines or not lines[-1].startswith(tag):
            w = Wire(world.home.address, 143)
            w.line()
            w.send(f'a LOGIN {ANN} {world.home.passwords[ANN]}\r\n'.encode())
            w.tagged(b"a")
    w.send(b"l LIST \"\" *\r\n")
    listed = w.tagged(b"l")
    check.true(listed and listed[-1].startswith(b"l OK"), "LIST answers")
    check.true(not any(b"\0" in line or b".." in line for line in listed), f"no odd names: {listed}")
    check.true(not (world.home.folder.parent / "escape").exists(), "nothing outside")
    w.send(b"o SELECT \"" + BOB.encode() + b"/INBOX\"\r\np SELECT \"no such box\"\r\n")
    other = w.tagged(b"o")[-1].split(b" ", 1)[1]
    none = w.tagged(b"p")[-1].split(b" ", 1)[1]
    check.equal(other, none, "another user's mailbox looks like none")
    w.close()


def test_silent_connections_do_not_starve_others(world):
    for port in (25, 587, 143):
        held = [Wire(world.home.address, port) for _ in range(300)]
        innocent(world, f"300 silent on {port}")
        for w in held:
            w.close()
    held = []
    for _ in range(200):  # half a handshake
        w = Wire(world.home.address, 993)
        w.send(b"\x16\x03\x01\x02\x00\x01")
        held.append(w)
    innocent(world, "200 half handshakes")
    for w in held:
        w.close()


def test_a_client_that_never_reads_is_bounded(world):
    m = world.home.imap(BOB)
    big = message("pat@peer.example", BOB, "big", "x" * 70 + "\n" + "y" * 70 + "\n" * 2 + "z" * 500000)
    for _ in range(4):
        m.append("INBOX", None, None, big.replace("\n", "\r\n").encode())
    m.logout()
    before = memory_mib(world)
    held = []
    for _ in range(20):
        w = Wire(world.home.address, 143)
        w.send(f"a LOGIN {BOB} {world.home.passwords[BOB]}\r\nb SELECT INBOX\r\n".encode() +
               b"".join(b"c%d FETCH 1:* BODY[]\r\n" % n for n in range(100)))
        held.append(w)
    time.sleep(3)
    check.true(memory_mib(world) - before < TREE_MAX_MIB, f"memory {memory_mib(world) - before:.0f} MiB more")
    innocent(world, "clients that never read")
    for w in held:
        w.close()


def test_hostile_headers_are_decided_soon(world):
    bodies = {
        "1 MiB header": b"X-Long: " + b"a" * (1 << 20),
        "100,000 fields": b"\r\n".join(b"X-%d: y" % n for n in range(100000)),
        "100,000 addresses": b"To: " + b", ".join(b"a%d@b.example" % n for n in range(100000)),
        "4 MiB line": b"Subject: x\r\n\r\n" + b"a" * (4 << 20),
        "nested parts": b"MIME-Version: 1.0\r\n" + b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2000)),
        "parts without end": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 50000,
        "messages in messages": b"Content-Type: message/rfc822\r\n\r\n" * 5000,
        "encoded words": b"Subject: " + b"=?utf-8?q?=C3=A9?= " * 50000,
        "parameters": b"Content-Type: text/plain" + b"".join(b"; p*%d=x" % n for n in range(20000)),
        "comments": b"From: " + b"(" * 100000 + b"a@b.example",
        "boundary prefix": b"Content-Type: multipart/mixed; boundary=" + b"a" * 60 + b"\r\n\r\n" +
                           (b"--" + b"a" * 59 + b"\r\n") * 20000,
        "empty": b"",
    }
    for name, text in bodies.items():
        w = begin_data(world)
        begin = time.monotonic()
        w.send(b"Subject: bomb " + name.encode() + b"\r\n" + text + b"\r\n.\r\n")
        code, reply = w.reply(60)
        check.true(code == 250 or code >= 500, f"{name}: {code} {reply}")
        check.true(time.monotonic() - begin < 30, f"{name} took {time.monotonic() - begin:.1f} s")
        w.close()
    m = world.home.imap(ANN)
    m.select("INBOX")
    begin = time.monotonic()
    status, _ = m.fetch("1:*", "(FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE)")
    check.equal(status, "OK", "FETCH of them all")
    status, _ = m.search(None, "TEXT", "nothing-of-the-kind")
    check.equal(status, "OK", "SEARCH in them all")
    check.true(time.monotonic() - begin < 30, f"read in {time.monotonic() - begin:.1f} s")
    m.logout()
    innocent(world, "hostile headers")


def test_the_log_has_no_control_bytes(world):
    w = smtp(world.home, ehlo=False)
    w.ask(b"EHLO \x1b[31mred\x07\xc2\x9b")
    w.ask(b"MAIL FROM:<\"a\x1b[2J\"@b.example>")
    w.ask(b"RCPT TO:<x\xe2\x80\xaey@home.example>")
    w.close()
    log = world.home.log_file.read_bytes()
    bad = [c for c in log if c < 32 and c != 10 or c == 127]
    check.equal(bad, [], "control bytes")
    for escape in (b"\xc2\x9b", b"\xe2\x80\xae"):
        check.true(escape not in log, f"{escape!r} in the log")


def test_password_guessing_is_slow_and_the_victim_gets_in(world):
    begin, tries = time.monotonic(), 0
    while time.monotonic() - begin < 8 and tries < 60:
        w = Wire(world.home.address, 143, source="127.0.0.66")
        w.line()
        for n in range(3):
            w.send(b"a%d LOGIN %s wrong%d\r\n" % (n, ANN.encode(), tries))
            lines = w.tagged(b"a%d" % n, 30)
            if not lines or not lines[-1].startswith(b"a%d" % n):
                break
            tries += 1
        w.close()
    rate = tries / (time.monotonic() - begin)
    check.true(rate < 5, f"{rate:.1f} guesses a second")
    import imaplib
    victim = imaplib.IMAP4(world.home.address, 143, timeout=30)
    check.equal(victim.login(ANN, world.home.passwords[ANN])[0], "OK", "the victim gets in")
    victim.logout()
