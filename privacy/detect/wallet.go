package detect

import (
	"bytes"
	"crypto/sha256"
	"strings"

	"golang.org/x/crypto/sha3"
)

const (
	btcAlphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	xrpAlphabet = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
	bechDigits  = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

// wallet takes addresses and keys of crypto-assets that carry a check, and Monero's by their form. They are one word.
func (c *scanner) wallet(q, we int) (hit, bool) {
	n := we - q
	if n < 26 || n > 112 || c.wordAt(we) || isAlnum(c.prev(q, 1)) {
		return hit{}, false
	}
	w := c.s[q:we]
	switch {
	case n == 42 && w[0] == '0' && w[1]|0x20 == 'x':
		if ethereum(w[2:]) {
			return hit{we, &byWallet}, true
		}
	case strings.IndexByte(bechPrefixes, w[0]|0x20) >= 0 && bech32(w):
		return hit{we, &byWallet}, true
	case n == 95 && (w[0] == '4' || w[0] == '8') && base58Only(w):
		return hit{we, &byWalletForm}, true
	}
	if n >= 32 && n <= 44 && len(base58Raw(w, btcAlphabet)) == 32 && (c.cue(q).kind == cueCrypto || c.near(q, cueCrypto)) { // Solana
		return hit{we, &byWalletForm}, true
	}
	if n <= 35 && w[0] == 'r' {
		if p := base58(w, xrpAlphabet); len(p) == 21 && p[0] == 0 {
			return hit{we, &byWallet}, true
		}
	}
	p := base58(w, btcAlphabet)
	switch {
	case len(p) == 21 && strings.IndexByte("13LMDXTA92mn7", w[0]) >= 0, len(p) == 22 && w[0] == 't': // Bitcoin and those after it; Zcash
		return hit{we, &byWallet}, true
	case (len(p) == 33 || len(p) == 34 && p[33] == 1) && (p[0] == 0x80 || p[0] == 0xB0 || p[0] == 0xEF), // a key to import
		len(p) == 78 && n == 111 && strings.Contains("xprv yprv zprv tprv", w[:4]): // an extended key
		return hit{we, &byWalletKey}, true
	case len(p) == 78 && n == 111 && strings.Contains("xpub ypub zpub tpub", w[:4]):
		return hit{we, &byWallet}, true
	}
	return hit{}, false
}

func base58Only(w string) bool {
	for i := range len(w) {
		if strings.IndexByte(btcAlphabet, w[i]) < 0 {
			return false
		}
	}
	return true
}

// base58 decodes Base58Check and returns the payload, nil if a letter or the check is wrong. W has at most 112 letters.
func base58(w, alphabet string) []byte {
	out := base58Raw(w, alphabet)
	if len(out) < 5 {
		return nil
	}
	payload, check := out[:len(out)-4], out[len(out)-4:]
	once := sha256.Sum256(payload)
	twice := sha256.Sum256(once[:])
	if !bytes.Equal(twice[:4], check) {
		return nil
	}
	return payload
}

// base58Raw decodes up to 112 letters, and returns nil if one is wrong.
func base58Raw(w, alphabet string) []byte {
	var buf [96]byte // 112 digits to the base of 58 are below 83 bytes
	low := len(buf)
	for i := range len(w) {
		carry := strings.IndexByte(alphabet, w[i])
		if carry < 0 {
			return nil
		}
		j := len(buf)
		for ; j > low || carry > 0; j-- {
			carry += 58 * int(buf[j-1])
			buf[j-1] = byte(carry)
			carry >>= 8
		}
		low = j
	}
	for i := 0; i < len(w) && w[i] == alphabet[0] && low > 0; i++ {
		low--
	}
	return bytes.Clone(buf[low:])
}

// ethereum checks forty hexadecimal digits: in mixed case as EIP-55 has it, in one case by their form.
func ethereum(w string) bool {
	lower, upper := false, false
	for i := range len(w) {
		if !isHex(w[i]) {
			return false
		}
		upper = upper || isUpper(w[i])
		lower = lower || isLetter(w[i]) && !isUpper(w[i])
	}
	if !lower || !upper {
		return lower || upper
	}
	h := sha3.NewLegacyKeccak256()
	h.Write([]byte(strings.ToLower(w)))
	sum := h.Sum(nil)
	for i := range len(w) {
		nibble := sum[i/2] >> (4 * (1 - i&1)) & 15
		if isLetter(w[i]) && isUpper(w[i]) != (nibble >= 8) {
			return false
		}
	}
	return true
}

// bechPrefixes are the first letters of bechNames.
const bechPrefixes = "btlacosjdn"

var bechNames = [...]string{"bc", "tb", "bcrt", "ltc", "addr", "stake", "cosmos", "osmo", "celestia", "inj", "juno", "dydx", "nano", "npub", "nsec", "age"}

// bech32 checks Bech32 (BIP-173) and Bech32m (BIP-350) of the known prefixes.
func bech32(w string) bool {
	lower := strings.ToLower(w)
	if lower != w && strings.ToUpper(w) != w {
		return false
	}
	one := strings.LastIndexByte(lower, '1')
	if one < 2 || len(lower)-one-1 < 6 {
		return false
	}
	name, known := lower[:one], false
	for _, n := range bechNames {
		known = known || n == name
	}
	if !known {
		return false
	}
	sum := uint32(1)
	step := func(v byte) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for i := range len(name) {
		step(name[i] >> 5)
	}
	step(0)
	for i := range len(name) {
		step(name[i] & 31)
	}
	for i := one + 1; i < len(lower); i++ {
		v := strings.IndexByte(bechDigits, lower[i])
		if v < 0 {
			return false
		}
		step(byte(v))
	}
	return sum == 1 || sum == 0x2bc830a3
}
