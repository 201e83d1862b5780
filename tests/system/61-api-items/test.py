"""The REST API and what it manages: domains, accounts, aliases, settings and the queue live, change
and go; lists page by page."""
import json
import os
import re
import signal
import urllib.parse

import check
from rest import ANN, BASE, MANY, PEER, begin, call, check_log
from world import message


def setup(world):
    begin(world)


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
    again = call(world, "PATCH", f"{BASE}/domains/new.example", {},
                 headers={"If-Match": '"other", ' + c.json["etag"]})
    check.equal(again.status, 200, "the problem says what fits, and one of a list does")
    b = call(world, "GET", f"{BASE}/domains/new.example")
    for tag in ("W/" + b.json["etag"], '"other", W/"one", ' + b.json["etag"], "*"):
        c = call(world, "GET", f"{BASE}/domains/new.example", headers={"If-None-Match": tag})
        check.equal((c.status, c.body), (304, b""), f"If-None-Match: {tag}")
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


def test_nothing_was_forged_or_crashed(world):
    check_log(world)
