"""The REST API as a stranger, a program and a browser meet it: every operation of the
document with and without credentials, hostile framing and bodies, sessions, lists, the
queue in bulk, and the live stream."""
import concurrent.futures
import contextlib
import gzip
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import ssl
import time
import urllib.parse

import check
from appliance import PATIENCE, insecure_tls
from world import message

MTA_STS = "/.well-known/mta-sts.txt"
ANN, PEER = "ann@home.example", "pat@peer.example"
BASE = "/api/v1"
JUDGED = """
@       IN TXT "v=spf1 ip4:127.0.0.20 -all"
_dmarc  IN TXT "v=DMARC1; p=reject"
"""
MANY = "limits: {api_requests: 100000}\n"  # these tests ask more than a program should


def setup(world):
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


def test_every_operation_refuses_strangers(world):
    count = 0
    false = [
        {}, {"Authorization": "Bearer "}, {"Authorization": "Bearer mst_0_0"},
        {"Authorization": "Bearer " + world.token[:-1] + ("0" if world.token[-1] != "0" else "1")},
        {"Authorization": "Bearer " + world.token[:20]},
        {"Authorization": "Basic b3duZXI6b3duZXI="}, {"Authorization": world.token},
        {"Cookie": "mailstead_plain=AAAA"}, {"Cookie": "__Host-mailstead=; mailstead_plain=x"},
        {"X-Forwarded-User": "owner", "X-Forwarded-For": "127.0.0.1"},
    ]
    for method, path, op in operations(world):
        if op["x-scope"] == "none":
            continue
        for headers in false:
            body = {} if "requestBody" in op else None
            a = call(world, method, filled(path), body, token=False, headers=headers, tls=False)
            count += 1
            if a.status != 401:
                check.fail(f"{method} {path} with {headers}: {a.status}")
    check.true(count > 300, f"{count} requests")
    a = call(world, "GET", f"{BASE}/domains?access_token={world.token}", token=False)
    check.equal(a.status, 401, "a token in the address")


def test_spellings_and_methods_open_nothing(world):
    for path in ("/api/v1/domains/", "/api/v1//domains", "//api/v1/domains", "/API/V1/domains",
                 "/api/v1/./domains", "/api/v1/x/../domains", "/api/v1/domains%2f", "/api/v2/domains",
                 "/api/v1/domains;a=b", "/api/v1/domains.json", "/api/v1/%64omains", "/api/v1",
                 "/api/v1/domains%00", "/api", "/api/"):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "FOO"):
            a = call(world, method, path, token=False, tls=False)
            if a.status not in (401, 403, 404):
                check.fail(f"{method} {path}: {a.status}")
    a = call(world, "CONNECT", f"{BASE}/domains", token=False)
    check.equal(a.status, 401, "CONNECT")


def test_every_reading_operation_answers(world):
    for method, path, op in operations(world):
        if method != "GET" or path == f"{BASE}/events" or "{id}" in path:
            continue
        full = filled(path) + ("?address=" + ANN if path.endswith("/resolve") else "")
        if path.startswith(("/mail/", "/.well-known/autoconfig/")):
            full += "?emailaddress=" + ANN
        if path in (f"{BASE}/aliases/{{address}}", f"{BASE}/session", MTA_STS,
                    f"{BASE}/tls-policies/{{domain}}"):
            continue  # nothing is there yet
        a = call(world, "GET", full)
        check.equal(a.status, 200, full)
        check.equal(a.headers["X-Content-Type-Options"], "nosniff", f"nosniff {full}")
        check.true("frame-ancestors 'none'" in a.headers["Content-Security-Policy"], f"CSP {full}")
        check.equal(a.headers["Access-Control-Allow-Origin"], None, f"CORS {full}")
        head = call(world, "HEAD", full)
        check.equal(head.status, 200, f"HEAD {full}")
        check.equal(head.body, b"", f"HEAD {full}")


def test_methods(world):
    a = call(world, "PUT", f"{BASE}/domains", {})
    check.equal(a.status, 405, "PUT on a list")
    check.equal(a.headers["Allow"], "GET, HEAD, POST, OPTIONS", "Allow")
    a = call(world, "OPTIONS", f"{BASE}/domains")
    check.equal(a.status, 204, "OPTIONS")
    check.equal(a.json if a.body else None, None, "OPTIONS has no body")
    check.equal(call(world, "GET", f"{BASE}/nothing").status, 404, "unknown")


def test_domains_live_and_die(world):
    a = call(world, "POST", f"{BASE}/domains?dry_run=true", {"name": "new.example"})
    check.equal((a.status, a.json["dry_run"]), (200, True), "dry run")
    check.equal(call(world, "GET", f"{BASE}/domains/new.example").status, 404, "dry run made nothing")
    a = call(world, "POST", f"{BASE}/domains", {"name": "New.Example"})
    check.equal((a.status, a.json["name"]), (201, "new.example"), "made")
    check.equal(a.headers["Location"], f"{BASE}/domains/new.example", "Location")
    a2 = call(world, "POST", f"{BASE}/domains", {"name": "new.example"})
    check.equal((a2.status, a2.json["code"], a2.json["id"]), (409, "already_exists", a.json["id"]), "twice")
    check.equal(call(world, "GET", f"{BASE}/domains/{a.json['id']}").json["name"], "new.example", "by id")
    check.equal(call(world, "PATCH", f"{BASE}/domains/new.example", {"state": "disabled"}).status, 428,
                "without If-Match")
    b = call(world, "PATCH", f"{BASE}/domains/new.example", {"state": "disabled"},
             headers={"If-Match": a.json["etag"]})
    check.equal((b.status, b.json["state"]), (200, "disabled"), "changed")
    c = call(world, "PATCH", f"{BASE}/domains/new.example", {"state": "active"},
             headers={"If-Match": a.json["etag"]})
    check.equal((c.status, c.json["code"]), (412, "etag_mismatch"), "stale")
    for tag in ("W/" + b.json["etag"], "x", '"0.0"', '""'):
        c = call(world, "PATCH", f"{BASE}/domains/new.example", {}, headers={"If-Match": tag})
        check.equal(c.status, 412, f"If-Match {tag}")
    check.equal(call(world, "PUT", f"{BASE}/domains/put.example", {}).status, 201, "PUT makes")
    d = call(world, "DELETE", f"{BASE}/domains/put.example")
    check.equal((d.status, d.body), (204, b""), "removed")
    check.equal(call(world, "DELETE", f"{BASE}/domains/put.example").status, 204, "twice is fine")
    check.equal(call(world, "DELETE", f"{BASE}/domains/home.example").status, 409, "not with accounts")
    idn = call(world, "POST", f"{BASE}/domains", {"name": "bücher.example"})
    check.equal((idn.status, idn.json["name"], idn.json["name_unicode"]),
                (201, "xn--bcher-kva.example", "bücher.example"), "IDN")
    for name in ("", "a b.example", "-a.example", "a..example", "example", "a" * 64 + ".example",
                 "x@y.example", "a.example/", "a.example\u0000", "[127.0.0.1]"):
        e = call(world, "POST", f"{BASE}/domains", {"name": name})
        check.true(e.status in (400, 422), f"{name!r}: {e.status}")


def test_accounts_live_and_die(world):
    password = "correct horse"
    for body, pointer in (({"address": "new@home.example"}, "/password"),
                          ({"password": password}, "/address"),
                          ({"address": "new@home.example", "password": "short"}, "/password"),
                          ({"address": "new@home.example", "password": password, "x": 1}, "/x"),
                          ({"address": "new@home.example", "password": password, "quota_bytes": -1},
                           "/quota_bytes"),
                          ({"address": "new@home.example", "password": password, "quota_bytes": "1"},
                           "/quota_bytes"),
                          ({"address": "new@nowhere.example", "password": password}, "/address"),
                          ({"address": "b%00d@home.example", "password": password}, "/address"),
                          ({"address": "ä@home.example", "password": password}, "/address")):
        a = call(world, "POST", f"{BASE}/accounts", body)
        check.equal((a.status, a.json["code"], a.json["errors"][0]["pointer"]),
                    (422, "validation_failed", pointer), str(body))
    a = call(world, "POST", f"{BASE}/accounts",
             {"address": "New@Home.example", "password": password, "name": "N", "quota_bytes": 1000000})
    check.equal((a.status, a.json["address"], a.json["quota_bytes"]),
                (201, "new@home.example", 1000000), "made")
    check.equal(call(world, "PATCH", f"{BASE}/accounts/new@home.example", {"quota_bytes": None})
                .json["quota_bytes"], None, "no quota")
    check.equal(call(world, "PUT", f"{BASE}/accounts/new%40home.example", {"name": "M"}).json["name"],
                "M", "PUT")
    world.home.passwords["new@home.example"] = "another horse"
    check.equal(call(world, "POST", f"{BASE}/accounts/new@home.example/password",
                     {"password": "another horse"}).status, 204, "password")
    world.home.imap("new@home.example").logout()
    usage = call(world, "GET", f"{BASE}/accounts/new@home.example/usage").json
    check.true("INBOX" in [m["name"] for m in usage["mailboxes"]], "usage")
    call(world, "PATCH", f"{BASE}/accounts/new@home.example", {"state": "disabled"})
    try:
        world.home.imap("new@home.example")
        check.fail("a disabled account logs in")
    except Exception:  # imaplib's error, whichever way the server says no
        pass
    check.equal(call(world, "DELETE", f"{BASE}/accounts/new@home.example").status, 204, "removed")
    check.equal(call(world, "GET", f"{BASE}/accounts/new@home.example").status, 404, "gone")
    check.equal(call(world, "PATCH", f"{BASE}/accounts/new@home.example", {}).status, 404, "gone")


