"""The REST API on mail: the live stream, the story of a message, and who sent it, as a question."""
import concurrent.futures
import os
import signal
import socket
import time
import urllib.parse

import check
from appliance import insecure_tls
from rest import ANN, BASE, PEER, VERIFY, asked, begin, call, check_log, statuses, talk
from world import message

JUDGED = """
@       IN TXT "v=spf1 ip4:127.0.0.20 -all"
_dmarc  IN TXT "v=DMARC1; p=reject"
"""
VERIFICATIONS_MAX = 8  # at one time, as api/tools.c has it


def setup(world):
    begin(world)


class Stream:
    """Reads server-sent events over a socket of its own."""

    def __init__(self, world, last=None):
        self.s = insecure_tls().wrap_socket(socket.create_connection((world.home.address, 443), timeout=20))
        more = f"Last-Event-ID: {last}\r\n" if last is not None else ""
        self.s.sendall(f"GET {BASE}/events HTTP/1.1\r\nHost: 127.0.0.10\r\nAuthorization: Bearer {world.token}\r\n"
                       f"{more}\r\n".encode())
        self.text = b""

    def until(self, part, seconds=60):
        end = time.monotonic() + seconds
        while part not in self.text and time.monotonic() < end:
            self.s.settimeout(max(0.1, end - time.monotonic()))
            try:
                got = self.s.recv(65536)
            except TimeoutError:
                break
            if not got:
                break
            self.text += got
        return part in self.text

    def ids(self):
        """Of whole lines: the last one may still be coming."""
        return [int(line[4:]) for line in self.text.split(b"\n")[:-1] if line.startswith(b"id: ")]

    def close(self):
        self.s.close()


def test_the_live_stream(world):
    stream = Stream(world)
    check.true(stream.until(b"retry: 3000"), "begins")
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, "live"))
    check.true(stream.until(b"event: message.stored"), "tells")
    stream.close()
    ids = stream.ids()
    check.equal(ids, sorted(ids), "ids grow")
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, "while away"))
    time.sleep(1)
    again = Stream(world, ids[-1])
    check.true(again.until(b"event: message.stored"), "what was missed is told")
    check.true(min(again.ids() or [0]) > ids[-1], "and nothing twice")
    again.close()
    lost = Stream(world, 1)
    check.true(lost.until(b"event: reset"), "what is not known any more is said")
    lost.close()


def test_only_so_many_live_streams(world):
    world.home.run("settings", "set", "limits.event_streams", "1")

    def begun():
        stream = Stream(world)
        stream.until(b"\r\n\r\n")
        if b" 200 " in stream.text.split(b"\r\n")[0] and stream.until(b"retry: 3000"):
            return stream
        stream.close()
        return None

    stream = check.until(begun, "begins", pause=0.3)
    full = check.until(lambda: [a for a in [call(world, "HEAD", f"{BASE}/events")] if a.status == 429], "full", pause=0.3)
    check.true(full and int(full[0].headers["Retry-After"]) > 0, "and says when to come again")
    # A page that is loaded again and again: its place is free when it is closed, and not
    # only at the next comment, after fifteen seconds.
    begin = time.monotonic()
    for turn in range(5):
        stream.close()
        stream = check.until(begun, f"free {turn}", pause=0.1)
    check.true(time.monotonic() - begin < 40, f"five times in {time.monotonic() - begin:.1f} s")
    # What comes meanwhile waits for its turn, and ends nothing.
    stream.s.sendall(f"GET {BASE}/me HTTP/1.1\r\nHost: 127.0.0.10\r\n\r\n".encode())
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, "goes on"))
    check.true(stream.until(b"event: message.stored"), "goes on")
    stream.close()
    world.home.run("settings", "reset", "limits.event_streams")


