#!/usr/bin/env python3
"""Runs the vectors beside it with the standard library alone: a second reading of docs/spec/capabilities.md.

    python3 run.py [directory]

It prints what differs and how many vectors were run; the exit status is 1 if any differs.
"""
import json
import pathlib
import re
import sys

from ed25519 import public_of, sign
from forms import Broken, Num, Obj, admits, b64, strict, takes_in, unb64
from grants import MEMBERS, level_of, read_member, shows_no_more, widens
from tokens import check_chain, check_proof, check_request, thumbprint

DIR = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
RUN, DIFFER = 0, 0


def load(name):
    return json.loads((DIR / name).read_text(encoding="utf-8"))


def same(what, got, want):
    global RUN, DIFFER
    RUN += 1
    if got != want:
        DIFFER += 1
        print(f"{what}: {got}, want {want}")


def verdict(f):
    try:
        f()
    except Broken as e:
        return {"rule": e.rule, "link": e.link, "member": e.member}
    return {"rule": "", "link": 0, "member": ""}


def grant_of(g):
    """A grant as files have it, with numbers as the token reader has them."""
    g = json.loads(json.dumps(g), parse_int=Num, parse_float=Num, object_pairs_hook=Obj)
    out = {m: read_member(m, g[m]) for m in MEMBERS if m in g}
    out["nbf"], out["exp"], out["max_depth"] = g.get("not_before"), g.get("expires", ""), int(g.get("max_depth", 0))
    if out["nbf"] is None:
        out["nbf"] = ""
    return out


def widens_file(p, c):
    p, c = grant_of(p), grant_of(c)
    for g in (p, c):  # RFC 3339 in UTC: texts compare as times do
        g["nbf"] = int(re.sub("[^0-9]", "", g["nbf"]) or 0)
        g["exp"] = int(re.sub("[^0-9]", "", g["exp"]) or 0)
    return widens(p, c)


def main():
    keys = load("keys.json")
    seeds = {k["name"]: bytes.fromhex(k["seed"]) for k in keys["keys"]}
    for k in keys["keys"]:
        public = public_of(seeds[k["name"]])
        same("key " + k["name"], (b64(public), thumbprint(public)), (k["jwk"]["x"], k["thumbprint"]))
    anchors = {(a["domain"], a["kid"]): public_of(seeds[a["key"]]) for a in keys["anchors"]}

    signing = load("sign.json")
    tokens = [(m["id"], m["signer"], m["token"]) for m in signing["mint"] + signing["derive"]] + [(p["id"], p["signer"], p["proof"]) for p in signing["prove"]]
    for name, signer, token in tokens:
        text, _, signature = token.rpartition(".")
        same("signature of " + name, b64(sign(seeds[signer], text.encode())), signature)
        for segment in text.split("."):  # all names and values are of the Basic Multilingual Plane here, so this is RFC 8785
            raw = unb64(segment).decode()
            same("canonical form of " + name, json.dumps(json.loads(raw), sort_keys=True, ensure_ascii=False, separators=(",", ":")), raw)

    for v in load("chains.json")["vectors"]:
        same(v["name"], verdict(lambda: check_chain(v["chain"], v["now"], anchors)), v["want"])
        if "links" not in v or v["want"]["rule"]:
            continue
        for link, want in zip(check_chain(v["chain"], v["now"], anchors), v["links"]):
            same(v["name"], [link["jti"], link["hash"], link["signer"], thumbprint(link["holder"])], [want[n] for n in ("id", "hash", "signer", "holder")])

    proofs = load("proofs.json")
    for v in proofs["vectors"]:
        links = check_chain(proofs["chain"], v["now"], anchors)
        same("proof " + v["name"], verdict(lambda: check_proof(links, v["proof"], v["now"], v["bound"])), v["want"])

    requests = load("requests.json")
    now = next(r["at"] for r in requests["vectors"] if not r["want"]["rule"])
    links = check_chain(requests["chain"], now, anchors)
    for n, r in enumerate(requests["vectors"]):
        same(f"request {n}", verdict(lambda: check_request(links, "hospital", r)), r["want"])
    for n, v in enumerate(requests["levels"]):
        level = "raw" if v["links"] else "dropped"
        for m in v["links"] or []:
            if m is not None:
                other = level_of(m, v["label"])
                level = other if shows_no_more(level, other) else level if shows_no_more(other, level) else "masked"
        same(f"level {n}", level, v["level"])

    narrowing = load("narrowing.json")
    for v in narrowing["vectors"]:
        same("child: " + v["name"], widens_file(narrowing["parent"], v["child"]), v["member"])

    constraints = json.loads((DIR / "constraints.json").read_text(encoding="utf-8"), parse_int=Num, parse_float=Num)
    for v in constraints["checks"]:
        same(f"{v['constraint']} and {v['value']}", admits(v["constraint"], strict(v["value"])), v["admits"])
    for v in constraints["pairs"]:
        same(f"{v['parent']} takes in {v['child']}", takes_in(v["parent"], v["child"]), v["subsumes"])
    print(f"{RUN} vectors, {DIFFER} differ")
    return DIFFER > 0


if __name__ == "__main__":
    sys.exit(main())
