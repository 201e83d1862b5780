"""Programs that people send mail with: swaks, msmtp, curl, smtplib."""
import smtplib
import subprocess

import check
from world import message

ANN, BOB, PEER = "ann@home.example", "bob@home.example", "pat@peer.example"


def setup(world):
    world.names()
    world.postfix()
    world.appliance()


def run(*args, stdin=None):
    return subprocess.run([str(a) for a in args], input=stdin, capture_output=True, text=True,
                          timeout=60)


def arrived(world, subject, rcpt=BOB):
    return check.until(lambda: world.home.find(rcpt, f"Subject: {subject}"), f"{subject} arrived")


def swaks(world, subject, *options, to=BOB, sender=PEER):
    done = run("swaks", "--server", world.home.address, "--from", sender, "--to", to,
               "--header", f"Subject: {subject}", *options)
    check.equal(done.returncode, 0, f"swaks {subject}\n{done.stdout}")
    return done.stdout


def test_swaks_plain_and_starttls(world):
    swaks(world, "swaks plain")
    arrived(world, "swaks plain")
    out = swaks(world, "swaks tls", "--tls")
    check.contains(out, "TLS started", "swaks speaks TLS")
    arrived(world, "swaks tls")


def test_swaks_submission(world):
    password = world.home.passwords[ANN]
    for mechanism in ("PLAIN", "LOGIN"):
        subject = f"swaks auth {mechanism}"
        swaks(world, subject, "--port", "587", "--tls", "--auth", mechanism, "--auth-user", ANN,
              "--auth-password", password, sender=ANN)
        arrived(world, subject)
    swaks(world, "swaks 465", "--port", "465", "--tls-on-connect", "--auth", "PLAIN",
          "--auth-user", ANN, "--auth-password", password, sender=ANN)
    arrived(world, "swaks 465")


def test_swaks_sees_no_auth_without_tls(world):
    done = run("swaks", "--server", world.home.address, "--port", "587", "--quit-after", "EHLO")
    check.true("AUTH" not in done.stdout, "no AUTH offered in plain text")
    check.contains(done.stdout, "STARTTLS", "STARTTLS offered")


def test_msmtp(world):
    done = run("msmtp", "--host", world.home.address, "--port", "587", "--tls=on",
               "--tls-certcheck=off", "--auth=plain", "--user", ANN, "--passwordeval",
               f"echo {world.home.passwords[ANN]}", "--from", ANN, BOB,
               stdin=message(ANN, BOB, "msmtp"))
    check.equal(done.returncode, 0, f"msmtp: {done.stderr}")
    arrived(world, "msmtp")


def test_curl(world):
    done = run("curl", "-sS", "--ssl-reqd", "-k", f"smtp://{world.home.address}:587",
               "--mail-from", ANN, "--mail-rcpt", BOB, "-u",
               f"{ANN}:{world.home.passwords[ANN]}", "-T", "-",
               stdin=message(ANN, BOB, "curl").replace("\n", "\r\n"))
    check.equal(done.returncode, 0, f"curl: {done.stderr}")
    arrived(world, "curl")


def test_plus_alias_and_catch_all(world):
    home = world.home
    home.run("alias", "add", "sales@home.example", ANN, BOB)
    with home.smtp() as s:
        s.sendmail(PEER, ["ann+shop@home.example"], message(PEER, ANN, "plus"))
        s.sendmail(PEER, ["sales@home.example"], message(PEER, ANN, "alias"))
    arrived(world, "plus", ANN)
    arrived(world, "alias", ANN)
    arrived(world, "alias", BOB)
    home.run("alias", "add", "*@home.example", BOB)
    with home.smtp() as s:
        s.sendmail(PEER, ["whatever@home.example"], message(PEER, ANN, "catch all"))
    arrived(world, "catch all", BOB)
    home.run("alias", "remove", "*@home.example")


def refusal(world, sender, rcpt, user=None):
    """The code that the first refused command got, or 250."""
    s = world.home.submission(user) if user else world.home.smtp()
    try:
        s.ehlo()
        code, text = s.mail(sender)
        if code == 250:
            code, text = s.rcpt(rcpt)
        return code, text.decode()
    finally:
        s.close()


def test_refusals_name_their_reason(world):
    rows = [
        # sender, recipient, login, code, in the text
        (PEER, "ann@elsewhere.example", None, 550, "5.7.1"),
        (PEER, "nobody@home.example", None, 550, "5.1.1"),
        (PEER, "ann%elsewhere.example@home.example", None, 550, "5.1.1"),
        (PEER, "@home.example:ann@elsewhere.example", None, 550, "5.7.1"),
        (BOB, PEER, ANN, 553, "5.7.1"),
        (ANN, BOB, None, 550, "5.7.1"),
    ]
    for sender, rcpt, user, code, text in rows:
        got = refusal(world, sender, rcpt, user)
        check.equal(got[0], code, f"{sender} to {rcpt}: {got[1]}")
        check.contains(got[1], text, f"{sender} to {rcpt}")


def test_a_sender_must_be_somebody(world):
    for sender, want in (("undisclosed:;", 550), ("A:;, B:;", 550), ("Ann", 553), (":;", 553),
                         ("bank@home.example <>", 553)):
        with world.home.submission(ANN) as s:
            try:
                s.sendmail(ANN, [BOB], f"From: {sender}\nTo: <{BOB}>\nSubject: from nobody\n\nx\n")
                code, text = 250, b""
            except smtplib.SMTPDataError as e:
                code, text = e.smtp_code, e.smtp_error
        check.equal(code, want, f"From: {sender}: {text}")
        check.contains(text, b"names no mailbox" if want == 550 else b"5.7.1", f"From: {sender}")
    check.equal(world.home.find(BOB, "Subject: from nobody"), [], "nothing was taken")


def test_submission_wants_a_login(world):
    s = smtplib.SMTP(world.home.address, 587, timeout=30)
    s.ehlo()
    check.equal(s.mail(ANN)[0], 530, "MAIL without AUTH on 587")
    s.close()


def test_date_and_message_id_are_added(world):
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, [BOB], f"From: <{ANN}>\nTo: <{BOB}>\nSubject: bare\n\nx\n")
    found = arrived(world, "bare")
    if found:
        head = found[0].split(b"\r\n\r\n")[0]
        check.contains(head, b"\r\nDate: ", "Date added")
        check.contains(head, b"\r\nMessage-ID: <", "Message-ID added")


def test_large_message_byte_for_byte(world):
    body = "".join(f"{n:070d}\n" for n in range(100000))
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, [BOB], message(ANN, BOB, "large", body))
    found = arrived(world, "large")
    if found:
        check.true(found[0].endswith(body.replace("\n", "\r\n").encode()), "7 MB unchanged")


def test_every_refusal_is_in_the_delivery_log(world):
    def refused():
        items = world.home.json("trace", "verdict:refused to:nobody@home.example")["items"]
        return items
    found = check.until(refused, "refusal of nobody@home.example recorded")
    if found:
        check.true(any("5.1.1" in str(t) or "no_such_user" in str(t) for t in found),
                   f"its reason in {found}")
