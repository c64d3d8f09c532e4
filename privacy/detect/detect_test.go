package detect

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

// spans returns what is found as "type text", and checks what holds for all findings.
func spans(t testing.TB, e *Engine, text string, known *KnownSet) (out []string) {
	t.Helper()
	fs, err := e.Find(ctx, text, known)
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for _, f := range fs {
		if f.Start < last || f.End <= f.Start || f.Score <= 0 || f.Score > 1 || f.By == "" {
			t.Fatalf("finding %+v in %q is out of order or incomplete", f, text)
		}
		if !flow.DefaultTaxonomy().Known(f.Label) {
			t.Errorf("label %q is not in the taxonomy", f.Label)
		}
		last = f.End
		out = append(out, f.Type+" "+text[f.Start:f.End])
	}
	return out
}

func TestFind(t *testing.T) {
	e := engine(t)
	for _, c := range []struct{ text, want string }{
		{"write to alice.b+c@mail.example.co.uk.", "email alice.b+c@mail.example.co.uk"},
		{"<bob@example.com>,eve@example.org;'x'", "email bob@example.com|email eve@example.org"},
		{"mail=o'neil@example.com&x=1", "email o'neil@example.com"},
		{"josé@exämple.de", "email josé@exämple.de"},
		{"user@xn--bcher-kva.xn--p1ai", "email user@xn--bcher-kva.xn--p1ai"},

		{"+1 (415) 555-0100", "phone +1 (415) 555-0100"},
		{"+14155550100", "phone +14155550100"},
		{"tel:+44-20-7946-0958", "phone +44-20-7946-0958"},
		{"+49 30 901820, +33 1 23 45 67 89", "phone +49 30 901820|phone +33 1 23 45 67 89"},
		{"(415) 555-0100 or 415.555.0101", "phone (415) 555-0100|phone 415.555.0101"},
		{"415-555-0100 ext. 12", "phone 415-555-0100 ext. 12"},
		{"1-415-555-0100x77", "phone 1-415-555-0100x77"},
		{"1 (415) 555-0100", "phone 1 (415) 555-0100"},
		{"Call me at 4155550100.", "phone 4155550100"},
		{"phone=4155550100;", "phone 4155550100"},
		{`"phoneNumber": "4155550100"`, "phone 4155550100"},
		{"020 7946 0958", "phone 020 7946 0958"},
		{"01 23 45 67 89", "phone 01 23 45 67 89"},
		{"0171/1234567", "phone 0171/1234567"},
		{"0044 20 7946 0958", "phone 0044 20 7946 0958"},
		{"555 415-555-0100", "phone 415-555-0100"},

		{"4111 1111 1111 1111", "card 4111 1111 1111 1111"},
		{"pay 4111-1111-1111-1111, thanks", "card 4111-1111-1111-1111"},
		{"378282246310005", "card 378282246310005"},
		{"3782 822463 10005", "card 3782 822463 10005"},
		{"5555555555554444|6011111111111117|3530111333300000", "card 5555555555554444|card 6011111111111117|card 3530111333300000"},
		{"x,4111111111111111,12/25", "card 4111111111111111"},
		{"4111 1111 1111 1111 12/25", "card 4111 1111 1111 1111"},
		{"visa 4222222222222", "card 4222222222222"},

		{"DE89 3704 0044 0532 0130 00", "iban DE89 3704 0044 0532 0130 00"},
		{"gb82west12345698765432", "iban gb82west12345698765432"},
		{"IBAN:FR1420041010050500013M02606", "iban FR1420041010050500013M02606"},
		{"NO93 8601 1117 947 is mine", "iban NO93 8601 1117 947"},

		{"123-45-6789", "ssn 123-45-6789"},
		{"SSN 123 45 6789.", "ssn 123 45 6789"},
		{"SSN-123-45-6789", "ssn 123-45-6789"},
		{"social security number is 123456789", "ssn 123456789"},

		{"from 192.168.10.1:8080", "ip 192.168.10.1"},
		{"10.0.0.0/8", "ip 10.0.0.0"},
		{"[2001:db8::8a2e:370:7334]:80", "ip 2001:db8::8a2e:370:7334"},
		{"fe80::1, ::1", "ip fe80::1|ip ::1"},
		{"::ffff:192.0.2.1", "ip ::ffff:192.0.2.1"},
		{"00:1A:2b:3C:4D:5E 00-1a-2b-3c-4d-5e", "mac 00:1A:2b:3C:4D:5E|mac 00-1a-2b-3c-4d-5e"},

		{"2024-01-15", "date 2024-01-15"},
		{"2024-01-15T10:30:00.123Z,", "date 2024-01-15T10:30:00.123Z"},
		{"2024-01-15 10:30:00+01:00 x", "date 2024-01-15 10:30:00+01:00"},
		{"12/31/2024 and 31.12.2024", "date 12/31/2024|date 31.12.2024"},
		{"1/2/24", "date 1/2/24"},
		{"12 March 2024, 12th of March 2024", "date 12 March 2024|date 12th of March 2024"},
		{"12-Mar-2024", "date 12-Mar-2024"},
		{"March 12, 2024; Mar. 12th; sept 5 2024", "date March 12, 2024|date Mar. 12th|date sept 5 2024"},
		{"in March 2024.", "date March 2024"},
		{"report_2024-01-15.pdf", "date 2024-01-15"},

		{"see https://example.com/a?b=1#c.", "url https://example.com/a?b=1#c"},
		{"(http://en.example.org/wiki/A_(b))", "url http://en.example.org/wiki/A_(b)"},
		{"www.example.com/x, then", "url www.example.com/x"},
		{"postgres://u:secret@db.example:5432/x", "url postgres://u:secret@db.example:5432/x"},

		{"key AKIAIOSFODNN7EXAMPLE", "secret AKIAIOSFODNN7EXAMPLE"},
		{"ghp_" + strings.Repeat("a1B2", 9), "secret ghp_" + strings.Repeat("a1B2", 9)},
		{"OPENAI_KEY=sk-proj-abcDEF123456abcDEF123456", "secret sk-proj-abcDEF123456abcDEF123456"},
		{"Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_1", "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_1"},

		{"MRN: 00123456", "record 00123456"},
		{"medical record number 4471-22", "record 4471-22"},
		{"patient id: 88231", "record 88231"},
		{"Member ID A12-34567.", "member A12-34567"},
		{`"member_id":"M8812345"`, "member M8812345"},
		{"policy no. 77120034", "member 77120034"},
		{"claim number CLM20240099", "claim CLM20240099"},
		{"Claim #88-1234", "claim 88-1234"},
		{"account number 12345678", "account 12345678"},
		{"claim CLM-2024-001234 for member M-12345678", "claim CLM-2024-001234|member M-12345678"},
		{"123-45-6789/987-45-4321", "ssn 123-45-6789"},
		{"123-45-6789/187-65-4321", "ssn 123-45-6789|ssn 187-65-4321"},
		{"+1-415-555-0100/+1-415-555-0101", "phone +1-415-555-0100|phone +1-415-555-0101"},
		{"1980-04-03/2024-01-01", "date 1980-04-03|date 2024-01-01"},
		{"4111 1111 1111 1111 4012 8888 8888 1881 5555", "card 4111 1111 1111 1111|card 4012 8888 8888 1881"},
		{"passport X1234567", "passport X1234567"},
		{"driver's license no D1234567", "licence D1234567"},
	} {
		if got := strings.Join(spans(t, e, c.text, nil), "|"); got != c.want {
			t.Errorf("Find(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

func TestIdentifiersAreLeftAlone(t *testing.T) {
	e := engine(t)
	for _, text := range []string{
		"550e8400-e29b-41d4-a716-446655440000", "12345678-1234-4123-8123-123456789012", "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
		"{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}", "00000000-0000-0000-0000-415555010000",
		"d41d8cd98f00b204e9800998ecf8427e", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "commit 8fe79bc1234567",
		"order 4155550100", "Order #123-456-7890", "invoice 4111111111111111", "ticket 415-555-0100", "ORD-4155550100", "SKU 123-45-6789", "A-123-45-6789",
		"PO-2024-000123", "ISBN 978-3-16-148410-0", "ISBN 0-306-40615-2", "doi:10.1000/182", "tracking 1Z999AA10123456784",
		"v1.2.3.4", "version 1.2.3.4", "1.2.3", "1.26.8", "go1.26.8", "1.2.3.4.5", "section 4.1.2.3", "Firmware: 10.2.3.4",
		"1700000000", "1700000000000", "1700000000000000", "20240115103000", "4155550100", "10:30:45", "10:30", "12:4155550100",
		"1,234,567,890", "99.99", "1234567890.1234567", "-0.96", "3.14159265358979",
		"000-12-3456", "666-12-3456", "900-12-3456", "123-00-6789", "123-45-0000", "123-45-67890", "1123-45-6789", "123-456-789",
		"4111 1111 1111 1112", "4111111111111112", "41111111111111111", "9111111111111111", "0000000000000000", "a4111111111111111", "4111111111111111b",
		"DE89370400440532013001", "DE8937040044053201300", "XX89370400440532013000", "DE893704004405320130001",
		"115-555-0100", "415-155-0100", "411-555-0100", "915-911-0100", "415-555-010", "415-555-01000", "+999 1234 5678", "+1 115 555 0100",
		"256.1.1.1", "192.168.1", "01.2.3.4", "std::vector<int>", "a::b", "::", "Foo::Bar", "00:1A:2B:3C:4D", "00:1A:2B:3C:4D:5E:6F", "10:20:30:40",
		"2024-13-45", "2024-00-10", "31/13/2024", "99/99/9999", "1/2/3", "may 5 people come", "March on", "12 apples", "decide 5",
		"@example.com", "user@", "user@localhost", "a@b", "a@b.c", "user@1.2.3", "npm i left-pad@1.3.0", "@scope/pkg@1.0.0",
		"http://", "https:// x", "a://", "www", "www.", "foo:bar", "C://", "std://",
		"sk-ipping-stones-are-fun-to-throw", "skating-on-thin-ice-1", "AKIA", "ghp_short1", "eyJhbGciOi", "-----BEGIN CERTIFICATE-----",
		"claim 2024", "I lost my account. 12345678 people did", "the MRN, then 12345678", "record 12", "public 12345678", "id 12345678",
		"row 12 34 56 78 90 12 34 56 78 90", "0.12.34.56.78", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "ratio 16/9", "24/7", "and/or", "1-2", "2020-2024",
		"0x4155550100", "#4155550100", "%20415%2D555", "x=1&y=415555", "3e10", "1e-9", "FY2024", "COVID-19", "ISO 13616-1:2020",
		"50%", "item 415 555 0100", "batch 123-45-6789",
	} {
		if got := spans(t, e, text, nil); len(got) != 0 {
			t.Errorf("Find(%q) = %q, want nothing", text, got)
		}
	}
}

func TestLabels(t *testing.T) {
	e, known := engine(t), knownSet(t, Known{"zebrafish trial", "business/confidential"})
	for text, want := range map[string]flow.Label{
		"born on 3 April 1980":           "person/birth-date",
		"DOB: 04/03/80":                  "person/birth-date",
		"DOB 4.3.80":                     "person/birth-date",
		"on 3 April 1980":                "time",
		"https://example.com/":           "technical/url",
		"https://u:p@example.com/":       "secret/password",
		"https://x.io/?email=a@b.com":    "person/contact/email",
		"https://x.io/?q=123-45-6789":    "government-id/ssn",
		"https://x.io/cb?token=abcd":     "secret/api-key",
		"https://x.io/zebrafish%20":      "technical/url",
		"the Zebrafish  TRIAL":           "business/confidential",
		"-----BEGIN EC PRIVATE KEY-----": "secret/private-key",
		"10.1.2.3":                       "technical/ip",
	} {
		fs, err := e.Find(ctx, text, known)
		if err != nil || len(fs) != 1 || fs[0].Label != want {
			t.Errorf("Find(%q) = %+v, %v, want label %s", text, fs, err, want)
		}
	}
}
