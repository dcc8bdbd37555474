"""Runs a command and ends it when standard input ends, which it does when the parent is gone, however it went.

The first argument is a file for the number of the command's process.
"""

import os
import signal
import subprocess
import sys
import threading

# Ctrl-C in a terminal reaches every process; the parent decides when the emulator stops.
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, start_new_session=True)
with open(sys.argv[1], "w") as file:
    file.write(str(child.pid))


def stop_with_parent():
    sys.stdin.buffer.read()
    # An orderly end, at which the emulator saves its state and ends the functions that it runs.
    child.terminate()
    try:
        child.wait(timeout=15)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)


threading.Thread(target=stop_with_parent, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
sys.exit(child.wait())
