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
    assert retry_after(429, headers) == seconds
    assert retry_after(503, headers) == seconds


REQUESTS, TOKENS = "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({REQUESTS: "1s"}, 1),
        ({REQUESTS: "6m0s"}, 360),
        ({TOKENS: "250ms"}, 0.25),
        ({TOKENS: "1h2m3.5s"}, 3723.5),
        ({TOKENS: "1m30s", REQUESTS: "2s"}, 90),
        ({TOKENS: "34"}, 34),
        ({TOKENS: "1.5"}, 1.5),
        ({TOKENS: "0s", REQUESTS: "0s"}, None),
        ({TOKENS: "0s", REQUESTS: "6ms"}, 0.006),
        ({TOKENS: "soon", REQUESTS: "2s"}, 2),
        ({TOKENS: "-1s"}, None),
        ({TOKENS: "nan"}, None),
        ({TOKENS: "1s2"}, None),
        ({TOKENS: "s"}, None),
        ({TOKENS: "9" * 400 + "h"}, None),
        ({"x-ratelimit-reset": "1741305600000"}, None),
        ({TOKENS: "9s", "retry-after": "7"}, 7),
        ({TOKENS: "9s", "retry-after-ms": "250"}, 0.25),
        ({TOKENS: "9s", "retry-after": "soon"}, None),
    ],
)
def test_when_limits_reset_counts_where_nothing_else_is_said(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(429, headers) == seconds


@pytest.mark.parametrize("status", [200, 400, 500, 503])
def test_when_limits_reset_says_nothing_of_other_failures(status: int) -> None:
    assert retry_after(status, {REQUESTS: "1s", TOKENS: "1s"}) is None


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000"])
def test_a_date_is_seconds_from_now(zone: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True).replace("GMT", zone)
    seconds = retry_after(503, {"retry-after": date})
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

almost_durations = st.lists(
    st.tuples(
        st.one_of(digits, st.floats().map(str)), st.sampled_from(["h", "m", "s", "ms", "ns", "", " "])
    ).map("".join),
    max_size=4,
).map("".join)


@given(
    seconds=st.one_of(st.text(max_size=40), almost_dates, digits, st.floats().map(str)),
    milliseconds=st.one_of(st.text(max_size=20), digits, st.floats().map(str)),
    reset=st.one_of(st.text(max_size=20), almost_durations),
)
def test_nothing_makes_it_raise_or_leave_its_range(seconds: str, milliseconds: str, reset: str) -> None:
    for headers in (
        {"retry-after": seconds},
        {"retry-after-ms": milliseconds},
        {"retry-after": seconds, "retry-after-ms": milliseconds},
        {REQUESTS: reset, TOKENS: seconds},
    ):
        found = retry_after(429, headers)
        assert found is None or (math.isfinite(found) and 0 <= found <= YEAR)
