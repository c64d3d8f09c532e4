package ff1_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/deidentify/ff1"
)

const letters = "0123456789abcdefghijklmnopqrstuvwxyz"

func numerals(text string) []uint16 {
	x := make([]uint16, len(text))
	for i := range text {
		x[i] = uint16(strings.IndexByte(letters, text[i]))
	}
	return x
}

func text(x []uint16) string {
	var b strings.Builder
	for _, n := range x {
		b.WriteByte(letters[n])
	}
	return b.String()
}

func block(t testing.TB, key string) cipher.Block {
	t.Helper()
	k, err := hex.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := aes.NewCipher(k)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	key128 = "2b7e151628aed2a6abf7158809cf4f3c"
	key192 = key128 + "ef4359d8d580aa4f"
	key256 = key192 + "7f036d6f04fc6a94"
)

// TestSamples are the nine of NIST for FF1.
func TestSamples(t *testing.T) {
	for i, s := range []struct {
		key, tweak  string
		radix       int
		plain, want string
	}{
		{key128, "", 10, "0123456789", "2433477484"},
		{key128, "39383736353433323130", 10, "0123456789", "6124200773"},
		{key128, "3737373770717273373737", 36, "0123456789abcdefghi", "a9tv40mll9kdu509eum"},
		{key192, "", 10, "0123456789", "2830668132"},
		{key192, "39383736353433323130", 10, "0123456789", "2496655549"},
		{key192, "3737373770717273373737", 36, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"},
		{key256, "", 10, "0123456789", "6657667009"},
		{key256, "39383736353433323130", 10, "0123456789", "1001623463"},
		{key256, "3737373770717273373737", 36, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"},
	} {
		tweak, _ := hex.DecodeString(s.tweak)
		c, err := ff1.New(block(t, s.key), s.radix, tweak)
		if err != nil {
			t.Fatal(err)
		}
		x := numerals(s.plain)
		if err := c.Encrypt(x); err != nil || text(x) != s.want {
			t.Errorf("sample %d: %s, %v; want %s", i+1, text(x), err, s.want)
		}
		if err := c.Decrypt(x); err != nil || text(x) != s.plain {
			t.Errorf("sample %d decrypts to %s, %v; want %s", i+1, text(x), err, s.plain)
		}
		if got := slowEncrypt(block(t, s.key), s.radix, tweak, numerals(s.plain)); text(got) != s.want {
			t.Errorf("the oracle makes %s of sample %d, want %s", text(got), i+1, s.want)
		}
	}
}

// slowEncrypt is algorithm 7 of SP 800-38G, step by step with big numbers, as an oracle.
func slowEncrypt(b cipher.Block, radix int, tweak []byte, x []uint16) []uint16 {
	num := func(x []uint16) *big.Int {
		n := new(big.Int)
		for _, d := range x {
			n.Add(n.Mul(n, big.NewInt(int64(radix))), big.NewInt(int64(d)))
		}
		return n
	}
	n, t := len(x), len(tweak)
	u := n / 2
	v := n - u
	A, B := slices.Clone(x[:u]), slices.Clone(x[u:])
	pow := func(m int) *big.Int {
		return new(big.Int).Exp(big.NewInt(int64(radix)), big.NewInt(int64(m)), nil)
	}
	bitsOf := 0 // the least k with 2^k >= radix^v
	for new(big.Int).Lsh(big.NewInt(1), uint(bitsOf)).Cmp(pow(v)) < 0 {
		bitsOf++
	}
	bb := (bitsOf + 7) / 8
	d := 4*((bb+3)/4) + 4
	P := []byte{1, 2, 1, byte(radix >> 16), byte(radix >> 8), byte(radix), 10, byte(u % 256), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), byte(t >> 24), byte(t >> 16), byte(t >> 8), byte(t)}
	for i := 0; i < 10; i++ {
		Q := append(slices.Clone(tweak), make([]byte, ((-t-bb-1)%16+16)%16)...)
		Q = append(Q, byte(i))
		Q = append(Q, num(B).FillBytes(make([]byte, bb))...)
		R := make([]byte, 16)
		for all := append(slices.Clone(P), Q...); len(all) > 0; all = all[16:] {
			for j := range R {
				R[j] ^= all[j]
			}
			b.Encrypt(R, R)
		}
		S := slices.Clone(R)
		for j := 1; len(S) < d; j++ {
			ctr := big.NewInt(int64(j)).FillBytes(make([]byte, 16))
			for k := range ctr {
				ctr[k] ^= R[k]
			}
			b.Encrypt(ctr, ctr)
			S = append(S, ctr...)
		}
		m := u
		if i%2 == 1 {
			m = v
		}
		c := new(big.Int).Add(num(A), new(big.Int).SetBytes(S[:d]))
		c.Mod(c, pow(m))
		C := make([]uint16, m)
		for j := m - 1; j >= 0; j-- {
			q, r := new(big.Int).QuoRem(c, big.NewInt(int64(radix)), new(big.Int))
			C[j], c = uint16(r.Int64()), q
		}
		A, B = B, C
	}
	return append(A, B...)
}

// TestAgainstOracle: random radices, lengths and tweaks, both roads of the implementation.
func TestAgainstOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b := block(t, key256)
	for range 1500 {
		radix := []int{2, 3, 10, 26, 36, 62, 255, 256, 257, 1 << 15, 65535, 1 << 16}[r.IntN(12)]
		tweak := make([]byte, r.IntN(40))
		for i := range tweak {
			tweak[i] = byte(r.Uint32())
		}
		c, err := ff1.New(b, radix, tweak)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]uint16, c.MinLen()+r.IntN(60))
		for i := range x {
			x[i] = uint16(r.IntN(radix))
		}
		if r.IntN(10) == 0 {
			for i := range x { // extremes
				x[i] = uint16((radix - 1) * r.IntN(2))
			}
		}
		plain := slices.Clone(x)
		if err := c.Encrypt(x); err != nil {
			t.Fatal(err)
		}
		if want := slowEncrypt(b, radix, tweak, plain); !slices.Equal(x, want) {
			t.Fatalf("radix %d, %d numerals: %v, the oracle makes %v", radix, len(x), x, want)
		}
		if err := c.Decrypt(x); err != nil || !slices.Equal(x, plain) {
			t.Fatalf("radix %d, %d numerals: decrypts to %v, %v; want %v", radix, len(x), x, err, plain)
		}
	}
}