def test_aliases_and_where_they_lead(world):
    a = call(world, "POST", f"{BASE}/aliases", {"address": "sales@home.example",
                                               "targets": [ANN, "x@far.example"]})
    check.equal((a.status, a.json["kind"], a.json["targets"]),
                (201, "alias", [ANN, "x@far.example"]), "made")
    found = call(world, "GET", f"{BASE}/resolve?address=sales@home.example").json
    check.equal(found["verdict"], "accepted", "resolves")
    check.equal(sorted(r["kind"] for r in found["recipients"]), ["account", "external"], "ends")
    check.equal([c["kind"] for c in found["tree"]["children"]], ["account", "external"], "tree")
    found = call(world, "GET", f"{BASE}/resolve?address=ann%2Bshop@home.example").json
    check.equal((found["verdict"], found["tree"]["kind"]), ("accepted", "detail"), "detail")
    found = call(world, "GET", f"{BASE}/resolve?address=nobody@home.example").json
    check.equal((found["verdict"], found["reason"]), ("refused", "no_such_user"), "nobody")
    a = call(world, "POST", f"{BASE}/aliases", {"address": "*@home.example", "targets": [ANN]})
    check.equal((a.status, a.json["kind"]), (201, "catch_all"), "catch-all")
    check.equal(call(world, "GET", f"{BASE}/domains/home.example").json["catch_all"], [ANN], "of the domain")
    found = call(world, "GET", f"{BASE}/resolve?address=nobody@home.example").json
    check.equal((found["verdict"], found["tree"]["kind"]), ("accepted", "catch_all"), "caught")
    check.equal(call(world, "DELETE", f"{BASE}/aliases/*@home.example").status, 204, "removed")
    check.equal(call(world, "POST", f"{BASE}/aliases", {"address": ANN, "targets": [PEER]}).status, 409,
                "an account has it")
    check.equal(call(world, "PATCH", f"{BASE}/aliases/sales@home.example", {"targets": []}).status, 422,
                "no targets")


def test_what_is_gone_is_gone(world):
    """DELETE of what is not there is done already, whatever it is; of a part of nothing it is not."""
    key = call(world, "POST", f"{BASE}/domains/home.example/dkim-keys", {"algorithm": "ed25519"}).json["selector"]
    for path in (f"domains/home.example/dkim-keys/{key}", "domains/gone.example", "accounts/gone@home.example",
                 "aliases/gone@home.example", "admins/gone", "tokens/tok_999999", "queue/q_999999"):
        for turn in ("first", "again"):
            a = call(world, "DELETE", f"{BASE}/{path}")
            check.equal((a.status, a.body), (204, b""), f"{turn}: {path}")
    a = call(world, "DELETE", f"{BASE}/domains/gone.example/dkim-keys/{key}")
    check.equal((a.status, a.json["code"]), (404, "not_found"), "of a domain that is not there")


def test_tokens_hold_no_more_than_their_maker(world):
    a = call(world, "POST", f"{BASE}/tokens", {"name": "reader", "scopes": ["domains:read", "tokens:write"]})
    check.equal(a.status, 201, "made")
    narrow = a.json["token"]
    check.true("token" not in call(world, "GET", f"{BASE}/tokens/{a.json['id']}").json, "shown once")
    check.equal(call(world, "GET", f"{BASE}/domains", token=narrow).status, 200, "may read")
    b = call(world, "POST", f"{BASE}/domains", {"name": "x.example"}, token=narrow)
    check.equal((b.status, b.json["code"], b.json["scope"]), (403, "forbidden_scope", "domains:write"), "may not")
    b = call(world, "POST", f"{BASE}/tokens", {"name": "wider", "scopes": ["accounts:read"]}, token=narrow)
    check.equal(b.status, 403, "wider scope")
    b = call(world, "POST", f"{BASE}/tokens", {"name": "longer", "scopes": ["domains:read"],
                                              "expires_at": None}, token=narrow)
    check.equal(b.status, 403, "longer life")
    limited = call(world, "POST", f"{BASE}/tokens", {"name": "one", "scopes": ["domains:write", "accounts:write"],
                                                    "domains": ["home.example"]}).json["token"]
    names = [d["name"] for d in call(world, "GET", f"{BASE}/domains", token=limited).json["items"]]
    check.equal(names, ["home.example"], "only its domain")
    check.equal(call(world, "GET", f"{BASE}/domains/new.example", token=limited).status, 404, "others are not")
    check.equal(call(world, "POST", f"{BASE}/domains", {"name": "q.example"}, token=limited).status, 403,
                "makes no others")
    check.equal(call(world, "GET", f"{BASE}/health", token=limited).status, 403, "nothing global")
    for scope in ("nonsense", "domains:*", "*", ""):
        check.equal(call(world, "POST", f"{BASE}/tokens", {"name": "n", "scopes": [scope]}).status, 422, scope)
    check.equal(call(world, "DELETE", f"{BASE}/tokens/{a.json['id']}").status, 204, "revoked")
    check.equal(call(world, "GET", f"{BASE}/domains", token=narrow).status, 401, "at once")
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))
    a = call(world, "POST", f"{BASE}/tokens", {"name": "brief", "scopes": ["domains:read"], "expires_at": soon})
    check.until(lambda: call(world, "GET", f"{BASE}/domains", token=a.json["token"]).json.get("code")
                == "token_expired", "expires")


def test_bodies_that_are_none(world):
    bad = {
        "nothing": b"", "text": b"hello", "array": b"[]", "string": b'"a"', "open": b'{"a":',
        "deep": b'{"a":' + b"[" * 100000 + b"]" * 100000 + b"}", "bad UTF-8": b'{"name":"\xff"}',
        "NUL": b'{"name":"\\u0000"}', "raw NUL": b'{"name":"\x00"}', "lone surrogate": b'{"name":"\\ud800"}',
        "twice": b'{"name":"a.example","name":"b.example"}', "comment": b'{/**/"name":"a"}',
        "trailing": b'{"name":"a.example"}x', "huge number": b'{"name":1e999}', "NaN": b'{"name":NaN}',
        "BOM": b'\xef\xbb\xbf{"name":"a.example"}', "UTF-16": '{"name":"a"}'.encode("utf-16"),
    }
    for what, raw in bad.items():
        begin = time.monotonic()
        a = call(world, "POST", f"{BASE}/domains", raw=raw)
        check.true(a.status in (400, 415), f"{what}: {a.status}")
        check.true(time.monotonic() - begin < 15 * PATIENCE, f"{what} in time")
        check.equal(a.headers["Content-Type"], "application/problem+json", what)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        a = call(world, "POST", f"{BASE}/domains", raw=b'{"name":"a.example"}', headers={"Content-Type": kind})
        check.equal(a.status, 415, kind)
    a = call(world, "POST", f"{BASE}/domains", raw=b"{}", headers={"Content-Encoding": "gzip"})
    check.equal(a.status, 415, "compressed")
    a = call(world, "GET", f"{BASE}/domains?nonsense=1")
    check.equal((a.status, a.json["errors"][0]["pointer"]), (422, "?nonsense"), "unknown parameter")


