"""A Python program that is `jointvos` and at its end prints its peak memory, in KiB (Linux)."""

# Not getrusage: its peak begins with that of the process that forked.
PEAK = """
import atexit, pathlib, re
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: print(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]))
from jointvos.__main__ import main
main()
"""