// TestPermutation: all million strings of six digits have a million different ciphertexts.
func TestPermutation(t *testing.T) {
	c, err := ff1.New(block(t, key256), 10, []byte("tweak"))
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]bool, 1_000_000)
	x := make([]uint16, 6)
	for i := range seen {
		for j, n := 5, i; j >= 0; j, n = j-1, n/10 {
			x[j] = uint16(n % 10)
		}
		if err := c.Encrypt(x); err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, d := range x {
			at = at*10 + int(d)
		}
		if seen[at] {
			t.Fatalf("two strings are encrypted to %06d", at)
		}
		seen[at] = true
	}
}

func TestBounds(t *testing.T) {
	b := block(t, key128)
	for _, radix := range []int{-1, 0, 1, 1<<16 + 1} {
		if _, err := ff1.New(b, radix, nil); !errors.Is(err, ff1.ErrKey) {
			t.Errorf("New with radix %d: error = %v, want ErrKey", radix, err)
		}
	}
	for radix, least := range map[int]int{2: 20, 10: 6, 36: 4, 1000: 2, 1 << 16: 2} {
		c, err := ff1.New(b, radix, nil)
		if err != nil || c.MinLen() != least || c.Radix() != radix {
			t.Fatalf("radix %d: at least %d numerals, %v; want %d", radix, c.MinLen(), err, least)
		}
		for _, n := range []int{0, 1, least - 1, ff1.MaxLen + 1} {
			if err := c.Encrypt(make([]uint16, n)); !errors.Is(err, ff1.ErrLength) {
				t.Errorf("radix %d, %d numerals: error = %v, want ErrLength", radix, n, err)
			}
		}
		if radix < 1<<16 {
			x := make([]uint16, least)
			x[1] = uint16(radix)
			if err := c.Decrypt(x); !errors.Is(err, ff1.ErrNumeral) || x[1] != uint16(radix) {
				t.Errorf("radix %d, numeral %d: error = %v, want ErrNumeral and nothing changed", radix, radix, err)
			}
		}
	}
	c, _ := ff1.New(b, 10, nil)
	if s := fmt.Sprintf("%v %+v %#v", c, c, c); s != "[secret] [secret] [secret]" {
		t.Errorf("a cipher prints as %s", s)
	}
}

// TestConcurrent: one cipher, many goroutines.
func TestConcurrent(t *testing.T) {
	c, err := ff1.New(block(t, key256), 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 8)
	for range cap(done) {
		go func() {
			x := numerals("0123456789")
			for range 500 {
				if c.Encrypt(x) != nil || text(x) != "6657667009" || c.Decrypt(x) != nil {
					break
				}
			}
			done <- text(x)
		}()
	}
	for range cap(done) {
		if got := <-done; got != "0123456789" {
			t.Errorf("a goroutine got %s", got)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("4111111111111111"), uint16(10), []byte("t"))
	f.Fuzz(func(t *testing.T, in []byte, radix uint16, tweak []byte) {
		c, err := ff1.New(block(t, key256), int(radix), tweak)
		if err != nil {
			return
		}
		x := make([]uint16, len(in))
		for i := range in {
			x[i] = uint16(in[i]) % radix
		}
		plain := slices.Clone(x)
		if c.Encrypt(x) != nil {
			return
		}
		if err := c.Decrypt(x); err != nil || !slices.Equal(x, plain) {
			t.Fatal("what was encrypted does not decrypt to itself")
		}
	})
}

func BenchmarkEncrypt(b *testing.B) {
	c, err := ff1.New(block(b, key256), 10, nil)
	if err != nil {
		b.Fatal(err)
	}
	x := numerals("4111111111111111")
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Encrypt(x); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleCipher() {
	block, _ := aes.NewCipher(make([]byte, 32))
	c, _ := ff1.New(block, 10, nil)
	x := []uint16{4, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	_ = c.Encrypt(x)
	_ = c.Decrypt(x)
	fmt.Println(x)
	// Output: [4 1 1 1 1 1 1 1 1 1]
}