def test_framing_has_one_meaning(world):
    host = b"Host: 127.0.0.10\r\n"
    two = b"GET /healthz HTTP/1.1\r\n" + host + b"\r\n"
    bad = {
        "two lengths": b"POST /healthz HTTP/1.1\r\n" + host + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "length and chunks": b"POST /healthz HTTP/1.1\r\n" + host + b"Content-Length: 3\r\nTransfer-Encoding: chunked"
                             b"\r\n\r\n0\r\n\r\n",
        "two hosts": b"GET /healthz HTTP/1.1\r\n" + host + host + b"\r\n",
        "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
        "length overflow": b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 18446744073709551617\r\n\r\n",
        "length 10^12": b"POST /api/v1/session HTTP/1.1\r\n" + host + b"Content-Length: 1000000000000\r\n\r\n",
        "negative length": b"POST / HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n",
        "bad chunk": b"POST /api/v1/session HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "endless chunks": b"POST /api/v1/session HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n" + b"ffff\r\n" + b"x" * 65535 + b"\r\n"
                          + (b"ffff\r\n" + b"x" * 65535 + b"\r\n") * 40,
        "folded": b"GET /healthz HTTP/1.1\r\n" + host + b"A: b\r\n c\r\n\r\n",
        "space before colon": b"GET /healthz HTTP/1.1\r\nHost : 127.0.0.10\r\n\r\n",
        "bare LF": b"GET /healthz HTTP/1.1\nHost: 127.0.0.10\n\n",
        "NUL": b"GET /healthz HTTP/1.1\r\n" + host + b"A: \x00\r\n\r\n",
        "long target": b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\n" + host + b"\r\n",
        "long field": b"GET / HTTP/1.1\r\n" + host + b"A: " + b"a" * (1 << 20) + b"\r\n\r\n",
        "many fields": b"GET / HTTP/1.1\r\n" + host + b"A: b\r\n" * 100000 + b"\r\n",
        "HTTP/0.9": b"GET /\r\n\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "absolute": b"GET http://127.0.0.10/healthz HTTP/1.1\r\n" + host + b"\r\n",
        "another expectation": b"GET /healthz HTTP/1.1\r\n" + host + b"Expect: wonders\r\n\r\n",
        "SMTP": b"EHLO x\r\nMAIL FROM:<a@b>\r\n\r\n",
    }
    for what, request in bad.items():
        got = talk(world, request + two)
        codes = statuses(got)
        if len(codes) != 1 or not 400 <= codes[0] <= 505:
            check.fail(f"{what}: {codes}")
    got = talk(world, two * 3 + b"GET /healthz HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
    check.equal(statuses(got), [200] * 4, "pipelined")
    got = talk(world, two + b"GET bad\r\n\r\n")
    check.equal(statuses(got), [200, 400], "a bad one behind a good one")
    check.equal(call(world, "GET", "/healthz", token=False).status, 200, "still there")


def test_a_request_in_drops_stops_nobody(world):
    """Framing that is cut anywhere waits for the rest; others are served meanwhile."""
    body = b"2\r\n{}\r\n0\r\n\r\n"
    request = (b"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.10\r\nContent-Type: application/json\r\n"
               b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    whole = statuses(talk(world, request))
    check.equal(len(whole), 1, "answers to the whole")
    s = socket.create_connection((world.home.address, 8080), timeout=10)
    for i, byte in enumerate(request):
        s.sendall(bytes([byte]))
        if i < len(request) - len(body) - 4:
            continue
        if i == len(request) - 1:
            break
        other = talk(world, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.10\r\nConnection: close\r\n\r\n")
        if not check.equal(statuses(other), [200], f"another, with {request[:i + 1][-10:]!r} sent"):
            break
    got = b""
    while part := s.recv(65536):
        got += part
    s.close()
    check.equal(statuses(got), whole, "answers to the drops")


def test_uploads_to_a_busy_daemon(world):
    """Bodies that come faster than they are read, many at a time: none is forgotten."""
    head = (b"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.10\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n")
    request = head + (b"ffff\r\n" + b"x" * 65535 + b"\r\n") * 41
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for got in pool.map(lambda _: talk(world, request), range(200)):
            codes = statuses(got)
            if not check.true(len(codes) == 1 and 400 <= codes[0] < 500, f"one refusal: {codes}"):
                break


def test_hosts_that_are_not_ours(world):
    for name, status in (("127.0.0.10", 200), ("127.0.0.10:8080", 200), ("mail.home.example", 200),
                         ("MAIL.home.example:443", 200), ("localhost", 200), ("evil.example", 421),
                         ("127.0.0.10.evil.example", 421), ("192.0.2.1", 421), ("mail.home.example.", 421)):
        a = call(world, "GET", "/healthz", token=False, headers={"Host": name})
        check.equal(a.status, status, name)


def web_mib(world):
    """Memory of the web process."""
    pids = [pid for name, pids in world.home.workers().items() if name.startswith("web") for pid in pids]
    return sum(int(line.split()[1]) for pid in pids
               for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
               if line.startswith("Pss:")) / 1024


def test_range_bombs(world):
    """RFC 9110 14.2 lets a server pass Range over: a thousand overlapping ones are no thousand copies."""
    page = call(world, "GET", "/", token=False)
    ranges = {"overlapping": ",".join(f"{n}-" for n in range(1000)), "the same": ",".join(["0-"] * 1300),
              "the ends": ",".join(f"-{n}" for n in range(1, 1000)), "numbers": "0-18446744073709551616",
              "backwards": "9-1,5-0,1--1", "no unit": ""}
    before = web_mib(world)

    def ask(what):
        return what, call(world, "GET", "/" if len(what) % 2 else f"{BASE}/domains", token=len(what) % 2 == 0,
                          headers={"Range": "bytes=" + ranges[what], "If-Range": page.headers.get("ETag") or '"x"'})
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for what, a in pool.map(ask, list(ranges) * 20):
            if not check.true(a.status in (200, page.status, 416, 431) and len(a.body) <= len(page.body) + 65536,
                              f"{what}: {a.status}, {len(a.body)} bytes"):
                break
    check.true(web_mib(world) - before < 96, f"memory of the web process: {web_mib(world) - before:.0f} MiB more")
    check.equal(call(world, "GET", "/healthz", token=False).status, 200, "still there")


def test_files_and_nothing_else(world):
    page = call(world, "GET", "/", token=False)
    if page.status == 200:
        check.true(b"<!doctype html>" in page.body, "the page")
        check.true("script-src 'self'" in page.headers["Content-Security-Policy"], "its policy")
        again = call(world, "GET", "/", token=False, headers={"If-None-Match": page.headers["ETag"]})
        check.equal((again.status, again.body), (304, b""), "unchanged")
        zipped = call(world, "GET", "/", token=False, headers={"Accept-Encoding": "gzip"})
        check.equal(zipped.headers["Content-Encoding"], "gzip", "compressed")
    for path in ("/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/....//etc/passwd",
                 "/.//etc/passwd", "/etc/passwd", "/index.html%00.js", "/index.html/", "/%2f/etc/passwd",
                 "/..;/etc/passwd", "/webui/index.html", "/.git/config", "/index.html.gz", "/main.c", "/~root",
                 "/%c0%ae%c0%ae/etc/passwd", "/..%5c..%5cetc", "/?../../etc/passwd=1&x", "/.", "/..", "/%2e"):
        got = talk(world, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.10\r\nConnection: close\r\n\r\n".encode())
        check.true(b"root:" not in got and b"[core]" not in got, path)
        codes = statuses(got)
        check.true(codes in ([404], [400]) or (codes == [200] and path.startswith("/?")), f"{path}: {codes}")
    got = talk(world, b"GET /x%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: 127.0.0.10\r\nConnection: close\r\n\r\n")
    check.true(b"\r\nSet-Cookie: a" not in got, "no header is made of a path")
    got = talk(world, b"GET /%3Cscript%3Ealert(1)%3C/script%3E HTTP/1.1\r\nHost: 127.0.0.10\r\n"
                      b"Connection: close\r\n\r\n")
    check.true(b"<script>" not in got, "nothing is reflected as HTML")


def test_nothing_there_in_a_browser(world):
    html = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path in ("/nowhere", "/nowhere/<b>", "/queue.html"):
        page = call(world, "GET", urllib.parse.quote(path), token=False, headers=html)
        check.equal(page.status, 404, path)
        check.true(page.headers["Content-Type"].startswith("text/html"), f"{path}: a page")
        check.true(b"<!doctype html>" in page.body and b"<b>" not in page.body, f"{path}: the dashboard")
        check.true("script-src 'self'" in page.headers["Content-Security-Policy"], f"{path}: its policy")
        again = call(world, "GET", urllib.parse.quote(path), token=False,
                     headers=dict(html, **{"If-None-Match": page.headers["ETag"]}))
        check.equal(again.status, 404, f"{path}: still not there")
        asked = call(world, "GET", urllib.parse.quote(path), token=False)
        check.equal((asked.status, asked.headers["Content-Type"]), (404, "application/problem+json"),
                    f"{path}: for programs")
    for path in (f"{BASE}/nowhere", "/api/v2/domains"):
        got = call(world, "GET", path, headers=html)
        check.equal((got.status, got.headers["Content-Type"]), (404, "application/problem+json"), path)
    check.equal(call(world, "POST", "/nowhere", {}, token=False, headers=html).status, 404, "POST")


def sign_in(world, password=None, headers=None):
    return call(world, "POST", f"{BASE}/session",
                {"name": "owner", "password": password or world.home.passwords["owner"]}, token=False,
                headers=headers)


def test_sessions(world):
    a = sign_in(world)
    check.equal(a.status, 201, "signed in")
    cookie = a.headers["Set-Cookie"]
    for part in ("__Host-mailstead=", "HttpOnly", "Secure", "SameSite=Strict", "Path=/"):
        check.contains(cookie, part, "cookie")
    pair = cookie.split(";")[0]
    token = a.json["csrf_token"]
    mine = {"Cookie": pair}
    check.equal(call(world, "GET", f"{BASE}/session", token=False, headers=mine).json["csrf_token"], token,
                "the session")
    body = {"name": "csrf.example"}
    for what, extra in (("no token", {}), ("a wrong token", {"X-CSRF-Token": "x" * len(token)}),
                        ("an empty token", {"X-CSRF-Token": ""}),
                        ("another site", {"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"}),
                        ("the same site only", {"X-CSRF-Token": token, "Sec-Fetch-Site": "same-site"}),
                        ("another origin", {"X-CSRF-Token": token, "Origin": "https://evil.example"}),
                        ("no origin", {"X-CSRF-Token": token, "Origin": "null"}),
                        ("a plain origin", {"X-CSRF-Token": token, "Origin": "http://127.0.0.10"})):
        b = call(world, "POST", f"{BASE}/domains", body, token=False, headers={**mine, **extra})
        check.equal((b.status, b.json["code"]), (403, "csrf_failed"), what)
    good = {**mine, "X-CSRF-Token": token, "Sec-Fetch-Site": "same-origin", "Origin": "https://127.0.0.10"}
    check.equal(call(world, "POST", f"{BASE}/domains", body, token=False, headers=good).status, 201, "ours")
    check.equal(call(world, "GET", f"{BASE}/session", token=False,
                     headers={"Cookie": pair + "; " + pair}).status, 401, "two cookies")
    b = call(world, "POST", f"{BASE}/session", {"name": "owner", "password": world.home.passwords["owner"]},
             token=False, headers=mine)
    check.true(b.headers["Set-Cookie"].split(";")[0] != pair, "a new secret at each sign-in")
    b = sign_in(world, headers={"Sec-Fetch-Site": "cross-site"})
    check.equal(b.status, 403, "signing in from another site")
    check.equal(call(world, "DELETE", f"{BASE}/session", token=False, headers=good).status, 204, "signed out")
    check.equal(call(world, "GET", f"{BASE}/session", token=False, headers=mine).status, 401, "on the server, too")
    wrong = sign_in(world, "not the password")
    check.equal((wrong.status, wrong.json["code"]), (401, "unauthenticated"), "a wrong password")
    nobody = call(world, "POST", f"{BASE}/session", {"name": "nobody", "password": "not the password"},
                  token=False)
    check.equal((nobody.status, nobody.json["detail"]), (401, wrong.json["detail"]), "a wrong name sounds the same")


def test_answers_get_smaller(world):
    path = f"{BASE}/settings"
    plain = call(world, "GET", path)
    check.equal(plain.headers.get("Content-Encoding"), None, "as asked")
    check.equal(plain.headers.get("Vary"), "Accept-Encoding", "says that it depends")
    packed = call(world, "GET", path, headers={"Accept-Encoding": "br, gzip;q=0.5"})
    check.equal(packed.headers.get("Content-Encoding"), "gzip", "packed")
    check.equal(gzip.decompress(packed.body), plain.body, "the same")
    check.true(len(packed.body) < len(plain.body) // 2, f"smaller: {len(packed.body)}")
    check.true(packed.headers["ETag"] != plain.headers["ETag"], "another tag")
    for tag in (packed.headers["ETag"], plain.headers["ETag"]):
        a = call(world, "GET", path, headers={"Accept-Encoding": "gzip", "If-None-Match": tag})
        check.equal((a.status, a.body), (304, b""), f"unchanged: {tag}")
    for no in ("identity", "gzip;q=0", "gzip; q=0.000", "br"):
        a = call(world, "GET", path, headers={"Accept-Encoding": no})
        check.equal(a.headers.get("Content-Encoding"), None, no)
    a = call(world, "GET", f"{BASE}/session", headers={"Accept-Encoding": "gzip"})
    check.equal(a.headers.get("Content-Encoding"), None, "nothing with a secret")
    # The tag of a packed answer is good for an edit.
    a = call(world, "GET", f"{BASE}/domains/home.example", headers={"Accept-Encoding": "gzip"})
    b = call(world, "PATCH", f"{BASE}/domains/home.example", {"state": "active"},
             headers={"If-Match": a.headers["ETag"]})
    check.equal(b.status, 200, "If-Match")


def test_only_some_fields(world):
    for path, names in (("domains", "name,state"), ("accounts", "address"), ("admins", "role,name"),
                        ("tokens", "name,scopes,expires_at"), ("aliases", "address,targets"),
                        ("queue", "to,state"), ("traces", "id,reason")):
        whole = call(world, "GET", f"{BASE}/{path}").json
        some = call(world, "GET", f"{BASE}/{path}?fields={names}")
        check.equal(some.status, 200, f"{path}: {some.body[:200]}")
        want = [{n: item[n] for n in names.split(",")} for item in whole["items"]]
        check.equal(some.json["items"], want, path)
        check.equal(some.json["prev"], None, "what is no item stays")
    a = call(world, "GET", f"{BASE}/domains?fields=name,nonsense")
    check.equal((a.status, a.json["errors"][0]["pointer"]), (422, "?fields"), "no such field")
    a = call(world, "GET", f"{BASE}/domains?limit=1&fields=name")
    check.equal(call(world, "GET", f"{BASE}/domains/home.example?fields=name").status, 422, "of lists only")
    for bad in ("", "a" * 600, "name,,state", ","):
        check.equal(call(world, "GET", f"{BASE}/domains?fields={bad}").status, 422, f"{bad[:9]!r}")


def rate(answer):
    return int(re.search(r"r=(\d+)", answer.headers["RateLimit"]).group(1))


def seconds_left(answer):
    """Of the minute."""
    return int(re.search(r"t=(\d+)", answer.headers["RateLimit"]).group(1))


def keyed(world, key, method, path, body=None, **more):
    return call(world, method, f"{BASE}/{path}", body, headers=dict(more.pop("headers", {}), **{
        "Idempotency-Key": key}), **more)


def test_a_request_may_come_again(world):
    make = ("POST", "aliases", {"address": "again@home.example", "targets": [ANN]})
    first = keyed(world, '"one"', *make)
    check.equal(first.status, 201, f"made: {first.body}")
    check.equal(first.headers.get("Idempotent-Replayed"), None, "the first")
    again = keyed(world, "one", *make)
    check.equal((again.status, again.body), (201, first.body), "the same answer")
    for name in ("Idempotent-Replayed", "ETag", "Location", "Content-Type"):
        check.equal(again.headers.get(name), "true" if name[0] == "I" else first.headers.get(name), name)
    check.equal(call(world, "POST", f"{BASE}/aliases", make[2]).status, 409, "without a key it is there already")
    other = keyed(world, "one", "POST", "aliases", dict(make[2], address="other@home.example"))
    check.equal((other.status, other.json["code"]), (422, "idempotency_key_reused"), "another body")
    check.equal(keyed(world, "one", "DELETE", "aliases/again@home.example").status, 422, "another operation")
    # A refusal is an answer as well, and stays one.
    refused = keyed(world, "two", *make)
    check.equal(refused.status, 409, "exists")
    check.equal(keyed(world, "three", "DELETE", "aliases/again@home.example").status, 204, "removed")
    check.equal(keyed(world, "two", *make).body, refused.body, "the first answer, whatever is now")
    check.equal(keyed(world, "three", "DELETE", "aliases/again@home.example").status, 204, "replayed")
    for bad in ("", "x" * 300, "caf\u00e9".encode().decode("latin-1")):
        check.equal(keyed(world, bad, *make).status, 201 if not bad else 400, f"{bad[:9]!r}")
        call(world, "DELETE", f"{BASE}/aliases/again@home.example")
    check.equal(keyed(world, "four", "POST", "aliases?dry_run=true", make[2]).json["dry_run"], True, "dry runs")
    check.equal(keyed(world, "four", *make).status, 201, "use up no key")
    # Keys belong to a token; a secret is shown once.
    token = keyed(world, "five", "POST", "tokens", {"name": "again", "scopes": ["accounts:write"]})
    check.equal(token.status, 201, "token")
    hidden = keyed(world, "five", "POST", "tokens", {"name": "again", "scopes": ["accounts:write"]})
    check.equal((hidden.status, hidden.json["code"]), (409, "state_conflict"), "no second look at it")
    check.equal(keyed(world, "one", "POST", "aliases", make[2], token=token.json["token"]).status, 409,
                "another token's key is another key")
    # Many at once: one is carried out.
    body = {"address": "many@home.example", "targets": [ANN]}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: keyed(world, "six", "POST", "aliases", body), range(8)))
    check.true({a.status for a in answers} <= {201, 409}, f"{[a.status for a in answers]}")
    check.true(all(a.json["code"] == "idempotency_in_progress" for a in answers if a.status == 409), "in flight")
    check.equal(sum(a.status == 201 and not a.headers.get("Idempotent-Replayed") for a in answers), 1, "once")
    # A client that hangs up is served all the same.
    request = json.dumps({"address": "gone@home.example", "targets": [ANN]})
    talk_and_leave(world, f"POST {BASE}/aliases HTTP/1.1\r\nHost: {world.home.hostname}\r\nAuthorization: "
                   f"Bearer {world.token}\r\nIdempotency-Key: seven\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(request)}\r\n\r\n{request}")
    check.until(lambda: keyed(world, "seven", "POST", "aliases", json.loads(request)).status == 201,
                "done, and known")
    # And all of it over a restart.
    world.home.stop()
    world.home.start()
    again = keyed(world, "six", "POST", "aliases", body)
    check.equal((again.status, again.headers.get("Idempotent-Replayed")), (201, "true"), "still known")


FORGETS = """
CREATE TRIGGER t_keeps BEFORE DELETE ON api_deed BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER t_forgets BEFORE UPDATE ON api_request WHEN NEW.status != 0
BEGIN SELECT RAISE(IGNORE); END;
"""
REMEMBERS = "DROP TRIGGER t_keeps; DROP TRIGGER t_forgets;"


def in_index(world, sql):
    world.home.stop()
    with contextlib.closing(sqlite3.connect(world.home.folder / "data" / "index.db")) as db:
        db.executescript(sql)
    world.home.start()


def test_what_was_done_before_the_answer_was_kept_is_not_done_again(world):
    """As if the process had died between each deed and its answer: no answer is kept."""
    in_index(world, FORGETS)
    made = call(world, "POST", f"{BASE}/domains", {"name": "deeds.example"}).json
    deeds = {
        "domain": ("POST", "domains", {"name": "deed.example"}),
        "alias": ("POST", "aliases", {"address": "deed@deeds.example", "targets": [ANN]}),
        "account": ("POST", "accounts", {"address": "new@deeds.example", "password": "correct horse",
                                         "state": "disabled"}),
        "admin": ("POST", "admins", {"name": "deed", "password": "correct horse", "role": "auditor"}),
        "keys": ("POST", "domains/deeds.example/dkim-keys/rotate", {}),
        "edit": ("PATCH", "domains/deeds.example", {"incoming": "junk"}),
    }
    more = {"edit": {"headers": {"If-Match": made["etag"]}}}
    first = {key: keyed(world, key, *what, **more.get(key, {})) for key, what in deeds.items()}
    check.equal({key: a.status for key, a in first.items()},
                {"domain": 201, "alias": 201, "account": 201, "admin": 201, "keys": 202, "edit": 200}, "first")
    token = ("POST", "tokens", {"name": "deed", "scopes": ["domains:read"]})
    check.equal(keyed(world, "token", *token).status, 201, "token")
    in_index(world, REMEMBERS)
    for key, what in deeds.items():
        again = keyed(world, key, *what, **more.get(key, {}))
        check.equal((again.status, again.json), (first[key].status, first[key].json), f"{key}: the same")
        check.equal(again.headers.get("Idempotent-Replayed"), None, f"{key}: carried out again")
        last = keyed(world, key, *what, **more.get(key, {}))
        check.equal((last.body, last.headers.get("Idempotent-Replayed")), (again.body, "true"), f"{key}: kept now")
    hidden = keyed(world, "token", *token)
    check.equal((hidden.status, hidden.json["code"]), (409, "state_conflict"), "its secret is gone")
    tokens = call(world, "GET", f"{BASE}/tokens?limit=500").json["items"]
    check.equal(sum(t["name"] == "deed" for t in tokens), 1, "tokens")
    check.equal(len(call(world, "GET", f"{BASE}/domains/deeds.example/dkim-keys").json["items"]),
                len(first["keys"].json["items"]), "keys")


def talk_and_leave(world, request):
    with insecure_tls().wrap_socket(socket.create_connection((world.home.address, 443), timeout=10)) as s:
        s.sendall(request.encode())


def settings_of(world):
    a = call(world, "GET", f"{BASE}/settings")
    check.equal(a.status, 200, "settings")
    return {item["key"]: item for item in a.json["items"]}, a.headers["ETag"]


def size_told(world):
    with world.home.smtp() as s:
        s.ehlo()
        return int(s.esmtp_features["size"])


def test_settings_are_changed_as_a_whole(world):
    path, good = f"{BASE}/settings", {"limits.message_size": "1M", "incoming.refuse_spf_fail": True,
                                      "incoming.trusted_networks": ["10.0.0.0/8", "2001:db8::/32"]}
    before, tag = settings_of(world)
    check.equal(before["limits.message_size"]["source"], "default", "nobody set it")
    a = call(world, "PATCH", path, good)
    check.equal((a.status, a.json["code"]), (428, "if_match_required"), "without If-Match")
    match = {"If-Match": tag}
    bad = call(world, "PATCH", path, dict(good, **{"limits.rcpt_max": 1, "no.such": 1, "hostname": "x.example",
               "limits.api_requests": 10, "incoming.trusted_sealers": ["a b"], "limits.auth_tries": {}}),
               headers=match)
    check.equal(bad.status, 422, "wrong ones")
    check.equal({e["pointer"]: e["code"] for e in bad.json["errors"]},
                {"/limits.rcpt_max": "invalid", "/no.such": "unknown_field", "/hostname": "fixed",
                 "/limits.api_requests": "fixed", "/incoming.trusted_sealers": "wrong_type",
                 "/limits.auth_tries": "wrong_type"}, "each is named")
    check.contains(json.dumps(bad.json), "between 100 and 100000", "with the range")
    check.contains(json.dumps(bad.json), "has the last word", "and why the file's cannot be changed")
    for body in ([], {}, 1):
        check.true(call(world, "PATCH", path, body, headers=match).status in (400, 422), f"{body}")
    dry = call(world, "PATCH", f"{path}?dry_run=true", good, headers=match)
    check.equal((dry.status, dry.json["dry_run"]), (200, True), "dry run")
    check.equal(settings_of(world), (before, tag), "nothing changed")
    check.equal(size_told(world), 50 << 20, "and nothing runs differently")
    a = call(world, "PATCH", path, good, headers=match)
    check.equal(a.status, 200, f"changed: {a.body[:300]}")
    now, after = settings_of(world)
    check.equal(now, {i["key"]: i for i in a.json["items"]}, "the answer shows it already")
    for key, value in (("limits.message_size", "1M"), ("incoming.refuse_spf_fail", "true"),
                       ("incoming.trusted_networks", "10.0.0.0/8 2001:db8::/32")):
        check.equal((now[key]["value"], now[key]["source"]), (value, "store"), key)
        check.contains(now[key]["changed_by"], "token:", "who")
        check.true(now[key]["changed_at"], "when")
    check.until(lambda: size_told(world) == 1 << 20, "the smtp process goes by it at once")
    check.equal(call(world, "PATCH", path, good, headers=match).status, 412, "somebody was faster")
    check.until(lambda: re.search(r"admin\.change .*actor=token:\d+ action=setting\.set "
                                   r"target=limits\.message_size", world.home.log()), "an event says who changed what")
    check.equal(call(world, "PATCH", path, {k: None for k in good}, headers={"If-Match": after}).status, 200,
                "null is the default")
    check.equal(settings_of(world)[0]["limits.message_size"]["source"], "default", "again")
    check.until(lambda: size_told(world) == 50 << 20, "at once, too")


def test_one_setting_and_the_file(world):
    home, path = world.home, f"{BASE}/settings/limits.message_size"
    a = call(world, "GET", path)
    check.equal(call(world, "GET", f"{BASE}/settings/no.such").status, 404, "no such")
    check.equal(call(world, "PATCH", path, {"value": "2M"}).status, 428, "without If-Match")
    for body in ({}, {"value": "2M", "more": 1}, {"value": "2Q"}, {"value": {}}):
        check.equal(call(world, "PATCH", path, body, headers={"If-Match": a.headers["ETag"]}).status, 422, f"{body}")
    # Another setting's change is none of this one.
    home.run("settings", "set", "limits.auth_tries", "4")
    b = call(world, "PATCH", path, {"value": 2 << 20}, headers={"If-Match": a.headers["ETag"]})
    check.equal((b.status, b.json["value"]), (200, "2M"), "set")
    check.equal(call(world, "PATCH", path, {"value": "3M"}, headers={"If-Match": a.headers["ETag"]}).status, 412,
                "stale")
    check.until(lambda: size_told(world) == 2 << 20, "at once")
    # An appliance that comes back has it from its first connection on.
    home.stop()
    home.start()
    check.equal(size_told(world), 2 << 20, "still set")
    # What the file says counts, and what was set is there again without it.
    home.write_config(more="limits: {api_requests: 100000, message_size: 7M}\n")
    os.kill(home.process.child.pid, signal.SIGHUP)
    check.until(lambda: size_told(world) == 7 << 20, "the file has the last word")
    c = call(world, "GET", path)
    check.equal((c.json["source"], c.json["editable"]), ("file", False), "said so")
    check.contains(c.json["fixed_because"], "Line ", "with the line")
    check.equal(call(world, "PATCH", path, {"value": "1M"}, headers={"If-Match": c.headers["ETag"]}).status, 422,
                "not against the file")
    home.write_config(more=MANY)
    os.kill(home.process.child.pid, signal.SIGHUP)
    check.until(lambda: size_told(world) == 2 << 20, "what was set")
    check.equal(home.json("settings", "show", "limits.message_size")["changed_by"], b.json["changed_by"], "by whom")
    check.true(home.run("settings", "set", "limits.message_size", "much", check=False).returncode != 0, "refused")
    home.run("settings", "reset", "limits.message_size", "limits.auth_tries")
    check.until(lambda: size_told(world) == 50 << 20, "the default")


def test_a_token_has_its_minute(world):
    home = world.home
    a = call(world, "GET", f"{BASE}/me")
    check.equal(a.headers["RateLimit-Policy"], '"token";q=100000;w=60', "policy")
    b = call(world, "GET", f"{BASE}/me")
    if seconds_left(b) > seconds_left(a):  # the minute ended just then
        a, b = b, call(world, "GET", f"{BASE}/me")
    check.equal(rate(b), rate(a) - 1, "each request counts")
    fresh = call(world, "POST", f"{BASE}/tokens", {"name": "wild", "scopes": ["domains:read"]}).json["token"]
    home.write_config(more="limits: {api_requests: 10}\n")
    os.kill(home.process.child.pid, signal.SIGHUP)
    try:
        check.until(lambda: "q=10;" in call(world, "GET", f"{BASE}/me", token=fresh)
                    .headers["RateLimit-Policy"], "reload", pause=0.3)

        def refused():
            a = call(world, "GET", f"{BASE}/domains", token=fresh)
            return a.status == 429 and a
        a = check.until(refused, "no more", pause=0)
        check.equal((a.json["code"], a.json["violated_policy"]), ("quota_exceeded", "token"), "why")
        check.equal(rate(a), 0, "none left")
        check.true(1 <= int(a.headers["Retry-After"]) <= 60, a.headers["Retry-After"])
        check.equal(home.run("domain", "list").returncode, 0, "the command line has no limit")
    finally:
        home.write_config(more=MANY)
        os.kill(home.process.child.pid, signal.SIGHUP)
        check.until(lambda: call(world, "GET", f"{BASE}/me").status == 200, "as before", pause=0.3)


def admin_of(world, name, role):
    """Signed in as a new administrator -> (the session, the headers that carry it)"""
    call(world, "POST", f"{BASE}/admins", {"name": name, "password": "help me please", "role": role})
    a = call(world, "POST", f"{BASE}/session", {"name": name, "password": "help me please"}, token=False)
    return a.json, {"Cookie": a.headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": a.json["csrf_token"]}


def refused_all_else(world, session, mine):
    """Every operation that the role has no right to; -> how many"""
    count = 0
    for method, path, op in operations(world):
        scope = op["x-scope"]
        if scope in ("none", "any") or scope in session["scopes"]:
            continue
        b = call(world, method, filled(path), {} if "requestBody" in op else None, token=False, headers=mine)
        check.equal((b.status, b.json["code"]), (403, "forbidden_scope"), f"{session['role']}: {method} {path}")
        count += 1
    return count


def test_roles(world):
    for role, least in (("admin", 3), ("operator", 15), ("auditor", 25)):
        session, theirs = admin_of(world, f"a-{role}", role)
        check.true(refused_all_else(world, session, theirs) >= least, f"{role} may not do all")
        check.equal(call(world, "DELETE", f"{BASE}/admins/a-{role}").status, 204, "removed")
    session, mine = admin_of(world, "help", "helpdesk")
    check.equal(call(world, "GET", f"{BASE}/traces", token=False, headers=mine).status, 200, "reads traces")
    check.true(refused_all_else(world, session, mine) > 30, "and little else")
    owner = call(world, "PATCH", f"{BASE}/admins/owner", {"role": "admin"})
    check.equal((owner.status, owner.json["code"]), (409, "state_conflict"), "the last owner stays")
    check.equal(call(world, "DELETE", f"{BASE}/admins/owner").status, 409, "the last owner stays")
    check.equal(call(world, "DELETE", f"{BASE}/admins/help").status, 204, "removed")
    check.equal(call(world, "GET", f"{BASE}/traces", token=False, headers=mine).status, 401, "and signed out")


def test_a_token_is_worth_what_its_maker_is(world):
    session, mine = admin_of(world, "maker", "admin")
    body = {"name": "of maker", "scopes": ["domains:write", "queue:write"]}
    made = call(world, "POST", f"{BASE}/tokens", body, token=False, headers=mine).json["token"]
    heir = call(world, "POST", f"{BASE}/tokens", {"name": "of that", "scopes": ["domains:read"]}, token=made)
    check.equal(heir.status, 403, "it may make none itself")

    def may(method, path, body=None):
        return call(world, method, f"{BASE}/{path}", body, token=made).status

    check.equal((may("GET", "domains"), may("GET", "queue"), may("POST", "domains", {"name": "made.example"})),
                (200, 200, 201), "all that its maker may")
    call(world, "PATCH", f"{BASE}/admins/maker", {"role": "auditor"})
    check.equal((may("GET", "domains"), may("GET", "queue"), may("POST", "domains", {"name": "more.example"})),
                (200, 403, 403), "no more than an auditor")
    call(world, "PATCH", f"{BASE}/admins/maker", {"role": "admin", "state": "disabled"})
    check.equal(may("GET", "domains"), 401, "nothing while its maker is out")
    call(world, "PATCH", f"{BASE}/admins/maker", {"state": "active"})
    check.equal(may("GET", "domains"), 200, "and again")
    check.equal(call(world, "DELETE", f"{BASE}/admins/maker").status, 204, "gone")
    check.equal(may("GET", "domains"), 401, "gone with its maker")
    call(world, "DELETE", f"{BASE}/domains/made.example")


def test_pages(world):
    for i in range(7):
        call(world, "POST", f"{BASE}/aliases", {"address": f"page{i}@home.example", "targets": [ANN]})
    seen, path = [], f"{BASE}/aliases?search=page&limit=3"
    cursor = None
    for _ in range(5):
        a = call(world, "GET", path + (f"&cursor={cursor}" if cursor else "")).json
        seen += [x["address"] for x in a["items"]]
        cursor = a["next"]
        if not cursor:
            break
        check.true(len(a["items"]) == 3, "a full page")
    check.equal(seen, [f"page{i}@home.example" for i in range(7)], "all, once, in order")
    first = call(world, "GET", path)
    check.contains(first.headers["Link"], 'rel="next"', "Link")
    cursor = first.json["next"]
    for what, query, code in (("changed", f"search=page&cursor={cursor[:-2]}xx", "invalid_cursor"),
                              ("another filter", f"search=x&cursor={cursor}", "cursor_mismatch"),
                              ("nonsense", "cursor=nonsense", "invalid_cursor")):
        a = call(world, "GET", f"{BASE}/aliases?{query}")
        check.equal((a.status, a.json["code"]), (400, code), what)
    a = call(world, "GET", f"{BASE}/accounts?cursor={cursor}")
    check.equal(a.json["code"], "cursor_mismatch", "another list")
    check.equal(call(world, "GET", f"{BASE}/aliases?limit=100000").status, 200, "clamped")
    check.equal(call(world, "GET", f"{BASE}/aliases?limit=0").status, 422, "no rows")
    tag = call(world, "GET", f"{BASE}/aliases").headers["ETag"]
    check.equal(call(world, "GET", f"{BASE}/aliases", headers={"If-None-Match": tag}).status, 304, "unchanged")


def pages_of(world, path, key, way="next", cursor=None):
    """Keys of all items from there on, page by page, and the last page."""
    seen = []
    while True:
        a = call(world, "GET", f"{BASE}/{path}" + (f"&cursor={cursor}" if cursor else ""))
        check.equal(a.status, 200, f"{path} {cursor}: {a.body[:200]}")
        items = [x[key] for x in a.json["items"]]
        seen = seen + items if way == "next" else items + seen
        if not a.json[way]:
            return seen, a.json
        check.contains(a.headers["Link"], f'rel="{way}"', "Link")
        cursor = a.json[way]


def queue_in_order(world):
    """Each order of the queue: by what it says, turned round, and page by page there and back."""
    values = {"age": lambda i: -i["age_s"], "created": lambda i: i["created_at"], "next": None,
              "size": lambda i: i["size"], "attempts": lambda i: i["attempts"],
              "to_domain": lambda i: i["to_domain"]}
    for sort, value in values.items():
        whole = call(world, "GET", f"{BASE}/queue?limit=500&sort={sort}").json["items"]
        if value and sort != "age":
            check.equal([value(i) for i in whole], sorted(value(i) for i in whole), f"by {sort}")
        ids = [i["id"] for i in whole]
        for order, want in ((sort, ids), (f"-{sort}", ids[::-1])):
            there, last = pages_of(world, f"queue?limit=2&sort={order}", "id")
            check.equal(there, want, f"queue {order}: forwards")
            here, _ = pages_of(world, f"queue?limit=2&sort={order}", "id", "prev", last["prev"])
            check.equal(here + [i["id"] for i in last["items"]], want, f"queue {order}: and back")
        cursor = call(world, "GET", f"{BASE}/queue?limit=1&sort={sort}").json["next"]
        for other in set(values) - {sort}:
            a = call(world, "GET", f"{BASE}/queue?limit=1&sort={other}&cursor={cursor}")
            check.equal(a.json["code"], "cursor_mismatch", f"a cursor of {sort} for {other}")
    created = call(world, "GET", f"{BASE}/queue?limit=500&sort=created").json["items"]
    aged = call(world, "GET", f"{BASE}/queue?limit=500&sort=-age").json["items"]
    check.equal([i["id"] for i in aged], [i["id"] for i in created], "the oldest first")


def test_pages_back_and_in_the_other_order(world):
    with world.home.submission(ANN) as s:
        for i in range(5):
            s.sendmail(ANN, [f"x{i}@{'zyx'[i % 3]}.waits.example", f"x{i}@waits.example"],
                       message(ANN, "x@waits.example", f"page {i}", "x" * (i * 37 % 91) + "\n"))
    for i in range(5):  # the delivery log is written behind the queue
        check.until(lambda i=i: call(world, "GET", f"{BASE}/traces?q=" + urllib.parse.quote(
            f'subject:"page {i}"')).json["items"], f"page {i} is in the delivery log")
    held = {"action": "hold", "filter": "to:waits.example"}
    check.until(lambda: call(world, "POST", f"{BASE}/queue/actions", held).status == 200, "held", pause=0.3)
    queue_in_order(world)
    for path, key, sort in (("aliases", "address", "address"), ("accounts", "address", "address"),
                            ("domains", "name", "name"), ("admins", "name", "name"), ("tokens", "id", "created"),
                            ("queue", "id", "created"), ("traces", "id", "-time")):
        whole = [x[key] for x in call(world, "GET", f"{BASE}/{path}?limit=500").json["items"]]
        check.true(len(whole) > 0, f"{path} has rows")
        few = max(1, len(whole) // 3)
        back = sort[1:] if sort.startswith("-") else f"-{sort}"
        check.equal([x[key] for x in call(world, "GET", f"{BASE}/{path}?limit=500&sort={back}").json["items"]],
                    whole[::-1], f"{path} in the other order")
        for order, want in ((sort, whole), (back, whole[::-1])):
            there, last = pages_of(world, f"{path}?limit={few}&sort={order}", key)
            check.equal(there, want, f"{path} {order}: forwards")
            if not last["prev"]:
                check.true(len(want) <= few, f"{path}: only the first page has none")
                continue
            here, first = pages_of(world, f"{path}?limit={few}&sort={order}", key, "prev", last["prev"])
            check.equal(here + [x[key] for x in last["items"]], want, f"{path} {order}: and back")
            again, _ = pages_of(world, f"{path}?limit={few}&sort={order}", key, "next", first["next"])
            check.equal(again, want[len(first["items"]):], f"{path} {order}: and forwards from there")
        a = call(world, "GET", f"{BASE}/{path}?sort=nonsense")
        check.equal((a.status, a.json["errors"][0]["pointer"]), (422, "?sort"), f"{path}: no such order")
        cursor = call(world, "GET", f"{BASE}/{path}?limit=1&sort={sort}").json["next"]
        if cursor:
            a = call(world, "GET", f"{BASE}/{path}?limit=1&sort={back}&cursor={cursor}")
            check.equal(a.json["code"], "cursor_mismatch", f"{path}: a cursor of the other order")
    check.until(lambda: call(world, "POST", f"{BASE}/queue/actions", dict(held, action="delete")).status == 200,
                "taken out", pause=0.3)


def test_the_queue(world):
    with world.home.submission(ANN) as s:
        for i in range(3):
            s.sendmail(ANN, [f"x{i}@unreachable.example"], message(ANN, "x@unreachable.example", f"queued {i}"))

    def rows(q=""):
        return call(world, "GET", f"{BASE}/queue?count=true&q=" + urllib.parse.quote(q)).json

    check.until(lambda: rows()["count"] == 3, "three wait")
    check.until(lambda: rows("state:deferred,scheduled")["count"] == 3, "nobody works on them")
    check.equal(rows("to:x1@unreachable.example")["count"], 1, "by recipient")
    check.equal(rows("to_domain:unreachable.example -to:x1@unreachable.example")["count"], 2, "negated")
    check.equal(rows("state:nonsense")["count"], 0, "an unknown value")
    bad = call(world, "GET", f"{BASE}/queue?q=sendr:x")
    check.equal((bad.status, bad.json["code"], bad.json["errors"][0]["position"]), (400, "invalid_filter", 1),
                "an unknown field")
    one = rows("to:x0@unreachable.example")["items"][0]["id"]
    a = call(world, "POST", f"{BASE}/queue/{one}/hold")
    check.equal((a.status, a.json["state"], a.json["next_try_at"]), (202, "held", None), "held")
    check.equal(call(world, "POST", f"{BASE}/queue/{one}/hold").status, 202, "twice is fine")
    a = call(world, "POST", f"{BASE}/queue/{one}/release")
    check.equal(a.status, 202, "released")
    for body in ({}, {"action": "delete"}, {"action": "delete", "filter": ""}, {"action": "delete", "filter": " "},
                 {"action": "delete", "ids": []}, {"action": "delete", "ids": ["x"]}, {"ids": [one]},
                 {"action": "nonsense", "ids": [one]}, {"action": "delete", "ids": [one], "filter": "to:x"}):
        check.equal(call(world, "POST", f"{BASE}/queue/actions", body).status, 422, str(body))
    a = call(world, "POST", f"{BASE}/queue/actions",
             {"action": "hold", "filter": "to_domain:unreachable.example", "expect_count": 2})
    check.equal((a.status, a.json["code"]), (409, "count_changed"), "another count")
    plan = call(world, "POST", f"{BASE}/queue/actions?dry_run=true",
                {"action": "hold", "filter": "to_domain:unreachable.example"}).json
    check.equal((plan["count"], len(plan["sample"])), (3, 3), "plan")
    done = call(world, "POST", f"{BASE}/queue/actions", {"plan_id": plan["plan_id"]})
    check.true(done.status in (200, 207), "run")
    check.equal(call(world, "POST", f"{BASE}/queue/actions", {"plan_id": plan["plan_id"]}).status, 422, "once")
    check.until(lambda: call(world, "POST", f"{BASE}/queue/actions",
                             {"action": "hold", "filter": "to_domain:unreachable.example"}).status == 200,
                "all held", pause=0.3)
    check.equal(rows("state:held")["count"], 3, "held")
    mixed = call(world, "POST", f"{BASE}/queue/actions", {"action": "delete", "ids": [one, "q_999999999"]})
    check.equal((mixed.status, mixed.json["done"], mixed.json["items"][0]["error"]["code"]),
                (207, 1, "not_found"), "mixed")
    check.equal(call(world, "GET", f"{BASE}/queue/{one}").status, 404, "gone")
    done = world.home.run("queue", "delete", "--filter", "to_domain:unreachable.example")
    check.contains(done.stdout, "2 done, 0 failed", "by the command line")


class Stream:
    """Reads server-sent events over a socket of its own."""

    def __init__(self, world, last=None):
        self.s = insecure_tls().wrap_socket(socket.create_connection((world.home.address, 443), timeout=20))
        more = f"Last-Event-ID: {last}\r\n" if last is not None else ""
        self.s.sendall(f"GET {BASE}/events HTTP/1.1\r\nHost: 127.0.0.10\r\nAuthorization: Bearer {world.token}\r\n"
                       f"{more}\r\n".encode())
        self.text = b""

    def until(self, part, seconds=60):
        end = time.monotonic() + seconds
        while part not in self.text and time.monotonic() < end:
            self.s.settimeout(max(0.1, end - time.monotonic()))
            try:
                got = self.s.recv(65536)
            except TimeoutError:
                break
            if not got:
                break
            self.text += got
        return part in self.text

    def ids(self):
        return [int(line[4:]) for line in self.text.split(b"\n") if line.startswith(b"id: ")]

    def close(self):
        self.s.close()


def test_the_live_stream(world):
    stream = Stream(world)
    check.true(stream.until(b"retry: 3000"), "begins")
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, "live"))
    check.true(stream.until(b"event: message.stored"), "tells")
    stream.close()
    ids = stream.ids()
    check.equal(ids, sorted(ids), "ids grow")
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, "while away"))
    time.sleep(1)
    again = Stream(world, ids[-1])
    check.true(again.until(b"event: message.stored"), "what was missed is told")
    check.true(min(again.ids() or [0]) > ids[-1], "and nothing twice")
    again.close()
    lost = Stream(world, 1)
    check.true(lost.until(b"event: reset"), "what is not known any more is said")
    lost.close()


def test_only_so_many_live_streams(world):
    world.home.run("settings", "set", "limits.event_streams", "1")

    def begun():
        stream = Stream(world)
        stream.until(b"\r\n\r\n")
        if b" 200 " in stream.text.split(b"\r\n")[0] and stream.until(b"retry: 3000"):
            return stream
        stream.close()
        return None

    stream = check.until(begun, "begins", pause=0.3)
    full = check.until(lambda: [a for a in [call(world, "HEAD", f"{BASE}/events")] if a.status == 429], "full", pause=0.3)
    check.true(full and int(full[0].headers["Retry-After"]) > 0, "and says when to come again")
    # A page that is loaded again and again: its place is free when it is closed, and not
    # only at the next comment, after fifteen seconds.
    begin = time.monotonic()
    for turn in range(5):
        stream.close()
        stream = check.until(begun, f"free {turn}", pause=0.1)
    check.true(time.monotonic() - begin < 40, f"five times in {time.monotonic() - begin:.1f} s")
    # What comes meanwhile waits for its turn, and ends nothing.
    stream.s.sendall(f"GET {BASE}/me HTTP/1.1\r\nHost: 127.0.0.10\r\n\r\n".encode())
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, "goes on"))
    check.true(stream.until(b"event: message.stored"), "goes on")
    stream.close()
    world.home.run("settings", "reset", "limits.event_streams")


