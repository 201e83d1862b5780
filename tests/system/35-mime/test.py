"""What FETCH and POP3 say of messages, held against Python's email package, and messages
made to be expensive."""
import email
import email.policy
import email.utils
import os
import pathlib
import poplib
import random
import socket
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.message import MIMEMessage

import check
from appliance import PATIENCE, insecure_tls

ANN = "ann@home.example"
SEED = 20261123
COUNT = 250
# Seconds of the appliance's own time for any one question about a hostile message.
SLOWEST = 1.0 * PATIENCE


def setup(world):
    world.names()
    world.home_imap = world.appliance(plaintext='["127.0.0.0/8"]').imap(ANN)
    # A literal and the line end behind it are two writes of imaplib.
    world.home_imap.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


# --- reading IMAP -------------------------------------------------------------------------

def parse(data, at=0):
    """One value at data[at]: a list, bytes, or None for NIL; and where it ends."""
    if data[at:at + 1] == b"(":
        items, at = [], at + 1
        while data[at:at + 1] != b")":
            if data[at:at + 1] == b" ":
                at += 1
                continue
            item, at = parse(data, at)
            items.append(item)
        return items, at + 1
    if data[at:at + 1] == b'"':
        text, at = b"", at + 1
        while data[at:at + 1] != b'"':
            at += data[at:at + 1] == b"\\"
            text += data[at:at + 1]
            at += 1
        return text, at + 1
    if data[at:at + 1] == b"{":
        end = data.index(b"}\r\n", at)
        size = int(data[at + 1:end])
        return data[end + 3:end + 3 + size], end + 3 + size
    end = at
    while data[end:end + 1] not in (b"", b" ", b")", b"("):
        end += 1
    word = data[at:end]
    return (None if word == b"NIL" else word), end


def fetch(m, number, item):
    status, data = m.fetch(str(number), f"({item})")
    check.equal(status, "OK", item)
    whole = b""
    for piece in data:
        whole += piece[0] + b"\r\n" + piece[1] if isinstance(piece, tuple) else piece or b""
    values, _ = parse(whole[whole.index(b"("):])
    return values[1]


# --- making messages ----------------------------------------------------------------------

WORDS = ["lunch", "Grüße", "中文", "a b", 'q"uote', "x" * 90, "tab\tbed", "Привет", "semi;colon"]


def text_of(r):
    return "".join(r.choice(["line\n", ".dot\n", "\n", "Grüße\n", "From here\n", "=3D\n"])
                   for _ in range(r.randrange(12)))


def leaf(r):
    part = EmailMessage(policy=email.policy.SMTP)
    kind = r.randrange(4)
    if kind == 0:
        part.set_content(text_of(r), cte=r.choice(["quoted-printable", "base64", "8bit"]))
    elif kind == 1:
        part.set_content("<p>" + text_of(r), subtype="html",
                         charset=r.choice(["utf-8", "utf-16"]), cte="base64")
    else:
        part.set_content(bytes(r.randrange(256) for _ in range(r.randrange(300))),
                         maintype="application", subtype="octet-stream",
                         filename=r.choice(WORDS[:-3] + ["plain.txt"]).replace("\t", " "),
                         disposition=r.choice(["attachment", "inline"]))
    if r.random() < 0.3:
        part["Content-ID"] = "<%d@x>" % r.randrange(10 ** 6)
    if r.random() < 0.2:
        part["Content-Description"] = r.choice(["short", "of a part"])
    return part


def tree(r, depth):
    if depth == 0 or r.random() < 0.4:
        return leaf(r)
    if r.random() < 0.2:
        inner = tree(r, depth - 1)
        address(r, inner)
        return MIMEMessage(inner)
    whole = MIMEMultipart(r.choice(["mixed", "alternative", "related"]))
    for _ in range(r.randrange(1, 4)):
        whole.attach(tree(r, depth - 1))
    if r.random() < 0.3:
        whole.preamble, whole.epilogue = "before\n", "after\n"
    return whole


