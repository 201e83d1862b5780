"""Programs that people read mail with, each with its own idea of IMAP and POP3."""
import imaplib
import os
import pathlib
import poplib
import shutil
import subprocess
import threading
import time

import check
from appliance import PATIENCE, insecure_tls
from world import message

ANN, BOB = "ann@home.example", "bob@home.example"
COUNT = 25


def setup(world):
    world.names()
    home = world.appliance(plaintext='["127.0.0.0/8"]')
    m = home.imap(ANN)
    for n in range(COUNT):
        text = message(ANN, BOB, f"mail {n}", f"line {n}\n.\n..dot\nFrom here\n" * (1 + n * 40))
        status, _ = m.append("INBOX", r"(\Seen)" if n % 3 == 0 else None, None,
                             text.replace("\n", "\r\n").encode())
        assert status == "OK"
    for name in ("Work", "Work/Sub", "&AOQ-"):
        m.create(name)
    m.append("Work", None, None, b"Subject: w\r\nMessage-ID: <w@x>\r\n\r\nw\r\n")
    m.logout()
    world.folder = world.out / "readers"
    world.folder.mkdir(exist_ok=True)


def run(world, *args, seconds=90, **more):
    env = dict(os.environ, HOME=str(world.folder), TERM="xterm")
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, env=env,
                          cwd=world.folder, timeout=seconds, stdin=subprocess.DEVNULL, **more)


def files(folder):
    return [p for p in pathlib.Path(folder).rglob("*") if p.is_file()
            and p.parent.name in ("cur", "new")]


def test_mbsync_both_ways(world):
    md, password = world.folder / "md", world.home.passwords[ANN]
    md.mkdir()
    rc = world.folder / "mbsyncrc"
    rc.write_text(f"""IMAPAccount a
Host {world.home.address}
Port 993
User {ANN}
Pass {password}
SSLType IMAPS
SSLVersions TLSv1.3
CertificateFile {world.folder}/cert.pem

IMAPStore r
Account a

MaildirStore l
Path {md}/
Inbox {md}/INBOX
SubFolders Verbatim

Channel c
Far :r:
Near :l:
Patterns *
Create Both
Expunge Both
SyncState *
""")
    cert = run(world, "openssl", "s_client", "-connect", f"{world.home.address}:993")
    pem = cert.stdout[cert.stdout.find("-----BEGIN"):cert.stdout.find("-----END")]
    (world.folder / "cert.pem").write_text(pem + "-----END CERTIFICATE-----\n")
    done = run(world, "mbsync", "-q", "-c", rc, "-a")
    check.equal(done.returncode, 0, f"pull: {done.stderr}")
    check.equal(len(files(md / "INBOX")), COUNT, "messages")
    seen = [p for p in files(md / "INBOX") if "S" in p.name.rsplit(",", 1)[-1]]
    check.equal(len(seen), 9, "seen flags")
    (md / "INBOX" / "new" / "1.local").write_text("Subject: local\nMessage-ID: <l@x>\n\nx\n")
    check.equal(run(world, "mbsync", "-q", "-c", rc, "-a").returncode, 0, "push")
    check.equal(len(world.home.find(ANN, "Subject: local")), 1, "pushed")
    mine = next(p for p in files(md / "INBOX") if "<l@x>" in p.read_text(errors="replace"))
    mine.rename(md / "INBOX" / "cur" / (mine.name.split(":")[0] + ":2,T"))
    check.equal(run(world, "mbsync", "-q", "-c", rc, "-a").returncode, 0, "expunge")
    check.equal(len(world.home.find(ANN, "Subject: local")), 0, "expunged")


def test_offlineimap(world):
    rc = world.folder / "offlineimaprc"
    rc.write_text(f"""[general]
accounts = a
metadata = {world.folder}/offline
socktimeout = {20 * PATIENCE}
[Account a]
localrepository = L
remoterepository = R
[Repository L]
type = Maildir
localfolders = {world.folder}/offmd
[Repository R]
type = IMAP
remotehost = {world.home.address}
remoteport = 143
remoteuser = {ANN}
remotepass = {world.home.passwords[ANN]}
ssl = no
starttls = no
auth_mechanisms = LOGIN
""")
    # On a busy machine its imaplib2 looks for a greeting only after it has thrown it away.
    for _ in range(3):
        done = run(world, "offlineimap", "-c", rc, "-u", "quiet", "-o", seconds=120)
        if done.returncode == 0:
            break
    check.equal(done.returncode, 0, f"offlineimap {done.stdout}")
    check.equal(len(files(world.folder / "offmd" / "INBOX")), COUNT, f"messages {done.stdout}")


