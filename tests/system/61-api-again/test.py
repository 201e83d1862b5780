"""Requests of the REST API that come again: what was done once is not done twice, even where its
answer was lost."""
import concurrent.futures
import contextlib
import json
import socket
import sqlite3

import check
from appliance import insecure_tls
from rest import ANN, BASE, begin, call, check_log


def setup(world):
    begin(world)


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


def test_nothing_was_forged_or_crashed(world):
    check_log(world)
