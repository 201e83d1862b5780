"""Processes that die, configurations that are wrong, and a stop that keeps its word."""
import fcntl
import os
import pathlib
import pwd
import shutil
import signal
import smtplib
import socket
import statistics
import subprocess
import tempfile
import time

import check
from world import message

ANN, PEER = "ann@home.example", "pat@peer.example"


def setup(world):
    world.names()
    world.appliance(plaintext='["127.0.0.0/8"]')


def send(world, subject):
    """As servers do: what is refused for now comes again. A store that is away for long is one reason."""
    def is_taken():
        try:
            with world.home.smtp() as s:
                s.sendmail(PEER, [ANN], message(PEER, ANN, subject))
            return True
        except smtplib.SMTPDataError as e:
            if e.smtp_code // 100 != 4:
                raise
            return False
    check.until(is_taken, f"{subject}: taken", pause=0.5)


def is_alive(pid):
    """Zombies are not: in the namespace of the tests nobody reaps what we did not start."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def is_back(home, role, pids):
    now = home.workers().get(role, [])
    return len(now) == len(pids) and pids[0] not in now


def test_every_role_comes_back_within_a_second(world):
    home = world.home
    roles = home.workers()
    check.equal(set(roles), {"store", "dns", "smtp", "imap", "queue", "web"}, "roles")
    away = []
    for role, pids in sorted(roles.items()):
        os.kill(pids[0], signal.SIGKILL)
        begin = time.monotonic()
        check.until(lambda role=role, pids=pids: is_back(home, role, pids), f"{role} is back", pause=0.02)
        away.append(time.monotonic() - begin)
        home.wait_until_ready()
        send(world, f"after {role}")
        check.true(check.until(lambda role=role: home.find(ANN, f"Subject: after {role}"),
                               f"mail after {role}"), "mail flows")
    # Most of them: on a busy machine one or the other waits for a processor.
    check.true(statistics.median(away) < 1.5, f"back after {sorted(away)} s")


def test_one_smtp_process_that_hangs_keeps_nobody_waiting(world):
    home = world.home
    for pid in home.workers()["smtp"]:
        os.kill(pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            for n in range(5):
                send(world, f"beside {pid}, {n}")
            check.true(time.monotonic() - begin < 5, "five messages by the other")
        finally:
            os.kill(pid, signal.SIGCONT)


def test_the_smtp_processes_have_their_places_together(world):
    """They leave clients to each other: none is full while another has room."""
    home = world.home
    text = home.config.read_text()
    home.config.write_text(text + "limits: {smtp_connections: 40}\n")
    home.reload()
    clients = []
    try:
        for _ in range(28):
            clients.append(socket.create_connection((home.address, 25), 10))
        said = [c.recv(3) for c in clients]
        check.equal(said, [b"220"] * len(clients), "all are greeted")
        ended = 0
        for c in clients:
            c.setblocking(False)
            try:
                c.recv(200)
                ended += c.recv(1) == b""
            except BlockingIOError:
                pass
        check.equal(ended, 0, "and none had to go for another")
    finally:
        for c in clients:
            c.close()
        home.config.write_text(text)
        home.reload()


def test_a_wrong_configuration_is_refused_and_the_old_one_stays(world):
    home = world.home
    good = home.config.read_text()
    home.config.write_text(good + "limits: {smtp_rcpt_max: many}\nnonsense: 1\n")
    done = home.run("check", check=False)
    check.true(done.returncode != 0, "check says no")
    line = good.count("\n") + 1
    check.contains(done.stderr + done.stdout, f"{line}:", "line named")
    check.contains(done.stderr + done.stdout, f"{line + 1}:", "both errors at once")
    home.process.child.send_signal(signal.SIGHUP)
    check.until(lambda: "config.refused" in home.log(), "refusal logged")
    send(world, "old configuration")
    check.until(lambda: home.find(ANN, "Subject: old configuration"), "mail flows on")
    for file, words in (("/nowhere/ca.pem", "No such file"), (str(home.config), "no usable certificate")):
        home.config.write_text(good + f"tls: {{ca_file: {file}}}\n")
        done = home.run("check", check=False)
        check.true(done.returncode != 0, f"ca_file {file}: check says no")
        check.contains(done.stderr, "tls.ca_file", f"ca_file {file}: the key")
        check.contains(done.stderr, words, f"ca_file {file}: why")
    for more, words in (("user: nobody-at-all\n", "no user nobody-at-all"),
                        ("tls: {certificate: /nowhere/cert.pem, key: /nowhere/key.pem}\n", "No such file")):
        home.config.write_text(good + more)
        done = home.run("check", check=False)
        check.true(done.returncode != 0, f"{more}: check says no")
        check.contains(done.stderr, f":{good.count(chr(10)) + 1}:", f"{more}: where")
        check.contains(done.stderr, words, f"{more}: why")
    home.config.write_text(good + "limits: {commit_wait: 5ms}\n")
    check.contains(home.run("check").stderr, f":{line}:10: limits.commit_wait: no longer a key",
                   "a key of an older version is no error")
    home.process.child.send_signal(signal.SIGHUP)
    check.until(lambda: "config.retired" in home.log(), "but told")
    home.config.write_text(good.replace("level: debug", "level: info"))
    check.equal(home.run("check").stdout, "", "silence is consent")
    home.process.child.send_signal(signal.SIGHUP)
    check.until(lambda: "config.reload" in home.log(), "reload logged")
    send(world, "new configuration")
    check.until(lambda: home.find(ANN, "Subject: new configuration"), "mail flows on")


def test_a_session_survives_a_reload(world):
    m = world.home.imap(ANN)
    m.select("INBOX")
    world.home.process.child.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    check.equal(m.noop()[0], "OK", "NOOP in the old session")
    m.logout()


def test_stop_ends_everything_and_says_bye(world):
    home = world.home
    m = home.imap(ANN)
    m.select("INBOX")
    pids = [p for ps in home.workers().values() for p in ps]
    begin = time.monotonic()
    check.equal(home.stop(), 0, "exit status")
    check.true(time.monotonic() - begin < 20, f"stopped after {time.monotonic() - begin:.1f} s")
    check.contains(m.readline(), b"* BYE", "idle client was told")
    m.sock.close()
    check.equal([p for p in pids if is_alive(p)], [], "no orphans")
    home.start()


def test_workers_die_with_the_supervisor(world):
    home = world.home
    pids = [p for ps in home.workers().values() for p in ps]
    os.kill(home.process.child.pid, signal.SIGKILL)
    home.process.child.wait()
    check.until(lambda: not [p for p in pids if is_alive(p)], "no orphans", 20)
    home.process.file.close()
    home.start()
    send(world, "after the supervisor")
    check.until(lambda: home.find(ANN, "Subject: after the supervisor"), "mail flows")


def test_a_start_waits_for_what_a_killed_supervisor_left(world):
    """Its processes die with it, but on a busy machine not before the next one starts."""
    home = world.home
    home.stop()
    lock = os.open(home.folder / "data", os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    left = socket.create_server((home.address, 143))
    home.start_only()
    time.sleep(0.5)
    os.close(lock)
    time.sleep(0.5)
    left.close()
    home.wait_until_ready()
    store = pathlib.Path(f"/proc/{home.workers()['store'][0]}/fd")
    check.true(any(os.readlink(f) == str(home.folder / "data") for f in store.iterdir()),
               "the only writer holds the lock as well")


def test_two_on_the_same_data_are_refused(world):
    home = world.home
    done = home.run("serve", check=False)
    check.true(done.returncode != 0, "the second one ends")
    check.contains(done.stderr, "another instance is running on it", "and says why")


def test_a_file_that_is_missing_is_named_once(world):
    home = world.home
    away = home.config.rename(home.config.with_suffix(".away"))
    for command in ("check", "serve", "domain list"):
        done = home.run(*command.split(), check=False)
        check.equal(done.stderr.splitlines()[0], f"{home.config}: No such file or directory", command)
    away.rename(home.config)


def test_a_socket_that_is_not_for_everybody_is_named(world):
    """Whoever may not open it, or finds nobody there, reads which one and what to do."""
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as api:
        os.chmod(folder, 0o755)
        path, config = f"{folder}/api.sock", pathlib.Path(folder) / "mailstead.yaml"
        config.write_text(f"hostname: mail.example.org\nrun_dir: {folder}\n")
        binary = shutil.copy(world.home.binary, folder)

        def said(**who):
            done = subprocess.run([binary, "domain", "list", "--config", str(config)], capture_output=True,
                                  text=True, timeout=60, check=False, **who)
            check.true(done.returncode != 0, "no answer")
            return done.stderr
        check.contains(said(), f"{path}: No such file or directory; is the service running?", "not there")
        api.bind(path)
        check.contains(said(), f"{path}: Connection refused; is the service running?", "nobody there")
        api.listen(4)
        os.chmod(path, 0o600)
        check.contains(said(user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[]),
                       f"{path}: Permission denied; run this as root or as the user of the service", "not theirs")


def test_the_crash_point_is_for_the_first_store_alone(world):
    home = world.home
    home.stop()
    home.env["MAILSTEAD_CRASH_AT"] = "1"
    before = home.log().count("role.restart")
    home.start()
    home.env.pop("MAILSTEAD_CRASH_AT")
    send(world, "after the crash point")
    check.until(lambda: home.find(ANN, "Subject: after the crash point"), "mail flows")
    check.equal(home.log().count("role.restart") - before, 1, "deaths")
    for role, pids in home.workers().items():
        for pid in pids:
            environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
            check.true(b"MAILSTEAD_CRASH_AT" not in environment, f"{role} does not know it")


def index_files(home):
    return {name: os.stat(home.folder / "data" / name).st_ino
            for name in ("index.db", "index.db-wal", "index.db-shm")}


def test_the_index_keeps_its_files_over_stops_of_the_store(world):
    """The sandboxes of the readers hold these files, not their names."""
    home = world.home
    files, pids = index_files(home), home.workers()
    for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        old = home.workers()["store"]
        os.kill(old[0], how)
        check.until(lambda old=old: home.workers().get("store", old) != old, "store is back")
        home.wait_until_ready()
        check.equal(index_files(home), files, "files")
    send(world, "same files")
    check.until(lambda: home.find(ANN, "Subject: same files"), "mail flows")
    pids["store"] = home.workers()["store"]
    check.equal(home.workers(), pids, "nobody else had to start again")


def test_readers_start_anew_when_the_index_was_replaced(world):
    home = world.home
    old = home.workers()
    data = home.folder / "data"
    os.kill(old["store"][0], signal.SIGSTOP)
    for name in index_files(home):
        (data / f"{name}.copy").write_bytes((data / name).read_bytes())
        os.replace(data / f"{name}.copy", data / name)
    os.kill(old["store"][0], signal.SIGKILL)
    check.until(lambda: not set(sum(old.values(), [])) & set(sum(home.workers().values(), [])),
                "all are new")
    home.wait_until_ready()
    check.contains(home.log(), "role.fence", "the log says why")
    send(world, "other files")
    check.until(lambda: home.find(ANN, "Subject: other files"), "mail flows")


def test_no_password_in_the_log_or_in_the_processes(world):
    password = world.home.passwords[ANN]
    check.true(password not in world.home.log(), "not in the log")
    for pids in world.home.workers().values():
        for pid in pids:
            args = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            check.true(password.encode() not in args, "not in the arguments")
