"""What the packages silero-vad and magika themselves say of the inputs kept here.

Writes silero.safetensors (fields audio and speech) and magika.json (files as text, with class and score).
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from magika import Magika
from safetensors.numpy import save_file
from silero_vad import load_silero_vad

HERE = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
RATE, WINDOW, WINDOWS = 16_000, 512, 24

# A voiced sound: harmonics of 140 Hz under three formants, with a syllable's loudness, then silence.
time = np.arange(WINDOW * WINDOWS) / RATE
envelope = np.clip(np.sin(2 * np.pi * 2.2 * time), 0, 1) * (time < 0.6)
audio = np.zeros_like(time)
for k in range(1, 30):
    gain = sum(np.exp(-(((140 * k - f) / 160) ** 2)) for f in (700, 1200, 2500))
    audio += gain * np.sin(2 * np.pi * 140 * k * time + k * k)
audio = (0.2 * envelope * audio).astype(np.float32)

model = load_silero_vad(onnx=True)
model.reset_states()
speech = [model(torch.from_numpy(audio[i : i + WINDOW]), RATE).item() for i in range(0, len(audio), WINDOW)]
save_file({"audio": audio, "speech": np.array(speech, dtype=np.float32)}, HERE / "silero.safetensors")

samples = [
    "def area(radius):\n    return 3.14159 * radius ** 2\n\nif __name__ == '__main__':\n    print(area(2))\n",
    "  \n\t{\"name\": \"zoo\", \"models\": [1, 2, 3], \"nested\": {\"key\": null}}\n\n",
    "#include <stdio.h>\nint main(void) {\n    printf(\"hello\\n\");\n    return 0;\n}\n",
    "<!DOCTYPE html>\n<html><head><title>t</title></head><body><p>hello</p></body></html>\n",
    "name,age,city\n" + "".join(f"person{i},{20 + i},town{i % 7}\n" for i in range(400)),
]
magika = Magika()
cases = []
for text in samples:
    found = magika.identify_bytes(text.encode())
    cases.append({"text": text, "label": str(found.dl.label), "score": found.score})
(HERE / "magika.json").write_text(json.dumps(cases, indent=1) + "\n")
versions = {name: version(name) for name in ("silero-vad", "magika", "onnxruntime", "torch", "numpy")}
versions["python"] = sys.version.split()[0]
(HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
print(np.round(speech, 3).tolist(), [(c["label"], round(c["score"], 4)) for c in cases])
