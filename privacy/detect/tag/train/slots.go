package main

import (
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/privacy/detect/tag/internal/feature"
)

// simple makes what a slot stands for that no list has.
func (f *filling) simple(name string) (feature.Tag, string, bool) {
	r, n := &f.g.rnd, f.g.names
	if s, ok := f.plain(name); ok {
		return feature.O, s, true
	}
	switch name {
	case "city":
		return feature.Place, n.city(f.lang, r), true
	case "country":
		return feature.Place, r.pick(n.countries), true
	case "region":
		if len(f.g.lists["region"]) == 0 || r.one(2) {
			return feature.Place, n.region(f.lang, r), true
		}
	case "street":
		return feature.Address, f.street(), true
	case "postcode":
		return feature.Address, f.postcode(), true
	case "company":
		if len(f.g.lists["company"]) == 0 || r.percent(35) {
			return feature.Organisation, r.pick(n.companies), true
		}
	case "nat":
		if f.lang == "en" && (len(f.g.lists["nat"]) == 0 || r.percent(40)) {
			return feature.Nationality, r.pick(n.nationalities), true
		}
	case "nats":
		if f.lang == "en" && (len(f.g.lists["nats"]) == 0 || r.percent(30)) {
			return feature.Nationality, r.pick(n.peoples), true
		}
	case "org":
		if r.percent(45) {
			if tag, s, ok := f.simple("company"); ok {
				return tag, s, ok
			}
		}
	}
	return 0, "", false
}

var monthNames = map[string]string{
	"en": "January February March April May June July August September October November December",
	"de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
	"fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
	"es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
	"it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
	"nl": "januari februari maart april mei juni juli augustus september oktober november december",
	"pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
	"pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
	"sv": "januari februari mars april maj juni juli augusti september oktober november december",
	"da": "januar februar marts april maj juni juli august september oktober november december",
	"no": "januar februar mars april mai juni juli august september oktober november desember",
	"fi": "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta",
	"tr": "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık",
	"cs": "ledna února března dubna května června července srpna září října listopadu prosince",
	"ro": "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
	"hu": "január február március április május június július augusztus szeptember október november december",
}

var weekdayNames = map[string]string{
	"en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
	"de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
	"fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
	"es": "lunes martes miércoles jueves viernes sábado domingo",
	"it": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
	"nl": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
	"pt": "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
	"pl": "poniedziałek wtorek środa czwartek piątek sobota niedziela",
	"sv": "måndag tisdag onsdag torsdag fredag lördag söndag",
	"tr": "Pazartesi Salı Çarşamba Perşembe Cuma Cumartesi Pazar",
}

func (f *filling) wordOf(byLang map[string]string) string {
	words, ok := byLang[f.lang]
	if !ok {
		words = byLang["en"]
	}
	return f.g.rnd.pick(strings.Fields(words))
}

func (f *filling) year() int { return 1925 + f.g.rnd.below(105) }

func (f *filling) date() string {
	r := &f.g.rnd
	d, m, y := 1+r.below(28), 1+r.below(12), f.year()
	month := f.wordOf(monthNames)
	switch r.below(10) {
	case 0:
		return fmt.Sprintf("%04d-%02d-%02d", y, m, d)
	case 1:
		return fmt.Sprintf("%d/%d/%d", d, m, y)
	case 2:
		return fmt.Sprintf("%02d.%02d.%d", d, m, y)
	case 3:
		return fmt.Sprintf("%d/%d/%02d", m, d, y%100)
	}
	switch f.lang {
	case "en":
		switch r.below(4) {
		case 0:
			return fmt.Sprintf("%s %d, %d", month, d, y)
		case 1:
			return fmt.Sprintf("%d %s", d, month)
		}
		return fmt.Sprintf("%d %s %d", d, month, y)
	case "de", "da", "no", "fi", "cs":
		return fmt.Sprintf("%d. %s %d", d, month, y)
	case "es", "pt":
		return fmt.Sprintf("%d de %s de %d", d, month, y)
	case "hu":
		return fmt.Sprintf("%d. %s %d.", y, month, d)
	}
	return fmt.Sprintf("%d %s %d", d, month, y)
}

