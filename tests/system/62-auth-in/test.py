"""Who sent it: SPF, DKIM, DMARC and ARC of what strangers bring, judged at the border.

Names come from nsd and unbound, signatures from dkimpy; clients are addresses of this
machine's loopback.
"""
import base64
import os
import re
import signal
import smtplib
import socket
import subprocess
import time

import check
import dkim
from world import message

ANN, BOB = "ann@home.example", "bob@home.example"
GOOD, BAD, LIST = "127.0.0.21", "127.0.0.66", "127.0.0.77"
RESULTS = re.compile(rb"(?ims)^Authentication-Results:(.*?)\r\n(?=[^ \t])")
VERIFY_TIMEOUT = 8

ZONE = """
@          IN TXT "v=spf1 ip4:127.0.0.21 -all"
_dmarc     IN TXT "v=DMARC1; p={policy}"
s1._domainkey IN TXT ( "v=DKIM1; k=rsa; p=" {key} )
"""
REVERSE = """
21 IN PTR out.good.example.
"""
GOOD_HOST = "out IN A 127.0.0.21\n"


def make_key(folder):
    """-> (private key in PEM, its record's strings)"""
    path = folder / "s1.pem"
    subprocess.run(["openssl", "genrsa", "-out", path, "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", path, "-pubout", "-outform", "DER"],
                            check=True, capture_output=True).stdout
    text = base64.b64encode(public).decode()
    return path, " ".join(f'"{text[n:n + 200]}"' for n in range(0, len(text), 200))


def setup(world):
    world.out.mkdir(parents=True, exist_ok=True)
    world.key_path, record = make_key(world.out)
    world.key = world.key_path.read_bytes()
    dns = world.names()
    for policy in ("reject", "quarantine", "none"):
        dns.zones[f"{policy}.example"] = ZONE.format(policy=policy, key=record)
    dns.zones["good.example"] = ZONE.format(policy="reject", key=record) + GOOD_HOST
    dns.zones["lists.example"] = ZONE.format(policy="none", key=record)
    dns.zones["0.0.127.in-addr.arpa"] = REVERSE
    dns.stop()
    dns.start()
    world.appliance(more=MORE)


MORE = f"""incoming:
  trusted_sealers: [lists.example]
limits: {{verify_timeout: {VERIFY_TIMEOUT}s}}
"""


def send(world, client, sender, data, rcpts=(ANN,), header=None):
    """-> (code, text) of the reply to the message."""
    with smtplib.SMTP(world.home.address, 25, "client.good.example", timeout=60,
                      source_address=(client, 0)) as s:
        s.ehlo()
        check.equal(s.mail(sender)[0], 250, f"MAIL of {sender}")
        for rcpt in rcpts:
            check.equal(s.rcpt(rcpt)[0], 250, f"RCPT {rcpt}")
        code, text = s.data(data)
        return code, text.decode()


def text_from(domain, subject, more="", body="Hello\n"):
    return message(f"pat@{domain}", ANN, subject, body=body, more=more).replace(
        "\n", "\r\n").encode()


def signed(world, domain, data, **options):
    return dkim.sign(data, b"s1", domain.encode(), world.key,
                     include_headers=[b"from", b"to", b"subject"], **options) + data


def arrived(world, subject, user=ANN, mailbox="INBOX"):
    found = check.until(lambda: world.home.find(user, f"Subject: {subject}", mailbox),
                        f"{subject} is in {mailbox} of {user}")
    return found[-1] if found else b""


def results(data):
    """The topmost field, on one line."""
    found = RESULTS.search(data)
    return re.sub(r"\s+", " ", found.group(1).decode()) if found else ""


def trace(world, query):
    return world.home.json("trace", query)["items"]


def test_proven_by_address(world):
    code, _ = send(world, GOOD, "pat@good.example", text_from("good.example", "by address"))
    check.equal(code, 250, "taken")
    data = arrived(world, "by address")
    names = [line.split(b":")[0] for line in data.split(b"\r\n\r\n")[0].split(b"\r\n")
             if line[:1] not in (b" ", b"\t")]
    check.equal(names[:3], [b"Return-Path", b"Authentication-Results", b"Received"], "order")
    found = results(data)
    for part in ("mail.home.example;", "iprev=pass", "spf=pass", "smtp.mailfrom=pat@good.example",
                 "dkim=none", "dmarc=pass", "header.from=good.example", "policy.applied=none"):
        check.contains(found, part, "field")
    check.until(lambda: trace(world, "spf:pass dmarc:pass"), "found by what was found")
    check.equal(trace(world, "dmarc:fail"), [], "and not by what was not")


