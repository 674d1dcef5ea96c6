"""The one suite that every mechanism passes; it finds them by their files.

What is said of a vector is said of short ones, which OpenDP draws, and of long ones, which the table sampler
draws.
"""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from opendp.mod import GLOBAL_FEATURES

from fedstats.core.accounting import SCALE_MAX, SCALE_MIN, loss_of_scale, noise_scale
from fedstats.core.aggregate.exact import Integers
from fedstats.core.noise import noise_sd
from fedstats.core.privacy import Mechanism, MechanismLoss, Sensitivity
from fedstats.errors import FedstatsError, InternalError
from fedstats.mechanisms import NoiseMechanism, mechanism_of, mechanisms_here
from fedstats.mechanisms._opendp import LONG_CELLS_MIN

SHORT, LONG = 11, LONG_CELLS_MIN
EITHER_LENGTH = pytest.mark.parametrize("cells", [SHORT, LONG_CELLS_MIN - 1, LONG])
ONE = Sensitivity(d1=1, d2_squared=1)
ANY_LOSS = Fraction(10**9)
WIDE = Fraction(10**6)


@pytest.fixture(scope="module", params=mechanisms_here(), ids=lambda name: name.value)
def mechanism(request: pytest.FixtureRequest) -> NoiseMechanism:
    """Each mechanism of the folder in turn."""
    return mechanism_of(request.param)


def zeros(length: int) -> Integers:
    """An exact result in which every cell is empty."""
    return np.zeros(length, dtype=np.int64)


def draws(mechanism: NoiseMechanism, scale: Fraction, count: int, cells: int) -> Integers:
    """Noise of so many cells or a few more, drawn for vectors of `cells` at a time."""
    return np.concatenate(
        [
            mechanism.add_noise(zeros(cells), scale=scale, sensitivity=ONE, allowed=ANY_LOSS)
            for _ in range(-(-count // cells))
        ]
    )


def test_every_mechanism_that_can_be_asked_for_has_its_file() -> None:
    """The names of agreements and of the wire are the files of the folder, no more and no fewer."""
    assert set(mechanisms_here()) == set(Mechanism)


def test_a_mechanism_says_what_it_is(mechanism: NoiseMechanism) -> None:
    """Its name finds it again, and reports have a sentence about it."""
    assert mechanism_of(mechanism.name) is mechanism
    assert mechanism.description.endswith(".")


@EITHER_LENGTH
def test_integers_in_integers_out_shape_kept(mechanism: NoiseMechanism, cells: int) -> None:
    """A release is a vector of int64 as long as the exact one, and the exact one is not touched."""
    values = np.arange(-5, cells - 5, dtype=np.int64)
    noisy = mechanism.add_noise(values, scale=WIDE, sensitivity=ONE, allowed=ANY_LOSS)
    assert noisy.dtype == np.int64
    assert noisy.shape == values.shape
    assert values.tolist() == list(range(-5, cells - 5))


def test_nothing_stays_nothing(mechanism: NoiseMechanism) -> None:
    """A table without cells is released as a table without cells."""
    noisy = mechanism.add_noise(zeros(0), scale=WIDE, sensitivity=ONE, allowed=ANY_LOSS)
    assert noisy.shape == (0,)
    assert noisy.dtype == np.int64


@pytest.mark.parametrize("cells", [LONG_CELLS_MIN - 1, LONG])
@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(5), Fraction(2**20), SCALE_MAX])
def test_the_scale_is_honoured(mechanism: NoiseMechanism, scale: Fraction, cells: int) -> None:
    """Mean square of 4,000 draws within 6 standard errors (kurtosis at most 9): false alarm below 1e-7."""
    noise = draws(mechanism, scale, 4000, cells)
    ratio = float(np.mean(noise.astype(np.float64) ** 2)) / noise_sd(mechanism.name, scale, 1) ** 2
    assert abs(ratio - 1) < 6 * sqrt(8 / len(noise))


