"""What an alias sends on to another server: senders rewritten, notifications led back, what
was found when it came in sealed. Seals are judged by python3-dkim."""
import base64
import http.client
import json
import os
import re
import signal
import subprocess
import time
import urllib.parse

import check
from world import message

ANN, KIM, PAT = "ann@home.example", "kim@peer.example", "pat@peer.example"
SIZE_MAX = 500000


def serve_strangers_key(world):
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", world.out / "stranger.pem", "2048"],
                   check=True, capture_output=True)
    key = subprocess.run(["openssl", "rsa", "-in", world.out / "stranger.pem", "-pubout", "-outform", "DER"],
                         check=True, capture_output=True).stdout
    record = "v=DKIM1; p=" + base64.b64encode(key).decode()
    parts = " ".join(f'"{record[i:i + 200]}"' for i in range(0, len(record), 200))
    world.dns.change("peer.example", f"{world.dns.zones['peer.example']}k._domainkey IN TXT {parts}\n")


def setup(world):
    world.names()
    serve_strangers_key(world)
    world.postfix(settings={"message_size_limit": str(SIZE_MAX)})
    world.appliance()
    world.home.run("alias", "add", "away@home.example", PAT)
    world.token = world.home.json("token", "create", "tests")["token"]


def api(world, path):
    c = http.client.HTTPConnection(world.home.address, 8080, timeout=30)
    c.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {world.token}"})
    return json.loads(c.getresponse().read())


def envelope_sender(raw):
    found = re.search(rb"(?im)^Return-Path:\s*<([^>]*)>", raw)
    return found.group(1).decode() if found else None


def forward(world, subject, sender=KIM):
    with world.home.smtp() as s:
        s.sendmail(sender, ["away@home.example"], message(sender, "away@home.example", subject))
    found = check.until(lambda: world.peer.find(f"Subject: {subject}"), f"{subject} sent on")
    return envelope_sender(found[0]) if found else ""


def reply_to_rcpt(world, sender, rcpt):
    with world.home.smtp() as s:
        s.ehlo("mx.peer.example")
        s.mail(sender)
        return s.rcpt(rcpt)[0]


def test_a_foreign_sender_is_rewritten(world):
    sender = forward(world, "forwarded")
    check.true(re.fullmatch(r"SRS0=[A-Z2-7]{8}=[A-Z2-7]{2}=peer\.example=kim@home\.example", sender or ""),
               f"rewritten sender: {sender}")


def test_a_notification_finds_its_way_back(world):
    sender = forward(world, "comes back")
    with world.home.smtp() as s:
        s.sendmail("", [sender.lower()], message("mailer-daemon@peer.example", sender, "bounce of it"))
    check.until(lambda: world.peer.find("Subject: bounce of it"), "reached the true sender")
    found = world.peer.find("Subject: bounce of it")
    check.equal(envelope_sender(found[0]) if found else None, "", "with the null sender")


def test_nobody_else_can_use_it(world):
    sender = forward(world, "not for all")
    check.equal(reply_to_rcpt(world, "", sender), 250, "as it is")
    check.equal(reply_to_rcpt(world, "eve@peer.example", sender), 550, "only notifications")
    local = sender.split("@")[0]
    forged = ("B" if local[5] != "B" else "C").join((local[:5], local[6:]))
    check.equal(reply_to_rcpt(world, "", forged + "@home.example"), 550, "a wrong hash")
    other = sender.replace("=kim@", "=tim@")
    check.equal(reply_to_rcpt(world, "", other), 550, "another person")


def test_what_comes_back_is_not_sent_on_again(world):
    """Two such aliases that lead to each other would double each message for ever."""
    forward(world, "boomerang")
    found = world.peer.find("Subject: boomerang")
    text = found[0].split(b"Received:", 1)[1].replace(b"\n", b"\r\n") if found else b""
    for rcpt, wanted in (("away@home.example", 554), ("AWAY@home.example", 554), (ANN, 250)):
        with world.home.smtp() as s:
            s.ehlo("mx.peer.example")
            s.mail(KIM)
            s.rcpt(rcpt)
            code, words = s.data(b"Received:" + text)
            check.equal(code, wanted, f"to {rcpt}: {words}")
    forward(world, "another to the same alias")


