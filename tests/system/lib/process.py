"""A program that a test starts, and ends by its process id."""
import os
import signal
import socket
import subprocess
import time


class Process:
    def __init__(self, args, log, env=None, cwd=None, pass_fds=()):
        self.args = [str(a) for a in args]
        self.log = log
        self.file = open(log, "ab")
        self.child = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=self.file,
                                      stderr=subprocess.STDOUT, env=env, cwd=cwd,
                                      start_new_session=True, pass_fds=pass_fds)

    def is_running(self):
        return self.child.poll() is None

    def stop(self, how=signal.SIGTERM, seconds=10):
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
    raise RuntimeError(f"nothing listens on {host}:{port}"
                       + (f", see {process.log}" if process else ""))
