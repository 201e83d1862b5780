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
    disk = world.out / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=220m", "none", disk], check=True)
    world.disk = disk
    world.home = world.start(Appliance(disk / "home", log=world.out / "serve.log"))
    world.home.add_domain()
    world.home.add_account(ANN)


def send(world, subject, size=1000):
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, subject, "x" * 70 + "\n" * 1 + "y\n" * size))


def fill(world, leave):
    """Takes all room but `leave` bytes, and waits until the store has looked: it does so ten
    times a second, on a calm machine."""
    take_room(world, leave)
    check.until(lambda: answer_to_new_mail(world, "perhaps in time") == 452, "new mail is put off", pause=0.1)


def take_room(world, leave):
    with open(world.disk / "filler", "ab") as f:
        while True:
            free = os.statvfs(world.disk)
            n = min(free.f_bavail * free.f_frsize - leave, 1 << 20)
            if n <= 0:
                return
            try:
                f.write(b"\0" * n)
                f.flush()
            except OSError:
                return


def answer_to_new_mail(world, subject="while full"):
    try:
        send(world, subject)
        return 250
    except smtplib.SMTPResponseException as e:
        return e.smtp_code
    except smtplib.SMTPRecipientsRefused as e:
        return list(e.recipients.values())[0][0]


def test_below_the_reserve_only_new_mail_waits(world):
    send(world, "before")
    fill(world, 16 << 20)
    check.equal(answer_to_new_mail(world), 452, "new mail is put off")
    m = world.home.imap(ANN)
    check.equal(m.append("INBOX", None, None, b"Subject: x\r\n\r\nx")[0], "NO", "APPEND is put off")
    m.select("INBOX")
    check.equal(m.store("1", "+FLAGS", r"(\Flagged)")[0], "OK", "flags can be set")
    check.equal(m.create("Later")[0], "OK", "mailboxes can be made")
    m.logout()


def test_on_a_disk_without_one_free_byte_mail_can_be_read(world):
    (world.disk / "filler").unlink()
    check.until(lambda: answer_to_new_mail(world, "second") == 250, "room again", pause=0.5)
    fill(world, 0)
    check.equal(answer_to_new_mail(world), 452, "new mail is put off")
    for subject in ("before", "second"):
        check.equal(len(world.home.find(ANN, f"Subject: {subject}")), 1, "stored mail is readable")
    m = world.home.imap(ANN)
    check.equal(m.select("INBOX")[0], "OK", "SELECT")
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
    check.until(accepted, "mail is taken again", pause=0.5)
    check.equal(world.home.workers(), pids, "the same processes")
    check.true(not world.home.find(ANN, "Subject: while full"), "no ghost of what was put off")
