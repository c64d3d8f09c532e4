"""JSON, names and constraints, as docs/spec/capabilities.md has them."""
import base64
import json
import math
import re
import unicodedata
from decimal import Decimal


class Broken(Exception):
    def __init__(self, rule, member="", link=-1):
        super().__init__(rule)
        self.rule, self.member, self.link = rule, member, link


def unb64(text):
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64(raw) != text:
        raise ValueError("not the one spelling")
    return raw


def b64(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Num(str):
    """A number as it was written."""


class Obj(dict):
    pass


def members(pairs):
    out = Obj(pairs)
    if len(out) != len(pairs):
        raise ValueError("a member twice")
    return out


def refuse(_):
    raise ValueError("no JSON")


def strict(text, most=16):
    v = json.loads(text, object_pairs_hook=members, parse_int=Num, parse_float=Num, parse_constant=refuse)
    json.dumps(v, ensure_ascii=False).encode()  # half a surrogate pair does not encode

    def depth(v):
        inner = v.values() if isinstance(v, dict) else v if isinstance(v, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    if depth(v) > most:
        raise ValueError("too deep")
    return v


def is_text(v):
    return isinstance(v, str) and not isinstance(v, Num)


def integer(v, most=2**63 - 1):
    if not isinstance(v, Num) or not re.fullmatch("[0-9]+", v) or int(v) > most:
        raise ValueError("no integer")
    return int(v)


def date(v):
    return integer(v, 253402300799)


def double(text):
    """The number, if it is the one that its double's shortest spelling denotes."""
    f = float(text)
    if math.isinf(f):
        return None
    if f == 0:
        return f if not re.search("[1-9]", re.split("[eE]", text)[0]) else None
    return f if Decimal(text) == Decimal(repr(f)) else None


def scalar(v):
    """The value in a form in which equal ones are equal; None for what is no scalar or no double."""
    if isinstance(v, Num):
        f = double(v)
        return None if f is None else ("number", f)
    if v is None or isinstance(v, bool):
        return ("word", v)
    return ("text", v) if is_text(v) else None


# --- names

WORD = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}"


def printable(c):
    return c == " " or unicodedata.category(c)[0] not in "CZ"


def is_name(s):
    return is_text(s) and s != "" and len(s.encode()) <= 200 and all(map(printable, s))


def like(pattern):
    return lambda s: is_text(s) and len(s.encode()) <= 200 and re.fullmatch(pattern, s) is not None


is_word, is_agent, is_id = like(WORD), like(f"{WORD}(/{WORD})*"), like("[A-Za-z0-9_.:-]{1,64}")
is_recipient, is_label = like(f"{WORD}/(\\*|{WORD}(/{WORD})*)"), like("\\*|[a-z0-9-]+(/[a-z0-9-]+)*")


def is_tool(s):
    return is_name(s) and like(f"(?s){WORD}/.+")(s)


def texts(v, fits=is_name):
    if not isinstance(v, list) or len(v) > 256 or not all(map(fits, v)):
        raise ValueError("no list of names")
    return v


# --- constraints

LOOK_ALIKE = "．．／＼％﹒﹨﹪․‥…"


def plain(s):
    if s == "/":
        return True
    segments = s.removeprefix("/").split("/")
    return not any(x == "" or x[-1] in ". " for x in segments) and all(printable(c) and c not in "%\\" + LOOK_ALIKE for c in s)


def under(path, root):
    return path == root or path.startswith("/" if root == "/" else root + "/")


FIELDS = {
    "wildcard": set(), "exact": {"value"}, "one_of": {"values"}, "prefix": {"prefix"}, "sub_path": {"root"},
    "range": {"min", "max", "min_inclusive", "max_inclusive"},
}


def well(c):
    """Raises ValueError for a constraint that is not well-formed."""
    if not isinstance(c, dict) or not is_text(c.get("constraint_type")) or c["constraint_type"] not in FIELDS:
        raise ValueError("unknown constraint")
    kind = c["constraint_type"]
    extra = set(c) - {"constraint_type", "optional"}
    if not extra <= FIELDS[kind] or kind != "range" and extra != FIELDS[kind] or not isinstance(c.get("optional", False), bool):
        raise ValueError("members")
    values = [c["value"]] if kind == "exact" else c["values"] if kind == "one_of" else ["x"]
    if not isinstance(values, list) or not 1 <= len(values) <= 256 or any(scalar(v) is None for v in values):
        raise ValueError("values")
    if kind == "prefix" and not (is_text(c["prefix"]) and c["prefix"]) or kind == "sub_path" and not (is_text(c["root"]) and plain(c["root"])):
        raise ValueError("text")
    for end in ("min", "max"):
        if end + "_inclusive" in c and (end not in c or not isinstance(c[end + "_inclusive"], bool)):
            raise ValueError("inclusive")
        if end in c and (not isinstance(c[end], Num) or double(c[end]) is None):
            raise ValueError("edge")
    if "min" in c and "max" in c and double(c["min"]) > double(c["max"]):
        raise ValueError("upside down")


def edge(c, end):
    return (double(c[end]), c.get(end + "_inclusive", True)) if end in c else None


def admits(c, v):
    kind, s = c["constraint_type"], scalar(v)
    if kind == "wildcard":
        return True
    if s is None:
        return False
    if kind == "exact":
        return s == scalar(c["value"])
    if kind == "one_of":
        return s in map(scalar, c["values"])
    if kind == "range":
        low, high = edge(c, "min"), edge(c, "max")
        return s[0] == "number" and (low is None or s[1] > low[0] or s[1] == low[0] and low[1]) and (high is None or s[1] < high[0] or s[1] == high[0] and high[1])
    if s[0] != "text":
        return False
    return v.startswith(c["prefix"]) if kind == "prefix" else plain(v) and under(v, c["root"])


def takes_in(p, c):
    parent, child = p["constraint_type"], c["constraint_type"]
    values = [c["value"]] if child == "exact" else c["values"] if child == "one_of" else []
    if parent == "wildcard":
        return True
    if child in ("exact", "one_of"):
        fits = child == "exact" or parent in ("one_of", "prefix", "sub_path")
        return fits and all(admits(p, v) for v in values)
    if parent == child == "range":
        def tight(end, sign):
            a, b = edge(p, end), edge(c, end)
            return a is None or b is not None and ((b[0] - a[0]) * sign > 0 or b[0] == a[0] and (a[1] or not b[1]))
        return tight("min", 1) and tight("max", -1)
    if parent == "prefix" and child in ("prefix", "sub_path"):
        return c.get("prefix", c.get("root")).startswith(p["prefix"])
    return parent == child == "sub_path" and under(c["root"], p["root"])


def is_open(args):
    return not args or "*" in args


def args_within(p, c):
    if is_open(c) and not is_open(p):
        return False
    for name in set(c) - {"*"}:
        if name not in p:
            if not is_open(p):
                return False
        elif c[name].get("optional", False) and not p[name].get("optional", False) or not takes_in(p[name], c[name]):
            return False
    return all(name in c or p[name].get("optional", False) and not is_open(c) for name in set(p) - {"*"})


def tool_of(tools, tool):
    if tool in tools:
        return tools[tool]
    return tools.get(tool.split("/")[0] + "/*") if "/" in tool else None


def args_admit(bound, args):
    if not bound:
        return True
    named = set(bound) - {"*"}
    return all(n in named and admits(bound[n], v) or n not in named and "*" in bound for n, v in args.items()) and \
        all(n in args or bound[n].get("optional", False) for n in named)
