"""Grants, and whether one is within another, as docs/spec/capabilities.md has them."""
from forms import is_agent, is_label, is_name, is_recipient, is_text, is_tool, is_word, integer, texts, tool_of, args_within, well

# A grant is a dict by the names of these members; None where nothing is bounded.
ORDER = {"low": 0, "routine": 1, "critical": 2}
RANK = {"dropped": 0, "masked": 1, "tokenized": 2, "generalized": 2, "raw": 3}
MEMBERS = ("agent", "names", "audience", "recipients", "purposes", "tasks", "criticality", "levels", "datasets", "techniques", "cost", "uses", "counted", "via", "tools")


def level_of(levels, label):
    while label:
        if label in levels:
            return levels[label]
        label = label.rpartition("/")[0]
    return levels.get("*", "dropped")


def shows_no_more(parent, child):
    return parent == child or RANK[child] < RANK[parent]


def read_member(name, v):
    """Checks one member as far as it can be told alone."""
    if name == "agent" and not is_agent(v) or name == "counted" and not is_word(v) or name == "criticality" and not (is_text(v) and v in ORDER):
        raise ValueError(name)
    if name in ("names", "purposes", "tasks", "techniques"):
        texts(v)
    elif name in ("audience", "via"):
        texts(v, is_word)
    elif name == "recipients":
        texts(v, is_recipient)
    elif name == "levels":
        if not isinstance(v, dict) or len(v) > 256 or not all(is_label(k) and is_text(x) and x in RANK for k, x in v.items()):
            raise ValueError(name)
    elif name == "datasets":
        if not isinstance(v, dict) or len(v) > 256:
            raise ValueError(name)
        for k, x in v.items():
            if not is_name(k):
                raise ValueError(name)
            if not (is_text(x) and x == "*"):
                texts(x)
    elif name == "uses":
        return integer(v)
    elif name == "cost":
        if not isinstance(v, dict) or set(v) != {"epsilon_nano", "delta_pico"}:
            raise ValueError(name)
        return {"epsilon_nano": integer(v["epsilon_nano"]), "delta_pico": integer(v["delta_pico"], 10**12)}
    elif name == "tools":
        if not isinstance(v, dict) or len(v) > 256:
            raise ValueError(name)
        for tool, args in v.items():
            if not is_tool(tool) or not isinstance(args, dict) or len(args) > 256:
                raise ValueError(name)
            for arg, c in args.items():
                well(c)
                if arg == "*" and c != {"constraint_type": "wildcard"} or len(arg.encode()) > 200:
                    raise ValueError(name)
    return v


def subset(parent, child):
    return parent is None or child is not None and set(child) <= set(parent)


def columns_within(has, columns):
    return has == "*" or columns != "*" and set(columns) <= set(has)


def widens(p, c):
    p, c = ({m: g.get(m) for m in MEMBERS + ("nbf", "exp", "max_depth")} for g in (p, c))
    child_agent = c["agent"] == p["agent"] or c["agent"].startswith(p["agent"] + "/") and is_word(c["agent"][len(p["agent"]) + 1:])
    labels = set(p["levels"] or ()) | set(c["levels"] or ()) | {"*"}
    tools_ok = p["tools"] is None
    if not tools_ok and c["tools"] is not None:
        tools_ok = all((had := tool_of(p["tools"], n)) is not None and args_within(had, a) for n, a in c["tools"].items()) and \
            all((has := tool_of(c["tools"], n)) is None or args_within(a, has) for n, a in p["tools"].items() if n not in c["tools"])
    checks = (
        ("agent", child_agent), ("names", c["names"] is None), ("audience", subset(p["audience"], c["audience"])),
        ("recipients", p["recipients"] is None or c["recipients"] is not None and all(r in p["recipients"] or r.split("/")[0] + "/*" in p["recipients"] for r in c["recipients"])),
        ("purposes", subset(p["purposes"], c["purposes"])), ("tasks", subset(p["tasks"], c["tasks"])),
        ("criticality", p["criticality"] is None or c["criticality"] is not None and ORDER[c["criticality"]] <= ORDER[p["criticality"]]),
        ("levels", p["levels"] is None or c["levels"] is not None and all(shows_no_more(level_of(p["levels"], l), level_of(c["levels"], l)) for l in labels)),
        ("datasets", p["datasets"] is None or c["datasets"] is not None and all(d in p["datasets"] and columns_within(p["datasets"][d], x) for d, x in c["datasets"].items())),
        ("techniques", subset(p["techniques"], c["techniques"])),
        ("cost", p["cost"] is None or c["cost"] is not None and all(c["cost"][k] <= p["cost"][k] for k in p["cost"])),
        ("uses", p["uses"] is None or c["uses"] is not None and c["uses"] <= p["uses"]),
        ("counted", p["counted"] is None or c["counted"] == p["counted"]), ("via", set(c["via"] or ()) <= set(p["via"] or ())), ("tools", tools_ok),
        ("not_before", (c["nbf"] or 0) >= (p["nbf"] or 0)), ("expires", c["exp"] <= p["exp"]), ("max_depth", c["max_depth"] <= p["max_depth"]),
    )
    return next((name for name, ok in checks if not ok), "")