def comes_back(world, rcpts, subject, more=b""):
    """What our alias once sent on to Pat, now for these; the answer, and what was refused."""
    forward(world, subject)
    return send_back(world, rcpts, subject, more)


def send_back(world, rcpts, subject, more=b""):
    text = world.peer.find(f"Subject: {subject}")[0].split(b"Received:", 1)[1].replace(b"\n", b"\r\n")
    with world.home.smtp() as s:
        s.ehlo("mx.peer.example")
        s.mail(KIM)
        for rcpt in rcpts:
            s.rcpt(rcpt)
        return s.data(more + b"Received:" + text)


def nothing_waits(world):
    """What the other side has may still be on its way out of our queue."""
    check.until(lambda: not world.home.json("queue", "list")["items"], "nothing waits")


def notifications(world, subject):
    return [m for m in world.peer.messages() if b"multipart/report" in m and subject.encode() in m]


def test_only_the_recipient_that_loops_fails(world):
    world.home.run("alias", "add", "elsewhere@home.example", "tim@peer.example")
    code, words = comes_back(world, ["away@home.example", ANN, "elsewhere@home.example"], "one of three")
    check.equal(code, 250, f"taken for the others: {words}")
    check.until(lambda: world.home.find(ANN, "Subject: one of three"), "in the mailbox")
    check.until(lambda: len([m for m in world.peer.find("Subject: one of three")
                             if b"multipart/report" not in m]) == 2, "sent on by the other alias", 20)
    dsn = check.until(lambda: notifications(world, "one of three"), "the sender is told of the third", 20)
    check.equal(len(dsn), 1, "once")
    check.contains(dsn[0], b"Status: 5.4.6", "why")
    check.contains(dsn[0], b"Final-Recipient: rfc822; away@home.example", "who, as the sender wrote it")
    check.true(b"tim@peer.example" not in dsn[0], "nobody else")
    nothing_waits(world)


def test_what_loops_has_no_expiry(world):
    """A row that is never tried does not expire: it was shown to have done so in 1970."""
    queue = world.home.workers()["queue"][0]
    forward(world, "held loop")
    nothing_waits(world)
    os.kill(queue, signal.SIGSTOP)
    try:
        send_back(world, ["away@home.example", ANN], "held loop")
        rows = check.until(lambda: world.home.json("queue", "list")["items"], "it waits")
        world.home.run("queue", "hold", rows[0]["id"])
        row = world.home.json("queue", "show", rows[0]["id"])
        check.equal(row["expires_at"], None, "no time")
        world.home.run("queue", "release", rows[0]["id"])
    finally:
        os.kill(queue, signal.SIGCONT)
    check.until(lambda: notifications(world, "held loop"), "the sender is told", 20)


def test_delivered_to_the_alias_already(world):
    """What another server in front of us wrote. A mailbox is the end of a way, whatever was before."""
    text = message(KIM, "away@home.example", "delivered before").replace("\n", "\r\n").encode()
    world.home.run("alias", "add", "both@home.example", ANN, PAT)
    for rcpt, field, wanted in (("away@home.example", b"away@home.example", 554),
                                ("away@home.example", b"<AWAY@home.example>", 554),
                                ("away@home.example", b"faraway@home.example", 250),
                                ("both@home.example", b"both@home.example", 554),
                                (ANN, ANN.encode(), 250)):
        with world.home.smtp() as s:
            s.ehlo("mx.peer.example")
            s.mail(KIM)
            s.rcpt(rcpt)
            code, words = s.data(b"Delivered-To: " + field + b"\r\n" + text)
            check.equal(code, wanted, f"{field} to {rcpt}: {words}")
    check.equal(len(world.home.find(ANN, "Subject: delivered before")), 1, "a mailbox takes it")
    # Whoever wrote the field may have written the sender as well.
    check.equal(notifications(world, "delivered before"), [], "nobody is told of it")


