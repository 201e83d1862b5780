"""What Postfix asks about mail: opendkim signs and checks, opendmarc checks SPF and DMARC."""
import pathlib

from process import Process, wait_for_port

ADDRESS = "127.0.0.20"
AUTHSERV_ID = "mx.peer.example"


class Milter:
    def __init__(self, folder, port):
        self.folder, self.port = pathlib.Path(folder), port
        self.process = None

    def __str__(self):
        """As Postfix names it."""
        return f"inet:{ADDRESS}:{self.port}"

    def run(self, program, conf):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "nobody").write_text("192.0.2.1\n")
        (self.folder / "conf").write_text(conf)
        self.process = Process([program, "-f", "-c" if program == "opendmarc" else "-x",
                                self.folder / "conf"], self.folder / "log")
        wait_for_port(ADDRESS, self.port, process=self.process)

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None


class OpenDkim(Milter):
    """Checks what comes in; with key = (domain, selector, file) it signs what was sent from
    `inside`."""

    def __init__(self, folder, key=None, inside=ADDRESS):
        super().__init__(folder, 8891)
        self.key, self.inside = key, inside

    def start(self):
        sign = ""
        inside = self.folder / "nobody"
        if self.key:
            domain, selector, file = self.key
            sign = f"Domain {domain}\nSelector {selector}\nKeyFile {file}\n"
            inside = self.folder / "inside"
            self.folder.mkdir(parents=True, exist_ok=True)
            inside.write_text(f"{self.inside}\n")
        self.run("opendkim", f"""Mode {"sv" if self.key else "v"}
{sign}Socket inet:{self.port}@{ADDRESS}
Nameservers 127.0.0.53
AuthservID {AUTHSERV_ID}
AlwaysAddARHeader yes
MultipleSignatures yes
RequireSafeKeys no
UserID root
Background no
PidFile {self.folder}/pid
InternalHosts {inside}
ExternalIgnoreList {self.folder}/nobody
""")


class OpenDmarc(Milter):
    """Looks up SPF itself, believes opendkim, and refuses where the policy says so."""

    def __init__(self, folder, ignored=ADDRESS):
        super().__init__(folder, 8893)
        self.ignored = ignored

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "ignored").write_text(f"{self.ignored}\n")
        self.run("opendmarc", f"""Socket inet:{self.port}@{ADDRESS}
AuthservID {AUTHSERV_ID}
TrustedAuthservIDs {AUTHSERV_ID}
IgnoreHosts {self.folder}/ignored
SPFSelfValidate true
SPFIgnoreResults true
RejectFailures true
UserID root
Background false
PidFile {self.folder}/pid
""")