def test_a_message_has_a_story(world):
    today = time.gmtime().tm_yday
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, "story 4711"))

    def find(q):
        return call(world, "GET", f"{BASE}/traces?q=" + urllib.parse.quote(q)).json["items"]

    rows = check.until(lambda: find("subject:\"story 4711\" verdict:delivered"), "found by subject")
    trace = rows[0]
    check.equal((trace["from"], trace["to"], trace["verdict"], trace["direction"]),
                (PEER, ANN, "delivered", "in"), "row")
    for q in (trace["id"], f"id:{trace['id']}", f"to:{ANN} verdict:delivered", f"from:{PEER}", "time:today",
              "\"story 4711\"", "direction:in size>10"):
        check.true(trace["id"] in [r["id"] for r in find(q)]
                   or q == "time:today" and time.gmtime().tm_yday != today, q)
    check.equal(find("subject:\"story 4711\" verdict:bounced"), [], "not that")
    one = call(world, "GET", f"{BASE}/traces/{trace['id']}").json
    check.equal((one["summary"], one["recipients"][0]["mailbox"]), ("Delivered to 1 recipient.", "INBOX"), "detail")
    events = call(world, "GET", f"{BASE}/traces/{trace['id']}/events").json["items"]
    names = [e["event"] for e in events]
    check.true("message.accepted" in names and "message.stored" in names, f"events {names}")
    check.equal(call(world, "GET", f"{BASE}/traces/mtr_0000000000000000").status, 404, "unknown")
    shown = world.home.run("trace", "show", trace["id"]).stdout
    check.contains(shown, "Stored for ann@home.example in INBOX", "by the command line")


def given(sender=PEER, ip="127.0.0.66", mail=None, **more):
    mail = message(sender, ANN, "asked about") if mail is None else mail
    return {"ip": ip, "mail_from": sender, "helo": "mx.peer.example", "message": mail, **more}


def test_who_sent_it_as_a_question(world):
    world.dns.change("judged.example", JUDGED)
    sender = "pat@judged.example"
    for ip, spf, dmarc, disposition in (("127.0.0.20", "pass", "pass", "none"),
                                        ("::ffff:127.0.0.20", "pass", "pass", "none"),
                                        ("127.0.0.66", "fail", "fail", "reject")):
        body = given(sender, ip)
        a = call(world, "POST", VERIFY, body)
        check.equal(a.status, 200, f"JSON from {ip}: {a.body}")
        found = a.json
        check.equal((found["spf"]["result"], found["dmarc"]["result"], found["disposition"]),
                    (spf, dmarc, disposition), f"verdict on {ip}")
        check.contains(found["field"], "mail.home.example;", "who says so")
        check.contains(found["field"], f"spf={spf}", "the field")
        check.true(all(found[k]["reason"] for k in ("spf", "dmarc", "arc", "iprev", "spf_helo")),
                   f"every verdict has its reason: {found}")
        query = {"ip": ip, "mail_from": sender, "helo": body["helo"]}
        for mail in (body["message"], body["message"].replace("\n", "\r\n")):
            b = asked(world, query, mail.encode())
            check.equal((b.status, b.json), (200, found), f"message/rfc822 from {ip}")
    found = call(world, "POST", VERIFY, given(sender, "127.0.0.20", mail_from="")).json
    check.equal(found["spf"], None, "the null sender has no MAIL FROM")
    mail = message(sender, ANN, "not kept")
    check.equal(call(world, "POST", VERIFY, given(sender, mail=mail)).status, 200, "asked")
    check.equal(world.home.find(ANN, "Subject: not kept"), [], "nothing is stored")
    check.equal(call(world, "GET", f"{BASE}/traces?q=subject:%22not+kept%22").json["items"], [],
                "nor traced")


