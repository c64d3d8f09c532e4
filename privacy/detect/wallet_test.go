package detect

import (
	"strings"
	"testing"
)

// TestWallets has addresses and keys that the specifications give as examples.
func TestWallets(t *testing.T) {
	e := engine(t)
	for _, good := range []string{
		"crypto 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "crypto 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "crypto bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
		"crypto bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "crypto BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
		"crypto 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "crypto 0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "crypto rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
		"secret 5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
	} {
		text := good[strings.IndexByte(good, ' ')+1:]
		if got := spans(t, e, "send it to "+text+", please", nil); len(got) != 1 || got[0] != good {
			t.Errorf("Find(%q) = %q, want %q", text, got, good)
		}
		b := []byte(text)
		if b[len(b)-3] != 'q' { // one letter wrong
			b[len(b)-3] = 'q'
		} else {
			b[len(b)-3] = 'p'
		}
		if got := spans(t, e, "send it to "+string(b)+", please", nil); len(got) != 0 {
			t.Errorf("Find(%q) = %q, want nothing", b, got)
		}
	}
}

func TestCredentials(t *testing.T) {
	e := engine(t)
	for _, c := range []struct{ text, want string }{
		{"password = hunter2x", "secret hunter2x"},
		{`{"password": "S3cr3t!pass"}`, "secret S3cr3t!pass"},
		{"DB_PASSWORD=pa55w0rd-x", "secret pa55w0rd-x"},
		{"Server=db;User Id=sa;Password=Str0ng#1;", "secret Str0ng#1"},
		{"Authorization: Bearer 8c4f21e09ab7d3f65b2a", "secret 8c4f21e09ab7d3f65b2a"},
		{"Authorization: Basic dXNlcjpwYXNzd29yZDE=", "secret dXNlcjpwYXNzd29yZDE="},
		{"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1", "secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1"},
		{"//registry/:_authToken=9f8e7d6c5b4a39281706", "secret 9f8e7d6c5b4a39281706"},
		{"machine h login bob password tr0ub4dor", "secret tr0ub4dor"},
		{"api_key: 'q1w2e3r4t5y6u7i8o9p0'", "secret q1w2e3r4t5y6u7i8o9p0"},
		{"AccountKey=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==;", "secret Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA=="},
		{"token dckr_pat_" + strings.Repeat("a1B2", 6), "secret dckr_pat_" + strings.Repeat("a1B2", 6)},
		{"sk-ant-api03-" + strings.Repeat("a1B2", 6), "secret sk-ant-api03-" + strings.Repeat("a1B2", 6)},

		{"password: required", ""},
		{"the password is secret", ""},
		{"password = ${DB_PASS1}", ""},
		{"compass: N35W2x", ""},
		{"tokens: 4096", ""},
		{"token: 128000", ""},
		{"max_token=8192", ""},
		{"the bearer of 12 letters", ""},
		{"key: value123456789012345", ""},
		{"bypass: abc123x", ""},
	} {
		if got := strings.Join(spans(t, e, c.text, nil), "|"); got != c.want {
			t.Errorf("Find(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

// TestSecretPrefixes takes every prefix with a body of its least length and of more, and leaves it alone with words after it.
func TestSecretPrefixes(t *testing.T) {
	e := engine(t)
	n := 0
	for _, forms := range secretForms {
		for _, f := range forms {
			n++
			body := strings.Repeat("3b7Q9fA1xZ0k5R", 10)
			if f.body == bodyHex {
				body = strings.Repeat("3b7e9fa10c5d", 10)
			}
			for _, size := range []int{f.min, f.min + 6} {
				token := f.prefix + body[:size]
				if got := spans(t, e, "use "+token+" for it", nil); len(got) != 1 || got[0] != "secret "+token {
					t.Errorf("Find(%q) = %q, want the token", token, got)
				}
			}
			if short := f.prefix + body[:f.min-1]; f.prefix != "1//0" {
				if got := spans(t, e, "use "+short+" for it", nil); len(got) != 0 && got[0] == "secret "+short {
					t.Errorf("Find(%q) = %q, want nothing", short, got)
				}
			}
			for _, words := range []string{"manager-of-the-many-things-that-are-in-the-house-and-in-the-garden-too", "manager_of_the_many_things_that_are_in_the_house_and_in_the_garden_too"} {
				if got := spans(t, e, "use "+f.prefix+words+" for it", nil); len(got) != 0 {
					t.Errorf("Find(%q) = %q, want nothing", f.prefix+words, got)
				}
			}
		}
	}
	if n < 90 {
		t.Errorf("there are %d prefixes, want 90 or more", n)
	}
	for _, text := range []string{"hf_" + strings.Repeat("aQzXcVbNm", 4), "SK" + strings.Repeat("0a1b", 8), "key-" + strings.Repeat("0a1b", 8)} {
		if got := spans(t, e, text, nil); len(got) != 1 {
			t.Errorf("Find(%q) = %q, want one secret", text, got)
		}
	}
	for _, text := range []string{"key-value-pairs-of-the-configuration-no-2", "secret_rotation_of_all_the_accounts_we_have_v2", "SK" + strings.Repeat("0A1B", 8), "rk_is_no_prefix_that_an_issuer_uses_1"} {
		if got := spans(t, e, text, nil); len(got) != 0 {
			t.Errorf("Find(%q) = %q, want nothing", text, got)
		}
	}
}
