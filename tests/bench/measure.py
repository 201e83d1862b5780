"""What a server costs: CPU time and memory of a whole process tree."""
import os
import pathlib
import re
import socket
import time

TICK = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """pid and everything below it."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = pathlib.Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            parent = int(stat.rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(name))
    found, left = [], [pid]
    while left:
        p = left.pop()
        found.append(p)
        left += children.get(p, [])
    return found


def times(pid):
    """[user, system] of one process, with its children that have ended."""
    try:
        f = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return [0, 0]
    return [(int(f[11]) + int(f[13])) / TICK, (int(f[12]) + int(f[14])) / TICK]


def cpu_seconds(pid):
    """User and system time of the tree, with the children that have ended (those in
    ticks of 10 ms; of threads that have ended only what their process still counts)."""
    total = 0.0
    for p in tree(pid):
        try:
            f = pathlib.Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()
            fine = sum(int((t / "schedstat").read_text().split()[0])
                       for t in pathlib.Path(f"/proc/{p}/task").iterdir()) / 1e9
        except (OSError, IndexError):
            continue
        own = (int(f[11]) + int(f[12])) / TICK
        total += fine if abs(fine - own) < 0.1 else own
        total += (int(f[13]) + int(f[14])) / TICK
    return total


def cpu_by_role(server):
    """{role: [user, system]} of an appliance: seconds of all processes of each role."""
    found = {}
    for role, pids in server.workers().items():
        found[role] = [sum(t) for t in zip(*(times(p) for p in pids))]
    return found


def metrics(server):
    """{name: number} of an appliance, those without labels."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(server.folder / "run" / "api.sock"))
        s.sendall(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    return {m[0]: float(m[1]) for m in re.findall(r"^(\w+) ([0-9.e+]+)$", text, re.M)}


def pss_kib(pid):
    total = 0
    for p in tree(pid):
        try:
            for line in open(f"/proc/{p}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total


def disk_bytes(*folders):
    """What their files take on the disk, all blocks of them."""
    total = 0
    for folder in folders:
        for at, _, names in os.walk(folder):
            for name in names:
                try:
                    total += os.lstat(os.path.join(at, name)).st_blocks * 512
                except OSError:
                    continue  # gone meanwhile
    return total


def until_greeted(address, ports, seconds=60):
    """-> {port: seconds from now until it says something}; a web server is only connected to"""
    begin, found = time.perf_counter(), {}
    while len(found) < len(ports):
        for port in ports:
            if port in found:
                continue
            try:
                with socket.create_connection((address, port), seconds) as s:
                    if port != 8080 and not s.recv(64):
                        continue
            except OSError:
                continue
            found[port] = time.perf_counter() - begin
        if time.perf_counter() - begin > seconds:
            raise RuntimeError(f"{address}: only {found} of {ports}")
        time.sleep(0.002)
    return found
