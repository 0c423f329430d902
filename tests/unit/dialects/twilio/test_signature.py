"""X-Twilio-Signature: the vectors of wire-contract section 8.7, and Twilio's own validator."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from orchestrator.dialects.twilio.signature import sign

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PARAMETERS = st.lists(st.tuples(st.one_of(st.sampled_from(["A", "a", "Aa", "B", ""]), TEXT), TEXT), max_size=8)
URLS = st.builds(
    lambda scheme, host, port, path, query: f"{scheme}://{host}{port}{path}{query}",
    st.sampled_from(["http", "https"]),
    st.sampled_from(["app.example", "127.0.0.1", "user:pw@app.example"]),
    st.sampled_from(["", ":80", ":443", ":8080"]),
    st.sampled_from(["/", "/cb", "/a/b.php"]),
    st.sampled_from(["", "?a=1", "?a=1&b=%20c&a=2"]),
)


@pytest.mark.parametrize(
    ("url", "parameters", "signature"),
    [
        (
            "https://mycompany.com/myapp.php?foo=1&bar=2",
            [("CallSid", "CA1234567890ABCDE"), ("Caller", "+14158675309"), ("Digits", "1234"),
             ("From", "+14158675309"), ("To", "+18005551212")],
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
        (
            "http://127.0.0.1:8080/cb",
            [("StatusCallbackEvent", "participant-join"), ("FriendlyName", "my room"), ("Muted", "false")],
            "43nv+YaIs7pGfTZ75IfNd/LedKE=",
        ),
        ("http://127.0.0.1:8080/cb?CallSid=CA1&Muted=false", [], "Q9OlWZL+O609Kc0G79IphSQj4ds="),
        ("http://x/", [("A", "b"), ("A", "a"), ("A", "b")], "qh+ZEFQdiRXYhGYFz0Q5x+dTseY="),
    ],
)  # fmt: skip
def test_the_contracts_vectors(url: str, parameters: list[tuple[str, str]], signature: str) -> None:
    """Computed with Twilio's Python SDK."""
    assert sign("12345", url, parameters) == signature


@given(TEXT.filter(bool), URLS, PARAMETERS)
def test_twilios_validator_accepts_what_we_sign(token: str, url: str, parameters: list[tuple[str, str]]) -> None:
    """Any token, URL and parameters: repeated names, repeated values, any character."""
    assert RequestValidator(token).validate(url, MultiDict(parameters), sign(token, url, parameters))


@given(URLS, PARAMETERS, PARAMETERS)
def test_twilios_validator_refuses_what_we_did_not_sign(
    url: str, signed: list[tuple[str, str]], sent: list[tuple[str, str]]
) -> None:
    """Accepted exactly if the parameters are the same set, but for how their texts run together."""
    together = ["".join(name + value for name, value in sorted(set(each))) for each in (signed, sent)]

    assert RequestValidator("t").validate(url, MultiDict(sent), sign("t", url, signed)) is (together[0] == together[1])


@given(PARAMETERS)
def test_the_order_of_the_parameters_does_not_matter(parameters: list[tuple[str, str]]) -> None:
    """A receiver reads them from a form in any order."""
    assert sign("t", "http://x/", parameters) == sign("t", "http://x/", parameters[::-1])
