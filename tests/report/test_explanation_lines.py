from stress.report.explanation import WIDTH, labelled


def test_text_is_wrapped_under_its_own_beginning() -> None:
    first, *rest = labelled("label", "word " * 60, 12)

    assert first.startswith("label       word")
    assert all(line.startswith(" " * 12 + "word") for line in rest)
    assert all(len(line) <= WIDTH for line in (first, *rest))


def test_commands_are_never_broken_inside_a_word() -> None:
    assert labelled("", "x" * 200, 4) == [" " * 4 + "x" * 200]


def test_hostile_characters_are_shown() -> None:
    assert "\x1b" not in labelled("label", "\x1b[2J", 8)[0]


def test_text_fits_the_terminal_and_a_command_stays_in_one_piece() -> None:
    for width in (20, 60, 80, 120):
        lines = labelled("label", "word " * 60, 12, width)
        assert max(map(len, lines)) <= max(36, min(width, WIDTH))
    command = ("tls-stress", "run", "host", "--ca", "my ca.pem", *["--client"] * 20)

    assert labelled("next", command, 12, 60) == [
        "next",
        f"  tls-stress run host --ca 'my ca.pem'{' --client' * 20}",
    ]