def test_a_sender_of_ours_stays(world):
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, ["away@home.example"], message(ANN, "away@home.example", "own sender"))
    found = check.until(lambda: world.peer.find("Subject: own sender"), "sent on")
    check.equal(envelope_sender(found[0]) if found else None, ANN, "sender")


def test_our_own_notification_goes_to_the_true_sender(world):
    world.home.run("alias", "add", "lost@home.example", "x@missing.odd.example")
    with world.home.smtp() as s:
        s.sendmail(KIM, ["lost@home.example"], message(KIM, "lost@home.example", "cannot arrive"))

    def told():
        return [m for m in world.peer.messages() if b"multipart/report" in m and b"cannot arrive" in m]
    check.until(told, "the true sender is told")


# The distribution's module belongs to the distribution's Python.
STRANGER = """
import sys, dkim
how, folder = sys.argv[1:]
key = open(folder + "/stranger.pem", "rb").read()
mail = sys.stdin.buffer.read()
mail = dkim.sign(mail, b"k", b"peer.example", key) + mail
if how == "sealed":
    mail = (b"Authentication-Results: mx.peer.example; dkim=pass header.d=peer.example\\r\\n" + mail)
    mail = b"".join(dkim.arc_sign(mail, b"k", b"peer.example", key, b"mx.peer.example")) + mail
sys.stdout.buffer.write(mail)
"""
VERIFY = """
import json, sys, dkim, dns.resolver
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = ["127.0.0.53"]
def txt(name, timeout=5):
    name = name.decode() if isinstance(name, bytes) else name
    return b"".join(resolver.resolve(name, "TXT")[0].strings)
cv, sets, reason = dkim.arc_verify(sys.stdin.buffer.read(), dnsfunc=txt)
print(json.dumps([cv.decode() if cv else None, len(sets), reason]))
"""


def other_python(text, mail, *args):
    run = subprocess.run(["/usr/bin/python3", "-c", text, *args], input=mail, capture_output=True, timeout=60)
    check.equal(run.returncode, 0, run.stderr.decode()[-500:])
    return run.stdout


def strangers_mail(world, subject, how="signed", more=""):
    text = message(KIM, "away@home.example", subject, more=more).replace("\n", "\r\n").encode()
    return other_python(STRANGER, text, how, str(world.out))


def sent_on(world, subject, mail):
    with world.home.smtp() as s:
        s.sendmail(KIM, ["away@home.example"], mail)
    found = check.until(lambda: world.peer.find(f"Subject: {subject}\n"), f"{subject} sent on")
    return found[0] if found else b""


def sets_of(mail):
    return [mail.lower().count(b"\n" + name) for name in
            (b"arc-seal:", b"arc-message-signature:", b"arc-authentication-results:")]


