"""A short name for settings as they are in effect."""

import hashlib
import json

from tokenwire_server.settings import Settings


def fingerprint(settings: Settings) -> str:
    """16 hexadecimal digits, the same in each process with the same settings. Of secrets they tell only
    whether they are set, of callers' tokens only the names."""
    values = settings.model_dump(mode="json")  # each type of secret is dumped as what may be shown
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
