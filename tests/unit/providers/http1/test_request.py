"""A request's head."""

import pytest

from tokenwire_server.providers.http1.request import Origin, request, target


@pytest.mark.parametrize(
    ("url", "origin", "path", "authority"),
    [
        ("https://api.openai.com/v1/models", ("api.openai.com", 443, True), "/v1/models", "api.openai.com"),
        ("http://localhost:8000", ("localhost", 8000, False), "/", "localhost:8000"),
        ("http://[::1]:8000/v1", ("::1", 8000, False), "/v1", "[::1]:8000"),
        ("https://a.b/v1?x=1%2F2&y", ("a.b", 443, True), "/v1?x=1%2F2&y", "a.b"),
        ("https://a.b/c%20d/{e}", ("a.b", 443, True), "/c%20d/%7Be%7D", "a.b"),
    ],
)
def test_a_url(url: str, origin: tuple[str, int, bool], path: str, authority: str) -> None:
    assert target(url) == (Origin(*origin), path, authority)


def test_a_head() -> None:
    made = request("POST", "http://a.b/c", {"x-a": "ä"})
    assert made.origin == Origin("a.b", 80, tls=False)
    head = b"POST /c HTTP/1.1\r\nhost: a.b\r\nx-a: \xc3\xa4\r\n"
    assert made.sized(b"{}") == head + b"content-length: 2\r\n\r\n"
    assert made.sized(b"") == head + b"\r\n"


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb: c", "a\rb: c", "a\0", "\n"])
def test_a_header_begins_no_other(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        request("POST", "http://a.b", {"x-a": value})
    with pytest.raises(ValueError, match="line break"):
        request("POST", "http://a.b", {value: "x"})