def test_mutt_opens_and_copies(world):
    (world.folder / "Mail").mkdir(exist_ok=True)  # else it may ask whether to make it
    for program in ("mutt", "neomutt"):
        if not shutil.which(program):
            continue
        rc, box = world.folder / f"{program}rc", world.folder / f"{program}.mbox"
        rc.write_text(f"""set ssl_starttls=no ssl_force_tls=no confirmcreate=no confirmappend=no
set quit=yes move=no mark_old=no imap_keepalive=60
set imap_user="{ANN}" imap_pass="{world.home.passwords[ANN]}"
set spoolfile="imap://{world.home.address}:143/INBOX"
push "<tag-pattern>~A<enter><tag-prefix><copy-message>{box}<enter><exit>"
""")
        run(world, "script", "-qc", f"timeout --foreground 40 {program} -n -F {rc}", "/dev/null")
        text = box.read_text(errors="replace") if box.exists() else ""
        check.true(text.count("\nMessage-ID:") >= 1, f"{program} opened INBOX and copied from it")


def test_curl_reads(world):
    login = f"{ANN}:{world.home.passwords[ANN]}"
    done = run(world, "curl", "-sSk", "-u", login, f"imaps://{world.home.address}/INBOX;MAILINDEX=1")
    check.contains(done.stdout, "Subject: mail 0", f"first message {done.stderr}")
    done = run(world, "curl", "-sSk", "--ssl-reqd", "-u", login, f"imap://{world.home.address}/INBOX",
               "-X", "SEARCH UNSEEN")
    check.equal(len(done.stdout.split()) - 2, COUNT - 9, "unseen")


def test_getmail_fetchmail_mpop(world):
    password, address = world.home.passwords[ANN], world.home.address
    # getmail forgets a command that ends before it has begun to wait for it, and waits on.
    wait = "until grep -q ^State:.S /proc/$PPID/status; do sleep 0.01; done"
    for kind, port in (("IMAP", 143), ("POP3", 110)):
        rc, count = world.folder / f"getmail{kind}", world.folder / f"count.{kind}"
        rc.write_text(f"""[retriever]
type = Simple{kind}Retriever
server = {address}
port = {port}
username = {ANN}
password = {password}
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat >/dev/null; echo >> {count}; {wait}")
allow_root_commands = true
[options]
read_all = true
delete = false
""")
        done = run(world, "getmail", "--rcfile", rc, "--getmaildir", world.folder)
        lines = count.read_text().count("\n") if count.exists() else 0
        check.equal(lines, COUNT, f"getmail {kind} {done.stdout}{done.stderr}")
    box = world.folder / "mpop.mbox"
    done = run(world, "mpop", f"--host={address}", "--port=110", f"--user={ANN}", "--auth=user",
               f"--passwordeval=echo {password}", "--tls=off", f"--delivery=mbox,{box}", "--keep=on")
    text = box.read_text(errors="replace") if box.exists() else ""
    check.equal(text.count("\nMessage-ID:"), COUNT, f"mpop {done.stderr}")


def test_fdm(world):
    if not shutil.which("fdm"):
        return
    password, address = world.home.passwords[ANN], world.home.address
    for kind, port, more in (("imap", 143, "starttls"), ("imaps", 993, "no-verify"),
                             ("pop3", 110, "starttls"), ("pop3s", 995, "no-verify")):
        rc, box = world.folder / f"fdm.{kind}", world.folder / f"fdm.{kind}.mbox"
        rc.write_text(f"""set lock-file "{world.folder}/fdm.lock"
set lock-types fcntl
account "a" {kind} server "{address}" port {port} user "{ANN}" pass "{password}" {more} keep
action "keep" mbox "{box}"
match all action "keep"
""")
        rc.chmod(0o600)
        done = run(world, "fdm", "-f", rc, "-q", "fetch")
        text = box.read_text(errors="replace") if box.exists() else ""
        check.equal(text.count("\nMessage-ID:"), COUNT, f"fdm {kind} {done.stdout}{done.stderr}")


# Ranges and gaps in what is copied: copy() believes the first range of the new UIDs.
PERL = r"""
use strict;
use Mail::IMAPClient;
my ($server, $user, $password) = @ARGV;
my $i = Mail::IMAPClient->new(Server => $server, User => $user, Password => $password,
    Starttls => [SSL_verify_mode => 0], Uid => 1, Peek => 1) or die "login: $@";
sub said { print shift, "=", join(" ", @_), "\n" }
$i->create("Perl Box") or die $i->LastError;
$i->select("INBOX") or die $i->LastError;
my @all = $i->messages;
said("messages", scalar @all);
said("copied", split /,/, $i->copy("Perl Box", @all[0, 1, 2, 4, 5, 7]));
my $at = " 2-Jan-2023 03:04:05 +0000";
my $uid = $i->append_string("Perl Box", "Subject: p\r\n\r\nbody\r\n", '\Seen $Mine', $at);
$i->select("Perl Box") or die $i->LastError;
said("uids", $i->messages);
said("flags", sort grep { !/Recent/ } $i->flags($uid));
said("date", $i->internaldate($uid));
said("size", length($i->message_string($uid)), $i->size($uid));
said("subject", $i->get_envelope($uid)->subject);
said("type", $i->get_bodystructure($uid)->bodytype);
said("found", $i->search("KEYWORD", '$Mine'));
$i->delete_message($uid);
$i->expunge or die $i->LastError;
said("left", scalar(my @left = $i->messages));
$i->rename("Perl Box", "Perl/2") or die $i->LastError;
$i->close;
$i->delete("Perl/2") or die $i->LastError;
$i->logout;
"""