// plain makes numbers, dates and the like, which are nobody's name.
func (f *filling) plain(name string) (string, bool) {
	r := &f.g.rnd
	switch name {
	case "date":
		return f.date(), true
	case "year":
		return fmt.Sprint(f.year()), true
	case "month":
		return f.wordOf(monthNames), true
	case "weekday":
		return f.wordOf(weekdayNames), true
	case "time":
		return fmt.Sprintf(r.pick([]string{"%02d:%02d", "%d.%02d", "%02d:%02d:07", "%d:%02d pm"}), 1+r.below(12), r.below(60)), true
	case "email":
		p := f.g.names.person(f.lang, r)
		host := strings.ToLower(f.g.names.inventFamily.word(r))
		return strings.ToLower(strings.ReplaceAll(p.given, " ", "")) + r.pick([]string{".", "_", "", "-"}) + strings.ToLower(strings.ReplaceAll(p.family, " ", "")) + "@" + host + r.pick([]string{".com", ".org", ".net", ".de", ".fr", ".example"}), true
	case "phone":
		return digitsLike(r, r.pick([]string{"+## ## ### ####", "(0###) ######", "###-###-####", "0## #### ####", "+# (###) ###-####", "0#/### ## ##", "### ## ##"})), true
	case "url":
		return r.pick([]string{"https://", "http://www.", "www."}) + strings.ToLower(f.g.names.inventFamily.word(r)) + r.pick([]string{".com", ".org", ".net/a/b", ".io/docs", ".de/seite?id=4"}), true
	case "amount":
		return r.pick([]string{"$", "€", "£", "EUR ", "USD ", "CHF ", ""}) + digitsLike(r, r.pick([]string{"#,###", "##.##", "#,###.##", "###", "##,###"})) + r.pick([]string{"", "", " euros", " million"}), true
	case "num":
		return fmt.Sprint(r.below(r.pick4(10, 100, 1000, 100000))), true
	case "percent":
		return fmt.Sprintf("%d%%", r.below(101)), true
	case "age":
		return fmt.Sprint(1 + r.below(97)), true
	case "duration":
		return fmt.Sprintf("%d %s", 2+r.below(20), r.pick([]string{"days", "weeks", "months", "years", "hours"})), true
	case "id":
		return digitsLike(r, r.pick([]string{"########", "@@-####", "@#####", "####-####", "@@@#####", "##@###@", "#####/##", "@@@-##-####"})), true
	case "caseno":
		return digitsLike(r, r.pick([]string{"#####/##", "####/##", "C-###/##", "## @ ###/##", "@@ ##/####", "##-####", "[2###] @@@@ ##", "#-##-###/##"})), true
	case "plate":
		return digitsLike(r, r.pick([]string{"@@ ## @@@", "@-@@ ####", "@@@ ###", "## @@ ##", "@@-###-@@"})), true
	}
	return "", false
}

func (r *random) pick4(a, b, c, d int) int { return [4]int{a, b, c, d}[r.below(4)] }

// digitsLike puts digits for # and capitals for @.
func digitsLike(r *random, form string) string {
	b := []byte(form)
	for i := range b {
		switch b[i] {
		case '#':
			b[i] = byte('0' + r.below(10))
		case '@':
			b[i] = byte('A' + r.below(26))
		}
	}
	return string(b)
}

// street is a street with a number, as it is written somewhere.
func (f *filling) street() string {
	r := &f.g.rnd
	name := f.streetName()
	number := fmt.Sprint(1 + r.below(r.pick4(30, 200, 2000, 20000)))
	if r.one(8) {
		number += r.pick([]string{"a", "b", "A", "/2", "-3", " bis", "/14", "C"})
	}
	if r.percent(55) {
		s := number + " " + name
		if f.lang == "fr" && r.one(2) {
			s = number + ", " + name
		}
		if r.one(6) {
			s += r.pick([]string{" Apt. ", " Suite ", " Unit ", ", Flat ", ", Apartment ", " #", " Floor "}) + fmt.Sprint(1+r.below(900))
		}
		return s
	}
	s := name + " " + number
	if r.one(8) {
		s = name + ", " + number
	}
	if r.one(10) {
		s += r.pick([]string{", 2º B", " bus 4", " A 12", ", lgh 1203", ", 3. Stock", " m. 7", ", kat 2", " piętro 3"})
	}
	return s
}

func (f *filling) streetName() string {
	r := &f.g.rnd
	if len(f.g.lists["streetname"]) > 0 && r.percent(70) {
		g := filling{g: f.g, lang: f.lang, people: map[string]person{}, said: map[string]string{}}
		if g.fromList("streetname", feature.Address) == nil {
			return g.b.String()
		}
	}
	word := f.g.names.inventFamily.word(r)
	if r.one(2) {
		word = r.pick(f.g.names.allFamily)
	}
	return word + r.pick([]string{" Street", " St", " Road", " Rd.", " Avenue", " Ave", " Lane", " Drive", " Court", " Way", " Place", "straße", "strasse", "weg", "gatan", "vej", "katu", "tie", "straat", "laan", " utca", " Boulevard", " Crescent", " Terrace", "gasse", "allee", ""})
}

var stateCodes = strings.Fields("AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC NSW VIC QLD ON BC QC")

func (f *filling) postcode() string {
	r := &f.g.rnd
	return digitsLike(r, r.pick([]string{"#####", "#####", "####", "#####-####", "@@# #@@", "@## #@@", "@#@ #@#", "### ##", "#### @@", "##-###", "#####-###", "D-#####", "######"}))
}

// address is a postal address; over several lines if it is to be.
func (f *filling) address(lines bool) string {
	r, n := &f.g.rnd, f.g.names
	sep := ", "
	switch {
	case lines:
		sep = "\n"
	case r.one(8):
		sep = " "
	}
	city := n.city(f.lang, r)
	if r.one(12) {
		city = strings.ToUpper(city)
	}
	parts := []string{f.street()}
	if r.one(14) {
		parts[0] = digitsLike(r, r.pick([]string{"P.O. Box ###", "PO Box ####", "Postfach ## ##", "PSC ####, Box ####", "Unit #### Box ####"}))
	}
	switch r.below(5) {
	case 0, 1:
		parts = append(parts, f.postcode()+" "+city)
	case 2:
		parts = append(parts, city+", "+r.pick(stateCodes)+" "+f.postcode())
	case 3:
		parts = append(parts, city, f.postcode())
	default:
		parts = append(parts, city)
	}
	if r.one(4) {
		parts = append(parts, n.region(f.lang, r))
	}
	if r.one(3) {
		parts = append(parts, r.pick(n.countries))
	}
	if r.one(14) {
		parts = append(parts, f.postcode())
	}
	return strings.Join(parts, sep)
}
