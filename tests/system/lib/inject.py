"""Makes a running process do system calls, as somebody who has taken it over would.

One thread of it is halted by ptrace and given the registers of a call; the two instructions it
runs stand at the entry of its program, where nobody comes again after its start. Only general
registers are read and written: debuggers also save the extended ones to call a function, and
those of Debian 12 fail at that on processors with AMX.
"""
import contextlib
import ctypes
import os
import pathlib
import platform
import struct
import time

SEIZE, INTERRUPT, CONT, DETACH, GETREGSET, SETREGSET = 0x4206, 0x4207, 7, 17, 0x4204, 0x4205
NT_PRSTATUS, NT_ARM_SYSTEM_CALL = 1, 0x404
WALL = 0x40000000
SIGTRAP = 5
AT_ENTRY = 9
LIMIT_S = 30
PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS = 3, 0x22
MEMORY_BYTES = 1 << 16

# Registers by their index in NT_PRSTATUS; "code" calls the kernel and then halts.
MACHINES = {
    "x86_64": {"words": 27, "number": 10, "result": 10, "ip": 16, "called": 15,
               "args": (14, 13, 12, 7, 9, 8), "code": b"\x0f\x05\xcc"},
    "aarch64": {"words": 34, "number": 8, "result": 0, "ip": 32, "called": None,
                "args": (0, 1, 2, 3, 4, 5), "code": b"\x01\x00\x00\xd4\x00\x00\x20\xd4"},
}
NUMBERS = {  # of system calls: x86_64, aarch64
    "openat": (257, 56), "unlinkat": (263, 35), "execve": (59, 221), "clone": (56, 220),
    "ptrace": (101, 117), "kill": (62, 129), "setuid": (105, 146), "chroot": (161, 51),
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "recvfrom": (45, 207),
    "write": (1, 64), "close": (3, 57), "getpid": (39, 172), "mmap": (9, 222),
    "munmap": (11, 215),
}
COLUMN = list(MACHINES).index(platform.machine())
MACHINE = MACHINES[platform.machine()]
NONE = (1 << 64) - 1

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


def ptrace(request, pid, address=0, data=0):
    if libc.ptrace(request, pid, address, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {pid}")


def entry_of(pid):
    words = struct.iter_unpack("<QQ", pathlib.Path(f"/proc/{pid}/auxv").read_bytes())
    return next(value for key, value in words if key == AT_ENTRY)


class Taken:
    """A process whose first thread is halted; see taken()."""

    def __init__(self, pid):
        self.pid = pid
        self.memory = open(f"/proc/{pid}/mem", "r+b", buffering=0)
        self.entry = entry_of(pid)
        self.code = self.peek(self.entry, len(MACHINE["code"]))
        self.saved = None
        self.room = self.used = 0

    def peek(self, address, n):
        self.memory.seek(address)
        return self.memory.read(n)

    def poke(self, address, data):
        self.memory.seek(address)
        self.memory.write(data)

    def wait(self):
        """-> the signal it halted with"""
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            found, status = os.waitpid(self.pid, WALL | os.WNOHANG)
            if not found:
                time.sleep(0.0005)
            elif not os.WIFSTOPPED(status):
                raise RuntimeError(f"process {self.pid} ended: status {status:#x}")
            else:
                return os.WSTOPSIG(status)
        raise TimeoutError(f"process {self.pid} does not come back from a system call")

    def registers(self, kind=NT_PRSTATUS, words=MACHINE["words"], put=None):
        data = (ctypes.c_uint64 * words)(*(put or ()))
        vector = Vector(ctypes.addressof(data), ctypes.sizeof(data))
        ptrace(SETREGSET if put else GETREGSET, self.pid, kind, ctypes.addressof(vector))
        return list(data)

    def halt(self):
        ptrace(SEIZE, self.pid)
        ptrace(INTERRUPT, self.pid)
        self.wait()
        self.saved = self.registers()
        self.poke(self.entry, MACHINE["code"])
        self.room = self.call("mmap", 0, MEMORY_BYTES, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS,
                              NONE, 0)
        if self.room < 0:
            raise OSError(-self.room, "mmap")

    def call(self, name, *args):
        """What the kernel answers: negative is an errno."""
        registers = list(self.saved)
        for index, value in zip(MACHINE["args"], args):
            registers[index] = value & NONE
        registers[MACHINE["number"]] = NUMBERS[name][COLUMN]
        registers[MACHINE["ip"]] = self.entry
        self.not_in_a_call(registers)
        self.registers(put=registers)
        signals = []
        while True:
            ptrace(CONT, self.pid)
            signal = self.wait()
            if signal == SIGTRAP:
                break
            signals.append(signal)
        for signal in signals:
            os.kill(self.pid, signal)
        result = self.registers()[MACHINE["result"]]
        return result - (1 << 64) if result >> 63 else result

    def not_in_a_call(self, registers):
        """The kernel is not to begin again what it was halted in: that is for the end."""
        if MACHINE["called"] is not None:
            registers[MACHINE["called"]] = NONE
        else:
            self.registers(NT_ARM_SYSTEM_CALL, 1, [NONE])

    def bytes(self, data):
        """-> the address in the process of a copy of data"""
        address = self.room + self.used
        self.used += -(-len(data) // 16) * 16
        if self.used > MEMORY_BYTES:
            raise MemoryError("more than MEMORY_BYTES asked for")
        self.poke(address, data)
        return address

    def text(self, string):
        return self.bytes(string.encode() + b"\0")

    def release(self):
        if self.room > 0:
            self.call("munmap", self.room, MEMORY_BYTES)
        self.poke(self.entry, self.code)
        self.registers(put=self.saved)
        ptrace(DETACH, self.pid)
        self.memory.close()


@contextlib.contextmanager
def taken(pid):
    """The process does nothing of its own until the end of the block; then it goes on where it
    was."""
    process = Taken(pid)
    process.halt()
    try:
        yield process
    finally:
        process.release()
