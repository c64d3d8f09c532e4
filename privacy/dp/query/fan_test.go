package query_test

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/query"
)

// One person's rows must not be multiplied until the source fails for its time: that it does would say that the person is there.
func TestJoinsMultiplyLittle(t *testing.T) {
	ann := "(SELECT id FROM patients WHERE name = 'Ann')"
	twice := "(SELECT * FROM stays WHERE diagnosis = 'X' UNION ALL SELECT * FROM stays WHERE diagnosis = 'X')"
	for _, from := range []string{
		ann + " p CROSS JOIN codes a CROSS JOIN codes b",
		ann + " p, codes a, codes b",
		ann + " p JOIN codes a ON a.level > 0 LEFT JOIN codes b ON b.level > 0",
		ann + " p CROSS JOIN (SELECT a.level FROM codes a CROSS JOIN codes b) c",
		"stays p JOIN codes a ON p.diagnosis = a.diagnosis JOIN codes b ON a.level = b.level JOIN codes c ON b.level = c.level",
		"stays a JOIN stays b ON a.patient_id = b.patient_id JOIN stays c ON a.patient_id = c.patient_id",
		twice + " a JOIN " + twice + " b ON a.patient_id = b.patient_id JOIN " + twice + " c ON a.patient_id = c.patient_id",
		"(SELECT stay, patient_id, count(*) AS n FROM stays GROUP BY patient_id, stay) a JOIN stays b ON a.patient_id = b.patient_id JOIN stays c ON a.patient_id = c.patient_id",
	} {
		_, err := query.Compile(clinic(), query.Question{SQL: "SELECT count(*) FROM " + from})
		if err == nil || !strings.Contains(err.Error(), "rule size") {
			t.Errorf("%s: error = %v, want rule size", from, err)
		}
	}
	one := "(SELECT patient_id, count(*) AS n FROM stays GROUP BY patient_id)"
	for _, from := range []string{
		one + " a JOIN " + one + " b ON a.patient_id = b.patient_id JOIN " + one + " c ON a.patient_id = c.patient_id JOIN stays d ON d.patient_id = a.patient_id",
		"stays s, codes a, codes b WHERE s.diagnosis = a.diagnosis AND a.level = b.level",
		"stays a JOIN stays b ON a.patient_id = b.patient_id JOIN visits v ON v.stay_id = a.stay LEFT JOIN codes c ON c.diagnosis = a.diagnosis",
	} {
		if _, err := query.Compile(clinic(), query.Question{SQL: "SELECT count(*) FROM " + from}); err != nil {
			t.Errorf("%s: %v", from, err)
		}
	}
}

// What * stands for must not double until memory is full.
func TestStarsDoNotDouble(t *testing.T) {
	for _, innermost := range []string{"stays", "(SELECT ward, count(*) AS n FROM stays GROUP BY ward) y"} {
		sql := innermost
		for range 40 {
			sql = "(SELECT *, * FROM " + sql + ") x"
		}
		sql = strings.TrimSuffix(strings.TrimPrefix(sql, "("), ") x")
		for _, q := range []string{sql, "SELECT count(*) FROM (" + sql + ") x"} {
			_, err := query.Compile(clinic(), query.Question{SQL: q})
			if err == nil || !strings.Contains(err.Error(), "rule") {
				t.Errorf("40 levels: error = %v, want a refusal", err)
			}
		}
	}
}