def test_a_message_has_a_story(world):
    today = time.gmtime().tm_yday
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, "story 4711"))

    def find(q):
        return call(world, "GET", f"{BASE}/traces?q=" + urllib.parse.quote(q)).json["items"]

    rows = check.until(lambda: find("subject:\"story 4711\" verdict:delivered"), "found by subject")
    trace = rows[0]
    check.equal((trace["from"], trace["to"], trace["verdict"], trace["direction"]),
                (PEER, ANN, "delivered", "in"), "row")
    for q in (trace["id"], f"id:{trace['id']}", f"to:{ANN} verdict:delivered", f"from:{PEER}", "time:today",
              "\"story 4711\"", "direction:in size>10"):
        check.true(trace["id"] in [r["id"] for r in find(q)]
                   or q == "time:today" and time.gmtime().tm_yday != today, q)
    check.equal(find("subject:\"story 4711\" verdict:bounced"), [], "not that")
    one = call(world, "GET", f"{BASE}/traces/{trace['id']}").json
    check.equal((one["summary"], one["recipients"][0]["mailbox"]), ("Delivered to 1.", "INBOX"), "detail")
    events = call(world, "GET", f"{BASE}/traces/{trace['id']}/events").json["items"]
    names = [e["event"] for e in events]
    check.true("message.accepted" in names and "message.stored" in names, f"events {names}")
    check.equal(call(world, "GET", f"{BASE}/traces/mtr_0000000000000000").status, 404, "unknown")
    shown = world.home.run("trace", "show", trace["id"]).stdout
    check.contains(shown, "Stored for ann@home.example in INBOX", "by the command line")


