"""Rows that other suites hold: they are run, and their figures told.

(row, what, command); the longest ones first, since two run at a time.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SYSTEM, CRASH = "tests/system/run", "tests/crash/run"
LIMIT_S = 1800

SUITES = (
    ("R54", "kill -9 of any process, 1,000 times", (CRASH, "kill", "--count", "1000")),
    ("R55", "power cuts, 100 times", (CRASH, "power", "--count", "100")),
    ("R56", "calls that fail, or are the place to die, 100", (CRASH, "fault", "--count", "100")),
    ("R15", "hostile next hops, 14 ways", (SYSTEM, "45-hostile-hop")),
    ("R16", "retry, expiry, notifications", (SYSTEM, "40-queue")),
    ("R37", "certificates under load, processes that cannot start", (SYSTEM, "52-service")),
    ("R41", "hostile signatures; R42: forged results, two From", (SYSTEM, "62-auth-in")),
    ("R43", "report bombs", (SYSTEM, "66-reports-in")),
    ("R44", "the API: R44-R51", (SYSTEM, "-api")),
    ("R57", "forbidden actions from inside each kind of worker", (SYSTEM, "57-broken-worker")),
    ("R58", "without memory, without descriptors", (SYSTEM, "58-shortage")),
    ("R59", "clocks that jump", (SYSTEM, "59-clock")),
    ("R60", "supervisor: deaths, bad configurations, stop", (SYSTEM, "50-supervisor")),
    ("R60", "damage", (SYSTEM, "56-damage")),
    ("R56", "a full disk", (SYSTEM, "55-disk-full")),
)


def figure(text):
    """The sum, and what the suite itself measured."""
    last = re.findall(r"(?m)^(\d+ passed, \d+ failed)$", text)
    told = re.findall(r"(?m)^ok   \w+: (\d+ (?:kills|cuts|runs).*)$", text)
    return "; ".join([*told, last[-1] if last else "it broke"])


def run(lane, row, what, command, out):
    """-> (row, verdict, seconds, what, figure)"""
    name = "-".join(a for a in command[1:] if not a.startswith("--"))
    env = {k: v for k, v in os.environ.items() if k != "MAILSTEAD_IN_NAMESPACE"}
    env["SYSTEM_LOGS"] = str(out / "system")
    env["SYSTEM_OUT"] = str(out / name)
    env["MAILSTEAD_TEST_LANE"] = str(lane)
    log, begin = out / f"{name}.log", time.monotonic()
    with open(log, "wb") as f:
        try:
            status = subprocess.run([str(ROOT / command[0]), *command[1:]], env=env, stdout=f,
                                    stderr=subprocess.STDOUT, check=False, timeout=LIMIT_S).returncode
        except subprocess.TimeoutExpired:  # unshare takes all of its namespace along
            status = -1
    said = figure(log.read_text(errors="replace"))
    bad = status or not re.search(r"\b0 failed$", said)
    return (row, "FAIL" if bad else "ok", f"{time.monotonic() - begin:.1f}", what,
            said + (f"; see {log}" if bad else ""))


def run_all(suites, out, tell):
    """Most of their time is waiting, so two run at a time. -> results in the order of suites"""
    with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda lane: tell(run(lane, *suites[lane], out)), range(len(suites))))
