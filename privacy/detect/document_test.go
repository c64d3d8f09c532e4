package detect

import (
	"strings"
	"testing"
)

// TestDocuments has numbers as the papers of some twenty countries show them, none of them anybody's.
func TestDocuments(t *testing.T) {
	e := engine(t)
	for _, c := range []struct{ kind, before, numbers string }{
		{"passport", "passport ", "A12345678|912345678|C01X00T47|12AB34567|YA1234567|AAA123456|ZS1234567|SPECI2014|J8369854|E12345678|TK1234567|M12345678|FZ123456|AB123456|N1234567|45 1234567|AB 123456|12 AB 34567|c01x00t47"},
		{"passport", "Reisepass Nr. ", "C01X00T47"}, {"passport", "passeport n° 12AB34567 et passeport ", "12AB34567"}, {"passport", "passport number: ", "533380006"},
		{"licence", "driver's license number ", "D1234567|S123-456-78-901-0|123 456 789|S123-4567-8901|A1234-12345-12345|12345678"},
		{"licence", "driving licence no. ", "B072RRE2I55|MI1234567A|MH14 20110062821|MH-14-2011-0062821|11-12-123456-63|AB 123456|1234567890|123456789012"},
		{"account", "sort code ", "12-34-56|20-12-03|20 12 03|123456"},
		{"device", "IMSI ", "310150123456789"}, {"device", "ICCID: ", "8901 4103 2111 1851 0720|89014103211118510720"},
		{"device", "Android ID: ", "9774d56d682e549c"}, {"device", "idfa=", "EA7583CD-A667-48BC-B806-42ECB2B48606"},
		{"device", "UDID ", "00008030-001A2B3C4D5E6F70"}, {"device", "serial number ", "C02XG0FDH7JY"}, {"device", "device id ", "a1b2c3d4e5f6"},
		{"crypto", "Solana address ", "7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV"},
	} {
		for number := range strings.SplitSeq(c.numbers, "|") {
			got := spans(t, e, "Her "+c.before+number+" is new.", nil)
			if len(got) == 0 || got[len(got)-1] != c.kind+" "+number {
				t.Errorf("Find(%q) = %q, want %s %s", c.before+number, got, c.kind, number)
			}
		}
	}
	for _, text := range []string{"passport control opens at 0600", "passport holders from 27 states", "passport AB12", "passport 1234A 5678", "driver license 12A 34567", "the driver of car 123", "driver 12345678", "sort 123456 rows",
		"sort code 1234567", "the device has 12345678 bytes", "Android 11 and 12", "device id: unknown", "serial number", "serial 12", "imsi 123",
		"order 7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV"} {
		if got := spans(t, e, text, nil); len(got) != 0 {
			t.Errorf("Find(%q) = %q, want nothing", text, got)
		}
	}
}
