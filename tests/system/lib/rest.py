"""What the tests of the REST API share: requests as programs, browsers and strangers send them."""
import http.client
import json
import re
import socket
import ssl
import urllib.parse

import check
from appliance import insecure_tls

ANN, PEER = "ann@home.example", "pat@peer.example"
BASE = "/api/v1"
MANY = "limits: {api_requests: 100000}\n"  # these tests ask more than a program should
VERIFY = f"{BASE}/tools/verify-auth"


def begin(world):
    """The appliance with ANN's account, an owner, and a token of his in world.token."""
    world.names()
    world.appliance(retry="1h", more=MANY)
    world.home.add_admin("owner")
    world.token = world.home.json("token", "create", "tests")["token"]


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


def call(world, method, path, body=None, token=True, headers=None, raw=None, tls=True):
    home = world.home
    if tls:
        c = http.client.HTTPSConnection(home.address, 443, context=insecure_tls(), timeout=60)
    else:
        c = http.client.HTTPConnection(home.address, 8080, timeout=60)
    sent = dict(headers or {})
    if token:
        sent["Authorization"] = f"Bearer {world.token if token is True else token}"
    data = raw
    if body is not None:
        data = json.dumps(body).encode()
    if data is not None:
        sent.setdefault("Content-Type", "application/json")
    c.putrequest(method, path, skip_host="Host" in sent, skip_accept_encoding=True)
    for name, value in sent.items():
        c.putheader(name, value)
    if data is not None:
        c.putheader("Content-Length", str(len(data)))
    c.endheaders(data)
    answer = Answer(c.getresponse())
    c.close()
    return answer


def talk(world, request, tls=False, seconds=60.0):
    """Sends bytes as they are; all that comes back until the other side closes."""
    s = socket.create_connection((world.home.address, 443 if tls else 8080), timeout=seconds)
    if tls:
        s = insecure_tls().wrap_socket(s)
    got = b""
    try:
        s.sendall(request)
        while True:
            part = s.recv(65536)
            if not part:
                break
            got += part
    except (TimeoutError, ConnectionError, ssl.SSLError):
        pass
    s.close()
    return got


def statuses(answer):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d\d\d) ", answer)]


def operations(world):
    document = call(world, "GET", f"{BASE}/openapi.json", token=False).json
    for path, item in document["paths"].items():
        base = item.get("servers", [{"url": BASE}])[0]["url"].rstrip("/")
        for method, op in item.items():
            if method in ("get", "post", "put", "patch", "delete"):
                yield method.upper(), base + path, op


def filled(path):
    values = {"{domain}": "home.example", "{address}": ANN, "{name}": "owner",
              "{id}": "q_1", "{check}": "disk", "{key}": "hostname", "{policy}": "dmarc",
              "{record}": "spf"}
    for name, value in values.items():
        path = path.replace(name, value)
    return path


def asked(world, query, mail, **options):
    return call(world, "POST", f"{VERIFY}?{urllib.parse.urlencode(query)}", raw=mail,
                headers={"Content-Type": "message/rfc822"}, **options)


def check_log(world):
    """Nothing of what was asked has broken a process or forged a line."""
    log = world.home.log()
    check.true("panic" not in log, "no panic")
    check.true("role.restart" not in log, "no process was started again")
    check.true(not any(ord(c) < 32 and c != "\n" for c in log), "no control characters in the log")
