"""Ed25519 by the arithmetic of RFC 8032 section 6: slow, and not constant in time. For checking, not for keeping secrets."""
import hashlib

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    g, h = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    i, j, k, m = f - e, h - g, h + g, f + e
    return i * j % P, k * m % P, j * k % P, i * m % P


def times(n, point):
    out = (0, 1, 1, 0)
    while n:
        if n & 1:
            out = add(out, point)
        point = add(point, point)
        n >>= 1
    return out


def unpack(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P or x == 0 and sign:
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def pack(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = unpack((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def number(raw):
    return int.from_bytes(raw, "little")


def clamp(seed):
    h = hashlib.sha512(seed).digest()
    a = number(h[:32]) & (2**254 - 8) | 2**254
    return a, h[32:]


def public_of(seed):
    return pack(times(clamp(seed)[0], BASE))


def sign(seed, message):
    a, prefix = clamp(seed)
    public = pack(times(a, BASE))
    r = number(hashlib.sha512(prefix + message).digest()) % Q
    point = pack(times(r, BASE))
    k = number(hashlib.sha512(point + public + message).digest()) % Q
    return point + ((r + k * a) % Q).to_bytes(32, "little")


VERIFIED = {}  # a root that many chains begin with is verified once


def verify(key, message, signature):
    at = (key, message, signature)
    if at not in VERIFIED:
        a, s = unpack(key), number(signature[32:])
        ok = a is not None and s < Q
        if ok:
            k = number(hashlib.sha512(signature[:32] + key + message).digest()) % Q
            minus = (P - a[0], a[1], 1, P - a[3])
            ok = pack(add(times(s, BASE), times(k, minus))) == signature[:32]
        VERIFIED[at] = ok
    return VERIFIED[at]
