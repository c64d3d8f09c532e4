package detect

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

// forms is what each text holds, as "type text" with | between.
type forms []struct{ text, want string }

func (fs forms) check(t *testing.T) {
	t.Helper()
	e := engine(t)
	for _, c := range fs {
		if got := strings.Join(spans(t, e, c.text, nil), "|"); got != c.want {
			t.Errorf("Find(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

func TestDatesInWords(t *testing.T) {
	forms{
		{"on the night of 3 to 4 May 1998 they", "date 3 to 4 May 1998"},
		{"between 3 and 5 June.", "date 3 and 5 June"},
		{"June 3-5, 1999", "date June 3-5, 1999"},
		{"from March to May 2003", "date March to May 2003"},
		{"12th of March, 1999", "date 12th of March, 1999"},
		{"le 1er janvier 2001", "date 1er janvier 2001"},
		{"am 3. Oktober 1990 in", "date 3. Oktober 1990"},
		{"el 5 de mayo de 1862", "date 5 de mayo de 1862"},
		{"il 2 giugno 1946", "date 2 giugno 1946"},
		{"dia 25 de abril de 1974", "date 25 de abril de 1974"},
		{"op 5 mei 1945", "date 5 mei 1945"},
		{"dnia 11 listopada 1918 r.", "date 11 listopada 1918"},
		{"dne 17. listopadu 1989", "date 17. listopadu 1989"},
		{"la 1 decembrie 1918", "date 1 decembrie 1918"},
		{"2024. március 15.", "date 2024. március 15"},
		{"den 6 juni 1809", "date 6 juni 1809"},
		{"den 17. mai 1814", "date 17. mai 1814"},
		{"6. joulukuuta 1917", "date 6. joulukuuta 1917"},
		{"29 Ekim 1923", "date 29 Ekim 1923"},
		{"στις 25 Μαρτίου 1821", "date 25 Μαρτίου 1821"},
		{"9 мая 1945 года", "date 9 мая 1945"},
		{"24 серпня 1991", "date 24 серпня 1991"},
		{"Mon, 12 Mar 2024", "date Mon, 12 Mar 2024"},
		{"Thursday the 3rd of May", "date Thursday the 3rd of May"},
		{"Mittwoch, 3. Oktober 1990", "date Mittwoch, 3. Oktober 1990"},
		{"we meet Thursday at", "date Thursday"},
		{"am Dienstag um", "date Dienstag"},
		{"summer 2003 and the winter of 1998", "date summer 2003|date winter of 1998"},
		{"Q3 2024 and Q1/2025", "date Q3 2024|date Q1/2025"},
		{"in 1998, since 2001, born 1975", "date 1998|date 2001|date 1975"},
		{"Smith (1955) and Jones (1960-1972)", "date 1955|date 1960-1972"},
		{"founded in 1887.", "date 1887"},
		{"from 1995 to 1998", "date 1995 to 1998"},
		{"seit 1998", "date 1998"},
		{"depuis 1998", "date 1998"},
		{"w 1998 roku", "date 1998"},
		{"в 1998 году", "date 1998"},
		{"in May", "date May"},
		{"20240115T103000Z", "date 20240115T103000Z"},
		{"at 10:30 on", "time-of-day 10:30"},
		{"10:30 pm, 9 a.m. or 5 o'clock", "time-of-day 10:30 pm|time-of-day 9 a.m.|time-of-day 5 o'clock"},
		{"um 14:30 Uhr", "time-of-day 14:30 Uhr"},
		{"à 14h30", "time-of-day 14h30"},
	}.check(t)
}

func TestAgesAndSpans(t *testing.T) {
	forms{
		{"aged 42", "age 42"}, {"age: 42", "age 42"}, {"at the age of 42.", "age 42"}, {`"age": 42,`, "age 42"}, {"aged between 30 and 40", "age 30 and 40"},
		{"42 years old", "age 42 years old"}, {"a 42-year-old", "age 42-year-old"}, {"42 y/o", "age 42 y/o"}, {"42yo male", "age 42yo"}, {"42 years of age", "age 42 years of age"},
		{"a man of 63, tall", "age 63"}, {"he just turned 42", "age 42"}, {"She is 42.", "age 42"}, {"forty-two years old", "age forty-two years old"},
		{"a twelve-year-old", "age twelve-year-old"}, {"aged twelve", "age twelve"}, {"6 months old", "age 6 months old"},
		{"42 Jahre alt", "age 42 Jahre alt"}, {"der 42-jährige Mann", "age 42-jährige"}, {"âgé de 42 ans", "age 42 ans"}, {"42 años de edad", "age 42 años de edad"},
		{"wiek: 42", "age 42"}, {"42-letni", "age 42-letni"}, {"42-årig", "age 42-årig"}, {"42-vuotias", "age 42-vuotias"}, {"42-летний", "age 42-летний"},
		{"età 42 anni", "age 42 anni"}, {"возраст: 42", "age 42"},
		{"three years and two months", "duration three years and two months"}, {"within 14 days", "duration 14 days"}, {"a two-week stay", "duration two-week"},
		{"trois ans, 3 ans", "duration 3 ans"}, {"18 Monate", "duration 18 Monate"},
	}.check(t)
}

func TestAddresses(t *testing.T) {
	forms{
		{"at 12 High Street today", "address 12 High Street"},
		{"12 High Street, Springfield, IL 62704", "address 12 High Street, Springfield, IL 62704"},
		{"221B Baker Street, London NW1 6XE.", "address 221B Baker Street, London NW1 6XE"},
		{"350 Fifth Ave., New York, NY 10118-0110", "address 350 Fifth Ave., New York, NY 10118-0110"},
		{"742 Evergreen Terrace, Apt. 3B", "address 742 Evergreen Terrace, Apt. 3B"},
		{"1600 Amphitheatre Pkwy\nSuite 200\nMountain View, CA 94043", "address 1600 Amphitheatre Pkwy\nSuite 200\nMountain View, CA 94043"},
		{"Lindenstraße 5a, 10115 Berlin", "address Lindenstraße 5a, 10115 Berlin"},
		{"Lindenstraße 5a\n10115 Berlin\nGermany", "address Lindenstraße 5a\n10115 Berlin\nGermany"},
		{"5, rue de la Paix, 75002 Paris", "address 5, rue de la Paix, 75002 Paris"},
		{"Calle Mayor 12, 3º B, 28013 Madrid", "address Calle Mayor 12, 3º B, 28013 Madrid"},
		{"ul. Polna 3/5, 00-950 Warszawa", "address ul. Polna 3/5, 00-950 Warszawa"},
		{"Via Roma 10, 20121 Milano", "address Via Roma 10, 20121 Milano"},
		{"Mannerheimintie 7 A 3", "address Mannerheimintie 7 A 3"},
		{"Keizersgracht 12-III, 1015 CJ Amsterdam", "address Keizersgracht 12-III, 1015 CJ Amsterdam"},
		{"No. 5 Atatürk Caddesi", "address 5 Atatürk Caddesi"},
		{"Kungsgatan 12, 111 43 Stockholm", "address Kungsgatan 12, 111 43 Stockholm"},
		{"Karl Johans gate 22, 0026 Oslo", "address Karl Johans gate 22, 0026 Oslo"},
		{"Kossuth Lajos utca 5", "address Kossuth Lajos utca 5"},
		{"Vesterbrogade 12", "address Vesterbrogade 12"},
		{"Poljane 12, 1000 Ljubljana", "address Poljane 12, 1000 Ljubljana"},
		{"Max-Planck-Straße 5", "address Max-Planck-Straße 5"},
		{"C/ Mayor, 12", "address C/ Mayor, 12"},
		{"Rua Augusta, 24", "address Rua Augusta, 24"},
		{"ул. Ленина, 5", "address ул. Ленина, 5"},
		{"P.O. Box 123, Dover, DE 19901", "address P.O. Box 123, Dover, DE 19901"},
		{"PO Box 123", "address PO Box 123"},
		{"PSC 2721, Box 8637\nAPO AA 06259", "address PSC 2721, Box 8637\nAPO AA 06259"},
		{"Unit 1293 Box 4311\nDPO AE 01708", "address Unit 1293 Box 4311\nDPO AE 01708"},
		{"Postfach 1234", "address Postfach 1234"},
		{"zip code is 94105", "postal-code 94105"}, {"PLZ: 10115", "postal-code 10115"}, {"postcode SW1A 1AA", "postal-code SW1A 1AA"},
		{"in SW1A 2AB and K1A 0B1", "postal-code SW1A 2AB|postal-code K1A 0B1"}, {"ZIP: 7412 SL", "postal-code 7412 SL"},
		{"moved to Boston, MA 02134 then", "postal-code 02134"}, {"D-10115 Berlin", "postal-code D-10115"},
	}.check(t)
}

func TestAmountsPlacesAndFiles(t *testing.T) {
	forms{
		{"$1,234.56", "amount $1,234.56"}, {"EUR 1.234.567,89", "amount EUR 1.234.567,89"}, {"1 234,50 €", "amount 1 234,50 €"}, {"CHF 1'234.50", "amount CHF 1'234.50"},
		{"£5m and US$ 3 million", "amount £5m|amount US$ 3 million"}, {"500 euros", "amount 500 euros"}, {"1.5 million dollars", "amount 1.5 million dollars"},
		{"₹12,34,567", "amount ₹12,34,567"}, {"250 zł", "amount 250 zł"}, {"USD 20", "amount USD 20"}, {"€ 20,-", "amount € 20"},
		{"lat 52.520008, lon 13.404954", "coordinates 52.520008, lon 13.404954"}, {`"latitude": 52.5200`, "coordinates 52.5200"},
		{`52°31'12"N 13°24'18"E`, `coordinates 52°31'12"N 13°24'18"E`}, {"52.5200° N, 13.4050° E", "coordinates 52.5200° N, 13.4050° E"},
		{"geo:52.52,13.40", "coordinates geo:52.52,13.40"}, {"coordinates: 52.5200, 13.4050", "coordinates 52.5200, 13.4050"},
		{"application no. 36244/06", "case-number 36244/06"}, {"case no. 2 U 123/05", "case-number 2 U 123/05"}, {"Case C-131/12", "case-number C-131/12"},
		{"docket no. 1:19-cv-01234", "case-number 1:19-cv-01234"}, {"applications nos. 1234/05 and 2345/06", "case-number 1234/05|case-number 2345/06"},
		{"licence plate AB12 CDE", "plate AB12 CDE"}, {"registration: KA-01-AB-1234", "plate KA-01-AB-1234"},
	}.check(t)
}

func TestWhatOnlyLooksLikeAForm(t *testing.T) {
	e := engine(t)
	for _, text := range []string{
		"1.2.3", "version 2003.4", "v1998", "ratio 3:2", "won 3-2", "a 3-2 score", "section 12.4", "§ 12", "item 1998", "order 1998", "port 8080", "1998", "94105", "2020-2024",
		"in 2000 cases", "in 1800 words", "of 2000 people", "in 2000 km", "50%", "12 apples", "12 Apples and Pears", "take 5 steps", "may 5 people", "5 may come", "march on 12",
		"turn 90 degrees", "turned 18%", "page 42", "the average of 63 is", "10:30", "10.30", "3 of 4", "1 000 000", "1,234", "5 ft", "try 5", "all 5", "5 try", "SEK", "EUR",
		"case 12", "a case of 24 bottles", "file 3", "in case 2000 come", "plate 5", "Boeing 747", "iPhone 12", "Windows 11", "Room 5", "Figure 12", "Route 66 is long",
		"box 5", "unit 5", "flat 3", "place 5", "via e-mail", "The Way", "High Street", "Alice Marie", "3.14159, 2.71828", "0.1234, 0.5678", "52.520008", "N 5", "12 St",
		"8 AM1 1", "AB1 2", "A1A 1A", "D-10115", "AES-256", "UTF-8 Test", "sat on it", "the sun set", "spring 5", "Q5 2024", "Q3", "1991s", "the 1990s", "19990s", "5 euross",
	} {
		if got := spans(t, e, text, nil); len(got) != 0 {
			t.Errorf("Find(%q) = %q, want nothing", text, got)
		}
	}
}

func TestMildFormsScoreLow(t *testing.T) {
	e := engine(t)
	for _, c := range []struct {
		text  string
		label flow.Label
		low   bool
	}{
		{"$12.50", "finance/amount", true}, {"14 days", "time", true}, {"Monday", "time", true}, {"10:30 pm", "time", true},
		{"12 March 2024", "time", false}, {"in 1998", "time", false}, {"42 years old", "person/age", false}, {"12 High Street", "person/contact/address", false},
		{"zip 94105", "location/postal", false}, {"geo:52.52,13.40", "location/coordinates", false}, {"application no. 36244/06", "government-id", false},
		{"plate AB12 CDE", "vehicle/plate", false}, {"born 12 de marzo de 1980", "person/birth-date", false},
	} {
		fs, err := e.Find(ctx, c.text, nil)
		if err != nil || len(fs) != 1 || fs[0].Label != c.label || (fs[0].Score <= .5) != c.low {
			t.Errorf("Find(%q) = %+v, %v, want one of label %s, a low score: %v", c.text, fs, err, c.label, c.low)
		}
	}
}

// An address ends where its reach ends; what comes after is looked at by itself, and nothing becomes a long finding.
func TestAnAddressIsBounded(t *testing.T) {
	e := engine(t)
	for name, text := range map[string]string{
		"units":     "12 High Street" + strings.Repeat(", Apt. 3", 60),
		"places":    "12 High Street, " + strings.Repeat("Springfield ", 60) + "IL 62704",
		"names":     "12 " + strings.Repeat("Verylongstreetnamewithoutend ", 30) + "Street",
		"days":      "1" + strings.Repeat(" and 2", 80) + " May 1998",
		"spans":     "3 years" + strings.Repeat(" and 3 years", 60),
		"long word": "12 " + strings.Repeat("é", 100) + " Street",
		"list":      "applications nos." + strings.Repeat(" 1234/05,", 60),
	} {
		fs, err := e.Find(ctx, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fs {
			if f.Type == Long || f.End-f.Start > formReach {
				t.Errorf("%s: finding %s of %d bytes", name, f.Type, f.End-f.Start)
			}
		}
		i := 0
		replay(t, e, nil, text, func() int { i++; return 1 + i%7 })
	}
}
