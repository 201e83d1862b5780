"""The REST API as HTTP: framing, bodies, hosts and files as hostile clients send and ask for them."""
import concurrent.futures
import gzip
import pathlib
import socket
import time
import urllib.parse

import check
from appliance import PATIENCE
from rest import BASE, asked, begin, call, check_log, statuses, talk


def setup(world):
    begin(world)


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


def test_nothing_was_forged_or_crashed(world):
    check_log(world)
