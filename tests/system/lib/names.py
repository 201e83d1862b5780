"""The name servers: nsd with the test zones, unbound as everybody's resolver."""
import pathlib
import socket
import struct
import subprocess

import check
from process import Process, wait_for_port

AUTHORITY = "127.0.0.54"
RESOLVER = "127.0.0.53"

ZONES = {
    "home.example": """
@      IN MX 10 mail
mail   IN A 127.0.0.10
""",
    "peer.example": """
@      IN MX 10 mx
mx     IN A 127.0.0.20
""",
    "odd.example": """
@          IN A 127.0.0.20
null       IN MX 0 .
onlya      IN A 127.0.0.20
twomx      IN MX 10 dead
twomx      IN MX 20 mx.peer.example.
dead       IN A 127.0.0.99
down       IN MX 10 dead
dangling   IN MX 10 nowhere
alias      IN CNAME peer.example.
loop       IN MX 10 mail.home.example.
hostile    IN MX 10 hostile-host
hostile-host IN A 127.0.0.40
""",
}

SOA = """$ORIGIN {zone}.
$TTL 60
@ IN SOA ns.{zone}. hostmaster.{zone}. {serial} 60 60 600 5
@ IN NS ns.{zone}.
ns IN A 127.0.0.54
"""


def is_answered(address, zone):
    """Does it know this zone?"""
    name = b"".join(bytes([len(part)]) + part.encode() for part in zone.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        try:
            s.sendto(struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + name + struct.pack(">BHH", 0, 6, 1),
                     (address, 53))
            return s.recv(512)[3] & 15 == 0
        except OSError:
            return False


class Names:
    def __init__(self, folder, keep_s=1):
        """keep_s: how long the resolver keeps answers; tests change zones all the time."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.keep_s = keep_s
        self.zones = dict(ZONES)
        self.signed = []  # of the zones: signed by DNSSEC, which the resolver checks
        self.serial = 1
        self.nsd = self.unbound = None

    def write_zones(self):
        for zone, text in self.zones.items():
            head = SOA.format(zone=zone, serial=self.serial)
            (self.folder / f"{zone}.zone").write_text(head + text)
        for zone in self.signed:
            self.sign(zone)
        self.serial += 1

    def sign(self, zone):
        """With one key, which the resolver trusts."""
        key = self.folder / f"{zone}.key-name"
        if not key.exists():
            made = subprocess.run(["ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone],
                                  cwd=self.folder, check=True, capture_output=True, text=True)
            key.write_text(made.stdout.strip())
        subprocess.run(["ldns-signzone", "-o", zone, "-f", f"{zone}.signed", f"{zone}.zone",
                        key.read_text()], cwd=self.folder, check=True, capture_output=True)

    def zone_file(self, zone):
        return self.folder / (f"{zone}.signed" if zone in self.signed else f"{zone}.zone")

    def anchors(self):
        return "".join(f'  trust-anchor-file: "{self.folder}/{(self.folder / (z + ".key-name")).read_text()}.key"\n'
                       for z in self.signed)

    def start(self):
        self.write_zones()
        zones = "".join(f"zone:\n  name: {z}\n  zonefile: {self.zone_file(z)}\n"
                        for z in self.zones)
        (self.folder / "nsd.conf").write_text(f"""server:
  ip-address: {AUTHORITY}
  username: ""
  chroot: ""
  zonesdir: "{self.folder}"
  database: ""
  pidfile: "{self.folder}/nsd.pid"
  xfrdfile: "{self.folder}/xfrd.state"
  zonelistfile: "{self.folder}/zone.list"
  xfrdir: "{self.folder}"
  server-count: 1
  verbosity: 1
remote-control:
  control-enable: no
{zones}""")
        stubs = "".join(f'stub-zone:\n  name: "{z}"\n  stub-addr: {AUTHORITY}\n'
                        for z in self.zones)
        (self.folder / "unbound.conf").write_text(f"""server:
  interface: {RESOLVER}
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  username: ""
  chroot: ""
  directory: "{self.folder}"
  pidfile: "{self.folder}/unbound.pid"
  use-syslog: no
  logfile: ""
  module-config: "{'validator ' if self.signed else ''}iterator"
{self.anchors()}  do-ip6: no
  num-threads: 1
  cache-max-ttl: {self.keep_s}
  cache-max-negative-ttl: {self.keep_s}
  local-zone: "example." transparent
  local-zone: "127.in-addr.arpa." nodefault
remote-control:
  control-enable: no
{stubs}""")
        self.nsd = self.serve("nsd", AUTHORITY)
        self.until_it_answers(AUTHORITY)
        self.unbound = self.serve("unbound", RESOLVER)
        self.until_it_answers(RESOLVER)

    def until_it_answers(self, address):
        """Its port is open before it serves; and a resolver that had no answer remembers that."""
        check.until(lambda: is_answered(address, next(iter(self.zones))), f"{address} answers")

    def serve(self, program, address, tries=3):
        """One that ends at its start says why in the log, and is started again: it is not what
        is tested here."""
        command = [program, "-d", "-c", self.folder / f"{program}.conf"]
        while True:
            process = Process(command, self.folder / f"{program}.log")
            try:
                wait_for_port(address, 53, process=process)
                return process
            except RuntimeError as error:
                process.stop()
                tries -= 1
                if not tries:
                    raise
                print(f"started again: {error}")

    def change(self, zone, text):
        """New content for a zone, served at once."""
        self.zones[zone] = text
        self.stop()
        self.start()

    def publish_keys(self, appliance):
        """Those that sign for its domain; they go to work then."""
        domain = appliance.domain

        def keys():
            return appliance.json("domain", "dkim", "list", domain)["items"]
        check.until(lambda: len(keys()) == 2, "a pair of keys")
        rows = "".join(f'{k["record"]["relative"]} IN TXT {k["record"]["master"]}\n' for k in keys())
        self.change(domain, self.zones[domain] + rows)
        appliance.run("domain", "dns", domain, "--check")
        check.until(lambda: all(k["state"] == "active" for k in keys()), "both active")

    def stop(self):
        for p in (self.unbound, self.nsd):
            if p:
                p.stop()
        self.nsd = self.unbound = None