def test_the_name_of_the_client_stands_in_received(world):
    """Where it was known before the text came: soon, for each of the processes that receive."""
    numbers = iter(range(1000))

    def is_named():
        subject = f"by name {next(numbers)}"
        send(world, GOOD, "pat@good.example", text_from("good.example", subject))
        return (b"Received: from client.good.example (out.good.example [127.0.0.21]) by " in
                re.sub(rb"\s+", b" ", arrived(world, subject)))

    check.until(is_named, "the name stands there")


def test_proven_by_signature(world):
    data = signed(world, "good.example", text_from("good.example", "by signature"))
    check.equal(send(world, BAD, "x@none.example", data)[0], 250, "taken")
    found = results(arrived(world, "by signature"))
    for part in ("spf=fail", "dkim=pass", "header.d=good.example", "header.s=s1", "dmarc=pass"):
        check.contains(found, part, "field")


def test_refused(world):
    code, text = send(world, BAD, "pat@good.example", text_from("good.example", "not proven"))
    check.equal(code, 550, "refused")
    check.contains(text, "5.7.1", "reply")
    check.contains(text, "good.example", "whose wish it is")
    data = signed(world, "good.example", text_from("good.example", "tampered"))
    code, _ = send(world, BAD, "pat@good.example", data.replace(b"Hello", b"Howdy"))
    check.equal(code, 550, "a broken signature proves nothing")
    time.sleep(0.3)
    check.equal(world.home.find(ANN, "Subject: not proven"), [], "not stored")
    rows = check.until(lambda: (r := trace(world, "verdict:refused dmarc:fail"))[1:] and r,
                       "both are traced, the signed one first")
    for name in ("message.spf", "message.dkim", "message.dmarc", "message.disposition",
                 "smtp.data.reject"):
        check.until(lambda name=name: name in [
            e["event"] for e in world.home.json("trace", "show", rows[0]["id"])["items"]], name)


def test_into_junk(world):
    send(world, BAD, "pat@quarantine.example", text_from("quarantine.example", "doubtful"))
    found = results(arrived(world, "doubtful", mailbox="Junk"))
    check.contains(found, "policy.applied=quarantine", "field")
    check.equal(world.home.find(ANN, "Subject: doubtful"), [], "not in the inbox")


def test_owners_choice(world):
    for choice, mailbox in (("junk", "Junk"), ("mark", "INBOX")):
        world.home.run("domain", "set", "home.example", "--incoming", choice)
        subject = f"choice {choice}"
        code, text = send(world, BAD, "pat@good.example", text_from("good.example", subject))
        check.equal(code, 250, f"{choice}: {text}")
        check.contains(results(arrived(world, subject, mailbox=mailbox)), "dmarc=fail", choice)
    # Another domain with another choice gets its copy; a refusal would be for both.
    world.home.run("domain", "add", "other.example")
    world.home.add_account("eve@other.example")
    code, _ = send(world, BAD, "pat@good.example", text_from("good.example", "both"),
                   rcpts=(ANN, "eve@other.example"))
    check.equal(code, 250, "one wants it marked")
    arrived(world, "both")
    arrived(world, "both", user="eve@other.example", mailbox="Junk")
    world.home.run("domain", "set", "home.example", "--incoming", "honour")
    check.equal(world.home.json("domain", "show", "home.example")["incoming"], "honour", "back")


def test_forged_results_go(world):
    forged = ("Authentication-Results: mail.home.example;\n dmarc=pass header.from=good.example\n"
              "authentication-results:\n\tMAIL.home.example (x) 1; spf=pass\n"
              "Authentication-Results: elsewhere.example; spf=pass\n")
    send(world, GOOD, "pat@good.example", text_from("good.example", "forged", more=forged))
    data = arrived(world, "forged")
    owners = re.findall(rb"(?im)^Authentication-Results:\s*([^\s;]+)", data)
    check.equal(owners, [b"mail.home.example", b"elsewhere.example"], "who says something")


