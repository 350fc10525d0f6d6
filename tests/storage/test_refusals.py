"""Servers that answer what no storage should: one line that says what and what helps, and nothing in its place."""

import itertools
import re
import time

import pytest

from scales_cli.errors import hint_of
from scales_cli.storage.refusals import own_errors

from .conftest import Answer

pytestmark = pytest.mark.filterwarnings("ignore")  # of clients that are not closed


def xml(code):
    return f"<Error><Code>{code}</Code><Message>{code} it is.</Message></Error>".encode()


HERE = (("Location", "/bucket/in/a.png"),)
REDIRECTS, REFUSES, DENIES = "redirects elsewhere (3", "refuses the request (400 ", "the storage denies access"
BUSY, NO_STORAGE, BREAKS_OFF = (
    "busy or broken (50",
    "does not answer as one (",
    "breaks off in the middle of its answer",
)
NOTHING = ("not a picture", "says it has it", "no such file", "there is no bucket")
ANSWERS = {
    "301": (Answer("301 Moved Permanently", xml("PermanentRedirect")), REDIRECTS),
    "301 empty": (Answer("301 Moved Permanently"), REDIRECTS),
    "301 to itself": (Answer("301 Moved Permanently", b"", HERE), "redirects without end"),
    "307 to itself": (Answer("307 Temporary Redirect", xml("TemporaryRedirect"), HERE), "redirects without end"),
    "400": (Answer("400 Bad Request", xml("InvalidRequest")), REFUSES),
    "400 empty": (Answer("400 Bad Request"), REFUSES),
    "400 HTML": (Answer("400 Bad Request", b"<html><body>No.</body></html>"), REFUSES),
    "400 region": (Answer("400 Bad Request", xml("AuthorizationHeaderMalformed")), REFUSES),
    "403": (Answer("403 Forbidden", xml("AccessDenied")), DENIES),
    "403 empty": (Answer("403 Forbidden"), DENIES),
    "403 key": (Answer("403 Forbidden", xml("InvalidAccessKeyId")), DENIES),
    "403 clock": (Answer("403 Forbidden", xml("RequestTimeTooSkewed")), DENIES),
    "404": (Answer("404 Not Found", xml("NoSuchBucket")), NOTHING),
    "404 empty": (Answer("404 Not Found"), NOTHING),
    "405": (Answer("405 Method Not Allowed", xml("MethodNotAllowed")), "the storage cannot do that (405 "),
    "409": (Answer("409 Conflict", xml("OperationAborted")), "at work on the same (409 "),
    "500": (Answer("500 Internal Server Error", xml("InternalError")), BUSY),
    "500 empty": (Answer("500 Internal Server Error"), BUSY),
    "503": (Answer("503 Slow Down", xml("SlowDown")), BUSY),
    "503 empty": (Answer("503 Service Unavailable"), BUSY),
    "700": (Answer("700 Unheard Of"), NO_STORAGE),
    "no end": (Answer("200 OK", b"<?xml version='1.0'?><ListB", size=5000), BREAKS_OFF),
    "200 and an error": (Answer("200 OK", xml("InternalError")), BUSY),
    "200 HTML": (
        Answer("200 OK", b"<html><body>Log in.</body></html>"),
        NOTHING,
    ),
    "200 empty": (Answer("200 OK"), NOTHING),
}
# Of listings, botocore looks for the region when it is sent elsewhere; a picture that is an error is no picture.
OTHERS = {
    ("list", "301 to itself"): BUSY,
    ("list", "307 to itself"): BUSY,
    ("get", "200 and an error"): "sends more than it was asked for",
    ("get", "200 HTML"): "sends more than it was asked for",
}
OPERATIONS = ("list", "get", "put")
GRID = list(itertools.product(ANSWERS, OPERATIONS))


@pytest.fixture(scope="module")
def own_client():
    """What is kept of clients is of this module."""
    s3fs = pytest.importorskip("s3fs")
    s3fs.S3FileSystem.clear_instance_cache()
    yield
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def impatient(own_client, monkeypatch):
    """Requests are made twice, as five times take longer."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        pytest.param(*case, marks=() if (index // 3) % 2 == 0 and index % 3 == (index // 6) % 3 else pytest.mark.slow)
        for index, case in enumerate(GRID)
    ],
)
def test_what_a_server_answers_is_said_in_a_line(impatient, s3, run, picture, name, operation):
    s3.pipe_file("bucket/in/a.png", picture())
    answer, words = ANSWERS[name]
    words = OTHERS.get((operation, name), words)

    def fault(method, path):
        asked = {"GET": "get" if path.endswith(".png") else "list", "PUT": "put"}.get(method)
        return answer if asked == operation else None

    s3.server.fault = fault
    began = time.monotonic()
    if operation == "list":
        code, out, err = run("batch", "s3://bucket/in", "-o", "out", "-s", "2", "-m", "tiny", "-j", "1")
    else:
        code, out, err = run("upscale", "s3://bucket/in/a.png", "-o", "s3://bucket/b.png", "-s", "2", "-m", "tiny")
    s3.server.fault = lambda method, path: None
    assert (code, out, err.count("\n")) == (4 if operation == "put" else 3, "", 1), err
    assert any(said in err for said in ([words] if isinstance(words, str) else words)), err
    assert ("(" in err, "HTTP" in err, "://127" in err) == (True, False, False), err
    assert time.monotonic() - began < 60  # 4 on a machine that has nothing else to do
    assert s3.find("bucket") == ["bucket/in/a.png"]


class HttpError(Exception):
    """As Google's."""

    def __init__(self, code):
        super().__init__(f"{code}: https://storage/file?token=secret")
        self.code = code


@pytest.mark.parametrize(
    ("error", "number", "words", "hint"),
    [
        (RecursionError("maximum recursion depth exceeded"), 5, "redirects without end", "the endpoint"),
        (TimeoutError(), 110, "does not answer", "later"),
        (HttpError(401), 13, "denies access", ""),
        (HttpError(404), 2, "no such file", ""),
        (HttpError(429), 5, "busy or broken (429 Too Many Requests)", "later"),
        (HttpError(502), 5, "busy or broken (502 Bad Gateway)", "later"),
        (KeyError("key?token=secret"), 5, "key?...", ""),
        (ValueError("Must provide either a connection_string or account_name"), 5, "no account is named", "AZURE_"),
    ],
)
def test_what_libraries_raise_is_an_error_of_our_own(error, number, words, hint):
    with pytest.raises(OSError, match=re.escape(words)) as caught, own_errors():
        raise error
    found = caught.value
    assert (found.errno, hint in hint_of(found, "")) == (number, True), found
    assert "secret" not in str(found)