def test_bad_questions_who_sent_it(world):
    for ip in ("", "x", "1.2.3", "192.0.2.256", "192.0.2.1:25", "[192.0.2.1]", "fe80::1%lo",
               "192.0.2.1/24", " 192.0.2.1", "1" * 46, 7, None):
        a = call(world, "POST", VERIFY, given(ip=ip))
        check.equal((a.status, a.json["errors"][0]["pointer"]), (422, "/ip"), f"ip {ip!r}")
        a = asked(world, {"ip": ip or ""}, b"From: <pat@peer.example>\r\n\r\n")
        check.equal((a.status, a.json["errors"][0]["pointer"]), (422, "?ip"), f"?ip={ip!r}")
    for body, pointer in (({"ip": "127.0.0.20"}, "/message"), ({"message": "x"}, "/ip"),
                          (given(mail=""), "/message"), (given(mail=7), "/message"),
                          (given(helo="h" * 513), "/helo"), (given(mail_from=[]), "/mail_from"),
                          (given(more=1), "/more")):
        a = call(world, "POST", VERIFY, body)
        check.equal((a.status, a.json["errors"][0]["pointer"]), (422, pointer), str(body)[:80])
    check.equal(asked(world, {}, b"x").status, 422, "no ?ip")
    check.equal(asked(world, {"ip": "127.0.0.20"}, b"").status, 422, "no message")
    check.equal(asked(world, {"ip": "127.0.0.20", "x": "1"}, b"x").status, 422, "an unknown ?x")
    check.equal(call(world, "POST", VERIFY, raw=b"{").status, 400, "not JSON")
    check.equal(call(world, "POST", VERIFY, raw=b"x", headers={"Content-Type": "text/plain"}).status,
                415, "neither of the two")
    check.equal(asked(world, {"ip": "127.0.0.20"}, b"\x00\r\n" * 99).status, 200,
                "NUL is odd, but a message")
    for mail in ("no header at all", "From: \n\n", "From:" * 2000, ":\n" * 1000, "\n" * 5000):
        a = call(world, "POST", VERIFY, given(mail=mail))
        check.equal(a.status, 200, f"an odd message is no odd question: {mail[:20]!r}")
        check.true(a.json["dmarc"]["result"] != "pass", f"{mail[:20]!r}")
    head = (f"POST {VERIFY}?ip=127.0.0.20 HTTP/1.1\r\nHost: mail.home.example\r\n"
            f"Authorization: Bearer {world.token}\r\nContent-Type: message/rfc822\r\n"
            "Content-Length: 99999999999\r\n\r\n")
    refused = talk(world, head.encode(), tls=True)
    check.equal(statuses(refused), [413], "too large")
    check.contains(refused.decode(), '"type":"/problems/too-large"', "the type is written as all are")
    no = call(world, "POST", f"{BASE}/tokens", {"name": "no traces", "scopes": ["domains:read"]}).json
    for token, status in ((False, 401), (no["token"], 403)):
        check.equal(call(world, "POST", VERIFY, given(), token=token).status, status, "JSON")
        check.equal(asked(world, {"ip": "127.0.0.20"}, b"x", token=token).status, status,
                    "message/rfc822")


def test_who_sent_it_only_so_often_at_one_time(world):
    """A name server that is silent holds the questions; what is over the limit is told so."""
    server = world.dns.unbound.child
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with concurrent.futures.ThreadPoolExecutor(VERIFICATIONS_MAX + 1) as pool:
            asking = [pool.submit(call, world, "POST", VERIFY, given(f"pat@quiet{n}.example"))
                      for n in range(VERIFICATIONS_MAX + 1)]
            refused = next(concurrent.futures.as_completed(asking)).result()
            check.equal((refused.status, refused.json["code"]), (429, "quota_exceeded"), "one too many")
            check.equal(call(world, "GET", f"{BASE}/domains").status, 200, "the rest goes on")
            os.kill(server.pid, signal.SIGCONT)
            check.equal(sorted(a.result().status for a in asking), [200] * VERIFICATIONS_MAX + [429],
                        "the others are answered")
    finally:
        os.kill(server.pid, signal.SIGCONT)
    check.equal(call(world, "POST", VERIFY, given()).status, 200, "and again")


def test_nothing_was_forged_or_crashed(world):
    check_log(world)
