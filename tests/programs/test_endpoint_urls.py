"""programs/endpoint_urls.py: what it lets through, the HTTP client takes."""

import httpx
import pytest

from programs.endpoint_urls import check_url


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "rpc.example",
        "rpc.example.",
        "my_host",
        "127.0.0.1",
        "[::1]",
        "münchen.example",
    ],
)
def test_hosts_that_can_be_looked_up_are_let_through(host):
    url = f"https://{host}:8899/path?x=1"
    assert check_url(url, "http", "https") == url
    httpx.URL(url).host.encode("idna")


@pytest.mark.parametrize(
    "host",
    ["", "999.1.1.1", "1.2.3", "[::g]", "a..b", ".", "xn--", "xn--a", "a" * 64 + ".example"],
)
def test_hosts_on_which_the_client_would_end_with_an_error_of_its_own_are_refused(host):
    with pytest.raises(ValueError, match=r"^expected an http:// or https:// URL$"):
        check_url(f"https://{host}:8899/", "http", "https")