@pytest.mark.parametrize("times", [1, LONG_CELLS_MIN])
def test_noise_is_added_around_the_exact_value(mechanism: NoiseMechanism, times: int) -> None:
    """With the least scale practically no noise is left, and large and small exact values are seen."""
    values = np.array([0, 1, -1, 2**60, -(2**60)] * times, dtype=np.int64)
    noisy = mechanism.add_noise(values, scale=SCALE_MIN, sensitivity=ONE, allowed=ANY_LOSS)
    assert noisy.tolist() == values.tolist()


@EITHER_LENGTH
def test_no_two_calls_and_no_two_cells_share_their_noise(mechanism: NoiseMechanism, cells: int) -> None:
    """Thousands of cells of equal value, in many calls, get as many different noises."""
    noise = draws(mechanism, SCALE_MAX, 5000, cells)
    assert len(np.unique(noise)) == len(noise)


@EITHER_LENGTH
def test_what_was_charged_is_enough(mechanism: NoiseMechanism, cells: int) -> None:
    """The scale that a loss buys is accepted for that loss."""
    sensitivity = Sensitivity(d1=7, d2_squared=13)
    loss = MechanismLoss(mechanism.name, Fraction(1, 37))
    scale = noise_scale(sensitivity, loss)
    mechanism.add_noise(zeros(cells), scale=scale, sensitivity=sensitivity, allowed=loss.amount)


@given(
    d1=st.integers(1, 2**40),
    cells=st.integers(1, 2**10),
    amount=st.fractions(Fraction(1, 2**36), 200, max_denominator=2**40),
)
def test_the_proof_of_the_noise_library_never_exceeds_the_charged_loss(
    mechanism: NoiseMechanism, d1: int, cells: int, amount: Fraction
) -> None:
    """For every sensitivity and loss, OpenDP's own map, rounded up, is within what was charged."""
    sensitivity = Sensitivity(d1=d1, d2_squared=-(-d1 * d1 // cells))
    try:
        scale = noise_scale(sensitivity, MechanismLoss(mechanism.name, amount))
    except FedstatsError:
        assume(False)  # noqa: FBT003  # hypothesis: a scale out of range is another test's subject
    assert len(mechanism.add_noise(zeros(1), scale=scale, sensitivity=sensitivity, allowed=amount)) == 1


@EITHER_LENGTH
def test_less_noise_than_was_charged_for_is_refused(mechanism: NoiseMechanism, cells: int) -> None:
    """A scale a billionth too small releases nothing."""
    loss = MechanismLoss(mechanism.name, Fraction(1, 10))
    scale = noise_scale(ONE, loss)
    with pytest.raises(InternalError, match="more privacy than was charged"):
        mechanism.add_noise(
            zeros(cells), scale=scale, sensitivity=ONE, allowed=loss.amount * (1 - Fraction(1, 10**9))
        )
    with pytest.raises(InternalError, match="more privacy than was charged"):
        mechanism.add_noise(
            zeros(cells), scale=scale, sensitivity=Sensitivity(d1=2, d2_squared=2), allowed=loss.amount
        )


@EITHER_LENGTH
def test_the_proof_of_the_noise_library_is_asked_too(mechanism: NoiseMechanism, cells: int) -> None:
    """At scale 3 its map is a last bit above the exact loss: if only that is allowed, nothing leaves."""
    two = Sensitivity(d1=2, d2_squared=4)
    exact = loss_of_scale(mechanism.name, two, Fraction(3))
    with pytest.raises(InternalError, match="more privacy than was charged"):
        mechanism.add_noise(zeros(cells), scale=Fraction(3), sensitivity=two, allowed=exact)
    enough = exact * (1 + Fraction(1, 10**12))
    mechanism.add_noise(zeros(cells), scale=Fraction(3), sensitivity=two, allowed=enough)


@pytest.mark.parametrize("scale", [Fraction(0), Fraction(-1), Fraction(1, 3), Fraction(2**53 + 1)])
@EITHER_LENGTH
def test_a_scale_that_is_no_float_is_refused(mechanism: NoiseMechanism, scale: Fraction, cells: int) -> None:
    """A scale that would be rounded on its way to OpenDP is not used."""
    with pytest.raises(InternalError):
        mechanism.add_noise(zeros(cells), scale=scale, sensitivity=ONE, allowed=ANY_LOSS)


@EITHER_LENGTH
@pytest.mark.parametrize("extreme", [2**63 - 1, -(2**63), 2**62, -(2**62), 2**62 - 100])
def test_values_that_noise_could_carry_out_of_64_bits_are_refused(
    mechanism: NoiseMechanism, extreme: int, cells: int
) -> None:
    """OpenDP saturates there, which bends the noise; the sentence says no value."""
    values = zeros(cells)
    values[1] = extreme
    with pytest.raises(InternalError, match="might not fit 64 bits") as caught:
        mechanism.add_noise(values, scale=Fraction(10), sensitivity=ONE, allowed=ANY_LOSS)
    assert str(abs(extreme)) not in str(caught.value)


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros(3, dtype=np.int32), np.zeros((2, 2), np.int64)])
def test_anything_but_a_vector_of_int64_is_refused(mechanism: NoiseMechanism, values: Integers) -> None:
    """No float ever meets noise, and no table is flattened by surprise."""
    with pytest.raises(InternalError, match="vectors of 64-bit integers"):
        mechanism.add_noise(values, scale=WIDE, sensitivity=ONE, allowed=ANY_LOSS)


