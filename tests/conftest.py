import os
import sys
from pathlib import Path

# Two cores and other work beside us: waiting threads must sleep, not spin.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

sys.path.insert(0, str(Path(__file__).parent / "reference"))  # refweights, synth
