"""Delivery status notifications (RFC 3461): who is told of what, when, once. Reports are read by
Python's email package; Postfix asks for them and brings them home."""
import email
import email.policy
import http.client
import json
import os
import re
import signal
import smtplib
import subprocess
import time

import check
from world import message

ANN, BOB, KIM, PAT = "ann@home.example", "bob@home.example", "kim@peer.example", "pat@peer.example"
LESS = "smtpd_discard_ehlo_keywords"
MANY = 1000


def setup(world):
    world.names()
    world.postfix(settings={"smtpd_recipient_restrictions":
                            "check_recipient_access inline:{{gone@peer.example=550 5.1.1 no such person} "
                            "{full@peer.example=452 4.2.2 mailbox full}}, permit_mynetworks, reject"})
    world.appliance(retry="1s", lifetime="1h")
    home = world.home
    world.token = home.json("token", "create", "tests")["token"]
    home.run("alias", "add", "shop@home.example", ANN)
    home.run("alias", "add", "team@home.example", ANN, BOB, PAT)
    home.run("alias", "add", "away@home.example", PAT)
    home.run("alias", "add", "@home.example", BOB)
    home.set("limits.smtp_receipts_ip", "1000")


def api(world, path):
    c = http.client.HTTPConnection(world.home.address, 8080, timeout=30)
    c.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {world.token}"})
    return json.loads(c.getresponse().read())


def post(world, path):
    c = http.client.HTTPConnection(world.home.address, 8080, timeout=30)
    c.request("POST", f"/api/v1{path}", headers={"Authorization": f"Bearer {world.token}"})
    return c.getresponse().status


def connection(world, user, source):
    if user:
        return world.home.submission(user)
    return smtplib.SMTP(world.home.address, 25, "client.peer.example", timeout=60, source_address=(source, 0))


def send(world, subject, rcpts, sender=KIM, options=(), user=None, body="Hello\n", source="127.0.0.1"):
    """rcpts: {address: its parameters}. -> the trace id"""
    with connection(world, user, source) as s:
        s.ehlo_or_helo_if_needed()
        code, words = s.mail(sender, list(options))
        check.equal(code, 250, f"MAIL {options}: {words}")
        for rcpt, params in rcpts.items():
            code, words = s.rcpt(rcpt, list(params))
            check.equal(code, 250, f"RCPT {rcpt} {params}: {words}")
        code, words = s.data(message(sender or KIM, next(iter(rcpts)), subject, body))
        check.equal(code, 250, f"{subject}: {words}")
        found = re.search(rb"mtr_\w+", words)
        return found.group(0).decode() if found else ""


class Report:
    """What a notification says, as Python's email package reads it."""

    def __init__(self, raw):
        self.raw = raw
        self.mail = email.message_from_bytes(raw, policy=email.policy.default)
        self.parts = list(self.mail.iter_parts())
        fields = self.parts[1].get_payload()
        self.about, self.rcpts = fields[0], fields[1:]
        check.equal(self.mail.get_content_type(), "multipart/report", "content type")
        check.equal(self.mail.get_param("report-type"), "delivery-status", "report type")
        check.equal(self.parts[1].get_content_type(), "message/delivery-status", "status part")
        check.true(not self.mail.defects, f"defects: {self.mail.defects}")
        check.true(re.search(rb"(?im)^Return-Path:\s*<>", raw), "the null sender")

    def said(self):
        """{final recipient: (action, original recipient)}"""
        return {r["Final-Recipient"].split(";", 1)[1].strip():
                (r["Action"], r["Original-Recipient"] and str(r["Original-Recipient"])) for r in self.rcpts}


def found(world, subject, who=None):
    mails = world.home.find(who, subject) if who else world.peer.find(subject)
    return [m for m in mails if b"multipart/report" in m]