def address(r, message):
    people = [f"{r.choice(['', 'Ann ', chr(34) + 'B, C' + chr(34) + ' ', '=?utf-8?q?=C3=BC?= '])}"
              f"<p{n}@x{n}.example>" for n in range(r.randrange(1, 5))]
    for name, value in (("From", people[0]), ("To", ", ".join(people)),
                        ("Date", email.utils.formatdate(r.randrange(2 ** 31))),
                        ("Subject", r.choice(["one", "two words", "=?utf-8?b?w7w=?=", "x" * 70])),
                        ("Message-ID", "<%d@y>" % r.randrange(10 ** 9))):
        message[name] = value


def make(r):
    message = tree(r, 3)
    address(r, message)
    return message.as_bytes(policy=email.policy.SMTP)


# --- comparing ----------------------------------------------------------------------------

def word(value):
    return value.decode("latin-1").lower() if value is not None else None


def compare_part(m, number, path, form, part, what):
    """A part of BODYSTRUCTURE against a part of the email package, and all inside it."""
    if part.is_multipart() and part.get_content_maintype() == "multipart":
        children = [x for x in form if isinstance(x, list)][:len(part.get_payload())]
        check.equal(word(form[len(part.get_payload())]), part.get_content_subtype(), what)
        for n, (sub, child) in enumerate(zip(children, part.get_payload()), 1):
            compare_part(m, number, path + [n], sub, child, what)
        return
    check.equal(f"{word(form[0])}/{word(form[1])}", part.get_content_type(), what)
    check.equal(form[3] and form[3].decode(), part["Content-ID"], f"{what} id")
    section = ".".join(map(str, path)) or "1"
    body = fetch(m, number, f"BODY.PEEK[{section}]")
    check.equal(int(form[6]), len(body), f"{what} {section} octets")
    if word(form[0]) == "message":
        inner = part.get_payload(0)
        check.equal(int(form[9]), body.count(b"\n"), f"{what} {section} lines")
        compare_envelope(form[7], inner, f"{what} {section}")
        below = path or [1]
        if inner.get_content_maintype() != "multipart":
            below = below + [1]
        compare_part(m, number, below, form[8], inner, what)
        return
    if word(form[0]) == "text":
        check.equal(int(form[7]), body.count(b"\n"), f"{what} {section} lines")
    again = email.message_from_bytes(b"Content-Transfer-Encoding: " + form[5] + b"\r\n\r\n" + body)
    check.equal(again.get_payload(decode=True), part.get_payload(decode=True),
                f"{what} {section} content")
    wanted = dict((k.lower(), v) for k, v in part.get_params([], unquote=True)[1:]
                  if isinstance(v, str))
    given = dict(zip(map(word, (form[2] or [])[::2]), (form[2] or [])[1::2]))
    for key, value in wanted.items():
        if "*" not in "".join(given):
            check.equal(given.get(key), value.encode("utf-8", "surrogateescape"),
                        f"{what} {section} {key}")


def compare_envelope(form, message, what):
    check.equal(form[0] and form[0].decode(), message["Date"], f"{what} date")
    check.equal((form[1] or b"").decode("latin-1"),
                (message["Subject"] or "").replace("\r", "").replace("\n", "").strip(),
                f"{what} subject")
    for n, name in ((2, "From"), (5, "To")):
        wanted = [a.split("@") for _, a in email.utils.getaddresses([message[name] or ""])]
        check.equal([[word(x[2]), word(x[3])] for x in form[n] or []], wanted, f"{what} {name}")
    check.equal(form[9] and form[9].decode(), message["Message-ID"], f"{what} id")


def test_structures_are_those_of_the_email_package(world):
    m, r = world.home_imap, random.Random(SEED)
    check.equal(m.create("Differential")[0], "OK", "create")
    messages = [make(r) for _ in range(COUNT)]
    for text in messages:
        check.equal(m.append("Differential", None, None, text)[0], "OK", "append")
    m.select("Differential")
    for n, text in enumerate(messages, 1):
        parsed = email.message_from_bytes(text, policy=email.policy.compat32)
        check.equal(fetch(m, n, "BODY.PEEK[]"), text, f"message {n}")
        compare_envelope(fetch(m, n, "ENVELOPE"), parsed, f"message {n}")
        compare_part(m, n, [], fetch(m, n, "BODYSTRUCTURE"), parsed, f"message {n}")


