"""Chains, proofs and requests, as docs/spec/capabilities.md has them."""
import hashlib
import re

from ed25519 import verify
from forms import Broken, args_admit, b64, date, integer, is_id, is_name, is_text, is_word, strict, texts, tool_of, unb64
from grants import MEMBERS, ORDER, columns_within, read_member, widens

SCRIM, TOOLS = "https://scrim.dev/cap/v1", "attenuating_agent_token"
HOLDER = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"


def thumbprint(key):
    return b64(hashlib.sha256(b'{"crv":"Ed25519","kty":"OKP","x":"' + b64(key).encode() + b'"}').digest())


def form(member, f):
    """Runs f, and says which member is not well-formed."""
    try:
        return f()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Broken("form", member) from None


def need(ok):
    if not ok:
        raise ValueError


def split(token):
    need(re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", token))
    return token.split(".")


def read_head(segment, typ):
    def read():
        h = strict(unb64(segment).decode())
        need(isinstance(h, dict))
        return h
    h = form("header", read)
    for name in ("alg", "typ", "kid", "iss"):
        if name in h and not is_text(h[name]):
            raise Broken("form", name)
    if "crit" in h:
        raise Broken("critical", "crit")
    if h.get("alg") not in ("EdDSA", "Ed25519"):
        raise Broken("algorithm", "alg")
    if h.get("typ") != typ:
        raise Broken("type", "typ")
    return h


def signed(token, key):
    """Verifies, and only then reads the payload."""
    header, payload, signature = token.split(".")

    def read():
        raw = unb64(signature)
        need(len(raw) == 64)
        return raw
    raw = form("signature", read)
    if not verify(key, (header + "." + payload).encode(), raw):
        raise Broken("signature")

    def claims():
        c = strict(unb64(payload).decode())
        need(isinstance(c, dict))
        return c
    return form("payload", claims)


def read_claims(c):
    def text(name, fits=lambda s: True):
        def read():
            need(is_text(c[name]) and fits(c[name]))
            return c[name]
        return form(name, read)
    out = {"jti": text("jti", is_id), "iss": text("iss")}
    for name in ("iat", "exp"):
        out[name] = form(name, lambda n=name: date(c[n]))
    for name in ("del_depth", "del_max_depth"):
        out[name] = form(name, lambda n=name: integer(c[n], 32))
    form("ver", lambda: need(integer(c["ver"]) == 1))
    out["nbf"] = form("nbf", lambda: date(c["nbf"])) if "nbf" in c else None
    out["par_hash"] = text("par_hash") if "par_hash" in c else None

    def holder():
        need(set(c["cnf"]) == {"jwk"} and set(c["cnf"]["jwk"]) == {"kty", "crv", "x"})
        jwk = c["cnf"]["jwk"]
        need(jwk["kty"] == "OKP" and jwk["crv"] == "Ed25519" and is_text(jwk["x"]))
        key = unb64(jwk["x"])
        need(len(key) == 32)
        return key
    out["holder"] = form("cnf", holder)
    grant = dict.fromkeys(MEMBERS)
    if "aud" in c:
        grant["audience"] = form("aud", lambda: [c["aud"]] if is_text(c["aud"]) else texts(c["aud"], is_text))
    read_details(c, grant)
    for name in MEMBERS:  # in the order in which the page has them
        if name == "agent" and grant["agent"] is None or name == "names" and grant["names"] is not None and out["par_hash"] is not None:
            raise Broken("form", name)
        if grant[name] is not None:
            grant[name] = form(name, lambda n=name: read_member(n, grant[n]))
        if name == "counted" and (grant["counted"] is None) != (grant["cost"] is None and grant["uses"] is None):
            raise Broken("form", name)
    grant.update(nbf=out["nbf"], exp=out["exp"], max_depth=out["del_max_depth"])
    out["grant"] = grant
    return out


def read_details(c, grant):
    entries = c.get("authorization_details")
    if not isinstance(entries, list):
        raise Broken("form", "authorization_details")
    own = 0
    for e in entries:
        if not isinstance(e, dict) or not is_text(e.get("type")):
            raise Broken("form", "authorization_details")
        if e["type"] == SCRIM:
            own += 1
            allowed = set(MEMBERS) - {"audience", "tools"} | {"type"}
            if own > 1 or not set(e) <= allowed:
                raise Broken("form", "authorization_details")
            for k, v in e.items():
                if k != "type":
                    form(k, lambda: read_member(k, v))
                    grant[k] = v
        elif e["type"] == TOOLS:
            if grant["tools"] is not None or set(e) != {"type", "tools"}:
                raise Broken("form", "tools")
            form("tools", lambda: read_member("tools", e["tools"]))
            grant["tools"] = e["tools"]
        elif e["type"].startswith("https://scrim.dev/cap/"):
            raise Broken("form", "authorization_details")
    if own != 1:
        raise Broken("form", "authorization_details")


def hash_of(token):
    return b64(hashlib.sha256(token.rpartition(".")[0].encode()).digest())


def check_chain(header, now, anchors):
    """Returns the links, or raises Broken."""
    if header == "":
        raise Broken("form", "chain")
    tokens = header.split("~")
    if len(tokens) - 1 > 32:
        raise Broken("depth", "chain")
    links = []
    try:
        for n, token in enumerate(tokens):
            form("token", lambda: split(token))
        if len(tokens) - 1 > 8:
            n = -1
            raise Broken("depth", "chain")
        for n, token in enumerate(tokens):
            links.append(check_link(links, token, now, anchors))
    except Broken as e:
        e.link = n
        raise
    return links


def check_link(links, token, now, anchors):
    h = read_head(token.split(".")[0], "scrim-cap+jwt")
    if not links:
        domain = h.get("iss", "").removeprefix("spiffe://")
        form("iss", lambda: need(h.get("iss", "").startswith("spiffe://") and is_word(domain)))
        form("kid", lambda: need(is_name(h.get("kid", ""))))
        key = anchors.get((domain, h["kid"]))
        if key is None:
            raise Broken("anchor")
    else:
        key = links[-1]["holder"]
    c = read_claims(signed(token, key))
    if not links:
        for bad, rule, member in ((c["iss"] != h["iss"], "issuer", "iss"), (c["par_hash"] is not None, "parent", "par_hash"),
                                  (c["del_depth"] != 0, "depth", "del_depth"), (c["del_max_depth"] > 8, "depth", "del_max_depth")):
            if bad:
                raise Broken(rule, member)
    else:
        p = links[-1]
        for bad, rule, member in (
                (c["iss"] != HOLDER + thumbprint(key), "issuer", "iss"), (c["par_hash"] != p["hash"], "parent", "par_hash"),
                (c["del_depth"] != p["del_depth"] + 1, "depth", "del_depth"),
                (not c["del_depth"] <= c["del_max_depth"] <= p["del_max_depth"], "depth", "del_max_depth"),
                (c["iat"] < p["iat"], "lifetime", "iat"), (c["jti"] in [x["jti"] for x in links], "repeated", "jti")):
            if bad:
                raise Broken(rule, member)
    if not 0 < c["exp"] - c["iat"] <= 86400:
        raise Broken("lifetime", "exp")
    if links and (member := widens(links[-1]["grant"], c["grant"])):
        raise Broken("widened", member)
    if c["exp"] <= now:
        raise Broken("expired", "exp")
    for name in ("iat", "nbf"):
        if (c[name] or 0) > now + 30:
            raise Broken("early", name)
    c["hash"], c["signer"] = hash_of(token), thumbprint(key)
    return c


def check_proof(links, proof, now, bound):
    try:
        if len(proof) > 2048:
            raise Broken("size")
        form("", lambda: split(proof))
        read_head(proof.split(".")[0], "scrim-pop+jwt")
        leaf = links[-1]
        try:
            p = signed(proof, leaf["holder"])
        except Broken as e:
            raise Broken("proof", "key") if e.rule == "signature" else e
        form("jti", lambda: need(is_id(p["jti"])))
        iat = form("iat", lambda: date(p["iat"]))
        form("ver", lambda: need(integer(p["ver"]) == 1))
        for name in ("cap", "aud", "htm", "body"):
            form(name, lambda: need(is_text(p[name])))
        for name in ("htu", "nonce"):
            form(name, lambda: need(is_text(p.get(name, ""))))
        body = b64(hashlib.sha256(bound["body"].encode()).digest())
        for bad, rule, member in (
                (p["cap"] != leaf["hash"], "proof", "leaf"), (bound["audience"] == "" or p["aud"] != bound["audience"], "audience", "aud"),
                (p["htm"] != bound["method"], "proof", "method"), (bound["target"] != "" and p.get("htu") != bound["target"], "proof", "target"),
                (p["body"] != body, "proof", "body"), (bound["nonce"] != "" and p.get("nonce") != bound["nonce"], "nonce", ""),
                (not now - 60 <= iat <= now + 30, "proof-time", "iat")):
            if bad:
                raise Broken(rule, member)
    except Broken as e:
        e.link = -2
        raise
    presentable(links, bound["audience"])


def presentable(links, audience):
    for n, link in enumerate(links):
        aud = link["grant"]["audience"]
        if aud is not None and (audience == "" or audience not in aud):
            raise Broken("audience", "audience", n)


def check_request(links, issuer, r):
    args, parsed = r["arguments"], {}
    if args and any(tool_of(x["grant"]["tools"] or {}, r["tool"]) for x in links):
        try:
            parsed = strict(args, 256)
            need(isinstance(parsed, dict))
        except ValueError:
            raise Broken("not-granted", "arguments") from None
    if r["at"] == 0:
        raise Broken("not-granted", "time")
    presentable(links, r["audience"])
    agent, root = r["from"]["agent"], links[0]["grant"]["agent"]
    if r["from"]["domain"] != issuer or agent == "" or root != agent and not root.startswith(agent + "/"):
        raise Broken("not-granted", "agent", 0)
    to = r["to"]["domain"] + "/" + r["to"]["agent"]
    for n, link in enumerate(links):
        g = link["grant"]
        if g["exp"] <= r["at"]:
            raise Broken("expired", "exp", n)
        if (g["nbf"] or 0) > r["at"] + 30:
            raise Broken("early", "nbf", n)
        sets, tools = g["datasets"], g["tools"]
        bound = None if tools is None else tool_of(tools, r["tool"])
        for member, ok in (
                ("recipients", g["recipients"] is None or "" not in (r["to"]["domain"], r["to"]["agent"]) and (to in g["recipients"] or r["to"]["domain"] + "/*" in g["recipients"])),
                ("purposes", g["purposes"] is None or r["purpose"] != "" and r["purpose"] in g["purposes"]),
                ("tasks", g["tasks"] is None or r["task"] != "" and r["task"] in g["tasks"]),
                ("criticality", g["criticality"] is None or ORDER[r["criticality"]] <= ORDER[g["criticality"]]),
                ("techniques", r["technique"] == "" or g["techniques"] is None or r["technique"] in g["techniques"]),
                ("datasets", r["dataset"] == "" or sets is None or r["dataset"] in sets and columns_within(sets[r["dataset"]], "*" if r["columns"] is None else r["columns"])),
                ("tools", tools is None or bound is not None), ("arguments", tools is None or args_admit(bound, parsed))):
            if not ok:
                raise Broken("not-granted", member, n)