def reports(world, subject, count=1, who=None):
    """The notifications about it, of which there are so many, now and when all is quiet."""
    check.until(lambda: len(found(world, subject, who)) >= count, f"{count} told of {subject}", 60)
    quiet(world)
    all_of = found(world, subject, who)
    check.equal(len(all_of), count, f"notifications of {subject}")
    return [Report(m) for m in all_of]


def quiet(world):
    """Whatever was to be told is told."""
    check.until(lambda: not [i for i in world.home.json("queue", "list")["items"]
                             if i["state"] in ("scheduled", "active")], "nothing is on its way")
    world.peer.until_idle()


def events(world, trace):
    """What its timeline shows."""
    return api(world, f"/traces/{trace}/events").get("items", [])


def event_names(world, trace):
    return [e["event"] for e in events(world, trace)]


def told_in_log(world, trace):
    """Each says by which message, and that one's timeline says of which."""
    told = [e["fields"] for e in events(world, trace) if e["event"] == "message.dsn"]
    for f in told:
        back = [e["fields"] for e in events(world, f["dsn"]) if e["event"] == "message.dsn.about"]
        check.true({"address": f["rcpt"], "action": f["action"], "about": trace} in back, f"{f}: {back}")
    return sorted((f["rcpt"], f["action"]) for f in told)


def delivered(world, trace):
    """Who stored it and who tells of it are two processes: either may come first into the log."""
    check.until(lambda: api(world, f"/traces/{trace}").get("verdict") == "delivered", "verdict", 30)


def test_delivered_into_a_mailbox(world):
    trace = send(world, "receipt please", {ANN: ["NOTIFY=SUCCESS", "ORCPT=rfc822;Ann+2Bbox@Home.example"]},
                 options=["ENVID=QQ+3D+2Bx", "RET=FULL"])
    told = reports(world, "receipt please")[0]
    check.equal(told.said(), {ANN: ("delivered", "rfc822;Ann+box@Home.example")}, "who")
    check.equal(told.about["Original-Envelope-Id"], "QQ=+x", "the sender's own name for it")
    check.contains(told.about["Reporting-MTA"], "mail.home.example", "by whom")
    check.equal(told.rcpts[0]["Status"], "2.0.0", "status")
    check.equal(told.parts[2].get_content_type(), "text/rfc822-headers", "its header only, in spite of FULL")
    check.true(b"Hello" not in told.raw, "no text goes back")
    check.true("Diagnostic-Code" not in told.rcpts[0] and "Remote-MTA" not in told.rcpts[0], "nothing else said it")
    check.equal(len(world.home.find(ANN, "Subject: receipt please")), 1, "in the mailbox once")
    check.until(lambda: told_in_log(world, trace), "in the log", 30)
    check.equal(told_in_log(world, trace), [(ANN, "delivered")], "told in the log, once")
    delivered(world, trace)


def test_each_word_of_notify(world):
    for n, (params, wanted) in enumerate((([], 0), (["NOTIFY=NEVER"], 0), (["NOTIFY=FAILURE"], 0),
                                          (["NOTIFY=DELAY,FAILURE"], 0), (["NOTIFY=success,failure,delay"], 1))):
        send(world, f"words {n} here", {ANN: params})
        reports(world, f"words {n} here", wanted)


def test_only_those_who_asked(world):
    send(world, "some of them", {ANN: ["NOTIFY=SUCCESS"], BOB: ["NOTIFY=FAILURE"]})
    check.equal(reports(world, "some of them")[0].said(), {ANN: ("delivered", None)}, "who")
    send(world, "both of them", {ANN: ["NOTIFY=SUCCESS"], BOB: ["NOTIFY=SUCCESS"]})
    check.equal(reports(world, "both of them")[0].said(),
                {ANN: ("delivered", None), BOB: ("delivered", None)}, "one report of both")


def test_the_null_sender_is_never_told(world):
    send(world, "from nobody", {ANN: ["NOTIFY=SUCCESS"]}, sender="")
    quiet(world)
    check.equal([m for m in world.peer.messages() if b"from nobody" in m], [], "nothing goes out")
    check.equal(len(world.home.find(ANN, "from nobody")), 1, "but it is there")


