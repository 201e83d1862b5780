"""A Cyrus IMAP of its own below one folder.

Debian's cyrus-imapd and dovecot-imapd exclude each other, so its packages are unpacked,
not installed: `packages` is a folder with cyrus-common and cyrus-imapd. Any password is
taken: logins are not what it is here for.
"""
import os
import pathlib
import pwd
import subprocess

from process import Process, wait_for_port

ADDRESS = "127.0.0.40"


class Cyrus:
    def __init__(self, folder, packages, address=ADDRESS, users=None):
        self.folder = pathlib.Path(folder)
        self.packages = pathlib.Path(packages)
        self.address = address
        self.passwords = users or {"ann@home.example": "secret-of-ann"}
        self.process = None

    def configure(self):
        root = self.folder / "root"
        root.mkdir(parents=True)
        for package in self.packages.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, root], check=True)
        self.bin = root / "usr/lib/cyrus/bin"
        libs = root / "usr/lib/x86_64-linux-gnu"
        self.env = dict(os.environ, LD_LIBRARY_PATH=f"{libs}:{root}/usr/lib",
                        CYRUS_VERBOSE="0")
        for name in ("conf/db", "conf/proc", "conf/socket", "conf/log", "conf/msg", "conf/lock",
                     "conf/ptclient", "conf/quota", "conf/user", "conf/sieve", "spool", "run"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "imapd.conf").write_text(f"""configdirectory: {self.folder}/conf
partition-default: {self.folder}/spool
defaultpartition: default
cyrus_user: nobody
cyrus_group: nogroup
servername: mail.home.example
virtdomains: userid
defaultdomain: home.example
unixhierarchysep: yes
altnamespace: yes
admins: admin
allowplaintext: yes
sasl_mech_list: PLAIN
sasl_pwcheck_method: alwaystrue
autocreate_quota: 0
lmtpsocket: {self.folder}/conf/socket/lmtp
idlesocket: {self.folder}/conf/socket/idle
notifysocket: {self.folder}/conf/socket/notify
mboxname_lockpath: {self.folder}/conf/lock
proc_path: {self.folder}/conf/proc
""")
        (self.folder / "cyrus.conf").write_text(f"""START {{
  recover cmd="{self.bin}/ctl_cyrusdb -C {self.folder}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{self.bin}/imapd -C {self.folder}/imapd.conf -U 30" listen="{self.address}:143" prefork=1
}}
EVENTS {{
}}
""")
        owner = pwd.getpwnam("nobody")
        for path in [self.folder, *self.folder.rglob("*")]:
            if root not in path.parents:
                os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)

    def start(self):
        self.configure()
        self.process = Process([self.bin / "master", "-C", self.folder / "imapd.conf", "-M",
                                self.folder / "cyrus.conf", "-p", self.folder / "run/master.pid"],
                               self.folder / "master.log", env=self.env)
        wait_for_port(self.address, 143, process=self.process)

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None
