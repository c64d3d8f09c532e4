package egress

import (
	"net/netip"
	"slices"
)

// forbidden are the ranges that are not somebody on the public internet: this host, private and shared networks, links,
// documentation and benchmarks, groups, and what wraps an IPv4 address so that it does not look like one.
var forbidden = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// public6 is all of IPv6 that is handed out for the public internet. Loopback, ULA, links, groups, mapped, compatible
// and NAT64 addresses lie outside.
var public6 = netip.MustParsePrefix("2000::/3")

// metadata are where clouds hand out credentials to whoever asks from within. They are opened one by one only: a wide
// range that was allowed for something else does not include them.
var metadata = prefixes(
	"169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32",
	"fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128",
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		all[i] = netip.MustParsePrefix(t)
	}
	return all
}

func within(all []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Allowed reports whether an address may be connected to: it is public, or in one of the ranges given. An address in
// a zone is never allowed. A cloud's metadata address is allowed by a range of one address alone.
func Allowed(a netip.Addr, allow []netip.Prefix) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	plain := a.Unmap()
	if within(metadata, plain) {
		return slices.Contains(allow, netip.PrefixFrom(plain, plain.BitLen()))
	}
	if within(allow, plain) {
		return true
	}
	if plain.Is6() && !public6.Contains(plain) {
		return false
	}
	return !within(forbidden, plain)
}
