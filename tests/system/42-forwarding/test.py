"""What an alias sends on to another server: senders rewritten, notifications led back."""
import re

import check
from world import message

ANN, KIM, PAT = "ann@home.example", "kim@peer.example", "pat@peer.example"


def setup(world):
    world.names()
    world.postfix()
    world.appliance()
    world.home.run("alias", "add", "away@home.example", PAT)


def envelope_sender(raw):
    found = re.search(rb"(?im)^Return-Path:\s*<([^>]*)>", raw)
    return found.group(1).decode() if found else None


def forward(world, subject, sender=KIM):
    with world.home.smtp() as s:
        s.sendmail(sender, ["away@home.example"], message(sender, "away@home.example", subject))
    found = check.until(lambda: world.peer.find(f"Subject: {subject}"), f"{subject} sent on", 20)
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
    check.until(lambda: world.peer.find("Subject: bounce of it"), "reached the true sender", 20)
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


def test_a_sender_of_ours_stays(world):
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, ["away@home.example"], message(ANN, "away@home.example", "own sender"))
    found = check.until(lambda: world.peer.find("Subject: own sender"), "sent on", 20)
    check.equal(envelope_sender(found[0]) if found else None, ANN, "sender")


def test_our_own_notification_goes_to_the_true_sender(world):
    world.home.run("alias", "add", "lost@home.example", "x@missing.odd.example")
    with world.home.smtp() as s:
        s.sendmail(KIM, ["lost@home.example"], message(KIM, "lost@home.example", "cannot arrive"))

    def told():
        return [m for m in world.peer.messages() if b"multipart/report" in m and b"cannot arrive" in m]
    check.until(told, "the true sender is told", 20)
