"""The risk of a transaction history, as a typed value."""

import json
from typing import Literal

from pydantic import BaseModel

from tokenwire import Client

HISTORY = [
    {"date": "2026-03-01", "merchant": "Grocer", "amount": 42.10, "country": "FR"},
    {"date": "2026-03-01", "merchant": "Casino", "amount": 1900.0, "country": "MT"},
    {"date": "2026-03-02", "merchant": "Casino", "amount": 2400.0, "country": "MT"},
]


class Risk(BaseModel):
    """How risky a transaction history is."""

    level: Literal["low", "medium", "high"]
    reasons: list[str]
    suspicious: list[int]
    """Indices of the transactions."""


with Client() as client:
    risk = client.parse(
        Risk,
        f"Assess these transactions:\n{json.dumps(HISTORY)}",
        system="You are a fraud analyst. Be precise, and name what you saw.",
        temperature=0,
        repairs=1,
    )
print(f"{risk.level} risk: {', '.join(risk.reasons)}")