def verified(mail):
    return json.loads(other_python(VERIFY, mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")))


def told(world, subject, words):
    """Does the page of that message say so?"""
    query = urllib.parse.quote(f'subject:"{subject}"')

    def story():
        return [e for t in api(world, f"/traces?q={query}")["items"]
                for e in api(world, f"/traces/{t['id']}/events")["items"] if words in e["text"]]
    return check.until(story, f"{subject}: {words}")


def test_without_a_key_that_people_can_look_up_nothing_is_sealed(world):
    mail = sent_on(world, "no key yet", strangers_mail(world, "no key yet"))
    check.equal(sets_of(mail), [0, 0, 0], "no set")
    told(world, "no key yet", "the domain has no active key")


def test_what_a_stranger_signed_is_sealed(world):
    world.dns.publish_keys(world.home)
    mail = sent_on(world, "one seal", strangers_mail(world, "one seal"))
    check.equal(sets_of(mail), [1, 1, 1], "one set")
    check.equal(verified(mail)[:2], ["pass", 1], "good for python3-dkim")
    results = re.search(rb"(?is)^ARC-Authentication-Results: i=1; mail\.home\.example;.*?(?=^\S)", mail, re.M)
    check.contains(results.group(0) if results else b"", b"dkim=pass", "what was found goes with it")
    told(world, "one seal", "Sealed for home.example")


def test_a_chain_grows(world):
    mail = sent_on(world, "two seals", strangers_mail(world, "two seals", "sealed"))
    check.equal(sets_of(mail), [2, 2, 2], "a second set")
    check.equal(verified(mail)[:2], ["pass", 2], "the chain is whole for python3-dkim")


def test_a_broken_chain_is_sealed_as_broken(world):
    """So that nobody behind us takes our silence for a chain that nobody looked at."""
    mail = strangers_mail(world, "broken seal", "sealed").replace(b"Hello", b"Hallo")
    sent = sent_on(world, "broken seal", mail)
    check.equal(sets_of(sent), [2, 2, 2], "a last set")
    seal = re.search(rb"(?is)^ARC-Seal:[^\n]*(?:\n\s[^\n]*)*", sent, re.M)
    check.contains(re.sub(rb"\s", b"", seal.group(0)) if seal else b"", b"cv=fail", "which says so")
    told(world, "broken seal", "Sealed for home.example")


def test_a_chain_whose_keys_dns_hid_is_left_alone(world):
    mail = strangers_mail(world, "hidden keys", "sealed")
    peer = world.dns.zones["peer.example"]
    world.dns.change("peer.example", peer.replace("k._domainkey IN TXT", "k._domainkey IN NS silent\nsilent IN A 127.0.0.99\nx IN TXT"))
    time.sleep(world.dns.keep_s + 0.5)  # what the appliance itself has kept of the key is over then
    try:
        check.equal(sets_of(sent_on(world, "hidden keys", mail)), [1, 1, 1], "no second set")
        told(world, "hidden keys", "DNS did not answer")
    finally:
        world.dns.change("peer.example", peer)


def test_mail_of_ours_is_signed_not_sealed(world):
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, ["away@home.example"], message(ANN, "away@home.example", "ours goes on"))
    found = check.until(lambda: world.peer.find("Subject: ours goes on\n"), "sent on")
    check.equal(sets_of(found[0]), [0, 0, 0], "no set")
    check.contains(found[0].lower(), b"dkim-signature:", "signed")


def test_a_header_that_is_too_long_is_told(world):
    more = "".join(f"X-Filler-{n}: {'x' * 900}\n" for n in range(330))
    mail = sent_on(world, "long header", strangers_mail(world, "long header", more=more))
    check.equal(sets_of(mail), [0, 0, 0], "no set")
    told(world, "long header", "256 KiB")


def test_the_size_that_is_told_counts_the_seal(world):
    """A text that fits by itself, but not with its seal, is not sent in vain (RFC 1870 5)."""
    small = strangers_mail(world, "size of it")
    sent = sent_on(world, "size of it", small)
    sent = sent[sent.index(b"ARC-Seal:"):].replace(b"\n", b"\r\n")
    seal = sent.index(b"Received:")
    check.true(seal > 1000, f"a seal of {seal} bytes")
    lines = b"x" * 98 + b"\r\n"
    over = small.replace(b"size of it", b"size over") + lines * ((SIZE_MAX - len(sent) + seal // 2) // 100)
    with world.home.smtp() as s:
        s.sendmail(KIM, ["away@home.example"], over)
    texts = [e["text"] for e in told(world, "size over", "it is too large for them") or []]
    check.true(texts and not any("552" in text for text in texts), f"our own words, no reply to its text: {texts}")