def test_two_from(world):
    data = text_from("good.example", "two from").replace(
        b"\r\nTo:", b"\r\nFrom: <evil@none.example>\r\nTo:", 1)
    code, text = send(world, GOOD, "pat@good.example", data)
    check.equal(code, 554, text)


def test_length_that_leaves_bytes(world):
    data = signed(world, "good.example", text_from("good.example", "length"), length=True)
    check.equal(send(world, BAD, "x@none.example", data)[0], 250, "l= that covers all")
    code, _ = send(world, BAD, "x@none.example", data + b"and more\r\n")
    check.equal(code, 550, "l= that does not")


def test_two_hundred_signatures(world):
    data = text_from("none.example", "many")
    one = dkim.sign(data, b"s1", b"none.example", world.key, include_headers=[b"from"])
    started = time.monotonic()
    check.equal(send(world, GOOD, "pat@none.example", one * 200 + data)[0], 250, "taken")
    check.true(time.monotonic() - started < 30, "in time")
    check.true(results(arrived(world, "many")).count("dkim=pass") <= 10, "ten are looked at")


def seal(world, data, authserv, results_text):
    path = world.out / "sealed.eml"
    path.write_bytes(f"Authentication-Results: {authserv}; {results_text}\r\n".encode() + data)
    fields = world.home.run("verify", "arc-sign", "--key", str(world.key_path), "--selector", "s1",
                            "--domain", authserv, "--srv-id", authserv,
                            "--dns", "127.0.0.53:53", str(path)).stdout
    return fields.replace("\r\n", "\n").replace("\n", "\r\n").encode() + path.read_bytes()


def test_sealed_by_a_forwarder(world):
    data = text_from("good.example", "sealed")
    said = "dmarc=pass header.from=good.example"
    code, text = send(world, LIST, "list@lists.example", seal(world, data, "lists.example", said))
    check.equal(code, 250, text)
    found = results(arrived(world, "sealed"))
    check.contains(found, "arc=pass", "field")
    check.contains(found, "dmarc=fail", "field")
    code, _ = send(world, LIST, "x@none.example", seal(world, data, "none.example", said))
    check.equal(code, 550, "a sealer whom nobody trusts")
    code, _ = send(world, LIST, "list@lists.example",
                   seal(world, data, "lists.example", "dmarc=fail header.from=good.example"))
    check.equal(code, 550, "one that says it failed")


def test_logins_are_not_asked(world):
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, [BOB], message(ANN, BOB, "from ann"))
    check.equal(results(arrived(world, "from ann", user=BOB)), "", "no field")


def test_resolver_comes_back(world):
    """Asked again when it is back; who waits too long for that tells so, and the next does not."""
    numbers = iter(range(1000))
    os.kill(world.home.workers()["dns"][0], signal.SIGKILL)

    def is_back():
        subject = f"restarted {next(numbers)}"
        check.equal(send(world, GOOD, "pat@good.example", text_from("good.example", subject))[0],
                    250, "taken")
        return "dmarc=pass" in results(arrived(world, subject))

    check.until(is_back, "asked again")


def test_silent_name_server(world):
    """A name server that never answers costs the sender some seconds, and no mail."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.55", 53))
        text = world.home.config.read_text()
        world.home.config.write_text(text.replace("127.0.0.53:53", "127.0.0.55:53"))
        world.home.reread()
        started = time.monotonic()
        code, reply = send(world, BAD, "pat@quiet.example", text_from("quiet.example", "silence"))
        took = time.monotonic() - started
        check.equal(code, 250, f"taken: {reply}")
        check.true(took < VERIFY_TIMEOUT + 15, f"within the limit, not {took:.1f} s")
        found = results(arrived(world, "silence"))
        check.contains(found, "spf=temperror", "field")
        check.contains(found, "dmarc=temperror", "field")
        world.home.config.write_text(text)
        world.home.reread()
    code, reply = send(world, GOOD, "pat@good.example", text_from("good.example", "heard again"))
    check.equal(code, 250, f"taken: {reply}")
    check.contains(results(arrived(world, "heard again")), "dmarc=pass", "field")
