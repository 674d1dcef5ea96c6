"""Signing keys and signed bytes."""

from __future__ import annotations

import base64
import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedstats.errors import SignatureInvalid, ValueInvalid
from fedstats.identity.keys import Context, PublicKey, Signed, SigningKey

KEY = SigningKey.from_seed(b"\x01" * 32)
OTHER = SigningKey.from_seed(b"\x02" * 32)
CONTEXTS = st.sampled_from(list(Context))


@given(CONTEXTS, st.binary(max_size=200))
def test_a_signature_verifies(context: Context, payload: bytes) -> None:
    """What a key signed, its public half accepts, and hands out the very bytes that were signed."""
    assert Signed.make(context, payload, KEY).verify(context) == payload


@given(CONTEXTS, CONTEXTS, st.binary(max_size=50))
def test_a_signature_counts_for_one_kind_of_document(made: Context, shown: Context, payload: bytes) -> None:
    """A signature made for one kind of document is refused for every other kind."""
    signed = Signed.make(made, payload, KEY)
    if shown is made:
        assert signed.verify(shown) == payload
    else:
        with pytest.raises(SignatureInvalid):
            signed.verify(shown)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_any_flipped_bit_is_refused(payload: bytes, data: st.DataObject) -> None:
    """One changed bit, in the payload, the key or the signature, and nothing verifies."""
    signed = Signed.make(Context.ROUND, payload, KEY)
    parts = {"payload": signed.payload, "key": signed.key.raw, "signature": signed.signature}
    name = data.draw(st.sampled_from(sorted(parts)))
    bit = data.draw(st.integers(0, 8 * len(parts[name]) - 1))
    flipped = bytearray(parts[name])
    flipped[bit // 8] ^= 1 << (bit % 8)
    parts[name] = bytes(flipped)
    changed = Signed(parts["payload"], PublicKey(parts["key"]), parts["signature"])
    with pytest.raises(SignatureInvalid):
        changed.verify(Context.ROUND)


def test_another_key_is_refused() -> None:
    """Nobody can put their name under what somebody else signed."""
    signed = Signed.make(Context.QUERY, b"question", KEY)
    with pytest.raises(SignatureInvalid, match="query"):
        Signed(signed.payload, OTHER.public, signed.signature).verify(Context.QUERY)


def test_signed_bytes_are_those_of_the_specification() -> None:
    """Another implementation can check our signatures: Ed25519 over prefix, context, zero byte, payload."""
    bare = KEY._private.sign(b"fedstats/v1/release\x00payload")
    assert KEY.sign(Context.RELEASE, b"payload") == bare


def test_no_context_is_a_prefix_trap() -> None:
    """No context holds the separator, so two pairs of context and payload never give the same bytes."""
    values = [context.value for context in Context]
    assert len(set(values)) == len(values) == len(Context)
    assert all(value.isascii() and value.isalpha() for value in values)


def test_the_first_test_vector_of_rfc_8032() -> None:
    """The keys are plain Ed25519: seed and public key of RFC 8032, section 7.1, test 1."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert SigningKey.from_seed(seed).public.raw.hex() == public


def test_fingerprint_is_a_hash_in_groups_of_four() -> None:
    """People compare 32 letters of SHA-256 in base32, 8 groups of 4, computed from the raw key alone."""
    digest = hashlib.sha256(KEY.public.raw).digest()[:20]
    fingerprint = KEY.public.fingerprint
    assert fingerprint.replace("-", "") == base64.b32encode(digest).decode().lower()
    assert [len(group) for group in fingerprint.split("-")] == [4] * 8


def test_fingerprints_are_compared_whole() -> None:
    """Case, spaces and dashes do not matter; a missing, changed or added letter does."""
    fingerprint = KEY.public.fingerprint
    assert KEY.public.has_fingerprint(f" {fingerprint.upper().replace('-', ' ')}\n")
    assert not KEY.public.has_fingerprint(fingerprint[:-1])
    assert not KEY.public.has_fingerprint(fingerprint[:-5])
    assert not KEY.public.has_fingerprint(fingerprint + "a")
    assert not KEY.public.has_fingerprint("")
    assert not OTHER.public.has_fingerprint(fingerprint)


def test_private_keys_stay_out_of_text_and_pickles() -> None:
    """No repr, format or pickle carries the secret."""
    shown = f"{KEY!r} {KEY} {[KEY]}"
    secret = KEY._private.private_bytes_raw()
    assert KEY.public.fingerprint in shown
    assert secret.hex() not in shown
    assert repr(secret) not in shown
    with pytest.raises(TypeError):
        pickle.dumps(KEY)


def test_two_generated_keys_differ() -> None:
    """Keys come from the operating system's randomness."""
    assert SigningKey.generate().public != SigningKey.generate().public


@pytest.mark.parametrize("length", [0, 31, 33])
def test_keys_and_signatures_of_other_lengths_do_not_exist(length: int) -> None:
    """A key, a seed or a signature that exists has its right length."""
    with pytest.raises(ValueInvalid):
        PublicKey(b"\x00" * length)
    with pytest.raises(ValueInvalid):
        SigningKey.from_seed(b"\x00" * length)
    with pytest.raises(SignatureInvalid):
        Signed(b"payload", KEY.public, b"\x00" * length)


def test_pem_holds_an_ed25519_key_or_is_refused() -> None:
    """A key survives its PEM; other bytes are refused with a sentence."""
    assert SigningKey.from_private_pem(KEY.private_pem()).public == KEY.public
    with pytest.raises(ValueInvalid, match="PEM"):
        SigningKey.from_private_pem(b"not a key")
