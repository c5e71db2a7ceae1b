"""retry_after: whatever a provider writes, seconds or nothing."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire_server.providers.retry_after import retry_after

YEAR = 366 * 86_400


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": " 2 "}, 2),
        ({"retry-after": "86400"}, 86400),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e308"}, None),
        ({"retry-after": "99999999999999999999"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "7s"}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "0"}, 0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
        ({"retry-after-ms": "-5", "retry-after": "7"}, 7),
        ({"retry-after-ms": "nan"}, None),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00"}, 0),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 -0000"}, 0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 +99999999999999"}, None),
        ({"retry-after": "Mon, 32 Jan 2001 00:00:00 GMT"}, None),
    ],
)
def test_what_a_header_says(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000"])
def test_a_date_is_seconds_from_now(zone: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True).replace("GMT", zone)
    seconds = retry_after({"retry-after": date})
    assert seconds is not None
    assert 3500 < seconds <= 3600


digits = st.integers().map(str)
almost_dates = st.tuples(
    st.sampled_from(["Mon, ", "Xyz, ", ""]),
    digits,
    st.sampled_from([" Jan ", " Feb ", "-Dec-", " Foo "]),
    digits,
    st.sampled_from([" 00:00:00", " 24:61:61", " 1:2", ""]),
    st.one_of(st.sampled_from([" GMT", " EST", ""]), digits.map(lambda zone: f" +{zone}")),
).map("".join)


@given(
    seconds=st.one_of(st.text(max_size=40), almost_dates, digits, st.floats().map(str)),
    milliseconds=st.one_of(st.text(max_size=20), digits, st.floats().map(str)),
)
def test_nothing_makes_it_raise_or_leave_its_range(seconds: str, milliseconds: str) -> None:
    for headers in (
        {"retry-after": seconds},
        {"retry-after-ms": milliseconds},
        {"retry-after": seconds, "retry-after-ms": milliseconds},
    ):
        found = retry_after(headers)
        assert found is None or (math.isfinite(found) and 0 <= found <= YEAR)
