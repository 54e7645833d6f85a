"""Makes the model `digits.mlir` and its input `tests/inputs/digits.npz`: seeded, with numpy alone.

Run in this folder; what it is compiled with stands in README.md. The images are drawn here: digits of a 5 x 7 font,
turned, sheared, scaled, moved, with noise. The model is a perceptron of 784, 32 and 10 units, trained on images of another
seed; its weights become bytes.
"""

import re

import numpy as np

FONT = """
.###. ..#.. .###. .###. ...#. ##### .###. ##### .###. .###.
#...# .##.. #...# #...# ..##. #.... #...# ....# #...# #...#
#..## ..#.. ....# ....# .#.#. ####. #.... ...#. #...# #...#
#.#.# ..#.. ..##. ..##. #..#. ....# ####. ..#.. .###. .####
##..# ..#.. .#... ....# ##### ....# #...# ..#.. #...# ....#
#...# ..#.. #.... #...# ...#. #...# #...# ..#.. #...# #...#
.###. .###. ##### .###. ...#. .###. .###. ..#.. .###. .###.
"""
SIDE, HIDDEN, DIGITS = 28, 32, 10
IMAGES = 3000
ARRIVES_MS = (50, 250)


def glyphs():
    rows = [line.split() for line in FONT.split("\n") if line]
    each = [[[float(mark == "#") for mark in rows[y][digit]] for y in range(7)] for digit in range(DIGITS)]
    # A border, so that what lies outside is empty.
    return np.pad(np.array(each), ((0, 0), (2, 2), (2, 2)))


def draw(count, seed):
    """Images with pixels from 0 to 127, and which digits they show."""
    random, font = np.random.default_rng(seed), glyphs()
    labels = random.integers(0, DIGITS, count)
    images = np.zeros((count, SIDE, SIDE), np.int8)
    y, x = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    for image, label in zip(images, labels):
        turn, shear = random.uniform(-0.25, 0.25), random.uniform(-0.25, 0.25)
        wide, high = random.uniform(2.4, 3.6, 2)
        right, down = random.uniform(-3, 3, 2)
        across, along = x - right, y - down
        u = (np.cos(turn) * across + np.sin(turn) * along) / wide + shear * along / high + 4
        v = (np.cos(turn) * along - np.sin(turn) * across) / high + 5
        u, v = np.clip(u, 0, 7.99), np.clip(v, 0, 9.99)
        left, top = u.astype(int), v.astype(int)
        p, q, glyph = u - left, v - top, font[label]
        ink = (1 - q) * ((1 - p) * glyph[top, left] + p * glyph[top, left + 1])
        ink += q * ((1 - p) * glyph[top + 1, left] + p * glyph[top + 1, left + 1])
        ink = np.clip(ink * random.uniform(0.7, 1.5), 0, 1)
        # Specks, some dozen.
        specks = random.integers(0, SIDE, (2, 12))
        ink[specks[0], specks[1]] = random.uniform(0, 1, 12)
        # Few levels: a compressed image is smaller.
        image[:] = np.round(ink * 8) / 8 * 127
    return images, labels


def train(images, labels, seed):
    random = np.random.default_rng(seed)
    x = images.reshape(len(images), -1) / np.float32(127)
    a = random.uniform(-0.08, 0.08, (SIDE * SIDE, HIDDEN)).astype(np.float32)
    b = random.uniform(-0.4, 0.4, (HIDDEN, DIGITS)).astype(np.float32)
    wanted = np.eye(DIGITS, dtype=np.float32)[labels]
    for rate in [0.2] * 30 + [0.05] * 10 + [0.01] * 5:
        for part in np.array_split(random.permutation(len(x)), len(x) // 50):
            hidden = np.maximum(x[part] @ a, 0)
            exps = np.exp(hidden @ b - (hidden @ b).max(axis=1, keepdims=True))
            error = (exps / exps.sum(axis=1, keepdims=True) - wanted[part]) / len(part)
            a -= rate * (x[part].T @ ((error @ b.T) * (hidden > 0)) + 1e-4 * a)
            b -= rate * (hidden.T @ error + 1e-4 * b)
    return a, b


def bytes_of(weights):
    """Weights as bytes, and what one unit is worth."""
    unit = float(np.abs(weights).max() / 127)
    return np.round(weights / unit).astype(np.int8), unit


def put(weights, units):
    """Writes weights and units into the model's source."""
    text = open("digits.mlir").read()
    for name in weights:
        data = weights[name].tobytes().hex().upper()
        text = re.sub(rf'%{name} = arith.constant dense<"0x\w*">', f'%{name} = arith.constant dense<"0x{data}">', text)
        unit = f"{units[name]:.9e}"
        text = re.sub(rf"%{name}_unit = arith.constant [^ ]+", f"%{name}_unit = arith.constant {unit}", text)
    open("digits.mlir", "w").write(text)


a, b = train(*draw(20000, seed=1), seed=2)
(a, a_unit), (b, b_unit) = bytes_of(a), bytes_of(b)
# A pixel counts from 0 to 1.
a_unit /= 127
put({"a": a, "b": b}, {"a": a_unit, "b": b_unit})
images, labels = draw(IMAGES, seed=3)
hidden = np.maximum(images.reshape(IMAGES, -1) @ a.astype(np.int32) * np.float32(a_unit), 0)
read = (hidden @ (b * np.float32(b_unit))).argmax(axis=1)
print(f"{(read == labels).mean():.4f} of {IMAGES} digits are read as they were drawn")
arrives_ns = np.random.default_rng(4).integers(*ARRIVES_MS, IMAGES) * 1_000_000
np.savez_compressed("../../inputs/digits.npz", images=images, arrives_ns=arrives_ns)
