"""The note that is closest to a question. Needs NumPy."""

import numpy as np

from tokenwire import Client

MODEL = "openai/text-embedding-3-small"
NOTES = ["How to reset a password", "Opening hours in December", "Invoices and refunds"]

with Client() as client:
    notes = client.embed(NOTES, model=MODEL).vectors
    question = client.embed("I forgot my password", model=MODEL).vectors[0]

closeness = notes @ question  # the vectors have length 1
best = int(np.argmax(closeness))
print(f"{NOTES[best]} ({notes.shape[1]} dimensions)")
