"""The text of an invitation survives hands, voices and cameras, and a slip is seen."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshnews.crypto.entropy import SeededEntropy
from meshnews.desk.invitation import (
    CODE_CHARS,
    Fault,
    Invitation,
    Mistyped,
    grouped,
    read_code,
)
from meshnews.errors import LocalMisuse
from meshnews.ids import DeskId

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
DESK = DeskId(bytes(range(16)))
PARTS = st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
SEPARATORS = st.sampled_from(
    ["", " ", "-", "  ", "\n", "\t", "\u00a0", "\u2013", "\u2212", "\u00ad"]
)


def of(parts: tuple[bytes, bytes]) -> Invitation:
    return Invitation(parts[0], DeskId(parts[1]))


def fault(text: str) -> Fault:
    with pytest.raises(Mistyped) as caught:
        read_code(text)
    return caught.value.fault


def test_a_known_invitation_has_this_code() -> None:
    assert Invitation(bytes(16), DESK).code == (
        "m1-aaaaaaaaaaaaaaaaaaaaaaaaaaaacaqdaqcqmbyibefawdanbyhzakxz"
    )


@given(PARTS)
def test_what_was_given_out_is_read_again(parts: tuple[bytes, bytes]) -> None:
    invitation = of(parts)
    assert len(invitation.code) == 3 + CODE_CHARS
    assert set(invitation.code[3:]) <= set(ALPHABET)
    assert read_code(invitation.code) == invitation
    assert read_code(grouped(invitation.code)) == invitation


@given(PARTS, st.data())
def test_case_spaces_and_dashes_say_nothing(
    parts: tuple[bytes, bytes], data: st.DataObject
) -> None:
    typed = "".join(
        (each.upper() if data.draw(st.booleans()) else each) + data.draw(SEPARATORS)
        for each in of(parts).code
    )
    assert read_code(f" {typed}\r\n") == of(parts)


@given(PARTS)
def test_digits_for_letters_are_read_as_what_they_look_like(parts: tuple[bytes, bytes]) -> None:
    code = of(parts).code
    assert read_code(code[:3] + code[3:].replace("o", "0").replace("b", "8")) == of(parts)
    ones = code[3:].replace("i", "1", 4).replace("l", "1", 4)
    assert read_code(code[:3] + ones) == of(parts)
    assert read_code("ml" + code[2:]) == of(parts)
    assert read_code("MI" + code[2:]) == of(parts)


@given(PARTS, st.integers(3, 58), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_seen(parts: tuple[bytes, bytes], at: int, other: str) -> None:
    code = of(parts).code
    if code[at] == other:
        return
    assert fault(code[:at] + other + code[at + 1 :]) is Fault.SUM


@given(PARTS, st.integers(3, 57))
def test_two_characters_in_the_wrong_order_are_seen(parts: tuple[bytes, bytes], at: int) -> None:
    code = of(parts).code
    swapped = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
    if swapped != code:
        assert fault(swapped) is Fault.SUM


def test_what_is_wrong_is_told_apart() -> None:
    code = Invitation.draw(DESK, SeededEntropy(b"x")).code
    assert fault("") is Fault.FOREIGN
    assert fault("https://example.org/") is Fault.FOREIGN
    assert fault(code[3:]) is Fault.FOREIGN
    assert fault(code[:-1]) is Fault.LENGTH
    assert fault(code + "a") is Fault.LENGTH
    assert fault("m1" * 200) is Fault.LENGTH
    assert fault("m1-" + "1" * CODE_CHARS) is Fault.SUM
    with pytest.raises(Mistyped) as caught:
        read_code(grouped(code[:10] + "9" + code[11:]))
    assert (caught.value.fault, caught.value.count) == (Fault.CHARACTER, 8)


@given(st.text(max_size=300))
@example("m1-\u0130")
@example("m1-" + "1" * 56)
@example("M1\u212a")
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Mistyped):
        read_code(text)


def test_an_invitation_hides_its_secret_and_is_whole() -> None:
    invitation = Invitation(b"secret secret 16", DESK)
    assert "secret" not in repr(invitation).replace("secret=", "")
    assert invitation.mark != Invitation(bytes(16), DESK).mark
    assert len(invitation.mark) == 16
    with pytest.raises(LocalMisuse):
        Invitation(b"short", DESK)
