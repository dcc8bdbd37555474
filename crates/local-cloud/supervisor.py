"""Runs a command and stops it when standard input is closed, which happens whenever the parent process ends.

The first argument is a file for the process id of the command.
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
    # SIGTERM first, so that the emulator saves its state and stops its functions.
    child.terminate()
    try:
        child.wait(timeout=15)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)


threading.Thread(target=stop_with_parent, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
sys.exit(child.wait())