def test_aliases(world):
    send(world, "by its alias", {"shop@home.example": ["NOTIFY=SUCCESS", "ORCPT=rfc822;shop@home.example"]})
    told = reports(world, "by its alias")[0]
    check.equal(told.said(), {"shop@home.example": ("delivered", "rfc822;shop@home.example")}, "as it was addressed")
    check.true(ANN.encode() not in told.raw, "whose mailbox that is stays with us")
    send(world, "caught by all", {"anything@home.example": ["NOTIFY=SUCCESS"]})
    told = reports(world, "caught by all")[0]
    check.equal(told.said(), {"anything@home.example": ("delivered", None)}, "catch-all")
    check.true(BOB.encode() not in told.raw, "nor whose the catch-all is")
    send(world, "twice the same", {ANN: ["NOTIFY=SUCCESS"], "shop@home.example": ["NOTIFY=SUCCESS"]})
    check.equal(set(reports(world, "twice the same")[0].said()), {ANN, "shop@home.example"}, "each that was named")
    check.equal(len(world.home.find(ANN, "Subject: twice the same")), 1, "in the mailbox once")


def test_an_alias_for_several(world):
    """RFC 3461 5.2.7.3 c: expanded, and nobody behind it tells of success again."""
    send(world, "to the team", {"team@home.example": ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;team@home.example"]},
         options=["ENVID=T1"])
    check.until(lambda: world.peer.find("Subject: to the team"), "sent on")
    told = reports(world, "to the team")[0]
    check.equal(told.said(), {"team@home.example": ("expanded", "rfc822;team@home.example")}, "who")
    check.true(PAT.encode() not in told.raw and BOB.encode() not in told.raw, "the members stay with us")


def test_another_server_tells_itself(world):
    send(world, "passed on", {PAT: ["NOTIFY=SUCCESS", "ORCPT=rfc822;Pat@peer.example"]}, sender=ANN, user=ANN,
         options=["ENVID=E+2Bn"])
    told = reports(world, "passed on", who=ANN)[0]
    check.contains(told.about["Reporting-MTA"], "mx.peer.example", "Postfix tells")
    check.equal(told.about["Original-Envelope-Id"], "E+n", "our user's own name for it")
    check.equal(told.said()[PAT], ("delivered", "rfc822;Pat@peer.example"), "who")


def test_forwarded_by_an_alias(world):
    """The other server answers a sender that we rewrote: its receipt finds the true one."""
    send(world, "forwarded so", {"away@home.example": ["NOTIFY=SUCCESS", "ORCPT=rfc822;away@home.example"]})
    told = reports(world, "forwarded so")[0]
    check.contains(told.about["Reporting-MTA"], "mx.peer.example", "Postfix tells")
    check.equal(told.said()[PAT], ("delivered", "rfc822;away@home.example"), "with the first address")


def postfix_offers(world, word, is_on):
    """Takes an extension from what Postfix offers, and gives it back."""
    etc = world.peer.folder / "etc"
    subprocess.run(["postconf", "-c", etc] + (["-X", LESS] if is_on else [f"{LESS}={word}"]), check=True)
    subprocess.run(["postfix", "-c", etc, "reload"], check=True, capture_output=True)
    check.until(lambda: "250-PIPELINING" in ehlo(world) and (f"250-{word}" in ehlo(world)) == is_on,
                f"Postfix offers {word}: {is_on}")


def ehlo(world):
    done = subprocess.run(["swaks", "--server", world.peer.address, "--quit-after", "EHLO"], capture_output=True,
                          text=True, check=False)
    return done.stdout


def test_a_server_without_dsn(world):
    postfix_offers(world, "DSN", False)
    send(world, "handed over", {PAT: ["NOTIFY=SUCCESS", "ORCPT=rfc822;Pat@peer.example"]}, sender=ANN, user=ANN)
    told = reports(world, "handed over", who=ANN)[0]
    check.equal(told.said(), {PAT: ("relayed", "rfc822;Pat@peer.example")}, "who")
    check.contains(told.about["Reporting-MTA"], "mail.home.example", "we tell")
    send(world, "no news", {PAT: ["NOTIFY=FAILURE"]}, sender=ANN, user=ANN)
    check.until(lambda: world.peer.find("Subject: no news"), "delivered")
    reports(world, "no news", 0, who=ANN)
    send(world, "by an alias", {"away@home.example": ["NOTIFY=SUCCESS"]})
    told = reports(world, "by an alias")[0]
    check.equal(told.said(), {"away@home.example": ("relayed", "rfc822;away@home.example")}, "by the name that Kim knows")
    check.true(PAT.encode() not in told.raw, "where it leads stays with us")
    postfix_offers(world, "DSN", True)


def test_failures_behind_an_alias(world):
    """Told by the name that was written to, without the words of a server that knows another."""
    world.home.run("alias", "add", "lost@home.example", "gone@peer.example")
    world.home.run("alias", "add", "both@home.example", "gone@peer.example", "gone@peer.example", ANN)
    for to in ("lost@home.example", "both@home.example"):
        send(world, f"not there {to}", {to: ["NOTIFY=FAILURE"]})
        told = reports(world, f"not there {to}")[0]
        check.equal(told.said(), {to: ("failed", f"rfc822;{to}")}, "who")
        check.true(b"gone@" not in told.raw and b"mx.peer" not in told.parts[1].as_bytes(), "and where it leads")
        check.contains(told.rcpts[0]["Diagnostic-Code"], "there is no such address", "why")


def test_a_list_and_its_member(world):
    """Both named: one copy, and news of it as the member's own recipient asks."""
    named = {"team@home.example": ["NOTIFY=SUCCESS"], PAT: ["NOTIFY=SUCCESS", "ORCPT=rfc822;Pat@peer.example"]}
    for n, order in enumerate((list(named), list(named)[::-1])):
        send(world, f"list and member {n}.", {a: named[a] for a in order}, sender=BOB, user=BOB)
        told = {}
        for report in reports(world, f"list and member {n}.", 2, who=BOB):
            told.update(report.said())
        check.equal(told, {"team@home.example": ("expanded", None),
                           PAT: ("delivered", "rfc822;Pat@peer.example")}, "each")
        check.equal(len(world.peer.find(f"Subject: list and member {n}.")), 1, "one copy")


def eight_bits(world, rcpt, subject, sender, user=None, options=(), notify="NOTIFY=SUCCESS,FAILURE"):
    text = message(sender, rcpt, subject, "Grüße\n").replace(
        "Subject:", "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: 8bit\nSubject:").replace("\n", "\r\n").encode()
    with connection(world, user, "127.0.0.1") as s:
        s.ehlo_or_helo_if_needed()
        s.mail(sender, ["BODY=8BITMIME", *options])
        check.equal(s.rcpt(rcpt, [notify])[0], 250, "RCPT")
        check.equal(s.data(text)[0], 250, "taken")


def test_a_server_without_8bitmime(world):
    """8-bit text is not converted for it but comes back, with its text; and whoever is behind it
    hears of what became of his own mail, whatever stands in that."""
    postfix_offers(world, "8BITMIME", False)
    eight_bits(world, PAT, "too many bits", ANN, ANN)
    told = reports(world, "too many bits", who=ANN)[0]
    check.equal(told.said()[PAT][0], "failed", "it comes back")
    check.equal(told.rcpts[0]["Status"], "5.6.3", "for that")
    eight_bits(world, PAT, "in full please", ANN, ANN, ["RET=FULL"])
    told = reports(world, "in full please", who=ANN)[0]
    check.contains(told.raw, "Grüße".encode(), "with its text, which stays here")
    check.equal(world.peer.find("too many bits"), [], "not sent")
    eight_bits(world, "lost@home.example", "bits about Ümläut", KIM, options=["RET=FULL"])
    eight_bits(world, ANN, "receipt about Ümläut", KIM)
    for subject, action in (("bits about", "failed"), ("receipt about", "delivered")):
        told = reports(world, f"{subject} =C3=9Cml=C3=A4ut")[0]
        check.equal([a for a, _ in told.said().values()], [action], "it got there")
        check.true(told.raw.isascii(), "in seven bits")
        check.equal(told.parts[2].get_content_type(), "message/global-headers", "the header, in UTF-8")
        check.contains(told.parts[2].get_payload(decode=True) or told.parts[2].as_bytes(), b"Subject", "of it")
    postfix_offers(world, "8BITMIME", True)


def test_failures(world):
    for n, (params, wanted) in enumerate(((["NOTIFY=FAILURE"], 1), ([], 1), (["NOTIFY=SUCCESS"], 0),
                                          (["NOTIFY=DELAY"], 0), (["NOTIFY=NEVER"], 0))):
        send(world, f"fails {n} times", {"gone@peer.example": params}, sender=ANN, user=ANN, options=["RET=HDRS"])
        for told in reports(world, f"fails {n} times", wanted, who=ANN):
            check.equal(told.said()["gone@peer.example"][0], "failed", "action")
            check.true(b"Hello" not in told.raw, "its header only")
    send(world, "fails in full", {"gone@peer.example": []}, sender=ANN, user=ANN, options=["RET=FULL"])
    told = reports(world, "fails in full", who=ANN)[0]
    check.equal(told.parts[2].get_content_type(), "message/rfc822", "the whole of it")
    check.contains(told.raw, b"Hello", "with its text")
    send(world, "fails too large", {"gone@peer.example": []}, sender=ANN, user=ANN, options=["RET=FULL"],
         body=("x" * 70 + "\n") * 20000)
    told = reports(world, "fails too large", who=ANN)[0]
    check.equal(told.parts[2].get_content_type(), "text/rfc822-headers", "of a large one its header")
    check.true(len(told.raw) < 20000, f"{len(told.raw)} bytes of notification")


def test_delays(world):
    world.home.set("limits.delivery_delay_warning", "1s")
    try:
        for n, (params, wanted) in enumerate(((["NOTIFY=DELAY"], 1), (["NOTIFY=FAILURE"], 0))):
            send(world, f"waits {n} long", {"full@peer.example": params}, sender=ANN, user=ANN)
            if wanted:
                told = reports(world, f"waits {n} long", who=ANN)[0]
                check.equal(told.said()["full@peer.example"][0], "delayed", "action")
                check.true(told.rcpts[0]["Will-Retry-Until"], "until when")
            else:
                check.until(lambda n=n: [i for i in world.home.json("queue", "list")["items"]
                                         if i["subject"] == f"waits {n} long" and i["attempts"] > 3], "tried")
                check.equal(found(world, f"waits {n} long", ANN), [], "not asked for")
    finally:
        for item in world.home.json("queue", "list")["items"]:
            world.home.run("queue", "delete", item["id"])
        world.home.set("limits.delivery_delay_warning", "4h")


def test_between_two_of_ours(world):
    send(world, "next door", {BOB: ["NOTIFY=SUCCESS"]}, sender=ANN, user=ANN)
    check.equal(reports(world, "next door", who=ANN)[0].said(), {BOB: ("delivered", None)}, "who")


def test_a_full_mailbox_gets_no_receipt(world):
    """It is dropped, said in the log, and the mail it is about stays what it was: delivered."""
    home = world.home
    home.add_account("eve@home.example")
    home.run("account", "set", "eve@home.example", "--quota", "1")
    trace = send(world, "no room", {BOB: ["NOTIFY=SUCCESS"]}, sender="eve@home.example", user="eve@home.example")
    check.until(lambda: "message.dsn.dropped" in event_names(world, trace), "said in the log", 30)
    names = event_names(world, trace)
    check.true("message.double_bounce" not in names and "message.dsn" not in names, f"that alone: {names}")
    quiet(world)
    delivered(world, trace)


def test_postfix_asks(world):
    """sendmail -N success on another machine."""
    etc = world.peer.folder / "etc"
    text = message(KIM, ANN, "asked by postfix")
    subprocess.run(["sendmail", "-C", etc, "-f", KIM, "-N", "success,failure", "-R", "hdrs", "-V", "kims=own id", ANN],
                   input=text.encode(), check=True, env=dict(os.environ, MAIL_CONFIG=str(etc)))
    told = reports(world, "asked by postfix")[0]
    check.equal(told.said(), {ANN: ("delivered", f"rfc822;{ANN}")}, "who")
    check.equal(told.about["Original-Envelope-Id"], "kims=own id", "by its own name")


def test_msmtp_asks(world):
    text = message(KIM, ANN, "asked by msmtp")
    subprocess.run(["msmtp", "-C", "/dev/null", f"--host={world.home.address}", "--port=25", f"--from={KIM}",
                    "--dsn-notify=success", "--dsn-return=headers", ANN], input=text.encode(), check=True)
    check.equal(reports(world, "asked by msmtp")[0].said()[ANN][0], "delivered", "told")


def test_what_strangers_write(world):
    """The longest values, and what is no printable text inside them."""
    envid = "+0D+0AEvil:+20yes" + "a" * 83
    orcpt = "rfc822;" + "+22" * 150 + "@x"
    check.equal(len(envid), 100, "as long as may be")
    send(world, "hostile values", {ANN: ["NOTIFY=SUCCESS", f"ORCPT={orcpt}"]}, options=[f"ENVID={envid}"])
    told = reports(world, "hostile values")[0]
    check.true("Evil" not in told.about, "no field of theirs")
    check.equal(told.about["Original-Envelope-Id"], "Evil: yes" + "a" * 83, "ENVID in one line")
    check.equal(told.said()[ANN][1], "rfc822;" + '"' * 150 + "@x", "ORCPT")
    for params, wanted in (([f"ORCPT=rfc822;{'a' * 500}"], 501), (["ORCPT=rfc822;+zz"], 501),
                           (["NOTIFY=SUCCESS,NEVER"], 501), (["NOTIFY=SUCCESS", "NOTIFY=SUCCESS"], 501)):
        with world.home.smtp() as s:
            s.ehlo()
            s.mail(KIM)
            check.equal(s.rcpt(ANN, params)[0], wanted, f"{params}")


def test_utf8(world):
    with world.home.submission(ANN) as s:
        s.command_encoding = "utf-8"
        s.ehlo()
        s.mail(ANN, ["SMTPUTF8"])
        params = ["NOTIFY=SUCCESS", "ORCPT=utf-8;jürgen@home.example"]
        check.equal(s.rcpt("jürgen@home.example", params)[0], 250, "RCPT")
        s.data(message(ANN, ANN, "to juergen"))
    check.until(lambda: found(world, "to juergen", ANN), "told")
    raw = found(world, "to juergen", ANN)[0]
    check.true(raw.isascii(), "whatever it is about, it can go to anybody (RFC 6533 3)")
    check.contains(raw, rb"Original-Recipient: utf-8;j\x{FC}rgen@home.example", "as given")
    check.contains(raw, rb"Final-Recipient: utf-8; j\x{FC}rgen@home.example", "address type")
    world.home.run("alias", "add", "bücher@home.example", "gone@peer.example")
    with world.home.submission(ANN) as s:
        s.command_encoding = "utf-8"
        s.ehlo()
        s.mail(ANN, ["SMTPUTF8"])
        check.equal(s.rcpt("bücher@home.example", ["NOTIFY=FAILURE"])[0], 250, "RCPT")
        s.data(message(ANN, ANN, "to the books"))
    told = reports(world, "to the books", who=ANN)[0]
    check.contains(told.raw, rb"Final-Recipient: utf-8; b\x{FC}cher@home.example", "an alias that sends it on")
    check.contains(told.parts[0].get_content(), "<bücher@home.example>", "for people as it is")
    # One that is longer than 500 bytes in ASCII does not give away where it leads either.
    domain = ".".join(["книги" * 5] * 3) + ".example"
    long = "магазин" * 4 + "@" + domain
    world.home.run("domain", "add", domain)
    world.home.run("alias", "add", long, "gone@peer.example")
    with world.home.submission(ANN) as s:
        s.command_encoding = "utf-8"
        s.ehlo()
        s.mail(ANN, ["SMTPUTF8"])
        check.equal(s.rcpt(long, ["NOTIFY=FAILURE"])[0], 250, "RCPT")
        s.data(message(ANN, ANN, "to the long books"))
    told = reports(world, "to the long books", who=ANN)[0]
    coded = "".join(c if c.isascii() else f"\\x{{{ord(c):X}}}" for c in long).encode()
    check.true(len(coded) > 500, "long")
    check.contains(told.raw, b"Original-Recipient: utf-8;" + coded, "the alias, as it was written")
    check.contains(told.raw, b"Final-Recipient: utf-8; " + coded, "and nothing else")
    check.true(b"gone@peer" not in told.raw, "nor where it leads")
    send(world, "written in ascii", {ANN: ["NOTIFY=SUCCESS", r"ORCPT=utf-8;j\x{FC}rgen@peer.example"]})
    check.equal(reports(world, "written in ascii")[0].said(),
                {ANN: ("delivered", r"utf-8;j\x{FC}rgen@peer.example")}, "as given")


def test_who_may_be_forged_is_not_told(world):
    dns, zone = world.dns, world.dns.zones["peer.example"]
    for n, (spf, proven, wanted) in enumerate((("-all", False, 0), ("~all", False, 0), ("?all", False, 1),
                                               ("?all", True, 0), ("ip4:127.0.0.0/8 -all", True, 1))):
        dns.change("peer.example", f'{zone}@ IN TXT "v=spf1 {spf}"\n')
        world.home.set("limits.smtp_receipts_ip", "0" if proven else "1000")
        time.sleep(1.1)  # the resolver keeps what it knew for a second
        trace = send(world, f"perhaps {n} forged", {ANN: ["NOTIFY=SUCCESS"], "away@home.example": ["NOTIFY=SUCCESS"]})
        reports(world, f"perhaps {n} forged", 2 * wanted)
        check.until(lambda trace=trace: "message.stored" in event_names(world, trace), "in the log", 30)
        check.equal("message.dsn.withheld" in event_names(world, trace), not wanted, f"told of {spf}")
    world.home.set("limits.smtp_receipts_ip", "1000")
    dns.change("peer.example", zone)
    time.sleep(1.1)  # as above: what proves the sender is not to reach the next test


def storm(world, n):
    """Twenty requests from an address that asked for nothing yet. -> how many were told"""
    for i in range(20):
        send(world, f"storm {n} of many {i}.", {ANN: ["NOTIFY=SUCCESS"]}, source=f"127.0.0.{100 + n}")
    quiet(world)
    check.equal(len(world.home.find(ANN, f"Subject: storm {n} of many")), 20, "all are there")
    return len(found(world, f"storm {n} of many"))


def test_a_storm_of_requests(world):
    """Each of the two processes grants so many a minute; the mail comes in all the same."""
    world.home.set("limits.smtp_receipts_ip", "2")
    begin = time.monotonic()
    told = storm(world, 0)
    most = 4 * (1 + (time.monotonic() - begin) // 30)
    check.true(1 <= told <= most, f"{told} told")
    for n in range(4):
        send(world, f"storm from within {n}.", {ANN: ["NOTIFY=SUCCESS"]}, sender=BOB, user=BOB)
    check.until(lambda: len(found(world, "storm from within", BOB)) == 4, "nobody counts who logs in")
    world.home.set("limits.smtp_receipts_ip", "1000")


def test_strangers_may_be_offered_none(world):
    world.home.set("incoming.dsn", "false")

    def offered():
        with world.home.smtp() as s:
            s.ehlo()
            return s.has_extn("dsn")
    check.true(not offered(), "not on port 25")
    with world.home.smtp() as s:
        s.ehlo()
        check.equal(s.mail(KIM, ["RET=HDRS"])[0], 555, "nor taken")
        s.mail(KIM)
        check.equal(s.rcpt(ANN, ["NOTIFY=SUCCESS"])[0], 555, "nor taken")
        check.equal(s.rcpt(ANN)[0], 250, "the session lives")
    send(world, "ours may ask", {BOB: ["NOTIFY=SUCCESS"]}, sender=ANN, user=ANN)
    reports(world, "ours may ask", who=ANN)
    world.home.set("incoming.dsn", "true")
    check.true(offered(), "as before")


def test_very_many_recipients(world):
    """A thousand, all of them by the catch-all: few reports, each of whole lines."""
    with world.home.smtp() as s:
        s.ehlo()
        s.mail(KIM)
        for n in range(MANY):
            check.equal(s.rcpt(f"n{n}@home.example", ["NOTIFY=SUCCESS"])[0], 250, "RCPT")
        check.equal(s.data(message(KIM, ANN, "very many"))[0], 250, "taken")
    check.until(lambda: sum(len(Report(m).rcpts) for m in found(world, "very many")) == MANY, "all told of", 120)
    quiet(world)
    all_of = [Report(m) for m in found(world, "very many")]
    told = sorted(a for r in all_of for a in r.said())
    check.true(told == sorted(f"n{n}@home.example" for n in range(MANY)), "each once")
    check.true(len(all_of) <= 8, f"{len(all_of)} reports")


def test_receipts_in_the_queue(world):
    """While the queue process is away they wait; a person can hold and delete them, not send them back."""
    home = world.home
    pid = home.workers()["queue"][0]
    os.kill(pid, signal.SIGSTOP)
    try:
        trace = send(world, "held receipt", {ANN: ["NOTIFY=SUCCESS"], BOB: ["NOTIFY=SUCCESS"]})
        items = check.until(lambda: [i for i in home.json("queue", "list")["items"]
                                     if i["subject"] == "held receipt"], "two rows", 30)
        check.equal([(i["kind"], i["to"], i["expires_at"]) for i in items],
                    [("receipt", ANN, None), ("receipt", BOB, None)], "what they are")
        home.run("queue", "hold", items[0]["id"])
        home.run("queue", "delete", items[1]["id"])
        check.equal(post(world, f"/queue/{items[0]['id']}/bounce"), 409, "nothing to send back")
        home.run("queue", "bounce", items[0]["id"])
        check.equal(home.json("queue", "show", items[0]["id"])["state"], "held", "nor among many: passed over")
    finally:
        os.kill(pid, signal.SIGCONT)
    home.run("queue", "release", items[0]["id"], check=False)
    check.equal(reports(world, "held receipt")[0].said(), {ANN: ("delivered", None)}, "the one that is left")
    check.until(lambda: "queue.receipt.action" in event_names(world, trace), "told in the log", 30)
    delivered(world, trace)  # what was done to receipts is not done to mail


def test_they_outlive_kills(world):
    """Each is told once, whoever dies when."""
    home, subjects = world.home, []
    for n in range(12):
        subjects.append(f"kill number {n} of it")
        send(world, subjects[-1], {ANN: ["NOTIFY=SUCCESS"]}, sender=BOB, user=BOB)
        if n % 3 == 2:
            for pid in home.workers().get("queue" if n % 2 else "store", []):
                os.kill(pid, signal.SIGKILL)
            home.wait_until_ready()
    check.until(lambda: all(found(world, s, BOB) for s in subjects), "all are told of", 120)
    quiet(world)
    for s in subjects:
        check.equal(len(home.find(ANN, f"Subject: {s}")), 1, f"{s} in the mailbox")
        check.equal(len(found(world, s, BOB)), 1, f"told of {s}")
