import os
import signal
import sys
from pathlib import Path

# Two cores and other work beside us: waiting threads must sleep, not spin.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Jobs in the background of a shell ignore Ctrl-C, and so would the commands that are tested.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Modules that tests of several folders share: refweights, synth; clips, films, pictures.
for shared in ("reference", "corpus"):
    sys.path.insert(0, str(Path(__file__).parent / shared))