FORKED = """
import json, os, sys
from fractions import Fraction
import numpy as np
from fedstats.core.privacy import Mechanism, Sensitivity
from fedstats.mechanisms import mechanism_of

mechanism = mechanism_of(Mechanism(sys.argv[1]))

def draw():
    zeros = np.zeros(int(sys.argv[2]), dtype=np.int64)
    one = Sensitivity(1, 1)
    noise = mechanism.add_noise(zeros, scale=Fraction(2**50), sensitivity=one, allowed=Fraction(1))
    return noise[:3].tolist()

draws = [draw()]
for _ in range(2):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(draw()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    draws.append(json.loads(os.read(reader, 10_000)))
draws.append(draw())
print(json.dumps(draws))
"""


@EITHER_LENGTH
def test_forked_children_draw_different_noise(mechanism: NoiseMechanism, cells: int) -> None:
    """Two children forked after the parent's first draw, and the parent: no noise comes twice."""
    program = [sys.executable, "-c", FORKED, mechanism.name.value, str(cells)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert len({value for drawn in json.loads(done.stdout) for value in drawn}) == 12


def test_the_list_of_mechanisms_loads_no_noise_library() -> None:
    """A node starts, and says what it offers, before OpenDP is read from disk."""
    program = "import sys, fedstats.mechanisms as m; m.mechanisms_here(); sys.exit('opendp' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_missing_noise_library_is_one_sentence_with_the_line_to_type() -> None:
    """Without the extra `node` a mechanism says what to install, not which import failed."""
    program = (
        "import sys; sys.modules['opendp'] = None\n"
        "from fedstats.core.privacy import Mechanism\n"
        "from fedstats.errors import ExtraMissing\n"
        "from fedstats.mechanisms import mechanism_of\n"
        "try: mechanism_of(Mechanism.GAUSSIAN)\n"
        "except ExtraMissing as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'pip install "fedstats[node]"' in done.stdout


def test_nothing_unproved_is_enabled(mechanism: NoiseMechanism) -> None:
    """Of OpenDP's opt-ins only `contrib`: no floating point, no honest-but-curious."""
    mechanism.add_noise(zeros(1), scale=WIDE, sensitivity=ONE, allowed=ANY_LOSS)
    assert {"contrib"} == GLOBAL_FEATURES
