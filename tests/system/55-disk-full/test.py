"""A full disk: new mail waits at the sender, stored mail stays readable, room helps at once."""
import os
import smtplib
import subprocess

import check
from appliance import Appliance
from world import message

ANN, PEER = "ann@home.example", "pat@peer.example"


def setup(world):
    world.names()
    disk, image = world.out / "disk", world.out / "disk.img"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=220m", "none", disk], check=True)
    world.disk = disk
    world.image = image
    world.home = world.start(Appliance(disk / "home"))
    world.home.add_domain()
    world.home.add_account(ANN)


def send(world, subject, size=1000):
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, subject, "x" * 70 + "\n" * 1 + "y\n" * size))


def fill(world):
    free = os.statvfs(world.disk)
    with open(world.disk / "filler", "wb") as f:
        left = free.f_bavail * free.f_frsize
        while left > 0:
            n = min(left, 1 << 20)
            try:
                f.write(b"\0" * n)
                f.flush()
            except OSError:
                break
            left -= n


def test_full(world):
    send(world, "before")
    fill(world)
    code = 0
    try:
        send(world, "while full")
    except smtplib.SMTPResponseException as e:
        code = e.smtp_code
    except smtplib.SMTPRecipientsRefused as e:
        code = list(e.recipients.values())[0][0]
    check.equal(code, 452, "new mail is put off")
    found = world.home.inbox(ANN)
    check.equal(len(found), 1, "stored mail is readable")
    m = world.home.imap(ANN)
    m.select("INBOX")
    check.equal(m.store("1", "+FLAGS", r"(\Flagged)")[0], "OK", "flags can still be set")
    m.logout()


def test_recovery_without_a_restart(world):
    pids = world.home.workers()
    (world.disk / "filler").unlink()

    def accepted():
        try:
            send(world, "after")
            return True
        except (smtplib.SMTPException, OSError):
            return False
    check.until(accepted, "mail is taken again", 10, 0.5)
    check.equal(world.home.workers(), pids, "the same processes")
    check.true(not world.home.find(ANN, "Subject: while full"), "no ghost of what was put off")