def test_broken_messages_are_whole_and_answered(world):
    """Cut, doubled and spoilt: whatever is in it, the message is given back as it came."""
    m, r = world.home_imap, random.Random(SEED + 1)
    m.create("Broken")
    texts = []
    for _ in range(120):
        text = bytearray(make(r).replace(b"\r\n", b"\n"))
        for _ in range(r.randrange(1, 6)):
            at = r.randrange(len(text))
            how = r.randrange(4)
            if how == 0:
                del text[at:at + r.randrange(40)]
            elif how == 1:
                text[at:at] = text[max(0, at - 60):at]
            elif how == 2:
                text[at] = r.randrange(1, 256)
            else:
                del text[max(at, 10):]
            text = text or bytearray(b"x")
        texts.append(bytes(text).replace(b"\r", b"").replace(b"\n", b"\r\n"))
        check.equal(m.append("Broken", None, None, texts[-1])[0], "OK", "append")
    m.select("Broken")
    for n, text in enumerate(texts, 1):
        check.equal(fetch(m, n, "BODY.PEEK[]"), text, f"broken {n}")
        check.equal(len(fetch(m, n, "ENVELOPE")), 10, f"broken {n}")
        check.true(isinstance(fetch(m, n, "BODYSTRUCTURE"), list), f"broken {n}")
        fetch(m, n, "BODY.PEEK[1]")


BOMBS = {
    "parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 50000,
    "multiparts in each other": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 10000,
    "messages in each other": b"Content-Type: message/rfc822\r\n\r\n" * 20000,
    "boundary-like lines": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--a\r\n" * 300000,
    "short lines": b"\r\n" * 1000000,
    "one long line": b"\r\n" + b"x" * 4000000,
    "fields": b"X: y\r\n" * 100000 + b"\r\n",
    "one field": b"X: " + b"y\r\n " * 250000 + b"\r\n\r\n",
    "addresses": b"To: " + b"a@b.example,\r\n " * 70000 + b"c@d\r\n\r\n",
    "groups": b"To: " + b"g:;" * 200000 + b"\r\n\r\n",
    "comments": b"To: " + b"(" * 500000 + b"\r\n\r\n",
    "quotes": b"To: " + b'"' * 500001 + b"\r\n\r\n",
    "routes": b"To: " + b"<@" * 250000 + b"\r\n\r\n",
    "parameters": b"Content-Type: text/plain" + b";\r\n a=b" * 50000 + b"\r\n\r\n",
    "continuations": b"Content-Disposition: attachment"
                     + b"".join(b";\r\n filename*%d=x" % n for n in range(20000)) + b"\r\n\r\n",
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 50000 + b"\r\n\r\n",
    "half words": b"Subject: " + b"=?a?q?" * 100000 + b"\r\n\r\n",
    "references": b"References: " + b"<a@b>\r\n " * 100000 + b"\r\n\r\n",
    "replies": b"Subject: " + b"re: [a] " * 100000 + b"\r\n\r\n",
    "base 64": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"AAAA" * 500000,
    "soft breaks": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\r\n" * 500000,
    "tags": b"Content-Type: text/html\r\n\r\n" + b"<" * 1000000,
    "8-bit header": b"Subject: " + b"\xff" * 500000 + b"\r\n\r\n",
    "empty": b"",
}
QUESTIONS = ("ENVELOPE", "BODYSTRUCTURE", "BODY", "BODY.PEEK[HEADER]", "BODY.PEEK[1]",
             "BODY.PEEK[HEADER.FIELDS (Subject To)]", "BODY.PEEK[1.1.1.1.MIME]")