VERIFY = f"{BASE}/tools/verify-auth"
VERIFICATIONS_MAX = 8  # at one time, as api/tools.c has it


def given(sender=PEER, ip="127.0.0.66", mail=None, **more):
    mail = message(sender, ANN, "asked about") if mail is None else mail
    return {"ip": ip, "mail_from": sender, "helo": "mx.peer.example", "message": mail, **more}


def asked(world, query, mail, **options):
    return call(world, "POST", f"{VERIFY}?{urllib.parse.urlencode(query)}", raw=mail,
                headers={"Content-Type": "message/rfc822"}, **options)


def test_who_sent_it_as_a_question(world):
    world.dns.change("judged.example", JUDGED)
    sender = "pat@judged.example"
    for ip, spf, dmarc, disposition in (("127.0.0.20", "pass", "pass", "none"),
                                        ("::ffff:127.0.0.20", "pass", "pass", "none"),
                                        ("127.0.0.66", "fail", "fail", "reject")):
        body = given(sender, ip)
        a = call(world, "POST", VERIFY, body)
        check.equal(a.status, 200, f"JSON from {ip}: {a.body}")
        found = a.json
        check.equal((found["spf"]["result"], found["dmarc"]["result"], found["disposition"]),
                    (spf, dmarc, disposition), f"verdict on {ip}")
        check.contains(found["field"], "mail.home.example;", "who says so")
        check.contains(found["field"], f"spf={spf}", "the field")
        check.true(all(found[k]["reason"] for k in ("spf", "dmarc", "arc", "iprev", "spf_helo")),
                   f"every verdict has its reason: {found}")
        query = {"ip": ip, "mail_from": sender, "helo": body["helo"]}
        for mail in (body["message"], body["message"].replace("\n", "\r\n")):
            b = asked(world, query, mail.encode())
            check.equal((b.status, b.json), (200, found), f"message/rfc822 from {ip}")
    found = call(world, "POST", VERIFY, given(sender, "127.0.0.20", mail_from="")).json
    check.equal(found["spf"], None, "the null sender has no MAIL FROM")
    mail = message(sender, ANN, "not kept")
    check.equal(call(world, "POST", VERIFY, given(sender, mail=mail)).status, 200, "asked")
    check.equal(world.home.find(ANN, "Subject: not kept"), [], "nothing is stored")
    check.equal(call(world, "GET", f"{BASE}/traces?q=subject:%22not+kept%22").json["items"], [],
                "nor traced")


