package detect

import "strings"

// numberingPlans has the calling codes that ITU-T E.164 assigns, with the least and the greatest number of digits that may
// follow one, and, after a slash, the digits that none of its numbers begins with. Package oracle checks it.
const numberingPlans = `1:10-10/01 7:10-14/012 20:8-10 27:5-10/0 30:10-12/01 31:5-11/0 32:8-9/0 33:9-9/0 34:9-9/0123 36:8-9/0 39:6-12
	40:6-9/01 41:9-12/0 43:4-13/0 44:7-10/046 45:8-8/01 46:6-12/0 47:5-8 48:6-10/0 49:4-15/0 51:8-9/03 52:10-10/0 53:6-10/01
	54:10-11 55:8-11/0 56:9-11/0 57:8-11 58:10-10/013 60:8-10/02 61:5-12/0 62:7-15/0 63:6-13/0 64:5-10/0 65:8-11/0 66:8-13/0
	81:8-15 82:5-14/0 84:7-10/0 86:7-12/0 90:7-13/01 91:8-13/0 92:8-12/0 93:9-9/01 94:9-9/0 95:6-10/03 98:4-10/0 211:9-9/0
	212:9-9/0 213:8-9/0 216:8-8/0 218:9-9/01 220:7-7/01 221:9-9 222:8-8/0 223:8-8 224:8-9 225:10-10 226:8-8 227:8-8 228:8-8
	229:8-10 230:7-10/0 231:7-9 232:8-8 233:8-9/0 234:10-14 235:8-8 236:8-8 237:8-9 238:7-7 239:7-7 240:9-9 241:7-8 242:9-9
	243:7-10 244:9-9 245:7-9 246:7-7 247:5-6 248:7-7 249:9-9 250:8-9 251:9-9 252:6-9 253:8-8 254:7-10 255:9-9 256:9-9 257:8-8
	258:8-9 260:9-9 261:9-9 262:9-9 263:5-10 264:8-9 265:7-9 266:8-8 267:7-10 268:8-9 269:7-7 290:4-5 291:7-7 297:7-7 298:6-6
	299:6-6 350:8-8 351:9-9/01 352:4-11 353:7-10/0 354:7-9/0 355:6-9 356:8-8 357:8-8 358:5-12/0 359:6-12/0 370:8-8 371:8-8
	372:7-10 373:8-8 374:8-8 375:6-11 376:6-9 377:8-9 378:8-10 379:6-11 380:9-10 381:6-12 382:8-9 383:8-12 385:7-9 386:5-8 387:8-9
	389:8-8 420:9-12/01 421:6-9/01 423:7-9 500:5-5 501:7-11 502:8-11 503:7-11 504:8-11 505:8-8 506:8-10 507:7-11 508:6-9 509:8-8
	590:9-9 591:8-9 592:7-7 593:8-11 594:9-9 595:6-11 596:9-9 597:6-7 598:4-13 599:7-8 670:7-8 672:6-6 673:7-7 674:7-7 675:7-8
	676:5-7 677:5-7 678:5-7 679:7-11 680:7-7 681:6-9 682:5-5 683:4-7 685:5-10 686:5-8 687:6-6 688:5-7 689:6-9 690:4-7 691:7-7
	692:7-7 800:8-8 808:8-8 850:8-10 852:5-11 853:7-8 855:8-10 856:8-10 870:9-12 878:12-12 880:6-10 881:9-10 882:7-12 883:8-12
	886:7-11/0 888:11-11 960:7-10 961:7-8 962:8-9 963:8-9 964:8-10 965:7-8 966:9-10 967:7-9 968:7-9 970:8-10 971:5-12 972:7-12
	973:8-8 974:7-11 975:7-8 976:8-10 977:8-11 979:9-9 992:9-9 993:8-8 994:9-9 995:9-9 996:9-10 998:9-9`

// plan is how the numbers of one calling code go on.
type plan struct {
	least, most uint8
	not         uint16 // bit d: no number begins with the digit d
}

var plans = func() (t [1000]plan) {
	for entry := range strings.FieldsSeq(numberingPlans) {
		head, not, _ := strings.Cut(entry, "/")
		code, sizes, _ := strings.Cut(head, ":")
		least, most, _ := strings.Cut(sizes, "-")
		p := &t[decimal(code)]
		p.least, p.most = uint8(decimal(least)), uint8(decimal(most))
		for i := range len(not) {
			p.not |= 1 << (not[i] - '0')
		}
	}
	return t
}()

func decimal(x string) (n int) {
	for i := range len(x) {
		n = n*10 + int(x[i]-'0')
	}
	return n
}

// has reports whether the plan has the number.
func (p *plan) has(d []byte) bool {
	return len(d) > 0 && len(d) >= int(p.least) && len(d) <= int(p.most) && p.not>>d[0]&1 == 0
}

// planned reports whether the digits are a calling code that is assigned and a number that its plan has. A trunk prefix may stand
// between the two: "+44 (0)20 …".
func planned(d []byte) bool {
	for n := 1; n <= 3 && n < len(d); n++ {
		code := 0
		for _, v := range d[:n] {
			code = code*10 + int(v)
		}
		if d[0] == 0 || plans[code].most == 0 {
			continue
		}
		p, rest := &plans[code], d[n:]
		if !p.has(rest) {
			if rest[0] != 0 || !p.has(rest[1:]) {
				return false
			}
			rest = rest[1:]
		}
		return code != 1 || nanp(rest)
	}
	return false
}