def spent(world):
    """CPU seconds of all processes of the appliance: what others do at the same time on this
    machine does not count."""
    seconds = 0
    for pids in world.home.workers().values():
        for pid in pids:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            seconds += (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def timed(world, what, question):
    begin = spent(world)
    answer = question()
    check.true(spent(world) - begin < SLOWEST, f"{what}: {spent(world) - begin:.2f} s")
    return answer


def test_expensive_messages_are_cheap(world):
    m = world.home_imap
    m.create("Bombs")
    m.select("Bombs")
    for n, (what, text) in enumerate(BOMBS.items(), 1):
        timed(world, f"append {what}", lambda: m.append("Bombs", None, None, text or b"\r\n"))
        m.noop()
        for item in QUESTIONS:
            status, _ = timed(world, f"{item} of {what}", lambda: m.fetch(str(n), f"({item})"))
            check.true(status in ("OK", "NO"), f"{item} of {what}: {status}")
        timed(world, f"search {what}", lambda: m.search(None, "UID", "*", "TEXT", "needle"))
    check.equal(len(BOMBS), 24, "as many as the table of attacks names")


def test_a_header_has_a_bound_whoever_brings_it(world):
    m = world.home_imap
    m.create("Headers")
    m.select("Headers")
    for what, text, wanted in (("4 MiB", b"X: y\r\n" * 700000, "OK"), ("5 MiB", b"X: y\r\n" * 880000, "NO")):
        status, words = m.append("Headers", None, None, text + b"\r\nbody\r\n")
        check.equal(status, wanted, f"append of {what}: {words}")
    check.true(words[0].startswith(b"[TOOBIG]"), f"{words}")
    check.equal(len(m.search(None, "ALL")[1][0].split()), 1, "only one is there")


# --- POP3 ---------------------------------------------------------------------------------

def pop(world):
    p = poplib.POP3_SSL(world.home.address, 995, timeout=20, context=insecure_tls())
    p.user(ANN)
    p.pass_(world.home.passwords[ANN])
    return p


def test_pop3_shows_inbox_and_deletes_at_quit_only(world):
    m = world.home_imap
    texts = [b"Subject: p%d\r\n\r\n.\r\n..x\r\nend %d\r\n" % (n, n) for n in range(4)]
    for text in texts:
        m.append("INBOX", None, None, text)
    p = pop(world)
    ids = p.uidl()[1]
    check.equal(p.stat(), (4, sum(map(len, texts))), "stat")
    for n, text in enumerate(texts, 1):
        check.equal(b"\r\n".join(p.retr(n)[1]) + b"\r\n", text, f"retr {n}")
        check.equal(b"\r\n".join(p.top(n, 1)[1]), text[:text.index(b"\r\n..x")], f"top {n}")
    p.dele(1)
    p.close()
    p = pop(world)
    check.equal(p.uidl()[1], ids, "without QUIT nothing is deleted, ids are the same")
    m.select("INBOX")
    m.store("2", "+FLAGS", r"(\Deleted)")
    m.expunge()
    try:
        p.retr(2)
        check.fail("a message that is gone was sent")
    except poplib.error_proto as e:
        check.contains(str(e), "gone", "the answer")
    p.dele(1)
    p.dele(4)
    p.quit()
    p = pop(world)
    check.equal([i.split()[1] for i in p.uidl()[1]], [ids[2].split()[1]], "what is left")
    p.quit()


def test_pop3_with_many_messages_is_quick(world):
    m = world.home_imap
    for _ in range(300):
        m.append("INBOX", None, None, b"Subject: many\r\n\r\nx\r\n")
    for _ in range(4):
        m.select("INBOX")
        m.copy("1:*", "INBOX")
    p = timed(world, "login", lambda: pop(world))
    count = p.stat()[0]
    check.true(count > 4000, f"{count} messages")
    check.equal(len(timed(world, "UIDL", p.uidl)[1]), count, "uidl")
    check.equal(len(timed(world, "LIST", p.list)[1]), count, "list")
    timed(world, "TOP", lambda: p.top(count, 0))
    p.quit()