def test_bad_questions_who_sent_it(world):
    for ip in ("", "x", "1.2.3", "192.0.2.256", "192.0.2.1:25", "[192.0.2.1]", "fe80::1%lo",
               "192.0.2.1/24", " 192.0.2.1", "1" * 46, 7, None):
        a = call(world, "POST", VERIFY, given(ip=ip))
        check.equal((a.status, a.json["errors"][0]["pointer"]), (422, "/ip"), f"ip {ip!r}")
        a = asked(world, {"ip": ip or ""}, b"From: <pat@peer.example>\r\n\r\n")
        check.equal((a.status, a.json["errors"][0]["pointer"]), (422, "?ip"), f"?ip={ip!r}")
    for body, pointer in (({"ip": "127.0.0.20"}, "/message"), ({"message": "x"}, "/ip"),
                          (given(mail=""), "/message"), (given(mail=7), "/message"),
                          (given(helo="h" * 513), "/helo"), (given(mail_from=[]), "/mail_from"),
                          (given(more=1), "/more")):
        a = call(world, "POST", VERIFY, body)
        check.equal((a.status, a.json["errors"][0]["pointer"]), (422, pointer), str(body)[:80])
    check.equal(asked(world, {}, b"x").status, 422, "no ?ip")
    check.equal(asked(world, {"ip": "127.0.0.20"}, b"").status, 422, "no message")
    check.equal(asked(world, {"ip": "127.0.0.20", "x": "1"}, b"x").status, 422, "an unknown ?x")
    check.equal(call(world, "POST", VERIFY, raw=b"{").status, 400, "not JSON")
    check.equal(call(world, "POST", VERIFY, raw=b"x", headers={"Content-Type": "text/plain"}).status,
                415, "neither of the two")
    check.equal(asked(world, {"ip": "127.0.0.20"}, b"\x00\r\n" * 99).status, 200,
                "NUL is odd, but a message")
    for mail in ("no header at all", "From: \n\n", "From:" * 2000, ":\n" * 1000, "\n" * 5000):
        a = call(world, "POST", VERIFY, given(mail=mail))
        check.equal(a.status, 200, f"an odd message is no odd question: {mail[:20]!r}")
        check.true(a.json["dmarc"]["result"] != "pass", f"{mail[:20]!r}")
    head = (f"POST {VERIFY}?ip=127.0.0.20 HTTP/1.1\r\nHost: mail.home.example\r\n"
            f"Authorization: Bearer {world.token}\r\nContent-Type: message/rfc822\r\n"
            "Content-Length: 99999999999\r\n\r\n")
    check.equal(statuses(talk(world, head.encode(), tls=True)), [413], "too large")
    no = call(world, "POST", f"{BASE}/tokens", {"name": "no traces", "scopes": ["domains:read"]}).json
    for token, status in ((False, 401), (no["token"], 403)):
        check.equal(call(world, "POST", VERIFY, given(), token=token).status, status, "JSON")
        check.equal(asked(world, {"ip": "127.0.0.20"}, b"x", token=token).status, status,
                    "message/rfc822")


