import pytest

from stress.clients.profiles import client_text
from stress.handshake import stack_for
from stress.handshake.hello import ClientHello, read_hello
from stress.model.plan import Client
from tests.stacks import main_stack

CLIENT = Client(
    "odd",
    title="An \x1b[2J odd one",
    versions=(0x0304, 0x0303),
    alpn=("h2",),
    grease=True,
    cannot_express=("the order of extensions",),
)


def hello() -> ClientHello:
    machine = stack_for(CLIENT, main_stack(), server_name="edge.test").machine()
    return read_hello(machine.begin().send)


@pytest.mark.boringssl
def test_the_fields_are_those_of_the_bytes_that_leave() -> None:
    sent = hello()
    text = client_text(CLIENT, sent, "boringssl")

    assert sent.ja4 in text
    assert sent.ja3_md5 in text
    assert "\nversions                GREASE, TLS 1.3, TLS 1.2\n" in text
    assert "\nALPN                    h2\n" in text
    assert "\ncannot express          the order of extensions\n" in text


def test_names_do_nothing_and_lines_fit() -> None:
    text = client_text(CLIENT, hello(), "boringssl")

    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
