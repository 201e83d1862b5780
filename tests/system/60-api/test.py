"""The REST API: who may ask what. Every operation of the document with and without credentials,
tokens, sessions, roles, and the command line."""
import os
import re
import signal
import subprocess
import time

import check
from rest import ANN, BASE, MANY, begin, call, check_log, filled, operations

MTA_STS = "/.well-known/mta-sts.txt"


def setup(world):
    begin(world)


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
    check.equal(call(world, "POST", f"{BASE}/domains", {"name": "new.example"}).status, 201, "another domain")
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


def rate(answer):
    return int(re.search(r"r=(\d+)", answer.headers["RateLimit"]).group(1))


def seconds_left(answer):
    """Of the minute."""
    return int(re.search(r"t=(\d+)", answer.headers["RateLimit"]).group(1))


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


def test_the_command_line(world):
    home = world.home
    check.equal(home.run("nonsense", check=False).returncode, 2, "no such command")
    check.equal(home.run("domain", "add", check=False).returncode, 2, "an argument is missing")
    group = home.run("domain", check=False)
    check.equal((group.returncode, group.stdout), (2, ""), "half a command")
    check.contains(group.stderr, "mailstead domain add NAME", "what it could become")
    check.true("mailstead alias" not in group.stderr, "and nothing else")
    check.equal(home.run("domain", "show", "no.example", check=False).returncode, 1, "refused")
    check.equal(home.run("domain", "list", "--nonsense", check=False).returncode, 2, "no such option")
    said = subprocess.run([str(home.binary), "domain", "list", "--search"], env=home.env,
                          capture_output=True, text=True, timeout=60).stderr
    check.contains(said, "the value of an option is missing", "not that there is no such option")
    for flag in ("--cascade=no", "--json=no"):
        done = home.run("domain", "remove", "home.example", flag, check=False)
        check.equal(done.returncode, 2, f"{flag}: a flag has no value that could be no")
    check.equal(home.run("domain", "show", "home.example").returncode, 0, "nothing was removed")
    for group, verb, name in (("domain", "remove", "no.example"), ("token", "revoke", "leaked"),
                              ("account", "remove", "nobody@home.example"),
                              ("alias", "remove", "nobody@home.example"),
                              ("admin", "remove", "nobody")):
        done = home.run(group, verb, name, check=False)
        check.equal((done.returncode, done.stdout), (1, ""), f"{group} {verb} of what is not there")
    done = home.run("queue", "retry", "q_987654", check=False)
    check.equal(done.returncode, 1, "no such row")
    check.contains(done.stderr, "q_987654: it is not in the queue", "which one failed, and why")
    zone = home.run("domain", "dns", "home.example").stdout
    check.contains(zone, "home.example. MX 10 mail.home.example. ;", "records to publish")
    check.contains(zone, 'home.example. TXT "v=spf1 ip4:127.0.0.10 ~all" ;', "records to publish")
    check.true(home.json("health")["state"] in ("ok", "warn"), "health")
    sock = home.folder / "run" / "api.sock"
    check.true(os.stat(sock).st_mode & 0o007 == 0, "the socket is not for everybody")


def test_help(world):
    """Help that is asked for is an answer: on standard output, with status 0."""
    def ask(*words):
        return subprocess.run([world.home.binary, *words], capture_output=True, text=True, check=False)
    whole = ask("help")
    check.equal((whole.returncode, whole.stderr), (0, ""), "help")
    check.equal(ask("--help").stdout, whole.stdout, "by another name")
    check.true(max(map(len, whole.stdout.splitlines()[8:])) <= 80, "fits a terminal")
    check.equal([line for line in whole.stdout.splitlines() if line.endswith(" ")], [], "no blank at an end")
    one = ask("help", "queue", "retry").stdout
    check.equal(one, "  mailstead queue retry ID… | --filter FILTER\n        try now\n", "one command")
    check.equal(ask("queue", "retry", "--help").stdout, one, "asked behind it")
    check.equal(ask("queue", "--help").stdout, ask("help", "queue").stdout, "asked behind the word of many")
    for words in (("help", "serve"), ("serve", "--help"), ("check", "-h")):
        own = ask(*words)
        check.equal((own.returncode, own.stderr), (0, ""), f"{words}")
        check.contains(own.stdout, "  serve [--config FILE]", f"{words}: those that are no calls")
    check.equal(ask("help", "nonsense").returncode, 2, "help on nothing")
    check.equal(ask("nonsense", "--help").returncode, 2, "behind nothing")
    check.contains(ask("version").stdout, "mailstead ", "version")
    check.contains(ask("nonsense").stderr, "no such command: nonsense", "says what is wrong")


def test_nothing_was_forged_or_crashed(world):
    check_log(world)
