"""A program that a test starts, and ends by its process id."""
import os
import pathlib
import signal
import socket
import subprocess
import time


class Process:
    def __init__(self, args, log, env=None, cwd=None, pass_fds=(), umask=-1, logs=()):
        """log: what it writes to its output; logs: files where it says more."""
        self.args = [str(a) for a in args]
        self.log = log
        self.logs = [log, *logs]
        self.how = dict(env=env, cwd=cwd, pass_fds=pass_fds, umask=umask, logs=logs)
        self.file = open(log, "ab")
        self.child = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=self.file,
                                      stderr=subprocess.STDOUT, env=env, cwd=cwd,
                                      start_new_session=True, pass_fds=pass_fds,
                                      umask=umask)

    def again(self):
        """The same program, started once more."""
        return Process(self.args, self.log, **self.how)

    def is_running(self):
        return self.child.poll() is None

    def state(self):
        """In one line, for a failure: whether it runs, and what it said last."""
        status = self.child.poll()
        runs = "runs" if status is None else f"ended with {status}"
        last = [line[:200] for log in self.logs for line in last_lines(log, 3)]
        name = pathlib.Path(self.args[0]).name
        return f"{name} {runs}, said last: {' | '.join(last) or 'nothing'}"

    def stop(self, how=signal.SIGTERM, seconds=40):
        """Ends it; -> exit status. What does not end in time is killed, and that shows."""
        if self.child.poll() is None:
            self.child.send_signal(how)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self.child.pid, signal.SIGKILL)
                self.child.wait()
        self.file.close()
        return self.child.returncode


def last_lines(path, count):
    """Of a log that may be long, or not there yet."""
    try:
        with open(path, "rb") as f:
            f.seek(max(0, os.fstat(f.fileno()).st_size - 16384))
            return f.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


def wait_for_port(host, port, seconds=60, process=None):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process is not None and not process.is_running():
            break
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    said = "" if process is None else f": {process.state()}"
    raise RuntimeError(f"nothing listens on {host}:{port}{said}")
