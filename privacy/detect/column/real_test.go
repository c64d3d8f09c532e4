package column_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

// TestCensusColumns classifies a table of real people's answers, with the values as they are: the Adult extract of the US census.
func TestCensusColumns(t *testing.T) {
	data := os.Getenv("SCRIM_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	b, err := os.ReadFile(filepath.Join(data, "tables", "adult", "arx_adult.csv"))
	if err != nil {
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatalf("the census table is required: %v", err)
		}
		t.Skip("the census table is not there; SCRIM_DATA says where the data sets are")
	}
	in := csv.NewReader(bytes.NewReader(b))
	in.Comma = ';'
	rows, err := in.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]flow.Label{
		"sex": {"person/gender"}, "age": {"person/age"}, "race": {"special/ethnicity"}, "marital-status": {"person/marital-status"},
		"education": {"work/education"}, "native-country": {"person/nationality", "location/country"}, "occupation": {"work/title"},
		"salary-class": {"finance/income", "business/category"}, "workclass": {"business/category", "work/employer"},
	}
	for _, named := range []bool{true, false} {
		cols := make([]column.Column, len(rows[0]))
		for i := range cols {
			cols[i] = column.Column{Table: "adult", Name: rows[0][i], Rows: int64(len(rows) - 1)}
			if !named {
				cols[i].Name = "c" + string(rune('0'+i))
			}
			for _, row := range rows[1:2001] {
				cols[i].Values = append(cols[i].Values, row[i])
			}
		}
		right := 0
		for i, guesses := range classifier(t).Table(context.Background(), cols) {
			if len(guesses) > 0 && guesses[0].Confidence >= proposed && contains(want[rows[0][i]], guesses[0].Label) {
				right++
			} else {
				t.Logf("named %t: %s is guessed %v", named, rows[0][i], guesses[:min(1, len(guesses))])
			}
		}
		least := 8
		if !named {
			least = 3 // ages and occupations are not to be told from their values alone
		}
		if right < least {
			t.Errorf("with names %t, %d of 9 columns are guessed right, want %d", named, right, least)
		}
	}
}