def test_who_sent_it_only_so_often_at_one_time(world):
    """A name server that is silent holds the questions; what is over the limit is told so."""
    server = world.dns.unbound.child
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with concurrent.futures.ThreadPoolExecutor(VERIFICATIONS_MAX + 1) as pool:
            asking = [pool.submit(call, world, "POST", VERIFY, given(f"pat@quiet{n}.example"))
                      for n in range(VERIFICATIONS_MAX + 1)]
            refused = next(concurrent.futures.as_completed(asking)).result()
            check.equal((refused.status, refused.json["code"]), (429, "quota_exceeded"), "one too many")
            check.equal(call(world, "GET", f"{BASE}/domains").status, 200, "the rest goes on")
            os.kill(server.pid, signal.SIGCONT)
            check.equal(sorted(a.result().status for a in asking), [200] * VERIFICATIONS_MAX + [429],
                        "the others are answered")
    finally:
        os.kill(server.pid, signal.SIGCONT)
    check.equal(call(world, "POST", VERIFY, given()).status, 200, "and again")


def test_the_command_line(world):
    home = world.home
    check.equal(home.run("nonsense", check=False).returncode, 2, "no such command")
    check.equal(home.run("domain", "add", check=False).returncode, 2, "an argument is missing")
    check.equal(home.run("domain", "show", "no.example", check=False).returncode, 1, "refused")
    check.equal(home.run("domain", "list", "--nonsense", check=False).returncode, 2, "no such option")
    zone = home.run("domain", "dns", "home.example").stdout
    check.contains(zone, "home.example. MX 10 mail.home.example. ;", "records to publish")
    check.contains(zone, 'home.example. TXT "v=spf1 ip4:127.0.0.10 ~all" ;', "records to publish")
    check.true(home.json("health")["state"] in ("ok", "warn"), "health")
    sock = home.folder / "run" / "api.sock"
    check.true(os.stat(sock).st_mode & 0o007 == 0, "the socket is not for everybody")


def test_nothing_was_forged_or_crashed(world):
    log = world.home.log()
    check.true("panic" not in log, "no panic")
    check.true("role.restart" not in log, "no process was started again")
    check.true(not any(ord(c) < 32 and c != "\n" for c in log), "no control characters in the log")