def test_perl(world):
    script = world.folder / "reader.pl"
    script.write_text(PERL)
    done = run(world, "perl", script, world.home.address, ANN, world.home.passwords[ANN])
    check.equal(done.stdout.splitlines(), [
        f"messages={COUNT}", "copied=1 2 3 4 5 6", "uids=1 2 3 4 5 6 7", "flags=$Mine \\Seen",
        "date= 2-Jan-2023 03:04:05 +0000", "size=20 20", "subject=p", "type=TEXT", "found=7",
        "left=6"], f"what it saw {done.stderr}")
    check.equal(done.returncode, 0, f"perl {done.stderr}")


def test_s_nail(world):
    login = f"{ANN.replace('@', '%40')}:{world.home.passwords[ANN]}@{world.home.address}"
    done = run(world, "s-nail", "-:/", "-Sv15-compat", "-Stls-verify=ignore", "-#",
               f"-Sfolder=imaps://{login}/",
               "-Y", "copy 1-20 +nail", "-Y", "file +nail", "-Y", "headers", "-Y", "xit", "-f",
               f"imaps://{login}/INBOX")
    check.contains(done.stdout, "mail 0", f"what it copied there {done.stderr}")
    m = world.home.imap(ANN)
    check.equal(m.select("nail")[1][0], b"20", "messages copied by s-nail")
    m.close()
    m.delete("nail")
    m.logout()


def test_python_poplib_deletes_only_at_quit(world):
    home = world.home
    p = poplib.POP3(home.address, 110, timeout=30)
    p.user(ANN), p.pass_(home.passwords[ANN])
    check.equal(p.stat()[0], COUNT, "STAT")
    p.dele(1)
    p.sock.close()
    p = poplib.POP3_SSL(home.address, 995, context=insecure_tls(), timeout=30)
    p.user(ANN), p.pass_(home.passwords[ANN])
    check.equal(p.stat()[0], COUNT, "dropped without QUIT: nothing deleted")
    ids = p.uidl()[1]
    p.dele(1)
    p.quit()
    p = poplib.POP3(home.address, 110, timeout=30)
    p.user(ANN), p.pass_(home.passwords[ANN])
    check.equal(p.stat()[0], COUNT - 1, "deleted at QUIT")
    check.equal([i.split()[1] for i in p.uidl()[1]], [i.split()[1] for i in ids[1:]], "UIDs stay")
    p.quit()


def test_imaplib_flags_move_search(world):
    m = world.home.imap(ANN)
    m.select("INBOX")
    check.equal(m.uid("SEARCH", "SUBJECT", '"mail 7"')[1][0].split().__len__(), 1, "SEARCH SUBJECT")
    uid = m.uid("SEARCH", "SUBJECT", '"mail 7"')[1][0]
    m.uid("STORE", uid, "+FLAGS", r"(\Flagged colour)")
    check.equal(m.uid("SEARCH", "KEYWORD", "colour")[1][0], uid, "keyword")
    status, _ = m.uid("MOVE", uid, "Work/Sub")
    check.equal(status, "OK", "MOVE")
    check.equal(m.uid("SEARCH", "SUBJECT", '"mail 7"')[1][0], b"", "gone from INBOX")
    m.select("Work/Sub")
    check.contains(m.fetch("1", "(FLAGS)")[1][0], b"colour", "keyword moved along")
    m.logout()


def test_idle_tells_at_once(world):
    m = world.home.imap(BOB)
    m.select("INBOX")
    m.send(b"x IDLE\r\n")
    check.contains(m.readline(), b"+", "IDLE accepted")

    def send():
        with world.home.smtp() as s:
            s.sendmail("pat@peer.example", [BOB], message("pat@peer.example", BOB, "while idle"))
            sent.append(time.monotonic())
    sent, heard = [], []
    for _ in range(5):
        sender = threading.Thread(target=send)
        sender.start()
        while b"EXISTS" not in (line := m.readline()):
            if not check.contains(line, b"RECENT", "nothing else is told"):
                return
        heard.append(time.monotonic())
        sender.join()
    # Most of them: on a busy machine one or the other waits for a processor.
    late = sorted(b - a for a, b in zip(sent, heard))
    check.true(late[2] < 1.0, f"told after {late} s")
    m.sock.close()


def test_a_wrong_password_is_refused_in_the_same_words(world):
    words = set()
    for user in (ANN, "nobody@home.example"):
        m = imaplib.IMAP4(world.home.address, 143, timeout=30)
        try:
            m.login(user, "wrong")
            check.fail("logged in with a wrong password")
        except imaplib.IMAP4.error as e:
            words.add(str(e))
        m.shutdown()
    check.equal(len(words), 1, f"words for known and unknown {words}")
